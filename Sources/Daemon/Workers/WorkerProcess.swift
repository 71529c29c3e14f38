import CLinux
import Glibc
import Linux
import Scheduler
import WorkerProtocol

/// One `spool-worker` process of this daemon, and the run that it has.
final class WorkerProcess {
    let number: Int
    let pid: pid_t
    /// The user for whom it runs jobs, and no other user. Nil means the daemon's own user.
    let credentials: Credentials?
    private let socket: FileDescriptor
    private var frames = FrameBuffer()
    private var buffer = [UInt8](repeating: 0, count: 4096)
    /// The job of the run that it has now.
    var job: Job?
    /// Its socket's, in the loop.
    var token: EventLoop.Token?
    /// It gets no other run after this one.
    var isLast = false
    /// Its number may be another process's by now.
    var isReaped = false

    /// Starts the worker program with its record file, an absolute path, which is locked before the program begins. Throws EWOULDBLOCK
    /// when another worker has that file.
    ///
    /// Runs of another user enter the cgroup `group`, which the worker opens before it becomes that user.
    /// With `isQuiet` its errors are written to the daemon's standard output, and not to the daemon's log.
    init(
        program: String, record: String, number: Int, as credentials: Credentials?, opening group: String?, isQuiet: Bool
    ) throws(SystemError) {
        let file = try FileDescriptor.open(record, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        guard try file.tryLock() else { throw SystemError(call: "flock", path: record, errno: EWOULDBLOCK) }
        let pair = try SocketPair()
        pid = try Linux.Process.spawn(
            program, arguments: ["spool-worker"] + (credentials.map { ["--user", $0.text] } ?? []) + (group.map { [$0] } ?? []),
            environment: [], descriptors: [(isQuiet ? 1 : 2, 2), (pair.second.raw, 3), (file.raw, 4)], newSession: true)
        socket = try pair.first.duplicate()
        self.number = number
        self.credentials = credentials
    }

    var descriptor: Int32 { socket.raw }

    /// The time that a worker may take to read a command.
    private static let sendMilliseconds: Int32 = 5000

    /// Sends a command. A worker that another user can stop must not stop the daemon: if it does not read, it is killed, and its socket
    /// reports the end.
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
            // A worker that sends garbage counts as gone: its record file still says how its run ended.
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
            // The machine could not start it, for a reason that is not the job's: the try does not count.
            case .spawnFailed(let errno, _) where SystemError(call: "spawn", errno: errno).isRefusedStart: .neverBegan
            case .spawnFailed(_, let message): .notSpawned(message)
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
