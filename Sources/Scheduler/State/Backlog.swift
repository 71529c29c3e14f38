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
        let runsNone = isPaused || definition.catchUp == .none && isMissed
        let limit = definition.catchUp == .all ? definition.catchUpLimit : 1
        // An interval from the end has one due time until its run has ended. If none runs, each due time counts from the previous
        // one.
        let (dues, earlier) =
            definition.recurrence.isFromEnd && definition.recurrence.isInterval && !runsNone
            ? ([first], 0) : Self.latest(of: schedule, definition, from: first, through: now, limit: limit)
        guard let kept = dues.first, let last = dues.last else { return nil }
        self.first = first
        if runsNone {
            skipped = (last, earlier.map { $0 + dues.count }, isPaused ? .paused : .missed)
        } else {
            // Ends just before the due times that run.
            if earlier != 0 {
                skipped = (kept.advanced(byMilliseconds: -1), earlier, definition.catchUp == .all ? .missed : .merged)
            }
            runs = dues
        }
    }

    /// The last `limit` due times from `first` to `now`, and the number before them (nil when there are many).
    ///
    /// Searches backwards from now in windows that double, so that a year of missed seconds costs only a few steps.
    private static func latest(
        of schedule: ScheduleState, _ definition: ScheduleDefinition, from first: Instant, through now: Instant, limit: Int
    ) -> (dues: [Instant], earlier: Int?) {
        let countedMax = max(10_000, limit)
        var end = now
        if let notAfter = definition.notAfter { end = min(end, notAfter) }
        var at = first
        var all = [first]
        while let next = schedule.due(after: at), next <= end {
            if all.count >= countedMax { break }
            all.append(next)
            at = next
        }
        if all.count < countedMax { return (Array(all.suffix(limit)), all.count - min(limit, all.count)) }
        var window: Int64 = 1000
        while true {
            var found: [Instant] = []
            at = max(end.advanced(byMilliseconds: -window), first)
            while let next = schedule.due(after: at), next <= end {
                if found.count >= 2 * countedMax { found.removeFirst(countedMax) }
                found.append(next)
                at = next
            }
            if found.count >= limit { return (Array(found.suffix(limit)), nil) }
            window *= 2
        }
    }
}
