import Store

/// The number of runs at the same time.
struct TimelineLoad {
    /// Its name in pictures.
    static let name = "at the same time"

    private struct Span {
        var name: String
        var from: Int64
        /// After `from`, so that the shortest run counts.
        var to: Int64
        var isPast: Bool
    }

    private var spans: [Span] = []

    mutating func add(_ name: String, from: Instant, to: Instant, isPast: Bool) {
        spans.append(Span(name: name, from: from.milliseconds, to: max(from.milliseconds + 1, to.milliseconds), isPast: isPast))
    }

    /// The largest number of runs at one instant, in each of `count` equal parts of a period.
    func most(in period: Timeline.Period, parts count: Int) -> [Int] {
        var most = [Int](repeating: 0, count: count)
        let (begin, length) = (period.from.milliseconds, period.to.milliseconds - period.from.milliseconds)
        func part(_ instant: Int64) -> Int { Int(Double(instant - begin) / Double(length) * Double(count)) }
        var running = 0
        var since = begin
        for change in changes(spans) {
            // The number of runs holds from the change before to this one.
            let end = min(change.at, begin + length)
            if end > since {
                for index in part(since)...min(count - 1, part(end - 1)) { most[index] = max(most[index], running) }
                since = end
            }
            running += change.delta
        }
        return most
    }

    /// The time in the past with the most runs at once, the longest of several, and the names of these runs. Nil when no two runs
    /// overlapped.
    func busiest(in period: Timeline.Period) -> (from: Instant, to: Instant, names: [String])? {
        let past = spans.filter(\.isPast)
        var best = (running: 1, from: Int64(0), to: Int64(0))
        var running = 0
        var since = period.from.milliseconds
        for change in changes(past) {
            let end = min(change.at, period.to.milliseconds)
            if running > 1, end > since, running > best.running || running == best.running && end - since > best.to - best.from {
                best = (running, since, end)
            }
            running += change.delta
            since = max(period.from.milliseconds, change.at)
        }
        guard best.running > 1 else { return nil }
        let there = past.filter { $0.from <= best.from && best.from < $0.to }.sorted { ($0.from, $0.name) < ($1.from, $1.name) }
        return (Instant(milliseconds: best.from), Instant(milliseconds: best.to), there.map(\.name))
    }

    /// Begins and ends in order; of those at one instant, the ends come first.
    private func changes(_ spans: [Span]) -> [(at: Int64, delta: Int)] {
        (spans.map { ($0.from, 1) } + spans.map { ($0.to, -1) }).sorted { $0 < $1 }.map { (at: $0.0, delta: $0.1) }
    }
}
