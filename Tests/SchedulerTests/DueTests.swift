import Testing

@testable import Scheduler

/// Due times, and what becomes of each.
@Suite struct DueTests {
    @Test func aDueTimeBecomesAJobWhenItComes() {
        let world = World(at: "02:03")
        world.task("t", "[[schedule]]\ncron = \"*/5 * * * *\"\npayload = 7")
        #expect(world.lines() == ["defined tasks/t", "scheduled t from 02:03:00"])
        #expect(world.scheduler.nextWake() == at("02:05"))
        world.now = at("02:04:59.999")
        #expect(world.lines() == [])
        world.now = at("02:05:00.003")
        #expect(world.lines() == ["accepted t due 02:05:00", "started t 1"])
        let job = world.turn.starts[0]
        #expect(job.due == at("02:05") && job.scheduledAt == at("02:05") && job.createdAt == at("02:05:00.003"))
        #expect(job.definition.payload == Array("7".utf8) && job.task == "t")
        #expect(job.id == JobID(task: "t", schedule: job.schedule!, due: at("02:05")))
        #expect(world.scheduler.nextDue()?.instant == at("02:10"))
    }

    @Test func aRunOfAnEarlierDueTimeThatWasAskedForLeavesTheScheduleWhereItIs() {
        let world = World(at: "02:03")
        world.task("t", "overlap = \"allow\"\n[[schedule]]\nid = \"s\"\ncron = \"*/5 * * * *\"")
        world.lines()
        var job = world.job("t", of: "t", id: JobID(task: "t", schedule: "s", due: at("02:00")))
        job.schedule = "s"
        job.due = at("02:00")
        world.handle(.dropped(job))
        #expect(world.lines() == ["accepted t due 02:00:00", "started t 1"])
        #expect(world.until("02:05") == ["02:05:00 accepted t due 02:05:00", "02:05:00 started t 1"])
    }

    @Test func twoSchedulesOfATaskAreIndependent() {
        let world = World()
        world.task("t", "overlap = \"allow\"\n[[schedule]]\ncron = \"5 * * * *\"\n[[schedule]]\ncron = \"5,10 * * * *\"")
        let accepted = world.until("02:59").filter { $0.contains("accepted") }
        #expect(accepted.map { String($0.prefix(5)) } == ["02:05", "02:05", "02:10"])
        #expect(Set(world.scheduler.jobs.keys).count == 3)
    }

    @Test func everyCountsFromTheEndOfTheLastRun() {
        let world = World()
        world.task("t", "[[schedule]]\nevery = \"5m\"")
        #expect(world.until("02:05").last == "02:05:00 started t 1")
        // Nothing is due while it runs.
        #expect(world.until("02:30") == [])
        world.end("t")
        #expect(world.until("02:40") == ["02:30:00 ended t 1 done", "02:35:00 accepted t due 02:35:00", "02:35:00 started t 1"])
    }

    @Test func betweenTwoTriesARunHasNotEnded() {
        let world = World()
        world.task("t", "tries = 2\nbackoff = \"10m\"\n[[schedule]]\nevery = \"5m\"")
        world.until("02:05")
        world.end("t", .exited(1))
        #expect(world.until("02:15") == ["02:05:00 ended t 1 new exit until 02:15:00", "02:15:00 started t 2"])
        world.end("t")
        #expect(world.until("02:20") == ["02:15:00 ended t 2 done", "02:20:00 accepted t due 02:20:00", "02:20:00 started t 1"])
    }

    @Test func everyFromStartKeepsItsGrid() {
        let world = World(at: "02:01")
        world.task("t", "[[schedule]]\nevery = \"5m\"\nfrom = \"start\"")
        world.until("02:06")
        world.now = at("02:08:30")
        world.end("t")
        #expect(world.until("02:11") == ["02:08:30 ended t 1 done", "02:11:00 accepted t due 02:11:00", "02:11:00 started t 1"])
    }

    @Test func anInstantComesOnce() {
        let world = World()
        world.task("t", "[[schedule]]\nat = \"2026-11-21T03:00:00Z\"")
        let said = world.until("2026-11-25T00:00:00.000Z", endingRuns: true)
        #expect(said.filter { $0.contains("accepted") } == ["03:00:00 accepted t due 03:00:00"])
        #expect(world.scheduler.nextWake() == nil)
    }

    @Test func anInstantThatHadPassedWhenItWasGivenIsRefused() {
        let world = World()
        world.task("t", "[[schedule]]\nat = \"2026-11-21T01:00:00Z\"")
        #expect(world.lines() == ["refused tasks/t.toml:3:6: at 2026-11-21T01:00:00.000Z is in the past"])
        #expect(world.scheduler.tasks["t"] == nil && world.scheduler.definitions.isEmpty)
        world.task("u", "")
        world.schedule("s", of: "u", "at = \"2026-11-21T01:00:00Z\"")
        #expect(world.lines() == ["defined tasks/u", "refused schedules/s.toml:2:6: at 2026-11-21T01:00:00.000Z is in the past"])
    }

    @Test func anInstantThatWasGivenBeforeItPassedIsCaughtUp() {
        let world = World()
        world.task("t", "[[schedule]]\nat = \"2026-11-21T01:00:00Z\"", since: at("00:30"))
        #expect(world.lines() == ["defined tasks/t", "scheduled t from 00:30:00", "accepted t due 01:00:00", "started t 1"])
        world.end("t")
        world.lines()
        // Read again, after a restart or for an edit, it is neither refused nor run again.
        let next = world.restarted(at: "04:00")
        #expect(next.lines() == ["daemon started"])
        next.task("t", "timeout = 5\n[[schedule]]\nat = \"2026-11-21T01:00:00Z\"", since: at("04:00"))
        #expect(next.lines() == ["defined tasks/t"])
    }

    @Test func anInstantMissedForNoCatchUpIsSkipped() {
        let world = World()
        world.task("t", "[[schedule]]\nat = \"2026-11-21T03:00:00Z\"\ncatch_up = \"none\"")
        world.lines()
        #expect(world.restarted(at: "06:00").lines() == ["daemon started", "skipped t 03:00:00 to 03:00:00 (1) missed"])
    }

    // MARK: Gates

    @Test func dueTimesLieBetweenNotBeforeAndNotAfter() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"\nnot_before = \"2026-11-21T04:00:00Z\"\nnot_after = \"2026-11-21T05:00:00Z\"")
        let accepted = world.until("12:00", endingRuns: true).filter { $0.contains("accepted") }
        #expect(accepted == ["04:00:00 accepted t due 04:00:00", "05:00:00 accepted t due 05:00:00"])
    }

    @Test func whatIsNotEnabledIsNotDue() {
        let world = World()
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 * * * *\"\nenabled = false")
        world.lines()
        #expect(world.scheduler.nextWake() == nil)
        world.now = at("06:30")
        // What fell due meanwhile is not caught up.
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 * * * *\"")
        #expect(world.lines() == ["defined tasks/t", "scheduled t from 06:30:00"])
        #expect(world.scheduler.nextWake() == at("07:00"))
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 * * * *\"\nenabled = false")
        world.lines()
        #expect(world.scheduler.nextWake() == nil)
    }

    @Test func aScheduleThatWasDisabledThroughARestartIsNotCaughtUp() {
        let world = World()
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 * * * *\"\nenabled = false")
        world.lines()
        let next = world.restarted(at: "06:30")
        next.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 * * * *\"")
        #expect(next.lines().filter { $0.contains("accepted") } == [])
        #expect(next.scheduler.nextWake() == at("07:00"))
    }

    @Test func anEditedExpressionIsNotDueForTheTimeBeforeItsEdit() {
        let world = World()
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 3 * * *\"")
        world.until("10:30", endingRuns: true)
        // 09:00 is past when it is asked for; it was never missed.
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 9 * * *\"")
        #expect(world.lines().filter { $0.contains("accepted") } == [])
        #expect(world.scheduler.nextWake() == at("2026-11-22T09:00:00.000Z"))
    }

    @Test func anEditWhileTheDaemonIsDownIsNotDueForTheTimeBeforeIt() {
        let world = World()
        world.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 3 * * *\"")
        world.task("u", "")
        world.schedule("f", of: "u", "cron = \"0 3 * * *\"")
        world.lines()
        let next = World.restored(from: world.records, at: at("10:30"))
        next.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 9 * * *\"")
        next.task("u", "")
        next.schedule("f", of: "u", "cron = \"0 9 * * *\"")
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines().filter { $0.contains("accepted") } == [])
        #expect(next.scheduler.nextWake() == at("2026-11-22T09:00:00.000Z"))
    }

    @Test func anEditToAnInstantThatHasPassedIsRefusedAndTheOldOneStays() {
        let world = World()
        world.task("t", "[[schedule]]\nid = \"s\"\nat = \"2026-11-21T09:00:00Z\"")
        world.task("u", "")
        world.schedule("f", of: "u", "at = \"2026-11-21T08:00:00Z\"")
        world.lines()
        func edit(_ world: World) {
            world.task("t", "[[schedule]]\nid = \"s\"\nat = \"2026-11-21T01:00:00Z\"")
            world.task("u", "")
            world.schedule("f", of: "u", "at = \"2026-11-21T01:00:00Z\"")
        }
        let refusals = ["refused tasks/t.toml:4:6: at 2026-11-21T01:00:00.000Z is in the past", "refused schedules/f.toml:2:6: at 2026-11-21T01:00:00.000Z is in the past"]
        edit(world)
        #expect(world.lines() == refusals)
        // The same when the edit is found by the next daemon.
        let next = World.restored(from: world.records, at: at("03:00"))
        edit(next)
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["daemon started"] + refusals)
        for world in [world, next] {
            #expect(world.until("09:00", endingRuns: true).filter { $0.contains("accepted") } == ["08:00:00 accepted u due 08:00:00", "09:00:00 accepted t due 09:00:00"])
        }
    }

    @Test func jitterIsTheSameForTheSameDueTime() {
        func starts() -> [Instant] {
            let world = World()
            world.task("t", "[[schedule]]\ncron = \"0 * * * *\"\njitter = \"10m\"")
            world.until("12:00", endingRuns: true)
            return world.records.compactMap { if case .accepted(let job) = $0.record { job.notBefore } else { nil } }
        }
        let first = starts()
        #expect(first.count == 10 && first == starts())
        let delays = first.enumerated().map { $0.element.milliseconds - at("03:00").milliseconds - Int64($0.offset) * 3_600_000 }
        #expect(delays.allSatisfy { (0..<600_000).contains($0) } && Set(delays).count > 5)
    }

    @Test func jitterNeverStartsARunEarlyNorMovesItsDueTime() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 3 * * *\"\njitter = \"10m\"")
        let said = world.until("03:10")
        #expect(said[2] == "03:00:00 accepted t due 03:00:00")
        let started = world.scheduler.jobs.values.first?.startedAt
        #expect(started == world.scheduler.jobs.values.first?.scheduledAt && started! >= at("03:00"))
    }

    // MARK: @reboot

    @Test("Attack 80: @reboot is once a start of the machine") func rebootIsOnceAStartOfTheMachine() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"@reboot\"")
        world.handle(.started(boot: "b1", version: "1"))
        #expect(world.lines().suffix(2) == ["accepted t due 02:00:00", "started t 1"])
        world.end("t")
        world.lines()
        let sameBoot = world.restarted(at: "03:00", boot: "b1")
        #expect(sameBoot.lines() == ["daemon started"])
        let nextBoot = sameBoot.restarted(at: "04:00", boot: "b2")
        #expect(nextBoot.lines() == ["daemon started", "accepted t due 04:00:00", "started t 1"])
        nextBoot.end("t")
        nextBoot.lines()
        let fromSnapshot = World.restored(from: nextBoot.scheduler.snapshot(at: nextBoot.now), at: at("05:00"))
        fromSnapshot.task("t", "[[schedule]]\ncron = \"@reboot\"")
        fromSnapshot.handle(.started(boot: "b2", version: "1"))
        #expect(fromSnapshot.lines() == ["daemon started"])
    }

    @Test func aRebootScheduleThatComesLaterWaitsForTheNextBoot() {
        let world = World()
        world.handle(.started(boot: "b1", version: "1"))
        world.task("t", "[[schedule]]\ncron = \"@reboot\"")
        world.lines()
        #expect(world.scheduler.nextWake() == nil)
    }

    // MARK: Pauses

    @Test func whatFallsDueWhileItsTaskIsPausedIsSkipped() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"")
        world.handle(.paused(.task("t"), note: "broken"))
        #expect(world.until("04:30").suffix(2) == ["03:00:00 skipped t 03:00:00 to 03:00:00 (1) paused", "04:00:00 skipped t 04:00:00 to 04:00:00 (1) paused"])
        world.handle(.resumed(.task("t")))
        #expect(world.until("05:00").last == "05:00:00 started t 1")
    }

    @Test func whatFallsDueWhileAllIsPausedWaits() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"")
        world.handle(.paused(.all, note: ""))
        #expect(world.until("04:30").suffix(2) == ["03:00:00 accepted t due 03:00:00", "04:00:00 skipped t 04:00:00 to 04:00:00 (1) overlap"])
        world.handle(.resumed(.all))
        #expect(world.lines() == ["resumed all", "started t 1"])
    }
}

@Suite struct OverlapTests {
    /// What becomes of three due times when the first runs until after the third: said from then on.
    static let rules: [(String, [String])] = [
        ("wait", ["04:00:00 accepted t due 04:00:00", "05:00:00 skipped t 05:00:00 to 05:00:00 (1) overlap", "05:30:00 ended t 1 done", "05:30:00 started t 1"]),
        ("queue", ["04:00:00 accepted t due 04:00:00", "05:00:00 accepted t due 05:00:00", "05:30:00 ended t 1 done", "05:30:00 started t 1"]),
        ("skip", ["04:00:00 skipped t 04:00:00 to 04:00:00 (1) overlap", "05:00:00 skipped t 05:00:00 to 05:00:00 (1) overlap", "05:30:00 ended t 1 done"]),
        ("allow", ["04:00:00 accepted t due 04:00:00", "04:00:00 started t 1", "05:00:00 accepted t due 05:00:00", "05:00:00 started t 1", "05:30:00 ended t 1 done"]),
        ("replace", ["04:00:00 stopping t replaced", "04:00:00 accepted t due 04:00:00", "05:00:00 ended t 0 failed replaced", "05:00:00 accepted t due 05:00:00", "05:30:00 ended t 1 failed replaced", "05:30:00 started t 1"]),
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
        world.task("t", "overlap = \"queue\"\ntries = 2\nbackoff = \"90s\"\n[[schedule]]\ncron = \"* * * * *\"\nnot_after = \"2026-11-21T02:02:00Z\"")
        world.until("02:01")
        world.end("t", .exited(1))
        #expect(
            world.until("02:03") == [
                "02:01:00 ended t 1 new exit until 02:02:30", "02:02:00 accepted t due 02:02:00", "02:02:30 started t 2",
            ])
        world.end("t")
        #expect(world.starts().count == 1)
    }

    /// The same after a restart at that moment, from the journal or from a snapshot.
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

/// What was missed while the daemon was down, by each schedule's rule.
@Suite struct CatchUpTests {
    /// A schedule, the keys of catching up, and what is said when the daemon comes back at 06:30 after having gone at 02:00.
    static let rules: [(String, String, [String])] = [
        ("cron = \"0 * * * *\"", "", ["skipped t 03:00:00 to 05:59:59.999 (3) merged", "accepted t due 06:00:00", "started t 1"]),
        ("cron = \"0 * * * *\"", "catch_up = \"all\"", ["accepted t due 03:00:00", "accepted t due 04:00:00", "accepted t due 05:00:00", "accepted t due 06:00:00", "started t 1"]),
        ("cron = \"0 * * * *\"", "catch_up = \"all\"\ncatch_up_limit = 2", ["skipped t 03:00:00 to 04:59:59.999 (2) missed", "accepted t due 05:00:00", "accepted t due 06:00:00", "started t 1"]),
        ("cron = \"0 * * * *\"", "catch_up = \"all\"\ncatch_up_limit = 4", ["accepted t due 03:00:00", "accepted t due 04:00:00", "accepted t due 05:00:00", "accepted t due 06:00:00", "started t 1"]),
        ("cron = \"0 * * * *\"", "catch_up = \"none\"", ["skipped t 03:00:00 to 06:00:00 (4) missed"]),
        ("cron = \"0 5 * * *\"", "", ["accepted t due 05:00:00", "started t 1"]),
        ("cron = \"0 7 * * *\"", "", []),
        ("every = \"2h\"", "", ["accepted t due 04:00:00", "started t 1"]),
        ("every = \"2h\"", "catch_up = \"all\"", ["accepted t due 04:00:00", "started t 1"]),
        ("every = \"2h\"", "catch_up = \"none\"", ["skipped t 04:00:00 to 06:00:00 (2) missed"]),
        ("every = \"2h\"\nfrom = \"start\"", "", ["skipped t 04:00:00 to 05:59:59.999 (1) merged", "accepted t due 06:00:00", "started t 1"]),
        ("every = \"2h\"\nfrom = \"start\"", "catch_up = \"all\"", ["accepted t due 04:00:00", "accepted t due 06:00:00", "started t 1"]),
        ("at = \"2026-11-21T03:00:00Z\"", "", ["accepted t due 03:00:00", "started t 1"]),
        ("at = \"2026-11-21T03:00:00Z\"", "catch_up = \"all\"", ["accepted t due 03:00:00", "started t 1"]),
        ("at = \"2026-11-21T03:00:00Z\"", "catch_up = \"none\"", ["skipped t 03:00:00 to 03:00:00 (1) missed"]),
        ("cron = \"0 * * * *\"\nnot_after = \"2026-11-21T04:00:00Z\"", "", ["skipped t 03:00:00 to 03:59:59.999 (1) merged", "accepted t due 04:00:00", "started t 1"]),
        ("cron = \"0 * * * *\"\nenabled = false", "", []),
    ]

    @Test(arguments: rules, [false, true])
    func aDowntimeIsCaughtUpByTheSchedulesRule(_ row: (String, String, [String]), fromSnapshot: Bool) {
        let (schedule, rule, said) = row
        let world = World()
        world.task("t", "[[schedule]]\n\(schedule)\n\(rule)")
        world.lines()
        if fromSnapshot {
            world.earlier = []
            let snapshot = world.scheduler.snapshot(at: world.now)
            let copy = World.restored(from: snapshot, at: world.now)
            copy.task("t", "[[schedule]]\n\(schedule)\n\(rule)")
            #expect(copy.lines() == [])
        }
        let next = world.restarted(at: "06:30")
        let lines = next.lines().filter { $0 != "daemon started" && !$0.hasPrefix("scheduled") }
        #expect(lines == said)
        // Each due time is accounted for once.
        #expect(next.restarted(at: "06:31").lines().filter { !$0.hasPrefix("scheduled") } == ["daemon started"])
    }

    @Test func theRunsThatCatchUpGoOneAfterAnother() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"\ncatch_up = \"all\"")
        world.lines()
        let next = world.restarted(at: "06:30")
        let dues = next.until("06:45", endingRuns: true).filter { $0.contains("started t") }
        #expect(dues.count == 4)
    }

    @Test func whatWasMissedWhileItsTaskIsPausedIsSkippedInOne() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"\ncatch_up = \"all\"")
        world.handle(.paused(.task("t"), note: ""))
        world.lines()
        #expect(world.restarted(at: "06:30").lines() == ["daemon started", "skipped t 03:00:00 to 06:00:00 (4) paused"])
    }

    @Test func aTaskWhoseFileIsGoneWhenTheDaemonComesBackIsGone() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"")
        world.task("u", "")
        world.schedule("s", of: "u", "cron = \"0 * * * *\"")
        world.lines()
        let next = World.restored(from: world.records, at: at("06:30"))
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["daemon started", "undefined schedules/s", "undefined tasks/t", "unscheduled t", "undefined tasks/u", "unscheduled u"])
        #expect(next.scheduler.tasks.isEmpty && next.scheduler.definitions.isEmpty)
    }

    @Test func theLastDefinitionThatWasAcceptedStaysInForceAcrossARestart() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"")
        world.task("u", "")
        world.schedule("s", of: "u", "cron = \"30 * * * *\"")
        world.lines()
        world.handle(.taskUnusable("t"))
        world.handle(.scheduleUnusable(id: "s"))
        #expect(world.lines() == [])
        let next = World.restored(from: world.records, at: at("02:10"))
        next.task("u", "")
        next.handle(.taskUnusable("t"))
        next.handle(.scheduleUnusable(id: "s"))
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["daemon started"])
        #expect(next.until("03:00").filter { $0.contains("accepted") } == ["02:30:00 accepted u due 02:30:00", "03:00:00 accepted t due 03:00:00"])
    }

    /// Keys, and how many years of seconds were missed. A test that took a step for each would not end.
    static let years: [(String, String, [String])] = [
        ("cron = \"* * * * * *\"", "", ["(many) merged", "accepted t due 2046-11-21T02:00:00", "started t 1"]),
        ("cron = \"* * * * * *\"", "catch_up = \"none\"", ["(many) missed"]),
        ("cron = \"* * * * * *\"", "catch_up = \"all\"\ncatch_up_limit = 2", ["(many) missed", "accepted t due 2046-11-21T01:59:59", "accepted t due 2046-11-21T02:00:00", "started t 1"]),
        ("every = 1\nfrom = \"start\"", "", ["(many) merged", "accepted t due 2046-11-21T02:00:00", "started t 1"]),
        ("every = 1", "", ["accepted t due 02:00:01", "started t 1"]),
        ("every = 1", "catch_up = \"none\"", ["(many) missed"]),
        ("every = 0.001", "catch_up = \"none\"", ["(many) missed"]),
    ]

    @Test("Attack 54: twenty years of missed seconds are dealt with at once", arguments: years)
    func twentyYearsOfMissedSecondsAreDealtWithAtOnce(schedule: String, rule: String, said: [String]) {
        let world = World()
        world.task("t", "[[schedule]]\n\(schedule)\n\(rule)")
        world.lines()
        let next = world.restarted(at: "2046-11-21T02:00:00.000Z")
        let lines = next.lines().filter { $0 != "daemon started" }
        #expect(lines.map { $0.hasPrefix("skipped") ? $0.split(separator: " ").suffix(2).joined(separator: " ") : $0 } == said)
        #expect(next.scheduler.nextWake().map { $0 > next.now } ?? true)
    }

    @Test
    func aPausedTasksMissedSecondsAreDealtWithAtOnce() {
        let world = World()
        world.task("t", "[[schedule]]\nevery = 1")
        world.handle(.paused(.task("t"), note: ""))
        world.lines()
        #expect(world.restarted(at: "2046-11-21T02:00:00.000Z").lines().count == 2)
    }
}

/// A clock that somebody sets.
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

    /// A suspend, or a clock set forward, is a downtime that ends without a restart.
    @Test("Attack 54: a step forward is caught up by the schedule's rule", arguments: CatchUpTests.rules)
    func aStepForwardIsCaughtUpByTheSchedulesRule(_ row: (String, String, [String])) {
        let world = World()
        world.task("t", "[[schedule]]\n\(row.0)\n\(row.1)")
        world.lines()
        world.now = at("06:30")
        #expect(world.lines() == row.2)
        #expect(world.lines() == [])
        // And set back to where it was, nothing that has been comes again. What counts from the end of its run does so by the
        // clock that now is.
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

    static let kinds = ["pattern = \"10.minutes\"", "pattern = \"**.02.10.00\"", "cron = \"*/10 * * * *\"", "every = \"10m\"", "every = \"10m\"\nfrom = \"start\"", "at = \"2026-11-21T02:10:00Z\""]

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

/// Tasks and schedules that come, change and go.
@Suite struct DefinitionTests {
    @Test func theSameFileAgainChangesNothing() {
        let world = World()
        world.task("t", "[[schedule]]\nevery = \"5m\"")
        world.lines()
        world.task("t", "[[schedule]]\nevery = \"5m\"")
        #expect(world.lines() == [])
    }

    @Test func anEditKeepsWhatItDoesNotTouch() {
        let world = World()
        world.task("t", "[[schedule]]\nevery = \"5m\"")
        world.lines()
        world.now = at("02:04")
        world.task("t", "timeout = 9\n[[schedule]]\nevery = \"5m\"\n[[schedule]]\ncron = \"0 3 * * *\"")
        #expect(world.lines() == ["defined tasks/t", "scheduled t from 02:04:00"])
        #expect(world.scheduler.nextWake() == at("02:05"))
        world.task("t", "timeout = 9\n[[schedule]]\ncron = \"0 3 * * *\"")
        #expect(world.lines() == ["defined tasks/t", "unscheduled t"])
        #expect(world.scheduler.nextWake() == at("03:00"))
    }

    @Test func aRemovedTaskIsNotDueAndItsRunEnds() {
        let world = World()
        world.task("t", "[[schedule]]\nevery = \"5m\"")
        world.until("02:05")
        let job = world.turn.starts[0]
        world.handle(.taskRemoved("t"))
        #expect(world.lines() == ["undefined tasks/t", "unscheduled t"])
        world.handle(.ended(job.id, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
        #expect(world.lines() == ["ended t 1 done"])
        #expect(world.scheduler.tasks.isEmpty && world.scheduler.nextWake() == nil)
        world.handle(.taskRemoved("t"))
        #expect(world.lines() == [])
    }

    @Test func aScheduleInAFileOfItsOwnStandsApartFromTheTask() {
        let world = World()
        // It may be read before its task.
        world.schedule("s", of: "t", "cron = \"0 * * * *\"")
        #expect(world.scheduler.nextWake() == nil)
        world.task("t", "[[schedule]]\ncron = \"30 * * * *\"")
        world.lines()
        #expect(world.scheduler.nextWake() == at("02:30"))
        world.task("t", "timeout = 5")
        #expect(world.lines() == ["defined tasks/t", "unscheduled t"])
        #expect(world.scheduler.nextWake() == at("03:00"))
        world.handle(.scheduleRemoved(id: "s"))
        #expect(world.lines() == ["undefined schedules/s", "unscheduled t"])
        #expect(world.scheduler.nextWake() == nil)
    }

    @Test func aScheduleFileCanPassToAnotherTask() {
        let world = World()
        world.task("t", "")
        world.task("u", "")
        world.schedule("s", of: "t", "cron = \"0 * * * *\"")
        world.lines()
        world.schedule("s", of: "u", "cron = \"0 * * * *\"")
        #expect(world.lines() == ["undefined schedules/s", "unscheduled t", "defined schedules/s", "scheduled u from 02:00:00"])
        #expect(world.until("03:00").last == "03:00:00 started u 1")
    }

    @Test func anIDThatIsUsedAgainAfterItsRecordWasForgottenLivesAgain() {
        let world = World()
        let id = world.drop("a")
        world.lines()
        world.end("a")
        world.lines()
        world.handle(.dropped(world.job("a", id: id)))
        #expect(world.lines(mayStart: false) == ["accepted a"])
        // After a restart it waits, as it did before.
        let next = World.restored(from: world.records, at: world.now)
        #expect(next.scheduler.jobs[id]?.state == .new)
        #expect(next.lines() == ["started a 1"])
    }
}
