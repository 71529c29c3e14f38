import Testing

@testable import Scheduler

/// Due times and their results.
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
        // No due time occurs while the run goes on.
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
        // When the file is read again, after a restart or an edit, the passed instant is neither refused nor run again.
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
        // Due times that passed meanwhile are not caught up.
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
        // 09:00 had passed when the schedule was edited, so it was never missed.
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
        let refusals = [
            "refused tasks/t.toml:4:6: at 2026-11-21T01:00:00.000Z is in the past",
            "refused schedules/f.toml:2:6: at 2026-11-21T01:00:00.000Z is in the past",
        ]
        edit(world)
        #expect(world.lines() == refusals)
        // The next daemon refuses the edit in the same way.
        let next = World.restored(from: world.records, at: at("03:00"))
        edit(next)
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["daemon started"] + refusals)
        for world in [world, next] {
            #expect(
                world.until("09:00", endingRuns: true).filter { $0.contains("accepted") }
                    == ["08:00:00 accepted u due 08:00:00", "09:00:00 accepted t due 09:00:00"])
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

    @Test("Attack 80: @reboot runs once for each boot of the machine") func rebootIsOnceAStartOfTheMachine() {
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
        #expect(
            world.until("04:30").suffix(2)
                == ["03:00:00 skipped t 03:00:00 to 03:00:00 (1) paused", "04:00:00 skipped t 04:00:00 to 04:00:00 (1) paused"])
        world.handle(.resumed(.task("t")))
        #expect(world.until("05:00").last == "05:00:00 started t 1")
    }

    @Test func whatFallsDueWhileAllIsPausedWaits() {
        let world = World()
        world.task("t", "[[schedule]]\ncron = \"0 * * * *\"")
        world.handle(.paused(.all, note: ""))
        #expect(
            world.until("04:30").suffix(2) == ["03:00:00 accepted t due 03:00:00", "04:00:00 skipped t 04:00:00 to 04:00:00 (1) overlap"])
        world.handle(.resumed(.all))
        #expect(world.lines() == ["resumed all", "started t 1"])
    }
}
