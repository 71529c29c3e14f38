// How the slots of a machine are shared among users, each with a scheduler of their own.
//
// Contract: the slots that users may use never sum to more than there are. A user who has more than a fair share of them
// while another wants one starts nothing more until that is mended; nothing that runs is ended for it. While nobody is short,
// nothing changes hands. The share is max-min fair: whoever wants less than an equal part gets all of it, and the rest is
// divided equally among the others.
//
// A function of what it is told, without clock or messages: whoever owns it carries what `settle` returns to the users, and tells
// it their answers.

/// The slots of all users.
public struct FairShare: Sendable {
    /// A new limit for a user; `number` comes back with the answer.
    public struct Grant: Sendable, Equatable {
        public var user: String
        public var slots: Int
        public var number: Int
    }

    private struct Party: Sendable {
        var running = 0
        var isShort = false
        /// The limit sent last, and its number.
        var limit = 0
        var number = 0
        /// As many may run until the answer to that limit is here.
        var committed = 0
        /// When its limit was last raised, counted in raises.
        var raisedAt = 0
    }

    public var slots: Int
    private var parties: [String: Party] = [:]
    private var raises = 0

    public init(slots: Int) { self.slots = slots }

    public mutating func add(_ user: String) { parties[user] = Party() }

    /// None of the user's jobs can be started any more; what runs is not known and no longer counted.
    public mutating func remove(_ user: String) { parties[user] = nil }

    public func limit(_ user: String) -> Int { parties[user]?.limit ?? 0 }

    public func number(_ user: String) -> Int { parties[user]?.number ?? 0 }

    /// A user's scheduler has told how things stand with it.
    ///
    /// - Parameters:
    ///   - isShort: it would start more than its limit allows.
    ///   - number: that of the last limit it has taken up.
    public mutating func report(_ user: String, running: Int, isShort: Bool, number: Int) {
        guard var party = parties[user] else { return }
        // Numbers come from another process, whose owner may have changed it: none of them may reach beyond its user.
        party.running = min(max(0, running), slots)
        party.isShort = isShort
        if number == party.number { party.committed = max(party.limit, party.running) }
        parties[user] = party
    }

    /// The limits that have to change, as things stand.
    public mutating func settle() -> [Grant] {
        var grants: [Grant] = []
        // Whoever runs fewer comes first, and then whoever has waited longer, so that an odd slot goes round.
        func turn(_ user: String) -> (Int, Int, String) { (parties[user]?.running ?? 0, parties[user]?.raisedAt ?? 0, user) }
        let users = parties.keys.sorted { turn($0) < turn($1) }
        let committed = parties.values.reduce(0) { $0 + $1.committed }
        let isTight = committed > slots
        guard isTight || parties.values.contains(where: { $0.isShort && ($0.limit < slots || $0.committed < slots) }) else { return [] }
        let share = fairShares(users)
        func send(_ user: String, _ limit: Int) {
            guard var party = parties[user] else { return }
            if limit > party.limit {
                raises += 1
                party.raisedAt = raises
            }
            party.limit = limit
            party.number += 1
            party.committed = max(party.committed, limit)
            parties[user] = party
            grants.append(Grant(user: user, slots: limit, number: party.number))
        }
        // Whoever is short gets up to the share from what nobody may use.
        var free = max(0, slots - committed)
        for user in users {
            guard let party = parties[user], party.isShort, let fair = share[user], fair > party.limit else { continue }
            // A limit that was lowered and not yet answered still counts as it was.
            let more = max(0, min(fair - max(party.limit, party.committed), free))
            let limit = min(fair, max(party.limit, party.committed) + more)
            guard limit > party.limit else { continue }
            free -= more
            send(user, limit)
        }
        // What they still lack, those give back who have more than their share.
        let isLacking = isTight || users.contains { user in
            guard let party = parties[user], party.isShort, let fair = share[user] else { return false }
            return party.limit < fair
        }
        if isLacking {
            for user in users {
                guard let party = parties[user], let fair = share[user], party.limit > fair else { continue }
                send(user, fair)
            }
        }
        return grants
    }

    /// Equal parts of all slots, but to nobody more than what they want; an odd slot to the first.
    private func fairShares(_ users: [String]) -> [String: Int] {
        var share = [String: Int](uniqueKeysWithValues: users.map { ($0, 0) })
        var hungry = users
        var left = slots
        while left > 0, !hungry.isEmpty {
            let part = max(1, left / hungry.count)
            var still: [String] = []
            for user in hungry where left > 0 {
                guard let party = parties[user], let has = share[user] else { continue }
                let wants = party.isShort ? slots : min(party.running, slots)
                let more = min(part, wants - has, left)
                if more > 0 {
                    share[user] = has + more
                    left -= more
                    if has + more < wants { still.append(user) }
                }
            }
            hungry = still
        }
        return share
    }
}
