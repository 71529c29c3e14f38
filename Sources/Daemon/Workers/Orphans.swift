import Glibc
import Linux
import WorkerProtocol

/// What a run has left running whose worker was killed: nobody else waits for it or ends it.
///
/// A process is taken for the run's by what no later process has: it is in the session that the run's command began, it was started
/// with the environment of this very try, or it was started by such a process.
struct Orphans {
    let run: WorkerRecord.Running
    /// The job's directory as the run was told of it.
    let directory: String
    /// Whose processes they are; nil: anybody's. A user who kills his worker may have seen to it that a number is somebody else's now.
    let owner: uid_t?

    /// Kills them, and returns which.
    func kill() -> Set<pid_t> {
        var killed: Set<pid_t> = []
        while true {
            // What was started while the others were sought is found in the next round.
            let new = find().filter { killed.insert($0.pid).inserted }
            if new.isEmpty { return killed }
            for process in new { process.signal(SIGKILL) }
        }
    }

    private func find() -> [ProcessStatus] {
        let all = ProcessTable.all().filter { !$0.isZombie }
        var found = all.filter { isOfSession($0, all) || isOfTry($0) }
        var known = Set(found.map(\.pid))
        var next = found.startIndex
        while next < found.endIndex {
            for process in all where process.parent == found[next].pid && known.insert(process.pid).inserted { found.append(process) }
            next += 1
        }
        return found.filter { $0.pid != getpid() && isOwners($0) }
    }

    /// Without its leader a session is known to be the run's by its orphans, which come to the daemon that started the worker.
    private func isOfSession(_ process: ProcessStatus, _ all: [ProcessStatus]) -> Bool {
        guard run.jobPID > 1, process.session == run.jobPID else { return false }
        if let leader = all.first(where: { $0.pid == run.jobPID }) { return leader.startTime == run.jobStartTime }
        return process.parent == getpid()
    }

    private func isOfTry(_ process: ProcessStatus) -> Bool {
        // It has ended, or may not be looked at: then nothing is known of it.
        guard let bytes = try? FileDescriptor.open("/proc/\(process.pid)/environ", O_RDONLY).readAll(limit: 1 << 20) else { return false }
        let variables = bytes.split(separator: 0)
        return variables.contains { $0.elementsEqual("SPOOL_JOB_DIR=\(directory)".utf8) }
            && variables.contains { $0.elementsEqual("SPOOL_TRY=\(run.attempt)".utf8) }
    }

    private func isOwners(_ process: ProcessStatus) -> Bool {
        guard let owner else { return true }
        return (try? FileStatus.read("/proc/\(process.pid)"))?.owner == owner  // gone, as above
    }
}
