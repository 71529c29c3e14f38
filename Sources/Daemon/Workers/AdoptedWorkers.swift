import CLinux
import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

/// A worker that has a job, and to which this daemon has no socket: an earlier daemon started it, or its socket has closed.
struct AdoptedWorker {
    let job: Job
    let record: String
    /// The worker's pid, and a descriptor that becomes readable when the worker ends. Nil when it has its record's lock but is
    /// not visible from here.
    let process: (pid: Int32, pidfd: PidfdBox)?
    /// The token of `process` in the event loop.
    var token: EventLoop.Token?
    /// The process of the job's command. Nil when the command has ended or is not visible from here.
    var command: PidfdBox?

    /// Sends a signal to the process group of the job's command, and never to a later process group with the same number. Returns false
    /// when the command has ended.
    func signalJob(_ number: Int32) -> Bool {
        guard let command else { return false }
        if linux_pidfd_send_signal(command.raw, number, nil, LINUX_PIDFD_SIGNAL_PROCESS_GROUP) == 0 { return true }
        // Linux before 6.9 refuses the flag with EINVAL. Signal 0 then shows that the worker has not reaped the command: until it does, no
        // other process gets the number.
        guard errno == EINVAL, let pid = job.pid, pid > 1, linux_pidfd_send_signal(command.raw, 0, nil, 0) == 0 else { return false }
        return kill(-pid, number) == 0
    }
}

/// A pidfd that copies of a struct can share. It is closed with the last of them.
final class PidfdBox {
    private let descriptor: FileDescriptor
    var raw: Int32 { descriptor.raw }
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// The workers of earlier daemons that still have a job.
///
/// Invariant: a run counts as under way as long as its worker's record is locked. The process table does not decide this: from
/// another time namespace the worker's start time looks different, and from another PID namespace the worker is invisible.
final class AdoptedWorkers: Part {
    private static let delayMillisecondsMin: Int64 = 20
    private static let delayMillisecondsMax: Int64 = 1000

    private var workers: [Int: AdoptedWorker] = [:]
    private var lastNumber = 0
    /// The next time at which the locks of invisible workers are checked.
    private var lookAt = MonotonicInstant(nanoseconds: 0)
    private var delayMilliseconds = delayMillisecondsMin
    private let spool: String
    private let loop: EventLoop
    private let service: SpoolService
    private let log: Log

    init(spool: String, _ loop: EventLoop, _ service: SpoolService, _ log: Log) {
        self.spool = spool
        self.loop = loop
        self.service = service
        self.log = log
    }

    var isIdle: Bool { workers.isEmpty }

    func has(record: String) -> Bool { workers.values.contains { $0.record == record } }

    func isAlive(record: String) throws(SystemError) -> Bool {
        try service.spool.fs.opening { () throws(SystemError) in try WorkerLock.isHeld(record: record, spool: self.spool) }
    }

    // MARK: Adopting

    /// Watches a worker of an earlier daemon. False when it has ended.
    func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) throws(SystemError) -> Bool {
        let fs = service.spool.fs
        let process = try fs.opening { () throws(SystemError) in
            try AdoptedWorker.find(run, record: "\(self.spool)/\(Layout.workers)/\(record)")
        }
        // The worker may have ended since its lock was checked.
        if process == nil, try !isAlive(record: record) { return false }
        // A worker whose number differs from its record is in another PID namespace. In this one the recorded number of its command
        // belongs to another process.
        job.pid = run.jobPID == 0 || process?.pid != run.workerPID ? nil : run.jobPID
        let command = job.pid == nil ? nil : try fs.opening { () throws(SystemError) in try AdoptedWorker.command(of: run) }
        try watch(AdoptedWorker(job: job, record: record, process: process, command: command))
        let effect = process == nil ? "it cannot be seen or stopped from here: its end is noticed by the lock of its record" : nil
        log.write(
            .notice, "adopted", at: service.now,
            ["id": job.id.text, "try": "\(job.attempt)", "worker": "\(process?.pid ?? run.workerPID)", "effect": effect])
        return true
    }

    /// Watches the lock of a worker's record, because the worker itself cannot be watched any more.
    func watch(_ job: Job, record: String) throws(SystemError) { try watch(AdoptedWorker(job: job, record: record, process: nil)) }

    private func watch(_ worker: AdoptedWorker) throws(SystemError) {
        lastNumber += 1
        let number = lastNumber
        workers[number] = worker
        if let process = worker.process {
            let token = try loop.add(process.pidfd.raw) { [unowned self] () throws(SystemError) in try ended(number) }
            workers[number]?.token = token
        } else {
            delayMilliseconds = Self.delayMillisecondsMin
            lookAt = .now().advanced(byMilliseconds: delayMilliseconds)
        }
    }

    // MARK: Ending

    private func ended(_ number: Int) throws(SystemError) {
        guard let worker = workers.removeValue(forKey: number) else { return }
        if let process = worker.process, let token = worker.token { loop.remove(process.pidfd.raw, token) }
        // The lock is still held, so the process that ended was not the worker.
        if try isAlive(record: worker.record) { return try watch(worker.job, record: worker.record) }
        service.workerIsGone(worker.job, record: worker.record)
    }

    private var hasUnseen: Bool { workers.values.contains { $0.process == nil } }

    var wakeAt: Wake { Wake(monotonic: hasUnseen ? lookAt : nil) }

    /// Checks the locks of invisible workers when the next check is due, and reports those that have ended to the service.
    func beforeTurn() throws(SystemError) {
        guard hasUnseen, .now() >= lookAt else { return }
        delayMilliseconds = min(2 * delayMilliseconds, Self.delayMillisecondsMax)
        lookAt = .now().advanced(byMilliseconds: delayMilliseconds)
        for (number, worker) in workers where worker.process == nil {
            guard try !isAlive(record: worker.record) else { continue }
            workers[number] = nil
            service.workerIsGone(worker.job, record: worker.record)
        }
    }

    // MARK: Stopping

    /// Sends the request to the worker as a signal, because it has no socket: SIGTERM to stop its job, SIGUSR1 to kill it.
    func stop(_ job: Job, _ how: Turn.Stop) {
        guard let worker = workers.values.first(where: { $0.job === job }) else { return }
        guard let process = worker.process else {
            return notSent(job, "its worker cannot be seen from here: it may be in another PID namespace")
        }
        switch how {
        case .politely: _ = linux_pidfd_send_signal(process.pidfd.raw, SIGTERM, nil, 0)
        case .kill: _ = linux_pidfd_send_signal(process.pidfd.raw, SIGUSR1, nil, 0)
        case .signal(let number):
            if !worker.signalJob(number) { notSent(job, "its command has ended, or cannot be seen from here") }
        }
    }

    private func notSent(_ job: Job, _ why: String) {
        log.write(.warning, "stop-not-sent", at: service.now, ["id": job.id.text, "error": why])
    }
}

// MARK: - Finding one

extension AdoptedWorker {
    /// The process of a run's command. Nil when it has ended or is not visible.
    static func command(of run: WorkerRecord.Running) throws(SystemError) -> PidfdBox? {
        guard run.jobPID > 1 else { return nil }
        return try process(run.jobPID) { pid throws(SystemError) in try startTime(pid) == run.jobStartTime }?.pidfd
    }

    /// The process of the worker that has this record and its lock. Nil when it is not visible from here.
    static func find(_ run: WorkerRecord.Running, record path: String) throws(SystemError) -> (pid: Int32, pidfd: PidfdBox)? {
        let recorded = try process(run.workerPID) { pid throws(SystemError) in
            try startTime(pid) == run.workerStartTime || holds(path, pid)
        }
        if let found = recorded {
            return found
        }
        // The worker may have another number in this namespace.
        for one in ProcessTable.all() where !one.isZombie && holds(path, one.pid) {
            if let found = try process(one.pid, { pid throws(SystemError) in holds(path, pid) }) { return found }
        }
        return nil
    }

    private static func startTime(_ pid: Int32) throws(SystemError) -> UInt64? {
        do throws(SystemError) { return try Linux.Process.startTime(pid) } catch {
            if error.errno == ESRCH || error.errno == ENOENT { return nil }
            throw error
        }
    }

    /// Returns the process with this number if it is the wanted one. The pidfd is opened before `isWanted` examines the number: should the
    /// process end meanwhile, the pidfd does not refer to a later process.
    private static func process(
        _ pid: Int32, _ isWanted: (Int32) throws(SystemError) -> Bool
    ) throws(SystemError) -> (pid: Int32, pidfd: PidfdBox)? {
        do throws(SystemError) {
            let pidfd = PidfdBox(try Linux.Process.openPidfd(pid))
            return try isWanted(pid) ? (pid, pidfd) : nil
        } catch {
            if error.errno == ESRCH || error.errno == EINVAL { return nil }
            throw error
        }
    }

    /// True when a process has the file open at descriptor 4, where a worker has its record. A process that has ended, or that this process
    /// may not examine, does not count as the worker.
    private static func holds(_ path: String, _ pid: Int32) -> Bool {
        // The name first: examining the files of another program may hang.
        guard let name = try? FileDescriptor.open("/proc/\(pid)/comm", O_RDONLY).readAll(limit: 64),  // ended: not the worker
            name == Array("spool-worker\n".utf8),
            let file = try? FileStatus.read("/proc/\(pid)/fd/4", followingLinks: true),  // ended, or closed to us: not the worker
            let record = try? FileStatus.read(path)  // removed: nobody holds it
        else { return false }
        return file.inode == record.inode && file.device == record.device
    }
}
