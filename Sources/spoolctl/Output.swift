import CLinux
import Documents
import Glibc
import Linux
@_exported import LiveView

/// Standard output and error: buffered, quiet about a reader that went away, and careful with terminals.
final class Output {
    let isTerminal: Bool
    let hasColour: Bool
    /// A line can be written over again.
    let canRewrite: Bool
    /// Whether the program ends when nobody reads any more, as is right for one that has nothing to do but write.
    var endsWithReader: Bool
    private var isUnread = false
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        // https://no-color.org: present and not empty.
        let noColour = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { strcmp($0, "dumb") == 0 } ?? false
        canRewrite = isTerminal && !isDumb
        hasColour = canRewrite && !noColour
        endsWithReader = descriptor == STDOUT_FILENO
    }

    func write(_ text: String) { write(bytes: text.utf8) }

    func line(_ text: String) {
        buffer.append(contentsOf: text.utf8)
        write(bytes: CollectionOfOne(UInt8(ascii: "\n")))
    }

    func write(bytes: some Collection<UInt8>) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 64 << 10 { flush() }
    }

    /// Writes what is buffered. A closed pipe is no error: whoever read has seen enough.
    func flush() {
        var done = 0
        while done < buffer.count, !isUnread {
            let count = buffer[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                done += count
            } else if errno == EPIPE {
                if endsWithReader { _exit(ExitCode.done) }
                isUnread = true
            } else if errno != EINTR {
                let message = "spoolctl: write: \(SystemError.message(errno))\n"
                if descriptor != STDERR_FILENO { _ = message.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) } }
                _exit(ExitCode.failed)
            }
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// The columns of the terminal; 80 where nobody knows.
    var columns: Int {
        let columns = Int(linux_terminal_columns(descriptor))
        return columns > 0 ? columns : 80
    }

    // MARK: Text of others

    /// Text that came from a file or another program, on one line: nothing in it can move a terminal's cursor, end a
    /// line or pass for a column.
    static func oneLine(_ text: String) -> String { PlainText.oneLine(text) }

    /// A job's output as it came; on a terminal, with control characters escaped but for line ends, tabs and colours.
    func writeOutput(_ bytes: [UInt8], raw: Bool) {
        guard isTerminal, !raw, bytes.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return write(bytes: bytes) }
        var result = ""
        let scalars = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            if let end = PlainText.endOfColour(scalars, at: index) {
                result.unicodeScalars.append(contentsOf: scalars[index..<end])
                index = end
                continue
            }
            if scalar == "\n" || scalar == "\t" || !TerminalText.isUnsafe(scalar.value) {
                result.unicodeScalars.append(scalar)
            } else if scalar != "\r" || index + 1 >= scalars.count || scalars[index + 1] != "\n" {
                result += PlainText.escape(scalar)
            }
            index += 1
        }
        write(result)
    }

    // MARK: Colour

    enum Colour: String { case red = "31", green = "32", yellow = "33", bold = "1", dim = "2" }

    func coloured(_ text: String, _ colour: Colour?) -> String {
        guard hasColour, let colour, !text.isEmpty else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }
}
