/// The due times of a schedule with `when_excluded = "next"`.
///
/// An excluded due time moves to the first later time that is not excluded: at the same time of day when whole days exclude it, else
/// at the end of the exclusion. Where it arrives, another exclusion may move it again. Several that arrive at one instant make one run.
///
/// So the due times are a set that depends on no question: all `moved` instants of the rule's due times. `next(after:)` gives its next
/// element, and therefore loses and repeats none.
struct MovedDues {
    private let rule: (Instant) -> Instant?
    private let written: WrittenTimes
    private let exclusions: Exclusions
    private let zone: Zone

    init(_ rule: @escaping (Instant) -> Instant?, _ written: WrittenTimes, _ exclusions: Exclusions, _ zone: Zone) {
        self.rule = rule
        self.written = written
        self.exclusions = exclusions
        self.zone = zone
    }

    /// The number of due times that one question passes at most. Reached only by a rule of each second whose calendars are in another
    /// zone and exclude days in a row.
    private static let stepsMax = 200_000
    /// The number of exclusions that move one due time at most.
    private static let movesMax = Exclusions.turnsAfterOneAnotherMax
    /// The longest exclusion whose due times are found at its end: about three years.
    private static let exclusionMillisecondsMax: Int64 = 1_100 * Civil.millisecondsPerDay

    /// The time at which a due time runs. Nil when there is none before 2200.
    func moved(_ due: Instant) -> Instant? {
        if exclusions.isKnownToExcludeForEver(from: due) { return nil }
        var moved = due
        // Where a gap of the clock has moved the due time, this is not the time of day on the clock.
        var wall: Int64?
        let skipped = skippedWalls(of: due)
        if let first = skipped.first {
            if !exclusions.isExcluded(due, skipped: skipped, in: zone) { return due }
            // The gap has moved the due time out of the whole days that exclude it.
            if exclusions.end(.days, containing: due) == nil, let end = exclusions.end(.days, containing: due.advanced(byMilliseconds: -1)),
                first < Wall(end, zone).milliseconds
            {
                (moved, wall) = (landing(of: first, end), first)
            }
        }
        for _ in 0..<Self.movesMax {
            guard moved < Covers.end else { return nil }
            if let end = exclusions.end(.days, containing: moved) {
                let written = wall ?? self.written.of(due) ?? Wall(due, zone).milliseconds
                moved = landing(of: written, end)
                wall = written
            } else if let end = exclusions.end(.times, containing: moved) {
                moved = end
                wall = Wall(end, zone).milliseconds
            } else {
                return moved
            }
        }
        return nil
    }

    private func skippedWalls(of due: Instant) -> [Int64] { zone.gap(endingAt: due) == nil ? [] : written.skipped(due) }

    /// The first time at or after `end` with the time of day of a wall time.
    private func landing(of written: Int64, _ end: Instant) -> Instant {
        let day = Civil.millisecondsPerDay
        let wall = Wall(end, zone)
        let time = written - Civil.floorDivide(written, day) * day
        var landing = wall.day * day + time
        if landing < wall.milliseconds { landing += day }
        // Where the clock repeats an hour, the first pass may be before the end.
        let first = wall.instant(landing)
        return first < end ? wall.instant(landing + day) : first
    }

    /// All due times that whole days up to `end` exclude land before this instant.
    private func reach(_ end: Instant) -> Instant {
        let wall = Wall(end, zone)
        return wall.instant(wall.milliseconds + Civil.millisecondsPerDay)
    }

    /// No due time before this instant moves past `instant`: from there on, nothing that is before it lands in an exclusion that
    /// contains `instant`, or on the day after such an exclusion.
    private func walkBack(from instant: Instant) -> Instant {
        let earliest = max(instant.advanced(byMilliseconds: -Self.exclusionMillisecondsMax), Instant(milliseconds: 0))
        var place = instant
        // The last instant whose exclusion moves something to `place` or past it.
        var last = instant
        while place > earliest {
            let before = place
            for kind in exclusions.kinds {
                if let start = exclusions.start(kind, containing: last, notBefore: earliest) { place = min(place, start) }
            }
            if let day = lastDays(before: place), reach(day.end) > place,
                let start = exclusions.start(.days, containing: day.last, notBefore: earliest)
            {
                place = min(place, start)
            }
            if place == before { break }
            last = place.advanced(byMilliseconds: -1)
        }
        return place
    }

    /// The end of the last whole days before an instant, if it is within a day and an hour before it, and the last instant in them.
    private func lastDays(before instant: Instant) -> (end: Instant, last: Instant)? {
        var found: (Instant, Instant)?
        var place = instant.advanced(byMilliseconds: -25 * 3_600_000)
        while place < instant, let first = exclusions.firstDays(from: place, before: instant),
            let end = exclusions.end(.days, containing: first), end <= instant
        {
            found = (end, end.advanced(byMilliseconds: -1))
            place = end
        }
        return found
    }

    func next(after instant: Instant) -> Instant? {
        // Nothing is due before 1970, and nothing after the end.
        let instant = min(max(instant, Instant(milliseconds: -1)), Covers.end)
        var best: Instant?
        each(from: walkBack(from: instant), after: instant, until: { best }) { due, moved in
            best = min(best ?? moved, moved)
        }
        return best
    }

    /// The number of due times after an instant and up to `end`, at most `max`. The same as that many questions for the next one, but
    /// each due time of the rule is looked at once.
    func count(after instant: Instant, through end: Instant, max: Int) -> Int {
        var arrivals: Set<Instant> = []
        var place = walkBack(from: instant).advanced(byMilliseconds: -1)
        for _ in 0..<Self.stepsMax {
            guard arrivals.count < max, let due = rule(place), due <= end else { return arrivals.count }
            place = due
            guard let moved = moved(due) else {
                if exclusions.excludeForEver(from: due) { return arrivals.count }
                continue
            }
            if moved > instant, moved <= end { arrivals.insert(moved) }
            // As in `each`: all that is due until then arrives there.
            if moved != due, exclusions.end(.days, containing: due) == nil, let end = exclusions.end(.times, containing: due) {
                let next = (exclusions.firstDays(from: due, before: end) ?? end).advanced(byMilliseconds: -1)
                place = Swift.max(due, min(next, zone.nextGapEnd(after: due)?.advanced(byMilliseconds: -1) ?? next))
            }
        }
        var count = 0
        var after = instant
        while count < max, let next = next(after: after), next <= end { (count, after) = (count + 1, next) }
        return count
    }

    /// The excluded due times that move to `due`, in order.
    func sources(of due: Instant, max: Int) -> [Instant] {
        let last = due.advanced(byMilliseconds: -1)
        var found: [Instant] = []
        var place = walkBack(from: last).advanced(byMilliseconds: -1)
        for _ in 0..<Self.stepsMax {
            guard found.count < max, let other = rule(place), other < due else { break }
            place = other
            if exclusions.isExcluded(other, skipped: skippedWalls(of: other), in: zone), moved(other) == due { found.append(other) }
        }
        return found
    }

    /// Visits the due times from `start` on that move past `instant`, with the time to which they move. Leaves out those that cannot
    /// be the first to arrive. Ends at the due time that `until` gives.
    private func each(from start: Instant, after instant: Instant, until: () -> Instant?, _ visit: (Instant, Instant) -> Void) {
        var place = start.advanced(byMilliseconds: -1)
        for _ in 0..<Self.stepsMax {
            guard let due = rule(place), due < until() ?? Covers.end else { return }
            place = due
            let moved = moved(due)
            if moved == nil, exclusions.excludeForEver(from: due) { return }
            if let moved, moved > instant { visit(due, moved) }
            var next = due
            if let end = exclusions.end(.days, containing: due) {
                next = skip(from: due, end, hasArrived: moved.map { $0 > instant } ?? false, instant)
            } else if moved != due, let end = exclusions.end(.times, containing: due) {
                // All due times up to its end arrive there, unless whole days exclude them too.
                next = (exclusions.firstDays(from: due, before: end) ?? end).advanced(byMilliseconds: -1)
            } else if due < instant {
                // These arrive at once, and are over.
                next = min(instant, exclusions.change(after: due).advanced(byMilliseconds: -1))
            }
            // A due time that a gap of the clock has moved is judged by the time that the schedule names.
            if let gapEnd = zone.nextGapEnd(after: due) { next = min(next, gapEnd.advanced(byMilliseconds: -1)) }
            place = max(place, next)
        }
    }

    /// After a due time that whole days up to `end` exclude: the instant up to which no due time needs to be visited.
    ///
    /// The stretch of whole days consists of cycles of a day that end at the time of day of its end. The due times of each cycle land
    /// in their order on the day after the stretch. So the first of them that arrives after `instant` is the only one of its cycle
    /// that can be the first.
    private func skip(from due: Instant, _ end: Instant, hasArrived: Bool, _ instant: Instant) -> Instant {
        let day = Civil.millisecondsPerDay
        let (wall, endWall) = (Wall(due, zone).milliseconds, Wall(end, zone).milliseconds)
        let cycles = Civil.floorDivide(endWall - wall - 1, day)
        let cycleEnd = endWall - cycles * day
        let (cycle, cycleEndsAt) = (Wall(due, zone).instant(cycleEnd - day), Wall(due, zone).instant(cycleEnd))
        // When a gap has moved the due time, or the clock changes in the cycle or on the day of the landing, the order may be another.
        // When more days are excluded after the stretch, so may be the order of arrival.
        guard written.of(due) ?? wall == wall, zone.offsetSeconds(at: cycle) == zone.offsetSeconds(at: cycleEndsAt),
            zone.offsetSeconds(at: end) == zone.offsetSeconds(at: reach(end)),
            exclusions.firstDays(from: end, before: hasArrived ? reach(end) : max(reach(end), instant.advanced(byMilliseconds: 1))) == nil
        else { return due }
        if hasArrived { return cycleEndsAt.advanced(byMilliseconds: -1) }
        // Of those that land before `instant`, only those that land in an exclusion that lasts until then arrive later.
        let from = exclusions.start(.times, containing: instant, notBefore: end) ?? instant
        guard from < reach(end) else { return end.advanced(byMilliseconds: -1) }
        let source = Wall(from, zone).milliseconds - (cycles + 1) * day
        return min(Wall(due, zone).instant(source), cycleEndsAt).advanced(byMilliseconds: -1)
    }
}
