import Testing

@testable import Scheduler

/// `locks`: one job at a time holds a lock, a job takes all its locks or none, and other jobs are not kept back.
@Suite struct LockTests {
    @Test func atMostOneHoldsALockAndOthersGoOn() {
        let world = World(slots: 4)
        world.drop("a", "locks = [\"disk\"]")
        world.drop("b", "locks = \"disk\"\npriority = 9")
        world.drop("c", "locks = [\"disk\", \"net\"]")
        world.drop("d")
        #expect(world.starts() == ["b", "d"])
        #expect(world.starts() == [])
        world.end("b")
        #expect(world.starts() == ["a"])
        world.end("a")
        #expect(world.starts() == ["c"])
    }

    @Test func aJobTakesAllItsLocksOrNone() {
        let world = World()
        world.drop("x", "locks = [\"x\"]")
        world.lines()
        world.drop("xy", "locks = [\"x\", \"y\"]")
        world.drop("y", "locks = [\"y\"]")
        // xy is older, but holds no lock while it waits.
        #expect(world.starts() == ["y"])
        world.end("x")
        #expect(world.starts() == [])
        world.drop("x2", "locks = [\"x\"]")
        #expect(world.starts() == ["x2"])
        world.end("y")
        world.end("x2")
        #expect(world.starts() == ["xy"])
    }

    @Test func theNextInLineGoesWhenTheFirstLeavesOrIsKeptBackByAnother() {
        let world = World()
        world.drop("holder", "locks = [\"a\"]")
        world.drop("other", "locks = [\"b\"]")
        world.lines()
        let first = world.drop("first", "locks = [\"a\"]\npriority = 3")
        world.drop("second", "locks = [\"a\", \"b\"]\npriority = 2")
        world.drop("third", "locks = [\"a\"]\npriority = 1")
        #expect(world.starts() == [])
        world.handle(.cancel(first))
        world.end("holder")
        // The second job is next, but waits for the other lock now.
        #expect(world.starts() == ["third"])
        world.end("third")
        #expect(world.starts() == [])
        world.end("other")
        #expect(world.starts() == ["second"])
    }

    @Test func aLockIsFreeBetweenTwoTriesAndHeldOverARestart() {
        let world = World()
        world.drop("a", "locks = [\"l\"]\ntries = 2\nbackoff = \"1m\"")
        world.drop("b", "locks = [\"l\"]")
        #expect(world.starts() == ["a"])
        let again = World.restored(from: world.records, at: world.now)
        #expect(again.starts() == [])
        world.end("a", .exited(1))
        #expect(world.starts() == ["b"])
        world.now = at("02:01")
        #expect(world.starts() == [])
        world.end("b")
        #expect(world.starts() == ["a"])
    }

    @Test func aLockIsHeldOverASnapshotThatTellsOfOneThatHadItBefore() {
        let world = World()
        // The running job is older than the job that waits for its next try.
        world.drop("b", "locks = [\"l\"]\nstart = \"2026-11-21T02:00:10Z\"")
        world.drop("a", "locks = [\"l\"]\ntries = 2\nbackoff = \"1m\"")
        #expect(world.starts() == ["a"])
        world.end("a", .exited(1))
        world.now = at("02:00:10")
        #expect(world.starts() == ["b"])
        let again = World.restored(from: world.scheduler.snapshot(at: world.now), at: world.now)
        again.now = at("02:02")
        #expect(again.starts() == [])
    }

    @Test func aRunOfATaskThatALockKeepsBackDoesNotKeepBackTheTasksOthers() {
        let world = World()
        world.task("t", "overlap = \"queue\"")
        world.drop("holder", "locks = [\"l\"]")
        world.drop("t1", "overlap = \"queue\"", of: "t")
        world.lines()
        world.drop("t2", "overlap = \"queue\"\nlocks = [\"l\"]\npriority = 1", of: "t")
        world.drop("t3", "overlap = \"queue\"", of: "t")
        world.lines()
        world.end("t1")
        #expect(world.starts() == ["t3"])
    }

    /// Ten thousand jobs that want one lock take no more work than ten thousand jobs that want a slot.
    @Test func manyWaitForOneLock() {
        let world = World(slots: 3)
        for number in 0..<10_000 { world.drop("j\(number)", "locks = [\"l\"]") }
        for number in 0..<10_000 {
            #expect(world.starts() == ["j\(number)"])
            world.end("j\(number)")
        }
    }
}
