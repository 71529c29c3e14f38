import TestSupport
import Testing

@testable import Scheduler

/// `spoolctl simulate`: schedules played forward without a spool.
@Suite struct SimulationTests {
    private static func task(_ name: String, _ text: String) -> TaskDefinition {
        let text = "command = \"exit 1\"\npayload = {a = 1}\nenv = {X = \"y\"}\n\(text)"
        return try! TaskDefinition(
            name: name, source: Source(format: .toml, bytes: Array(text.utf8)), ReadingContext(now: at("00:00"), zones: zones))
    }

    private static func played(
        _ tasks: [(name: String, text: String, seconds: Int64)], slots: Int = 8, queues: [String: Int] = [:],
        until end: String = "2026-11-22T00:00:00.000Z"
    ) throws -> Simulation {
        var simulation = Simulation(
            limits: SchedulerLimits(slots: slots, queueSlots: queues), zones: zones, zone: .utc, from: at("00:00"))
        for row in tasks { try simulation.add(task(row.name, row.text), duration: row.seconds * 1000) }
        simulation.play(until: at(end))
        return simulation
    }

    @Test func eachDueTimeRunsOnceAndTheFirstInstantIsNone() throws {
        let simulation = try Self.played(
            [
                ("t", "[[schedule]]\ncron = \"*/5 * * * *\"", 0),
                ("u", "[[schedule]]\ncron = \"@reboot\"\n[[schedule]]\nat = \"2026-11-21T12:00:00Z\"", 5),
            ])
        let report = try #require(simulation.tasks["t"])
        #expect(report.runs == 287 && report.skipped.isEmpty && report.longestWaitMilliseconds == 0 && report.waiting == 0)
        #expect(simulation.tasks["u"]?.runs == 1, "at boot it is not due")
        #expect(simulation.full.isEmpty && simulation.mostRunning == 2 && simulation.reached == at("2026-11-22T00:00:00.000Z"))
    }

    @Test("A run that takes as long as the interval overlaps no other run; a longer one does")
    func overlaps() throws {
        let hourly = "overlap = \"skip\"\n[[schedule]]\ncron = \"0 * * * *\""
        #expect(try Self.played([("t", hourly, 3600)]).tasks["t"]?.skipped == [:])
        let longer = try #require(try Self.played([("t", hourly, 3601)]).tasks["t"])
        #expect(longer.runs == 12 && longer.skipped == [.overlap: 11])
        let waiting = try #require(try Self.played([("t", "[[schedule]]\ncron = \"0 * * * *\"", 5400)], until: "03:59").tasks["t"])
        #expect(waiting.runs == 2 && waiting.waiting == 1 && waiting.longestWaitMilliseconds == 1_800_000)
        let replaced = try #require(try Self.played([("t", "overlap = \"replace\"\n[[schedule]]\ncron = \"0 * * * *\"", 5400)]).tasks["t"])
        #expect(replaced.runs == 23 && replaced.replaced == 22)
    }

    @Test func fullSlotsAndWhoWaitsForThem() throws {
        let at2 = "[[schedule]]\ncron = \"0 2 * * *\""
        let simulation = try Self.played(
            [("a", at2, 600), ("b", at2, 600), ("c", "deadline = \"5m\"\n" + at2, 60), ("d", "priority = -1\n" + at2, 60)], slots: 2)
        #expect(simulation.full == [Simulation.FullTime(slots: .here, from: at("02:00"), to: at("02:10"), waiting: 2)])
        #expect(simulation.mostRunning == 2)
        #expect(simulation.tasks["c"]?.runs == 0 && simulation.tasks["c"]?.missedDeadlines == 1)
        let last = try #require(simulation.tasks["d"])
        #expect(last.longestWaitMilliseconds == 600_000 && last.latestMilliseconds == 600_000 && last.longestWaitDue == at("02:00"))
    }

    @Test func aFullQueueHoldsBackNoOther() throws {
        let hourly = "[[schedule]]\ncron = \"0 * * * *\""
        let simulation = try Self.played(
            [("a", "queue = \"q\"\n" + hourly, 600), ("b", "queue = \"q\"\n" + hourly, 600), ("c", hourly, 600)], queues: ["q": 1],
            until: "02:30")
        #expect(simulation.tasks["c"]?.longestWaitMilliseconds == 0)
        #expect(simulation.full.map(\.slots) == [.queue("q"), .queue("q")])
        #expect(simulation.full.map(\.from) == [at("01:00"), at("02:00")] && simulation.full.map(\.to) == [at("01:20"), at("02:20")])
    }

    @Test("A run at an executor takes its slot there, also when the queue names the executor, and none here")
    func executors() throws {
        var limits = SchedulerLimits(slots: 1, queueSlots: ["far": 8])
        limits.queueExecutors = ["far": "slurm"]
        var engine = ExecutorSettings()
        engine.slots = 2
        limits.executors = ["slurm": engine]
        var simulation = Simulation(limits: limits, zones: zones, zone: .utc, from: at("00:00"))
        let hourly = "[[schedule]]\ncron = \"0 * * * *\""
        for name in ["a", "b"] { try simulation.add(Self.task(name, "executor = \"slurm\"\n" + hourly), duration: 600_000) }
        try simulation.add(Self.task("c", "queue = \"far\"\nresources.cpus = 2\n" + hourly), duration: 600_000)
        try simulation.add(Self.task("d", hourly), duration: 600_000)
        simulation.play(until: at("02:30"))
        #expect(simulation.tasks.values.allSatisfy { $0.runs == 2 && $0.waiting == 0 })
        #expect(simulation.tasks["d"]?.longestWaitMilliseconds == 0 && simulation.mostRunning == 3)
        #expect(simulation.tasks.values.filter { $0.longestWaitMilliseconds == 600_000 }.count == 1, "one of three waits for the engine")
        let full = simulation.full.filter { $0.slots == .executor("slurm") }
        #expect(full.map(\.from) == [at("01:00"), at("02:00")] && full.map(\.to) == [at("01:10"), at("02:10")])
    }

    @Test("Intervals count from the journal's last run, and include the length of each run")
    func intervals() throws {
        var simulation = Simulation(limits: SchedulerLimits(), zones: zones, zone: .utc, from: at("00:00"))
        let task = Self.task("t", "[[schedule]]\nid = \"s\"\nevery = \"1h\"")
        try simulation.add(
            task, duration: 1_800_000, known: ["s": .init(origin: at("2026-11-20T00:00:00.000Z"), lastEnd: at("2026-11-20T23:30:00.000Z"))])
        simulation.play(until: at("05:00"))
        // The runs are due at 00:30, 02:00 and 03:30.
        #expect(simulation.tasks["t"]?.runs == 3)
    }

    @Test func aScheduleInAFileOfItsOwn() throws {
        var simulation = Simulation(limits: SchedulerLimits(), zones: zones, zone: .utc, from: at("00:00"))
        try simulation.add(Self.task("t", ""), duration: 0)
        let source = Source(format: .toml, bytes: Array("task = \"t\"\ncron = \"0 * * * *\"".utf8))
        simulation.add(
            try ScheduleDefinition.file(id: "s", source: source, ReadingContext(now: at("00:00"), zones: zones)).schedule, to: "t")
        simulation.play(until: at("12:00"))
        #expect(simulation.tasks["t"]?.runs == 11)
    }

    @Test("A simulated run succeeds also where 0 is no success")
    func success() throws {
        let simulation = try Self.played(
            [("t", "success = [3]\ntries = 2\n[[schedule]]\nevery = \"1s\"\nfrom = \"start\"", 0)], until: "00:10")
        #expect(simulation.tasks["t"]?.runs == 599 && simulation.tasks["t"]?.waiting == 0)
    }
}
