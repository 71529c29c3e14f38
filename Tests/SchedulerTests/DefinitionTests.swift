import Testing

@testable import Scheduler

/// Tasks and schedules are added, changed and removed.
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
        // The schedule may be read before its task.
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
        // After a restart the job waits as before.
        let next = World.restored(from: world.records, at: world.now)
        #expect(next.scheduler.jobs[id]?.state == .new)
        #expect(next.lines() == ["started a 1"])
    }
}
