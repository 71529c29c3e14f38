import Testing

@testable import Scheduler

@Suite struct OverlapTests {
    /// The records of three due times, from the second on, when the first run takes until after the third.
    static let rules: [(String, [String])] = [
        (
            "wait",
            [
                "04:00:00 accepted t due 04:00:00", "05:00:00 skipped t 05:00:00 to 05:00:00 (1) overlap", "05:30:00 ended t 1 done",
                "05:30:00 started t 1",
            ]),
        (
            "queue",
            ["04:00:00 accepted t due 04:00:00", "05:00:00 accepted t due 05:00:00", "05:30:00 ended t 1 done", "05:30:00 started t 1"]),
        (
            "skip",
            [
                "04:00:00 skipped t 04:00:00 to 04:00:00 (1) overlap", "05:00:00 skipped t 05:00:00 to 05:00:00 (1) overlap",
                "05:30:00 ended t 1 done",
            ]),
        (
            "allow",
            [
                "04:00:00 accepted t due 04:00:00", "04:00:00 started t 1", "05:00:00 accepted t due 05:00:00", "05:00:00 started t 1",
                "05:30:00 ended t 1 done",
            ]),
        (
            "replace",
            [
                "04:00:00 stopping t replaced", "04:00:00 accepted t due 04:00:00", "05:00:00 ended t 0 failed replaced",
                "05:00:00 accepted t due 05:00:00", "05:30:00 ended t 1 failed replaced", "05:30:00 started t 1",
            ]),
    ]

    @Test(arguments: rules)
    func aTaskThatStillRunsWhenItIsDueAgain(rule: String, said: [String]) {
        let world = World()
        world.task("t", "overlap = \"\(rule)\"\n[[schedule]]\ncron = \"0 * * * *\"")
        world.until("03:00")
        let first = world.turn.starts[0]
        var all = world.until("05:30")
        world.handle(.ended(first.id, attempt: 1, RunResult(outcome: .exited(0), startedAt: first.startedAt, endedAt: world.now)))
        all += world.until("05:59")
        #expect(all == said)
    }

    @Test func queuedRunsGoOneAfterAnother() {
        let world = World()
        world.task("t", "overlap = \"queue\"\n[[schedule]]\ncron = \"* * * * *\"")
        world.until("02:04")
        var started: [Instant] = []
        for _ in 0..<3 {
            world.end("t")
            #expect(world.starts().count == 1)
            started.append(world.turn.starts[0].due)
        }
        #expect(started == [at("02:02"), at("02:03"), at("02:04")])
    }

    @Test func aReplacedRunThatIgnoresItIsToldAgainForEachNewer() {
        let world = World()
        world.task("t", "overlap = \"replace\"\n[[schedule]]\ncron = \"* * * * *\"")
        world.until("02:01")
        let first = world.turn.starts[0]
        #expect(world.until("02:02").contains("02:02:00 stopping t replaced"))
        #expect(world.turn.stops.map(\.job.id) == [first.id])
        #expect(!world.until("02:03").contains("02:03:00 stopping t replaced"))
        #expect(world.turn.stops.map(\.job.id) == [first.id])
    }

    @Test func aRunByHandReplacesToo() {
        let world = World()
        world.task("t", "overlap = \"replace\"")
        world.drop("r1", "overlap = \"replace\"", of: "t")
        world.lines()
        world.drop("r2", "overlap = \"replace\"", of: "t")
        #expect(world.lines() == ["stopping r1 replaced", "accepted r2"])
    }

    @Test func anEditedWaitingRunDoesNotReplaceItself() {
        let world = World()
        world.task("t", "overlap = \"replace\"")
        let id = world.drop("r1", "overlap = \"replace\"\nstart = \"in 1h\"", of: "t")
        world.lines()
        world.handle(.dropped(world.job("r1", "overlap = \"replace\"\nstart = \"in 2h\"", of: "t", id: id)))
        #expect(world.lines() == ["accepted r1"])
        #expect(world.until("04:00") == ["04:00:00 started r1 1"])
    }

    @Test func aRunBetweenTwoTriesStillCounts() {
        let world = World()
        world.task(
            "t",
            "overlap = \"queue\"\ntries = 2\nbackoff = \"90s\"\n[[schedule]]\ncron = \"* * * * *\"\nnot_after = \"2026-11-21T02:02:00Z\"")
        world.until("02:01")
        world.end("t", .exited(1))
        #expect(
            world.until("02:03") == [
                "02:01:00 ended t 1 new exit until 02:02:30", "02:02:00 accepted t due 02:02:00", "02:02:30 started t 2",
            ])
        world.end("t")
        #expect(world.starts().count == 1)
    }

    /// The same test with a restart at that moment, from the journal or from a snapshot.
    @Test(arguments: [false, true])
    func aRunBetweenTwoTriesStillCountsAfterARestart(fromSnapshot: Bool) {
        let world = World()
        world.task("t", "overlap = \"queue\"\ntries = 2\nbackoff = \"90s\"")
        world.drop("r1", "tries = 2\nbackoff = \"90s\"\noverlap = \"queue\"", of: "t")
        world.lines()
        world.end("r1", .exited(1))
        world.drop("r2", "overlap = \"queue\"", of: "t")
        world.lines()
        let records = fromSnapshot ? world.scheduler.snapshot(at: world.now) : world.records
        let next = World.restored(from: records, at: world.now)
        #expect(next.lines() == [])
        #expect(next.until("02:01:30") == ["02:01:30 started r1 2"])
    }

    @Test func aPausedTaskLetsItsRunsGoOneByOneAgain() {
        let world = World()
        world.task("t", "")
        world.handle(.paused(.task("t"), note: ""))
        for name in ["r1", "r2", "r3"] { world.drop(name, "overlap = \"queue\"", of: "t") }
        #expect(world.starts() == [])
        world.handle(.resumed(.task("t")))
        #expect(world.starts() == ["r1"])
        world.handle(.paused(.task("t"), note: ""))
        world.end("r1")
        #expect(world.starts() == [])
        world.handle(.resumed(.task("t")))
        #expect(world.starts() == ["r2"])
    }

    @Test func aRunBetweenTwoTriesIsNotHeldForeverByABetterOne() {
        let world = World()
        world.task("t", "")
        world.drop("r1", "tries = 2", of: "t")
        world.lines()
        world.end("r1", .exited(1))
        world.handle(.paused(.task("t"), note: ""))
        world.drop("r2", "priority = 9", of: "t")
        world.until("02:01")
        world.handle(.resumed(.task("t")))
        #expect(world.starts() == ["r1"])
        world.end("r1")
        #expect(world.starts() == ["r2"])
    }

    @Test func aHeldRunInAFullQueueHoldsBackNoneOfAnotherQueue() {
        let world = World(slots: 5, queues: ["gpu": 1])
        world.task("t", "")
        world.drop("r1", of: "t")
        world.drop("r2", "queue = \"gpu\"\npriority = 9", of: "t")
        world.drop("r3", "overlap = \"queue\"", of: "t")
        world.handle(.paused(.task("t"), note: ""))
        world.lines()
        world.drop("g", "queue = \"gpu\"")
        world.lines()
        world.handle(.cancel(world["r1"]!.id))
        world.handle(.resumed(.task("t")))
        #expect(world.starts() == ["r3"])
    }

    @Test func aRunThatMayOverlapIsNotHeldByOneThatMayNot() {
        let world = World()
        world.task("t", "")
        world.drop("r1", of: "t")
        world.lines()
        world.handle(.paused(.task("t"), note: ""))
        world.drop("r2", "priority = 9", of: "t")
        world.drop("r3", "overlap = \"allow\"", of: "t")
        world.lines()
        world.handle(.resumed(.task("t")))
        #expect(world.starts() == ["r3"])
    }

    @Test func aHeldRunCanBeCanceledWithdrawnAndExpire() {
        let world = World()
        world.task("t", "")
        world.drop("r1", of: "t")
        world.drop("r2", of: "t")
        world.drop("r3", of: "t")
        world.drop("r4", "deadline = \"1m\"", of: "t")
        world.drop("r5", of: "t")
        #expect(world.starts() == ["r1"])
        world.handle(.cancel(world["r2"]!.id))
        world.handle(.withdrawn(world["r3"]!.id))
        world.until("02:01")
        world.end("r1")
        #expect(world.starts() == ["r5"])
    }
}
