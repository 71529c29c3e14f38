import Glibc
import Linux
import Recurrence
import Store

/// The daemon's log on standard error: one line of `key=value` fields for each event, which begins with the time. Under systemd the events
/// go to the journal as messages with fields, see ``SystemdJournal``. Where the journal's socket is missing, lines go to standard error
/// there too, each with its priority in front, and the journal adds the time (sd-daemon(3)).
///
/// Lines are gathered and written once a turn, so that a thousand jobs a second do not cause a thousand writes. Texts from outside are
/// quoted and escaped, so that no name or error can forge a line.
///
/// The number of lines that one user causes is limited, see ``LineLimit``: when a unit writes too many lines, journald drops lines of all
/// users.
package final class Log: Part {
    package enum Level: UInt8 { case error = 3, warning = 4, notice = 5, info = 6 }

    private var bytes: [UInt8] = []
    /// Nil outside of systemd.
    private let journal: SystemdJournal?
    /// The descriptor to which lines are written. Nil when they are discarded.
    private let descriptor: Int32?

    /// The user whose daemon this is. Nil for root's daemon and for one that is alone.
    private let user: String?
    private var limit = LineLimit()

    package convenience init(to descriptor: Int32? = 2, user: String? = nil) { self.init(journal: nil, to: descriptor, user: user) }

    init(journal: SystemdJournal?, to descriptor: Int32? = 2, user: String? = nil) {
        self.journal = journal
        self.user = user
        self.descriptor = descriptor
    }

    package func write(
        _ level: Level, _ event: StaticString, at now: Instant, _ fields: KeyValuePairs<StaticString, String?> = [:],
        causedBy cause: String? = nil, about subject: LogSubject? = nil
    ) {
        if let cause = cause ?? user, !limit.admits("\(event)", of: cause, at: .now()) { return }
        append(level, event, at: now, fields, about: subject)
    }

    /// True when events have fields for those who search them.
    var takesSubjects: Bool { journal != nil }

    package var wakeAt: Wake { Wake(monotonic: limit.next) }

    package func beforeTurn() { countLeftOut() }

    /// Writes the numbers of lines that were left out: those of ended windows, or, with `isLast`, all.
    func countLeftOut(isLast: Bool = false) {
        guard limit.next != nil else { return }
        let now = Instant(milliseconds: Clock.now())
        for one in limit.takeOver(at: isLast ? MonotonicInstant(nanoseconds: .max) : .now()) {
            let by = user == nil ? one.user : nil
            append(
                .warning, "left-out", at: now,
                ["of": one.kind, "count": "\(one.count)", "by": by, "seconds": "\(LineLimit.milliseconds / 1000)"])
        }
    }

    private func append(
        _ level: Level, _ event: StaticString, at now: Instant, _ fields: KeyValuePairs<StaticString, String?>,
        about subject: LogSubject? = nil
    ) {
        let begin = bytes.count
        if journal != nil {
            append("<")
            bytes.append(UInt8(ascii: "0") + level.rawValue)
            append(">event=")
        } else {
            append("time=")
            now.appendRFC3339(to: &bytes)
            switch level {
            case .error: append(" level=error event=")
            case .warning: append(" level=warning event=")
            case .notice, .info: append(" event=")
            }
        }
        append(event)
        if let user {
            append(" user=")
            self.value(user)
        }
        for (key, value) in fields {
            guard let value else { continue }
            append(" ")
            append(key)
            append("=")
            self.value(value)
        }
        if let journal {
            // The line without its priority.
            var sent = LogEvent(level: level, name: "\(event)", text: String(decoding: bytes[(begin + 3)...], as: UTF8.self))
            if let user { sent.fields.append(("user", user)) }
            for (key, value) in fields { if let value { sent.fields.append(("\(key)", value)) } }
            for (key, value) in [("task", subject?.task), ("queue", subject?.queue), ("name", subject?.name)] {
                if let value, !sent.fields.contains(where: { $0.key == key }) { sent.fields.append((key, value)) }
            }
            if journal.send(sent) { return bytes.removeSubrange(begin...) }
        }
        append("\n")
        if bytes.count > 64 << 10 { flush() }
    }

    package func flush() {
        guard !bytes.isEmpty, let descriptor else { return bytes.removeAll(keepingCapacity: true) }
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                // A log that nobody reads any more must not stop the spool.
                if count < 0 { if errno == EINTR { continue } else { break } }
                rest = rest.dropFirst(count)
            }
        }
        bytes.removeAll(keepingCapacity: true)
    }

    private func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func value(_ text: String) {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "=")
        }
        if isPlain {
            bytes.append(contentsOf: text.utf8)
            return
        }
        // Characters that a terminal obeys or does not show are escaped.
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { bytes.append(UInt8(ascii: "\\")) }
            if TerminalText.isUnsafe(scalar.value) {
                bytes.append(contentsOf: TerminalText.escape(scalar).utf8)
            } else {
                bytes.append(contentsOf: UTF8.encode(scalar)!)  // every scalar has an encoding
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
