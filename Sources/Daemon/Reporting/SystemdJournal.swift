import Glibc
import Linux
import Scheduler
import Store

/// Sends the events of the log to journald as messages with fields, where standard error is a stream of the journal's.
///
/// Invariants:
/// - Nothing waits for the journal. What it does not take is counted, and the number is the next message that it takes.
/// - An event has the same `MESSAGE_ID` in every version: `etc/systemd/spoold.catalog` explains each.
final class SystemdJournal {
    private let socket: JournalSocket
    /// The number of messages that the journal has not taken.
    private(set) var leftOut = 0

    /// The path of journald's socket. Tests have one of their own.
    static var socketPath: String { getenv("SPOOLD_JOURNAL_SOCKET").map { String(cString: $0) } ?? JournalSocket.path }

    /// Nil unless standard error is the stream that the service manager has connected with the journal: a program that somebody starts
    /// from a service inherits the variable, but may write elsewhere.
    init?() {
        guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return nil }
        var status = stat()
        guard fstat(2, &status) == 0, stream == "\(status.st_dev):\(status.st_ino)" else { return nil }
        socket = JournalSocket(path: Self.socketPath)
    }

    /// Sends an event. Returns false when nobody reads the journal's socket.
    func send(_ event: LogEvent) -> Bool {
        if leftOut > 0 {
            var missing = LogEvent(level: .warning, name: "left-out", text: "event=left-out of=journal count=\(leftOut)")
            missing.fields = [("of", "journal"), ("count", "\(leftOut)")]
            switch socket.send(message(missing)) {
            case .taken: leftOut = 0
            case .full:
                leftOut += 1
                return true
            case .absent: return false
            }
        }
        switch socket.send(message(event)) {
        case .taken: return true
        case .full:
            leftOut += 1
            return true
        case .absent: return false
        }
    }

    private func message(_ event: LogEvent) -> JournalMessage {
        var message = JournalMessage()
        message.add("MESSAGE", event.text)
        message.add("MESSAGE_ID", Self.messageID(of: event.name))
        message.add("PRIORITY", "\(event.level.rawValue)")
        message.add("SYSLOG_IDENTIFIER", "spoold")
        // daemon
        message.add("SYSLOG_FACILITY", "3")
        if let unit = Self.unit { message.add(unit.field, unit.name) }
        message.add("SPOOL_EVENT", event.name)
        for (key, value) in event.fields { message.add(Self.fieldName(of: key, value), value) }
        return message
    }

    /// `SPOOL_EXIT_CODE` for `exit_code`.
    private static func fieldName(of key: String, _ value: String) -> String {
        if key == "id", JobID(value) != nil { return "SPOOL_JOB_ID" }
        return "SPOOL_" + String(decoding: key.utf8.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }, as: UTF8.self)
    }

    /// The same 128 bits for an event in every version, in hexadecimal digits.
    static func messageID(of event: String) -> String {
        [0, 1].map { half in
            let digits = String(stableHash("spoold event \(event) \(half)"), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// The unit whose process this is, by its cgroup, as the field that names it: `USER_UNIT` for one of a user's service manager. Nil
    /// outside of a unit.
    static let unit: (field: String, name: String)? = {
        guard let file = try? FileDescriptor.open("/proc/self/cgroup", O_RDONLY) else { return nil }  // no /proc: no unit
        guard let bytes = try? file.read(count: 65_536, at: 0) else { return nil }  // as above
        let parts = String(decoding: bytes, as: UTF8.self).split(whereSeparator: { $0 == "\n" || $0 == "/" })
        guard let name = parts.last(where: { $0.hasSuffix(".service") && !$0.hasPrefix("user@") }) else { return nil }
        return (parts.contains { $0.hasPrefix("user@") } ? "USER_UNIT" : "UNIT", String(name))
    }()
}

/// One line of the log and its parts.
struct LogEvent {
    var level: Log.Level
    var name: String
    /// The line without the time and the level.
    var text: String
    /// The fields of the line, and those that only the journal gets.
    var fields: [(key: String, value: String)] = []

    init(level: Log.Level, name: String, text: String) {
        (self.level, self.name, self.text) = (level, name, text)
    }
}

/// The job that an event is about, for those who search the journal.
package struct LogSubject {
    let task: String?
    let queue: String?
    let name: String

    init(_ job: Job) {
        task = job.task
        queue = job.definition.queue
        name = job.name
    }

    init(_ job: AcceptedJob) {
        task = job.task
        queue = job.definition.queue
        name = job.name
    }
}
