import Scheduler
import Store

/// Limits how long things are kept: records of jobs, answers that nobody has fetched, segments of the journal.
///
/// Invariants:
/// - A record is removed when its stay has ended, and not before. If the removal fails, it is repeated the next day.
/// - While a clock that has jumped ahead is on trial, no record is removed.
/// - All times are of the wall clock, by which a record's age counts. After it was set back, the next scan is at most a day away.
/// - The journal is rotated only when all decisions are journaled and carried out.
final class Retention<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    private static var pruneMilliseconds: Int64 { 86_400_000 }
    /// The number of records that are read between two turns.
    private static var recordsPerTurn: Int { 32 }

    private var expiries = Expiries()
    private var counted = CountedRecords()
    private var removals = Removals()
    /// The present scan of all records.
    private var pruning: PruneScan?
    /// The time of the next scan of all records.
    private var nextPrune = Instant(milliseconds: 0)
    /// The configured stay at the last scan of all records.
    private var prunedKeepMilliseconds: Int64?
    private var clockTrial = ClockTrial()

    init(_ service: Service<FS, W>) { self.service = service }

    var hasWork: Bool { pruning != nil || hasExpired || counted.hasWork || !removals.isEmpty }

    var wakeAt: Instant {
        let trialEnd = clockTrial.isUnderWay(at: now) ? clockTrial.endsAt : nil
        var wake = nextPrune
        if let expiry = expiries.next { wake = min(wake, expiry) }
        return max(wake, trialEnd ?? wake)
    }

    /// Scans all records in the next turn.
    func begin() { nextPrune = now }

    /// The journal has a record from this instant.
    func see(_ instant: Instant) { clockTrial.see(instant) }

    /// Shortens the wait if the clock was set back.
    func clockWasSet() { nextPrune = min(nextPrune, now.advanced(byMilliseconds: Self.pruneMilliseconds)) }

    /// A job has ended and is in its place.
    func ended(_ job: Job) throws(SystemError) {
        noteExpiry(of: job)
        guard let count = job.definition.keepCount, let task = job.task else { return }
        do throws(SystemError) { try counted.add(job.id, job.state, of: task, keeping: count, spool.fs) { removals.add($0) } } catch {
            try notForgotten("\(job.id)", error)
        }
    }

    /// Removes answers to requests that were left while no daemon was running. Their authors are gone.
    private func removeOldAnswers() throws(SystemError) {
        let limit = now.advanced(byMilliseconds: -Self.pruneMilliseconds)
        for entry in try spool.fs.list(Layout.control) where entry.name.hasSuffix(".answer") {
            let path = "\(Layout.control)/\(entry.name)"
            guard let status = try spool.fs.status(path), status.changedNanoseconds / 1_000_000 < limit.milliseconds else { continue }
            try spool.fs.removeTreeIfThere(path)
        }
    }

    /// Checks the clock. A daemon does this at least once a day, and the journal contains the time before its start.
    private func lookAtClock() {
        let seen = clockTrial.seenAt
        guard clockTrial.see(now), let seen, let until = clockTrial.endsAt else { return }
        pruning = nil
        nextPrune = until
        log.write(
            .notice, "keeps-records", at: now, ["until": until.rfc3339, "why": "the clock was at \(seen.rfc3339) when it was last seen"])
    }

    /// The stay of a record has ended that must be removed now.
    private var hasExpired: Bool { expiries.next.map { $0 <= now } ?? false && !clockTrial.isUnderWay(at: now) }

    /// Handles the end of a job. A record whose stay ends before the next scan is remembered, so that the scan is not needed.
    private func noteExpiry(of job: Job) {
        let end = PruneScan.stayBegins(job.changedAt, of: job.id, at: now)
            .advanced(byMilliseconds: job.definition.keepMilliseconds ?? world.configuration.keepMilliseconds)
        if end < nextPrune { expiries.add(job.id, job.state, at: end) }
    }

    /// Removes records whose stay has ended, some at a time. All records are scanned once a day, and when the configured stay has
    /// changed. A record whose stay ends before the next scan is removed at that time.
    func pruneSome() throws(SystemError) {
        lookAtClock()
        guard !clockTrial.isUnderWay(at: now) else { return }
        let keep = world.configuration.keepMilliseconds
        if keep != prunedKeepMilliseconds {
            prunedKeepMilliseconds = keep
            expiries = Expiries()
            nextPrune = min(nextPrune, now)
        }
        for (id, state) in expiries.takeDue(at: now, count: Self.recordsPerTurn) {
            do throws(SystemError) {
                if let aside = try spool.fs.setAside(recordOf: id, state) { removals.add(aside) }
                log.write(.info, "forgotten", at: now, ["id": id.text])
            } catch {
                try notForgotten(id.text, error)
            }
        }
        if now >= nextPrune {
            nextPrune = now.advanced(byMilliseconds: Self.pruneMilliseconds)
            pruning = try PruneScan(spool.fs)
            try removeOldAnswers()
            try spool.forgetUnused { scheduler.jobs[$0] != nil }
        }
        guard let scan = pruning else { return }
        let (removed, failed) = try scan.step(Self.recordsPerTurn, spool.fs, keep: keep, at: now) { id, state, end in
            if end < nextPrune { expiries.add(id, state, at: end) }
        } remove: { removals.add($0) }
        for id in removed { log.write(.info, "forgotten", at: now, ["id": id]) }
        for (id, error) in failed { try notForgotten(id, error) }
        if scan.isFinished { pruning = nil }
    }

    /// Removes records that exceed the number that their task keeps.
    func countSome() throws(SystemError) {
        for (task, error) in try counted.step(spool.fs, remove: { removals.add($0) }) { try notForgotten(task, error) }
    }

    /// Removes a part of the hidden directories.
    func removeSome() throws(SystemError) {
        for (path, error) in removals.step(spool.fs) { try notForgotten(path, error) }
    }

    /// A record that should be removed stays: a file that its user put into it prevents the removal. It is tried again tomorrow.
    private func notForgotten(_ id: String, _ error: SystemError) throws(SystemError) {
        guard error.isOfOnePath else { throw error }
        log.write(.warning, "not-forgotten", at: now, ["id": id, "error": "\(error)"])
    }

    // MARK: The journal

    func rotateIfDue() throws(SystemError) {
        guard spool.journal.wantsRotation else { return }
        // After many files were added at once, the segment is hardly larger than its successor would be.
        spool.journal.allowForSnapshot(ofBytes: scheduler.snapshotBytesMin)
        if spool.journal.wantsRotation { try rotateJournal() }
    }

    /// Begins a new segment of the journal with the present state, and removes old segments: those that are older than any record is
    /// kept, and those that exceed `journal_max`.
    func rotateJournal() throws(SystemError) {
        scheduler.forgetRetries(gone: Set(scheduler.endedRetries.filter { !spool.isOnRecord($0) }))
        let snapshot = scheduler.snapshot(at: now, unplaced: service.placement.unplacedJobs)
        try persistently { () throws(SystemError) in
            try self.spool.journal.rotate(snapshot: snapshot, spool: self.service.spoolID, at: self.now)
        }
        guard !clockTrial.isUnderWay(at: now) else { return }
        let configuration = world.configuration
        try spool.journal.prune(
            before: now.advanced(byMilliseconds: -configuration.keepMilliseconds), bytesMax: configuration.journalMaxBytes)
    }

    /// Writes the journal from memory if its segment is gone or has other content than was written. The present file is not
    /// deleted. Returns true if the journal was written. All decisions are in it, and carried out.
    func writeJournalAnew() throws(SystemError) -> Bool {
        let isInPlace = try spool.journal.isInPlace()
        if isInPlace, try spool.journal.isAsWritten() { return false }
        let old = "\(Layout.journal)/\(spool.journal.segment)"
        try rotateJournal()
        var what = "\(old) was taken away"
        // Kept as an old segment, it would be a damaged one.
        if isInPlace {
            let kept = try persistently { () throws(SystemError) in try self.spool.fs.setAside(old) }
            what = "\(old) was cut off or written to by somebody, and is \(kept) now"
        }
        let new = spool.journal.segment
        log.write(.warning, "mended", at: now, ["what": "wrote \(Layout.journal)/\(new) from memory: \(what)"])
        service.health.report(
            problem: ["\(what), at \(now.rfc3339); \(new) was written from memory, and only the records of jobs tell what was before"],
            of: Layout.journal, inForce: "the state in memory")
        return true
    }
}
