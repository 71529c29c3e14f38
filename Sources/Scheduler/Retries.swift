// Which jobs repeat one another, and which of them is the newest.
//
// What holds:
// - A retry belongs to the family of the job that its `retry_of` names. A family is in the order of acceptance; its first member is
//   the job that was retried first.
// - The newest member stands for all: whoever waits for one of them waits for the newest. A newest member that left no trace, because it
//   was withdrawn or its record was removed, leaves its place to the one before it.
// - Only what the journal says is in here: the acceptance of each retry, and in a snapshot a record for each member.

public struct Retries: Sendable {
    /// The first member of each retried or retrying job's family.
    private var firsts: [JobID: JobID] = [:]
    /// All members by the first, which is among them.
    private var members: [JobID: [JobID]] = [:]

    /// How many members a family keeps whose records are gone. A record that names an older one is long gone too.
    static let goneMax = 100

    public init() {}

    public mutating func add(_ id: JobID, of original: JobID) {
        guard id != original, firsts[id] == nil else { return }
        let first = firsts[original] ?? original
        firsts[original] = first
        firsts[id] = first
        members[first, default: [first]].append(id)
    }

    /// The job and all that it repeats or that repeat it, the newest first.
    public func family(of id: JobID) -> [JobID] { firsts[id].flatMap { members[$0] }?.reversed() ?? [id] }

    /// Each retry with the first of its family, so that adding these in their order makes the families again.
    var all: [(id: JobID, of: JobID)] {
        members.sorted { $0.key < $1.key }.flatMap { first, members in members.dropFirst().map { ($0, first) } }
    }

    var allMembers: [JobID] { members.values.flatMap { $0 } }

    /// Forgets families of which nothing is left, and members that nobody can name any more.
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
