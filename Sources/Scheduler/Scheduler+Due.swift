// Due times: the jobs that they become, and the reasons why others become none.

extension Scheduler {
    /// Computes the schedule's next due time and adds it to the timetable, or has its program asked for it. A schedule that
    /// counts from the end of a run waits during a run. `isChanged` means that the task's text has changed.
    func plan(_ schedule: ScheduleState, isChanged: Bool = false) {
        guard let state = tasks[schedule.task] else { return schedule.next = nil }
        plan(schedule, of: state, isChanged: isChanged)
    }

    func plan(_ schedule: ScheduleState, of state: TaskState, isChanged: Bool = false) {
        schedule.next = nil
        guard state.isDefined, let definition = schedule.definition else { return }
        if definition.recurrence.isFromEnd, state.hasRun(of: schedule) { return }
        schedule.next = schedule.computeNext()
        if let next = schedule.next {
            derived.timetable.dues.insert(TimedSchedule(instant: next, schedule: schedule))
        } else {
            ask(schedule, isChanged: isChanged)
        }
    }

    /// The ids of the jobs that a turn at this instant may make from due times. The caller looks for their records in the spool:
    /// after a clock was set back, due times occur again whose runs have ended.
    public func runsDue(at now: Instant) -> [JobID] {
        var ids: [JobID] = []
        func add(_ schedule: ScheduleState, _ runs: [Instant]) {
            for due in runs {
                ids += ([due] + repetitions(of: due, schedule)).map { JobID(task: schedule.task, schedule: schedule.id, due: $0) }
            }
        }
        if let start = agenda.start {
            for schedule in schedulesMissed(since: start, at: now) {
                let isReboot = schedule.definition?.recurrence.isReboot == true
                add(schedule, isReboot ? [now] : runs(of: schedule, isMissed: isMissedAtStart(schedule, after: start, at: now), at: now))
            }
        } else {
            for due in derived.timetable.dues.all(by: now) {
                add(due.schedule, runs(of: due.schedule, isMissed: isMissed(due, at: now), at: now))
            }
        }
        return ids
    }

    /// Handles all due times up to now.
    ///
    /// - Parameter onRecord: those ids of `runsDue(at: now)` of which the spool has a record.
    func takeDue(_ onRecord: Set<JobID>, at now: Instant) {
        catchUpAfterStart(onRecord, at: now)
        fireDue(onRecord, at: now)
    }

    private func fireDue(_ onRecord: Set<JobID>, at now: Instant) {
        // `onRecord` does not cover the due time after one whose run is on record, so that due time is left to the next turn.
        var unasked: Set<ObjectIdentifier> = []
        var left: [TimedSchedule] = []
        while let top = derived.timetable.dues.takeFirst(by: now) {
            guard !unasked.contains(ObjectIdentifier(top.schedule)) else {
                left.append(top)
                continue
            }
            if catchUp(top.schedule, isMissed: isMissed(top, at: now), onRecord, at: now) { unasked.insert(ObjectIdentifier(top.schedule)) }
        }
        for one in left { derived.timetable.dues.insert(one) }
    }

    private func backlog(of schedule: ScheduleState, isMissed: Bool, at now: Instant) -> Backlog? {
        Backlog(of: schedule, isMissed: isMissed, isPaused: pauses[.task(schedule.task)] != nil, at: now)
    }

    private func runs(of schedule: ScheduleState, isMissed: Bool, at now: Instant) -> [Instant] {
        Backlog.runs(of: schedule, isMissed: isMissed, isPaused: pauses[.task(schedule.task)] != nil, at: now)
    }

    /// Handles every due time of a schedule up to now. Returns true if a run of one was on record.
    @discardableResult
    func catchUp(_ schedule: ScheduleState, isMissed: Bool, _ onRecord: Set<JobID>, at now: Instant) -> Bool {
        guard let backlog = backlog(of: schedule, isMissed: isMissed, at: now) else { return false }
        if let (through, count, reason) = backlog.skipped {
            skip(schedule, from: backlog.first, through: through, count: count, reason, at: now)
        }
        fire(schedule, backlog.runs, onRecord, at: now)
        plan(schedule)
        guard !onRecord.isEmpty || !recorded.retries.isEmpty else { return false }
        return backlog.runs.contains { isOnRecord(JobID(task: schedule.task, schedule: schedule.id, due: $0), onRecord) }
    }

    /// True when the spool has a record of the run, or a person has made a retry of its record.
    private func isOnRecord(_ id: JobID, _ onRecord: Set<JobID>) -> Bool { onRecord.contains(id) || recorded.retries.contains(id) }

    private func skip(
        _ schedule: ScheduleState, from: Instant, through: Instant, count: Int?, _ reason: SkippedDue.Reason,
        at now: Instant
    ) {
        commit(
            .skipped(
                SkippedDue(
                    task: schedule.task, schedule: schedule.id, from: from, through: through, count: count,
                    reason: reason)),
            at: now)
    }

    /// Makes jobs of due times, by the task's overlap rule.
    func fire(_ schedule: ScheduleState, _ dues: [Instant], _ onRecord: Set<JobID>, at now: Instant) {
        guard let state = tasks[schedule.task], let task = state.definition, let definition = schedule.definition
        else { return }
        for first in dues {
            let free = ([first] + repetitions(of: first, schedule)).first { due in
                let id = JobID(task: schedule.task, schedule: schedule.id, due: due)
                return jobs[id] == nil && agenda.ended[id] == nil && !isOnRecord(id, onRecord)
            }
            // The clock was set back, and the schedule was removed and added again: the run of this due time exists already.
            guard let due = free else {
                skip(schedule, from: first, through: first, count: 1, .overlap, at: now)
                continue
            }
            let id = JobID(task: schedule.task, schedule: schedule.id, due: due)
            switch task.overlap {
            case .skip where !state.active.isEmpty,
                // Each run that catches up is wanted, so all of them may wait.
                .wait where dues.count == 1 && state.active.hasNew:
                skip(schedule, from: due, through: due, count: 1, .overlap, at: now)
                continue
            case .replace, .wait, .queue, .skip, .allow: break
            }
            do throws(Problems) {
                let (source, job) = try task.job(payload: definition.payload, context(due))
                let delay = jitter(of: definition, task: task.name, due: due)
                accept(
                    AcceptedJob(
                        id: id, name: task.name, task: task.name, schedule: schedule.id, due: due, createdAt: now,
                        notBefore: max(job.start ?? due, due.advanced(byMilliseconds: delay)), source: source,
                        definition: job),
                    OnRecord(), at: now)
            } catch {
                skip(schedule, from: due, through: due, count: 1, .unusable, at: now)
            }
        }
    }

    /// `overlap = "replace"`: existing runs are replaced by the new one.
    func replaceRuns(of task: String, by new: JobID, at now: Instant) {
        // An edited file is still the same run.
        for old in tasks[task]?.active.inOrder ?? [] where old.id != new {
            switch old.state {
            case .new: fail(old, .replaced, Self.sentence("replaced by a newer run", old.ending, of: old), at: now)
            case .running: stop(old, .replaced, at: now)
            case .done, .failed: break
            }
        }
    }

    /// The same task and due time always get the same delay.
    private func jitter(of schedule: ScheduleDefinition, task: String, due: Instant) -> Int64 {
        guard schedule.jitterMilliseconds > 0 else { return 0 }
        return Int64(stableHash("\(task)\u{0}\(due.milliseconds)") % UInt64(schedule.jitterMilliseconds))
    }
}
