// Definitions that are new, changed or gone: what they mean for due times, and which text stays in force.
//
// Invariants:
// - If a text cannot be accepted, the last accepted one stays in force.
// - Handled due times stay handled, whatever happens to the text. An edit counts from the time at which it was written.

extension Scheduler {
    func define(_ definition: TaskDefinition, since: Instant, _ stamp: ContentStamp? = nil, at now: Instant) {
        let known = tasks[definition.name]?.recorded
        let isKnownText = known?.source == definition.source
        if !isKnownText { recallSchedules(of: definition, at: now) }
        if let late = definition.lateness(since: since, isDealtWith: { isDealtWith($0, of: definition.name) }) {
            let file = "tasks/\(definition.name)"
            turn.refusals.append(Turn.Refusal(file: file, ending: definition.source.format.rawValue, why: "\(late)"))
            if !isKnownText { reinstate(task: definition.name, at: now) }
            return
        }
        if !isKnownText || known?.crontab != definition.crontab || known?.mounted != definition.mounted {
            // The task was created when its name was defined first.
            let createdAt = known.map(\.createdAt) ?? now
            let recorded = RecordedDefinition(
                definition.source, writtenAt: definition.writtenAt, createdAt: createdAt, stamp: stamp, crontab: definition.crontab,
                mounted: definition.mounted)
            commit(.defined(file: "tasks/\(definition.name)", recorded), at: now)
        } else if let stamp, known?.stamp != stamp {
            commit(.stamped(file: "tasks/\(definition.name)", stamp), at: now)
        }
        guard let state = tasks[definition.name] else { preconditionFailure("the record of its text has made the task") }
        if !state.isDefined { derived.definedCount += 1 }
        state.putInForce(definition)
        removeSchedules(of: state, besides: definition, at: now)
        for schedule in definition.schedules { attach(schedule, to: state.name, state, since: since, isFile: false, at: now) }
        // A schedule in a file of its own may have been read before its task.
        for schedule in state.schedules where schedule.isFile {
            plan(schedule, of: state, isChanged: true)
            if schedule.definition?.onPath != nil { waitForFiles(schedule, since: since) }
        }
        expect(of: state, at: now)
    }

    /// Ends the schedules that the task's text no longer contains.
    private func removeSchedules(of state: TaskState, besides definition: TaskDefinition, at now: Instant) {
        if state.schedules.count == 1, definition.schedules.count == 1, state.schedules.first?.id == definition.schedules[0].id { return }
        let kept = Set(definition.schedules.map(\.id))
        for old in Array(state.schedules) where !old.isFile && old.definition != nil && !kept.contains(old.id) {
            commit(.unscheduled(task: definition.name, schedule: old.id), at: now)
        }
    }

    func define(
        task: String, _ definition: ScheduleDefinition, _ source: Source, writtenAt: Instant, since: Instant, _ stamp: ContentStamp? = nil,
        at now: Instant
    ) {
        recallSchedule(definition.id, of: task, unlike: source, at: now)
        let file = "schedules/\(definition.id)"
        let isKnownText = self.definition(of: file)?.source == source
        if !isDealtWith(definition, of: task), let late = definition.lateness(since: since, in: source) {
            turn.refusals.append(Turn.Refusal(file: file, ending: source.format.rawValue, why: "\(late)"))
            if !isKnownText { reinstate(schedule: definition.id, at: now) }
            return
        }
        if let old = derived.scheduleFiles[definition.id], old != task { remove(schedule: definition.id, at: now) }
        // The removal has ended its record.
        if self.definition(of: file)?.source != source {
            commit(.defined(file: file, RecordedDefinition(source, writtenAt: writtenAt, stamp: stamp)), at: now)
        } else if let stamp {
            record(stamp, of: file, at: now)
        }
        derived.scheduleFiles[definition.id] = task
        attach(definition, to: task, tasks[task], since: since, isFile: true, at: now)
    }

    /// Records the stamp of a definition's file if it is another one.
    func record(_ stamp: ContentStamp?, of file: String, at now: Instant) {
        if let known = definition(of: file), known.stamp != stamp { commit(.stamped(file: file, stamp), at: now) }
    }

    /// Restores the definition that was accepted last, after a restart that found the file unusable.
    func reinstate(task name: String, at now: Instant) {
        record(nil, of: "tasks/\(name)", at: now)
        guard let state = tasks[name], !state.isDefined, let known = state.recorded else { return }
        do throws(Problems) {
            var definition = try TaskDefinition(name: name, source: known.source, context(known.writtenAt))
            (definition.crontab, definition.mounted) = (known.crontab, known.mounted)
            define(definition, since: now, at: now)
        } catch {
            turn.refusals.append(Turn.Refusal(file: "tasks/\(name)", why: "the definition accepted earlier cannot be read: \(error)"))
        }
    }

    func reinstate(schedule id: String, at now: Instant) {
        record(nil, of: "schedules/\(id)", at: now)
        guard derived.scheduleFiles[id] == nil, let known = definition(of: "schedules/\(id)") else { return }
        do throws(Problems) {
            let (task, definition) = try ScheduleDefinition.file(id: id, source: known.source, context(known.writtenAt))
            define(task: task, definition, known.source, writtenAt: known.writtenAt, since: now, at: now)
        } catch {
            turn.refusals.append(Turn.Refusal(file: "schedules/\(id)", why: "the schedule accepted earlier cannot be read: \(error)"))
        }
    }

    func context(_ now: Instant) -> ReadingContext {
        var context = ReadingContext(now: now, zones: zones, zone: settings.zone, calendars: calendars)
        context.taskDefaults = settings.taskDefaults
        context.sharedSchedules = sharedSchedules
        return context
    }

    func remove(task name: String, at now: Instant) {
        guard let state = tasks[name] else { return }
        if state.isDefined { derived.definedCount -= 1 }
        state.takeOutOfForce()
        if state.recorded != nil { commit(.undefined(file: "tasks/\(name)"), at: now) }
        for schedule in Array(state.schedules) where !schedule.isFile {
            commit(.unscheduled(task: name, schedule: schedule.id), at: now)
        }
        for schedule in state.schedules {
            schedule.next = nil
            schedule.asking?.state = .unasked
            if schedule.files != nil { derived.fileWaits.version += 1 }
        }
    }

    func remove(schedule id: String, at now: Instant) {
        if definition(of: "schedules/\(id)") != nil { commit(.undefined(file: "schedules/\(id)"), at: now) }
        guard let task = derived.scheduleFiles.removeValue(forKey: id), tasks[task]?.schedule(id) != nil else { return }
        commit(.unscheduled(task: task, schedule: id), at: now)
    }

    /// Restores the earlier text of each schedule after a restart that finds a file edited, so that the edit is recognized.
    private func recallSchedules(of task: TaskDefinition, at now: Instant) {
        guard let state = tasks[task.name], !state.isDefined, let known = state.recorded,
            // It can no longer be read (a zone was removed), so nothing is known about it.
            let before = try? TaskDefinition(name: task.name, source: known.source, context(known.writtenAt))
        else { return }
        for schedule in before.schedules where state.schedule(schedule.id)?.definition == nil {
            state.schedule(schedule.id)?.definition = schedule
        }
    }

    private func recallSchedule(_ id: String, of task: String, unlike source: Source, at now: Instant) {
        guard derived.scheduleFiles[id] == nil, let known = definition(of: "schedules/\(id)"), known.source != source,
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

    /// Puts a schedule in force. `state` is the state of its task, if there is one.
    private func attach(
        _ definition: ScheduleDefinition, to task: String, _ state: TaskState?, since: Instant, isFile: Bool, at now: Instant
    ) {
        recordCalendars(of: definition, at: now)
        reportUnknownCalendars(of: definition, task, isFile: isFile)
        let known = state?.schedule(definition.id)
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
            // An edit of the calendars alone leaves what had moved to a later time.
            let isOtherRule = known?.definition.map { !$0.isDueAlikeWithoutCalendars(definition) } ?? true
            let open = isOtherRule || wasDisabled ? [] : known?.open(at: accounted) ?? []
            commit(.scheduled(task: task, schedule: definition.id, accounted: accounted, origin: now, lastEnd: nil), at: now)
            settle(task, definition, SettledDues(through: accounted, open: open), at: now)
        }
        guard let state = state ?? tasks[task], let schedule = state.schedule(definition.id) else { return }
        schedule.definition = definition
        schedule.isFile = isFile
        if !definition.enabled, schedule.accounted < now {
            commit(
                .scheduled(
                    task: task, schedule: definition.id, accounted: now, origin: schedule.origin, lastEnd: schedule.lastEnd),
                at: now)
        }
        if definition.onPath != nil || schedule.files != nil { waitForFiles(schedule, since: since) }
        plan(schedule, of: state, isChanged: true)
    }
}
