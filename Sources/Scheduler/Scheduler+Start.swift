/// A daemon has started, and the next turn handles missed due times.
struct PendingStart {
    var isNewBoot: Bool
}

extension Scheduler {
    /// Handles the start of a daemon.
    func start(boot: String, version: String, at now: Instant) {
        let isNewBoot = lastBoot != boot
        commit(.daemonStarted(boot: boot, version: version), at: now)
        distrustMarksAhead(at: now)
        // Definitions that were removed while no daemon was running.
        for file in definitions.keys.filter(isOfRemoved).sorted() {
            if file.hasPrefix("tasks/") {
                remove(task: String(file.dropFirst(6)), at: now)
            } else {
                remove(schedule: String(file.dropFirst(10)), at: now)
            }
        }
        for state in tasks.values.filter({ $0.schedules.contains { $0.definition == nil } }).sorted(by: { $0.name < $1.name }) {
            for schedule in state.schedules where schedule.definition == nil {
                commit(.unscheduled(task: state.name, schedule: schedule.id), at: now)
            }
        }
        adoptCalendars(isStart: true, at: now)
        agenda.start = PendingStart(isNewBoot: isNewBoot)
    }

    /// True for the definition of a task or a schedule without a file.
    private func isOfRemoved(_ file: String) -> Bool {
        if file.hasPrefix("tasks/") { return tasks[String(file.dropFirst(6))]?.definition == nil }
        return file.hasPrefix("schedules/") && derived.scheduleFiles[String(file.dropFirst(10))] == nil
    }

    /// The schedules that the first turn after the start of a daemon handles, in this order.
    func schedulesMissed(since start: PendingStart, at now: Instant) -> [ScheduleState] {
        func isMissed(_ schedule: ScheduleState, of state: TaskState) -> Bool {
            if let next = schedule.next { return next <= now }
            guard start.isNewBoot, let definition = schedule.definition, definition.recurrence.isReboot else { return false }
            return definition.enabled && state.definition != nil
        }
        return tasks.values.filter { state in state.schedules.contains { isMissed($0, of: state) } }.sorted { $0.name < $1.name }
            .flatMap { state in state.schedules.filter { isMissed($0, of: state) } }
    }

    func catchUpAfterStart(_ onRecord: Set<JobID>, at now: Instant) {
        guard let start = agenda.start else { return }
        agenda.start = nil
        for schedule in schedulesMissed(since: start, at: now) {
            if schedule.definition?.recurrence.isReboot == true {
                fire(schedule, [now], onRecord, at: now)
            } else {
                catchUp(schedule, isMissed: true, onRecord, at: now)
            }
        }
    }
}
