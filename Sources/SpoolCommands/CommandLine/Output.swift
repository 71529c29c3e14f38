import CLinux
import Documents
import Glibc
import Linux
@_exported import LiveView

/// Standard output and standard error: buffered, silent when the reader has ended, and safe for terminals.
final class Output {
    let isTerminal: Bool
    private(set) var hasColour: Bool
    /// The terminal can erase and rewrite a line.
    let canRewrite: Bool
    /// The program exits when the reader has ended. True for standard output, until the program has changed something.
    var endsWithReader: Bool
    /// The error that ended writing: EPIPE when the reader has ended. Nil while writing works.
    private(set) var failure: Int32?
    /// The caller checks `failure` and decides what follows from it, as a command does that waits for a job.
    var leavesFailureToCaller = false
    /// The exit code of every failure of spoolctl itself, while its exit code stands for a job's. Nil when each failure has its own.
    var ownFailure: Int32?
    /// Some output was lost that a reader wanted.
    private(set) var hasFailed = false
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// Changes that the program has made and not reported yet; see ``noteChange(_:)``.
    private var unreported: [String] = []

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        // https://no-color.org: the variable counts when it is set and not empty.
        let noColour = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { strcmp($0, "dumb") == 0 } ?? false
        canRewrite = isTerminal && !isDumb
        hasColour = canRewrite && !noColour
        endsWithReader = descriptor == STDOUT_FILENO
    }

    /// Output that is kept in memory for a page: it has the forms that people read, without colours.
    init() {
        descriptor = -1
        isTerminal = true
        hasColour = false
        canRewrite = false
        endsWithReader = false
    }

    /// The text that was kept.
    var kept: String { String(decoding: buffer, as: UTF8.self) }

    /// Writes no colours from now on.
    func dropColour() { hasColour = false }

    /// Writes text. On a terminal, control characters are escaped, except line ends, tabs and the colours of ``coloured(_:_:)``: no text
    /// can move the cursor, control the terminal or be invisible. All output of spoolctl passes here, except the output of jobs
    /// (``writeOutput(_:raw:)``) and spoolctl's own cursor movements (``control(_:)``).
    func write(_ text: String) { put(isTerminal ? Self.forTerminal(text) : text) }

    func line(_ text: String) { write(text + "\n") }

    /// Writes a sentence from elsewhere. On a terminal, lines end between words.
    func paragraph(_ text: String, _ colour: Colour? = nil) {
        let text = Self.oneLine(text)
        let lines = isTerminal ? Columns.wrapped(text, to: columns) : [text]
        for one in lines { line(coloured(one, colour)) }
    }

    /// Writes text as bytes, which need not be UTF-8.
    func write(bytes: some Collection<UInt8>) {
        if isTerminal { return put(Self.forTerminal(FileName.string(from: Array(bytes)))) }
        append(bytes)
    }

    /// Writes a sequence that moves the cursor or erases text.
    func control(_ text: String) { put(text) }

    private func put(_ text: String) { append(text.utf8) }

    private func append(_ bytes: some Collection<UInt8>) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 64 << 10 { flush() }
    }

    private static let lineEnds: Set<Unicode.Scalar> = ["\n", "\t"]

    private static func forTerminal(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { TerminalText.isUnsafe($0.value) && !lineEnds.contains($0) }) else { return text }
        // Escapes each text between two of our own colour codes.
        var result = ""
        var rest = Substring(text)
        while let escape = rest.firstIndex(of: "\u{1B}") {
            result += TerminalText.safe(String(rest[..<escape]), but: lineEnds)
            let code = colourCodes.first { rest[escape...].hasPrefix($0) } ?? ""
            result += code.isEmpty ? TerminalText.escape("\u{1B}") : code
            rest = rest[escape...].dropFirst(max(1, code.count))
        }
        return result + TerminalText.safe(String(rest), but: lineEnds)
    }

    // MARK: Changes

    /// Records that the program has changed something, such as `queued as ID`, before the answer is written here. When the answer cannot
    /// be written, standard error reports the change and the exit code is ``ExitCode/unreported``, so that a caller does not repeat it.
    func noteChange(_ what: String) {
        unreported.append(what)
        endsWithReader = false
    }

    /// The number of changes that are reported one by one.
    private static let unreportedMax = 20

    /// Reports on standard error the changes that standard output did not accept, and exits.
    private func reportChangesOnStandardError(_ why: Int32) -> Never {
        var text = unreported.prefix(Self.unreportedMax).map { "spoolctl: \(Output.oneLine($0))\n" }.joined()
        if unreported.count > Self.unreportedMax { text += "spoolctl: and \(unreported.count - Self.unreportedMax) more\n" }
        text += "spoolctl: the changes above were made, but standard output failed: \(SystemError.message(why))\n"
        // When standard error fails as well, the exit code alone reports the change.
        _ = text.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
        _exit(ownFailure ?? ExitCode.unreported)
    }

    /// Writes the buffer.
    func flush() {
        guard descriptor >= 0 else { return }
        var done = 0
        while done < buffer.count, failure == nil {
            let count = buffer[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                // Another process that shares the pipe or terminal made it non-blocking.
                var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = Glibc.poll(&polled, 1, -1)
            } else if errno != EINTR {
                fail(errno)
            }
        }
        buffer.removeAll(keepingCapacity: true)
        if failure == nil { unreported.removeAll() }
    }

    /// Writes the buffer for the last time. When the reader ended before, unreported changes are reported on standard error.
    func finish() {
        flush()
        if failure != nil, !unreported.isEmpty { reportChangesOnStandardError(EPIPE) }
    }

    // MARK: A reader that ends

    /// Ready when the reader has ended, also while nothing is written: POLLERR for a pipe, POLLHUP for a socket or a terminal.
    var poll: pollfd { pollfd(fd: failure == nil ? descriptor : -1, events: 0, revents: 0) }

    /// Checks whether the reader still exists.
    func check() {
        var polled = poll
        // POLLNVAL: the descriptor was closed from the beginning, so no reader has ended.
        if Glibc.poll(&polled, 1, 0) > 0, polled.revents & Int16(POLLERR | POLLHUP) != 0 { fail(EPIPE) }
    }

    /// Decides what follows when output cannot be written. A closed pipe is not an error: the reader has read what it wanted.
    private func fail(_ number: Int32) {
        failure = number
        if descriptor == STDERR_FILENO {
            // No other place is left for a report, and the command continues. A closed standard error is the caller's wish.
            hasFailed = number != EBADF && number != EPIPE
            return
        }
        if number != EPIPE, !unreported.isEmpty { reportChangesOnStandardError(number) }
        if leavesFailureToCaller { return }
        if number == EPIPE {
            if endsWithReader { _exit(ExitCode.done) }
            return
        }
        let message = "spoolctl: write: \(SystemError.message(number))\n"
        _ = message.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
        _exit(ownFailure ?? ExitCode.failed)
    }

    /// The columns of the terminal; 80 when unknown.
    var columns: Int {
        let columns = Int(linux_terminal_columns(descriptor))
        return columns > 0 ? columns : 80
    }

    // MARK: Text from elsewhere

    /// Text from a file or another program, on one line: control characters, line ends and tabs are escaped.
    static func oneLine(_ text: String) -> String { PlainText.oneLine(text) }

    /// Writes a job's output unchanged; on a terminal, with control characters escaped except line ends, tabs and colours.
    func writeOutput(_ bytes: [UInt8], raw: Bool) {
        guard isTerminal, !raw, bytes.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return append(bytes) }
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
        put(result)
    }

    // MARK: Colour

    enum Colour: String, CaseIterable { case red = "31", green = "32", yellow = "33", bold = "1", dim = "2" }

    private static let colourCodes = (Colour.allCases.map(\.rawValue) + ["0"]).map { "\u{1B}[\($0)m" }

    func coloured(_ text: String, _ colour: Colour?) -> String {
        guard hasColour, let colour, !text.isEmpty else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }
}
