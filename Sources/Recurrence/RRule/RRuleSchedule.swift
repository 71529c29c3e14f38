/// A recurrence rule in a zone, with its end as an instant and with its exclusions.
final class RRuleSchedule: Sendable {
    let rule: RRule
    /// In seconds of the wall clock.
    let start: Int64
    private let schedule: WallSchedule<RRuleSearch>
    /// The last instant that can be due, from COUNT or an UNTIL in UTC.
    private let end: Instant
    /// Ascending, without overlaps.
    private let excluded: [Range<Instant>]

    var zone: Zone { schedule.zone }
    var isWildcard: Bool { schedule.rule.isWildcard }

    init(_ rule: RRule, start: Int64, excluding: [Range<Instant>], zone: Zone, daylight: DaylightRule) {
        self.rule = rule
        self.start = start
        let search = RRuleSearch(rule, start: start)
        let schedule = WallSchedule(search, zone: zone, daylight: daylight)
        self.schedule = schedule
        excluded = Self.merged(excluding)
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
        if excluded.isEmpty { return due }
        var last = due
        while let range = exclusion(of: last) {
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

    // MARK: EXDATE

    private static func merged(_ ranges: [Range<Instant>]) -> [Range<Instant>] {
        var merged: [Range<Instant>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// The range that contains an instant.
    private func exclusion(of instant: Instant) -> Range<Instant>? {
        var low = 0
        var high = excluded.count
        while low < high {
            let middle = (low + high) / 2
            if excluded[middle].upperBound <= instant { low = middle + 1 } else { high = middle }
        }
        return low < excluded.count && excluded[low].contains(instant) ? excluded[low] : nil
    }
}
