import Glibc
import Scheduler
import Store
import WorkerProtocol

/// Finds out, at the start, how things stand; and, at any time, how the runs came out whose workers do not report it.
///
/// What must hold:
/// - The journal decides: the tree is brought to what it says, and nothing is done before it is on the disk.
/// - A run ends with what its worker recorded. A run that no record names has not begun; or it is lost, where the record may be lost too.
/// - While a worker of an earlier daemon lives whose record names none of the runs that are looked for, nothing is concluded of these.
/// - In the first start on a copy of a spool that may have been served when it was copied: a run that began in the original never begins
///   in the copy. It is lost, whatever `on_crash` says, since it may go on where it began; its process is left alone. What waits still
///   waits. Only when the journal has all that does the spool call itself another: a start that is cut before does it again.
final class Recovery<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// How long the disk is given to give back a worker's record.
    private static var unreadableMilliseconds: Int64 { 60_000 }

    /// Set before the start when the spool is a copy of one that was made elsewhere.
    var copy: SpoolCopy?
    /// Set before the start when the disk broke while the spool was served, or a sync failed: what was not synced may be gone, as after a
    /// power cut; or it is in memory alone, and stays there.
    var wasDiskBroken = false
    /// The machine has not been down since the journal was last written.
    private var isSameBoot = true
    /// Running jobs whose workers, of this daemon or an earlier one, have not been found or have left no record that can be read yet.
    private var unaccounted: [Job] = []
    /// Workers of this daemon that have ended in the middle of a run, or adopted ones, whose records the next turn reads.
    private var goneWorkers: [(job: Job, record: String)] = []
    /// Records of workers that the disk does not give back, and since when.
    private var unreadableRecords: [String: Instant] = [:]

    init(_ service: Service<FS, W>) { self.service = service }

    private var zones: ZoneDatabase { service.zones }

    /// Workers have ended whose records are to be read.
    var hasWork: Bool { !goneWorkers.isEmpty }

    /// Some runs have not been found, and every worker's record may be of one of them.
    var isSearching: Bool { !unaccounted.isEmpty }

    var wakeAt: Instant? { unaccounted.isEmpty ? nil : now.advanced(byMilliseconds: 20) }

    func workerIsGone(_ job: Job, record: String) { goneWorkers.append((job, record)) }

    // MARK: The start

    /// Reads the journal, brings the tree to what it says, and finds the runs that are still under way.
    /// Returns how many things there were to mend.
    func recover(boot: String) throws(SystemError) -> Int {
        var count = 0
        var unknown = 0
        var last: Instant?
        var began: Instant?
        let torn: Int?
        do throws(JournalError) {
            torn = try spool.journal.open { fields in
                count += 1
                last = max(last ?? fields.at, fields.at)
                service.retention.see(fields.at)
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
                try self.spool.journal.rotate(snapshot: [], spool: self.service.spoolID, at: self.now)
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
        for (job, error) in recovery.unplaced { service.placement.tryLater(job, error) }
        for (job, moved) in recovery.putBack { handle(.moved(job.id, moved)) }
        for job in recovery.withdrawn { handle(.withdrawn(job.id)) }
        try claimAgain()
        service.intake.recovered()
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
                logUnreadable(Layout.holder(ofUnique: unique.key), error)
            }
        }
    }

    // MARK: Runs without a report

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
                if !conclude(job, entry.name, isOfThisBoot: isOfThisBoot(job)) { waiting[id] = job }
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

    /// An earlier daemon of this boot may have found a run that was begun before the machine came up, and not have learnt what became of it.
    private func isOfThisBoot(_ job: Job) -> Bool { isSameBoot && job.recorded.boot == scheduler.lastBoot }

    /// A worker writes its record before it starts a command. So a run that no record names never began; unless the machine stopped or the
    /// disk broke, for the record need not have reached the disk. Somebody may have taken the record away, but a worker opens the output of
    /// a run behind it: where that stands, the run may have begun, and nobody can tell whether it goes on.
    private func outcome(ofUnrecorded job: Job) throws(SystemError) -> RunResult.Outcome {
        if scheduler.repairedSince != nil { return .lost("the journal was damaged, and nothing says how it ended") }
        if wasDiskBroken { return .lost("the disk broke while it ran") }
        guard isOfThisBoot(job) else { return .lost("the machine stopped while it ran") }
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

    // MARK: The end of a run

    private func end(_ job: Job, attempt: Int, _ result: RunResult) { handle(.ended(job.id, attempt: attempt, result)) }

    /// How a try ended, with what its worker does not know.
    func completed(_ result: RunResult, of job: Job) -> RunResult {
        var result = result
        result.cause = world.leaveGroup(of: job)
        if job.definition.followUps.contains(where: { $0.when == .output }) { result.hasOutput = hasOutput(job) }
        return result
    }

    private func hasOutput(_ job: Job) -> Bool {
        [Layout.outputFile, Layout.errorFile].contains { name in
            // Not there or not to be looked at: there is nothing that could be mailed.
            ((try? spool.fs.status("\(Layout.directory(of: job.id, .running))/\(name)"))?.size ?? 0) > 0
        }
    }

    // MARK: A copy of a spool

    /// What stands further in the directories than in the journal was copied later, and is true of the original.
    ///
    /// - Parameter since: when the journal's newest segment was begun: what had ended before is not in it.
    private func takeAlongForCopy(since: Instant) throws(SystemError) {
        guard let copy else { return }
        log.write(
            .warning, "copy", at: now,
            ["of": copy.original, "id": service.spoolID, "effect": "what ran there is lost here, what waited there waits here too"])
        var truth = SpoolTruth(spool.fs, scheduler, service.context)
        for entry in try truth.records(.all(since: since)) {
            scheduler.restore(entry.record, at: entry.at)
            spool.journal.add(entry.record, at: entry.at)
        }
        for sentence in try spool.setAsideTaken(scheduler.jobs.values) { log.write(.notice, "mended", at: now, ["what": sentence]) }
    }

    /// The runs of the original are none of ours. Nor are their workers, whose records would have us end what they left.
    private func leaveBehind() {
        for job in unaccounted {
            end(job, attempt: job.attempt, RunResult(outcome: .leftBehind, startedAt: job.startedAt, endedAt: now))
        }
        unaccounted = []
    }

    /// Puts what was concluded into a journal of the copy's own.
    func settleCopy() throws(SystemError) {
        guard let copy else { return }
        try service.journalDecisions()
        for entry in try spool.fs.list(Layout.workers) { try spool.fs.removeTreeIfThere("\(Layout.workers)/\(entry.name)") }
        try service.retention.rotateJournal()
        try copy.settled()
        self.copy = nil
    }
}
