import Linux

// A test that must give a time in advance, and finds that the machine was too slow for it, has tested nothing and tries again.

/// Calls `body` with more and more seconds until it returns a value. It returns nil when these seconds were over before the test
/// had seen what it is about, because the machine was too slow.
func withEnoughSeconds<Value>(from least: Int64 = 3, _ body: (Int64) throws -> Value?) throws -> Value {
    var seconds = least
    while seconds * 1000 < guardMilliseconds {
        if let value = try body(seconds) { return value }
        seconds *= 4
    }
    throw WaitFailed(description: "the machine is too slow for all times of less than \(seconds) seconds")
}

extension SpoolUnderTest {
    /// Has spoold read a file whose instant is some seconds ahead. spoold refuses one that has passed when it reads the file.
    ///
    /// - Parameter write: writes the file, and returns its name in the log and what the test needs of it.
    func takenInTime<Value>(from least: Int64 = 2, _ write: (Int64) throws -> (file: String, value: Value)) throws -> Value {
        try withEnoughSeconds(from: least) { seconds in
            let seen = logLength
            let (file, value) = try write(seconds)
            let said = try wait(for: "\(file) to be read") {
                String(Substring(log.utf8.dropFirst(seen))).wholeLines.first {
                    ($0.contains("event=defined") || $0.contains("event=refused")) && $0.contains("file=\(file)")
                }
            }
            return said.contains("event=defined") ? value : nil
        }
    }
}

/// Calls `body` again and again until it has taken less than this time, and returns its value then. For what the daemon waits for only for
/// some time.
func withinMilliseconds<Value>(_ milliseconds: Int64, _ body: () throws -> Value) throws -> Value {
    let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
    while true {
        let began = MonotonicInstant.now()
        let value = try body()
        if MonotonicInstant.now().milliseconds(since: began) < milliseconds { return value }
        guard MonotonicInstant.now() < end else { throw WaitFailed(description: "it always takes \(milliseconds) ms and more") }
    }
}
