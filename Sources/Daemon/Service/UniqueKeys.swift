import Scheduler
import Store

/// The holders of keys of `unique`, which are files in `state/unique/`.
///
/// Invariant: a waiting or running job that has its key according to the journal has the key's file too, before anybody is told that
/// the job was accepted.
final class UniqueKeys<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    init(_ service: Service<FS, W>) { self.service = service }

    /// The job on record that holds the key of an arriving job. If there is none, the arriving job gets the key.
    func holder(of unique: Unique, besides job: AcceptedJob) throws(SystemError) -> JobID? {
        // An edited waiting job may hold its key already, and may change the time for which it holds the key.
        guard [nil, job.id].contains(scheduler.holder(ofUnique: unique.key)) else { return nil }
        let claim = try spool.claim(ofUnique: unique.key)
        // A retry takes the key from the job that it repeats.
        if let claim, claim.id != job.id, claim.id.text != job.retryOf, try isHeld(by: claim) { return claim.id }
        if claim?.id != job.id || claim?.holding != unique.holding {
            try persistently { () throws(SystemError) in try self.spool.claim(unique, for: job.id) }
        }
        return nil
    }

    /// True when the last job that took a key still holds it.
    private func isHeld(by claim: UniqueClaim) throws(SystemError) -> Bool {
        switch claim.holding {
        case .recorded:
            if service.isKnown(claim.id) { return true }
            return try spool.stands(claim.id)
        case .active:
            // A job that has just ended may still be in running/. Of an unknown job, only a waiting file counts.
            if let job = scheduler.jobs[claim.id] { return !job.state.isTerminal }
            return try spool.waits(claim.id)
        }
    }

    /// Makes the files of held keys durable after a failed sync.
    func renew() throws(SystemError) {
        let failed = try persistently { () throws(SystemError) in
            try self.spool.renewClaims { claim throws(SystemError) in try self.isHeld(by: claim) }
        }
        for (path, error) in failed { logUnreadable(path, error) }
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
}
