/// A recurrence rule in a zone, with its end as an instant and with its exclusions.
final class RRuleSchedule: Sendable {
    let rule: RRule
    /// In seconds of the wall clock.
    let start: Int64
    private let schedule: WallSchedule<RRuleSearch>
    /// The last instant that can be due, from COUNT or an UNTIL in UTC.
    private let end: Instant
    private let excluded: InstantRanges

    var zone: Zone { schedule.zone }
    var isWildcard: Bool { schedule.rule.isWildcard }

    init(_ rule: RRule, start: Int64, excluding: InstantRanges, zone: Zone, daylight: DaylightRule) {
        self.rule = rule
        self.start = start
        let search = RRuleSearch(rule, start: start)
        let schedule = WallSchedule(search, zone: zone, daylight: daylight)
        self.schedule = schedule
        excluded = excluding
        if let count = rule.count {
            end = Self.last(of: count, search, schedule)
        } else if let until = rule.until, until.form == .utc {
            end = Instant(seconds: until.wall)
        } else {
            end = Instant(milliseconds: .max)
        }
    }

    func next(after instant: Instant) -> Instant? {
        guard let due = schedule.next(after: instant), due <= end else { return nil }
        if excluded.ranges.isEmpty { return due }
        var last = due
        while let range = excluded.range(containing: last) {
            guard let due = schedule.next(after: range.upperBound.advanced(byMilliseconds: -1)), due <= end else { return nil }
            last = due
        }
        return last
    }

    /// As `WallSchedule.wall(of:)`.
    func wall(of due: Instant) -> Int64? { schedule.wall(of: due) }

    /// As `WallSchedule.skippedWalls(of:)`.
    func skippedWalls(of due: Instant) -> [Int64] { schedule.skippedWalls(of: due) }

    func nextOccurrence(after instant: Instant) -> Occurrence? {
        guard let due = next(after: instant) else { return nil }
        return schedule.nextOccurrence(after: due.advanced(byMilliseconds: -1))
    }

    /// True when the start is the first occurrence.
    var namesStart: Bool { schedule.rule.firstMatch(atOrAfter: start) == start }

    // MARK: COUNT

    /// The instant of the nth occurrence, or a later one when there are fewer.
    ///
    /// Due instants are counted, so daylight saving adds none and removes none. Nothing is due before 1970, so the times that the
    /// rule matches are counted there.
    private static func last(of count: Int, _ search: RRuleSearch, _ schedule: WallSchedule<RRuleSearch>) -> Instant {
        let epoch = Int64(schedule.zone.offsetSeconds(at: Instant(milliseconds: 0)))
        var left = count
        var wall = search.firstMatch(atOrAfter: .min)
        while wall < epoch {
            left -= 1
            if left == 0 { return Instant(milliseconds: -1) }
            wall = search.firstMatch(atOrAfter: wall + 1)
        }
        var due = Instant(milliseconds: -1)
        while left > 0 {
            guard let next = schedule.next(after: due) else { return Instant(milliseconds: .max) }
            due = next
            left -= 1
        }
        return due
    }
}
