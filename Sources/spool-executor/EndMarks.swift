import Executors
import Glibc
import Linux

enum EndMarks {
    /// Waits for the end marks of these runs, and returns the runs that have none when the time is over.
    static func await(_ runs: [Run], milliseconds: Int64) -> [Run] {
        let end = MonotonicInstant.now().advanced(byMilliseconds: milliseconds)
        var left = runs
        while true {
            left.removeAll { FileName.isAccessible($0.endMark) }
            if left.isEmpty || end <= .now() { return left }
            usleep(20_000)
        }
    }
}
