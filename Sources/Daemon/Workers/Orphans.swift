import Glibc
import Linux
import WorkerProtocol

/// The processes that a run has left running whose worker was killed. Nobody else waits for them or ends them.
///
/// A process counts as the run's when it is in the session that the run's command began, when it has the environment of this very try, or
/// when such a process has started it. No later process fits any of these.
struct Orphans {
    let run: WorkerRecord.Running
    /// The job's directory, as it is in the run's environment.
    let directory: String
    /// The owner of the processes. Nil means any user. A user who kills a worker may have arranged that a number is now another
    /// user's.
    let owner: uid_t?

    /// Kills the processes, and returns their numbers.
    func kill() -> Set<pid_t> {
        var killed: Set<pid_t> = []
        while true {
            // The next round finds the processes that were started meanwhile.
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

    /// When a session's leader is gone, its processes have become children of the daemon that started the worker.
    private func isOfSession(_ process: ProcessStatus, _ all: [ProcessStatus]) -> Bool {
        guard run.jobPID > 1, process.session == run.jobPID else { return false }
        if let leader = all.first(where: { $0.pid == run.jobPID }) { return leader.startTime == run.jobStartTime }
        return process.parent == getpid()
    }

    private func isOfTry(_ process: ProcessStatus) -> Bool {
        // The process has ended, or its environment may not be read: it does not count as the run's.
        guard let bytes = try? FileDescriptor.open("/proc/\(process.pid)/environ", O_RDONLY).readAll(limit: 1 << 20) else { return false }
        let variables = bytes.split(separator: 0)
        return variables.contains { $0.elementsEqual("SPOOL_JOB_DIR=\(directory)".utf8) }
            && variables.contains { $0.elementsEqual("SPOOL_TRY=\(run.attempt)".utf8) }
    }

    private func isOwners(_ process: ProcessStatus) -> Bool {
        guard let owner else { return true }
        return (try? FileStatus.read("/proc/\(process.pid)"))?.owner == owner  // the process has ended
    }
}
