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
    /// Why nothing is written any more: EPIPE when nobody reads it. Nil while it is.
    private(set) var failure: Int32?
    /// Whether the program asks for `failure` and decides itself what becomes of it, as one does that waits for a job.
    var leavesFailureToCaller = false
    /// What was written has not all been taken, and somebody wants it.
    private(set) var hasFailed = false
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// What the program has done, of which nobody has been told yet, see ``noteChange(_:)``.
    private var unreported: [String] = []

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

    /// Writes text. On a terminal, whatever is in it, nothing of it moves the cursor, is obeyed or cannot be seen: line ends, tabs and the
    /// colours of ``coloured(_:_:)`` alone are left as they are. All that spoolctl prints comes through here but for the output of jobs,
    /// see ``writeOutput(_:raw:)``, and what moves the cursor, see ``control(_:)``.
    func write(_ text: String) { put(isTerminal ? Self.forTerminal(text) : text) }

    func line(_ text: String) { write(text + "\n") }

    /// Text as bytes, which may be no UTF-8.
    func write(bytes: some Collection<UInt8>) {
        if isTerminal { return put(Self.forTerminal(FileName.string(from: Array(bytes)))) }
        append(bytes)
    }

    /// What moves the cursor, or takes away what was written.
    func control(_ text: String) { put(text) }

    private func put(_ text: String) { append(text.utf8) }

    private func append(_ bytes: some Collection<UInt8>) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 64 << 10 { flush() }
    }

    private static let lineEnds: Set<Unicode.Scalar> = ["\n", "\t"]

    private static func forTerminal(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { TerminalText.isUnsafe($0.value) && !lineEnds.contains($0) }) else { return text }
        // The colours stand between texts that hold none.
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

    // MARK: What was done

    /// Notes that the program has changed something, `queued as ID`, before what it says of it is written here. Where that cannot be
    /// written, standard error says it and the exit code says that it was done: whoever does it again must not do it twice.
    func noteChange(_ what: String) {
        unreported.append(what)
        endsWithReader = false
    }

    /// How many of these are said one by one.
    private static let unreportedMax = 20

    /// Says on standard error what standard output did not take, and ends.
    private func reportChangesOnStandardError(_ why: Int32) -> Never {
        var text = unreported.prefix(Self.unreportedMax).map { "spoolctl: \(Output.oneLine($0))\n" }.joined()
        if unreported.count > Self.unreportedMax { text += "spoolctl: and \(unreported.count - Self.unreportedMax) more\n" }
        text += "spoolctl: that was done, and standard output did not take what it says: \(SystemError.message(why))\n"
        // Where that fails, too, the exit code remains.
        _ = text.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
        _exit(ExitCode.unreported)
    }

    /// Writes what is buffered.
    func flush() {
        var done = 0
        while done < buffer.count, failure == nil {
            let count = buffer[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                // Whoever shares the pipe or terminal made it so.
                var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = Glibc.poll(&polled, 1, -1)
            } else if errno != EINTR {
                fail(errno)
            }
        }
        buffer.removeAll(keepingCapacity: true)
        if failure == nil { unreported.removeAll() }
    }

    /// After the last that is written: who went away has not been told all.
    func finish() {
        flush()
        if failure != nil, !unreported.isEmpty { reportChangesOnStandardError(EPIPE) }
    }

    // MARK: A reader that goes

    /// Ready when nobody reads any more, also while nothing is written: POLLERR of a pipe, POLLHUP of a socket or a terminal.
    var poll: pollfd { pollfd(fd: failure == nil ? descriptor : -1, events: 0, revents: 0) }

    /// Looks whether anybody still reads.
    func check() {
        var polled = poll
        // POLLNVAL: it was closed from the beginning, and nobody went.
        if Glibc.poll(&polled, 1, 0) > 0, polled.revents & Int16(POLLERR | POLLHUP) != 0 { fail(EPIPE) }
    }

    /// The one place that decides what becomes of the program when its output cannot be written. A closed pipe is no error: whoever read has
    /// seen enough.
    private func fail(_ number: Int32) {
        failure = number
        if descriptor == STDERR_FILENO {
            // There is nobody left to tell, and no reason to leave undone what was asked for. Closed, it is not wanted.
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
        _exit(ExitCode.failed)
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
