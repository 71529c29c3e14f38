import Scheduler
import Store

// Jobs on their way to their place.

extension Service {
    /// A job that could not be brought to its place.
    struct Unplaced {
        var job: Job
        var error: SystemError
        /// The states to whose directories it was to be brought.
        var begun: Set<JobState> = []
        var isToStart = false
    }

    /// Something else stands where the job should, or the disk has a bad spot there: that is this job's trouble alone. It is tried
    /// again, ever more seldom.
    func bringToPlace(_ job: Job) throws(SystemError) {
        let begun = unplaced[job.id].flatMap { $0.job === job ? $0.begun : nil } ?? []
        let before = job.place
        defer {
            // Another that was dropped under its name meanwhile waits there still.
            if case .file(let name) = before, job.place != before, waitingFiles[name] == job.id { waitingFiles[name] = nil }
        }
        do throws(SystemError) {
            try persistently { () throws(SystemError) in
                for state in JobState.allCases where begun.contains(state) { try self.spool.gather(job, from: state) }
                try self.spool.place(job, isAgain: !begun.isEmpty)
            }
        } catch {
            // After a failed sync nobody knows what of it is on the disk: that is not this job's trouble alone.
            guard !isStopping, !error.isFailedSync else { throw error }
            return tryLater(job, error, begun)
        }
        // What has taken its name meanwhile has not been looked at.
        if unplaced.removeValue(forKey: job.id) != nil, case .file(let name) = before { arrivals.add(name) }
        if job.state.isTerminal { try ended(job) }
    }

    /// A job could not be brought to its place: that is tried again. `begun`: the states to whose directories it was to be brought before.
    func tryLater(_ job: Job, _ error: SystemError, _ begun: Set<JobState> = []) {
        if unplaced.isEmpty {
            placingDelayMilliseconds = Self.placingMillisecondsMin
            placeAgainAt = now.advanced(byMilliseconds: placingDelayMilliseconds)
        }
        if unplaced.updateValue(Unplaced(job: job, error: error, begun: begun.union([job.state])), forKey: job.id) == nil {
            log.write(.error, "not-placed", at: now, ["id": job.id.text, "state": job.state.rawValue, "error": "\(error)"])
        }
    }

    /// The status of a job says what was done with its files. What is on its way says so when it is there.
    func writeMove(_ job: Job) throws(SystemError) {
        guard unplaced[job.id] == nil, job.place == .directory(job.state) else { return }
        let directory = Layout.directory(of: job.id, job.state)
        do throws(SystemError) {
            try persistently { () throws(SystemError) in
                try self.spool.fs.replace("\(directory)/\(Layout.statusFile)", try self.spool.status(of: job, in: directory))
            }
        } catch {
            // Somebody was quicker and has moved it again.
            guard error.isOfOnePath else { throw error }
        }
    }

    func placeAgain() throws(SystemError) {
        guard !unplaced.isEmpty, now >= placeAgainAt else { return }
        let waiting = unplaced.values.sorted { $0.job.id < $1.job.id }
        for one in waiting {
            try bringToPlace(one.job)
            if unplaced[one.job.id] != nil { unplaced[one.job.id]?.isToStart = one.isToStart } else {
                log.write(.notice, "placed", at: now, ["id": one.job.id.text])
                if one.isToStart { world.start(one.job) }
            }
        }
        placingDelayMilliseconds = min(2 * placingDelayMilliseconds, Self.placingMillisecondsMax)
        placeAgainAt = now.advanced(byMilliseconds: placingDelayMilliseconds)
    }
}
