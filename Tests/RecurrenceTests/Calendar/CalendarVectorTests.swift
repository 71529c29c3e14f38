import Testing

@testable import Recurrence

/// systemd's own table (test-calendarspec.c).
@Suite struct CalendarVectorTests {
    /// systemd leaves out times in a gap and runs fixed times at the first pass, as `dst_gap = "skip"` does.
    @Test(.vectors("systemd/systemd_calendar.jsonl"), .tzdata)
    func systemd() throws {
        var kinds: [String: Int] = [:]
        for row in try Vectors.lines("systemd/systemd_calendar.jsonl") {
            let kind = try #require(row["kind"].string)
            let input = try #require(row["input"].string)
            let name = row["tz"].string ?? ""
            let zone = try database.zone(name.isEmpty ? "UTC" : name)
            let comment: Comment = "\(row["id"].string ?? "") \(input) \(name)"
            kinds[kind, default: 0] += 1
            switch kind {
            case "normalize":
                #expect(try calendar(input).normalized == row["normalized"].string, comment)
            case "invalid":
                #expect(throws: RecurrenceError.self, comment) { try calendar(input) }
            case "next":
                let after = try #require(row["after_usec"].number)
                let found = try calendar(input, zone, daylight: DaylightRule(gap: .skip)).next(
                    after: Instant(milliseconds: Int64(after) / 1000), origin: Instant(milliseconds: 0))
                // systemd counts in microseconds.
                #expect(found?.milliseconds == row["next_usec"].number.map { Int64($0) / 1000 }, comment)
            default:
                Issue.record("unknown kind in \(comment)")
            }
        }
        #expect(kinds.count == 3 && kinds.values.allSatisfy { $0 > 15 }, "\(kinds)")
    }
}
