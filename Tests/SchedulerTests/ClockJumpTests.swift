import Testing

@testable import Scheduler

/// Somebody sets the clock.
@Suite struct ClockJumpTests {
    @Test func anHourForwardIsCaughtUpAsADowntimeIs() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"*/10 * * * *\"")
        world.task("n", "[[schedule]]\ncron = \"*/10 * * * *\"\ncatch_up = \"none\"")
        world.until("02:05")
        world.now = at("03:05")
        #expect(
            world.lines() == [
                "skipped n 02:10:00 to 03:00:00 (6) missed", "skipped t 02:10:00 to 02:59:59.999 (5) merged",
                "accepted t due 03:00:00", "started t 1",
            ])
    }

    @Test func aFewSecondsLateIsNotMissed() {
        let world = World()
        world.task("n", "[[schedule]]\ncron = \"*/10 * * * *\"\ncatch_up = \"none\"")
        world.lines()
        world.now = at("02:11")
        #expect(world.lines() == ["accepted n due 02:10:00", "started n 1"])
        world.end("n")
        world.now = at("02:21:00.001")
        #expect(world.lines() == ["ended n 1 done", "skipped n 02:20:00 to 02:20:00 (1) missed"])
    }

    /// A suspended machine, or a clock set forward, causes a downtime without a restart.
    @Test("Attack 54: a step forward is caught up by the schedule's rule", arguments: CatchUpTests.rules)
    func aStepForwardIsCaughtUpByTheSchedulesRule(_ row: (String, String, [String])) {
        let world = World()
        world.task("t", "[[schedule]]\n\(row.0)\n\(row.1)")
        world.lines()
        world.now = at("06:30")
        #expect(world.lines() == row.2)
        #expect(world.lines() == [])
        // After the clock is set back, no due time occurs a second time. Only an interval from the end of a run counts by the new
        // clock.
        world.now = at("02:05")
        let again = world.until("06:30", endingRuns: true).filter { $0.contains("accepted") || $0.contains("skipped") }
        let dues = world.records.compactMap { if case .accepted(let job) = $0.record { job.due } else { nil } }
        #expect(Set(dues).count == dues.count)
        #expect(again == [] || row.0 == "every = \"2h\"")
    }

    @Test func aStepForwardWhileARunIsUnderWayIsNoEndOfIt() {
        let world = World()
        world.task("c", "overlap = \"skip\"\n[[schedule]]\ncron = \"*/10 * * * *\"")
        world.task("p", "[[schedule]]\npattern = \"**.02.10.00\"")
        world.until("02:10")
        world.now = at("2026-11-23T06:00:00.000Z")
        #expect(
            world.lines() == [
                "skipped c 02:20:00 to 2026-11-23T05:59:59.999 (310) merged",
                "skipped c 2026-11-23T06:00:00 to 2026-11-23T06:00:00 (1) overlap",
            ])
        world.end("c")
        world.end("p")
        #expect(world.lines() == ["ended c 1 done", "ended p 1 done"])
        #expect(world.until("2026-11-24T02:10:00.000Z").contains("2026-11-24T02:10:00 accepted p due 2026-11-24T02:10:00"))
    }

    static let kinds = [
        "pattern = \"10.minutes\"", "pattern = \"**.02.10.00\"", "cron = \"*/10 * * * *\"", "every = \"10m\"",
        "every = \"10m\"\nfrom = \"start\"", "at = \"2026-11-21T02:10:00Z\"",
    ]

    @Test("Attack 55: an hour back fires nothing twice", arguments: kinds)
    func anHourBackFiresNothingTwice(schedule: String) {
        let world = World()
        world.task("t", "[[schedule]]\n\(schedule)")
        let before = world.until("02:10", endingRuns: true).filter { $0.contains("accepted") }
        #expect(before == ["02:10:00 accepted t due 02:10:00"])
        world.now = at("01:10")
        let after = world.until("02:15", endingRuns: true).filter { $0.contains("accepted") }
        #expect(after == [])
        #expect(Set(world.until("04:00", endingRuns: true)).filter { $0.contains("due 02:10:00") } == [])
        #expect(world.restarted(at: "01:30").lines() == ["daemon started"])
    }

    @Test func aRunThatEndsBeforeItBeganIsRecordedAsItIs() {
        let world = World()
        world.drop("a", "tries = 2")
        world.lines()
        world.now = at("01:00")
        world.end("a", .exited(1))
        #expect(world.lines() == ["ended a 1 new exit until 01:00:10"])
    }
}
