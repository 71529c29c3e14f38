import Testing

@testable import Scheduler

/// The scheduler's memory of jobs that have ended.
@Suite("Memory of ended jobs")
struct MemoryTests {
    /// The way in which a job ends long before a time that was noted for it, or while it is held.
    enum Way: CaseIterable {
        case deadline, slow, withdrawnBeforeStart, withdrawnAtLock, withdrawnAtPause, withdrawnAtTask
    }

    @Test("A job that has ended is not kept until a time that was noted for it", arguments: Way.allCases)
    func forgets(_ way: Way) {
        let world = World()
        world.task("t", "")
        // Entries that stay before all others.
        world.drop("running", "slow = \"1h\"")
        world.drop("waiting", "start = \"2026-11-21T20:00:00Z\"\ndeadline = \"20h\"")
        if way == .withdrawnAtLock { world.drop("holder", "locks = [\"l\"]") }
        if way == .withdrawnAtPause { world.handle(.paused(.queue("default"), note: "")) }
        if way == .withdrawnAtTask { world.handle(.paused(.task("t"), note: "")) }
        world.lines()
        weak var first: Job?
        for index in 0..<300 {
            let id =
                switch way {
                case .deadline: world.drop("job", "deadline = \"24h\"")
                case .slow: world.drop("job", "slow = \"24h\"")
                case .withdrawnBeforeStart: world.drop("job", "start = \"2026-11-22T00:00:00Z\"")
                case .withdrawnAtLock: world.drop("job", "locks = [\"l\"]")
                case .withdrawnAtPause: world.drop("job")
                case .withdrawnAtTask: world.drop("job", of: "t")
                }
            world.lines()
            if index == 0 { first = world.scheduler.jobs[id] }
            switch way {
            case .deadline, .slow: world.end("job")
            case .withdrawnBeforeStart, .withdrawnAtLock, .withdrawnAtPause, .withdrawnAtTask: world.handle(.withdrawn(id))
            }
            world.lines()
        }
        #expect(first == nil)
    }
}
