import Simulation
import Testing

@Suite struct Simulations {
    @Test("Attack 70: nothing is lost and nothing runs twice, whatever part of what was not synced the disk keeps", arguments: 0..<8)
    func nothingIsLostAndNothingRunsTwice(batch: UInt64) {
        for seed in batch * 25 + 1...batch * 25 + 25 {
            if let violation = Run.seed(seed).violation { Issue.record("seed \(seed): \(violation)") }
        }
    }

    /// The test of the simulator itself: each of these bugs is found, within few seeds, and what finds it is short.
    @Test(arguments: SimulatedDisk.Bug.allCases)
    func aBugThatIsPlantedIsFound(bug: SimulatedDisk.Bug) throws {
        let seed = try #require((UInt64(1)...500).first { Run.seed($0, bug: bug).violation != nil }, "\(bug) is not found")
        let failure = try #require(Shrinking.shrink(Step.plan(seed, count: 150), bug: bug), "seed \(seed) does not replay")
        #expect(failure.steps.count < 30, "seed \(seed): \(failure)")
        #expect(Run(failure.steps).perform().violation == nil, "it is that bug which fails: \(failure)")
    }

    @Test func aSeedReplaysExactly() {
        for seed in UInt64(1)...5 { #expect(Run.seed(seed) == Run.seed(seed)) }
    }

    @Test func aPlanIsOfAllThatCanHappen() {
        #expect(Set(Step.plan(1, count: 20_000).map(\.kind)) == Set(Step.Kind.allCases))
    }

    /// Two thousand records, of which every 397th bit is turned; `Simulator --journal` turns them all.
    @Test("Attack 72: no turned bit of a journal is passed over") func noTurnedBitOfAJournalIsPassedOver() throws {
        var journal = try JournalBits(records: 2000)
        journal.turn(step: 397, wholeStep: 400_009)
        #expect(journal.records >= 2000 && journal.turned > 5000)
        #expect(journal.unseen == [])
    }
}
