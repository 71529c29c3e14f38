import CLinux
import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

// Workers of an earlier daemon that still have a job.

extension Daemon {
    package func isOwn(record: String) -> Bool {
        workers.values.contains { String($0.number) == record } || adopted.has(record: record)
    }

    package func isAlive(record: String) throws(SystemError) -> Bool {
        try spool.fs.opening { () throws(SystemError) in try WorkerLock.isHeld(record: record, spool: self.options.spool) }
    }

    /// Watches a worker of an earlier daemon. False when it has ended.
    package func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) throws(SystemError) -> Bool {
        let process = try spool.fs.opening { () throws(SystemError) in
            try AdoptedWorker.find(run, record: "\(self.options.spool)/\(Layout.workers)/\(record)")
        }
        // It may have ended since its lock was looked at.
        if process == nil, try !isAlive(record: record) { return false }
        // Another number than on record is one of another namespace, where the job's process has another one, too.
        job.pid = run.jobPID == 0 || process?.pid != run.workerPID ? nil : run.jobPID
        let command = job.pid == nil ? nil : try spool.fs.opening { () throws(SystemError) in try AdoptedWorker.command(of: run) }
        try watch(AdoptedWorker(job: job, record: record, process: process, command: command))
        let effect = process == nil ? "it cannot be seen from here or told to stop: its record's lock tells when it ends" : nil
        log.write(
            .notice, "adopted", at: now,
            ["id": job.id.text, "try": "\(job.attempt)", "worker": "\(process?.pid ?? run.workerPID)", "effect": effect])
        restoreLimits(of: job)
        // A stop that was asked for before the restart may not have reached it.
        if let why = job.stopping { stop(job, why == .killed ? .kill : .politely) }
        return true
    }

    func watch(_ worker: AdoptedWorker) throws(SystemError) {
        let number = adopted.add(worker)
        if let process = worker.process {
            let token = try loop.add(process.pidfd.raw) { [unowned self] () throws(SystemError) in try adoptedEnded(number) }
            adopted.setToken(token, of: number)
        }
    }

    func adoptedEnded(_ number: Int) throws(SystemError) {
        guard let worker = adopted.remove(number) else { return }
        if let process = worker.process, let token = worker.token { loop.remove(process.pidfd.raw, token) }
        // Not the worker, then, but what has its lock after it.
        if try isAlive(record: worker.record) { return try watch(AdoptedWorker(job: worker.job, record: worker.record, process: nil)) }
        service.workerIsGone(worker.job, record: worker.record)
    }

    /// Of workers that cannot be seen, the locks tell.
    func lookAtUnseenWorkers() throws(SystemError) {
        for worker in try adopted.takeEnded(isAlive: isAlive) { service.workerIsGone(worker.job, record: worker.record) }
    }

    /// Tells a worker without a socket by signals: SIGTERM to stop its job, SIGUSR1 to kill it.
    func stop(_ worker: AdoptedWorker, _ how: Turn.Stop) {
        guard let process = worker.process else {
            return log.write(
                .warning, "stop-not-sent", at: now, ["id": worker.job.id.text, "error": "its worker cannot be seen from here: it may be in another PID namespace"])
        }
        switch how {
        case .politely: _ = linux_pidfd_send_signal(process.pidfd.raw, SIGTERM, nil, 0)
        case .kill: _ = linux_pidfd_send_signal(process.pidfd.raw, SIGUSR1, nil, 0)
        case .signal(let number):
            if worker.signalJob(number) { return }
            log.write(
                .warning, "stop-not-sent", at: now,
                ["id": worker.job.id.text, "error": "its command has ended, or cannot be seen from here"])
        }
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
