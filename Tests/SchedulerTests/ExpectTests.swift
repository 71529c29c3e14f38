import Testing

@testable import Scheduler

@Suite struct ExpectTests {
    static let task = "expect = \"1h\"\non_overdue = \"notify $SPOOL_OVERDUE_TASK\"\n"

    @Test func aTaskThatHasNotSucceededInTimeIsOverdueOnce() {
        let world = World()
        world.task("t", Self.task)
        #expect(world.until("02:59:59") == ["02:00:00 defined tasks/t", "02:00:00 expecting t since 02:00:00"])
        #expect(
            world.until("05:00")
                == ["03:00:00 accepted t.on_overdue", "03:00:00 overdue t since 02:00:00", "03:00:00 started t.on_overdue 1"])
        #expect(world.scheduler.overdue.map(\.task) == ["t"])
        #expect(world.scheduler.jobs.values.first?.definition.environment.map(\.value) == ["t", "2026-11-21T02:00:00.000Z"])
        world.handle(.resumed(.all))
        world.drop("t1", of: "t")
        world.lines()
        world.end("t1")
        world.lines()
        #expect(world.scheduler.overdue.isEmpty)
        #expect(world.until("08:00").filter { $0.contains("overdue t ") } == ["06:00:00 overdue t since 05:00:00"])
    }

    @Test func aSuccessInTimePutsItOffAndAFailureDoesNot() {
        let world = World()
        world.task("t", Self.task)
        world.until("02:30")
        world.drop("t1", of: "t")
        world.lines()
        world.end("t1")
        world.until("03:20")
        world.drop("t2", of: "t")
        world.lines()
        world.end("t2", .exited(1))
        #expect(world.until("04:00").filter { $0.contains("overdue t ") } == ["03:30:00 overdue t since 02:30:00"])
    }

    @Test func aShorterTimeCountsAtOnce() {
        let world = World()
        world.task("t", "expect = \"30d\"")
        world.task("other", "expect = \"10h\"")
        world.until("02:30")
        world.task("t", "expect = \"1h\"")
        #expect(world.until("05:00").filter { $0.contains("overdue t ") } == ["03:00:00 overdue t since 02:00:00"])
    }

    @Test(arguments: [false, true])
    func aRestartNeitherForgetsNorDoublesIt(fromSnapshot: Bool) {
        var world = World()
        world.task("t", Self.task)
        world.until("02:30")
        func restart(_ time: String) {
            let next = World.restored(
                from: fromSnapshot ? world.scheduler.snapshot(at: world.now) : world.earlier + world.records, at: at(time))
            next.earlier = world.earlier + world.records
            next.task("t", Self.task, since: at("02:00"))
            world = next
        }
        restart("02:40")
        #expect(world.until("03:10").filter { $0.contains(" t ") } == ["03:00:00 overdue t since 02:00:00"])
        restart("03:20")
        #expect(world.until("05:00").isEmpty)
        #expect(world.scheduler.overdue.map(\.task) == ["t"])
    }

    @Test func whatIsNoLongerExpectedIsNotMissed() {
        let world = World()
        world.task("t", Self.task)
        world.lines()
        world.task("t", "")
        #expect(world.until("09:00") == ["02:00:00 defined tasks/t", "02:00:00 expecting t never"])
        world.task("t", Self.task)
        world.lines()
        world.handle(.taskRemoved("t"))
        #expect(world.until("12:00").filter { $0.contains("overdue") } == [])
        #expect(world.scheduler.tasks.isEmpty)
    }
}
