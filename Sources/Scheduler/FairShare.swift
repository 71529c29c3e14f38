// Shares the slots of a machine among users, each with a scheduler of their own.
//
// Contract: the sum of the slots that users may use is never more than there are. A user with more than a fair share starts
// nothing more while another user needs a slot; no running job is ended for this. While no user lacks slots, no limit changes.
// The share is max-min fair: a user who needs less than an equal part gets all of it, and the rest is divided equally among the
// others. No user has more than `userSlots`, so that one user's long jobs leave room for others. A user whose scheduler has ended
// counts with the jobs that it may have left running, until fewer are known or another scheduler reports.
//
// A pure function of its inputs, without clock or messages: the owner sends the results of `settle` to the users, and passes
// their answers on.

/// The slots of all users.
public struct FairShare: Sendable {
    /// A new limit for a user. The answer contains `number`.
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
        /// At most this many may run until the answer to that limit has arrived.
        var committed = 0
        /// The time of the last increase of its limit, as a count of increases.
        var raisedAt = 0
        /// The source of reports about the user.
        var teller = Teller.heard
    }

    /// The name of root's own jobs, which may have all slots. No user has this name.
    public static let root = ""

    public var slots: Int
    /// The maximum number of slots of one user.
    public var userSlots = Int.max
    private var parties: [String: Party] = [:]
    private var raises = 0

    public init(slots: Int) { self.slots = slots }

    /// The user has a scheduler, which has been sent no limit. The jobs of an earlier scheduler count until this one reports.
    public mutating func add(_ user: String) {
        let left = parties[user]?.committed ?? 0
        parties[user] = Party(running: left, committed: left, teller: .new)
    }

    /// The user's scheduler has ended, or there has been none yet. At most this many of its jobs are still running.
    public mutating func leave(_ user: String, running: Int) {
        let most = parties[user]?.committed ?? cap(user)
        parties[user] = Party(running: most, committed: most, teller: .gone)
        recount(user, running: running)
    }

    /// At most this many jobs are still running of a user without a reporting scheduler.
    public mutating func recount(_ user: String, running: Int) {
        guard var party = parties[user], party.teller != .heard else { return }
        party.running = min(max(0, running), party.committed)
        party.committed = max(party.running, party.limit)
        parties[user] = party.teller == .gone && party.running == 0 ? nil : party
    }

    /// The users for whom nothing reports the number of running jobs.
    public var untold: [String] { parties.filter { $0.value.teller != .heard && $0.value.running > 0 }.keys.sorted() }

    private func cap(_ user: String) -> Int { user == Self.root ? slots : min(slots, max(1, userSlots)) }

    public func limit(_ user: String) -> Int { parties[user]?.limit ?? 0 }

    public func number(_ user: String) -> Int { parties[user]?.number ?? 0 }

    /// Handles a report of a user's scheduler.
    ///
    /// - Parameters:
    ///   - isShort: it would start more than its limit allows.
    ///   - number: the number of the last limit that it has applied.
    public mutating func report(_ user: String, running: Int, isShort: Bool, number: Int) {
        guard var party = parties[user], party.teller != .gone else { return }
        party.teller = .heard
        // The numbers come from another process, which its owner may have modified. None of them may affect other users.
        party.running = min(max(0, running), slots)
        party.isShort = isShort
        if number == party.number { party.committed = max(party.limit, party.running) }
        parties[user] = party
    }

    /// The limits that must change now.
    public mutating func settle() -> [Grant] {
        var grants: [Grant] = []
        // Users with fewer running jobs come first, then those who have waited longer, so that an odd slot rotates.
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
        // Users who lack slots get up to their share from the unused slots.
        var free = max(0, slots - committed)
        for user in users {
            guard let party = parties[user], party.isShort, let fair = share[user], fair > party.limit else { continue }
            // A reduced limit that was not answered yet still counts with its old value.
            let more = max(0, min(fair - max(party.limit, party.committed), free))
            let limit = min(fair, max(party.limit, party.committed) + more)
            guard limit > party.limit else { continue }
            free -= more
            send(user, limit)
        }
        // If slots are still missing, the users with more than their share give them back.
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

    /// Equal parts of all slots, but for no user more than needed. Odd slots go to the first users.
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
