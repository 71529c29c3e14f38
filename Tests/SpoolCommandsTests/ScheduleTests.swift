import Store
import TestSupport
import Testing

@testable import SpoolCommands

@Suite("Schedules on the command line") struct ScheduleTests {
    static let keys = [("cron", "cron"), ("on-path", "on_path"), ("every", "every"), ("jitter", nil), ("name", nil)]

    @Test("Each option for a schedule has a key", arguments: keys)
    func key(_ row: (option: String, key: String?)) { #expect(ScheduleOptions.key(of: row.option) == row.key) }

    static let tables: [(words: [String], toml: [String])] = [
        (["--cron", "0 1 * * *"], ["cron = \"0 1 * * *\"\n"]),
        (["--cron", "@daily", "--every", "5m"], ["cron = \"@daily\"\n", "every = \"5m\"\n"]),
        (["--every", "5m", "--from", "start"], ["every = \"5m\"\nfrom = \"start\"\n"]),
        (
            ["--cron", "@daily", "--timezone", "Europe/Berlin", "--jitter", "5m"],
            ["cron = \"@daily\"\ntimezone = \"Europe/Berlin\"\njitter = \"5m\"\n"]
        ),
        (["--on-path", "/srv/*", "--paths", "all"], ["on_path = \"/srv/*\"\npaths = \"all\"\n"]),
        (["--at", "2026-12-24T18:00:00+01:00"], ["at = \"2026-12-24T17:00:00.000Z\"\n"]),
        (
            ["--cron", "@daily", "--catch-up", "all", "--catch-up-limit", "5"],
            ["cron = \"@daily\"\ncatch_up = \"all\"\ncatch_up_limit = 5\n"]
        ),
    ]

    @Test("Each option for a time is a schedule; the others apply to all of them", arguments: tables)
    func table(_ row: (words: [String], toml: [String])) throws {
        #expect(try ScheduleOptions(try call(.create, row.words)).all.map { TOML.write($0.table) } == row.toml)
    }

    static let mistakes: [(words: [String], message: String)] = [
        (["--jitter", "5m"], "--jitter needs one of \(ScheduleOptions.whenSpellings)"),
        (["--cron", "@daily", "--every", "5m", "--schedule-id", "x"], "one --schedule-id cannot name 2 schedules"),
        (["--cron", "@daily", "--paths", "all"], "--paths needs --on-path"),
    ]

    @Test("Options that do not go together are refused", arguments: mistakes)
    func mistake(_ row: (words: [String], message: String)) throws {
        let session = try call(.create, row.words)
        #expect(failure { () throws(Failure) in _ = try ScheduleOptions(session) }?.lines == [row.message])
    }

    static let unzoned: [(toml: String, lines: [String])] = [
        ("command = \"x\"\n", []),
        ("command = \"x\"\nstart = \"2026-12-24T18:00:00Z\"\n", []),
        (
            "command = \"x\"\nstart = \"2026-12-24 18:00\"\n",
            ["start \"2026-12-24 18:00\" has no zone and means 2026-12-24 18:00:00+00:00, by the spool's zone UTC"]
        ),
        (
            "command = \"x\"\ntimezone = \"Asia/Tokyo\"\n[[schedule]]\nat = \"2026-12-24 18:00\"\n",
            ["at \"2026-12-24 18:00\" has no zone and means 2026-12-24 18:00:00+09:00, by its timezone Asia/Tokyo"]
        ),
    ]

    @Test("An instant without a zone is answered with its meaning", arguments: unzoned)
    func meaning(_ row: (toml: String, lines: [String])) throws {
        let source = Source(format: .toml, bytes: Array(row.toml.utf8))
        let before = Source(format: .toml, bytes: [])
        let lines = try UnzonedInstants(try call(.create), in: source, butNotIn: before).lines
        #expect(lines.count == row.lines.count)
        for (line, expected) in zip(lines, row.lines) {
            #expect(line.hasPrefix(expected.prefix(40)) && line.hasSuffix(expected.suffix(20)), "\(line)")
        }
        #expect(try UnzonedInstants(try call(.create), in: source, butNotIn: source).lines.isEmpty)
    }

    static let last: [(cron: String, count: Int, hours: [String])] = [
        ("0 * * * *", 2, ["2026-11-21T00:00:00.000Z", "2026-11-21T01:00:00.000Z"]),
        ("0 0 1 1 *", 1, []),
        ("0 3 * * *", 1, ["2026-11-20T03:00:00.000Z"]),
    ]

    @Test("The last due times before an instant, not before another", arguments: last)
    func lastDues(_ row: (cron: String, count: Int, hours: [String])) throws {
        let cron = try Recurrence.cron(row.cron, zone: .utc, zones: ZoneDatabase(), stableSeed: 0)
        let found = PastDues.last(cron, before: now, floor: after(-14 * 86_400), origin: now, count: row.count)
        #expect(found.map(\.instant.rfc3339) == row.hours)
    }
}
