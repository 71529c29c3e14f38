import Glibc
import Linux
import WorkerProtocol

/// The worker's record file: locked from opening to the worker's end, one record, overwritten in place.
struct RecordFile: ~Copyable {
    private let file: FileDescriptor
    private let workerPID: pid_t
    private let workerStartTime: UInt64

    /// Creates or opens the file and locks it; EWOULDBLOCK when another worker has it.
    init(path: String) throws(SystemError) {
        let pid = getpid()
        let startTime = try Process.startTime(pid)
        let file = try RecordFile.openLocked(path)
        self.file = file
        workerPID = pid
        workerStartTime = startTime
    }

    private static func openLocked(_ path: String) throws(SystemError) -> FileDescriptor {
        let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        guard try file.tryLock() else { throw SystemError(call: "flock", path: path, errno: EWOULDBLOCK) }
        return file
    }

    borrowing func write(running run: borrowing Run) {
        write(
            .running(
                WorkerRecord.Running(
                    jobID: run.request.jobID, attempt: run.request.attempt, workerPID: workerPID,
                    workerStartTime: workerStartTime, jobPID: run.pid, startedAt: run.startedAt)))
    }

    borrowing func write(ended end: RunEnd) { write(.ended(end)) }

    // A full disk cannot be told to anybody here, and must not cost the run: the daemon still gets the report, and after its
    // death a record that could not be written reads as an older one, whose attempt is not the one sought.
    private borrowing func write(_ record: WorkerRecord) { try? file.write(record.bytes(), at: 0) }

    /// Puts the record on the disk, fdatasync(2). Failing here leaves it to the system, which is all that is left to do.
    borrowing func sync() { try? file.syncData() }
}
