/// A daemon has started, and the next turn handles missed due times.
struct PendingStart {
    var isNewBoot: Bool
    /// The `@reboot` lines of crontabs have run in this boot: another program ran them.
    var leavesOutCrontabs: Bool
    /// The due times that have passed are those that the clock has left out.
    var isAfterRest: Bool
}

extension Scheduler {
    /// Handles the start of a daemon.
    func start(boot: String, version: String, at now: Instant) {
        let isNewBoot = lastBoot != boot
        commit(.daemonStarted(boot: boot, version: version), at: now)
        distrustMarksAhead(at: now)
        // Definitions that were removed while no daemon was running.
        let schedules = recorded.otherDefinitions.keys.filter { $0.hasPrefix("schedules/") }.map { String($0.dropFirst(10)) }
        for id in schedules.filter({ derived.scheduleFiles[$0] == nil }).sorted() { remove(schedule: id, at: now) }
        // The schedule of a task that is removed here has no definition, either.
        let changed = sortedTasks { $0.isRecordedOnly || $0.schedules.contains { $0.definition == nil } }
        for state in changed where state.isRecordedOnly { remove(task: state.name, at: now) }
        for state in changed {
            for schedule in Array(state.schedules) where schedule.definition == nil {
                commit(.unscheduled(task: state.name, schedule: schedule.id), at: now)
            }
        }
        adoptCalendars(isStart: true, at: now)
        agenda.start = PendingStart(isNewBoot: isNewBoot, leavesOutCrontabs: settings.hasCronRun, isAfterRest: settings.isAfterRest)
    }

    /// The tasks for which a condition holds, by name.
    private func sortedTasks(where isWanted: (TaskState) -> Bool) -> [TaskState] {
        var found: [TaskState] = []
        for state in tasks.values where isWanted(state) { found.append(state) }
        return found.sorted { $0.name < $1.name }
    }

    /// The schedules that the first turn after the start of a daemon handles, in this order.
    func schedulesMissed(since start: PendingStart, at now: Instant) -> [ScheduleState] {
        var missed = derived.timetable.dues.all(by: now).map(\.schedule)
        if start.isNewBoot {
            for state in tasks.values where state.isDefined && !(start.leavesOutCrontabs && state.crontab != nil) {
                missed += state.schedules.filter { schedule in
                    schedule.next == nil && schedule.definition.map { $0.recurrence.isReboot && $0.enabled } ?? false
                }
            }
        }
        // In the order of the names and, for one task, of the schedules.
        var names: Set<String> = []
        for schedule in missed { names.insert(schedule.task) }
        let wanted = Set(missed.map(ObjectIdentifier.init))
        return names.sorted().flatMap { name in tasks[name]?.schedules.filter { wanted.contains(ObjectIdentifier($0)) } ?? [] }
    }

    /// A due time that passed while no daemon ran was missed. A line of a crontab is late as while one runs: an upgrade at its minute
    /// loses no run. After a rest, all due times are late as while a daemon runs.
    func isMissedAtStart(_ schedule: ScheduleState, after start: PendingStart, at now: Instant) -> Bool {
        guard let next = schedule.next else { return true }
        let due = TimedSchedule(instant: next, schedule: schedule)
        if start.isAfterRest { return isMissed(due, at: now) }
        return tasks[schedule.task]?.crontab == nil || due.isMissed(at: now)
    }

    func catchUpAfterStart(_ onRecord: Set<JobID>, at now: Instant) {
        guard let start = agenda.start else { return }
        agenda.start = nil
        for schedule in schedulesMissed(since: start, at: now) {
            if schedule.definition?.recurrence.isReboot == true {
                fire(schedule, [now], onRecord, at: now)
            } else {
                catchUp(schedule, isMissed: isMissedAtStart(schedule, after: start, at: now), onRecord, at: now)
            }
        }
    }
}
