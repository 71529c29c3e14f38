import Model
import TestSupport
import Testing

@Suite struct InstantTextTests {
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func whatIsWrittenIsReadBack(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let instant = Instant(milliseconds: Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &random))
            #expect(Instant(compact: instant.compact.utf8) == instant, "\(instant), seed \(seed)")
            #expect(Instant(fixed: instant.rfc3339.utf8) == instant, "\(instant), seed \(seed)")
        }
    }

    @Test func everyDayOf400YearsIsReadBack() {
        for day in Int64(-60_000)...86_097 {
            let instant = Instant(milliseconds: day * 86_400_000 + day & 1023)
            guard Instant(compact: instant.compact.utf8) == instant, Instant(fixed: instant.rfc3339.utf8) == instant else {
                Issue.record("\(instant)")
                return
            }
        }
    }

    static let refused = [
        "", "2026-11-21T02:00:00.000", "2026-11-21T02:00:00Z", "2026-11-21 02:00:00.000Z", "2026-11-21t02:00:00.000Z",
        "2026-13-21T02:00:00.000Z", "2026-00-21T02:00:00.000Z", "2026-11-00T02:00:00.000Z", "2026-11-32T02:00:00.000Z",
        "2026-11-21T24:00:00.000Z", "2026-11-21T02:60:00.000Z", "2026-11-21T02:00:60.000Z", "2026-11-21T02:00:0x.000Z",
        "-026-11-21T02:00:00.000Z", "2026-11-21T02:00:00.000Z ", "2026-11-21T02:00:00.000+", "２026-11-21T02:00:00.00",
        "2026-02-30T02:00:00.000Z", "2025-02-29T02:00:00.000Z", "2026-04-31T00:00:00.000Z",
    ]

    @Test(arguments: refused) func noOtherFormIsRead(text: String) {
        #expect(Instant(fixed: text.utf8) == nil)
        #expect(Instant(compact: text.utf8.filter { $0 != 0x2D && $0 != 0x3A }) == nil)
    }

    @Test func additionStopsAtTheEnds() {
        #expect(Instant(milliseconds: .max).advanced(byMilliseconds: 1).milliseconds == .max)
        #expect(Instant(milliseconds: .min).advanced(byMilliseconds: -1).milliseconds == .min)
        #expect(now.advanced(byMilliseconds: -1000) == instant("2026-11-21T01:59:59.000Z"))
    }
}
