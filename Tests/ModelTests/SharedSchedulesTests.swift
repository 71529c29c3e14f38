import Testing

@testable import Model

@Suite struct SharedSchedulesTests {
    private static func schedule(
        _ shared: SharedSchedules, _ name: String, _ keys: String, zone: Zone = .utc
    ) throws -> ScheduleDefinition {
        var context = ReadingContext(now: Instant(milliseconds: 0), zones: ZoneDatabase(), zone: zone)
        context.sharedSchedules = shared
        return try TaskDefinition(name: name, source: toml("command = \":\"\n[[schedule]]\n\(keys)"), context).schedules[0]
    }

    @Test("Tasks with the same simple schedule share it", arguments: ["cron = \"5 3 * * 1-5\"", "every = \"90m\""])
    func shared(_ keys: String) throws {
        let shared = SharedSchedules()
        #expect(try Self.schedule(shared, "a", keys) === Self.schedule(shared, "b", keys))
        let elsewhere = try ZoneDatabase().zone("Europe/Berlin")
        #expect(try Self.schedule(shared, "c", keys, zone: elsewhere).zone === elsewhere)
    }

    @Test(
        "A schedule that depends on its task or on the time, or has more keys, is the task's own",
        arguments: ["cron = \"H 3 * * *\"", "cron = \"CRON_TZ=UTC 5 3 * * *\"", "at = \"in 2 hours\"", "every = \"90m\"\nid = \"x\""])
    func own(_ keys: String) throws {
        let shared = SharedSchedules()
        #expect(try Self.schedule(shared, "a", keys) !== Self.schedule(shared, "b", keys))
    }

    @Test("A mistake is reported for each task that has it", arguments: ["cron = \"61 3 * * *\"", "every = \"0s\""])
    func mistakes(_ keys: String) {
        let shared = SharedSchedules()
        for name in ["a", "b"] { #expect(throws: Problems.self) { try Self.schedule(shared, name, keys) } }
    }
}
