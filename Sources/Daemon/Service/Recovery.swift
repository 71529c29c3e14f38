import Glibc
import Scheduler
import Store
import WorkerProtocol

/// Determines the state of the spool at the start and, at any time, the end of runs whose workers do not report it.
///
/// Invariants:
/// - The journal decides: the tree is changed to agree with it, and nothing is done before it is on the disk.
/// - A run has the end that its worker recorded. A run without a record has not begun, or it is lost if the record may be lost
///   too.
/// - While a worker of an earlier daemon lives whose record names none of the missing runs, nothing is concluded about these
///   runs.
/// - At the first start of a copy of a spool that may have been served when it was copied, a run that began in the original never
///   begins in the copy. It is lost, whatever `on_crash` says, because it may continue in the original; its process is not
///   touched. Waiting jobs still wait. The spool only gets a new identity when the journal contains all of this: an interrupted
///   start does it again.
final class Recovery<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// The time after which a worker's unreadable record counts as lost.
    private static var unreadableMilliseconds: Int64 { 60_000 }

    /// Set before the start when the spool is a copy of a spool that was created elsewhere.
    var copy: SpoolCopy?
    /// Set before the start when the disk failed while the spool was served, or a sync failed: unsynced data may be gone, as
    /// after a power cut, or may exist only in memory.
    var wasDiskBroken = false
    /// The machine has not been down since the journal was last written.
    private var isSameBoot = true
    /// Running jobs whose workers, of this daemon or an earlier one, have not been found or have left no readable record yet.
    private var unaccounted: [Job] = []
    /// Ended workers of this daemon, or adopted ones, with a run in progress. The next turn reads their records.
    private var goneWorkers: [(job: Job, record: String)] = []
    /// Workers' records that the disk cannot read, and the time of the first failure.
    private var unreadableRecords: [String: MonotonicInstant] = [:]

    init(_ service: Service<FS, W>) { self.service = service }

    private var zones: ZoneDatabase { service.zones }

    /// True when records of ended workers must be read.
    var hasWork: Bool { !goneWorkers.isEmpty }

    /// True when some runs have not been found, so that any worker's record may belong to one of them.
    var isSearching: Bool { !unaccounted.isEmpty }

    var wakeAt: MonotonicInstant? { unaccounted.isEmpty ? nil : monotonicNow.advanced(byMilliseconds: 20) }

    func workerIsGone(_ job: Job, record: String) { goneWorkers.append((job, record)) }

    // MARK: The start

    /// Reads the journal, changes the tree to agree with it, and finds the runs that are still in progress. Returns the number of
    /// repairs.
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
        // The journal must be on the disk before it has any effect.
        try persistently { () throws(SystemError) in try self.spool.journal.settle() }
        if torn > 0 {
            log.write(
                .warning, "journal-tail-cut", at: now,
                ["segment": spool.journal.segment, "bytes": "\(torn)", "why": "the last append was never completed"])
        }
        if let last { spool.journal.add(.recovered(last: min(last, now)), at: now) }
        if unknown > 0 { log.write(.warning, "journal-records-unknown", at: now, ["count": "\(unknown)"]) }
        try takeAlongForCopy(since: began ?? now)
        // The files of a copy are from different moments, as after a power cut.
        let hasStayedUp = scheduler.lastBoot == boot && copy == nil
        isSameBoot = hasStayedUp && !wasDiskBroken
        if !hasStayedUp { try takeUpRestored() }
        let jobs = scheduler.finishRestoring().places + scheduler.jobs.values.filter { $0.file != nil && $0.state == .new }
        var seen = Set<JobID>()
        // Except a file that was set aside for an edited version of itself.
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

    /// A power cut restores the directory of a run that somebody had moved out of the spool, so that the journal has forgotten
    /// the job. The run is lost, as every run that the machine's stop ended. A directory that does not describe its job is set
    /// aside: the number of its try is unknown, and a try must not begin twice.
    private func takeUpRestored() throws(SystemError) {
        var truth = SpoolTruth(spool.fs, scheduler, service.context)
        for entry in try truth.records(.unknown) {
            scheduler.restore(entry.record, at: entry.at)
            spool.journal.add(entry.record, at: entry.at)
        }
        for (path, what) in truth.found { log.write(.notice, "mended", at: now, ["what": "took up \(path), which \(what)"]) }
        for path in truth.unusable {
            let kept = try persistently { () throws(SystemError) in try self.spool.fs.setAside(path) }
            log.write(.notice, "mended", at: now, ["what": "set \(path) aside as \(kept): the journal does not know its job"])
        }
    }

    /// A failed sync may have left them only in memory.
    private func renewPauses() throws(SystemError) {
        try persistently { () throws(SystemError) in
            for entry in try self.spool.fs.list(Layout.control) where PauseScope(text: entry.name) != nil {
                try self.spool.renew("\(Layout.control)/\(entry.name)")
            }
            try self.spool.fs.sync(Layout.control)
        }
    }

    /// Just before the end, the key of a waiting or running job may have been given to another job that has no record.
    func claimAgain() throws(SystemError) {
        for job in scheduler.jobs.values {
            guard let unique = job.definition.unique, scheduler.holder(ofUnique: unique.key) == job.id else { continue }
            do throws(SystemError) {
                guard try spool.claim(ofUnique: unique.key)?.id != job.id else { continue }
                try persistently { () throws(SystemError) in try self.spool.claim(unique, for: job.id) }
            } catch {
                // An obstacle at the place of that file must not prevent the start.
                guard error.isOfOnePath else { throw error }
                logUnreadable(Layout.holder(ofUnique: unique.key), error)
            }
        }
    }

    // MARK: Runs without a report

    /// Finds the worker, or the recorded end, of each running job of an earlier daemon. While a worker of that daemon lives whose
    /// record names none of them, nothing is concluded about the others: the worker may be about to begin a run, or to end.
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
                // After a disk failure and a new mount in the same boot, the file system has no locks of the old mount.
                if isAlive || wasDiskBroken, try world.adopt(job, run, record: entry.name) { continue }
                // Its last record may have been written between the two checks.
                if !conclude(job, entry.name, isOfThisBoot: isOfThisBoot(job)) { waiting[id] = job }
            case nil:
                if isAlive { undecided = true }
            }
        }
        // Only when no worker is left that might still take one of these runs from its socket.
        if !undecided {
            for job in waiting.values {
                end(job, attempt: job.attempt, RunResult(outcome: try outcome(ofUnrecorded: job), startedAt: job.startedAt, endedAt: now))
            }
            waiting = [:]
        }
        unaccounted = Array(waiting.values)
    }

    /// The end of a run while no daemon was running. When the machine stops, it sends signals to all processes: a run that such a
    /// signal ended, without a request to end it, is as lost as a run on a machine that lost power.
    private static func resultUnserved(_ end: RunEnd, of job: Job) -> RunResult {
        var result = RunResult(end)
        if job.stopping == nil, case .signaled(let number, _) = result.outcome, [SIGHUP, SIGINT, SIGTERM, SIGKILL].contains(number) {
            result.outcome = .lost("ended by \(Signal.name(number)) while no spoold served the spool, as when the machine stops")
        }
        return result
    }

    /// An earlier daemon of this boot may have found a run from before the start of the machine without learning its end.
    private func isOfThisBoot(_ job: Job) -> Bool { isSameBoot && job.recorded.boot == scheduler.lastBoot }

    /// A worker writes its record before it starts a command. So a run without a record never began, unless the machine stopped
    /// or the disk failed, because the record may not have reached the disk. Somebody may have removed the record, but a worker
    /// opens the output of a run after writing it: if the output exists, the run may have begun, and may still be running.
    private func outcome(ofUnrecorded job: Job) throws(SystemError) -> RunResult.Outcome {
        if scheduler.repairedSince != nil { return .lost("the journal was damaged, and nothing says how it ended") }
        if wasDiskBroken { return .lost("the disk broke while it ran") }
        guard isOfThisBoot(job) else { return .lost("the machine stopped while it ran") }
        let hasOutput = try spool.fs.status("\(Layout.directory(of: job.id, .running))/\(Layout.outputFile)") != nil
        return hasOutput ? .lost("it had begun, and no worker's record says what became of it") : .neverBegan
    }

    /// Determines the end of the runs of ended workers. A run whose worker's record cannot be read now is tried again later.
    func concludeGone() {
        let gone = goneWorkers
        goneWorkers = []
        for (job, record) in gone where !conclude(job, record, isOfThisBoot: true) { unaccounted.append(job) }
    }

    /// Returns false when the record cannot be read now. Without `isOfThisBoot`, the run's processes are gone, and their numbers
    /// may belong to others.
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

    /// The content of a worker's record. Nil when there is none or it is invalid. Throws an error that may be temporary: a run
    /// with a recorded success must not become lost.
    private func recorded(_ record: String) throws(SystemError) -> WorkerRecord? {
        do throws(SystemError) {
            let taken = try spool.fs.take("\(Layout.workers)/\(record)", limit: 1 << 16, ignoringWriters: true)
            unreadableRecords[record] = nil
            guard case .file(_, let bytes) = taken else { return nil }
            return WorkerRecord.parse(bytes)
        } catch {
            let since = unreadableRecords[record] ?? monotonicNow
            let isNew = monotonicNow.milliseconds(since: since) < Self.unreadableMilliseconds
            guard error.isShortage || error.mayPass && isNew else { return nil }
            unreadableRecords[record] = since
            throw error
        }
    }

    // MARK: The end of a run

    private func end(_ job: Job, attempt: Int, _ result: RunResult) { handle(.ended(job.id, attempt: attempt, result)) }

    /// The end of a try, with the facts that its worker does not know.
    func completed(_ result: RunResult, of job: Job) -> RunResult {
        var result = result
        result.cause = world.leaveGroup(of: job)
        if job.definition.followUps.contains(where: { $0.when == .output }) { result.hasOutput = hasOutput(job) }
        return result
    }

    private func hasOutput(_ job: Job) -> Bool {
        [Layout.outputFile, Layout.errorFile].contains { name in
            // The output is missing or inaccessible, so there is nothing to mail.
            ((try? spool.fs.status("\(Layout.directory(of: job.id, .running))/\(name)"))?.size ?? 0) > 0
        }
    }

    // MARK: A copy of a spool

    /// If the directories show more progress than the journal, they were copied later, and are true of the original.
    ///
    /// - Parameter since: the start of the journal's newest segment. Jobs that had ended before are not in the segment.
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

    /// The runs of the original are not ours. Neither are their workers: by their records, we would end processes of the
    /// original.
    private func leaveBehind() {
        for job in unaccounted {
            end(job, attempt: job.attempt, RunResult(outcome: .leftBehind, startedAt: job.startedAt, endedAt: now))
        }
        unaccounted = []
    }

    /// Writes the conclusions into a journal of the copy's own.
    func settleCopy() throws(SystemError) {
        guard let copy else { return }
        try service.journalDecisions()
        for entry in try spool.fs.list(Layout.workers) { try spool.fs.removeTreeIfThere("\(Layout.workers)/\(entry.name)") }
        try service.retention.rotateJournal()
        try copy.settled()
        self.copy = nil
    }
}
