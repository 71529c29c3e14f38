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

    @Test("A snapshot keeps up to where due times may repeat, also of a schedule that leaps over days", arguments: [
        ["2026-11-15T00:00:00.000Z", "2026-11-22T00:00:00.000Z", "2026-11-21T20:10:00.000Z"],
        ["2026-11-21T00:00:00.000Z", "2026-11-21T08:00:00.000Z", "2026-11-21T07:00:00.000Z"],
        ["2026-11-15T00:00:00.000Z", "2026-11-22T00:00:00.000Z"], ["2026-11-15T00:00:00.000Z"],
    ])
    func aSnapshotKeepsUpToWhereDueTimesMayRepeat(marks: [String]) {
        func schedule(_ marks: [Instant]) -> ScheduleState {
            let state = ScheduleState(task: "t", id: "s", accounted: marks[0], origin: marks[0])
            for mark in marks.dropFirst() {
                state.apply(.scheduled(task: "t", schedule: "s", accounted: mark, origin: mark, lastEnd: nil))
            }
            return state
        }
        let live = schedule(marks.map { at($0) })
        let again = schedule(live.accountedMarks)
        #expect(again.accounted == live.accounted && again.repeatedThrough == live.repeatedThrough)
        #expect(again.accountedMarks == live.accountedMarks)
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

    // MARK: Lines of crontabs

    private func lines() -> World {
        let world = World(at: "02:03")
        func line(_ name: String, _ when: String) {
            world.task(
                name, "overlap = \"allow\"\n[[schedule]]\nid = \"s\"\ncron = \"\(when)\"\ncatch_up = \"none\"", crontab: "/etc/crontab")
        }
        line("w", "*/10 * * * *")
        line("f", "15 2,6 * * *")
        world.lines()
        return world
    }

    private func accepted(_ world: World, until end: String) -> [String] {
        world.recorded.formUnion(ids(world))
        return world.until(end, endingRuns: true).filter { $0.contains("accepted") }.map { line in
            let words = line.split(separator: " ")
            return "\(words[0].prefix(5)) \(words[2])"
        }
    }

    private func ids(_ world: World) -> [JobID] {
        world.records.compactMap { if case .accepted(let job) = $0.record { job.id } else { nil } }
    }

    @Test(
        "C1: after the clock was set back by less than three hours, only lines with * in the hour or minute run again",
        arguments: [0, 1, 2])
    func setBackByLess(restarts: Int) {
        var world = lines()
        #expect(accepted(world, until: "02:25") == ["02:10 w", "02:15 f", "02:20 w"])
        for _ in 0..<5 {
            world.now = at("02:05")
            world.handle(.clockSet(movedByMilliseconds: -1_200_000))
            if restarts > 0 {
                let known = world.recorded.union(ids(world))
                if restarts > 1 { world.rotate() }
                world = world.restarted(at: "02:05")
                world.recorded = known
            }
            #expect(accepted(world, until: "02:25") == ["02:10 w", "02:20 w"])
        }
        // A job has an id of its own each time.
        let ids = ids(world)
        #expect(Set(ids).count == ids.count)
        #expect(accepted(world, until: "06:16").filter { $0.hasSuffix("f") } == ["06:15 f"])
    }

    @Test("C1: after the clock was set back by more than three hours, all lines follow it")
    func setBackByMore() {
        let world = lines()
        #expect(accepted(world, until: "06:25").filter { $0.hasSuffix("f") } == ["02:15 f", "06:15 f"])
        world.now = at("02:05")
        #expect(world.scheduler.schedulesAhead(at: at("02:05")) == ["f/s", "w/s"])
        world.handle(.clockSet(movedByMilliseconds: -15_600_000))
        #expect(accepted(world, until: "02:25") == ["02:10 w", "02:15 f", "02:20 w"])
        #expect(accepted(world, until: "06:16").filter { $0.hasSuffix("f") } == ["06:15 f"])
    }

    @Test("C1: a correction by seconds repeats nothing")
    func corrected() {
        let world = lines()
        #expect(accepted(world, until: "02:20:00") == ["02:10 w", "02:15 f", "02:20 w"])
        world.now = at("02:19:30")
        world.handle(.clockSet(movedByMilliseconds: -30_000))
        #expect(accepted(world, until: "02:31") == ["02:30 w"])
    }

    @Test("C1: what the clock leaves out is made up for by lines with a time of day, up to three hours", arguments: [
        ("02:16", ["f 02:15"]), ("02:22", ["f 02:15", "w 02:20"]), ("05:14", ["f 02:15"]), ("05:16", []), ("05:21", []),
    ])
    func setForward(to time: String, runs: [String]) {
        let world = lines()
        world.until("02:11", endingRuns: true)
        world.now = at("\(time):00")
        world.handle(.clockSet(movedByMilliseconds: 0))
        #expect(acceptedNow(world) == runs)
    }

    /// The tasks and due times that were accepted since the last call.
    private func acceptedNow(_ world: World) -> [String] {
        world.lines().filter { $0.hasPrefix("accepted") }.map { line in
            let words = line.split(separator: " ")
            return "\(words[1]) \(words[3].prefix(5))"
        }.sorted()
    }

    @Test("C1: what the clock leaves out while the daemon rests is made up for in the same way, and downtime is not", arguments: [
        ("02:17", ["f 02:15"]), ("05:14", ["f 02:15"]), ("05:16", []),
    ])
    func setForwardAtRest(to time: String, runs: [String]) {
        for isAfterRest in [true, false] {
            let world = lines()
            world.until("02:11", endingRuns: true)
            let next = world.restarted(at: time, isAfterRest: isAfterRest)
            #expect(acceptedNow(next) == (isAfterRest ? runs : []))
        }
    }
}
