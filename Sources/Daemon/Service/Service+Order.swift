import Scheduler
import Store

// What the scheduler cannot know by itself: jobs that ended long ago, and what a try has written.

extension Service {
    /// How many jobs that wait for one another are taken up one within the other.
    private static var chainMax: Int { 100 }

    // MARK: An arriving job

    /// What the tree knows of the jobs that an arriving one names. Nil: one of these is still being written.
    func onRecord(for job: AcceptedJob) throws(SystemError) -> OnRecord? {
        var onRecord = OnRecord()
        for name in job.definition.after?.all ?? [] {
            // It was dropped first, but may not have been looked at first.
            if let id = JobID(name), id != job.id, !isKnown(id) {
                for file in Spool<FS>.waitingNames(of: id) where !beingTaken.contains(file) {
                    guard try spool.fs.status("\(Layout.new)/\(file)") != nil else { continue }
                    // A chain that came in the wrong order is followed this far, the rest of it at the next look.
                    guard beingTaken.count < Self.chainMax else { return nil }
                    try takeArrival(file, .settled)
                    if unready.contains("\(Layout.new)/\(file)") { return nil }
                }
            }
            for id in scheduler.awaited(name) where id != job.id {
                if isKnown(id) { break }
                guard let end = try spool.end(of: id) else { continue }
                onRecord.ends[id] = end
                break
            }
        }
        // One that waits and is edited may have its key, and say otherwise how long it is to hold it.
        if let unique = job.definition.unique, [nil, job.id].contains(scheduler.holder(ofUnique: unique.key)) {
            let claim = try spool.claim(ofUnique: unique.key)
            // A retry takes the key from the job that it repeats.
            if let claim, claim.id != job.id, claim.id.text != job.retryOf, try isHeld(by: claim) {
                onRecord.holder = claim.id
            } else if claim?.id != job.id || claim?.holding != unique.holding {
                try persistently { () throws(SystemError) in try self.spool.claim(unique, for: job.id) }
            }
        }
        return onRecord
    }

    private func isKnown(_ id: JobID) -> Bool { scheduler.jobs[id] != nil || scheduler.endedInTurn[id] != nil }

    /// Whether the job that took a key last holds it still.
    private func isHeld(by claim: UniqueClaim) throws(SystemError) -> Bool {
        switch claim.holding {
        case .recorded: return try stands(claim.id)
        case .active:
            // One that has just ended may not have left running/ yet; of one that nobody knows, only a file that waits counts.
            if let job = scheduler.jobs[claim.id] { return !job.state.isTerminal }
            return try spool.waits(claim.id)
        }
    }

    private func stands(_ id: JobID) throws(SystemError) -> Bool {
        if isKnown(id) { return true }
        return try spool.stands(id)
    }

    // MARK: An ended try

    func end(_ job: Job, attempt: Int, _ result: RunResult) { handle(.ended(job.id, attempt: attempt, result)) }

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
}
