import Glibc
import Linux
import Recurrence
import Store

/// The daemon's log: one line an event, `key=value`, on standard error. Under systemd each line carries its priority and
/// leaves the time to the journal (sd-daemon(3)); elsewhere it begins with the time.
///
/// Lines are gathered and written once a turn, so that a thousand jobs a second are not a thousand writes. Whatever
/// comes from outside is quoted and escaped: no name or error can forge a line.
package final class Log {
    package enum Level: UInt8 { case error = 3, warning = 4, notice = 5, info = 6 }

    private var bytes: [UInt8] = []
    private let isJournal: Bool
    /// Where the lines go; nil: nowhere.
    private let descriptor: Int32?

    /// Whose daemon writes, where it is one of several into the same log.
    private let user: String?

    package init(isJournal: Bool = false, to descriptor: Int32? = 2, user: String? = nil) {
        self.isJournal = isJournal
        self.user = user
        self.descriptor = descriptor
    }

    package func write(
        _ level: Level, _ event: StaticString, at now: Instant, _ fields: KeyValuePairs<StaticString, String?> = [:]
    ) {
        if isJournal {
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
        append("\n")
        if bytes.count > 64 << 10 { flush() }
    }

    package func flush() {
        guard !bytes.isEmpty, let descriptor else { return bytes.removeAll(keepingCapacity: true) }
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                // A log that nobody takes any more must not stop the spool.
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
        bytes.appendQuoted(FileName.bytes(of: text))
    }
}
