// Calendars that schedules name, and that the configuration defines, changes and removes.
//
// Invariants:
// - A changed calendar counts from now on. What has run does not run again, and what had moved to a later time runs then: see
//   `SettledDues`.
// - A calendar that cannot be used any more stays in force as long as a schedule in force names it.
// - A schedule with a calendar that nobody knows is never due, and its file is reported.

extension Scheduler {
    /// The calendars in force.
    public var calendars: Calendars { derived.calendars.all(settings.calendars, zones) }

    /// Takes over the calendars of the configuration, and reads the definitions again that name a calendar which has changed.
    ///
    /// - Parameter isStart: the calendars have changed while no daemon ran, so due times since the last one ended are those of the new
    ///   calendars.
    func adoptCalendars(isStart: Bool, at now: Instant) {
        var named: Set<String> = []
        for state in tasks.values {
            for schedule in state.schedules { if let filter = schedule.definition?.recurrence.filter { named.formUnion(filter.names) } }
        }
        var changed: Set<String> = []
        for name in named.union(derived.calendars.names).sorted() {
            let file = CalendarsInForce.directory + name
            let before = derived.calendars.source(of: name)
            if !named.contains(name) {
                commit(.undefined(file: file), at: now)
            } else if let source = settings.calendars.accepted(name)?.source, source != before {
                commit(.defined(file: file, RecordedDefinition(source, writtenAt: now)), at: now)
                changed.insert(name)
            }
        }
        guard !changed.isEmpty else { return }
        reread(because: "the new calendars", at: now, isStart: isStart) { !changed.isDisjoint(with: $0.calendarNames) }
    }

    /// Records the calendars that a definition is the first to name.
    func recordCalendars(of definition: ScheduleDefinition, at now: Instant) {
        for name in definition.calendarNames where derived.calendars.source(of: name) == nil {
            guard let calendar = settings.calendars.accepted(name) else { continue }
            commit(.defined(file: CalendarsInForce.directory + name, RecordedDefinition(calendar.source, writtenAt: now)), at: now)
        }
    }

    func reportUnknownCalendars(of definition: ScheduleDefinition, _ task: String, isFile: Bool) {
        let unknown = definition.unknownCalendars
        guard !unknown.isEmpty else { return }
        let names = unknown.map { "\"\($0)\"" }.joined(separator: ", ")
        turn.refusals.append(
            Turn.Refusal(
                file: isFile ? "schedules/\(definition.id)" : "tasks/\(task)",
                why: "schedule \(definition.id) waits: the configuration has no calendar \(names), and its last form is not known; "
                    + "define it again, or change the schedule"))
    }

    /// Records the due times that count no more, unless the schedule has none that can move. Reports those that had moved and are too many.
    func settle(_ task: String, _ definition: ScheduleDefinition, _ dues: SettledDues, at now: Instant) {
        var dues = dues
        let hasMore = dues.open.count > SettledDues.openMax
        if hasMore { dues.open.removeLast(dues.open.count - SettledDues.openMax) }
        let known = tasks[task]?.schedule(definition.id)?.settled
        guard known != dues, known != nil || !dues.open.isEmpty || definition.recurrence.filter?.whenExcluded == .next else { return }
        if hasMore, let last = dues.open.last {
            turn.refusals.append(
                Turn.Refusal(
                    file: "tasks/\(task)",
                    why: "schedule \(definition.id): the calendars have changed, and more than \(SettledDues.openMax) due times had moved "
                        + "to later times; those that had moved past \(last.rfc3339) do not run"))
        }
        commit(.settled(task: task, schedule: definition.id, dues), at: now)
    }
}
