import Executors
import Glibc
import Linux

/// The start mark, taken in the place of the wrapper: then the run never begins.
enum StartMark {
    /// Makes the start mark of a run that has not begun, and writes its end. Returns false when it has begun. A call that was interrupted
    /// between the two is completed by the next one.
    static func take(_ run: Run) throws(SystemError) -> Bool {
        let directory = try Directory.open(run.directory)
        let mark = "started.\(run.attempt)"
        do throws(SystemError) {
            try directory.makeDirectory(mark)
            try directory.writeFile("\(mark)/\(canceled)", [])
        } catch {
            guard error.errno == SystemError.exists else { throw error }
            guard FileName.isAccessible("\(run.startMark)/\(canceled)") else { return false }
        }
        if FileName.isAccessible(run.endMark) { return true }
        let name = "end.\(run.attempt)"
        let file = try directory.openFile("\(name).tmp", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW)
        try file.write(Array("{\"never_began\":true}\n".utf8))
        try file.sync()
        try directory.rename("\(name).tmp", to: name)
        return true
    }

    private static let canceled = "canceled"
}

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
