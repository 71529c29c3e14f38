@testable import Simulation
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

    /// What seeds found beyond those that are run each time, and was mended.
    static let found: [(what: String, steps: [String])] = [
        (
            "A file that takes the name of one whose place the disk refuses is a job of its own, once",
            [
                "drop 13344403330537382981", "pass 7516234495338936201", "pass 5206186425008360079", "dropSlowly 5595351623781280092",
                "lookFault 18443066133472994740", "finishSlow 5342574228431805107", "submit 3145101290797050850", "turn 14274091701981133883",
                "turn 18195026405897349306", "submit 16873878809312806706",
            ]
        ),
        (
            "A waiting job whose way to a directory the disk cut off has not been withdrawn",
            [
                "clockByYears 3966352800650198788", "submit 5544006277007793873", "submit 12822795573772482594", "turn 14674461627989850656",
                "drop 306879431520175092", "submit 12865932655557313574", "cancel 12715356753121420101", "interject 11171040584314545314",
                "clockByYears 7779417244240499678", "drop 5148521886331398829", "lookFault 13443109076074743344", "pass 17545959937368585349",
            ]
        ),
        (
            "Of two jobs with one name in new/, a power cut brings back the file of the first",
            [
                "submit 7561937336126823338", "drop 7870546440786368642", "edit 11156542796562568588", "killSoon 9677438056173089531",
                "turn 5138816891824832461", "recoverTwice 3762521945485119396", "submit 12981434201119899424", "crashLoop 14337264653390243459",
                "cutPowerSoon 3236800990018891813", "edit 15070691690978247169", "start 6296621289800304798", "stop 6209214989501333566",
                "cutPowerSoon 11941741872707061368", "recoverTwice 8869976474972949362",
            ]
        ),
        (
            "A clock that goes back some minutes, ahead by years and back again gives no due time twice",
            [
                "defineTask 7461184894497523027", "turn 17123564066579104038", "pass 17444888766544993776", "pass 7091809456958257620",
                "work 10715654124435199832", "work 5879419248771497650", "pass 4508836741524339783", "pass 16345172195850425630",
                "work 14504055637670477570", "work 10739512850242361815", "stop 13892020520320997894", "clock 7588652112959608777",
                "dropSlowly 6006799050206912255", "clockByYears 12884511694443630228", "start 1996945888447570176",
            ]
        ),
        (
            "A job that replaces the run of its task for which it was to wait",
            [
                "drop 12170688683941056740", "defineTask 1508466796470412794", "turn 10299781722426136898", "wait 3809112783264600370",
                "turn 10433392494147594692", "pass 12450229506415642897", "cancel 15889662781975668461", "defineTask 16693428878834197030",
                "turn 5629190733952801814", "retry 2122620695725079573", "pass 15072800589669831164", "drop 6900623293440714835",
                "turn 15664883753830992484", "removeTask 5788977199641630106",
            ]
        ),
        (
            "A power cut after an orderly end brings back a file that could not be used, under a waiting job's name",
            [
                "submit 16712924788265692727", "turn 9463944472368337179", "killWorker 3290469726231910413", "pause 12170456039431117926",
                "kill 4826357167081983280", "submit 13177636495195990208", "start 15014648882849131317", "cutPowerSoon 18172050237919237925",
                "stop 16908981406017497861", "recoverTwice 10051517100544504468",
            ]
        ),
    ]

    @Test(arguments: found)
    func whatWasFoundStaysMended(what: String, steps: [String]) throws {
        let steps = try steps.map { text in
            let words = text.split(separator: " ")
            return Step(kind: try #require(Step.Kind(rawValue: String(words[0]))), pick: try #require(UInt64(words[1])))
        }
        let failure = Run(steps).perform().violation
        #expect(failure == nil, "\(what)")
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
