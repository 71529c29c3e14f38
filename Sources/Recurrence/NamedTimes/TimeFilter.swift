import TextSearch

/// The `except`, `only` and `when_excluded` of a schedule: which of its due times count, and when the others run.
///
/// Invariants:
/// - A due time is excluded when a calendar of `except` contains it, or when there are calendars in `only` and none contains it.
/// - A due time that a gap of the clock has moved is judged by the wall time that the schedule gives, as if the clock had shown it.
/// - With `skip` an excluded due time does not exist. With `next` it moves: see `MovedDues`.
/// - When a calendar is not known, the schedule is never due. It must not run on a holiday because nobody knows the holidays.
/// - The next due time is a function of the calendars, the rule and the instant before it alone, so the daemon and every command agree.
public final class TimeFilter: Sendable {
    public enum WhenExcluded: String, Sendable, CaseIterable { case skip, next }

    public let except: [NamedTimes]
    public let only: [NamedTimes]
    public let whenExcluded: WhenExcluded
    /// The zone of the schedule.
    private let zone: Zone
    let exclusions: Exclusions

    public init(except: [NamedTimes], only: [NamedTimes], whenExcluded: WhenExcluded, zone: Zone) {
        self.except = except
        self.only = only
        self.whenExcluded = whenExcluded
        self.zone = zone
        exclusions = Exclusions(except: except.map { $0.stretches(outer: zone) }, only: only.map { $0.stretches(outer: zone) })
    }

    /// The number of due times that one question passes at most.
    private static let stepsMax = 20_000

    /// The names of the calendars that are not known. When there are any, the schedule is never due.
    public var unknown: [String] { (except + only).filter { !$0.isKnown }.map(\.name) }

    /// The names of all calendars.
    public var names: [String] { (except + only).map(\.name) }

    /// The calendars that exclude a due time, as part of a sentence: `holidays`, `not in night`. Nil when none does.
    func exclusion(of due: Instant, _ written: WrittenTimes) -> String? {
        let unknown = unknown
        if !unknown.isEmpty { return "\(Words.list(unknown)), which nobody knows any more" }
        guard isExcluded(due, written) else { return nil }
        let wall = written.skipped(due).first
        if let times = except.first(where: { $0.stretches(outer: zone).contains(due, wall: wall, in: zone) }) { return times.name }
        return "not in \(Words.list(only.map(\.name)))"
    }

    private func isExcluded(_ due: Instant, _ written: WrittenTimes) -> Bool {
        exclusions.isExcluded(due, skipped: zone.gap(endingAt: due) == nil ? [] : written.skipped(due), in: zone)
    }

    // MARK: Due times

    /// The first due time after an instant, by the rule without the filter.
    func next(after instant: Instant, _ written: WrittenTimes, _ rule: (Instant) -> Instant?) -> Instant? {
        guard unknown.isEmpty else { return nil }
        switch whenExcluded {
        case .skip: return nextAllowed(after: instant, written, rule)
        case .next: return withoutActuallyEscaping(rule) { moved(written, $0).next(after: instant) }
        }
    }

    /// The number of due times after an instant and up to `end`, at most `max`.
    func count(
        after instant: Instant, through end: Instant, max: Int, _ written: WrittenTimes, _ rule: (Instant) -> Instant?
    ) -> Int {
        if whenExcluded == .next, unknown.isEmpty {
            return withoutActuallyEscaping(rule) { moved(written, $0).count(after: instant, through: end, max: max) }
        }
        var count = 0
        var after = instant
        while count < max, let due = next(after: after, written, rule), due <= end { (count, after) = (count + 1, due) }
        return count
    }

    func moved(_ written: WrittenTimes, _ rule: @escaping (Instant) -> Instant?) -> MovedDues {
        MovedDues(rule, written, exclusions, zone)
    }

    private func nextAllowed(after instant: Instant, _ written: WrittenTimes, _ rule: (Instant) -> Instant?) -> Instant? {
        var after = instant
        for _ in 0..<Self.stepsMax {
            guard let due = rule(after) else { return nil }
            if !isExcluded(due, written) { return due }
            after = due
            // A due time that a gap has moved need not be excluded where it is.
            guard let end = exclusions.kinds.compactMap({ exclusions.end($0, containing: due) }).max() else { continue }
            after = max(due, min(end, zone.nextGapEnd(after: due) ?? end).advanced(byMilliseconds: -1))
        }
        return nil
    }

    // MARK: Words

    /// The effect on the due time `due`, which follows `after`: the excluded due times between, and where they went.
    func remark(on due: Instant, after: Instant, _ written: WrittenTimes, _ rule: (Instant) -> Instant?) -> String? {
        var excluded: [(at: Instant, words: String)] = []
        var count = 0
        func add(_ other: Instant) {
            guard let words = exclusion(of: other, written) else { return }
            count += 1
            if excluded.count < 3 { excluded.append((other, words)) }
        }
        switch whenExcluded {
        case .skip:
            var place = after
            while count < Self.remarkedMax, let other = rule(place), other < due {
                place = other
                add(other)
            }
        case .next:
            withoutActuallyEscaping(rule) { rule in
                for other in moved(written, rule).sources(of: due, max: Self.remarkedMax) { add(other) }
            }
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
