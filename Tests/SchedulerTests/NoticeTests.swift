import TestSupport
import Testing

@testable import Scheduler

@Suite struct NoticeTests {
    // MARK: Failures in a row

    /// The ends of a task's runs, one each minute: `f` fails, `s` succeeds. `F` is a failure that is reported, `R` a recovery.
    @Test(arguments: [
        ("", "fffsf", "FFFRF"),
        ("notify_after = 3", "fffff", "ffFFF"),
        ("notify_after = 3", "ffsfff", "ffsffF"),
        ("notify_after = 3", "fffsffs", "ffFRffs"),
        ("notify_every = \"3m\"", "fffffff", "FffFffF"),
        ("notify_every = \"3m\"", "ffsff", "FfRFf"),
        ("notify_after = 2\nnotify_every = \"3m\"", "ffffffs", "fFffFfR"),
        ("notify_every = \"6h\"", "ssss", "ssss"),
    ])
    func aTaskThatFailsOftenIsToldOfSeldom(keys: String, ends: String, told: String) {
        let world = World()
        world.task("t", definition(keys))
        var found = ""
        for (index, end) in ends.enumerated() {
            world.drop("run\(index)", definition(keys), of: "t")
            world.lines()
            world.end("run\(index)", .exited(end == "s" ? 0 : 1))
            world.lines()
            let names = Set(world.turn.starts.map { String($0.name.split(separator: ".").last ?? "") })
            // Every success is mailed. A failure is mailed when it is reported.
            #expect(names.contains("mail") == (end == "s" || names.contains("on_failure")), "\(names)")
            found += names.contains("on_failure") ? "F" : names.contains("on_recovery") ? "R" : String(end)
            for start in world.turn.starts {
                world.handle(.ended(start.id, attempt: 1, RunResult(outcome: .exited(0), startedAt: world.now, endedAt: world.now)))
            }
            world.lines()
            world.now = world.now.advanced(byMilliseconds: 60_000)
        }
        #expect(found == told)
    }

    private func definition(_ keys: String) -> String {
        "\(keys)\non_failure = [\"f\"]\non_recovery = [\"r\"]\nmail = {to = \"a@b\", when = \"always\"}"
    }

    @Test func aCanceledRunIsNeitherAFailureNorASuccess() {
        let world = World()
        world.task("t", "")
        for (index, how) in ["fail", "cancel", "fail"].enumerated() {
            let id = world.drop("run\(index)", "notify_after = 2\non_failure = [\"f\"]", of: "t")
            world.lines()
            if how == "cancel" { world.handle(.cancel(id)) }
            world.lines()
            world.end("run\(index)", .exited(1))
            world.lines()
            #expect(world.turn.starts.map(\.name) == (index == 2 ? ["run2.on_failure"] : []))
        }
    }

    @Test func theFailuresInARowSurviveASnapshot() {
        let world = World()
        world.task("t", "")
        world.drop("a", "", of: "t")
        world.lines()
        world.end("a", .exited(1))
        world.lines()
        let again = Scheduler(zones: zones)
        for entry in world.scheduler.snapshot(at: world.now) { again.restore(entry.record, at: entry.at) }
        _ = again.finishRestoring()
        let later = World(again, at: world.now)
        later.drop("b", "notify_after = 2\non_failure = [\"f\"]", of: "t")
        later.lines()
        later.end("b", .exited(1))
        later.lines()
        #expect(later.turn.starts.map(\.name) == ["b.on_failure"])
    }

    @Test func aJobWithoutATaskIsToldOfAlways() {
        let world = World()
        world.drop("a", "notify_after = 9\non_failure = [\"f\"]")
        world.drop("b", "tries = 2\nbackoff = 0\non_recovery = [\"r\"]")
        world.lines()
        world.end("a", .exited(1))
        world.end("b", .exited(1))
        world.lines()
        #expect(world.turn.starts.map(\.name).sorted() == ["a.on_failure", "b"])
        world.end("b")
        world.lines()
        #expect(world.turn.starts.map(\.name) == ["b.on_recovery"])
    }

    // MARK: Starts and slow runs

    @Test func onStartIsStartedInTheTurnOfTheFirstTry() {
        let world = World()
        world.drop("a", "tries = 2\nbackoff = 0\non_start = [\"ping\"]")
        #expect(world.lines().contains("announced start a"))
        #expect(world.turn.starts.map(\.name) == ["a", "a.on_start"])
        world.end("a", .exited(1))
        world.lines()
        #expect(world.turn.starts.map(\.name) == ["a"])
    }

    @Test func onStartIsNotStartedAgainByADaemonThatFindsTheRun() {
        let world = World()
        world.drop("a", "on_start = [\"ping\"]\nslow = \"1m\"\non_slow = [\"nudge\"]")
        world.lines()
        world.handle(.ended(world.turn.starts[1].id, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
        world.now = at("02:01")
        world.lines()
        #expect(world.turn.starts.map(\.name) == ["a.on_slow"])
        world.handle(.ended(world.turn.starts[0].id, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
        world.lines()
        for records in [world.records, world.scheduler.snapshot(at: world.now)] {
            let again = World.restored(from: records, at: at("02:30"))
            again.lines()
            #expect(again.turn.starts.isEmpty)
            #expect(again.scheduler.jobs.values.map(\.name) == ["a"])
        }
    }

    @Test("A run is slow when it has run for that long, whatever the clock is set to", arguments: ["2031-01-01T00:00:00.000Z", "01:00"])
    func slowByTheTimeItRan(_ clock: String) {
        let world = World()
        world.drop("a", "slow = \"30m\"\non_slow = [\"nudge\"]")
        world.lines()
        world.now = at("02:10")
        world.lines()
        world.now = at(clock)
        world.handle(.clockSet(movedByMilliseconds: world.now.milliseconds - at("02:10").milliseconds))
        #expect(!world.lines().contains("announced slow a"))
        let left = world.scheduler.nextWake().map { $0.milliseconds - world.now.milliseconds }
        #expect(left == Int64(1_200_000))
        world.now = world.now.advanced(byMilliseconds: 20 * 60_000)
        #expect(world.lines().contains("announced slow a"))
    }

    @Test func aRunIsSlowOnceAndALaterDaemonSaysIt() throws {
        let world = World()
        world.drop("a", "slow = \"30m\"\non_slow = [\"nudge\"]")
        world.lines()
        #expect(world.scheduler.nextWake() == at("02:30"))
        let again = World.restored(from: world.records, at: at("02:29:59"))
        #expect(again.lines() == [] && again.scheduler.nextWake() == at("02:30"))
        again.now = at("02:45")
        #expect(again.lines().first == "announced slow a")
        let nudge = try #require(again.turn.starts.first)
        #expect(nudge.name == "a.on_slow")
        again.now = at("04:00")
        #expect(again.lines() == [] && again.scheduler.nextWake() == nil)
    }

    @Test func aRunThatEndsInTimeIsNotSlow() {
        let world = World()
        world.drop("a", "slow = \"30m\"\non_slow = [\"nudge\"]\ntries = 2\nbackoff = \"20m\"")
        world.lines()
        world.now = at("02:20")
        world.end("a", .exited(1))
        // The time of the second try counts from its own beginning at 02:40.
        #expect(world.until("03:09:59").contains { $0.contains("slow") } == false)
        #expect(world.until("03:10").contains { $0.contains("announced slow a") })
    }

    // MARK: Runs that are too short

    @Test func aRunThatEndsTooSoonHasFailed() {
        let world = World()
        world.drop("a", "min_run = \"10s\"")
        world.drop("b", "min_run = \"10s\"")
        world.drop("c", "min_run = \"10s\"\nretry_on = [\"short\"]\ntries = 2")
        world.drop("d", "min_run = \"10s\"")
        world.lines()
        world.now = at("02:00:09.999")
        world.end("a")
        world.end("c")
        world.end("d", .exited(3))
        let lines = world.lines()
        #expect(lines.contains { $0.contains("a") && $0.contains("failed short") }, "\(lines)")
        #expect(lines.contains { $0.contains("failed exit") }, "\(lines)")
        #expect(world["c"]?.state == .new && world["c"]?.reason == .short)
        #expect(world["c"]?.error == "ended after 9s999ms, before its min_run of 10s")
        world.now = at("02:00:10")
        world.end("b")
        #expect(world.lines().contains { $0.contains("done") })
    }
}
