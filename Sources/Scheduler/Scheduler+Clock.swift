// Handles a wrong clock: for example, the machine started in 2098, was then corrected, and the times recorded meanwhile are far
// in the future.
//
// Invariants:
// - A clock that is set back by less than a day repeats nothing: handled due times stay handled until the clock has passed them.
// - Times further in the future come from a wrong clock, and nothing waits for them: a schedule counts from now, or from what it
//   had handled before. A job that waits for its next try waits its usual time, even if its last try ended by the wrong clock.
// - If the present clock is wrong, nothing is changed: a clock before the creation of this program is about to be corrected.
// - A due time whose run is on record never runs again, whatever the clock has shown.
// - The lines of crontabs follow the clock as with cron(8) instead. A line that is not bound to a time of day, because its hour or minute
//   begins with `*`, is due by the new clock at once, also a second time. Any other line does so after the clock was set back by more than
//   three hours; after less, it repeats nothing. Its due times in a span that the clock has left out are made up for by one run, if the
//   span is at most three hours long.

extension Scheduler {
    /// A time of the past may be at most this far ahead of the clock.
    public static let clockErrorMilliseconds: Int64 = 86_400_000

    /// A time before this program existed: 2026-01-01T00:00:00Z.
    private static let earliest = Instant(milliseconds: 1_767_225_600_000)

    /// cron.c of Debian's cron: a clock that was set by less than this has not been set to another time of day.
    private static let cronClockMilliseconds: Int64 = 3 * 3_600_000
    /// The clock is often set by less than this, to the right time.
    private static let clockCorrectionMilliseconds: Int64 = 60_000
    /// cron.c of Debian's cron: when no more than this was left out, all lines run for it.
    private static let cronLateMilliseconds: Int64 = 5 * 60_000
    /// The number of times that a line can run again for one due time. A clock that is set back once a minute needs no more in an hour.
    private static let repetitionsMax = 60

    private func limit(at now: Instant) -> Instant? {
        now < Self.earliest ? nil : now.advanced(byMilliseconds: Self.clockErrorMilliseconds)
    }

    /// The latest time up to which the schedule's due times may be handled. One that is handled further counts from now instead.
    private func limit(of schedule: ScheduleState, of state: TaskState, at now: Instant, _ limit: Instant) -> Instant {
        guard state.crontab != nil, let recurrence = schedule.definition?.recurrence, !recurrence.isReboot else { return limit }
        return now.advanced(byMilliseconds: recurrence.isFixed ? Self.cronClockMilliseconds : Self.clockCorrectionMilliseconds)
    }

    private func isAhead(_ schedule: ScheduleState, of state: TaskState, at now: Instant, _ limit: Instant) -> Bool {
        schedule.accounted > self.limit(of: schedule, of: state, at: now, limit)
    }

    /// True when it is too late for a due time that has passed while the daemon ran.
    func isMissed(_ due: TimedSchedule, at now: Instant) -> Bool {
        guard due.isMissed(at: now) else { return false }
        guard tasks[due.schedule.task]?.crontab != nil, let recurrence = due.schedule.definition?.recurrence else { return true }
        let late = recurrence.isFixed ? Self.cronClockMilliseconds : Self.cronLateMilliseconds
        return now.milliseconds - due.instant.milliseconds > late
    }

    /// The due times under which a line may run again for one that it has run for: each a millisecond later, so that the run has an id of
    /// its own. Empty when the clock was not set back since.
    func repetitions(of due: Instant, _ schedule: ScheduleState) -> [Instant] {
        guard let through = schedule.repeatedThrough, due <= through, tasks[schedule.task]?.crontab != nil else { return [] }
        return (1...Self.repetitionsMax).map { due.advanced(byMilliseconds: Int64($0)) }
    }

    /// The schedules, `TASK/ID`, whose due times are handled up to a time that a correct clock cannot have shown yet.
    public func schedulesAhead(at now: Instant) -> [String] {
        guard let limit = limit(at: now) else { return [] }
        var ahead: [String] = []
        for state in tasks.values {
            for schedule in state.schedules where isAhead(schedule, of: state, at: now, limit) {
                ahead.append("\(schedule.task)/\(schedule.id)")
            }
        }
        return ahead.sorted()
    }

    /// Repairs the times that a wrong clock has moved into the future. Call this at the start and whenever the clock was set.
    func distrustMarksAhead(at now: Instant) {
        guard let limit = limit(at: now) else { return }
        let isAnyAhead = { (state: TaskState) in
            state.schedules.contains { self.isAhead($0, of: state, at: now, limit) }
                || state.history?.expectedSince.map { $0 > limit } ?? false
        }
        for state in tasks.values.filter(isAnyAhead).sorted(by: { $0.name < $1.name }) {
            for schedule in state.schedules where isAhead(schedule, of: state, at: now, limit) && schedule.files == nil {
                let before = schedule.accountedBefore
                let limit = self.limit(of: schedule, of: state, at: now, limit)
                commit(
                    .scheduled(
                        task: state.name, schedule: schedule.id, accounted: before > limit ? now : max(before, now),
                        origin: min(schedule.origin, now),
                        lastEnd: schedule.lastEnd.map { min($0, now) }),
                    at: now)
                if let settled = schedule.settled, settled.through > schedule.accounted {
                    commit(.settled(task: state.name, schedule: schedule.id, SettledDues(through: schedule.accounted)), at: now)
                }
                plan(schedule, isChanged: true)
            }
            if let since = state.history?.expectedSince, since > limit, let isOverdue = state.history?.isOverdue {
                commit(.expecting(task: state.name, since: now, isOverdue: isOverdue), at: now)
                expect(of: state, at: now)
            }
        }
        for job in jobs.values.sorted(by: { $0.arrival < $1.arrival }) {
            // The job itself asked for this start time, so it waits for it, once.
            let isOfWrongClock = job.endedAt.map { $0 > limit } ?? (job.definition.start == nil && job.createdAt > limit)
            guard job.state == .new, job.notBefore > limit, isOfWrongClock else { continue }
            var ending = job.ending
            let wait = job.notBefore.milliseconds - (job.endedAt ?? job.notBefore).milliseconds
            ending.notBefore = now.advanced(byMilliseconds: max(0, wait))
            commit(.ended(job.id, ending), at: now)
        }
    }
}
