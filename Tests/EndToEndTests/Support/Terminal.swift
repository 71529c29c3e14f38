import CLinux
import Glibc
import Linux
import TestSupport

/// A pseudo-terminal for a program under test, pty(7).
final class Terminal {
    private let master: FileDescriptor
    private let slave: FileDescriptor
    private var bytes: [UInt8] = []

    init() throws {
        var number: Int32 = 0
        let raw = linux_new_terminal(&number)
        guard raw >= 0 else { throw SystemError(call: "open", path: "/dev/ptmx", errno: errno) }
        master = FileDescriptor(owning: raw)
        slave = try FileDescriptor.open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    }

    /// The program's end of the terminal.
    var raw: Int32 { slave.raw }

    /// Everything that has been written to the terminal.
    var text: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(master.raw, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// Everything that a program has written to the terminal, when it has ended.
    func text(of child: Child) throws -> String {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while !child.hasEnded {
            _ = text
            guard awaitReadable([master.raw, child.pidfd], until: end) else { throw WaitFailed(description: "does not end:\n\(text)") }
        }
        return text
    }

    /// Waits until this text has been written to the terminal.
    func shows(_ part: String) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while !text.contains(part) {
            guard awaitReadable([master.raw], until: end) else { throw WaitFailed(description: "\"\(part)\" is not in:\n\(text)") }
        }
    }
}
