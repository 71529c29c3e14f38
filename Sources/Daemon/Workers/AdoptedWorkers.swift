import CLinux
import Glibc
import Linux
import Scheduler
import WorkerProtocol

/// A worker that this daemon did not start, or does not hear any more, and that has a job.
struct AdoptedWorker {
    let job: Job
    let record: String
    /// Its number, and a descriptor that is readable when it has ended. Nil: it holds its record's lock, and cannot be seen from here.
    let process: (pid: Int32, pidfd: PidfdBox)?
    /// Of its process, in the loop.
    var token: EventLoop.Token?
    /// The process of its job's command; nil: it has ended, or cannot be seen from here.
    var command: PidfdBox?

    /// Sends a signal to the process group of the job's command, and to no later one of its number. False when there is none.
    func signalJob(_ number: Int32) -> Bool {
        guard let command else { return false }
        if linux_pidfd_send_signal(command.raw, number, nil, LINUX_PIDFD_SIGNAL_PROCESS_GROUP) == 0 { return true }
        // Before Linux 6.9: the number is the command's for as long as its worker has not reaped it.
        guard errno == EINVAL, let pid = job.pid, pid > 1, linux_pidfd_send_signal(command.raw, 0, nil, 0) == 0 else { return false }
        return kill(-pid, number) == 0
    }
}

/// Closes the descriptor when the worker is not watched any more.
final class PidfdBox {
    private let descriptor: FileDescriptor
    var raw: Int32 { descriptor.raw }
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// The workers of earlier daemons that still have a job.
///
/// What holds: a run is under way for as long as its worker's record is locked, whatever the process table shows of that worker. From
/// another time namespace it seems to have started at another time, and from another PID namespace not to be there.
struct AdoptedWorkers {
    private var workers: [Int: AdoptedWorker] = [:]
    private var lastNumber = 0
    /// When the locks of those that cannot be seen are looked at, in milliseconds of the monotonic clock; and how long after the last look.
    private var lookAt: Int64 = 0
    private var delayMilliseconds = delayMillisecondsMin

    private static let delayMillisecondsMin: Int64 = 20
    private static let delayMillisecondsMax: Int64 = 1000

    var isEmpty: Bool { workers.isEmpty }

    func has(record: String) -> Bool { workers.values.contains { $0.record == record } }

    func worker(of job: Job) -> AdoptedWorker? { workers.values.first { $0.job === job } }

    /// Returns the number by which its end is told of.
    mutating func add(_ worker: AdoptedWorker) -> Int {
        lastNumber += 1
        workers[lastNumber] = worker
        if worker.process == nil {
            delayMilliseconds = Self.delayMillisecondsMin
            lookAt = Clock.monotonicMilliseconds() + delayMilliseconds
        }
        return lastNumber
    }

    mutating func setToken(_ token: EventLoop.Token, of number: Int) { workers[number]?.token = token }

    mutating func remove(_ number: Int) -> AdoptedWorker? { workers.removeValue(forKey: number) }

    // MARK: Those that cannot be seen

    private var hasUnseen: Bool { workers.values.contains { $0.process == nil } }

    var millisecondsUntilLook: Int64? { hasUnseen ? max(0, lookAt - Clock.monotonicMilliseconds()) : nil }

    /// Takes out those that cannot be seen and have ended, when it is time to look.
    mutating func takeEnded(isAlive: (String) throws(SystemError) -> Bool) throws(SystemError) -> [AdoptedWorker] {
        guard hasUnseen, Clock.monotonicMilliseconds() >= lookAt else { return [] }
        delayMilliseconds = min(2 * delayMilliseconds, Self.delayMillisecondsMax)
        lookAt = Clock.monotonicMilliseconds() + delayMilliseconds
        var ended: [AdoptedWorker] = []
        for (number, worker) in workers where worker.process == nil {
            if try !isAlive(worker.record) {
                workers[number] = nil
                ended.append(worker)
            }
        }
        return ended
    }
}

// MARK: - Finding one

extension AdoptedWorker {
    /// The process of a run's command; nil: it has ended, or cannot be looked at.
    static func command(of run: WorkerRecord.Running) throws(SystemError) -> PidfdBox? {
        guard run.jobPID > 1 else { return nil }
        return try process(run.jobPID) { pid throws(SystemError) in try startTime(pid) == run.jobStartTime }?.pidfd
    }

    /// The process of the worker whose record this is, and which holds its lock; nil: it cannot be seen from here.
    static func find(_ run: WorkerRecord.Running, record path: String) throws(SystemError) -> (pid: Int32, pidfd: PidfdBox)? {
        if let found = try process(run.workerPID, { pid throws(SystemError) in try startTime(pid) == run.workerStartTime || holds(path, pid) }) {
            return found
        }
        // It may have another number here.
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

    /// A process that is the same before and after it is looked at.
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

    /// True when a process has the file open as a worker has its record, at descriptor 4.
    private static func holds(_ path: String, _ pid: Int32) -> Bool {
        // Gone, or not to be looked at: it cannot be told to be the worker. What others have open may hang whoever looks at it.
        guard let name = try? FileDescriptor.open("/proc/\(pid)/comm", O_RDONLY).readAll(limit: 64), name == Array("spool-worker\n".utf8),
            let file = try? FileStatus.read("/proc/\(pid)/fd/4", followingLinks: true), let record = try? FileStatus.read(path)
        else { return false }
        return file.inode == record.inode && file.device == record.device
    }
}
