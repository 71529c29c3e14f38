import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// A rule that is written in another syntax is due at the same times.
@Suite struct OtherSyntaxTests {
    /// The first due times of several rules together.
    static func merged(_ rules: [Recurrence], after start: Instant, limit: Int) -> [Instant] {
        Array(Set(rules.flatMap { $0.due(after: start, limit: limit) }).sorted().prefix(limit))
    }

    @Test func onCalendarLinesAreDueWhenCronIs() throws {
        var generator = SeededGenerator(seed: 11)
        var specials = 0
        for _ in 0..<1500 {
            var fields = [0, 1, 2, 3, 4].map { place in
                CronDifferentialTests.field([0, 0, 1, 1, 0][place], [59, 23, 31, 12, 6][place], star: 50, using: &generator)
            }
            switch Int.random(in: 0..<6, using: &generator) {
            case 0:
                fields[2...4] = [
                    "L-\(Int.random(in: 0...27, using: &generator)),\(Int.random(in: 1...28, using: &generator))", fields[3], "*",
                ]
            case 1:
                fields[2...4] = ["*", fields[3], "\(Int.random(in: 0...6, using: &generator))#\(Int.random(in: 1...5, using: &generator))"]
            case 2: fields[2...4] = ["*", fields[3], "\(Int.random(in: 0...6, using: &generator))L,2"]
            default: break
            }
            let text = fields.joined(separator: " ")
            let rule = try cron(text)
            let lines = try #require(rule.calendarTexts(namingZone: true), "\(text)")
            if text.contains("L") || text.contains("#") { specials += 1 }
            let start = Instant(seconds: Int64.random(in: 946_684_800...4_102_444_800, using: &generator))
            let calendars = try lines.map { try Recurrence.calendar($0, zone: .utc, zones: database) }
            #expect(Self.merged(calendars, after: start, limit: 20) == rule.due(after: start, limit: 20), "\(text): \(lines)")
        }
        #expect(specials > 300)
    }

    static let crontabs: [(Recurrence, String?)] = {
        func read(_ body: () throws -> Recurrence) -> Recurrence? { try? body() }  // a row that cannot be read is missing in the count
        let rows: [(Recurrence?, String?)] = [
            (read { try cron("0 0/30 8-10 ? * MON-FRI") }, "0,30 8-10 * * 1-5"), (read { try cron("0 0 18 15 * ?") }, "0 18 15 * *"),
            (read { try cron("15 0 0 * * *") }, nil), (read { try cron("0 0 L * *") }, nil), (read { try cron("0 9 ? * 2 2030") }, nil),
            (read { try cron("0 9 ? * 2 *") }, "0 9 * * 1"), (read { try cron("@reboot") }, "@reboot"),
            (read { try .calendar("Mon..Fri 09:00", zone: .utc, zones: database) }, "0 9 * * 1-5"),
            (read { try .calendar("Mon *-*-01..07 09:00", zone: .utc, zones: database) }, "0 9 */31,2-7 * 1"),
            (read { try cron("*/5 9-17 13 * 5") }, "*/5 9-17 13 * 5"), (read { try .pattern("**.05.15.00.00", zone: .utc) }, "0 15 5 * *"),
            (.every(Span(milliseconds: 5000), fromStart: true), nil),
        ]
        return rows.compactMap { row in row.0.map { ($0, row.1) } }
    }()

    @Test(arguments: crontabs.indices)
    func crontabLines(_ index: Int) throws {
        #expect(Self.crontabs.count == 12)
        let (rule, expected) = Self.crontabs[index]
        #expect(rule.crontabText == expected)
        guard let text = rule.crontabText, !rule.isReboot else { return }
        let start = try instant("2026-11-21T00:00:00Z")
        #expect(try cron(text).due(after: start, limit: 30) == rule.due(after: start, limit: 30))
    }
}
