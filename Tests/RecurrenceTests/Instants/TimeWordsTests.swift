import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// Instants in the words of at(1). The present time is Saturday, 2026-11-21, 08:00 in Berlin.
@Suite struct TimeWordsTests {
    static let now = Instant(milliseconds: 1_795_244_400_000)

    struct Row: Sendable {
        var text: String
        /// The wall time in Berlin as the time of a future action. Nil if the text is refused.
        var action: String?
        /// The same as the end of a period or in a file, and as a time in the past. Both equal `action` if left out.
        var boundary: String?
        var past: String?

        init(_ text: String, _ action: String?, boundary: String? = nil, past: String? = nil) {
            (self.text, self.action) = (text, action)
            self.boundary = boundary ?? action
            self.past = past ?? action
        }
    }

    static let rows = [
        // A time of day: the next one, or the last one.
        Row("noon", "2026-11-21 12:00", past: "2026-11-20 12:00"), Row("midnight", "2026-11-22 00:00", past: "2026-11-21 00:00"),
        Row("teatime", "2026-11-21 16:00", past: "2026-11-20 16:00"), Row("TEATIME", "2026-11-21 16:00", past: "2026-11-20 16:00"),
        Row("6pm", "2026-11-21 18:00", past: "2026-11-20 18:00"), Row("6 pm", "2026-11-21 18:00", past: "2026-11-20 18:00"),
        Row("6am", "2026-11-22 06:00", past: "2026-11-21 06:00"), Row("12am", "2026-11-22 00:00", past: "2026-11-21 00:00"),
        Row("12pm", "2026-11-21 12:00", past: "2026-11-20 12:00"), Row("6:30pm", "2026-11-21 18:30", past: "2026-11-20 18:30"),
        Row("12:30am", "2026-11-22 00:30", past: "2026-11-21 00:30"), Row("18:00", "2026-11-21 18:00", past: "2026-11-20 18:00"),
        Row("18.30", "2026-11-21 18:30", past: "2026-11-20 18:30"), Row("24:00", "2026-11-22 00:00", past: "2026-11-21 00:00"),
        Row("08:00", "2026-11-22 08:00", past: "2026-11-21 08:00"), Row("18:00 UTC", "2026-11-21 19:00", past: "2026-11-20 19:00"),
        Row("18:00 +0530", "2026-11-21 13:30", past: "2026-11-20 13:30"), Row("18:00-05:00", "2026-11-22 00:00", past: "2026-11-21 00:00"),
        // A day and a time, in both orders.
        Row("tomorrow 18:00", "2026-11-22 18:00"), Row("18:00 tomorrow", "2026-11-22 18:00"), Row("tomorrow noon", "2026-11-22 12:00"),
        Row("today at 6pm", "2026-11-21 18:00"), Row("06:00 today", "2026-11-21 06:00"), Row("yesterday 18:00", "2026-11-20 18:00"),
        Row("1800 tomorrow", "2026-11-22 18:00"), Row("monday 09:00", "2026-11-23 09:00", past: "2026-11-16 09:00"),
        Row("09:00 mon", "2026-11-23 09:00", past: "2026-11-16 09:00"), Row("on monday at 9am",
        "2026-11-23 09:00", past: "2026-11-16 09:00"),
        Row("next monday 09:00", "2026-11-23 09:00"), Row("last monday 09:00", "2026-11-16 09:00"),
        // Today's weekday: in a week, as with at(1), or the last one before.
        Row("saturday 09:00", "2026-11-28 09:00", past: "2026-11-14 09:00"), Row("sat 07:00", "2026-11-28 07:00", past: "2026-11-21 07:00"),
        Row("last sat 07:00", "2026-11-14 07:00"),
        // A day without a time.
        Row("tomorrow", "2026-11-22 08:00", boundary: "2026-11-22 00:00", past: "2026-11-22 00:00"),
        Row("yesterday", "2026-11-20 08:00", boundary: "2026-11-20 00:00", past: "2026-11-20 00:00"),
        Row("monday", "2026-11-23 08:00", boundary: "2026-11-23 00:00", past: "2026-11-16 00:00"),
        Row("saturday", "2026-11-28 08:00", boundary: "2026-11-28 00:00", past: "2026-11-21 00:00"),
        Row("last monday", "2026-11-16 08:00", boundary: "2026-11-16 00:00", past: "2026-11-16 00:00"),
        Row("last saturday", "2026-11-14 08:00", boundary: "2026-11-14 00:00", past: "2026-11-14 00:00"),
        Row("next saturday", "2026-11-28 08:00", boundary: "2026-11-28 00:00", past: "2026-11-28 00:00"),
        Row("2026-12-24", "2026-12-24 00:00"),
        // Dates.
        Row("10am Jul 31", "2027-07-31 10:00", past: "2026-07-31 10:00"), Row("31 jul 10:00", "2027-07-31 10:00", past: "2026-07-31 10:00"),
        Row("july 31 10am", "2027-07-31 10:00", past: "2026-07-31 10:00"), Row("Jul 31 2027 10am", "2027-07-31 10:00"),
        Row("Jul 31, 2027 10am", "2027-07-31 10:00"), Row("10am Jul 31, 27", "2027-07-31 10:00"), Row("10:00 31 Jul 2027",
        "2027-07-31 10:00"),
        Row("Jul 31 1800", "2027-07-31 18:00", past: "2026-07-31 18:00"), Row("Dec 24, 18:00",
        "2026-12-24 18:00", past: "2025-12-24 18:00"),
        Row("21 Nov 07:00", "2026-11-21 07:00"), Row("21 Nov 09:00", "2026-11-21 09:00", past: "2025-11-21 09:00"),
        Row("29 feb 12:00", "2028-02-29 12:00", past: "2024-02-29 12:00"), Row("1800 122426", "2026-12-24 18:00"),
        Row("18:00 12242026", "2026-12-24 18:00"), Row("10:00 10127", "2027-01-01 10:00"), Row("18:00 12/24/26", "2026-12-24 18:00"),
        Row("12/24/2026 6pm", "2026-12-24 18:00"), Row("24.12.26 18:00", "2026-12-24 18:00"), Row("18:00 24.12.2026", "2026-12-24 18:00"),
        Row("2026-12-24 18:00", "2026-12-24 18:00"), Row("18:00 2026-12-24", "2026-12-24 18:00"), Row("2026-12-24 6pm", "2026-12-24 18:00"),
        Row("2026-12-24 noon", "2026-12-24 12:00"), Row("2026-12-24 6:00 pm", "2026-12-24 18:00"), Row("noon 2027-1-5", "2027-01-05 12:00"),
        // Steps. A step of days or longer keeps the wall time when the clock changes; a step of hours does not.
        Row("now", "2026-11-21 08:00"), Row("now + 1 hour", "2026-11-21 09:00"), Row("now+1hour", "2026-11-21 09:00"),
        Row("now + 90 min", "2026-11-21 09:30"), Row("now - 1 hour", "2026-11-21 07:00"), Row("+ 1 hour", "2026-11-21 09:00"),
        Row("-1h", "2026-11-21 07:00"), Row("now + 1 day 2 hours", "2026-11-22 10:00"), Row("now + 6 months", "2027-05-21 08:00"),
        Row("4pm + 3 days", "2026-11-24 16:00", past: "2026-11-23 16:00"), Row("07:00 + 3 days",
        "2026-11-24 07:00", past: "2026-11-23 07:00"),
        Row("18:00 +30 minutes", "2026-11-21 18:30", past: "2026-11-20 18:30"), Row("noon tomorrow + 1 week", "2026-11-29 12:00"),
        Row("10:00 27.3.2027 + 1 day", "2027-03-28 10:00"), Row("10:00 27.3.2027 + 24 hours", "2027-03-28 11:00"),
        Row("jan 31 2027 noon + 1 month", "2027-02-28 12:00"), Row("2026-12-24 18:00 + 1 day", "2026-12-25 18:00"),
        Row("next week", "2026-11-28 08:00"), Row("next month", "2026-12-21 08:00"), Row("next year", "2027-11-21 08:00"),
        Row("next day", "2026-11-22 08:00"), Row("next hour", "2026-11-21 09:00"), Row("last week", "2026-11-14 08:00"),
        Row("last month", "2026-10-21 08:00"), Row("18:00 next week", "2026-11-28 18:00", past: "2026-11-27 18:00"),
        // Lengths.
        Row("3 days ago", "2026-11-18 08:00"), Row("2h30m ago", "2026-11-21 05:30"), Row("1 month ago", "2026-10-21 08:00"),
        Row("in 2 hours", "2026-11-21 10:00"), Row("+2h", "2026-11-21 10:00"),
        // The clock goes forward at 02:00 in spring, and back at 03:00 in autumn.
        Row("02:30 28.3.2027", "2027-03-28 03:00"), Row("02:30 31 oct 2027", "2027-10-31 02:30+02:00"),
        Row("2:30am 31 oct 2027 + 1 hour", "2027-10-31 02:30+01:00"),
    ]

    @Test(.tzdata, arguments: rows) func reads(_ row: Row) throws {
        let zone = try database.zone("Europe/Berlin")
        for (sense, expected) in [(InstantSense.action, row.action), (.boundary, row.boundary), (.past, row.past)] {
            let instant = try Instant.parse(row.text, zone: zone, now: Self.now, as: sense)
            let wall = minuteText(instant, in: zone).split(separator: "T").joined(separator: " ")
            #expect(wall.hasPrefix(expected ?? "refused"), "\(row.text) as \(sense) is \(wall)")
        }
    }

    @Test(
        .tzdata,
        arguments: [
            // Digits alone are a time or a date only if at(1) reads them so.
            ("1800", "2026-11-21 18:00", nil, "2026-11-20 18:00"), ("0730", "2026-11-22 07:30", nil, "2026-11-21 07:30"),
            ("122426", "2026-12-24 08:00", nil, "2026-12-24 00:00"), ("2d", nil, nil, "2026-11-19 08:00"),
            ("90 minutes", nil, nil, "2026-11-21 06:30"), ("PT2H", nil, nil, nil), ("9", nil, nil, nil), ("1790000000", nil, nil, nil),
        ] as [(String, String?, String?, String?)])
    func dependsOnTheUse(_ text: String, _ action: String?, _ boundary: String?, _ past: String?) throws {
        let zone = try database.zone("Europe/Berlin")
        for (sense, expected) in [(InstantSense.action, action), (.boundary, boundary), (.past, past)] {
            let instant = try? Instant.parse(text, zone: zone, now: Self.now, as: sense)
            let wall = instant.map { minuteText($0, in: zone).split(separator: "T").joined(separator: " ") }
            #expect(wall.map { String($0.prefix(16)) } == expected, "\(text) as \(sense)")
        }
    }

    @Test(arguments: [
        ("tomorow 18:00", #""tomorow" is not understood; did you mean tomorrow?; for example "#),
        ("mnday 9am", #""mnday" is not understood; did you mean monday?; for example "#),
        ("whenever", #"can't read the instant "whenever": "whenever" is not understood; for example "tomorrow 18:00", "in 2 hours" or "#),
        ("25:00", "hour 25 is out of range 0-23"), ("13pm", "hour 13 is out of range 0-12 before pm"), ("12:60",
        "minute 60 is out of range"),
        ("18:00 19:00", #""19:00" gives the time of day a second time"#),
        ("noon midnight", #""midnight" gives the time of day a second time"#),
        ("monday tomorrow", #""tomorrow" gives the day a second time"#), ("feb 30", "day 30 is out of range 1-29"),
        ("31/12/26", "month 31 is out of range 1-12"), ("12/24", "expected month/day/year"), ("31.6.2027", "day 31 is out of range 1-30"),
        ("3 days", #"3 days is a length of time; "in 3 days" or "3 days ago" is an instant"#),
        ("9", #""9" is not understood; an hour is written 09:00"#), ("next mondy", #""mondy" is not understood; did you mean monday?"#),
        ("monday 9", #""9" is not understood; an hour is written 09:00"#), ("now + 1", #"a unit, such as hours, must follow "1""#),
        ("now + 1 parsec", #""parsec" is not understood"#), ("now +", #"a number and a unit, such as 3 days, must follow "+""#),
        ("next", #"a weekday or a unit, such as week, must follow "next""#), ("jul", #"a day must follow "jul""#),
        ("now 18:00", #""18:00" gives the time of day a second time"#), ("tomorrow at", #""at" is not understood"#),
        ("now + 99999999 weeks 99999999 weeks", "longer than 10,000 years"), ("now + 500 years", "not between 1970 and 2199"),
    ])
    func refuses(_ text: String, _ message: String) {
        do throws(RecurrenceError) {
            let instant = try Instant.parse(text, zone: .utc, now: Self.now, as: .action)
            Issue.record("\(text) is \(instant)")
        } catch {
            #expect("\(error)".contains(message), "\(error)")
            #expect(error.offset.map { (0...text.count).contains($0) } ?? true)
        }
    }

    @Test func randomWordsNeverTrap() {
        var generator = SeededGenerator(seed: 5)
        let words = TimeWords.known
            + ["+", "-", "18:00", "6pm", "1800", "24.12.26", "12/24/26", "29 feb", "UTC", "+01:00", "99999999",
        "3", "at", ","]
        for _ in 0..<20_000 {
            let count = Int.random(in: 1...5, using: &generator)
            let text = (0..<count).map { _ in words.randomElement(using: &generator)! }.joined(separator: " ")
            let now = Instant(milliseconds: Int64.random(in: .min ... .max, using: &generator))
            for sense in [InstantSense.action, .boundary, .past] { _ = try? Instant.parse(text, zone: .utc, now: now, as: sense) }
        }
    }
}
