// Definitions that are new, changed or gone: what they mean for due times, and which text stays in force.
//
// Invariants:
// - If a text cannot be accepted, the last accepted one stays in force.
// - Handled due times stay handled, whatever happens to the text. An edit counts from the time at which it was written.

extension Scheduler {
    func define(_ definition: TaskDefinition, since: Instant, _ stamp: ContentStamp? = nil, at now: Instant) {
        recallSchedules(of: definition, at: now)
        let file = "tasks/\(definition.name)"
        if let late = definition.lateness(since: since, isDealtWith: { isDealtWith($0, of: definition.name) }) {
            turn.refusals.append(Turn.Refusal(file: file, ending: definition.source.format.rawValue, why: "\(late)"))
            if definitions[file]?.source != definition.source { reinstate(task: definition.name, at: now) }
            return
        }
        if definitions[file]?.source != definition.source {
            // The task was created when its name was defined first.
            let createdAt = definitions[file].map(\.createdAt) ?? now
            let known = RecordedDefinition(definition.source, writtenAt: definition.writtenAt, createdAt: createdAt, stamp: stamp)
            commit(.defined(file: file, known), at: now)
        } else if let stamp {
            record(stamp, of: file, at: now)
        }
        guard let state = tasks[definition.name] else { preconditionFailure("the record of its text has made the task") }
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
        task: String, _ definition: ScheduleDefinition, _ source: Source, since: Instant, _ stamp: ContentStamp? = nil, at now: Instant
    ) {
        recallSchedule(definition.id, of: task, unlike: source, at: now)
        let file = "schedules/\(definition.id)"
        if !isDealtWith(definition, of: task), let late = definition.lateness(since: since, in: source) {
            turn.refusals.append(Turn.Refusal(file: file, ending: source.format.rawValue, why: "\(late)"))
            if definitions[file]?.source != source { reinstate(schedule: definition.id, at: now) }
            return
        }
        if let old = derived.scheduleFiles[definition.id], old != task { remove(schedule: definition.id, at: now) }
        if definitions[file]?.source != source {
            commit(.defined(file: file, RecordedDefinition(source, writtenAt: definition.writtenAt, stamp: stamp)), at: now)
        } else if let stamp {
            record(stamp, of: file, at: now)
        }
        derived.scheduleFiles[definition.id] = task
        attach(definition, to: task, since: since, isFile: true, at: now)
    }

    /// Records the stamp of a definition's file if it is another one.
    private func record(_ stamp: ContentStamp?, of file: String, at now: Instant) {
        if let known = definitions[file], known.stamp != stamp { commit(.stamped(file: file, stamp), at: now) }
    }

    /// Restores the definition that was accepted last, after a restart that found the file unusable.
    func reinstate(task name: String, at now: Instant) {
        record(nil, of: "tasks/\(name)", at: now)
        guard tasks[name]?.definition == nil, let known = definitions["tasks/\(name)"] else { return }
        do throws(Problems) {
            define(try TaskDefinition(name: name, source: known.source, context(known.writtenAt)), since: now, at: now)
        } catch {
            turn.refusals.append(Turn.Refusal(file: "tasks/\(name)", why: "the definition accepted earlier cannot be read: \(error)"))
        }
    }

    func reinstate(schedule id: String, at now: Instant) {
        record(nil, of: "schedules/\(id)", at: now)
        guard derived.scheduleFiles[id] == nil, let known = definitions["schedules/\(id)"] else { return }
        do throws(Problems) {
            let (task, definition) = try ScheduleDefinition.file(id: id, source: known.source, context(known.writtenAt))
            define(task: task, definition, known.source, since: now, at: now)
        } catch {
            turn.refusals.append(Turn.Refusal(file: "schedules/\(id)", why: "the schedule accepted earlier cannot be read: \(error)"))
        }
    }

    func context(_ now: Instant) -> ReadingContext {
        var context = ReadingContext(now: now, zones: zones, zone: settings.zone, calendars: calendars)
        context.taskDefaults = settings.taskDefaults
        return context
    }

    func remove(task name: String, at now: Instant) {
        let state = tasks[name]
        state?.definition = nil
        if definitions["tasks/\(name)"] != nil { commit(.undefined(file: "tasks/\(name)"), at: now) }
        guard let state else { return }
        for schedule in state.schedules where !schedule.isFile {
            commit(.unscheduled(task: name, schedule: schedule.id), at: now)
        }
        for schedule in state.schedules {
            schedule.next = nil
            schedule.asking?.state = .unasked
            if schedule.files != nil { derived.fileWaits.version += 1 }
        }
    }

    func remove(schedule id: String, at now: Instant) {
        if definitions["schedules/\(id)"] != nil { commit(.undefined(file: "schedules/\(id)"), at: now) }
        guard let task = derived.scheduleFiles.removeValue(forKey: id), tasks[task]?.schedule(id) != nil else { return }
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
        guard derived.scheduleFiles[id] == nil, let known = definitions["schedules/\(id)"], known.source != source,
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
        recordCalendars(of: definition, at: now)
        reportUnknownCalendars(of: definition, task, isFile: isFile)
        let known = tasks[task]?.schedule(definition.id)
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
        guard let state = tasks[task]?.schedule(definition.id) else { return }
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
}
