import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// `every`, `at`, `@reboot`, and properties of all recurrences.
@Suite struct RecurrenceTests {
    let origin = Instant(milliseconds: 1_000_000)

    @Test func everyCountsFromItsOrigin() {
        let recurrence = Recurrence.every(Span(milliseconds: 300_000), fromStart: true)
        let at = { (offset: Int64) in Instant(milliseconds: 1_000_000 + offset) }
        #expect(recurrence.next(after: origin, origin: origin) == at(300_000))
        #expect(recurrence.next(after: at(299_999), origin: origin) == at(300_000))
        #expect(recurrence.next(after: at(300_000), origin: origin) == at(600_000))
        #expect(recurrence.next(after: at(-5_000_000), origin: origin) == at(300_000))
        #expect(recurrence.next(after: at(86_400_001), origin: origin) == at(86_700_000))
    }

    @Test func monthsComeBackToTheir31st() throws {
        let recurrence = Recurrence.every(try Span.parse("1 month"), fromStart: true)
        let start = try instant("2026-01-31T10:00:00Z")
        let due = [
            "2026-02-28T10:00:00.000Z", "2026-03-31T10:00:00.000Z", "2026-04-30T10:00:00.000Z", "2026-05-31T10:00:00.000Z",
        ]
        #expect(recurrence.due(after: start, limit: 4).map(\.rfc3339) == due)
        #expect(
            try recurrence.next(after: instant("2100-06-30T11:00:00Z"), origin: start)?.rfc3339 == "2100-07-31T10:00:00.000Z")
    }

    @Test func everyEndsWithTheYear2199AndNeverTraps() {
        for span in [
            Span.zero, Span(milliseconds: -1), Span(months: -1), Span(milliseconds: .max), Span(months: .max),
            Span(months: 1, milliseconds: .max),
        ] {
            for edge in [Int64.min, 0, Civil.endSeconds * 1000 - 1, .max] {
                for start in [Int64.min, 0, Civil.endSeconds * 1000 - 1, .max] {
                    let instant = Instant(milliseconds: edge)
                    if let due = Recurrence.every(span, fromStart: true).next(
                        after: instant, origin: Instant(milliseconds: start))
                    {
                        #expect(due > instant && due.milliseconds < Civil.endSeconds * 1000)
                    }
                }
            }
        }
        #expect(Recurrence.every(.zero, fromStart: true).next(after: origin, origin: origin) == nil)
    }

    @Test func everyOfRandomSpansIsLaterThanItsStart() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let span = Span(
                months: Int.random(in: 0...30, using: &generator),
                milliseconds: Int64.random(in: 0...10_000_000_000, using: &generator))
            let start = Instant(milliseconds: Int64.random(in: 0...4_000_000_000_000, using: &generator))
            let after = Instant(milliseconds: Int64.random(in: 0...6_000_000_000_000, using: &generator))
            guard let due = Recurrence.every(span, fromStart: false).next(after: after, origin: start) else { continue }
            #expect(due > after && due > start)
            // The due time before this one would be too early.
            if span.months == 0, after > start { #expect(due - span <= after) }
        }
    }

    @Test func atIsDueOnce() throws {
        let due = try instant("2026-12-24T18:00:00Z")
        let recurrence = Recurrence.at(due)
        #expect(recurrence.next(after: due - Span(milliseconds: 1), origin: origin) == due)
        #expect(recurrence.next(after: due, origin: origin) == nil)
        #expect(recurrence.normalized == "2026-12-24T18:00:00.000Z" && recurrence.isOnce)
    }

    @Test func kinds() throws {
        #expect(try cron("@reboot").isReboot)
        #expect(try cron("@reboot").next(after: origin, origin: origin) == nil)
        #expect(try cron("@every 5m").isInterval && !cron("@every 5m").isFromEnd)
        #expect(Recurrence.every(Span(milliseconds: 1), fromStart: false).isFromEnd)
        #expect(try cron("0 0 * * *").zone === Zone.utc)
        #expect(Recurrence.every(Span(milliseconds: 90_000), fromStart: true).normalized == "@every 1m30s")
    }

    /// A hundred thousand schedules take a few megabytes.
    @Test func schedulesAreSmall() {
        #expect(MemoryLayout<WallFields>.size <= 64)
        #expect(MemoryLayout<Recurrence>.size <= 32)
    }
}
