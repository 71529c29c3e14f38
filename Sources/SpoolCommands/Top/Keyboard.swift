import Glibc
import Linux

/// The source of keys: standard input, else the terminal of the process.
final class Keyboard {
    let raw: Int32
    let terminal: RawTerminal

    private init(_ raw: Int32, _ terminal: RawTerminal) {
        self.raw = raw
        self.terminal = terminal
    }

    /// Opens the keyboard; nil when the process has no terminal.
    static func open() -> Keyboard? {
        if let terminal = try? RawTerminal(STDIN_FILENO) { return Keyboard(STDIN_FILENO, terminal) }  // standard input is no terminal
        guard let raw = try? FileDescriptor.open("/dev/tty", O_RDONLY).release() else { return nil }  // there is no terminal
        guard let terminal = try? RawTerminal(raw) else {  // a terminal that this process may not use
            close(raw)
            return nil
        }
        return Keyboard(raw, terminal)
    }

    /// The pending bytes, without waiting; nil when the terminal has been closed.
    func read() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(raw, &bytes, bytes.count)
        if count > 0 { return Array(bytes[..<count]) }
        return count < 0 && (errno == EINTR || errno == EAGAIN) ? [] : nil
    }
}
