import Scheduler
import Store

/// Moves jobs to the directories that the journal gives, and starts them there.
///
/// Invariants:
/// - If a job cannot be moved to its place, because something else is there or the disk has a bad sector, no other job is
///   delayed. The move is repeated at growing intervals, and the job does not start before it succeeds.
/// - A job that ends before it could be started has not begun.
final class Placement<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// A job that could not be moved to its place.
    private struct Unplaced {
        var job: Job
        var error: SystemError
        /// The states to whose directories the job should have been moved.
        var begun: Set<JobState> = []
        var isToStart = false
    }

    private static var delayMillisecondsMin: Int64 { 1000 }
    private static var delayMillisecondsMax: Int64 { 60_000 }

    private var unplaced: [JobID: Unplaced] = [:]
    /// The time at which failed moves are repeated.
    private var triedAgainAt = MonotonicInstant(milliseconds: 0)
    private var delayMilliseconds = delayMillisecondsMin

    init(_ service: Service<FS, W>) { self.service = service }

    /// True when the disk has refused to move some job to its place.
    var hasUnplaced: Bool { !unplaced.isEmpty }

    var unplacedJobs: [Job] { unplaced.values.map(\.job) }

    func unplacedJob(_ id: JobID) -> Job? { unplaced[id]?.job }

    func isUnplaced(_ id: JobID) -> Bool { unplaced[id] != nil }

    var wakeAt: MonotonicInstant? { unplaced.isEmpty ? nil : triedAgainAt }

    /// The jobs that are not in their places, each with its path and the obstacle.
    var problems: [(file: String, message: String)] {
        let again = now.advanced(byMilliseconds: triedAgainAt.millisecondsLeft(at: monotonicNow))
        return unplaced.values.sorted { $0.job.id < $1.job.id }.map {
            (Layout.directory(of: $0.job.id, $0.job.state), "cannot be brought there: \($0.error); tried again at \(again.rfc3339)")
        }
    }

    // MARK: Moving

    func bringToPlace(_ job: Job) throws(SystemError) {
        let begun = unplaced[job.id].flatMap { $0.job === job ? $0.begun : nil } ?? []
        let before = spool.places[job]
        do throws(SystemError) {
            defer { if case .file(let name) = before, spool.places[job] != before { service.intake.left(name, by: job.id) } }
            try persistently { () throws(SystemError) in
                for state in JobState.allCases where begun.contains(state) { try self.spool.gather(job, from: state) }
                try self.spool.place(job, isAgain: !begun.isEmpty)
            }
        } catch {
            // After a failed sync the state of the disk is unknown, which concerns more than this job.
            guard !service.health.isStopping, !error.isFailedSync else { throw error }
            return tryLater(job, error, begun)
        }
        // Another file may have taken the job's name in the meantime, and was ignored.
        if unplaced.removeValue(forKey: job.id) != nil, case .file(let name) = before { service.intake.add(name) }
        guard job.state.isTerminal else { return }
        spool.forgetPlace(of: job)
        service.health.count(job)
        try service.retention.ended(job)
    }

    /// Handles a failed move, which is repeated later. `begun` are the states to whose directories the job should have been moved
    /// before.
    func tryLater(_ job: Job, _ error: SystemError, _ begun: Set<JobState> = []) {
        if unplaced.isEmpty {
            delayMilliseconds = Self.delayMillisecondsMin
            triedAgainAt = monotonicNow.advanced(byMilliseconds: delayMilliseconds)
        }
        if unplaced.updateValue(Unplaced(job: job, error: error, begun: begun.union([job.state])), forKey: job.id) == nil {
            log.write(.error, "not-placed", at: now, ["id": job.id.text, "state": job.state.rawValue, "error": "\(error)"])
        }
    }

    /// Writes the status of a job again, in its present directory. The status of an unplaced job is written when it is moved to
    /// its place.
    func writeMove(_ job: Job) throws(SystemError) {
        guard unplaced[job.id] == nil, spool.places[job] == .directory(job.state) else { return }
        let directory = Layout.directory(of: job.id, job.state)
        do throws(SystemError) {
            try persistently { () throws(SystemError) in
                try self.spool.fs.replace("\(directory)/\(Layout.statusFile)", try self.spool.status(of: job, in: directory))
            }
        } catch {
            // Somebody has moved it again in the meantime.
            guard error.isOfOnePath else { throw error }
        }
    }

    func placeAgain() throws(SystemError) {
        guard !unplaced.isEmpty, monotonicNow >= triedAgainAt else { return }
        let waiting = unplaced.values.sorted { $0.job.id < $1.job.id }
        for one in waiting {
            try bringToPlace(one.job)
            if unplaced[one.job.id] != nil { unplaced[one.job.id]?.isToStart = one.isToStart } else {
                log.write(.notice, "placed", at: now, ["id": one.job.id.text])
                if one.isToStart { try begin(one.job) }
            }
        }
        delayMilliseconds = min(2 * delayMilliseconds, Self.delayMillisecondsMax)
        triedAgainAt = monotonicNow.advanced(byMilliseconds: delayMilliseconds)
    }

    // MARK: Starting

    /// Gives a job to a worker or to its executor. An unplaced job is started when it is in its place.
    func start(_ job: Job) throws(SystemError) {
        if unplaced[job.id] == nil { try begin(job) } else { unplaced[job.id]?.isToStart = true }
    }

    private func begin(_ job: Job) throws(SystemError) {
        guard job.executor != nil else { return world.start(job) }
        // The other machine may outlive this one's power cut. If the directory did not, a copy could begin in its place a second time.
        do throws(SystemError) {
            try persistently { () throws(SystemError) in try self.spool.makePlaceDurable(job) }
        } catch {
            // As in ``bringToPlace``.
            guard !service.health.isStopping, !error.isFailedSync else { throw error }
            tryLater(job, error)
            unplaced[job.id]?.isToStart = true
            return
        }
        service.submit(.placed(job.id, attempt: job.attempt))
    }

    /// Asks the worker of a job to end it. A job that could not be started yet has not begun.
    func stop(_ job: Job, _ how: Turn.Stop) {
        guard unplaced[job.id]?.isToStart == true else {
            // The scheduler calls executors by itself.
            return job.executor == nil ? world.stop(job, how) : ()
        }
        unplaced[job.id]?.isToStart = false
        service.submit(.ended(job.id, attempt: job.attempt, RunResult(outcome: .neverBegan, startedAt: nil, endedAt: now)))
    }

    // MARK: Names in new/

    /// True for the complete or unfinished directory of an unplaced job, and for the name of a file that must be moved into one.
    /// These names are not new jobs. Another file that takes this name is read when the job is in its place.
    func isOfUnplaced(_ name: String) throws(SystemError) -> Bool {
        if unplaced.values.contains(where: { spool.places[$0.job] == .file(name) }) { return true }
        guard let id = JobID(name), let one = unplaced[id] else { return false }
        switch spool.places[one.job] {
        case .directory(let state): if state != .new { return false }
        // Somebody has moved it here from its intended place, so it is a new drop.
        case .file, .nowhere: if !one.begun.contains(.new) { return false }
        }
        // A file of that name is the obstacle.
        return try spool.fs.status("\(Layout.new)/\(name)")?.kind == .directory
    }
}
