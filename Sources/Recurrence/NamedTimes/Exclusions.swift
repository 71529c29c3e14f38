import Synchronization

/// The times that a schedule's calendars exclude: those of `except`, and those in none of `only`.
///
/// Each kind forms stretches of its own, merged over all calendars. The time between two stretches of `only` has the kind of the
/// stretch that ends it: a weekend is excluded as whole days when `only` holds the days from Monday to Friday.
struct Exclusions: Sendable {
    private let except: [Covers.InZone]
    private let only: [Covers.InZone]
    /// The kinds of stretches that there can be. Most calendars have one, and questions about the other need no search.
    let kinds: [Covers.Kind]
    private let endless = Endless()

    /// An instant from which on everything is excluded, once one was found. The search for it follows thousands of stretches.
    private final class Endless: Sendable {
        private let milliseconds = Atomic(Int64.max)

        func contains(_ instant: Instant) -> Bool { instant.milliseconds >= milliseconds.load(ordering: .relaxed) }

        func found(_ instant: Instant) { milliseconds.min(instant.milliseconds, ordering: .relaxed) }
    }

    init(except: [Covers.InZone], only: [Covers.InZone]) {
        self.except = except
        self.only = only
        kinds = Covers.Kind.allCases.filter { kind in
            // The time after the last stretch of `only` has the kind `times`.
            (except + only).contains { $0.kinds.contains(kind) } || kind == .times && !only.isEmpty
        }
    }

    /// The number of calendars in turn that one stretch may consist of. It ends there if there are more.
    private static let turnsMax = 2_000
    /// The number of stretches that are followed one after another.
    static let turnsAfterOneAnotherMax = 4_000

    func isExcluded(_ instant: Instant) -> Bool { isExcluded { $0.contains(instant) } }

    private func isExcluded(_ isContained: (Covers.InZone) -> Bool) -> Bool {
        except.contains(where: isContained) || !only.isEmpty && !only.contains(where: isContained)
    }

    /// True when a due time is excluded. When a gap of the clock has moved the due time, its wall times `skipped` in `zone` are judged
    /// instead, and one of them that is allowed is enough.
    func isExcluded(_ due: Instant, skipped: [Int64], in zone: Zone) -> Bool {
        if skipped.isEmpty { return isExcluded(due) }
        return skipped.allSatisfy { wall in isExcluded { $0.contains(due, wall: wall, in: zone) } }
    }

    /// The end of the stretch of a kind that contains an instant. Nil when none does.
    func end(_ kind: Covers.Kind, containing instant: Instant) -> Instant? {
        guard kinds.contains(kind) else { return nil }
        var end = instant
        for _ in 0..<Self.turnsMax {
            guard let next = furthest(kind, containing: end) else { break }
            end = next
        }
        return end > instant ? end : nil
    }

    private func furthest(_ kind: Covers.Kind, containing instant: Instant) -> Instant? {
        guard instant < Covers.end else { return nil }
        var furthest: Instant?
        func consider(_ end: Instant) { furthest = furthest.map { max($0, end) } ?? end }
        for times in except { if let end = times.end(kind, containing: instant) { consider(end) } }
        if let gap = gap(at: instant), gap.kind == kind { consider(gap.end) }
        return furthest
    }

    /// The beginning of the stretch of a kind that contains an instant, but not before `earliest`. Nil when none contains it.
    func start(_ kind: Covers.Kind, containing instant: Instant, notBefore earliest: Instant) -> Instant? {
        guard kinds.contains(kind) else { return nil }
        var start: Instant?
        var place = instant
        for _ in 0..<Self.turnsMax {
            guard place >= earliest else { break }
            var starts = except.compactMap { $0.start(kind, containing: place, notBefore: earliest) }
            if let gap = gap(at: place), gap.kind == kind {
                starts.append(only.map { $0.lastEnd(before: place, notBefore: earliest) }.max() ?? earliest)
            }
            guard let first = starts.min() else { break }
            start = first
            place = first.advanced(byMilliseconds: -1)
        }
        return start
    }

    /// True when everything from an instant on is excluded, as far as stretches are followed. Then no later due time runs either.
    func excludeForEver(from instant: Instant) -> Bool {
        if isKnownToExcludeForEver(from: instant) { return true }
        var place = instant
        for _ in 0..<Self.turnsAfterOneAnotherMax where place < Covers.end {
            guard let end = kinds.compactMap({ self.end($0, containing: place) }).max() else { return false }
            place = end
        }
        endless.found(instant)
        return true
    }

    /// True when an earlier question has found that everything from an instant on is excluded.
    func isKnownToExcludeForEver(from instant: Instant) -> Bool { endless.contains(instant) }

    /// The first instant from `instant` on, and before `end`, that whole days exclude. Nil when there is none.
    func firstDays(from instant: Instant, before end: Instant) -> Instant? {
        guard kinds.contains(.days) else { return nil }
        var place = instant
        while place < end {
            if self.end(.days, containing: place) != nil { return place }
            place = change(after: place)
        }
        return nil
    }

    /// The first instant after `instant` at which a stretch may begin or end.
    func change(after instant: Instant) -> Instant {
        var first = Covers.end
        for times in except { first = min(first, times.change(after: instant)) }
        for times in only { first = min(first, times.change(after: instant)) }
        return first
    }

    /// The time in none of `only` that contains an instant, with its end. Nil when a calendar of `only` contains the instant.
    private func gap(at instant: Instant) -> (kind: Covers.Kind, end: Instant)? {
        guard !only.isEmpty, !only.contains(where: { $0.contains(instant) }) else { return nil }
        let next = only.compactMap { $0.beginning(after: instant) }.min { ($0.at, $0.kind.rawValue) < ($1.at, $1.kind.rawValue) }
        return next.map { ($0.kind, $0.at) } ?? (.times, Covers.end)
    }
}
