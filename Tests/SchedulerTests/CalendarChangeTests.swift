import Testing

@testable import Scheduler

/// Calendars that change, disappear and come back: no due time runs twice, and none that had moved is lost.
@Suite struct CalendarChangeTests {
    /// The times of the runs, each once.
    private func runs(_ said: [String]) -> [String] {
        said.filter { $0.contains("accepted t due") }.map { String($0.split(separator: " due ").last ?? "") }
    }

    private func world(_ schedule: String, at time: String = "02:00", _ calendars: [String: [String]?]) -> World {
        let world = World(at: time)
        world.configure(calendars)
        world.task("t", "overlap = \"allow\"\n[[schedule]]\n\(schedule)")
        world.lines()
        return world
    }

    private func change(_ world: World, _ calendars: [String: [String]?]) {
        world.configure(calendars)
        world.handle(.calendarsChanged())
        world.lines()
    }

    private let next = "cron = \"0 9 * * *\"\nexcept = \"c\"\nwhen_excluded = \"next\""
    private let tomorrow = "2026-11-22T20:00:00.000Z"

    // MARK: Moved due times

    @Test(arguments: [false, true]) func aDueTimeThatHasRunDoesNotMove(restarts: Bool) {
        var world = world(next, ["c": ["2026-11-30"]])
        #expect(runs(world.until("10:00", endingRuns: true)) == ["09:00:00"])
        // The 21st is excluded now, at nine of which the task has run.
        if restarts {
            world.configure(["c": ["2026-11-21", "2026-11-22"]])
            world = world.restarted(at: "10:05")
        } else {
            change(world, ["c": ["2026-11-21", "2026-11-22"]])
        }
        #expect(runs(world.until("2026-11-23T08:00:00.000Z", endingRuns: true)) == [])
        // Only the due time of the 22nd has moved.
        #expect(runs(world.until("2026-11-23T20:00:00.000Z", endingRuns: true)) == ["2026-11-23T09:00:00"])
    }

    @Test(arguments: [false, true]) func aMovedDueTimeIsNotLostWhenTheExclusionGoes(restarts: Bool) {
        var world = world("cron = \"0 9 21 11 *\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"]])
        #expect(runs(world.until("10:00")) == [])
        if restarts {
            world.handle(.stopped)
            world.lines()
            world.configure(["c": ["2026-12-30"]])
            world = world.restarted(at: "10:05")
        } else {
            change(world, ["c": ["2026-12-30"]])
        }
        #expect(runs(world.until(tomorrow, endingRuns: true)) == ["2026-11-22T09:00:00"])
        #expect(runs(world.until("2026-11-30T00:00:00.000Z", endingRuns: true)) == [])
    }

    /// The daemon left the due time out, or no daemon ran then. The daemon ends at one of these times.
    @Test(arguments: [("10:00", []), ("08:00", ["09:00:00"])])
    func aDueTimeThatWasLeftOutDoesNotRunAfterARestart(ended: String, due: [String]) {
        var world = world("cron = \"0 9 * * sat\"\nexcept = \"c\"", ["c": ["2026-11-21"]])
        world.until(ended)
        world.handle(.stopped)
        world.lines()
        world.configure(["c": ["2026-12-30"]])
        world = world.restarted(at: "2026-11-24T12:00:00.000Z")
        #expect(runs(world.until("2026-11-27T00:00:00.000Z", endingRuns: true)) == due)
        #expect(runs(world.until("2026-11-28T20:00:00.000Z", endingRuns: true)) == ["2026-11-28T09:00:00"])
    }

    @Test func aDueTimeThatTheEndingDaemonDidNotHandleIsMadeUpFor() {
        var world = world("cron = \"0 9 * * *\"\nexcept = \"c\"", ["c": ["2026-11-30"]])
        world.until("08:00")
        world.now = at("10:00")
        world.handle(.stopped)
        world.lines(mayStart: false)
        world.configure(["c": ["2026-12-30"]])
        world = world.restarted(at: "12:00")
        #expect(runs(world.until("20:00", endingRuns: true)) == ["09:00:00"])
    }

    @Test func aMinuteScheduleLosesNoMovedDueTime() {
        let world = world("cron = \"* * * * *\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"]])
        world.until("23:59")
        change(world, ["c": ["2026-12-30"]])
        #expect(world.scheduler.tasks["t"]?.schedules.first?.settled?.open.count == 1440 - 120 - 1)
    }

    /// Since 02:00 two due times a minute have moved.
    @Test(arguments: [("18:40:00", false), ("18:40:30", true)])
    func onlyMoreThan2000MovedDueTimesAreReported(changedAt: String, isReported: Bool) {
        let world = world("cron = \"*/30 * * * * *\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"]])
        world.until(changedAt)
        world.configure(["c": ["2026-12-30"]])
        world.handle(.calendarsChanged())
        let said = world.lines()
        #expect(world.scheduler.tasks["t"]?.schedules.first?.settled?.open.count == 2000)
        #expect(said.contains { $0.contains("more than 2000 due times had moved") } == isReported, "\(said)")
    }

    @Test func aMovedDueTimeMovesOnWhenItsNewTimeIsExcludedToo() {
        let world = world("cron = \"0 9 21 11 *\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"]])
        world.until("10:00")
        change(world, ["c": ["2026-11-22", "2026-11-23"]])
        world.rotate()
        let after = world.restarted(at: "10:30")
        #expect(runs(after.until("2026-11-30T00:00:00.000Z", endingRuns: true)) == ["2026-11-24T09:00:00"])
    }

    @Test func anEditOfTheFilterNeitherRepeatsNorLoses() {
        let start = "cron = \"0 9 * * *\"\nid = \"s\"\n"
        let world = world(start + "except = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"], "d": ["2026-11-22"]])
        world.until("10:00")
        // The due time of the 21st has moved to the 22nd, and moves on. That of the 22nd goes with it.
        world.task("t", "overlap = \"allow\"\n[[schedule]]\n\(start)except = \"d\"\nwhen_excluded = \"next\"")
        #expect(runs(world.until("2026-11-23T20:00:00.000Z", endingRuns: true)) == ["2026-11-23T09:00:00"])
        // Without calendars, all run at their time, and none again.
        world.task("t", "overlap = \"allow\"\n[[schedule]]\n\(start)")
        #expect(runs(world.until("2026-11-24T20:00:00.000Z", endingRuns: true)) == ["2026-11-24T09:00:00"])
    }

    @Test func aSingleDueTimeThatHasRunDoesNotMove() {
        let world = world("at = \"2026-11-21T09:00:00Z\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-30"]])
        #expect(runs(world.until("10:00", endingRuns: true)) == ["09:00:00"])
        change(world, ["c": ["2026-11-21"]])
        #expect(runs(world.until("2026-11-23T20:00:00.000Z", endingRuns: true)) == [])
    }

    @Test func aSingleDueTimeThatHasMovedIsNotLost() {
        let world = world("at = \"2026-11-21T09:00:00Z\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"]])
        #expect(runs(world.until("10:00", endingRuns: true)) == [])
        change(world, ["c": ["2026-11-30"]])
        #expect(runs(world.until("2026-11-23T20:00:00.000Z", endingRuns: true)) == ["2026-11-22T09:00:00"])
    }

    @Test func aNewScheduleHasNoDueTimeFromBefore() {
        let world = world("cron = \"0 1 * * *\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"]])
        #expect(world.scheduler.nextDue()?.instant == at("2026-11-22T01:00:00.000Z"))
        let late = self.world("cron = \"0 1 21 11 *\"\nexcept = \"c\"\nwhen_excluded = \"next\"", ["c": ["2026-11-21"]])
        #expect(late.scheduler.nextDue()?.instant == at("2027-11-21T01:00:00.000Z"))
    }

    // MARK: Calendars that go

    @Test(arguments: [nil, ["c": nil]] as [[String: [String]?]?], ["skip", "next"])
    func theLastFormStaysInForce(after: [String: [String]?]?, mode: String) throws {
        var world = world("cron = \"0 9 * * *\"\nexcept = \"c\"\nwhen_excluded = \"\(mode)\"", ["c": ["2026-11-21", "2026-11-22"]])
        change(world, after ?? [:])
        #expect(world.scheduler.nextDue()?.instant == at("2026-11-23T09:00:00.000Z"))
        world.rotate()
        world = world.restarted(at: "10:00")
        #expect(runs(world.until("2026-11-23T08:00:00.000Z", endingRuns: true)) == [])
        #expect(runs(world.until("2026-11-23T10:00:00.000Z", endingRuns: true)) == ["2026-11-23T09:00:00"])
        // A new task cannot name one that has gone, and can name one whose file is broken.
        let source = Source(format: .toml, bytes: Array("command = \":\"\n[[schedule]]\n\(next)".utf8))
        let refused = (try? TaskDefinition(name: "new", source: source, world.context)) == nil
        #expect(refused == (after == nil))
        // It comes back with other days.
        change(world, ["c": ["2026-11-24"]])
        #expect(world.scheduler.nextDue()?.instant == at("2026-11-25T09:00:00.000Z"))
        // Nobody names it any more, so it is forgotten.
        world.handle(.taskRemoved("t"))
        change(world, ["c": ["2026-11-25"]])
        #expect(world.scheduler.definitions.isEmpty)
    }

    @Test func aScheduleWaitsForACalendarThatNobodyKnows() {
        let first = world("cron = \"0 9 * * *\"\nexcept = \"c\"", ["c": ["2026-11-30"]])
        // A journal that knows nothing of calendars.
        first.earlier = []
        let records = first.records.filter { if case .defined(let file, _) = $0.record { !file.hasPrefix("calendars/") } else { true } }
        let world = World.restored(from: records, at: at("10:00"))
        world.handle(.taskUnusable("t"))
        world.handle(.started(boot: "b1", version: "1"))
        let said = world.until("2026-11-24T20:00:00.000Z")
        #expect(runs(said) == [])
        #expect(said.contains { $0.contains("waits: the configuration has no calendar \"c\", and its last form is not known") }, "\(said)")
        // When it is known again, the last missed due time that it allows is made up for.
        world.configure(["c": ["2026-11-24"]])
        world.handle(.calendarsChanged())
        #expect(runs(world.until("2026-11-25T08:00:00.000Z")) == ["2026-11-23T09:00:00"])
    }
}
