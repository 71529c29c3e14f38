import Glibc
import Linux
import WorkerProtocol

/// The worker's record file: one record, overwritten in place.
struct RecordFile: ~Copyable {
    private let file: FileDescriptor
    private let workerPID: pid_t
    private let workerStartTime: UInt64

    init(_ file: consuming FileDescriptor) throws(SystemError) {
        let pid = getpid()
        let startTime = try Process.startTime(pid)
        self.file = file
        workerPID = pid
        workerStartTime = startTime
    }

    /// `pid` 0: the command is about to be started. That is on record first, so that a job which no record names never began; what
    /// cannot be recorded must not begin.
    borrowing func write(running request: RunRequest, pid: pid_t, startedAt: Int64) throws(SystemError) {
        let record = WorkerRecord.running(
            WorkerRecord.Running(
                jobID: request.jobID, attempt: request.attempt, workerPID: workerPID, workerStartTime: workerStartTime, jobPID: pid,
                // Without /proc the process cannot be told from a later one of its number, and is left alone for that.
                jobStartTime: pid == 0 ? nil : try? Process.startTime(pid), startedAt: startedAt))
        try file.write(record.bytes(), at: 0)
    }

    borrowing func write(ended end: RunEnd) throws(SystemError) { try file.write(WorkerRecord.ended(end).bytes(), at: 0) }

    /// Puts the record on the disk, fdatasync(2). Failing here leaves it to the system, which is all that is left to do.
    borrowing func sync() { try? file.syncData() }
}
