import TestSupport
import Testing

@testable import Scheduler

/// Attacks that the scheduler alone must withstand.
@Suite struct AttackTests {
    @Test("Attack 52: ended jobs are forgotten: after a hundred thousand jobs the scheduler keeps as much as at first")
    func manyJobs() {
        let scheduler = Scheduler(limits: SchedulerLimits(slots: 8), zones: zones)
        let maker = World()
        var now = at("02:00")
        maker.task("t", "[[schedule]]\nid = \"s\"\ncron = \"0 3 * * *\"")
        func runs(_ count: Int) -> Int {
            for _ in 0..<count {
                scheduler.handle(.dropped(maker.job("j")), at: now)
                for start in scheduler.takeTurn(at: now).starts {
                    scheduler.handle(.ended(start.id, attempt: 1, RunResult(outcome: .exited(0), startedAt: now, endedAt: now)), at: now)
                }
                _ = scheduler.takeTurn(at: now)
                now = now.advanced(byMilliseconds: 1)
            }
            #expect(scheduler.jobs.isEmpty)
            return scheduler.snapshot(at: now).count
        }
        let first = runs(100)
        #expect(runs(100_000) == first)
    }

    /// On a leap second the clock of some machines shows 23:59:59 twice.
    @Test("Attack 60: a second that occurs twice has its due time once")
    func repeatedSecond() {
        let world = World(at: "23:59:50")
        world.task("t", "overlap = \"allow\"\n[[schedule]]\ncron = \"* * * * * *\"")
        world.lines()
        var due = world.until("23:59:59.900", endingRuns: true).filter { $0.contains("accepted") }
        world.now = at("23:59:59.000")
        world.handle(.clockSet(movedByMilliseconds: 0))
        due += world.until("2026-11-22T00:00:02.000Z", endingRuns: true).filter { $0.contains("accepted") }
        #expect(due.count == 12 && Set(due).count == 12, "\(due)")
        #expect(due.filter { $0.contains("23:59:59") }.count == 1)
    }
}
