import CLinux
import Glibc
import Linux
import WorkerProtocol
import TestSupport

/// The built worker, controlled by a test instead of a daemon.
final class WorkerUnderTest {
    let temporary: TemporaryDirectory
    let pid: pid_t
    let recordPath: String
    private let pidfd: FileDescriptor
    /// The worker's socket, or -1 after it was closed.
    private var socket: Int32
    private var frames = FrameBuffer()
    private var isReaped = false
    /// The number of pieces of output that were read.
    private(set) var outputCount = 0
    /// The end in the file that the last of them said.
    private(set) var outputEnd: Int64?

    /// spool-worker lies beside the test bundle.
    static let executable: String = {
        var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = path.withUnsafeMutableBytes { buffer in
            readlink("/proc/self/exe", buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        let runner = String(decoding: path.prefix(max(0, count)), as: UTF8.self)
        return String(runner[..<(runner.lastIndex(of: "/") ?? runner.startIndex)]) + "/spool-worker"
    }()

    /// `user` is the user whom the worker becomes. `launcher` is a program that starts it, with its arguments.
    init(as user: Credentials? = nil, by launcher: [String] = []) throws {
        temporary = try TemporaryDirectory()
        let path = "\(temporary.path)/record"
        recordPath = path
        let pair = try SocketPair(nonBlocking: true)
        let words = [Self.executable] + (user.map { ["--user", $0.text] } ?? [])
        // A process that another test starts meanwhile would hold a copy of the lock.
        pid = try Descriptors.alone {
            let record = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
            guard try record.tryLock() else { throw SystemError(call: "flock", path: path, errno: EWOULDBLOCK) }
            return try Process.spawn(
                launcher.first ?? Self.executable, arguments: launcher + words, environment: [],
                descriptors: [(pair.second.raw, 3), (record.raw, 4)])
        }
        pidfd = try Process.openPidfd(pid)
        socket = linux_fcntl_int(pair.first.raw, F_DUPFD_CLOEXEC, 3)
    }

    deinit {
        hangUp()
        if isReaped { return }
        kill(pid, SIGKILL)
        _ = reap()
    }

    // MARK: Messages

    func send(_ command: Command) throws { try send(command.frame()) }

    func send(_ bytes: [UInt8]) throws {
        let sent = bytes.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if sent != bytes.count { throw SystemError(call: "send", errno: errno) }
    }

    /// The next report of an end.
    func report() throws -> RunEnd {
        while true {
            // The worker reports a long run before its end. One read may return both reports.
            while let body = try frames.next() {
                switch try Report(body: body) {
                case .ended(let end): return end
                case .output(let output): (outputCount, outputEnd) = (outputCount + 1, output.end)
                default: continue
                }
            }
            try awaitReadable(socket)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
            defer { buffer.deallocate() }
            let count = recv(socket, buffer.baseAddress, buffer.count, 0)
            if count <= 0 { throw SystemError(call: "the worker hung up", errno: 0) }
            frames.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// The message of a worker that ends instead of serving. Nil if it serves.
    func refusal() throws -> String? {
        while true {
            while let body = try frames.next() {
                guard case .cannotServe(_, let message) = try Report(body: body) else { return nil }
                return message
            }
            try awaitReadable(socket)
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(socket, &buffer, buffer.count, 0)
            if count <= 0 { return nil }
            frames.append(Array(buffer[..<count]))
        }
    }

    func run(_ request: RunRequest) throws -> RunEnd {
        try send(.run(request))
        return try report()
    }

    /// Closes the socket, as a daemon that dies.
    func hangUp() {
        if socket >= 0 { close(socket) }
        socket = -1
    }

    // MARK: Record and end

    var record: WorkerRecord? {
        guard let file = try? FileDescriptor.open(recordPath, O_RDONLY), let bytes = try? file.readAll(limit: .max) else { return nil }
        return WorkerRecord.parse(bytes)
    }

    /// Waits for the worker's end and returns its exit code; 128 + n for signal n.
    func exitCode() throws -> Int32 {
        try awaitReadable(pidfd.raw)
        let status = reap()
        return linux_wifsignaled(status) != 0 ? 128 + linux_wtermsig(status) : linux_wexitstatus(status)
    }

    func openDescriptors() throws -> Int {
        let directory = try Directory.open("/proc/\(pid)/fd")
        return try directory.list().count
    }

    private func reap() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        isReaped = true
        return status
    }

    // MARK: Requests

    /// A request for a command in this test's directory, with a small environment.
    func request(_ arguments: [String], _ change: (inout RunRequest) -> Void = { _ in }) -> RunRequest {
        var request = RunRequest(
            jobID: "job", attempt: 1, jobDirectory: temporary.path, arguments: arguments, environment: ["PATH=/usr/bin:/bin"],
            workingDirectory: temporary.path)
        // No command is killed because it is slow to obey.
        request.killAfterMilliseconds = 600_000
        change(&request)
        return request
    }

    func shell(_ script: String, _ change: (inout RunRequest) -> Void = { _ in }) -> RunRequest {
        request(["sh", "-c", script], change)
    }
}

/// True if there is a process of this number that is not a zombie.
func isRunning(_ pid: pid_t) -> Bool {
    guard let status = try? ProcessStatus.read(pid) else { return false }
    return status.state != UInt8(ascii: "Z")
}
