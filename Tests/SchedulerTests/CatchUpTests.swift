import Testing

@testable import Scheduler

/// Due times that were missed while the daemon was down are handled by each schedule's rule.
@Suite struct CatchUpTests {
    /// A schedule, its keys of catching up, and the records when the daemon starts at 06:30 after it ended at 02:00.
    static let rules: [(String, String, [String])] = [
        ("cron = \"0 * * * *\"", "", ["skipped t 03:00:00 to 05:59:59.999 (3) merged", "accepted t due 06:00:00", "started t 1"]),
        (
            "cron = \"0 * * * *\"", "catch_up = \"all\"",
            ["accepted t due 03:00:00", "accepted t due 04:00:00", "accepted t due 05:00:00", "accepted t due 06:00:00", "started t 1"]),
        (
            "cron = \"0 * * * *\"", "catch_up = \"all\"\ncatch_up_limit = 2",
            ["skipped t 03:00:00 to 04:59:59.999 (2) missed", "accepted t due 05:00:00", "accepted t due 06:00:00", "started t 1"]),
        (
            "cron = \"0 * * * *\"", "catch_up = \"all\"\ncatch_up_limit = 4",
            ["accepted t due 03:00:00", "accepted t due 04:00:00", "accepted t due 05:00:00", "accepted t due 06:00:00", "started t 1"]),
        ("cron = \"0 * * * *\"", "catch_up = \"none\"", ["skipped t 03:00:00 to 06:00:00 (4) missed"]),
        ("cron = \"0 5 * * *\"", "", ["accepted t due 05:00:00", "started t 1"]),
        ("cron = \"0 7 * * *\"", "", []),
        ("every = \"2h\"", "", ["accepted t due 04:00:00", "started t 1"]),
        ("every = \"2h\"", "catch_up = \"all\"", ["accepted t due 04:00:00", "started t 1"]),
        ("every = \"2h\"", "catch_up = \"none\"", ["skipped t 04:00:00 to 06:00:00 (2) missed"]),
        (
            "every = \"2h\"\nfrom = \"start\"", "",
            ["skipped t 04:00:00 to 05:59:59.999 (1) merged", "accepted t due 06:00:00", "started t 1"]),
        ("every = \"2h\"\nfrom = \"start\"", "catch_up = \"all\"", ["accepted t due 04:00:00", "accepted t due 06:00:00", "started t 1"]),
        ("at = \"2026-11-21T03:00:00Z\"", "", ["accepted t due 03:00:00", "started t 1"]),
        ("at = \"2026-11-21T03:00:00Z\"", "catch_up = \"all\"", ["accepted t due 03:00:00", "started t 1"]),
        ("at = \"2026-11-21T03:00:00Z\"", "catch_up = \"none\"", ["skipped t 03:00:00 to 03:00:00 (1) missed"]),
        (
            "cron = \"0 * * * *\"\nnot_after = \"2026-11-21T04:00:00Z\"", "",
            ["skipped t 03:00:00 to 03:59:59.999 (1) merged", "accepted t due 04:00:00", "started t 1"]),
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
        #expect(
            next.lines()
                == ["daemon started", "undefined schedules/s", "undefined tasks/t", "unscheduled t", "undefined tasks/u", "unscheduled u"])
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
        #expect(
            next.until("03:00").filter { $0.contains("accepted") }
                == ["02:30:00 accepted u due 02:30:00", "03:00:00 accepted t due 03:00:00"])
    }

    /// Schedules with twenty years of missed due times. A test that took a step for each would not end.
    static let years: [(String, String, [String])] = [
        ("cron = \"* * * * * *\"", "", ["(many) merged", "accepted t due 2046-11-21T02:00:00", "started t 1"]),
        ("cron = \"* * * * * *\"", "catch_up = \"none\"", ["(many) missed"]),
        (
            "cron = \"* * * * * *\"", "catch_up = \"all\"\ncatch_up_limit = 2",
            ["(many) missed", "accepted t due 2046-11-21T01:59:59", "accepted t due 2046-11-21T02:00:00", "started t 1"]),
        ("every = 1\nfrom = \"start\"", "", ["(many) merged", "accepted t due 2046-11-21T02:00:00", "started t 1"]),
        ("every = 1", "", ["accepted t due 02:00:01", "started t 1"]),
        ("every = 1", "catch_up = \"none\"", ["(many) missed"]),
        ("every = 0.001", "catch_up = \"none\"", ["(many) missed"]),
    ]

    @Test("Attack 54: twenty years of missed seconds are handled at once", arguments: years)
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
