// The first start on a copy of a spool that may have been served when it was copied.
//
// What holds:
// - What began in the original before the copy was taken never begins in the copy: a run is lost, whatever `on_crash` says, for it
//   may go on where it began, and its process is left alone.
// - What waits still waits, and due times since then are caught up with as after any time without a daemon.
// - Only when all that is in the journal does the spool call itself another: cut before, the next start does it again.

import Store

/// What a spool is a copy of.
package struct SpoolCopy {
    /// Where the original was made.
    let original: String
    /// Writes down that the spool is one of its own.
    let settled: () throws(SystemError) -> Void

    package init(of original: String, settled: @escaping () throws(SystemError) -> Void) {
        self.original = original
        self.settled = settled
    }
}

extension Service {
    /// What stands further in the directories than in the journal was copied later, and is true of the original.
    ///
    /// - Parameter since: when the journal's newest segment was begun: what had ended before is not in it.
    func takeAlongForCopy(since: Instant) throws(SystemError) {
        guard let copy else { return }
        log.write(
            .warning, "copy", at: now,
            ["of": copy.original, "id": spoolID, "effect": "what ran there is lost here, what waited there waits here too"])
        var truth = SpoolTruth(spool.fs, scheduler, context)
        for entry in try truth.records(.all(since: since)) {
            scheduler.restore(entry.record, at: entry.at)
            spool.journal.add(entry.record, at: entry.at)
        }
        for sentence in try spool.setAsideTaken(scheduler.jobs.values) { log.write(.notice, "mended", at: now, ["what": sentence]) }
    }

    /// The runs of the original are none of ours. Nor are their workers, whose records would have us end what they left.
    func leaveBehind() {
        for job in unaccounted {
            end(job, attempt: job.attempt, RunResult(outcome: .leftBehind, startedAt: job.startedAt, endedAt: now))
        }
        unaccounted = []
    }

    /// Puts what was concluded into a journal of the copy's own.
    func settleCopy() throws(SystemError) {
        guard let copy else { return }
        try carryOut(scheduler.takeTurn(at: now, mayStart: false))
        for entry in try spool.fs.list(Layout.workers) { try spool.fs.removeTreeIfThere("\(Layout.workers)/\(entry.name)") }
        try rotateJournal()
        try copy.settled()
        self.copy = nil
    }
}
