// Schedules: their due times, the jobs that these become, and the reasons why others do not.

extension Scheduler {
    // MARK: New, changed and removed definitions

    func define(_ definition: TaskDefinition, since: Instant, at now: Instant) {
        recallSchedules(of: definition, at: now)
        let file = "tasks/\(definition.name)"
        if let late = definition.lateness(since: since, isDealtWith: { isDealtWith($0, of: definition.name) }) {
            turn.refusals.append(Turn.Refusal(file: file, ending: definition.source.format.rawValue, why: "\(late)"))
            if definitions[file]?.source != definition.source { reinstate(task: definition.name, at: now) }
            return
        }
        if definitions[file]?.source != definition.source {
            commit(.defined(file: file, definition.source, writtenAt: definition.writtenAt), at: now)
        }
        let state = task(named: definition.name)
        state.definition = definition
        let kept = Set(definition.schedules.map(\.id))
        for old in state.schedules where !old.isFile && old.definition != nil && !kept.contains(old.id) {
            commit(.unscheduled(task: definition.name, schedule: old.id), at: now)
        }
        for schedule in definition.schedules {
            attach(schedule, to: definition.name, since: since, isFile: false, at: now)
        }
        // A schedule in a file of its own may have been read before its task.
        for schedule in state.schedules where schedule.isFile {
            plan(schedule, isChanged: true)
            if schedule.definition?.onPath != nil { waitForFiles(schedule, since: since) }
        }
        expect(of: state, at: now)
    }

    func define(
        task: String, _ definition: ScheduleDefinition, _ source: Source, since: Instant, at now: Instant
    ) {
        recallSchedule(definition.id, of: task, unlike: source, at: now)
        let file = "schedules/\(definition.id)"
        if !isDealtWith(definition, of: task), let late = definition.lateness(since: since, in: source) {
            turn.refusals.append(Turn.Refusal(file: file, ending: source.format.rawValue, why: "\(late)"))
            if definitions[file]?.source != source { reinstate(schedule: definition.id, at: now) }
            return
        }
        if let old = scheduleFiles[definition.id], old != task { remove(schedule: definition.id, at: now) }
        if definitions[file]?.source != source { commit(.defined(file: file, source, writtenAt: definition.writtenAt), at: now) }
        scheduleFiles[definition.id] = task
        attach(definition, to: task, since: since, isFile: true, at: now)
    }

    /// Restores the definition that was accepted last, after a restart that found the file unusable.
    func reinstate(task name: String, at now: Instant) {
        guard tasks[name]?.definition == nil, let known = definitions["tasks/\(name)"] else { return }
        do throws(Problems) {
            define(try TaskDefinition(name: name, source: known.source, context(known.writtenAt)), since: now, at: now)
        } catch {
            turn.refusals.append(Turn.Refusal(file: "tasks/\(name)", why: "the definition accepted earlier cannot be read: \(error)"))
        }
    }

    func reinstate(schedule id: String, at now: Instant) {
        guard scheduleFiles[id] == nil, let known = definitions["schedules/\(id)"] else { return }
        do throws(Problems) {
            let (task, definition) = try ScheduleDefinition.file(id: id, source: known.source, context(known.writtenAt))
            define(task: task, definition, known.source, since: now, at: now)
        } catch {
            turn.refusals.append(Turn.Refusal(file: "schedules/\(id)", why: "the schedule accepted earlier cannot be read: \(error)"))
        }
    }

    func context(_ now: Instant) -> ReadingContext {
        var context = ReadingContext(now: now, zones: zones, zone: settings.zone, calendars: settings.calendars)
        context.taskDefaults = settings.taskDefaults
        return context
    }

    func remove(task name: String, at now: Instant) {
        if definitions["tasks/\(name)"] != nil { commit(.undefined(file: "tasks/\(name)"), at: now) }
        guard let state = tasks[name] else { return }
        state.definition = nil
        for schedule in state.schedules where !schedule.isFile {
            commit(.unscheduled(task: name, schedule: schedule.id), at: now)
        }
        for schedule in state.schedules {
            schedule.next = nil
            schedule.asking?.state = .unasked
            if schedule.files != nil { fileWaits.version += 1 }
        }
        forgetIfDone(state)
    }

    func remove(schedule id: String, at now: Instant) {
        if definitions["schedules/\(id)"] != nil { commit(.undefined(file: "schedules/\(id)"), at: now) }
        guard let task = scheduleFiles.removeValue(forKey: id), tasks[task]?.schedule(id) != nil else { return }
        commit(.unscheduled(task: task, schedule: id), at: now)
    }

    /// Restores the earlier texts of the schedules after a restart that finds a file edited, so that the edit is recognized.
    private func recallSchedules(of task: TaskDefinition, at now: Instant) {
        guard let state = tasks[task.name], state.definition == nil, let known = definitions["tasks/\(task.name)"],
            known.source != task.source,
            // It can no longer be read (a zone was removed), so nothing is known about it.
            let before = try? TaskDefinition(name: task.name, source: known.source, context(known.writtenAt))
        else { return }
        for schedule in before.schedules where state.schedule(schedule.id)?.definition == nil {
            state.schedule(schedule.id)?.definition = schedule
        }
    }

    private func recallSchedule(_ id: String, of task: String, unlike source: Source, at now: Instant) {
        guard scheduleFiles[id] == nil, let known = definitions["schedules/\(id)"], known.source != source,
            // It can no longer be read, so nothing is known about it.
            let before = try? ScheduleDefinition.file(id: id, source: known.source, context(known.writtenAt)), before.task == task,
            let state = tasks[task]?.schedule(id), state.definition == nil
        else { return }
        state.definition = before.schedule
    }

    /// True when due times of the schedule with the same text have been handled: an `at` that has passed then stays.
    private func isDealtWith(_ schedule: ScheduleDefinition, of task: String) -> Bool {
        guard let known = tasks[task]?.schedule(schedule.id) else { return false }
        return known.definition.map { $0.isDueAlike(schedule) } ?? true
    }

    private func attach(
        _ definition: ScheduleDefinition, to task: String, since: Instant, isFile: Bool, at now: Instant
    ) {
        let known = self.task(named: task).schedule(definition.id)
        // Due times count from the time at which an `at` was written, otherwise from the time at which the schedule was taken up.
        // Due times of a disabled schedule are not made up for when it is enabled again.
        let wasDisabled = known?.definition.map { !$0.enabled } ?? false
        // The same applies to due times of an expression from before it was written.
        let isOther = known?.definition.map { !$0.isDueAlike(definition) } ?? false
        if known == nil || wasDisabled || isOther {
            var accounted = now
            if definition.once != nil { accounted = min(since, now) }
            // After a clock was set back, handled due times must not occur again.
            if let known { accounted = max(accounted, known.accounted) }
            commit(.scheduled(task: task, schedule: definition.id, accounted: accounted, origin: now, lastEnd: nil), at: now)
        }
        guard let state = self.task(named: task).schedule(definition.id) else { return }
        state.definition = definition
        state.isFile = isFile
        if !definition.enabled, state.accounted < now {
            commit(
                .scheduled(
                    task: task, schedule: definition.id, accounted: now, origin: state.origin, lastEnd: state.lastEnd),
                at: now)
        }
        if definition.onPath != nil || state.files != nil { waitForFiles(state, since: since) }
        plan(state, isChanged: true)
    }

    /// Computes the schedule's next due time and adds it to the timetable, or has its program asked for it. A schedule that
    /// counts from the end of a run waits during a run. `isChanged` means that the task's text has changed.
    func plan(_ schedule: ScheduleState, isChanged: Bool = false) {
        schedule.next = nil
        guard let state = tasks[schedule.task], state.definition != nil, let definition = schedule.definition else { return }
        if definition.recurrence.isFromEnd, state.hasRun(of: schedule) { return }
        schedule.next = schedule.computeNext()
        if let next = schedule.next {
            timetable.dues.insert(TimedSchedule(instant: next, schedule: schedule))
        } else {
            ask(schedule, isChanged: isChanged)
        }
    }

    // MARK: The daemon starts

    func start(boot: String, version: String, at now: Instant) {
        let isNewBoot = lastBoot != boot
        commit(.daemonStarted(boot: boot, version: version), at: now)
        distrustMarksAhead(at: now)
        // Definitions that were removed while no daemon was running.
        for file in definitions.keys.sorted() {
            if file.hasPrefix("tasks/"), tasks[String(file.dropFirst(6))]?.definition == nil {
                remove(task: String(file.dropFirst(6)), at: now)
            } else if file.hasPrefix("schedules/"), scheduleFiles[String(file.dropFirst(10))] == nil {
                remove(schedule: String(file.dropFirst(10)), at: now)
            }
        }
        for state in tasks.values.sorted(by: { $0.name < $1.name }) {
            for schedule in state.schedules where schedule.definition == nil {
                commit(.unscheduled(task: state.name, schedule: schedule.id), at: now)
            }
        }
        pendingStart = PendingStart(isNewBoot: isNewBoot)
    }

    /// Handles the start of a daemon. The next turn handles missed due times.
    struct PendingStart {
        var isNewBoot: Bool
    }

    /// The schedules that the first turn after the start of a daemon handles, in this order.
    private func schedulesMissed(since start: PendingStart, at now: Instant) -> [ScheduleState] {
        tasks.values.sorted { $0.name < $1.name }.flatMap { state in
            state.schedules.filter { schedule in
                guard let definition = schedule.definition else { return false }
                if definition.recurrence.isReboot { return start.isNewBoot && definition.enabled && state.definition != nil }
                return schedule.next.map { $0 <= now } ?? false
            }
        }
    }

    private func catchUpAfterStart(_ recorded: Set<JobID>, at now: Instant) {
        guard let start = pendingStart else { return }
        pendingStart = nil
        for schedule in schedulesMissed(since: start, at: now) {
            if schedule.definition?.recurrence.isReboot == true {
                fire(schedule, [now], recorded, at: now)
            } else {
                catchUp(schedule, isMissed: true, recorded, at: now)
            }
        }
    }

    // MARK: Due times

    /// The ids of the jobs that a turn at this instant may make from due times. The caller looks for their records in the spool:
    /// after a clock was set back, due times occur again whose runs have ended.
    public func runsDue(at now: Instant) -> [JobID] {
        var ids: [JobID] = []
        func add(_ schedule: ScheduleState, _ runs: [Instant]) {
            ids += runs.map { JobID(task: schedule.task, schedule: schedule.id, due: $0) }
        }
        if let start = pendingStart {
            for schedule in schedulesMissed(since: start, at: now) {
                let isReboot = schedule.definition?.recurrence.isReboot == true
                add(schedule, isReboot ? [now] : backlog(of: schedule, isMissed: true, at: now)?.runs ?? [])
            }
        } else {
            for due in timetable.dues.all(while: { $0.instant <= now }) where due.isValid {
                add(due.schedule, backlog(of: due.schedule, isMissed: due.isMissed(at: now), at: now)?.runs ?? [])
            }
        }
        return ids
    }

    /// Handles all due times up to now.
    ///
    /// - Parameter recorded: those ids of `runsDue(at: now)` of which the spool has a record.
    func takeDue(_ recorded: Set<JobID>, at now: Instant) {
        catchUpAfterStart(recorded, at: now)
        fireDue(recorded, at: now)
    }

    private func fireDue(_ recorded: Set<JobID>, at now: Instant) {
        // `recorded` does not cover the due time after one whose run is on record, so that due time is left to the next turn.
        var unasked: Set<ObjectIdentifier> = []
        var left: [TimedSchedule] = []
        while let top = timetable.dues.first, top.instant <= now || !top.isValid {
            timetable.dues.removeFirst()
            guard top.isValid else { continue }
            guard !unasked.contains(ObjectIdentifier(top.schedule)) else {
                left.append(top)
                continue
            }
            if catchUp(top.schedule, isMissed: top.isMissed(at: now), recorded, at: now) { unasked.insert(ObjectIdentifier(top.schedule)) }
        }
        for one in left { timetable.dues.insert(one) }
    }

    /// The due times of a schedule up to now that have not been handled.
    private struct Backlog {
        let first: Instant
        /// The due times that become jobs, in order.
        var runs: [Instant] = []
        /// The earlier due times that become no job: the last of them, their number (nil when there are too many to count), and
        /// the reason.
        var skipped: (through: Instant, count: Int?, reason: SkippedDue.Reason)?
    }

    /// Divides the due times of a schedule by its rule for missed ones. Nil when there are none.
    private func backlog(of schedule: ScheduleState, isMissed: Bool, at now: Instant) -> Backlog? {
        guard let definition = schedule.definition, let first = schedule.next else { return nil }
        let isPaused = pauses[.task(schedule.task)] != nil
        let runsNone = isPaused || definition.catchUp == .none && isMissed
        let limit = definition.catchUp == .all ? definition.catchUpLimit : 1
        // An interval from the end has one due time until its run has ended. If none runs, each due time counts from the previous
        // one.
        let (dues, earlier) =
            definition.recurrence.isFromEnd && definition.recurrence.isInterval && !runsNone
            ? ([first], 0) : latestDues(of: schedule, through: now, limit: limit)
        guard let kept = dues.first, let last = dues.last else { return nil }
        var backlog = Backlog(first: first)
        if runsNone {
            backlog.skipped = (last, earlier.map { $0 + dues.count }, isPaused ? .paused : .missed)
        } else {
            // Ends just before the due times that run.
            if earlier != 0 {
                backlog.skipped = (kept.advanced(byMilliseconds: -1), earlier, definition.catchUp == .all ? .missed : .merged)
            }
            backlog.runs = dues
        }
        return backlog
    }

    /// Handles every due time of a schedule up to now. Returns true if a run of one was on record.
    @discardableResult
    private func catchUp(_ schedule: ScheduleState, isMissed: Bool, _ recorded: Set<JobID>, at now: Instant) -> Bool {
        guard let backlog = backlog(of: schedule, isMissed: isMissed, at: now) else { return false }
        if let (through, count, reason) = backlog.skipped {
            skip(schedule, from: backlog.first, through: through, count: count, reason, at: now)
        }
        fire(schedule, backlog.runs, recorded, at: now)
        plan(schedule)
        return !recorded.isEmpty && backlog.runs.contains { recorded.contains(JobID(task: schedule.task, schedule: schedule.id, due: $0)) }
    }

    /// The last `limit` due times up to `now` that have not been handled, and the number before them (nil when there are many).
    ///
    /// Searches backwards from now in windows that double, so that a year of missed seconds costs only a few steps.
    private func latestDues(
        of schedule: ScheduleState, through now: Instant, limit: Int
    ) -> (dues: [Instant], earlier: Int?) {
        guard let definition = schedule.definition, let first = schedule.next else { return ([], 0) }
        let origin = schedule.intervalOrigin
        let countedMax = max(10_000, limit)
        var end = now
        if let notAfter = definition.notAfter { end = min(end, notAfter) }
        var at = first
        var all = [first]
        while let next = definition.recurrence.next(after: at, origin: origin), next <= end {
            if all.count >= countedMax { break }
            all.append(next)
            at = next
        }
        if all.count < countedMax { return (Array(all.suffix(limit)), all.count - min(limit, all.count)) }
        var window: Int64 = 1000
        while true {
            var found: [Instant] = []
            at = max(end.advanced(byMilliseconds: -window), first)
            while let next = definition.recurrence.next(after: at, origin: origin), next <= end {
                if found.count >= 2 * countedMax { found.removeFirst(countedMax) }
                found.append(next)
                at = next
            }
            if found.count >= limit { return (Array(found.suffix(limit)), nil) }
            window *= 2
        }
    }

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
    private func fire(_ schedule: ScheduleState, _ dues: [Instant], _ recorded: Set<JobID>, at now: Instant) {
        guard let state = tasks[schedule.task], let task = state.definition, let definition = schedule.definition
        else { return }
        for due in dues {
            let id = JobID(task: schedule.task, schedule: schedule.id, due: due)
            // The clock was set back, and the schedule was removed and added again: the run of this due time exists already.
            if jobs[id] != nil || endedInTurn[id] != nil || recorded.contains(id) {
                skip(schedule, from: due, through: due, count: 1, .overlap, at: now)
                continue
            }
            switch task.overlap {
            case .skip where !state.active.isEmpty,
                // Each run that catches up is wanted, so all of them may wait.
                .wait where dues.count == 1 && state.active.contains(where: { $0.attempt == 0 }):
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
        for old in tasks[task]?.active ?? [] where old.id != new {
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
