import Store

extension Session {
    /// Says on standard error when schedules that were just written are due next: `next due Mon 30 Nov 02:30 UTC (03:30 CET)`.
    func remarkNextDue(_ schedules: [ScheduleDefinition]) {
        guard !isJSON, !isQuiet else { return }
        let enabled = schedules.filter(\.enabled)
        let dues = enabled.compactMap { schedule in schedule.firstDue(after: now).map { (instant: $0, schedule: schedule) } }
        if let first = dues.min(by: { $0.instant < $1.instant }) {
            return complain("next due \(dueText(first.instant, first.schedule))")
        }
        for schedule in enabled {
            if let onPath = schedule.onPath {
                complain("due \(onPath.spoken)")
            } else if schedule.recurrence.isReboot {
                complain("due when spoold first starts after a boot of the machine")
            } else if let program = schedule.recurrence.patternExtension {
                complain("the program \(Layout.patterns)/\(program.key) decides when it is due")
            } else if let notAfter = schedule.notAfter, schedule.recurrence.next(after: now, origin: now) != nil {
                complain("never due: its not_after, \(TimeText.spoken(notAfter, callerZone, now: now)), comes before its next due time")
            }
        }
    }

    /// The same for a task whose file was changed. Its `every` schedules continue to count from the same time.
    func remarkNextDue(ofChanged name: String) throws(Failure) {
        guard !isJSON, !isQuiet else { return }
        let catalog = try TaskCatalog(self)
        let entry = try catalog.entry(name)
        guard let next = try DueTimes(self, catalog.fs, for: [entry]).next([entry], count: 1).first else {
            return remarkNextDue(entry.schedules.map(\.definition))
        }
        complain("next due \(dueText(next.instant, next.schedule))")
    }

    /// Writes the time by the schedule's clock, and also by the caller's clock if that shows another time.
    private func dueText(_ instant: Instant, _ schedule: ScheduleDefinition) -> String {
        let zone = schedule.zone
        let isByClock = schedule.once == nil && !schedule.recurrence.isInterval
        guard isByClock, zone.offsetSeconds(at: instant) != callerZone.offsetSeconds(at: instant) else { return spoken(instant) }
        let text = "\(TimeText.spoken(instant, zone, now: now)) (\(TimeText.beside(instant, callerZone, zone)))"
        // The command has read the configuration before.
        let isConfigured = arguments.value("timezone") == nil && schedule.zone.name == (try? configuration())?.zone.name
        let mayBeLocal = isConfigured && command.options.contains { $0.name == "timezone" }
        return mayBeLocal ? "\(text); --timezone local for your own" : text
    }
}

extension ScheduleDefinition {
    /// The first due time of a new schedule; nil when there is none, and when a boot, a program or a file decides.
    fileprivate func firstDue(after now: Instant) -> Instant? {
        guard !recurrence.isReboot, !recurrence.isEvent, recurrence.patternExtension == nil else { return nil }
        let after = notBefore.map { max(now, $0.advanced(byMilliseconds: -1)) } ?? now
        guard let next = recurrence.next(after: after, origin: now) else { return nil }
        return notAfter.map { next <= $0 } ?? true ? next : nil
    }
}
