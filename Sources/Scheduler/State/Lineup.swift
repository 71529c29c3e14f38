/// An entry that may become void while it waits.
protocol LineupEntry: Comparable {
    /// False when the entry is void.
    var isValid: Bool { get }
}

/// Entries of which the smallest comes first.
///
/// Invariants:
/// - A void entry is never returned.
/// - The number of entries is at most 64 or twice the number of those that were valid when void ones were last removed. So a job that has
///   ended is not kept in memory until its deadline.
struct Lineup<Entry: LineupEntry> {
    fileprivate var heap = Heap<Entry>()
    /// The number of entries at which void ones are removed.
    private var limit = 64

    mutating func insert(_ entry: Entry) {
        if heap.count >= limit {
            heap.keep { $0.isValid }
            limit = max(64, 2 * heap.count)
        }
        heap.insert(entry)
    }

    mutating func first() -> Entry? {
        while let first = heap.first {
            if first.isValid { return first }
            heap.removeFirst()
        }
        return nil
    }

    mutating func removeFirst() -> Entry? { first() == nil ? nil : heap.removeFirst() }
}

/// Something that happens at an instant, unless the entry has become void before.
protocol TimedEntry: LineupEntry {
    var instant: Instant { get }
}

extension Lineup where Entry: TimedEntry {
    /// Removes and returns the earliest entry, if its time has come.
    mutating func takeFirst(by now: Instant) -> Entry? {
        guard let first = first(), first.instant <= now else { return nil }
        return heap.removeFirst()
    }

    /// All entries whose time has come, in no order.
    func all(by now: Instant) -> [Entry] { heap.all { $0.instant <= now }.filter(\.isValid) }
}
