import Scheduler
import Store

/// Records whose stay ends before the next scan of all records.
struct Expiries {
    private struct Entry: Comparable {
        let at: Instant
        let id: JobID
        let state: JobState

        static func < (a: Self, b: Self) -> Bool { a.at < b.at }
        static func == (a: Self, b: Self) -> Bool { a.at == b.at }
    }

    private var entries = Heap<Entry>()

    var next: Instant? { entries.first?.at }

    mutating func add(_ id: JobID, _ state: JobState, at instant: Instant) { entries.insert(Entry(at: instant, id: id, state: state)) }

    /// The first records whose stay has ended, at most `count`.
    mutating func takeDue(at now: Instant, count: Int) -> [(id: JobID, state: JobState)] {
        var due: [(id: JobID, state: JobState)] = []
        while due.count < count, let first = entries.first, first.at <= now {
            entries.removeFirst()
            due.append((first.id, first.state))
        }
        return due
    }
}
