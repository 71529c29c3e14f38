import CLinux
import Glibc
import Linux

/// A `spoold` that serves a spool until ``stop()``. It has eight slots, and a log file.
final class DaemonUnderTest {
    let pid: pid_t
    let spool: String
    private let system: System
    private let ready: FileDescriptor
    private let ended: FileDescriptor
    private let log: String

    static let slots = 8
    /// The limits on the time that the daemon takes to become ready and to end.
    private static let startSeconds = 300.0, stopSeconds = 120.0

    /// Starts the daemon as the command of `prefix`, if there is one. The daemon is not ready yet.
    private init(_ suite: Suite, spool: String, configuration more: String, under prefix: [String]) throws {
        system = suite.system
        self.spool = spool
        log = "\(suite.logs)/log"
        let configuration = "\(suite.logs)/spoold.toml"
        try Directory.open(suite.logs).writeFile("spoold.toml", Array("slots = \(Self.slots)\n\(more)".utf8))
        ready = try Self.datagramSocket()
        let address = try Self.address(of: ready.raw)
        let output = try FileDescriptor.open(log, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let input = try FileDescriptor.open("/dev/null", O_RDONLY)
        let words = prefix + [suite.programs.daemon, "--spool", spool, "--config", configuration]
        pid = try Process.spawn(
            words[0], arguments: words,
            environment: BareProgram.environment + ["NOTIFY_SOCKET=\(address)"],
            descriptors: [(input.raw, 0), (output.raw, 1), (output.raw, 2)])
        ended = try Process.openPidfd(pid)
    }

    /// Runs `body` beside a daemon on this spool. Afterwards ends the daemon and its processes, also when `body` fails.
    static func serve<Value>(
        _ suite: Suite, spool: String, configuration: String = "", under prefix: [String] = [], _ body: (DaemonUnderTest) throws -> Value
    ) throws -> Value {
        let daemon = try DaemonUnderTest(suite, spool: spool, configuration: configuration, under: prefix)
        let result = Result { try body(daemon) }
        let stopped = Result { try daemon.stop() }
        let value = try result.get()
        try stopped.get()
        return value
    }

    /// Waits for READY=1 of sd_notify(3), and a moment longer for the rest of the daemon's start.
    func awaitReady() throws {
        let deadline = Deadline(seconds: Self.startSeconds)
        while true {
            if try wait(for: ready.raw, until: deadline, "get ready") {
                let message = String(decoding: try readySome(), as: UTF8.self)
                if message.split(separator: "\n").contains("READY=1") { break }
            }
        }
        try system.pause(milliseconds: 100)
    }

    /// Waits until the descriptor is readable. Returns false if something else happened first. Throws if the daemon has ended, or
    /// if the time is over before it could do `what`.
    func wait(for descriptor: Int32, until deadline: Deadline, _ what: String) throws -> Bool {
        switch try system.wait(for: [descriptor, ended.raw], until: deadline) {
        case 0: return true
        case 1: throw Trouble.failed("spoold ended: \(lastWords)")
        default:
            if deadline.isOver { throw Trouble.failed("spoold did not \(what) in time: \(lastWords)") }
            return false
        }
    }

    /// Marks the present moment in the trace of a daemon that runs under strace. The signal has no other effect.
    func markTrace() throws { try Process.signal(SIGCONT, to: pid) }

    func stop() throws {
        try Process.signal(SIGTERM, to: pid)
        let deadline = Deadline(seconds: Self.stopSeconds)
        while try system.wait(for: [ended.raw], until: deadline, isCleanup: true) == nil && !deadline.isOver {}
        let isLate = deadline.isOver
        if isLate { try Process.signal(SIGKILL, to: pid) }
        try system.awaitAll(seconds: Self.stopSeconds)
        if isLate { throw Trouble.failed("spoold did not end on SIGTERM: \(lastWords)") }
    }

    private var lastWords: String {
        // Without a log there is no more information.
        let bytes = (try? FileDescriptor.open(log, O_RDONLY).readAll(limit: .max)) ?? []
        return bytes.split(separator: UInt8(ascii: "\n")).last.map { String(decoding: $0, as: UTF8.self) } ?? "no log"
    }

    // MARK: Readiness

    private func readySome() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try buffer.withUnsafeMutableBytes { try ready.read(into: $0) }
        return Array(buffer[..<count])
    }

    private static func datagramSocket() throws -> FileDescriptor {
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw SystemError(call: "socket", errno: errno) }
        return FileDescriptor(owning: raw)
    }

    /// Binds the socket to a name that the system chooses in the abstract name space, unix(7). Returns that name as sd_notify(3)
    /// writes it.
    private static func address(of socket: Int32) throws -> String {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let familySize = MemoryLayout<sa_family_t>.size
        var length = socklen_t(familySize)
        let failure = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(socket, address, length) == 0 else { return errno }
                length = socklen_t(MemoryLayout<sockaddr_un>.size)
                return getsockname(socket, address, &length) == 0 ? 0 : errno
            }
        }
        guard failure == 0 else { throw SystemError(call: "bind", errno: failure) }
        let name = withUnsafeBytes(of: address.sun_path) { $0[1..<Int(length) - familySize].map { $0 } }
        return "@\(String(decoding: name, as: UTF8.self))"
    }
}
