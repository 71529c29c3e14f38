/// The due times of a schedule up to now that have not been handled, divided by its rule for missed ones.
struct Backlog {
    let first: Instant
    /// The due times that become jobs, in order.
    var runs: [Instant] = []
    /// The earlier due times that become no job: the last of them, their number (nil when there are too many to count), and
    /// the reason.
    var skipped: (through: Instant, count: Int?, reason: SkippedDue.Reason)?

    /// Nil when there are no such due times.
    init?(of schedule: ScheduleState, isMissed: Bool, isPaused: Bool, at now: Instant) {
        guard let definition = schedule.definition, let first = schedule.next else { return nil }
        self.first = first
        let runsNone = isPaused || definition.catchUp == .none && isMissed
        let (dues, all) = Self.latest(of: schedule, definition, from: first, through: now, runsNone: runsNone)
        guard let kept = dues.first, let last = dues.last else { return nil }
        let count = all ?? Self.count(of: schedule, definition, from: first, through: now)
        if runsNone {
            skipped = (last, count, isPaused ? .paused : .missed)
        } else {
            let earlier = count.map { $0 - dues.count }
            // Ends just before the due times that run.
            if earlier != 0 {
                skipped = (kept.advanced(byMilliseconds: -1), earlier, definition.catchUp == .all ? .missed : .merged)
            }
            runs = dues
        }
    }

    /// The due times that become jobs alone: those that are skipped are not counted, which can take long.
    static func runs(of schedule: ScheduleState, isMissed: Bool, isPaused: Bool, at now: Instant) -> [Instant] {
        guard let definition = schedule.definition, let first = schedule.next, !isPaused, definition.catchUp != .none || !isMissed
        else { return [] }
        return latest(of: schedule, definition, from: first, through: now, runsNone: false).dues
    }

    /// More due times than these are counted as many.
    private static func countedMax(_ definition: ScheduleDefinition) -> Int { max(10_000, limit(definition)) }

    private static func limit(_ definition: ScheduleDefinition) -> Int { definition.catchUp == .all ? definition.catchUpLimit : 1 }

    private static func end(_ definition: ScheduleDefinition, _ now: Instant) -> Instant { min(now, definition.notAfter ?? now) }

    /// The last due times from `first` to `now`, as many as may run, and the number of all if that is known then.
    ///
    /// When there are many more, searches backwards from now in windows that double, so that a year of missed seconds costs only a few
    /// steps.
    private static func latest(
        of schedule: ScheduleState, _ definition: ScheduleDefinition, from first: Instant, through now: Instant, runsNone: Bool
    ) -> (dues: [Instant], all: Int?) {
        // An interval from the end has one due time until its run has ended. If none runs, each due time counts from the previous
        // one.
        if definition.recurrence.isFromEnd, definition.recurrence.isInterval, !runsNone { return ([first], 1) }
        let limit = limit(definition)
        let end = end(definition, now)
        var at = first
        var all = [first]
        // Mostly there are few.
        while all.count <= limit + 16 {
            guard let next = schedule.due(after: at), next <= end else { return (Array(all.suffix(limit)), all.count) }
            all.append(next)
            at = next
        }
        var window: Int64 = 1000
        while true {
            var found: [Instant] = []
            at = max(end.advanced(byMilliseconds: -window), first)
            while let next = schedule.due(after: at), next <= end {
                if found.count >= limit + 1000 { found.removeFirst(1000) }
                found.append(next)
                at = next
            }
            if found.count >= limit { return (Array(found.suffix(limit)), nil) }
            window *= 2
        }
    }

    /// The number of due times from `first` to `now`. Nil when there are many.
    private static func count(
        of schedule: ScheduleState, _ definition: ScheduleDefinition, from first: Instant, through now: Instant
    ) -> Int? {
        let max = countedMax(definition)
        let count = 1 + schedule.dueCount(after: first, through: end(definition, now), max: max - 1)
        return count < max ? count : nil
    }
}
