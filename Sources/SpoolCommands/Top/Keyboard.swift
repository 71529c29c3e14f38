import Glibc
import Linux

/// Where keys come from: standard input, else the terminal that the process belongs to.
final class Keyboard {
    let raw: Int32
    let terminal: RawTerminal

    private init(_ raw: Int32, _ terminal: RawTerminal) {
        self.raw = raw
        self.terminal = terminal
    }

    /// Nil: there is none.
    static func open() -> Keyboard? {
        if let terminal = try? RawTerminal(STDIN_FILENO) { return Keyboard(STDIN_FILENO, terminal) }
        guard let raw = try? FileDescriptor.open("/dev/tty", O_RDONLY).release() else { return nil }
        guard let terminal = try? RawTerminal(raw) else {  // not ours to read from
            close(raw)
            return nil
        }
        return Keyboard(raw, terminal)
    }

    /// The bytes that wait, without waiting for them. Nil: the terminal is gone.
    func read() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(raw, &bytes, bytes.count)
        if count > 0 { return Array(bytes[..<count]) }
        return count < 0 && (errno == EINTR || errno == EAGAIN) ? [] : nil
    }
}
