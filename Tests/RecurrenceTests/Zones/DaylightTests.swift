import Testing

@testable import Recurrence

/// Skipped and repeated wall times: examples, and a table of the results of other programs.
@Suite struct DaylightTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var zone: String
        var cron: String
        /// Wall times in the zone.
        var after: String
        var until: String
        var due: [String]
        var testDescription: String { "\(zone) \(cron) after \(after)" }
    }

    /// The behaviour of Debian's cron(8) when the clocks change, as the manual promises.
    static let worked = [
        Case(
            zone: "Europe/Berlin", cron: "30 2 * * *", after: "2026-03-28 12:00", until: "2026-03-29 12:00",
            due: ["2026-03-29T03:00+02:00"]),
        Case(
            zone: "Europe/Berlin", cron: "15,45 2 * * *", after: "2026-03-28 12:00", until: "2026-03-29 12:00",
            due: ["2026-03-29T03:00+02:00"]),
        Case(
            zone: "Europe/Berlin", cron: "0 */2 * * *", after: "2026-03-29 00:30", until: "2026-03-29 05:00",
            due: ["2026-03-29T04:00+02:00"]),
        Case(
            zone: "Europe/Berlin", cron: "30 2 * * *", after: "2026-10-24 12:00", until: "2026-10-25 12:00",
            due: ["2026-10-25T02:30+02:00"]),
        Case(
            zone: "Europe/Berlin", cron: "0 */2 * * *", after: "2026-10-25 00:30", until: "2026-10-25 05:00",
            due: ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T04:00+01:00"]),
        Case(
            zone: "Europe/Berlin", cron: "0 0-5 * * *", after: "2026-10-25 01:30", until: "2026-10-25 04:00",
            due: ["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"]),
        Case(
            zone: "America/Santiago", cron: "0 0 * * *", after: "2026-09-05 12:00", until: "2026-09-06 12:00",
            due: ["2026-09-06T01:00-03:00"]),
        Case(
            zone: "Australia/Lord_Howe", cron: "15 2 * * *", after: "2026-10-03 12:00", until: "2026-10-04 12:00",
            due: ["2026-10-04T02:30+11:00"]),
        Case(zone: "Pacific/Apia", cron: "0 12 * * *", after: "2011-12-29 13:00", until: "2011-12-31 11:00", due: []),
    ]

    /// More behaviour of Debian's cron(8): `@daily` is fixed and `@hourly` is a wildcard. Expressions with seconds follow the
    /// same rule.
    static let more = [
        Case(
            zone: "America/Santiago", cron: "@daily", after: "2026-09-05 12:00", until: "2026-09-06 12:00",
            due: ["2026-09-06T01:00-03:00"]),
        Case(
            zone: "Europe/Berlin", cron: "@hourly", after: "2026-03-29 00:30", until: "2026-03-29 04:30",
            due: ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"]),
        Case(
            zone: "Europe/Berlin", cron: "0,30 2,3 * * *", after: "2026-03-28 12:00", until: "2026-03-29 12:00",
            due: ["2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"]),
        Case(
            zone: "Europe/Berlin", cron: "0 30 2 * * *", after: "2026-03-28 12:00", until: "2026-03-29 12:00",
            due: ["2026-03-29T03:00+02:00"]),
        // A skipped wall time counts for its weekday: Sunday's midnight is in the gap.
        Case(
            zone: "America/Santiago", cron: "0 0 * * sun", after: "2026-09-01 12:00", until: "2026-09-08 12:00",
            due: ["2026-09-06T01:00-03:00"]),
        // The last second of the first pass, and the first second after the overlap, occur once each.
        Case(
            zone: "Europe/Berlin", cron: "59 59 2 * * *", after: "2026-10-25 01:30", until: "2026-10-26 01:00",
            due: ["2026-10-25T02:59+02:00"]),
        Case(
            zone: "Europe/Berlin", cron: "0 0 2,3 * * *", after: "2026-10-25 01:30", until: "2026-10-26 01:00",
            due: ["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"]),
        Case(
            zone: "Europe/Berlin", cron: "59 59 1,2 * * *", after: "2026-03-29 00:30", until: "2026-03-29 12:00",
            due: ["2026-03-29T01:59+01:00", "2026-03-29T03:00+02:00"]),
        // A gap of three hours is not longer than three hours, so it is caught up.
        Case(
            zone: "Antarctica/Casey", cron: "30 1 * * *", after: "2016-10-21 12:00", until: "2016-10-22 12:00",
            due: ["2016-10-22T03:00+11:00"]),
        Case(
            zone: "Antarctica/Troll", cron: "30 1 * * *", after: "2026-03-28 12:00", until: "2026-03-29 12:00",
            due: ["2026-03-29T03:00+02:00"]),
    ]

    @Test(.tzdata, arguments: worked + more)
    func workedCases(_ row: Case) throws {
        let zone = try database.zone(row.zone)
        let due = try cron(row.cron, zone).due(after: instant(row.after, zone), before: instant(row.until, zone))
        #expect(due.map { minuteText($0, in: zone) } == row.due)
    }

    @Test(.tzdata, .vectors("cron/dst_table.jsonl"))
    func tableOfOtherPrograms() throws {
        for row in try Vectors.lines("cron/dst_table.jsonl") {
            let zone = try database.zone(#require(row["tz"].string))
            let window = row["window"].strings
            let expression = try #require(row["cron"].string)
            let due = try cron(expression, zone).due(after: instant(window[0], zone), before: instant(window[1], zone))
            #expect(due.map { minuteText($0, in: zone) } == row["oracles"]["brute"].strings, "\(zone) \(expression)")
        }
    }

    @Test(.tzdata)
    func notesTellWhatHappened() throws {
        let berlin = try database.zone("Europe/Berlin")
        func note(_ expression: String, after text: String) throws -> Occurrence.Note? {
            try #require(cron(expression, berlin).nextOccurrence(after: instant(text), origin: instant(text))).note
        }
        #expect(try note("30 2 * * *", after: "2026-03-28T12:00:00Z") == .movedByGap)
        #expect(try note("15,45 2 * * *", after: "2026-03-28T12:00:00Z") == .mergedByGap)
        #expect(try note("0 2,3 * * *", after: "2026-03-28T12:00:00Z") == .mergedByGap)
        #expect(try note("0 3 * * *", after: "2026-03-28T12:00:00Z") == nil)
        #expect(try note("30 2 * * *", after: "2026-10-24T12:00:00Z") == .firstOfRepeated)
        #expect(try note("30 * * * *", after: "2026-10-25T00:29:00Z") == .firstOfRepeated)
        // The repeated hour includes its first second, and ends before the second after its last.
        #expect(try note("0 2 * * *", after: "2026-10-24T12:00:00Z") == .firstOfRepeated)
        #expect(try note("0 * * * *", after: "2026-10-25T00:30:00Z") == .secondOfRepeated)
        #expect(try note("59 59 * * * *", after: "2026-10-25T01:30:00Z") == .secondOfRepeated)
        #expect(try note("0 3 * * *", after: "2026-10-25T01:30:00Z") == nil)
        #expect(try note("30 * * * *", after: "2026-10-25T00:30:00Z") == .secondOfRepeated)
        #expect(try note("30 * * * *", after: "2026-10-25T01:30:00Z") == nil)
    }

    /// Each option has the due times of another program in the table: systemd (skip), Kubernetes (both), Quartz (last).
    @Test(.tzdata)
    func optionsAskForOtherRules() throws {
        let berlin = try database.zone("Europe/Berlin")
        func due(_ expression: String, _ rule: DaylightRule, _ day: String) throws -> [String] {
            try cron(expression, berlin, daylight: rule)
                .due(after: instant("\(day) 00:30", berlin), before: instant("\(day) 04:15", berlin))
                .map { minuteText($0, in: berlin) }
        }
        #expect(try due("30 2 * * *", DaylightRule(gap: .skip), "2026-03-29") == [])
        #expect(
            try due("30 2 * * *", DaylightRule(repeated: .both), "2026-10-25")
                == ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"])
        #expect(try due("30 2 * * *", DaylightRule(repeated: .last), "2026-10-25") == ["2026-10-25T02:30+01:00"])
        #expect(try due("0 2 * * *", DaylightRule(repeated: .last), "2026-10-25") == ["2026-10-25T02:00+01:00"])
        #expect(try due("59 59 2 * * *", DaylightRule(repeated: .last), "2026-10-25") == ["2026-10-25T02:59+01:00"])
        #expect(
            try due("30 * * * *", DaylightRule(repeated: .last), "2026-10-25")
                == ["2026-10-25T01:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"])
        #expect(
            try due("30 * * * *", DaylightRule(repeated: .first), "2026-10-25")
                == ["2026-10-25T01:30+02:00", "2026-10-25T02:30+02:00", "2026-10-25T03:30+01:00"])
    }
}
