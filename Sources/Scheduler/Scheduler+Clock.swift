// A clock that was wrong: the machine came up in 2098, was then corrected, and what was written down meanwhile lies far ahead.
//
// What holds:
// - A clock that is set back by less than a day makes nothing run again: what is dealt with stays so until it is later than that.
// - What lies further ahead was written by a wrong clock, and nothing waits for it: a schedule counts from now, or from what it had
//   come to before, and a job that waits for its next try waits as long as it would have, also when its last one ended by that clock.
// - Unless it is this clock that is wrong: one that shows a time before this program was made is waited for to be corrected.
// - No due time whose run is on record runs again, whatever the clock has shown.

extension Scheduler {
    /// How far ahead of the clock anything may lie that is a mark of the past.
    static let clockErrorMilliseconds: Int64 = 86_400_000

    /// Before this program was there: 2026-01-01T00:00:00Z.
    private static let earliest = Instant(milliseconds: 1_767_225_600_000)

    private func limit(at now: Instant) -> Instant? {
        now < Self.earliest ? nil : now.advanced(byMilliseconds: Self.clockErrorMilliseconds)
    }

    /// The schedules, `TASK/ID`, whose due times are accounted for up to a time that a right clock cannot have shown yet.
    public func schedulesAhead(at now: Instant) -> [String] {
        guard let limit = limit(at: now) else { return [] }
        return tasks.values.flatMap { $0.schedules.filter { $0.accounted > limit }.map { "\($0.task)/\($0.id)" } }.sorted()
    }

    /// Brings back what a wrong clock has put off. To be called at the start and whenever the clock was set.
    func distrustMarksAhead(at now: Instant) {
        guard let limit = limit(at: now) else { return }
        for state in tasks.values.sorted(by: { $0.name < $1.name }) {
            for schedule in state.schedules where schedule.accounted > limit && schedule.files == nil {
                let before = schedule.accountedBefore
                commit(
                    .scheduled(
                        task: state.name, schedule: schedule.id, accounted: before > limit ? now : max(before, now),
                        origin: min(schedule.origin, now),
                        lastEnd: schedule.lastEnd.map { min($0, now) }),
                    at: now)
                plan(schedule, isChanged: true)
            }
            if let since = state.history?.expectedSince, since > limit, let isOverdue = state.history?.isOverdue {
                commit(.expecting(task: state.name, since: now, isOverdue: isOverdue), at: now)
                expect(of: state, at: now)
            }
        }
        for job in jobs.values.sorted(by: { $0.arrival < $1.arrival }) {
            // A time that it asked for itself is waited for, once.
            let isOfWrongClock = job.endedAt.map { $0 > limit } ?? (job.definition.start == nil && job.createdAt > limit)
            guard job.state == .new, job.notBefore > limit, isOfWrongClock else { continue }
            var ending = job.ending
            let wait = job.notBefore.milliseconds - (job.endedAt ?? job.notBefore).milliseconds
            ending.notBefore = now.advanced(byMilliseconds: max(0, wait))
            commit(.ended(job.id, ending), at: now)
        }
    }
}
