// The result of one due time according to the journal. Every due time has one of these results: it ran, in time or late; another
// run covers it; it was skipped, with the reason; or its run is lost.

public struct DueVerdict: Sendable {
    public enum Outcome: String, Sendable {
        /// It became a job that started within a minute.
        case ran
        /// It became a job that started later than that.
        case late
        /// The run of a later due time covers it, and possibly others.
        case merged
        /// It became no run. `why` gives the reason.
        case skipped
        /// It started, and its end was not recorded.
        case lost
        /// Its job is waiting.
        case waiting
        case running
        /// It has passed and is handled when the daemon starts.
        case pending
        /// It is in the future.
        case coming
        /// There was no such due time. `why` gives the reason.
        case none
        /// The journal does not contain its result.
        case unknown
    }

    public enum Why: String, Sendable {
        case overlap, missed, paused, unusable, disabled
        case deadline, canceled, withdrawn, replaced
        case later = "scheduled-later"
        case removed
        case notBefore = "not_before"
        case notAfter = "not_after"
        case forgotten
    }

    public var due: Instant
    public var schedule: String
    public var outcome: Outcome
    public var why: Why?
    /// The job for this due time, or the job that covers it.
    public var job: JobTrace?
    /// The time from the due time to the start of the first try.
    public var lateMilliseconds: Int64?
    /// The time without a daemon in which it was due, if any.
    public var downtime: Downtime?
    /// The pause that held or skipped it.
    public var pause: PauseSpan?
    /// The run that it waited for, or that caused the skip.
    public var other: JobTrace?
    /// The time at which the schedule was taken up or removed, if that is why there was no due time.
    public var at: Instant?
    /// The last due time of a record that covers several.
    public var through: Instant?
    public var count: Int?
    /// The new files at that time.
    public var paths: [String] = []
    /// The effect of daylight saving on it.
    public var note: String?

    public init(due: Instant, schedule: String, outcome: Outcome, why: Why? = nil) {
        self.due = due
        self.schedule = schedule
        self.outcome = outcome
        self.why = why
    }
}

extension History {
    /// - Parameters:
    ///   - definition: the schedule that was in force then. Nil when unknown.
    ///   - down: the time without a daemon that has not ended yet.
    public func verdict(
        on due: Instant, schedule: String, _ definition: ScheduleDefinition?, down: Downtime?, now: Instant
    ) -> DueVerdict {
        if let task {
            let id = JobID(task: task, schedule: schedule, due: due).text
            if let job = jobs[id] { return verdict(on: job, schedule: schedule, down: down) }
        }
        if let (at, skip) = skips.last(where: { $0.due.schedule == schedule && $0.due.from <= due && due <= $0.due.through }) {
            return verdict(on: due, skip, at: at)
        }
        var verdict = DueVerdict(due: due, schedule: schedule, outcome: .none)
        if let definition, !definition.enabled {
            verdict.outcome = .skipped
            verdict.why = .disabled
        } else if let notBefore = definition?.notBefore, due < notBefore {
            verdict.why = .notBefore
            verdict.at = notBefore
        } else if let notAfter = definition?.notAfter, due > notAfter {
            verdict.why = .notAfter
            verdict.at = notAfter
        } else if due > now {
            verdict.outcome = .coming
            verdict.downtime = down
            verdict.pause = pauses.last { $0.to == nil && ($0.scope == .all || $0.scope == task.map { .task($0) }) }
        } else if let absence = absence(of: schedule, at: due) {
            verdict.why = absence.why
            verdict.at = absence.at
        } else if let down, due > accounted(schedule) {
            verdict.outcome = .pending
            verdict.downtime = down
        } else if due > accounted(schedule), now.milliseconds - due.milliseconds < Scheduler.missedAfterMilliseconds {
            verdict.outcome = .pending
        } else {
            verdict.outcome = .unknown
            if since.map({ due < $0 }) ?? true { verdict.why = .forgotten }
        }
        return verdict
    }

    public func verdict(on job: JobTrace, schedule: String, down: Downtime?) -> DueVerdict {
        var verdict = job.verdict(schedule: schedule)
        let limit = Scheduler.missedAfterMilliseconds
        if job.acceptedAt.milliseconds - job.due.milliseconds > limit { verdict.downtime = downtime(at: job.due) }
        if let started = job.startedAt ?? job.ending?.at, started.milliseconds - job.notBefore.milliseconds > limit {
            let from = max(job.notBefore, job.acceptedAt)
            verdict.pause = pauses.last { $0.overlaps(from, started) && [.all, .queue(job.queue)].contains($0.scope) }
            verdict.other = run(of: job.task, under: from, until: started, but: job.id)
        }
        if verdict.outcome == .waiting { verdict.downtime = verdict.downtime ?? down }
        if verdict.why == .deadline { verdict.downtime = verdict.downtime ?? downtime(at: job.notBefore) }
        return verdict
    }

    public func verdict(on due: Instant, _ skip: SkippedDue, at: Instant) -> DueVerdict {
        var verdict = DueVerdict(due: due, schedule: skip.schedule, outcome: .skipped)
        verdict.count = skip.count
        if skip.from != skip.through { verdict.through = skip.through }
        verdict.paths = skip.file.map { [$0.path] } ?? []
        switch skip.reason {
        case .merged:
            verdict.outcome = .merged
            // These were recorded together with the run that covers them.
            verdict.job = order.lazy.compactMap { jobs[$0] }.first {
                $0.schedule == skip.schedule && $0.acceptedAt == at && $0.due > skip.through
            }
            verdict.downtime = downtime(at: due)
        case .missed:
            verdict.why = .missed
            verdict.downtime = downtime(at: due)
        case .paused:
            verdict.why = .paused
            verdict.pause = pauses.last { $0.scope == .task(skip.task) && $0.overlaps(skip.from, at) }
        case .overlap:
            verdict.why = .overlap
            verdict.other = run(of: skip.task, under: at, until: at, but: nil)
        case .unusable: verdict.why = .unusable
        }
        return verdict
    }

    /// A run of the task that was active at some time between two instants, preferably one that had started.
    private func run(of task: String?, under start: Instant, until end: Instant, but id: String?) -> JobTrace? {
        let candidates = order.lazy.compactMap { jobs[$0] }.filter { job in
            job.task == task && job.id != id && job.acceptedAt <= start && job.withdrawnAt == nil
                && !(job.hasEnded && job.ending.map { $0.at < start } ?? false)
        }
        return candidates.last { $0.startedAt.map { $0 <= end } ?? false } ?? (id == nil ? candidates.first : nil)
    }

    /// The instant up to which the schedule's due times have been handled.
    public func accounted(_ schedule: String) -> Instant {
        var latest = Instant(milliseconds: .min)
        for change in schedules[schedule] ?? [] { if let kept = change.kept { latest = max(latest, kept.accounted) } }
        for job in jobs.values where job.schedule == schedule { latest = max(latest, job.due) }
        for skip in skips where skip.due.schedule == schedule { latest = max(latest, skip.due.through) }
        return latest
    }

    /// The reason why the schedule could not be due at an instant, from the times at which it was taken up and removed.
    private func absence(of schedule: String, at due: Instant) -> (why: DueVerdict.Why, at: Instant?)? {
        // No daemon had seen it yet: due times before that are not made up for.
        guard let changes = schedules[schedule], let first = changes.first else { return (.later, nil) }
        if let kept = first.kept, due <= kept.origin { return (.later, kept.origin) }
        guard let current = changes.last(where: { $0.at <= due }) else { return nil }
        if current.kept == nil { return (.removed, current.at) }
        // When a schedule is taken up again with another text, its due times count from then.
        for case let kept? in changes.lazy.filter({ $0.at > due }).map(\.kept) where due <= kept.origin { return (.later, kept.origin) }
        return nil
    }
}

extension JobTrace {
    /// The result of the due time of this job, as far as the job itself shows it.
    public func verdict(schedule: String) -> DueVerdict {
        var verdict = DueVerdict(due: due, schedule: schedule, outcome: .waiting)
        verdict.job = self
        verdict.paths = paths
        if let startedAt { verdict.lateMilliseconds = startedAt.milliseconds - due.milliseconds }
        guard let ending = ending?.1, ending.state.isTerminal else {
            if withdrawnAt != nil {
                verdict.outcome = .skipped
                verdict.why = .withdrawn
            } else if startedAt != nil {
                verdict.outcome = .running
            }
            return verdict
        }
        guard let startedAt else {
            verdict.outcome = .skipped
            switch ending.reason {
            case .deadline: verdict.why = .deadline
            case .replaced: verdict.why = .replaced
            case .rejected: verdict.why = .unusable
            default: verdict.why = .canceled
            }
            return verdict
        }
        if ending.reason == .lost {
            verdict.outcome = .lost
        } else {
            let isLate = startedAt.milliseconds - notBefore.milliseconds > Scheduler.missedAfterMilliseconds
            verdict.outcome = isLate ? .late : .ran
        }
        return verdict
    }
}
