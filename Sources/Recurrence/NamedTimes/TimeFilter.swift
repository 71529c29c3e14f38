/// The `except`, `only` and `when_excluded` of a schedule: which of its due times count, and when the others run.
///
/// Invariants:
/// - A due time is excluded when a calendar of `except` contains it, or when there are calendars in `only` and none contains it.
/// - With `skip` an excluded due time does not exist. With `next` it moves to the first later time that is not excluded: at the same
///   time of day when whole days exclude it, else at the end of the exclusion. Several that move to one instant make one run.
/// - The next due time is a function of the instant before it alone, so the daemon and every command agree.
public final class TimeFilter: Sendable {
    public enum WhenExcluded: String, Sendable, CaseIterable { case skip, next }

    public let except: [NamedTimes]
    public let only: [NamedTimes]
    public let whenExcluded: WhenExcluded
    /// The zone of the schedule.
    private let zone: Zone

    public init(except: [NamedTimes], only: [NamedTimes], whenExcluded: WhenExcluded, zone: Zone) {
        self.except = except
        self.only = only
        self.whenExcluded = whenExcluded
        self.zone = zone
    }

    /// The number of due times and exclusions that one question passes at most.
    private static let stepsMax = 4_000
    /// The same for due times that move: those of some days of a schedule of each minute.
    private static let movesMax = 20_000
    private static let end = Instant(seconds: Civil.endSeconds)
    /// The number of days for which an exclusion is followed backwards.
    private static let daysBackMax: Int64 = 400

    /// The reason why an instant is excluded.
    public struct Exclusion: Sendable, Hashable {
        /// The calendars, as part of a sentence: `holidays`, `not in night`.
        public var words: String
        /// The first instant at which the reason may be over. Nil when there is none.
        var end: Instant?
        var isDays: Bool
    }

    public func exclusion(of instant: Instant) -> Exclusion? {
        for times in except {
            if let cover = times.cover(of: instant, outer: zone) {
                return Exclusion(words: times.name, end: cover.end, isDays: cover.isDays)
            }
        }
        guard !only.isEmpty, !only.contains(where: { $0.cover(of: instant, outer: zone) != nil }) else { return nil }
        let start = only.compactMap { $0.nextStart(after: instant, outer: zone) }.min { $0.end < $1.end }
        return Exclusion(words: "not in \(Words.list(only.map(\.name)))", end: start?.end, isDays: start?.isDays ?? false)
    }

    // MARK: Due times

    /// The first due time after an instant, by the rule without the filter.
    func next(after instant: Instant, _ rule: (Instant) -> Instant?) -> Instant? {
        whenExcluded == .skip ? nextAllowed(after: instant, rule) : nextMoved(after: instant, rule)
    }

    private func nextAllowed(after instant: Instant, _ rule: (Instant) -> Instant?) -> Instant? {
        var after = instant
        for _ in 0..<Self.stepsMax {
            guard let due = rule(after) else { return nil }
            guard let exclusion = exclusion(of: due) else { return due }
            guard let end = exclusion.end else { return nil }
            after = max(due, end.advanced(byMilliseconds: -1))
        }
        return nil
    }

    private func nextMoved(after instant: Instant, _ rule: (Instant) -> Instant?) -> Instant? {
        var best = heldBack(until: instant, rule)
        // Due times of excluded days before the instant may move past it.
        var after = lookBack(from: instant)
        for _ in 0..<Self.movesMax {
            guard let due = rule(after), due <= instant else { break }
            after = due
            guard exclusion(of: due) != nil, let moved = moved(due), moved > instant else { continue }
            best = best.map { min($0, moved) } ?? moved
        }
        after = instant
        for _ in 0..<Self.movesMax {
            guard let due = rule(after), best.map({ due < $0 }) ?? true else { break }
            after = due
            guard let moved = moved(due) else { continue }
            best = best.map { min($0, moved) } ?? moved
        }
        return best
    }

    /// The time to which due times up to `instant` have moved by a window or event that still excludes it. All of them move to its end,
    /// so one is enough. Nil when there are none.
    private func heldBack(until instant: Instant, _ rule: (Instant) -> Instant?) -> Instant? {
        guard let exclusion = exclusion(of: instant), !exclusion.isDays else { return nil }
        // Windows repeat each week.
        for hours: Int64 in [1, 6, 24, 168] {
            var after = instant.advanced(byMilliseconds: -hours * 3_600_000)
            for _ in 0..<Self.stepsMax {
                guard let due = rule(after), due <= instant else { break }
                after = due
                if self.exclusion(of: due) != nil, let moved = moved(due), moved > instant { return moved }
            }
        }
        return nil
    }

    /// The time at which an excluded due time runs. Nil when there is none.
    private func moved(_ due: Instant) -> Instant? {
        var moved = due
        for _ in 0..<Self.stepsMax {
            guard moved < Self.end else { return nil }
            guard let exclusion = exclusion(of: moved) else { return moved }
            guard let end = exclusion.end else { return nil }
            if exclusion.isDays {
                let wall = Wall(moved, zone)
                let day = max(wall.day + 1, Wall(end, zone).day)
                moved = wall.instant(day * Civil.millisecondsPerDay + wall.milliseconds - wall.day * Civil.millisecondsPerDay)
            } else {
                moved = end
            }
        }
        return nil
    }

    /// No due time of an excluded day before this instant moves past `instant`.
    private func lookBack(from instant: Instant) -> Instant {
        // Nothing is due before 1970, and nothing after the end.
        let instant = min(max(instant, Instant(milliseconds: -1)), Self.end)
        let wall = Wall(instant, zone)
        var day = wall.day
        let last = day - Self.daysBackMax
        while day > last, excludesDay(day - 1, wall) || (day == wall.day && excludesDay(day, wall)) { day -= 1 }
        return day == wall.day ? instant : wall.instant(day * Civil.millisecondsPerDay).advanced(byMilliseconds: -1)
    }

    private func excludesDay(_ day: Int64, _ wall: Wall) -> Bool {
        exclusion(of: wall.instant(day * Civil.millisecondsPerDay)).map(\.isDays) ?? false
            || exclusion(of: wall.instant(day * Civil.millisecondsPerDay + Civil.millisecondsPerDay / 2)).map(\.isDays) ?? false
    }

    // MARK: Words

    /// The effect on the due time `due`, which follows `after`: the excluded due times between, and where they went.
    func remark(on due: Instant, after: Instant, _ rule: (Instant) -> Instant?) -> String? {
        let from = whenExcluded == .skip ? after : min(lookBack(from: after), after)
        var excluded: [(at: Instant, words: String)] = []
        var count = 0
        var place = from
        while count < Self.remarkedMax, let other = rule(place), other < due {
            place = other
            guard let exclusion = exclusion(of: other), whenExcluded == .skip || moved(other) == due else { continue }
            count += 1
            if excluded.count < 3 { excluded.append((other, exclusion.words)) }
        }
        guard let first = excluded.first else { return nil }
        var times = excluded.map { String($0.at.rfc3339(in: zone).prefix(16)).replacing("T", with: " ") }
        if count > excluded.count { times = [times[0], count < Self.remarkedMax ? "\(count - 1) more" : "many more"] }
        return whenExcluded == .skip
            ? "skips \(Words.list(times)): \(first.words)" : "moved from \(Words.list(times)): \(first.words)"
    }

    private static let remarkedMax = 1000

    /// `except holidays`, `only night, moved to the next time that is allowed`.
    public var words: String {
        var parts: [String] = []
        if !except.isEmpty { parts.append("except in \(Words.list(except.map(\.name)))") }
        if !only.isEmpty { parts.append("only in \(only.count == 1 ? only[0].name : Words.list(only.map(\.name)))") }
        if whenExcluded == .next { parts.append("an excluded due time moves to the next allowed one") }
        return parts.joined(separator: ", ")
    }
}
