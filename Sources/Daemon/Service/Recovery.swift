import Glibc
import Scheduler
import Store

/// Determines the state of the spool at the start.
///
/// Invariants:
/// - The journal decides: the tree is changed to agree with it, and nothing is done before it is on the disk.
/// - At the first start of a copy of a spool that may have been served when it was copied, a run that began in the original never
///   begins in the copy. It is lost, whatever `on_crash` says, because it may continue in the original; its process is not
///   touched. Waiting jobs still wait. The spool only gets a new identity when the journal contains all of this: an interrupted
///   start does it again.
final class Recovery<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// Set before the start when the spool is a copy of a spool that was created elsewhere.
    var copy: SpoolCopy?
    /// Set before the start when the disk failed while the spool was served, or a sync failed: unsynced data may be gone, as
    /// after a power cut, or may exist only in memory.
    var wasDiskBroken = false
    /// The machine has not been down since the journal was last written.
    private(set) var isSameBoot = true

    init(_ service: Service<FS, W>) { self.service = service }

    private var zones: ZoneDatabase { service.zones }

    /// Reads the journal, changes the tree to agree with it, and finds the runs that are still in progress. Returns the number of
    /// repairs.
    func recover(boot: String) throws(SystemError) -> Int {
        var count = 0
        var unknown = 0
        var last: Instant?
        var began: Instant?
        let torn: Int?
        var context = ReadingContext(now: now, zones: zones, zone: world.configuration.zone)
        do throws(JournalError) {
            torn = try spool.journal.open { fields in
                count += 1
                last = max(last ?? fields.at, fields.at)
                service.retention.see(fields.at)
                guard fields.kind != "segment" else {
                    began = fields.at
                    return
                }
                context.now = fields.at
                if let record = fields.record(context) {
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
        var seen = Set<JobID>()
        // Except a file that was set aside for an edited version of itself.
        var placed = scheduler.finishRestoring().places.filter { (scheduler.jobs[$0.id] ?? $0) === $0 && seen.insert($0.id).inserted }
        placed += scheduler.jobs.values.filter { $0.file != nil && $0.state == .new && !seen.contains($0.id) }
            .sorted { $0.arrival < $1.arrival }
        let recovery = try persistently { () throws(SystemError) in
            try self.spool.recover(
                placed, isSameBoot: self.isSameBoot, hasStayedUp: hasStayedUp, hasSyncFailed: self.wasDiskBroken,
                wasSettled: self.scheduler.wasSettled)
        }
        if wasDiskBroken {
            try renewPauses()
            try service.uniqueKeys.renew()
        }
        for sentence in recovery.mended { log.write(.notice, "mended", at: now, ["what": sentence]) }
        for (job, error) in recovery.unplaced { service.placement.tryLater(job, error) }
        for (job, moved) in recovery.putBack { handle(.moved(job.id, moved)) }
        for job in recovery.withdrawn { handle(.withdrawn(job.id)) }
        try service.uniqueKeys.claimAgain()
        service.intake.recovered()
        let running = scheduler.jobs.values.filter { $0.state == .running }
        if copy == nil {
            try service.unreportedRuns.begin(running.filter { $0.executor == nil })
            // No executor was called for them yet.
            let begun = running.filter { $0.executor != nil && $0.recorded.submissions == 0 }
            for job in begun.sorted(by: { $0.arrival < $1.arrival }) { try service.placement.start(job) }
            passOnExtensions(of: running.filter { $0.executor != nil && $0.recorded.submissions > 0 })
        } else {
            leaveBehind(running)
        }
        log.write(.notice, "recovered-journal", at: now, ["records": "\(count)", "jobs": "\(scheduler.jobs.count)"])
        return recovery.mended.count
    }

    /// Has executors told again of extensions: an earlier daemon may have ended before it told them, or before the answer came.
    private func passOnExtensions(of running: [Job]) {
        for job in running.sorted(by: { $0.arrival < $1.arrival }) {
            // An unreadable file contains no information.
            guard let moved = try? spool.fs.extended(Layout.directory(of: job.id, .running)), moved != 0 else { continue }
            service.submit(.extended(job.id, byMilliseconds: moved))
        }
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
    private func leaveBehind(_ running: [Job]) {
        for job in running {
            handle(.ended(job.id, attempt: job.attempt, RunResult(outcome: .leftBehind, startedAt: job.startedAt, endedAt: now)))
        }
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
