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
        for file in definitions.keys.sorted() {
            if file.hasPrefix("tasks/"), tasks[String(file.dropFirst(6))]?.definition == nil {
                remove(task: String(file.dropFirst(6)), at: now)
            } else if file.hasPrefix("schedules/"), derived.scheduleFiles[String(file.dropFirst(10))] == nil {
                remove(schedule: String(file.dropFirst(10)), at: now)
            }
        }
        for state in tasks.values.sorted(by: { $0.name < $1.name }) {
            for schedule in state.schedules where schedule.definition == nil {
                commit(.unscheduled(task: state.name, schedule: schedule.id), at: now)
            }
        }
        adoptCalendars(isStart: true, at: now)
        agenda.start = PendingStart(isNewBoot: isNewBoot)
    }

    /// The schedules that the first turn after the start of a daemon handles, in this order.
    func schedulesMissed(since start: PendingStart, at now: Instant) -> [ScheduleState] {
        tasks.values.sorted { $0.name < $1.name }.flatMap { state in
            state.schedules.filter { schedule in
                guard let definition = schedule.definition else { return false }
                if definition.recurrence.isReboot { return start.isNewBoot && definition.enabled && state.definition != nil }
                return schedule.next.map { $0 <= now } ?? false
            }
        }
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
