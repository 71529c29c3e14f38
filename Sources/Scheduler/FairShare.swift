// How the slots of a machine are shared among users, each with a scheduler of their own.
//
// Contract: the slots that users may use never sum to more than there are. A user who has more than a fair share of them
// while another wants one starts nothing more until that is mended; nothing that runs is ended for it. While nobody is short,
// nothing changes hands. The share is max-min fair: whoever wants less than an equal part gets all of it, and the rest is
// divided equally among the others. No user has more than `userSlots`, so that one user's long jobs leave room for others'.
// A user whose scheduler has ended counts with what it may have left running, until that is known to be less or another scheduler reports.
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

    private enum Teller: Sendable { case gone, new, heard }

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
        /// Whoever tells how things stand with the user.
        var teller = Teller.heard
    }

    /// The name of root's own jobs, which may have all slots: no user is called so.
    public static let root = ""

    public var slots: Int
    /// How many slots one user may have.
    public var userSlots = Int.max
    private var parties: [String: Party] = [:]
    private var raises = 0

    public init(slots: Int) { self.slots = slots }

    /// The user has a scheduler, which has been sent no limit. What an earlier one left running counts until this one reports.
    public mutating func add(_ user: String) {
        let left = parties[user]?.committed ?? 0
        parties[user] = Party(running: left, committed: left, teller: .new)
    }

    /// The user's scheduler has ended, or there has been none yet, and this many of its jobs go on at most.
    public mutating func leave(_ user: String, running: Int) {
        let most = parties[user]?.committed ?? cap(user)
        parties[user] = Party(running: most, committed: most, teller: .gone)
        recount(user, running: running)
    }

    /// This many jobs at most go on of a user who has no scheduler that tells.
    public mutating func recount(_ user: String, running: Int) {
        guard var party = parties[user], party.teller != .heard else { return }
        party.running = min(max(0, running), party.committed)
        party.committed = max(party.running, party.limit)
        parties[user] = party.teller == .gone && party.running == 0 ? nil : party
    }

    /// The users of whom nobody tells how many of their jobs still run.
    public var untold: [String] { parties.filter { $0.value.teller != .heard && $0.value.running > 0 }.keys.sorted() }

    private func cap(_ user: String) -> Int { user == Self.root ? slots : min(slots, max(1, userSlots)) }

    public func limit(_ user: String) -> Int { parties[user]?.limit ?? 0 }

    public func number(_ user: String) -> Int { parties[user]?.number ?? 0 }

    /// A user's scheduler has told how things stand with it.
    ///
    /// - Parameters:
    ///   - isShort: it would start more than its limit allows.
    ///   - number: that of the last limit it has taken up.
    public mutating func report(_ user: String, running: Int, isShort: Bool, number: Int) {
        guard var party = parties[user], party.teller != .gone else { return }
        party.teller = .heard
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
        let isWanted = parties.contains { $0.value.isShort && ($0.value.limit < cap($0.key) || $0.value.committed < cap($0.key)) }
        guard isTight || isWanted || parties.contains(where: { $0.value.limit > cap($0.key) }) else { return [] }
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
        for user in users {
            guard let party = parties[user], let fair = share[user], party.limit > (isLacking ? fair : cap(user)) else { continue }
            send(user, isLacking ? fair : cap(user))
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
                let wants = party.isShort ? cap(user) : min(party.running, cap(user))
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
