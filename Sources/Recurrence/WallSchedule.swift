/// A rule that decides which seconds of the wall clock match, in any zone.
protocol WallRule: Sendable {
    /// The first matching wall time at or after `local`. `noMatch` when there is none before the wall clock reaches 2200-01-03.
    func firstMatch(atOrAfter local: Int64) -> Int64

    /// Debian's cron(8) treats jobs whose minute or hour begins with `*` differently when the clock changes.
    var isWildcard: Bool { get }

    /// The rule is due at fractions of a second too, which `firstMillisecond` gives.
    var hasMilliseconds: Bool { get }

    /// The first matching millisecond of a matching second, at or after the given one, 0 to 999. Nil when the second has no more.
    func firstMillisecond(ofSecond second: Int64, atOrAfter part: Int64) -> Int64?
}

extension WallRule {
    var hasMilliseconds: Bool { false }
    func firstMillisecond(ofSecond second: Int64, atOrAfter part: Int64) -> Int64? { part <= 0 ? 0 : nil }
}

let noMatch = Int64.max

/// A wall-clock rule in a zone. One small object for each schedule; `next` allocates nothing.
///
/// Daylight saving: within one range of constant offset the wall clock runs evenly, so the search there is a search in wall time.
/// Each range is responsible for one stretch of wall time, from `lower` to `upper`. For a wildcard schedule that is the time that
/// its clock shows. For a fixed schedule it is the time, gaps included, for which no earlier range is responsible. A match is
/// passed from range to range until it falls into the stretch of one.
final class WallSchedule<Rule: WallRule>: Sendable {
    let rule: Rule
    let zone: Zone
    private let gapRuns: Bool
    private let repeated: DaylightRule.Repeated

    init(_ rule: Rule, zone: Zone, daylight: DaylightRule) {
        self.rule = rule
        self.zone = zone
        gapRuns = !rule.isWildcard && daylight.gap != .skip
        repeated = daylight.repeated ?? (rule.isWildcard ? .both : .first)
    }

    @inline(__always)
    func next(after instant: Instant) -> Instant? {
        find(after: instant)?.instant
    }

    func nextOccurrence(after instant: Instant) -> Occurrence? {
        guard let found = find(after: instant) else { return nil }
        return Occurrence(instant: found.instant, note: note(on: found))
    }

    /// The wall time in milliseconds that the rule gives for a due time: earlier than that on the clock when a gap has moved it.
    func wall(of due: Instant) -> Int64? {
        guard let found = find(after: due.advanced(byMilliseconds: -1)), found.instant == due else { return nil }
        return found.local * 1000 + due.milliseconds % 1000
    }

    /// The wall times in milliseconds that the rule gives for a due time that a gap has moved, at most one of each minute. Empty for any
    /// other due time.
    func skippedWalls(of due: Instant) -> [Int64] {
        guard let gap = zone.gap(endingAt: due), let found = find(from: Civil.floorDivide(due.milliseconds, 1000)),
            found.instant == due, found.local < gap.upperBound
        else { return [] }
        var walls: [Int64] = []
        var match = found.local
        while match < gap.upperBound {
            walls.append(match * 1000)
            match = rule.firstMatch(atOrAfter: (Civil.floorDivide(match, 60) + 1) * 60)
        }
        // The rule gives the end of the gap, too.
        if match == gap.upperBound { walls.append(match * 1000) }
        return walls
    }

    @inline(__always)
    private func find(after instant: Instant) -> Found? {
        let second = Civil.floorDivide(instant.milliseconds, 1000)
        if rule.hasMilliseconds { return find(after: instant, second: second) }
        return find(from: second &+ 1)
    }

    /// The same for a rule that is due at fractions of a second, perhaps still in the second of `instant`.
    private func find(after instant: Instant, second: Int64) -> Found? {
        var from = second
        var isGapBehind = false
        while var found = find(from: from, isGapBehind: isGapBehind) {
            let begin = found.instant
            if found.local < zone.ranges[found.range].localStart {
                // All times that a gap skips give one run at the first valid instant, whatever their fractions of a second.
                if begin > instant { return found }
                isGapBehind = true
                continue
            }
            let earliest = begin > instant ? 0 : instant.milliseconds - begin.milliseconds + 1
            if let part = rule.firstMillisecond(ofSecond: found.local, atOrAfter: earliest) {
                found.instant = Instant(milliseconds: begin.milliseconds + part)
                return found
            }
            from = Civil.floorDivide(begin.milliseconds, 1000) + 1
            isGapBehind = false
        }
        return nil
    }

    private struct Found {
        var instant: Instant
        /// The matching wall time. It is earlier than the time on the clock when a gap has moved it.
        var local: Int64
        var range: Int
    }

    /// The first due second at or after the given one. With `isGapBehind`, the times that a gap moved to that second are already
    /// handled.
    @inline(__always)
    private func find(from second: Int64, isGapBehind: Bool = false) -> Found? {
        let ranges = zone.ranges
        // Times before 1970 are never due.
        let start = max(second, 0)
        guard start < Civil.endSeconds else { return nil }
        var number = zone.rangeIndex(at: start)
        var range = ranges[number]
        // Times that a gap before `start` moved to the beginning of this range are past, unless that beginning is `start` itself.
        var from = lower(number, ranges)
        if start > range.start || isGapBehind { from = max(from, start &+ Int64(range.offset)) }
        var match = rule.firstMatch(atOrAfter: from)
        while match != noMatch {
            if match < upper(number, ranges) {
                let due = max(match &- Int64(range.offset), range.start)
                guard due < Civil.endSeconds else { return nil }
                return Found(instant: Instant(milliseconds: due &* 1000), local: match, range: number)
            }
            number &+= 1
            guard number < ranges.count else { return nil }
            range = ranges[number]
            let nextFrom = lower(number, ranges)
            // The next range may begin before the match (an overlap) or after it (a gap that is skipped).
            if nextFrom < from || nextFrom > match { match = rule.firstMatch(atOrAfter: nextFrom) }
            from = nextFrom
        }
        return nil
    }

    /// The start of the wall time for which a range is responsible.
    @inline(__always)
    private func lower(_ number: Int, _ ranges: [Zone.Range]) -> Int64 {
        let start = ranges[number].localStart
        guard number > 0 else { return start }
        let previousEnd = ranges[number &- 1].localEnd
        if previousEnd > start { return repeated == .first ? previousEnd : start }
        return gapRuns && start &- previousEnd <= DaylightRule.longestGapSeconds ? previousEnd : start
    }

    /// The end of that wall time.
    @inline(__always)
    private func upper(_ number: Int, _ ranges: [Zone.Range]) -> Int64 {
        let end = ranges[number].localEnd
        guard repeated == .last, number &+ 1 < ranges.count else { return end }
        return min(end, ranges[number &+ 1].localStart)
    }

    private func note(on found: Found) -> Occurrence.Note? {
        let ranges = zone.ranges
        let range = ranges[found.range]
        if found.local < range.localStart {
            let another = rule.firstMatch(atOrAfter: found.local + 1)
            return another <= range.localStart ? .mergedByGap : .movedByGap
        }
        if found.range > 0, found.local < ranges[found.range - 1].localEnd { return .secondOfRepeated }
        if found.range + 1 < ranges.count, found.local >= ranges[found.range + 1].localStart { return .firstOfRepeated }
        return nil
    }
}
