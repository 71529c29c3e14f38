import Glibc
import Scheduler
import Store
import WorkerProtocol

extension Service {
    /// Reads the journal, brings the tree to what it says, and finds the runs that are still under way.
    /// Returns how many things there were to mend.
    @discardableResult
    package func recover(boot: String) throws(SystemError) -> Int {
        var count = 0
        var unknown = 0
        var last: Instant?
        var began: Instant?
        let torn: Int?
        do throws(JournalError) {
            torn = try spool.journal.open { fields in
                count += 1
                last = max(last ?? fields.at, fields.at)
                clockTrial.see(fields.at)
                guard fields.kind != "segment" else {
                    began = fields.at
                    return
                }
                if let record = fields.record(ReadingContext(now: fields.at, zones: zones, zone: world.configuration.zone)) {
                    scheduler.restore(record, at: fields.at)
                } else {
                    unknown += 1
                }
            }
        } catch {
            switch error {
            case .system(let inner): throw inner
            case .damage(let damage):
                throw SystemError(
                    call: "\(damage). Nothing is read past this or changed; spoolctl fsck says more, spoolctl fsck --repair mends it",
                    path: nil, errno: EILSEQ)
            }
        }
        guard let torn else {
            try persistently { () throws(SystemError) in
                try self.spool.journal.rotate(snapshot: [], spool: self.spoolID, at: self.now)
            }
            return 0
        }
        // On the disk before anything is done because of it.
        try persistently { () throws(SystemError) in try self.spool.journal.settle() }
        if torn > 0 {
            log.write(
                .warning, "journal-tail-cut", at: now,
                ["segment": spool.journal.segment, "bytes": "\(torn)", "why": "the last append was never completed"])
        }
        if let last { spool.journal.add(.recovered(last: min(last, now)), at: now) }
        if unknown > 0 { log.write(.warning, "journal-records-unknown", at: now, ["count": "\(unknown)"]) }
        try takeAlongForCopy(since: began ?? now)
        let jobs = scheduler.finishRestoring().places + scheduler.jobs.values.filter { $0.file != nil && $0.state == .new }
        var seen = Set<JobID>()
        // A copy is no more of one moment than what a power cut leaves.
        let hasStayedUp = scheduler.lastBoot == boot && copy == nil
        isSameBoot = hasStayedUp && !wasDiskBroken
        // Not one that was set aside for an edited version of itself.
        let placed = jobs.filter { (scheduler.jobs[$0.id] ?? $0) === $0 && seen.insert($0.id).inserted }
        let recovery = try persistently { () throws(SystemError) in
            try self.spool.recover(
                placed, isSameBoot: self.isSameBoot, hasStayedUp: hasStayedUp, hasSyncFailed: self.wasDiskBroken,
                wasSettled: self.scheduler.wasSettled)
        }
        if wasDiskBroken { try renewPauses() }
        for sentence in recovery.mended { log.write(.notice, "mended", at: now, ["what": sentence]) }
        for (job, error) in recovery.unplaced { tryLater(job, error) }
        for (job, moved) in recovery.putBack { handle(.moved(job.id, moved)) }
        for job in recovery.withdrawn { handle(.withdrawn(job.id)) }
        try claimAgain()
        for job in scheduler.jobs.values {
            if case .file(let name) = job.place, job.state == .new { waitingFiles[name] = job.id }
        }
        unaccounted = scheduler.jobs.values.filter { $0.state == .running }
        if copy != nil { leaveBehind() }
        try settleUnaccounted()
        log.write(.notice, "recovered-journal", at: now, ["records": "\(count)", "jobs": "\(scheduler.jobs.count)"])
        return recovery.mended.count
    }

    /// What a failed sync may have left of them is in memory alone.
    private func renewPauses() throws(SystemError) {
        try persistently { () throws(SystemError) in
            for entry in try self.spool.fs.list(Layout.control) where PauseScope(text: entry.name) != nil {
                try self.spool.renew("\(Layout.control)/\(entry.name)")
            }
            try self.spool.fs.sync(Layout.control)
        }
    }

    /// The key of a job that waits or runs may have been given to another just before the end, of which nothing is on record.
    func claimAgain() throws(SystemError) {
        for job in scheduler.jobs.values {
            guard let unique = job.definition.unique, scheduler.holder(ofUnique: unique.key) == job.id else { continue }
            do throws(SystemError) {
                guard try spool.claim(ofUnique: unique.key)?.id != job.id else { continue }
                try persistently { () throws(SystemError) in try self.spool.claim(unique, for: job.id) }
            } catch {
                // What stands in the place of that file keeps no daemon from starting.
                guard error.isOfOnePath else { throw error }
                log.write(.error, "unreadable", at: now, ["file": Layout.holder(ofUnique: unique.key), "error": "\(error)"])
            }
        }
    }

    /// Finds the worker, or the recorded end, of each running job of an earlier daemon. While a worker of that daemon lives
    /// whose record names none of them, nothing is concluded of the others: it may be about to begin one, or to end.
    func settleUnaccounted() throws(SystemError) {
        guard !unaccounted.isEmpty else { return }
        var waiting: [JobID: Job] = [:]
        for job in unaccounted { waiting[job.id] = job }
        var undecided = false
        for entry in try spool.fs.list(Layout.workers) where !world.isOwn(record: entry.name) {
            let isAlive = try world.isAlive(record: entry.name)
            let found: WorkerRecord?
            do throws(SystemError) { found = try recorded(entry.name) } catch {
                undecided = true
                continue
            }
            switch found {
            case .ended(let end):
                if let id = JobID(end.jobID), let job = waiting[id], job.attempt == end.attempt {
                    waiting[id] = nil
                    self.end(job, attempt: end.attempt, Self.resultUnserved(end, of: job))
                    continue
                }
                if isAlive { undecided = true }
            case .running(let run):
                guard let id = JobID(run.jobID), let job = waiting[id], job.attempt == run.attempt else {
                    if isAlive { undecided = true }
                    continue
                }
                waiting[id] = nil
                // A disk that broke and was mounted anew, since this boot, knows no locks.
                if isAlive || wasDiskBroken, try world.adopt(job, run, record: entry.name) { continue }
                // Its last word may have come between the two looks.
                if !conclude(job, entry.name, isOfThisBoot: isSameBoot) { waiting[id] = job }
            case nil:
                if isAlive { undecided = true }
            }
        }
        // Once no worker is left that might still be about to take one of them from its socket.
        if !undecided {
            for job in waiting.values {
                end(job, attempt: job.attempt, RunResult(outcome: try outcome(ofUnrecorded: job), startedAt: job.startedAt, endedAt: now))
            }
            waiting = [:]
        }
        unaccounted = Array(waiting.values)
    }

    /// How a run ended while no daemon served. When the machine stops, it sends signals to all processes: a run that such a signal ended,
    /// and that nobody here told to end, is as lost as one whose machine lost its power.
    private static func resultUnserved(_ end: RunEnd, of job: Job) -> RunResult {
        var result = RunResult(end)
        if job.stopping == nil, case .signaled(let number, _) = result.outcome, [SIGHUP, SIGINT, SIGTERM, SIGKILL].contains(number) {
            result.outcome = .lost("ended by \(Signal.name(number)) while no spoold served the spool, as when the machine stops")
        }
        return result
    }

    /// A worker writes its record before it starts a command. So a run that no record names never began; unless the machine stopped or the
    /// disk broke, for the record need not have reached the disk. Somebody may have taken the record away, but a worker opens the output of a
    /// run behind it: where that stands, the run may have begun, and nobody can tell whether it goes on.
    private func outcome(ofUnrecorded job: Job) throws(SystemError) -> RunResult.Outcome {
        if scheduler.repairedSince != nil { return .lost("the journal was damaged, and nothing says how it ended") }
        if wasDiskBroken { return .lost("the disk broke while it ran") }
        guard isSameBoot else { return .lost("the machine stopped while it ran") }
        let hasOutput = try spool.fs.status("\(Layout.directory(of: job.id, .running))/\(Layout.outputFile)") != nil
        return hasOutput ? .lost("it had begun, and no worker's record says what became of it") : .neverBegan
    }

    /// Finds out how the runs of workers that have ended came out. A run whose worker's record cannot be read now is looked for again.
    func concludeGone() {
        let gone = goneWorkers
        goneWorkers = []
        for (job, record) in gone where !conclude(job, record, isOfThisBoot: true) { unaccounted.append(job) }
    }

    /// False: the record cannot be read now. `isOfThisBoot`: else the run's processes are gone, and their numbers others'.
    private func conclude(_ job: Job, _ record: String, isOfThisBoot: Bool) -> Bool {
        var result = RunResult(
            outcome: .lost("its worker ended without recording how the run ended"), startedAt: job.startedAt, endedAt: now)
        let found: WorkerRecord?
        do throws(SystemError) { found = try recorded(record) } catch { return false }
        switch found {
        case .ended(let end) where end.jobID == job.id.text && end.attempt == job.attempt: result = RunResult(end)
        case .running(let run) where isOfThisBoot && run.jobID == job.id.text && run.attempt == job.attempt: world.endOrphans(of: run)
        default: break
        }
        end(job, attempt: job.attempt, result)
        return true
    }

    /// What a worker's record says; nil: nothing, or nothing that can be read. Throws while that may pass: a success that is on record must
    /// not become a run that is lost.
    private func recorded(_ record: String) throws(SystemError) -> WorkerRecord? {
        do throws(SystemError) {
            let taken = try spool.fs.take("\(Layout.workers)/\(record)", limit: 1 << 16, ignoringWriters: true)
            unreadableRecords[record] = nil
            guard case .file(_, let bytes) = taken else { return nil }
            return WorkerRecord.parse(bytes)
        } catch {
            let since = min(unreadableRecords[record] ?? now, now)
            let isNew = now.milliseconds - since.milliseconds < Self.unreadableMilliseconds
            guard error.isShortage || error.mayPass && isNew else { return nil }
            unreadableRecords[record] = since
            throw error
        }
    }
}
