import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

@Suite struct InstantTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z", "19700101T000000.000Z"),
            (1_795_226_400_000, "2026-11-21T02:00:00.000Z", "20261121T020000.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z", "20000229T123456.789Z"),
            (-1, "1969-12-31T23:59:59.999Z", "19691231T235959.999Z"),
            (7_258_118_399_999, "2199-12-31T23:59:59.999Z", "21991231T235959.999Z"),
            // Years beyond four digits are written as the nearest year with four digits.
            (Int64.max, "9999-12-31T23:59:59.999Z", "99991231T235959.999Z"),
            (Int64.min, "0000-01-01T00:00:00.000Z", "00000101T000000.000Z"),
        ] as [(Int64, String, String)])
    func writes(_ milliseconds: Int64, _ rfc3339: String, _ compact: String) {
        let instant = Instant(milliseconds: milliseconds)
        #expect(instant.rfc3339 == rfc3339)
        #expect(instant.compact == compact)
        var bytes = Array("at ".utf8)
        instant.appendRFC3339(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "at " + rfc3339)
    }

    @Test(.tzdata) func writesWallTimeOfAZone() throws {
        let instant = try instant("2026-07-01T12:00:00.5Z")
        #expect(instant.rfc3339(in: try database.zone("Europe/Berlin")) == "2026-07-01T14:00:00.500+02:00")
        #expect(instant.rfc3339(in: try database.zone("America/St_Johns")) == "2026-07-01T09:30:00.500-02:30")
        #expect(instant.rfc3339(in: .utc) == "2026-07-01T12:00:00.500+00:00")
    }

    /// The present time is 2026-11-21T07:00:00Z, 08:00 in Berlin.
    @Test(
        "Attack 60: an instant is read in each form, a leap second as the first of the next minute",
        .tzdata,
        arguments: [
            // RFC 3339, section 5.8 and the options of section 5.6.
            ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00.000Z"), ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00.000Z"),
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520Z"), ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000Z"),
            ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000Z"), ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00.000Z"),
            ("2026-12-24t18:00:00z", "2026-12-24T18:00:00.000Z"),
            ("2026-12-24 18:00:00.123456789Z", "2026-12-24T18:00:00.123Z"),
            ("2026-12-24T18:00:00-00:00", "2026-12-24T18:00:00.000Z"), ("2026-12-24 18:00 +0530", "2026-12-24T12:30:00.000Z"),
            ("2026-12-24 18:00:00 UTC", "2026-12-24T18:00:00.000Z"),
            // Times in the zone. A skipped time is the first instant after the gap, and a repeated time its first pass.
            ("2026-12-24 18:00", "2026-12-24T17:00:00.000Z"), ("2026-12-24T18:00:30", "2026-12-24T17:00:30.000Z"),
            ("2026-12-24 18:00:30.25", "2026-12-24T17:00:30.250Z"), ("2026-12-24", "2026-12-23T23:00:00.000Z"),
            ("2026-03-29 02:30", "2026-03-29T01:00:00.000Z"), ("2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),
            // Numbers since 1970.
            ("@1790000000", "2026-09-21T14:13:20.000Z"), ("@0", "1970-01-01T00:00:00.000Z"),
            ("@1.5", "1970-01-01T00:00:01.500Z"),
            ("1790000000000", "2026-09-21T14:13:20.000Z"), ("100000000000", "1973-03-03T09:46:40.000Z"),
            // Times relative to now.
            ("now", "2026-11-21T07:00:00.000Z"), ("in 2 hours", "2026-11-21T09:00:00.000Z"),
            ("+2h", "2026-11-21T09:00:00.000Z"),
            ("In 1 month", "2026-12-21T07:00:00.000Z"), ("+90", "2026-11-21T07:01:30.000Z"),
            (" +PT1H ", "2026-11-21T08:00:00.000Z"),
            ("18:00", "2026-11-21T17:00:00.000Z"), ("07:59", "2026-11-22T06:59:00.000Z"), ("8:00", "2026-11-22T07:00:00.000Z"),
            ("8:00:01", "2026-11-21T07:00:01.000Z"), ("today 06:00", "2026-11-21T05:00:00.000Z"),
            ("tomorrow 06:00", "2026-11-22T05:00:00.000Z"), ("tomorrow", "2026-11-21T23:00:00.000Z"),
            ("yesterday", "2026-11-19T23:00:00.000Z"), ("yesterday 02:30", "2026-11-20T01:30:00.000Z"),
        ])
    func reads(_ text: String, _ expected: String) throws {
        let now = Instant(milliseconds: 1_795_244_400_000)
        #expect(try Instant.parse(text, zone: database.zone("Europe/Berlin"), now: now).rfc3339 == expected)
    }

    @Test(arguments: [
        "", " ", "yesterdays", "2026", "1790000000", "2026-13-01", "2026-02-29", "2026-12-24T24:00:00Z", "2026-12-24T18:60:00Z",
        "2026-12-24T18:00:61Z", "2026-12-24T18:00:00+24:00", "2026-12-24T18:00:00+01:60", "2026-12-24T18:00:00+01:00x",
        "2026-12-24T",
        "2026-12-24T18", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "1969-12-31", "@", "@-1", "@1x",
        "@99999999999",
        "in", "in x", "in -2h", "+", "+-2h", "25:00", "12:60", "nowish", "now 5", "tomorrow x", "tomorrow 25:00",
        "in 1000 years",
        "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "99999999999999999999", "2026-12-24T18:00:00.Z", "é",
    ])
    func refuses(_ text: String) {
        #expect(throws: RecurrenceError.self) {
            try Instant.parse(text, zone: .utc, now: Instant(milliseconds: 1_795_244_400_000))
        }
    }

    @Test func errorsSayWhere() {
        #expect(
            throws: RecurrenceError(
                "a bare number is epoch milliseconds, and 1790000000 is too small for that", offset: 0,
                hint: "epoch seconds are written @1790000000")
        ) { try instant("1790000000") }
        #expect(throws: RecurrenceError(#"day 29 is out of range 1-28 in "2026-02-29""#, offset: 8)) {
            try instant("2026-02-29")
        }
        #expect(
            throws: RecurrenceError(
                #"unknown unit "x" in the duration "2 x""#, offset: 5,
                hint: "units are ns us ms s m h d w M y, or words such as minutes")
        ) { try instant("in 2 x") }
    }

    /// Months end at the last day of a shorter month. No result overflows.
    @Test func arithmetic() throws {
        let start = try instant("2026-01-31T10:00:00Z")
        #expect((start + Span(months: 1)).rfc3339 == "2026-02-28T10:00:00.000Z")
        #expect((start + Span(months: 25)).rfc3339 == "2028-02-29T10:00:00.000Z")
        #expect((start - Span(months: 2)).rfc3339 == "2025-11-30T10:00:00.000Z")
        #expect((start - Span(milliseconds: 1)).rfc3339 == "2026-01-31T09:59:59.999Z")
        #expect(start - (start - Span(milliseconds: 5)) == Span(milliseconds: 5))
        for edge in [Int64.min, -1, 0, .max] {
            for months in [Int.min, -1, 0, 1, .max] {
                for milliseconds in [Int64.min, -1, 0, 1, .max] {
                    _ = Instant(milliseconds: edge) + Span(months: months, milliseconds: milliseconds)
                    _ = Instant(milliseconds: edge) - Span(months: months, milliseconds: milliseconds)
                    _ = Instant(milliseconds: edge) - Instant(milliseconds: milliseconds)
                    _ = Span(months: months, milliseconds: milliseconds).approximateMilliseconds
                    _ = Span(months: months, milliseconds: milliseconds).description
                }
            }
        }
        #expect(Instant(milliseconds: .max) + Span(milliseconds: 1) == Instant(milliseconds: .max))
        #expect(Instant(seconds: .min) == Instant(milliseconds: .min))
    }

    @Test func calendarMatchesACountOfDays() {
        var (year, month, day) = (1600, 1, 1)
        for number in Civil.days(year: 1600, month: 1, day: 1)..<Civil.days(year: 2400, month: 1, day: 1) {
            let date = Civil.date(days: number)
            if date != Civil.Date(year: year, month: month, day: day)
                || Civil.days(year: year, month: month, day: day) != number
            {
                Issue.record("day \(number) is \(date), not \(year)-\(month)-\(day)")
                return
            }
            day += 1
            if day > [31, Civil.isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] {
                (month, day) = (month + 1, 1)
            }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
        // 2000-01-01 was a Saturday.
        #expect(Civil.weekday(days: 10_957) == 6)
        #expect(Civil.weekday(days: -1) == 3)
    }

    @Test func randomTextNeverTraps() {
        var generator = SeededGenerator(seed: 3)
        let alphabet = Array("0123456789-+:.TZtz @in now today2026-".unicodeScalars)
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...26, using: &generator) {
                text.unicodeScalars.append(alphabet.randomElement(using: &generator)!)
            }
            let now = Instant(milliseconds: Int64.random(in: .min ... .max, using: &generator))
            _ = try? Instant.parse(text, zone: .utc, now: now)
            _ = try? Span.parse(text)
        }
    }
}
