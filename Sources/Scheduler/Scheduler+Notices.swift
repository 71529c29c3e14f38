// Notices of a job: `on_start`, `on_slow`, and the failures and recoveries of a task that are reported to people.
//
// Invariants:
// - `on_start` and `on_slow` are started at most once for a job. A record says that they are owed, so this holds across restarts.
// - `on_start` is owed in the turn in which the first try starts.
// - A job is slow when a try still runs `slow` after its start. The time is computed from the recorded start, so a later daemon that
//   adopts the run announces it as well. A run is never stopped because of it.

extension Scheduler {
    // MARK: Starts

    /// Handles the start of a try.
    func announceStart(of job: Job, at now: Instant) {
        guard !job.recorded.announced.contains(.start), job.definition.followUps.contains(where: { $0.when == .start }) else { return }
        commit(.announced(job.id, .start), at: now)
    }

    func owe(_ job: Job, _ announcement: Announcement, at instant: Instant) {
        let when: FollowUp.When = announcement == .start ? .start : .slow
        for followUp in job.definition.followUps where followUp.when == when { owe(followUp, of: job, at: instant) }
    }

    // MARK: Slow runs

    func lineUpSlow(_ job: Job) {
        if let instant = job.slowAt { derived.timetable.slow.insert(SlowRun(instant: instant, job: job)) }
    }

    /// The wall clock was set. A run becomes slow when it has run for the given time, whatever the clock shows.
    func keepSlow(clockMovedByMilliseconds milliseconds: Int64) {
        guard milliseconds != 0 else { return }
        for job in jobs.values where job.slowAt != nil {
            job.clockMovedMilliseconds += milliseconds
            lineUpSlow(job)
        }
    }

    func announceSlow(at now: Instant) {
        while let run = derived.timetable.slow.takeFirst(by: now) {
            commit(.announced(run.job.id, .slow), at: now)
        }
    }

    // MARK: Failures in a row

    /// Counts the end of a job among the failures of its task, and returns what its follow-ups depend on.
    func tell(endOf job: Job) -> FollowUp.End {
        if job.reason == .canceled || job.reason == .replaced { return .asked }
        let state = job.task.flatMap { tasks[$0] }
        guard job.state == .done else {
            // No later run of a job without a task would tell of its failure.
            return .failure(isTold: state?.countFailure(at: job.changedAt, job.definition.notices) ?? true)
        }
        if let state { return .success(isRecovery: state.endFailures()) }
        // The tries of a job without a task are what can fail in a row.
        let failedTries = job.attempt - 1
        return .success(isRecovery: failedTries > 0 && failedTries >= job.definition.notices?.after ?? 1)
    }
}

extension Job {
    /// The time at which the present try becomes slow. Nil when that is not to be announced.
    var slowAt: Instant? {
        guard let slow = definition.notices?.slowMilliseconds, state == .running, let startedAt, !recorded.announced.contains(.slow)
        else { return nil }
        return startedAt.advanced(byMilliseconds: slow).advanced(byMilliseconds: clockMovedMilliseconds)
    }
}
