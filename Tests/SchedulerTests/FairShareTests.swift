@testable import Scheduler
import Testing

@Suite struct FairShareTests {
    /// Users who want a number of slots and start as many jobs as they may. `settle` carries out decisions until nothing changes.
    struct World {
        var share: FairShare
        var wants: [String: Int] = [:]
        var running: [String: Int] = [:]
        var limits: [String: Int] = [:]
        var numbers: [String: Int] = [:]
        var mostRunning = 0
        var grants = 0

        init(slots: Int, _ users: String...) {
            share = FairShare(slots: slots)
            for user in users { share.add(user) }
        }

        mutating func want(_ user: String, _ count: Int) { wants[user] = count }

        /// Ends this number of a user's jobs.
        mutating func end(_ user: String, _ count: Int) {
            running[user, default: 0] -= count
            wants[user, default: 0] -= count
        }

        mutating func settle() {
            for _ in 0..<1000 {
                for (user, want) in wants.sorted(by: { $0.key < $1.key }) {
                    let now = running[user] ?? 0
                    running[user] = max(now, min(want, limits[user] ?? 0))
                    share.report(user, running: running[user]!, isShort: want > running[user]!, number: numbers[user] ?? 0)
                }
                mostRunning = max(mostRunning, running.values.reduce(0, +))
                let grants = share.settle()
                self.grants += grants.count
                for grant in grants { (limits[grant.user], numbers[grant.user]) = (grant.slots, grant.number) }
                if grants.isEmpty { return }
            }
            Issue.record("it never comes to rest")
        }
    }

    @Test func aLoneUserHasAllSlots() {
        var world = World(slots: 8, "alice", "bob")
        world.want("alice", 100)
        world.settle()
        #expect(world.running == ["alice": 8])
        #expect(world.grants == 1)
    }

    @Test("One user's jobs leave the slots that userSlots reserves; root's own jobs may take all", arguments: [
        (slots: 8, most: 7, user: "alice", has: 7), (8, 7, "", 8), (8, 3, "alice", 3), (1, 1, "alice", 1), (4, 9, "alice", 4),
        (4, 0, "alice", 1),
    ])
    func noUserHasAll(slots: Int, most: Int, user: String, has: Int) {
        var world = World(slots: slots, "alice", "bob", "")
        world.share.userSlots = most
        world.want(user, 100)
        world.settle()
        #expect(world.running[user] == has)
        world.want("bob", 100)
        world.settle()
        #expect(world.running["bob"] == min(slots - has, has))
        #expect(world.mostRunning <= slots)
    }

    @Test func aLowerUserSlotsIsToldAtOnce() {
        var world = World(slots: 8, "alice")
        world.want("alice", 100)
        world.settle()
        world.share.userSlots = 5
        world.settle()
        #expect(world.limits["alice"] == 5)
        world.end("alice", 8)
        world.settle()
        #expect(world.running["alice"] == 5)
    }

    /// Running jobs whose user's daemon is gone count until they are known to have ended.
    @Test func whatRunsOnCounts() {
        var world = World(slots: 8, "alice", "bob")
        world.want("alice", 6)
        world.settle()
        world.share.leave("alice", running: 6)
        world.wants["alice"] = nil
        world.want("bob", 100)
        world.settle()
        #expect(world.running["bob"] == 2)
        #expect(world.share.untold == ["alice"])
        world.share.recount("alice", running: 9)
        world.share.recount("alice", running: 4)
        world.settle()
        #expect(world.running["bob"] == 4)
        // A new daemon serves alice. It has not received any limit.
        world.share.add("alice")
        (world.limits["alice"], world.numbers["alice"], world.running["alice"]) = (0, 0, 4)
        world.settle()
        #expect(world.running["bob"] == 4)
        world.want("alice", 100)
        world.settle()
        #expect(world.running == ["alice": 4, "bob": 4])
        world.share.leave("alice", running: 0)
        world.wants["alice"] = nil
        world.settle()
        #expect(world.running["bob"] == 8)
    }

    @Test func whatRanBeforeCountsFromTheStart() {
        var world = World(slots: 8)
        world.share.leave("alice", running: 5)
        world.share.add("")
        world.want("", 100)
        world.settle()
        #expect(world.running[""] == 3)
    }

    @Test func whoComesLaterGetsHalfAsJobsEnd() {
        var world = World(slots: 8, "alice", "bob")
        world.want("alice", 100)
        world.settle()
        world.want("bob", 100)
        world.settle()
        #expect(world.running == ["alice": 8, "bob": 0])
        for _ in 0..<20 {
            world.end("alice", min(2, world.running["alice"]!))
            world.settle()
        }
        #expect(world.running == ["alice": 4, "bob": 4])
        #expect(world.mostRunning == 8)
    }

    @Test func whoWantsLittleGetsAllOfIt() {
        var world = World(slots: 9, "alice", "bob", "carol")
        world.want("alice", 100)
        world.want("bob", 100)
        world.want("carol", 1)
        for _ in 0..<20 {
            world.settle()
            for user in ["alice", "bob"] where world.running[user]! > 0 { world.end(user, 1) }
        }
        world.settle()
        #expect(world.running["carol"] == 1)
        #expect(world.running["alice"] == 4)
        #expect(world.running["bob"] == 4)
    }

    @Test func nothingIsSaidWhileNobodyIsShort() {
        var world = World(slots: 8, "alice", "bob")
        world.want("alice", 3)
        world.want("bob", 3)
        world.settle()
        #expect(world.running == ["alice": 3, "bob": 3])
        let grants = world.grants
        for count in [1, 2, 3, 0, 3] {
            world.want("alice", count)
            world.running["alice"] = count
            world.settle()
        }
        #expect(world.grants == grants)
    }

    /// A lowered limit counts at its old value until its user has answered, because the user may have started jobs by it.
    @Test func slotsAreNotGivenTwice() {
        var share = FairShare(slots: 4)
        share.add("alice")
        share.add("bob")
        share.report("alice", running: 0, isShort: true, number: 0)
        let first = share.settle()
        #expect(first == [FairShare.Grant(user: "alice", slots: 4, number: 1)])
        share.report("bob", running: 0, isShort: true, number: 0)
        // alice has not reported yet that she started jobs for her four slots.
        let lowered = share.settle()
        #expect(
            lowered == [FairShare.Grant(user: "alice", slots: 0, number: 2)]
                || lowered == [FairShare.Grant(user: "alice", slots: 2, number: 2)])
        #expect(share.settle().isEmpty)
        share.report("alice", running: 4, isShort: true, number: 1)
        #expect(!share.settle().contains { $0.user == "bob" && $0.slots > 0 })
        share.report("alice", running: 4, isShort: true, number: 2)
        #expect(!share.settle().contains { $0.user == "bob" && $0.slots > 0 })
        share.report("alice", running: 1, isShort: true, number: share.number("alice"))
        #expect(share.settle().contains { $0.user == "bob" && $0.slots >= 1 })
    }

    /// Users report anything in any order. The running jobs never exceed the slots.
    @Test(arguments: 0..<50) func neverMoreThanThereAre(seed: UInt64) {
        var random = SplitMix(state: seed)
        let users = (0..<5).map { "user\($0)" }
        let slots = random.next(1...12)
        var share = FairShare(slots: slots)
        users.forEach { share.add($0) }
        var running: [String: Int] = [:]
        var limits: [String: Int] = [:]
        var numbers: [String: Int] = [:]
        var wants: [String: Int] = [:]
        /// Limits that were sent and not read yet.
        var letters: [FairShare.Grant] = []
        for _ in 0..<2000 {
            let user = users[random.next(0...4)]
            switch random.next(0...5) {
            case 0: wants[user] = max(running[user] ?? 0, random.next(0...20))
            case 1:
                if let now = running[user], now > 0 {
                    running[user] = now - 1
                    wants[user] = max(0, (wants[user] ?? 0) - 1)
                }
            case 2:
                if let index = letters.firstIndex(where: { $0.user == user }) {
                    let letter = letters.remove(at: index)
                    (limits[user], numbers[user]) = (letter.slots, letter.number)
                }
            case 3: running[user] = max(running[user] ?? 0, min(wants[user] ?? 0, limits[user] ?? 0))
            default:
                share.report(
                    user, running: running[user] ?? 0, isShort: (wants[user] ?? 0) > (running[user] ?? 0), number: numbers[user] ?? 0)
                letters += share.settle()
            }
            #expect(running.values.reduce(0, +) <= slots)
        }
        // From here on every user wants all slots, and jobs end one by one. No user gets less than half of what another gets.
        var starts: [String: Int] = [:]
        for round in 0..<1000 {
            for letter in letters { (limits[letter.user], numbers[letter.user]) = (letter.slots, letter.number) }
            letters.removeAll()
            let ending = users[round % users.count]
            if let now = running[ending], now > 0 { running[ending] = now - 1 }
            for user in users {
                let before = running[user] ?? 0
                running[user] = max(before, min(20, limits[user] ?? 0))
                starts[user, default: 0] += running[user]! - before
                share.report(user, running: running[user]!, isShort: true, number: numbers[user] ?? 0)
            }
            letters += share.settle()
            #expect(running.values.reduce(0, +) <= slots)
        }
        let counts = users.map { starts[$0] ?? 0 }
        #expect(counts.min()! > 20 && 2 * counts.min()! >= counts.max()! - 2, "\(slots) slots: \(counts)")
    }

    /// SplitMix by Steele, Lea and Flood: a small generator with the same numbers on all machines.
    struct SplitMix {
        var state: UInt64
        mutating func next(_ range: ClosedRange<Int>) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return range.lowerBound + Int((z ^ (z >> 31)) % UInt64(range.count))
        }
    }
}
