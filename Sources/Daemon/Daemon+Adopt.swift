import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

// Workers of an earlier daemon that still have a job.

/// A worker that an earlier daemon started and that still has a job.
struct AdoptedWorker {
    let job: Job
    let pid: Int32
    let record: String
    /// Owned: closed when the worker has ended.
    let pidfd: Int32
}

extension Daemon {
    package func isOwn(record: String) -> Bool {
        workers.values.contains { String($0.number) == record } || adopted.values.contains { $0.record == record }
    }

    package func isAlive(record: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try !spool.fs.opening { () throws(SystemError) in
                try FileDescriptor.open("\(options.spool)/\(Layout.workers)/\(record)", O_RDONLY | O_NOFOLLOW)
            }.tryLock()
        } catch {
            if error.errno == ENOENT { return false }
            throw error
        }
    }

    /// Watches a worker of an earlier daemon. False when it has just ended.
    package func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) throws(SystemError) -> Bool {
        let pidfd: Int32
        do throws(SystemError) {
            pidfd = try spool.fs.opening { () throws(SystemError) in try Linux.Process.openPidfd(run.workerPID) }.release()
            // The number may belong to another by now: number and start time are one process.
            guard try Linux.Process.startTime(run.workerPID) == run.workerStartTime else {
                close(pidfd)
                return false
            }
        } catch {
            if error.errno == ESRCH || error.errno == ENOENT { return false }
            throw error
        }
        job.pid = run.jobPID == 0 ? nil : run.jobPID
        adopted[Int(run.workerPID)] = AdoptedWorker(job: job, pid: run.workerPID, record: record, pidfd: pidfd)
        try poll.add(pidfd, token: Token.adopted + UInt64(run.workerPID))
        log.write(.notice, "adopted", at: now, ["id": job.id.text, "try": "\(job.attempt)", "worker": "\(run.workerPID)"])
        // A stop that was asked for before the restart may not have reached it.
        if let why = job.stopping { stop(job, why == .killed ? .kill : .politely) }
        return true
    }

    func adoptedEnded(_ pid: Int) throws(SystemError) {
        guard let worker = adopted.removeValue(forKey: pid) else { return }
        try poll.remove(worker.pidfd)
        close(worker.pidfd)
        service.conclude(worker.job, record: worker.record)
    }

    /// What a lost run of this boot left running is ended.
    package func endOrphans(of run: WorkerRecord.Running) {
        guard let id = JobID(run.jobID) else { return }
        let job = scheduler.jobs[id]
        let orphans = Orphans(
            run: run, directory: "\(options.spool)/\(Layout.directory(of: id, .running))",
            owner: job.flatMap { owner($0.definition) }?.user)
        let killed = orphans.kill()
        guard !killed.isEmpty else { return }
        log.write(
            .warning, "killed-orphans", at: now, ["id": run.jobID, "processes": killed.sorted().map(String.init).joined(separator: ",")])
    }
}
