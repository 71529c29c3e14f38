import Glibc
import Linux
import WorkerProtocol

/// The processes that a run has left behind after its worker was killed. Nobody else waits for them or ends them.
///
/// A process belongs to the run when it is in the session that the run's command began, when its environment names this job and this try,
/// or when such a process has started it. No process of a later run fits any of these.
struct Orphans {
    let run: WorkerRecord.Running
    /// The value of `SPOOL_JOB_DIR` in the run's environment.
    let directory: String
    /// Only processes of this owner are killed. Nil means any owner. Users can kill their own worker, and can arrange for a process number
    /// of the run to belong to another user's process.
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

    /// True for a process in the session of the run's command. When the leader of the session is gone, its number may be used again, so the
    /// process must also be a child of this daemon, which inherits the processes of its dead workers.
    private func isOfSession(_ process: ProcessStatus, _ all: [ProcessStatus]) -> Bool {
        guard run.jobPID > 1, process.session == run.jobPID else { return false }
        if let leader = all.first(where: { $0.pid == run.jobPID }) { return leader.startTime == run.jobStartTime }
        return process.parent == getpid()
    }

    private func isOfTry(_ process: ProcessStatus) -> Bool {
        guard let bytes = try? FileDescriptor.open("/proc/\(process.pid)/environ", O_RDONLY).readAll(limit: 1 << 20)  // ended, or closed
        else { return false }
        let variables = bytes.split(separator: 0)
        return variables.contains { $0.elementsEqual("SPOOL_JOB_DIR=\(directory)".utf8) }
            && variables.contains { $0.elementsEqual("SPOOL_TRY=\(run.attempt)".utf8) }
    }

    private func isOwners(_ process: ProcessStatus) -> Bool {
        guard let owner else { return true }
        return (try? FileStatus.read("/proc/\(process.pid)"))?.owner == owner  // ended: not to be killed
    }
}
