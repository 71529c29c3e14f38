// Records which jobs repeat one another, and which of them is the newest.
//
// Invariants:
// - A retry belongs to the family of the job in its `retry_of`. The members of a family are in the order of acceptance. The first
//   member is the job that was retried first.
// - The newest member represents all: a job that waits for one of them waits for the newest. If the newest member left no trace,
//   because it was withdrawn or its record was removed, the member before it takes its place.
// - All data come from the journal: the acceptance of each retry, and in a snapshot a record for each member.

public struct Retries: Sendable {
    /// The first member of each retried or retrying job's family.
    private var firsts: [JobID: JobID] = [:]
    /// All members by the first one, which is included.
    private var members: [JobID: [JobID]] = [:]

    /// The number of members without records that a family keeps. A record that names an older one is long gone too.
    static let goneMax = 100

    public init() {}

    public mutating func add(_ id: JobID, of original: JobID) {
        guard id != original, firsts[id] == nil else { return }
        let first = firsts[original] ?? original
        firsts[original] = first
        firsts[id] = first
        members[first, default: [first]].append(id)
    }

    public var isEmpty: Bool { members.isEmpty }

    /// True for a job that was retried or repeats another.
    public func contains(_ id: JobID) -> Bool { firsts[id] != nil }

    /// The job and all jobs that it repeats or that repeat it, newest first.
    public func family(of id: JobID) -> [JobID] { firsts[id].flatMap { members[$0] }?.reversed() ?? [id] }

    /// Each retry with the first member of its family. Adding these in order rebuilds the families.
    var all: [(id: JobID, of: JobID)] {
        members.sorted { $0.key < $1.key }.flatMap { first, members in members.dropFirst().map { ($0, first) } }
    }

    var allMembers: [JobID] { members.values.flatMap { $0 } }

    /// Forgets families without records, and members that no record can name any more.
    mutating func forget(where isGone: (JobID) -> Bool) {
        guard !members.isEmpty else { return }
        var kept = Retries()
        for family in members.values {
            let lastStanding = family.lastIndex { !isGone($0) }
            guard let lastStanding else { continue }
            let rest = family[...lastStanding].suffix(max(Self.goneMax, 1))
            guard let first = rest.first else { continue }
            for id in rest.dropFirst() { kept.add(id, of: first) }
        }
        self = kept
    }
}
