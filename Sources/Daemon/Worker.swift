import CLinux
import Glibc
import Linux
import Scheduler
import WorkerProtocol

/// One `spool-worker` process of this daemon, and the run it has.
final class Worker {
    let number: Int
    let pid: pid_t
    private let socket: FileDescriptor
    private var frames = FrameBuffer()
    private var buffer = [UInt8](repeating: 0, count: 4096)
    /// The run that was given to it and has not ended.
    var job: Job?

    /// Starts the worker program with its record file, absolute, locked before it begins. Throws EWOULDBLOCK when another
    /// worker has that file.
    init(program: String, record: String, number: Int) throws(SystemError) {
        let file = try FileDescriptor.open(record, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        guard try file.tryLock() else { throw SystemError(call: "flock", path: record, errno: EWOULDBLOCK) }
        let pair = try SocketPair()
        pid = try Linux.Process.spawn(
            program, arguments: ["spool-worker"], environment: [], descriptors: [(pair.second.raw, 3), (file.raw, 4)],
            newSession: true)
        socket = try pair.first.duplicate()
        self.number = number
    }

    var descriptor: Int32 { socket.raw }

    func send(_ command: Command) throws(SystemError) {
        try Self.send(socket.raw, command.frame())
    }

    private static func send(_ raw: Int32, _ bytes: [UInt8]) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(raw, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "send", path: "worker", errno: errno)
            }
            sent += count
        }
    }

    /// Reads what has arrived. Nil: the worker is gone.
    func receive() -> [Report]? {
        var reports: [Report] = []
        let count = recv(socket.raw, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count == 0 { return nil }
        if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
        frames.append(Array(buffer[..<count]))
        do throws(ProtocolError) {
            while let body = try frames.next() { reports.append(try Report(body: body)) }
        } catch {
            // A worker that speaks gibberish is no worker: its record file still tells how its run ended.
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
            case .spawnFailed(_, let message): .notSpawned(message)
            }
        self.init(
            outcome: outcome, startedAt: Instant(milliseconds: end.startedAt),
            endedAt: Instant(milliseconds: end.endedAt), pid: end.pid == 0 ? nil : end.pid,
            usage: Usage(
                wallMilliseconds: end.wallMilliseconds, userMilliseconds: end.userMilliseconds,
                systemMilliseconds: end.systemMilliseconds, maxRSSBytes: end.maxRSSBytes))
        if case .notSpawned = outcome { usage = nil }
    }
}
