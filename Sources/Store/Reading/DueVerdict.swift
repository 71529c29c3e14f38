// What became of one due time, from the journal. Every due time ends as one of: it ran, in time or late; another run stands
// for it; it was skipped, with the reason; or its run is lost.

public struct DueVerdict: Sendable {
    public enum Outcome: String, Sendable {
        /// It became a job that began within a minute.
        case ran
        /// It became a job that began later than that.
        case late
        /// A later due time's run stands for it, or for several.
        case merged
        /// It became no run: `why`.
        case skipped
        /// It began, and nobody recorded how it ended.
        case lost
        /// Its job waits.
        case waiting
        case running
        /// It has passed, and is dealt with when the daemon starts.
        case pending
        /// It has not come yet.
        case coming
        /// There was no such due time: `why`.
        case none
        /// The journal does not say.
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
    /// The job that it became, or that stands for it.
    public var job: JobTrace?
    /// How long after the due time its first try began.
    public var lateMilliseconds: Int64?
    /// In which it was due, if there was no daemon.
    public var downtime: Downtime?
    /// Which held or skipped it.
    public var pause: PauseSpan?
    /// The run that it waited for, or for which it was skipped.
    public var other: JobTrace?
    /// When the schedule was taken up or removed, where that is why there was none.
    public var at: Instant?
    /// Of a record that covers several due times: the last.
    public var through: Instant?
    public var count: Int?
    /// The files that came then.
    public var paths: [String] = []
    /// What daylight saving did to it.
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
    ///   - definition: the schedule as it was in force then; nil: not known.
    ///   - down: the time without a daemon that lasts still.
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
            // Recorded together with the run that stands for them.
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

    /// A run of the task that had not ended somewhere between two instants, best one that had begun.
    private func run(of task: String?, under start: Instant, until end: Instant, but id: String?) -> JobTrace? {
        let candidates = order.lazy.compactMap { jobs[$0] }.filter { job in
            job.task == task && job.id != id && job.acceptedAt <= start && job.withdrawnAt == nil
                && !(job.hasEnded && job.ending.map { $0.at < start } ?? false)
        }
        return candidates.last { $0.startedAt.map { $0 <= end } ?? false } ?? (id == nil ? candidates.first : nil)
    }

    /// Up to when the schedule's due times have been dealt with.
    public func accounted(_ schedule: String) -> Instant {
        var latest = Instant(milliseconds: .min)
        for change in schedules[schedule] ?? [] { if let kept = change.kept { latest = max(latest, kept.accounted) } }
        for job in jobs.values where job.schedule == schedule { latest = max(latest, job.due) }
        for skip in skips where skip.due.schedule == schedule { latest = max(latest, skip.due.through) }
        return latest
    }

    /// Why the schedule could not be due at an instant, as far as its coming and going tell.
    private func absence(of schedule: String, at due: Instant) -> (why: DueVerdict.Why, at: Instant?)? {
        // Not seen by any daemon yet: what is due before one does is not caught up.
        guard let changes = schedules[schedule], let first = changes.first else { return (.later, nil) }
        if let kept = first.kept, due <= kept.origin { return (.later, kept.origin) }
        guard let current = changes.last(where: { $0.at <= due }) else { return nil }
        if current.kept == nil { return (.removed, current.at) }
        // Taken up anew with other words, it counts from then.
        for case let kept? in changes.lazy.filter({ $0.at > due }).map(\.kept) where due <= kept.origin { return (.later, kept.origin) }
        return nil
    }
}

extension JobTrace {
    /// What became of the due time that the job is for, as far as the job itself tells.
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
