import CLinux
import Glibc
import Linux
import Model

/// A run of the program that is to replace this daemon, with `--check` and the daemon's own arguments. It exits with 0 when it understands
/// the arguments, knows the spool's format and can use the configuration. It changes nothing.
final class ProgramCheck {
    let pid: pid_t
    /// The time at which the check is killed if it has not ended.
    let deadline = MonotonicInstant.now().advanced(byMilliseconds: limitMilliseconds)
    private let output: FileDescriptor

    static let limitMilliseconds: Int64 = 30_000

    init(_ program: String) throws(SystemError) {
        let nothing = try FileDescriptor.open("/dev/null", O_RDONLY)
        let pipe = try Pipe()
        pid = try Linux.Process.spawn(
            program, arguments: [program, "--check"] + CommandLine.arguments.dropFirst(), environment: Self.environment(),
            descriptors: [(nothing.raw, 0), (pipe.writing.raw, 1), (pipe.writing.raw, 2)], newSession: true)
        output = try pipe.reading.duplicate()
    }

    /// The daemon's own environment, with which it found spool and configuration, without the service manager's socket.
    private static func environment() -> [String] {
        var variables: [String] = []
        var next = environ
        while let entry = next.pointee {
            let variable = FileName.string(
                from: UnsafeRawBufferPointer(start: entry, count: strlen(entry)).assumingMemoryBound(to: UInt8.self))
            if !variable.hasPrefix("NOTIFY_SOCKET=") { variables.append(variable) }
            next += 1
        }
        return variables
    }

    private(set) var isOverdue = false

    /// The reason why the program cannot take over, from the exit status of its check. Nil when it can.
    func refusal(_ status: Int32) -> String? {
        if isOverdue { return "has not ended within \(Self.limitMilliseconds / 1000) s" }
        if linux_wifsignaled(status) != 0 { return "was ended by \(Signal.name(linux_wtermsig(status)))" }
        let code = linux_wexitstatus(status)
        if code == 0, firstLine.hasPrefix("spoold ") { return nil }
        return (code == 0 ? "is not a spoold that can be checked" : "exited with \(code)") + (firstLine.isEmpty ? "" : ": \(firstLine)")
    }

    /// The first line that the check printed, up to 1024 bytes.
    private(set) lazy var firstLine: String = {
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = read(output.raw, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }()

    /// Kills the check for taking too long.
    func endOverdue() {
        isOverdue = true
        kill()
    }

    /// Kills the check and its process group. Must be called before the check is reaped: after that its number may belong to another
    /// process.
    func kill() { Glibc.kill(-pid, SIGKILL) }
}
