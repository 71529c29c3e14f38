// Handles a wrong clock: for example, the machine started in 2098, was then corrected, and the times recorded meanwhile are far
// in the future.
//
// Invariants:
// - A clock that is set back by less than a day repeats nothing: handled due times stay handled until the clock has passed them.
// - Times further in the future come from a wrong clock, and nothing waits for them: a schedule counts from now, or from what it
//   had handled before. A job that waits for its next try waits its usual time, even if its last try ended by the wrong clock.
// - If the present clock is wrong, nothing is changed: a clock before the creation of this program is about to be corrected.
// - A due time whose run is on record never runs again, whatever the clock has shown.

extension Scheduler {
    /// A time of the past may be at most this far ahead of the clock.
    static let clockErrorMilliseconds: Int64 = 86_400_000

    /// A time before this program existed: 2026-01-01T00:00:00Z.
    private static let earliest = Instant(milliseconds: 1_767_225_600_000)

    private func limit(at now: Instant) -> Instant? {
        now < Self.earliest ? nil : now.advanced(byMilliseconds: Self.clockErrorMilliseconds)
    }

    /// The schedules, `TASK/ID`, whose due times are handled up to a time that a correct clock cannot have shown yet.
    public func schedulesAhead(at now: Instant) -> [String] {
        guard let limit = limit(at: now) else { return [] }
        var ahead: [String] = []
        for state in tasks.values {
            for schedule in state.schedules where schedule.accounted > limit { ahead.append("\(schedule.task)/\(schedule.id)") }
        }
        return ahead.sorted()
    }

    /// Repairs the times that a wrong clock has moved into the future. Call this at the start and whenever the clock was set.
    func distrustMarksAhead(at now: Instant) {
        guard let limit = limit(at: now) else { return }
        let isAhead = { (state: TaskState) in
            state.schedules.contains { $0.accounted > limit } || state.history?.expectedSince.map { $0 > limit } ?? false
        }
        for state in tasks.values.filter(isAhead).sorted(by: { $0.name < $1.name }) {
            for schedule in state.schedules where schedule.accounted > limit && schedule.files == nil {
                let before = schedule.accountedBefore
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
