/// Runs that are to be submitted, in the order in which they came. A run is in it once at most. All changes take the same time, however
/// many there are.
struct SubmissionLine {
    /// A run that has left keeps its entry until the next ``takeAll()``, or until nobody is left.
    private var entries: [(id: JobID, number: UInt64)] = []
    /// The number of the entry that counts.
    private var numbers: [JobID: UInt64] = [:]
    private var lastNumber: UInt64 = 0

    var isEmpty: Bool { numbers.isEmpty }

    mutating func append(_ id: JobID) {
        guard numbers[id] == nil else { return }
        lastNumber += 1
        numbers[id] = lastNumber
        entries.append((id, lastNumber))
    }

    mutating func remove(_ id: JobID) {
        guard numbers.removeValue(forKey: id) != nil, isEmpty else { return }
        entries = []
    }

    /// Removes all runs and returns them in order.
    mutating func takeAll() -> [JobID] {
        defer { self = SubmissionLine() }
        return entries.compactMap { numbers[$0.id] == $0.number ? $0.id : nil }
    }
}
