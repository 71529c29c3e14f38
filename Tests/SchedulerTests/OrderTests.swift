import TestSupport
import Testing

@testable import Scheduler

/// The order in which jobs start: slots, queues, priority, start times, deadlines, pauses.
@Suite struct OrderTests {
    @Test func noMoreRunThanThereAreSlots() {
        let world = World(slots: 2)
        for name in ["a", "b", "c", "d"] { world.drop(name) }
        #expect(world.starts() == ["a", "b"])
        #expect(world.starts() == [])
        world.end("b")
        #expect(world.starts() == ["c"])
        world.end("a")
        world.end("c")
        #expect(world.starts() == ["d"])
        #expect(world.scheduler.runningCount == 1)
    }

    @Test func fewerSlotsLetRunningJobsEnd() {
        let world = World(slots: 3)
        for name in ["a", "b", "c", "d"] { world.drop(name) }
        world.lines()
        world.handle(.limits(SchedulerLimits(slots: 1)))
        world.end("a")
        world.end("b")
        #expect(world.starts() == [])
        world.end("c")
        #expect(world.starts() == ["d"])
    }

    @Test func aFullQueueNeverHoldsBackAnother() {
        let world = World(slots: 3, queues: ["gpu": 1])
        world.drop("g1", "queue = \"gpu\"\npriority = 9")
        world.drop("g2", "queue = \"gpu\"\npriority = 9")
        world.drop("g3", "queue = \"gpu\"\npriority = 9")
        world.drop("a")
        world.drop("b", "queue = \"other\"")
        #expect(world.starts() == ["g1", "a", "b"])
        #expect(world.scheduler.runningByQueue == ["gpu": 1, "default": 1, "other": 1])
        world.end("a")
        #expect(world.starts() == [])
        world.end("g1")
        #expect(world.starts() == ["g2"])
    }

    /// The keys of jobs in their order of arrival, and the order in which they start with one slot.
    static let orders: [([String], [String])] = [
        (["", "", ""], ["j0", "j1", "j2"]),
        (["priority = -1", "", "priority = 1"], ["j2", "j1", "j0"]),
        (["start = 2026-11-21T01:30:00Z", "start = 2026-11-21T01:00:00Z"], ["j1", "j0"]),
        (["start = 2026-11-21T01:00:00Z", "priority = 1"], ["j1", "j0"]),
        (["", "start = 2026-11-21T01:59:59Z", "priority = -5", "priority = 1000"], ["j3", "j1", "j0", "j2"]),
    ]

    @Test(arguments: orders)
    func priorityGoesBeforeStartAndStartBeforeArrival(keys: [String], order: [String]) {
        let world = World(slots: 1)
        for (number, keys) in keys.enumerated() { world.drop("j\(number)", keys) }
        var started: [String] = []
        for _ in keys {
            let name = world.starts().first ?? "-"
            started.append(name)
            world.end(name)
        }
        #expect(started == order)
    }

    @Test func aDelayedJobWaitsForItsStart() {
        let world = World()
        world.drop("a", "start = \"in 10 minutes\"")
        #expect(world.starts() == [])
        #expect(world.scheduler.nextWake() == at("02:10"))
        world.now = at("02:09:59.999")
        #expect(world.starts() == [])
        world.now = at("02:10")
        #expect(world.starts() == ["a"])
        #expect(world.scheduler.nextWake() == nil)
    }

    @Test func aJobThatIsNotStartedByItsDeadlineFails() {
        let world = World(slots: 1)
        world.drop("a")
        world.drop("b", "deadline = \"1m\"")
        world.drop("c", "deadline = \"2026-11-21T02:00:30Z\"")
        #expect(world.starts() == ["a"])
        #expect(world.scheduler.nextWake() == at("02:00:30"))
        #expect(world.until("02:02") == ["02:00:30 ended c 0 failed deadline", "02:01:00 ended b 0 failed deadline"])
        world.end("a")
        #expect(world.starts() == [])
    }

    @Test func aJobStartedInTimeIsNotTouchedByItsDeadline() {
        let world = World()
        world.drop("a", "deadline = \"1m\"\ntries = 2\nbackoff = \"5m\"")
        world.lines()
        world.now = at("02:00:30")
        world.end("a", .exited(1))
        // Before its second try the job has started once. The deadline is for the first start only.
        #expect(world.until("02:10") == ["02:00:30 ended a 1 new exit until 02:05:30", "02:05:30 started a 2"])
    }

    @Test func aDeadlineThatHasPassedWhenTheJobArrivesIsSaidAtOnce() {
        let world = World()
        world.drop("a", "deadline = \"2026-11-21T01:00:00Z\"")
        #expect(world.lines() == ["accepted a", "ended a 0 failed deadline"])
        #expect(world.turn.starts.isEmpty && world.turn.places.map(\.name) == ["a"])
    }

    @Test func nothingStartsWhileAllIsPaused() {
        let world = World()
        world.handle(.paused(.all, note: "moving house"))
        world.drop("a")
        #expect(world.lines() == ["paused all", "accepted a"])
        #expect(world.scheduler.pauses == [.all: "moving house"])
        world.handle(.paused(.all, note: "moving house"))
        #expect(world.lines() == [])
        world.handle(.resumed(.all))
        #expect(world.starts() == ["a"])
        world.handle(.resumed(.all))
        #expect(world.lines() == [])
    }

    @Test func aPausedQueueHoldsBackItsJobsAlone() {
        let world = World()
        world.handle(.paused(.queue("gpu"), note: ""))
        world.drop("g", "queue = \"gpu\"\npriority = 5")
        world.drop("a")
        #expect(world.starts() == ["a"])
        world.handle(.resumed(.queue("gpu")))
        #expect(world.starts() == ["g"])
    }

    @Test func aPausedTaskHoldsBackItsRunsAlone() {
        let world = World()
        world.task("t", "")
        world.handle(.paused(.task("t"), note: ""))
        world.drop("t1", of: "t")
        world.drop("a")
        #expect(world.starts() == ["a"])
        world.handle(.resumed(.task("t")))
        #expect(world.starts() == ["t1"])
    }

    @Test func aTurnThatMayNotStartStartsNothing() {
        let world = World()
        world.task("t", "[[schedule]]\nevery = \"1m\"")
        world.drop("a")
        world.now = at("02:05")
        #expect(world.starts(mayStart: false) == [])
        #expect(world.starts() == ["t", "a"] || world.turn.starts.map(\.name) == ["a", "t"])
    }

    @Test func placesAreToldOnceATurn() {
        let world = World()
        world.drop("a", "backoff = 0\ntries = 3")
        world.lines()
        world.end("a", .exited(1))
        // The job ended and began again within one turn, so it has one place.
        #expect(world.lines() == ["ended a 1 new exit until 02:00:00", "started a 2"])
        #expect(world.turn.places.map(\.name) == ["a"] && world.turn.starts.map(\.name) == ["a"])
    }

    @Test func aJobThatIsWithdrawnIsBroughtNowhere() {
        let world = World(at: "02:00")
        let id = world.drop("a")
        #expect(world.starts() == ["a"])
        world.handle(.ended(id, attempt: 1, RunResult(outcome: .neverBegan, startedAt: nil, endedAt: world.now)))
        world.handle(.withdrawn(id))
        #expect(world.lines().last?.hasPrefix("withdrawn") == true)
        #expect(world.turn.places.isEmpty)
    }

    /// The job's file was edited after a start that failed, and the edited job has ended.
    @Test func ofAJobThatWasTakenUpAnewOnlyTheLastHasAPlace() {
        let scheduler = Scheduler(zones: zones)
        let world = World(scheduler, at: at("02:00"))
        let job = world.job("a")
        let records: [Record] = [
            .accepted(job), .started(job.id, attempt: 1), .ended(job.id, Ending(attempt: 0, state: .new, reason: nil)),
            .accepted(job), .ended(job.id, Ending(attempt: 0, state: .failed, reason: .canceled)),
        ]
        for record in records { scheduler.restore(record, at: world.now) }
        #expect(scheduler.finishRestoring().places.map(\.state) == [.failed])
    }
}
