import Testing

@testable import Scheduler

/// The clock is set forward, back, or to another age.
@Suite struct ClockTests {
    private func world() -> World {
        let world = World(at: "02:03")
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"*/5 * * * *\"")
        world.lines()
        return world
    }

    private let age = at("2098-07-01T00:00:00.000Z")

    @Test("Attack 54: an hour or ten years forward is one run that catches up") func anHourOrTenYearsForwardIsOneRunThatCatchesUp() {
        for later in [at("03:03"), at("2036-11-21T02:03:00.000Z")] {
            let world = world()
            world.now = later
            world.handle(.clockSet(movedByMilliseconds: 0))
            let lines = world.lines()
            #expect(lines.filter { $0.hasPrefix("accepted") }.count == 1, "\(lines)")
            #expect(world.lines() == [])
        }
    }

    @Test("Attack 55: set back by less than a day, nothing runs again") func setBackByLessThanADayNothingRunsAgain() {
        let world = world()
        #expect(world.until("02:30", endingRuns: true).filter { $0.contains("accepted") }.count == 6)
        world.now = at("02:03")
        world.handle(.clockSet(movedByMilliseconds: 0))
        #expect(world.until("02:34", endingRuns: true).filter { $0.contains("accepted") } == [])
        #expect(world.until("02:36", endingRuns: true).filter { $0.contains("accepted") } == ["02:35:00 accepted t due 02:35:00"])
    }

    @Test(
        "Attack 59: booted in another age and then corrected, it is not stuck", arguments: [false, true]
    ) func bootedInAnotherAgeAndThenCorrectedItIsNotStuck(isRestarted: Bool) {
        var world = world()
        world.until("02:06", endingRuns: true)
        world.now = age
        world.handle(.clockSet(movedByMilliseconds: 0))
        world.lines()
        world.end("t")
        world.lines()
        #expect(world.scheduler.schedulesAhead(at: at("02:10")) == ["t/s"])
        if isRestarted {
            world = world.restarted(at: "02:10")
        } else {
            world.now = at("02:10")
            world.handle(.clockSet(movedByMilliseconds: 0))
        }
        #expect(world.scheduler.schedulesAhead(at: at("02:10")) == [])
        let lines = world.until("02:21", endingRuns: true)
        #expect(
            lines.filter { $0.contains("accepted") } == ["02:15:00 accepted t due 02:15:00", "02:20:00 accepted t due 02:20:00"],
            "\(lines)")
        // The journal has this state, too.
        let again = world.restarted(at: "02:22")
        #expect(again.scheduler.tasks["t"]?.schedule("s")?.accounted == at("02:20"))
    }

    /// This holds also when the scheduler has forgotten the records, and after the journal was rewritten.
    @Test(arguments: [false, true]) func whatRanBeforeTheClockWasWrongDoesNotRunAgainByAClockThatIsBehindThat(isRestarted: Bool) {
        var world = world()
        world.until("02:16", endingRuns: true)
        world.now = at("02:08")
        world.handle(.clockSet(movedByMilliseconds: 0))
        world.now = age
        world.handle(.clockSet(movedByMilliseconds: 0))
        world.lines()
        world.end("t")
        world.lines()
        if isRestarted {
            world.rotate()
            world = world.restarted(at: "02:09")
        } else {
            world.now = at("02:09")
            world.handle(.clockSet(movedByMilliseconds: 0))
        }
        #expect(world.until("02:21", endingRuns: true).filter { $0.contains("accepted") } == ["02:20:00 accepted t due 02:20:00"])
    }

    /// This holds also when the clock is set right before the end of the try is known, and when the job had a start time.
    @Test func noTryIsPutOffByTheClockThatTheOneBeforeEndedBy() {
        for (keys, outcome) in [("", RunResult.Outcome.neverBegan), ("", .exited(1)), ("start = 2026-11-21T02:04:00Z\n", .exited(1))] {
            let world = World(at: "02:03")
            world.now = age
            let id = world.drop("j", "\(keys)tries = 2\nbackoff = \"10m\"")
            world.lines()
            if keys.isEmpty { world.now = at("02:10") }
            world.handle(.ended(id, attempt: 1, RunResult(outcome: outcome, startedAt: age, endedAt: age)))
            world.lines()
            world.now = at("02:10")
            world.handle(.clockSet(movedByMilliseconds: 0))
            #expect(world["j"].map { $0.notBefore <= at("02:20") } == true, "\(keys)\(outcome)")
        }
    }

    @Test func aTryThatWaitsForAnotherAgeWaitsAsLongAsItWouldHave() {
        let world = World(at: "02:03")
        world.now = age
        world.drop("j", "tries = 2\nbackoff = \"10m\"")
        world.lines()
        world.end("j", .exited(1))
        world.lines()
        world.now = at("02:10")
        world.handle(.clockSet(movedByMilliseconds: 0))
        #expect(world.until("02:19").filter { $0.contains("started") } == [])
        #expect(world.until("02:21").filter { $0.contains("started") } == ["02:20:00 started j 2"])
    }

    @Test func aDueTimeWhoseRunIsOnRecordDoesNotRunAgain() {
        let world = world()
        world.recorded.insert(JobID(task: "t", schedule: "s", due: at("02:05")))
        #expect(world.until("02:11", endingRuns: true).filter { $0.contains("accepted") } == ["02:10:00 accepted t due 02:10:00"])
    }

    @Test("Attack 59: a wrong clock makes no due time occur again") func aClockThatIsWrongItselfBringsNothingBack() {
        let world = world()
        world.now = at("1970-01-01T00:03:00.000Z")
        world.handle(.clockSet(movedByMilliseconds: 0))
        #expect(world.lines() == [])
        #expect(world.scheduler.tasks["t"]?.schedule("s")?.accounted == at("02:03"))
        world.now = at("02:06")
        world.handle(.clockSet(movedByMilliseconds: 0))
        #expect(world.lines() == ["accepted t due 02:05:00", "started t 1"])
    }
}
