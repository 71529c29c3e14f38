import CLinux
import Glibc
import Linux
import Scheduler
import WorkerProtocol

/// One `spool-worker` process of this daemon, and the run that it has.
final class WorkerProcess {
    /// The name with which the worker is started.
    static let name = "spool-worker"
    /// The worker's end of its socket.
    static let socketDescriptor: Int32 = 3

    let number: Int
    let pid: pid_t
    /// The only user for whom the worker runs jobs. Nil means the daemon's own user.
    let credentials: Credentials?
    private let socket: FileDescriptor
    private var frames = FrameBuffer()
    private var buffer: [UInt8]
    /// The runs of this worker whose output still comes.
    var outputs: [OutputSource] = []
    /// The job that the worker runs now. Nil when the worker is idle.
    var job: Job?
    /// The token of the socket in the event loop.
    var token: EventLoop.Token?
    /// True when the worker gets no other run after the present one.
    var isLast = false
    /// True when the worker's process has been reaped. Its number may then belong to another process.
    var isReaped = false

    /// Starts the worker program with the record file at the absolute path `record`, which is locked before the program begins. Throws
    /// EWOULDBLOCK when another worker has the file.
    ///
    /// Runs of another user enter the cgroup `group`, which the worker opens before it becomes that user.
    /// With a session the worker begins in one of that user. With `isQuiet` the worker's errors go to the daemon's standard output instead
    /// of the daemon's log.
    init(
        program: String, record: String, number: Int, as credentials: Credentials?, in session: (Session, user: String)?,
        opening group: String?, isQuiet: Bool, reportsOutput: Bool
    ) throws(SystemError) {
        let file = try FileDescriptor.open(record, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        guard try file.tryLock() else { throw SystemError(call: "flock", path: record, errno: EWOULDBLOCK) }
        let pair = try SocketPair()
        var arguments = [Self.name] + (credentials.map { ["--user", $0.text] } ?? []) + (group.map { [$0] } ?? [])
        if let (session, user) = session { arguments = session.arguments(for: user, program, arguments) }
        pid = try Linux.Process.spawn(
            session?.0.program ?? program, arguments: arguments, environment: Session.own.map { [$0] } ?? [],
            descriptors: [(isQuiet ? 1 : 2, 2), (pair.second.raw, Self.socketDescriptor), (file.raw, 4)], newSession: true)
        socket = try pair.first.duplicate()
        buffer = [UInt8](repeating: 0, count: reportsOutput ? 64 << 10 : 4096)
        self.number = number
        self.credentials = credentials
    }

    var descriptor: Int32 { socket.raw }

    /// The maximum time that a worker may take to read a command.
    private static let sendMilliseconds: Int32 = 5000

    /// Sends a command to the worker.
    ///
    /// Another user can stop that user's worker by a signal, and must not stop the daemon with it: such a worker is continued first, and
    /// killed when it does not read in time. Its socket then reports the end.
    func send(_ command: Command) throws(SystemError) {
        if credentials != nil { signal(SIGCONT) }
        do throws(SystemError) { try Self.send(socket.raw, command.frame(), isPatient: credentials == nil) } catch {
            if error.errno == EAGAIN { signal(SIGKILL) }
            throw error
        }
    }

    private func signal(_ number: Int32) { if !isReaped { kill(pid, number) } }

    private static func send(_ raw: Int32, _ bytes: [UInt8], isPatient: Bool) throws(SystemError) {
        var sent = 0
        let flags = Int32(MSG_NOSIGNAL) | (isPatient ? 0 : Int32(MSG_DONTWAIT))
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(raw, buffer.baseAddress! + sent, buffer.count - sent, flags)
            }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN {
                    var descriptor = pollfd(fd: raw, events: Int16(POLLOUT), revents: 0)
                    if poll(&descriptor, 1, sendMilliseconds) > 0 { continue }
                    errno = EAGAIN
                }
                throw SystemError(call: "send", path: "worker", errno: errno)
            }
            sent += count
        }
    }

    /// The reports that have arrived. Nil when the worker is gone.
    func receive() -> [Report]? {
        var reports: [Report] = []
        let count = recv(socket.raw, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count == 0 { return nil }
        if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
        frames.append(Array(buffer[..<count]))
        do throws(ProtocolError) {
            while let body = try frames.next() { reports.append(try Report(body: body)) }
        } catch {
            // A worker that sends garbage counts as gone. Its record file still has the end of its run.
            return nil
        }
        return reports
    }
}

extension RunResult {
    package init(_ end: RunEnd) {
        let outcome: Outcome =
            switch end.kind {
            case .exited(let code): .exited(Int(code))
            case .signaled(let number, let coreDumped): .signaled(number, coreDumped: coreDumped)
            case .timedOut(.exited(let code)): .timedOut(exitCode: Int(code), signal: nil)
            case .timedOut(.signaled(let number, _)): .timedOut(exitCode: nil, signal: number)
            case .inputBroke(.exited(let code)): .inputBroke(exitCode: Int(code), signal: nil)
            case .inputBroke(.signaled(let number, _)): .inputBroke(exitCode: nil, signal: number)
            // The machine refused to start the process, for a reason that does not concern the job: the try does not count.
            case .spawnFailed(let errno, _) where SystemError(call: "spawn", errno: errno).isRefusedStart: .neverBegan
            case .spawnFailed(_, let message):
                .notSpawned(message, exitCode: CommandFailure(message: message).map { Int($0.exitCode) })
            }
        self.init(
            outcome: outcome, startedAt: Instant(milliseconds: end.startedAt),
            endedAt: Instant(milliseconds: end.endedAt), pid: end.pid == 0 ? nil : end.pid,
            usage: Usage(
                wallMilliseconds: end.wallMilliseconds, userMilliseconds: end.userMilliseconds,
                systemMilliseconds: end.systemMilliseconds, maxRSSBytes: end.maxRSSBytes))
        switch outcome {
        case .notSpawned, .neverBegan: usage = nil
        default: break
        }
    }
}
