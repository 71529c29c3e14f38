import Glibc
import Linux
import WorkerProtocol

/// The worker's record file: one record, overwritten in place.
struct RecordFile: ~Copyable {
    private let file: FileDescriptor
    private let workerPID: pid_t
    private let workerStartTime: UInt64
    private var startTimes = StartTimes()

    init(_ file: consuming FileDescriptor) throws(SystemError) {
        let pid = getpid()
        let startTime = try Process.startTime(pid)
        self.file = file
        workerPID = pid
        workerStartTime = startTime
    }

    /// Written first, so that a job without a record has never begun. A command that cannot be recorded must not begin.
    borrowing func write(aboutToRun request: RunRequest, startedAt: Int64) throws(SystemError) {
        try write(request, pid: 0, startTime: nil, startedAt)
    }

    mutating func write(running request: RunRequest, _ process: Process.Started, startedAt: Int64) throws(SystemError) {
        let startTime = try? startTimes.startTime(of: process)  // unknown without /proc: the process is then never signalled
        try write(request, pid: process.pid, startTime: startTime, startedAt)
    }

    private borrowing func write(_ request: RunRequest, pid: pid_t, startTime: UInt64?, _ startedAt: Int64) throws(SystemError) {
        let record = WorkerRecord.running(
            WorkerRecord.Running(
                jobID: request.jobID, attempt: request.attempt, workerPID: workerPID, workerStartTime: workerStartTime, jobPID: pid,
                jobStartTime: startTime, startedAt: startedAt))
        try file.write(record.bytes(), at: 0)
    }

    borrowing func write(ended end: RunEnd) throws(SystemError) { try file.write(WorkerRecord.ended(end).bytes(), at: 0) }

    /// Puts the record on the disk with fdatasync(2).
    borrowing func sync() { try? file.syncData() }  // the worker ends now: it cannot do more, and the run may become `lost`
}
