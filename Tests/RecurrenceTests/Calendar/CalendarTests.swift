import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

func calendar(_ text: String, _ zone: Zone = .utc, daylight: DaylightRule = .standard) throws -> Recurrence {
    try Recurrence.calendar(text, zone: zone, zones: database, daylight: daylight)
}

/// The meaning of calendar expressions, and the refused ones.
@Suite struct CalendarTests {
    /// All of systemd.time(7), "Calendar Events": the shorthands, then the "Examples for valid timestamps", in its order.
    static let normalized = [
        ("shorthand", "minutely", "*-*-* *:*:00"),
        ("shorthand", "hourly", "*-*-* *:00:00"),
        ("shorthand", "daily", "*-*-* 00:00:00"),
        ("shorthand", "monthly", "*-*-01 00:00:00"),
        ("shorthand", "weekly", "Mon *-*-* 00:00:00"),
        ("shorthand", "yearly", "*-01-01 00:00:00"),
        ("shorthand", "quarterly", "*-01,04,07,10-01 00:00:00"),
        ("shorthand", "semiannually", "*-01,07-01 00:00:00"),
        ("example", "Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"),
        ("example", "Mon,Sun 12-*-* 2,1:23", "Mon,Sun 2012-*-* 01,02:23:00"),
        ("example", "Wed *-1", "Wed *-*-01 00:00:00"),
        ("example", "Wed..Wed,Wed *-1", "Wed *-*-01 00:00:00"),
        ("example", "Wed, 17:48", "Wed *-*-* 17:48:00"),
        ("example", "Wed..Sat,Tue 12-10-15 1:2:3", "Tue..Sat 2012-10-15 01:02:03"),
        ("example", "*-*-7 0:0:0", "*-*-07 00:00:00"),
        ("example", "10-15", "*-10-15 00:00:00"),
        ("example", "monday *-12-* 17:00", "Mon *-12-* 17:00:00"),
        ("example", "Mon,Fri *-*-3,1,2 *:30:45", "Mon,Fri *-*-01,02,03 *:30:45"),
        ("example", "12,14,13,12:20,10,30", "*-*-* 12,13,14:10,20,30:00"),
        ("example", "12..14:10,20,30", "*-*-* 12..14:10,20,30:00"),
        ("example", "mon,fri *-1/2-1,3 *:30:45", "Mon,Fri *-01/2-01,03 *:30:45"),
        ("example", "03-05 08:05:40", "*-03-05 08:05:40"),
        ("example", "08:05:40", "*-*-* 08:05:40"),
        ("example", "05:40", "*-*-* 05:40:00"),
        ("example", "Sat,Sun 12-05 08:05:40", "Sat,Sun *-12-05 08:05:40"),
        ("example", "Sat,Sun 08:05:40", "Sat,Sun *-*-* 08:05:40"),
        ("example", "2003-03-05 05:40", "2003-03-05 05:40:00"),
        ("example", "05:40:23.4200004/3.1700005", "*-*-* 05:40:23.420000/3.170001"),
        ("example", "2003-02..04-05", "2003-02..04-05 00:00:00"),
        ("example", "2003-03-05 05:40 UTC", "2003-03-05 05:40:00 UTC"),
        ("example", "2003-03-05", "2003-03-05 00:00:00"),
        ("example", "03-05", "*-03-05 00:00:00"),
        ("example", "hourly", "*-*-* *:00:00"),
        ("example", "daily", "*-*-* 00:00:00"),
        ("example", "daily UTC", "*-*-* 00:00:00 UTC"),
        ("example", "monthly", "*-*-01 00:00:00"),
        ("example", "weekly", "Mon *-*-* 00:00:00"),
        ("example", "weekly Pacific/Auckland", "Mon *-*-* 00:00:00 Pacific/Auckland"),
        ("example", "yearly", "*-01-01 00:00:00"),
        ("example", "annually", "*-01-01 00:00:00"),
        ("example", "*:2/3", "*-*-* *:02/3:00"),
        // These come from the prose of the page, from calendarspec.c and from its bug reports.
        ("prose: ~", "*-02~03", "*-02~03 00:00:00"),
        ("prose: ~", "Mon *-05~07/1", "Mon *-05~07/1 00:00:00"),
        ("prose: names", "thursday,FRI 2012-*-1,5 11:12:13", "Thu,Fri 2012-*-01,05 11:12:13"),
        ("calendarspec.c: words", "anually", "*-01-01 00:00:00"),
        ("calendarspec.c: words", "biannually", "*-01,07-01 00:00:00"),
        ("calendarspec.c: words", "bi-annually", "*-01,07-01 00:00:00"),
        ("calendarspec.c: words", "Semi-Annually", "*-01,07-01 00:00:00"),
        ("calendarspec.c: old ranges", "Mon-Wed,fri-SUNDAY", "Mon..Wed,Fri..Sun *-*-* 00:00:00"),
        ("calendarspec.c: all days", "Mon..Sun 5:00", "*-*-* 05:00:00"),
        ("calendarspec.c: fix_year", "69-1-1", "2069-01-01 00:00:00"),
        ("calendarspec.c: fix_year", "70/2-1-1", "1970/2-01-01 00:00:00"),
        ("calendarspec.c: normalize_chain", "8..24/3:00", "*-*-* 08..23/3:00:00"),
        ("calendarspec.c: normalize_chain", "*:1..3/5", "*-*-* *:01:00"),
        ("calendarspec.c: normalize_chain", "0:0:5..5.5/1", "*-*-* 00:00:05"),
        ("calendarspec.c: end_of_month", "*~*", "*-*-* 00:00:00"),
        ("calendarspec.c: epoch", "Mon @1000000000", "Mon 2001-09-09 01:46:40 UTC"),
        ("blanks do no harm", "  Mon\t5:00   utc ", "Mon *-*-* 05:00:00 UTC"),
        ("all days from the end to one limit", "*~27,28", "*-*~27,28 00:00:00"),
        // systemd prints * here, and loses the .5.
        ("fractions beside every second", "*:*:0/1,3.5", "*-*-* *:*:00/1,03.500000"),
    ]

    @Test(.tzdata, arguments: normalized)
    func normalizes(_ source: String, _ text: String, _ normalized: String) throws {
        let recurrence = try calendar(text)
        #expect(recurrence.normalized == normalized, "\(source)")
        #expect(try calendar(normalized).normalized == normalized, "\(source)")
        #expect(try Self.fields(normalized) == Self.fields(text), "\(source)")
    }

    private static func fields(_ text: String) throws -> WallFields {
        guard case .calendar(let schedule, _) = try calendar(text).rule else { throw RecurrenceError("not a calendar") }
        return schedule.rule
    }

    // MARK: Due times

    struct Case: Sendable, CustomTestStringConvertible {
        var calendar: String
        var zone = "UTC"
        var after: String
        var due: [String]
        var testDescription: String { "\(calendar) \(zone) after \(after)" }
    }

    static let cases = [
        // systemd.time(7): the third last day in February; the last Monday in May.
        Case(
            calendar: "*-02~03", after: "2026-01-01",
            due: ["2026-02-26T00:00:00.000", "2027-02-26T00:00:00.000", "2028-02-27T00:00:00.000"]),
        Case(calendar: "Mon *-05~07/1", after: "2026-01-01", due: ["2026-05-25T00:00:00.000", "2027-05-31T00:00:00.000"]),
        // The first and the fifth of the month, if they are Thursdays or Fridays.
        Case(calendar: "Thu,Fri 2012-*-1,5 11:12:13", after: "2012-01-06", due: ["2012-03-01T11:12:13.000", "2012-04-05T11:12:13.000"]),
        Case(
            calendar: "*-*~1..7/3", after: "2026-02-01",
            due: ["2026-02-22T00:00:00.000", "2026-02-25T00:00:00.000", "2026-02-28T00:00:00.000"]),
        Case(
            calendar: "*-*~8/3", after: "2026-02-01",
            due: ["2026-02-21T00:00:00.000", "2026-02-24T00:00:00.000", "2026-02-27T00:00:00.000", "2026-03-24T00:00:00.000"]),
        // A step that passes the end begins again.
        Case(
            calendar: "*:0/7", after: "2026-12-31 23:50",
            due: ["2026-12-31T23:56:00.000", "2027-01-01T00:00:00.000", "2027-01-01T00:07:00.000"]),
        Case(calendar: "2028/4-02-29", after: "2026-01-01", due: ["2028-02-29T00:00:00.000", "2032-02-29T00:00:00.000"]),
        Case(calendar: "@1800000000", after: "2026-01-01", due: ["2027-01-15T08:00:00.000"]),
        Case(calendar: "@1800000000", zone: "Asia/Tokyo", after: "2026-01-01", due: ["2027-01-15T17:00:00.000"]),
        Case(calendar: "Mon 2026-11-17", after: "2026-01-01", due: []),
        // Fractions. A finer time counts as the millisecond that contains it.
        Case(calendar: "9:00:59.25/0.5", after: "2026-01-01 09:00:59.3", due: ["2026-01-01T09:00:59.750", "2026-01-02T09:00:59.250"]),
        Case(calendar: "9:00:00.0009999", after: "2026-01-01", due: ["2026-01-01T09:00:00.001", "2026-01-02T09:00:00.001"]),
        Case(calendar: "9:00:00.0009994", after: "2026-01-01", due: ["2026-01-01T09:00:00.000", "2026-01-02T09:00:00.000"]),
        Case(
            calendar: "9:00:00.0009..0.0012/0.0003", after: "2026-01-01",
            due: ["2026-01-01T09:00:00.000", "2026-01-01T09:00:00.001", "2026-01-02T09:00:00.000"]),
        Case(calendar: "9:00:00/0.000001", after: "2026-01-01 09:00:59.999", due: ["2026-01-01T09:00:59.999", "2026-01-02T09:00:00.000"]),
        // The expression names a zone.
        Case(calendar: "12:00 Asia/Tokyo", zone: "Europe/Berlin", after: "2026-01-01", due: ["2026-01-01T04:00:00.000"]),
        // Fixed times: all times in a gap make one run at its end, with or without fractions. In an overlap the first pass
        // counts.
        Case(
            calendar: "02:30:00.25,30.75", zone: "Europe/Berlin", after: "2026-03-29",
            due: ["2026-03-29T03:00:00.000", "2026-03-30T02:30:00.250"]),
        Case(
            calendar: "2..3:00:00.5", zone: "Europe/Berlin", after: "2026-03-29",
            due: ["2026-03-29T03:00:00.000", "2026-03-29T03:00:00.500", "2026-03-30T02:00:00.500"]),
        Case(
            calendar: "0/1:30", zone: "Europe/Berlin", after: "2026-10-25 01:00",
            due: ["2026-10-25T01:30:00.000", "2026-10-25T02:30:00.000", "2026-10-25T03:30:00.000"]),
        Case(
            calendar: "02:30:00.5", zone: "Europe/Berlin", after: "2026-10-25",
            due: ["2026-10-25T02:30:00.500", "2026-10-26T02:30:00.500"]),
        // Wildcard times, because the hour or the minute is *: none in the gap, and both passes of the overlap.
        Case(
            calendar: "*:30:00.5", zone: "Europe/Berlin", after: "2026-03-29 01:00",
            due: ["2026-03-29T01:30:00.500", "2026-03-29T03:30:00.500"]),
        Case(
            calendar: "*:30:00.5", zone: "Europe/Berlin", after: "2026-10-25 01:00",
            due: ["2026-10-25T01:30:00.500", "2026-10-25T02:30:00.500", "2026-10-25T02:30:00.500", "2026-10-25T03:30:00.500"]),
        Case(calendar: "2:*:59", zone: "Europe/Berlin", after: "2026-03-29", due: ["2026-03-30T02:00:59.000"]),
    ]

    @Test(.tzdata, arguments: cases)
    func dueTimes(_ row: Case) throws {
        let zone = try database.zone(row.zone)
        let due = try calendar(row.calendar, zone)
            .due(after: instant(row.after, zone) - Span(milliseconds: 1), limit: max(row.due.count, 1))
        #expect(due.map { String($0.rfc3339(in: zone).prefix(23)) } == row.due)
    }

    @Test(.tzdata) func itsZoneIsTheOneItNames() throws {
        let berlin = try database.zone("Europe/Berlin")
        for (text, zone, isNamed) in [
            ("daily", "Europe/Berlin", false), ("daily Asia/Tokyo", "Asia/Tokyo", true), ("daily utc", "UTC", true),
            ("@0", "UTC", false), ("@0 UTC", "UTC", true),
        ] {
            let recurrence = try calendar(text, berlin)
            #expect(recurrence.zone?.name == zone && recurrence.namesZone == isNamed, "\(text)")
        }
        #expect(try cron("CRON_TZ=Asia/Tokyo @daily").namesZone && !cron("@daily").namesZone)
    }

    /// Compares with a walk through the seconds of the days after a random instant.
    @Test func nothingMatchesBeforeTheNext() throws {
        var generator = SeededGenerator(seed: 3)
        var found = 0
        for _ in 0..<1000 {
            let sample = CalendarSample(using: &generator)
            let start = Int.random(in: 0..<Int(Civil.endSeconds) * 1000 - 4 * 86_400_000, using: &generator)
            let parts = Dictionary(grouping: sample.milliseconds.sorted(), by: { $0 / 1000 })
            var expected: Int?
            var second = start / 1000
            let end = second + 3 * 86_400
            while second < end, expected == nil {
                if !sample.isDay(second / 86_400) {
                    second = (second / 86_400 + 1) * 86_400
                } else if !sample.hours.contains(second / 3600 % 24) || !sample.minutes.contains(second / 60 % 60) {
                    second = (second / 60 + 1) * 60
                } else {
                    expected = parts[second % 60]?.map { second / 60 * 60_000 + $0 }.first { $0 > start }
                    second += 1
                }
            }
            let due = try calendar(sample.text).next(after: Instant(milliseconds: Int64(start)), origin: Instant(milliseconds: 0))
            if let expected {
                found += 1
                #expect(due?.milliseconds == Int64(expected), "\(sample.text) after \(start)")
            } else if let due {
                #expect(due.milliseconds >= end * 1000, "\(sample.text) after \(start)")
                #expect(sample.matches(wall: Int(due.milliseconds)), "\(sample.text) after \(start)")
            }
        }
        #expect(found > 400)
    }

    @Test(.tzdata) func anyInstantBetweenLeadsToTheSame() throws {
        var generator = SeededGenerator(seed: 4)
        for name in ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"] {
            let zone = try database.zone(name)
            for change in zone.ranges.filter({ $0.start > 1_000_000_000 }).prefix(12) {
                let recurrence = try calendar(CalendarSample(using: &generator).text, zone)
                let start = Instant(milliseconds: change.start * 1000 + Int64.random(in: -7_200_000...3_600_000, using: &generator))
                guard let due = recurrence.next(after: start, origin: start) else { continue }
                #expect(due > start, "\(recurrence.normalized) \(name) after \(start)")
                for _ in 0..<20 {
                    let between = Instant(milliseconds: Int64.random(in: start.milliseconds..<due.milliseconds, using: &generator))
                    #expect(recurrence.next(after: between, origin: start) == due, "\(recurrence.normalized) \(name) after \(between)")
                }
                #expect(recurrence.nextOccurrence(after: start, origin: start)?.instant == due)
            }
        }
    }

    // MARK: Errors

    private static let shape = #"for example "Mon..Fri 09:00" or "*-*-01 02:30:00 Europe/Berlin""#
    private static let forms = "lists a,b, ranges a..b and steps a/n"

    static let refused: [(String, Int?, String, String?)] = [
        ("", nil, "the calendar expression is empty", shape),
        (" \t ", nil, "the calendar expression is empty", shape),
        ("*-*-* 25:00", 6, "hour 25 is out of range 0-23", nil),
        ("12:60", 3, "minute 60 is out of range 0-59", nil),
        ("1:2:60", 4, "second 60 is out of range 0-59", nil),
        ("00:00:18446744073709551615", 6, "second 18446744073709551615 is out of range 0-59", nil),
        ("2026-13-01", 5, "month 13 is out of range 1-12", nil),
        ("*-*-0", 4, "day 0 is out of range 1-31", nil),
        ("2200-1-1", 0, "year 2200 is out of range 1970-2199", nil),
        ("*~16..31", 6, "day from the end 31 is out of range 1-28", "~1 is the last day of the month; every month has a ~28"),
        ("*:0..61/30", 5, "minute 61 is out of range 0-59", nil),
        ("*:*/15", 3, #"minute: nothing may follow *, found "/15""#, "did you mean 0/15?"),
        ("*-*/2-1", 3, #"month: nothing may follow *, found "/2""#, "did you mean 1/2?"),
        ("*:4:*,5", 5, #"second: nothing may follow *, found ",5""#, "* must be by itself"),
        ("*:4:5,*", 6, #"second: expected 0-59, \#(forms), found "*""#, "* must be by itself"),
        ("17..9:00", 0, "hour: range 17..9 is reversed", "write the lower value first, or two ranges"),
        ("20/4:00", 3, "hour: in 20/4 the step leads past 23", "write 20 for that value alone"),
        ("*-*~3/3", 6, "day from the end: in 3/3 the step leads past 1", "write 3 for that value alone"),
        ("*:1/0", 4, "minute: step 0 is zero", nil),
        ("0:0:0/0.00000001", 6, "second: step 0.00000001 is zero", nil),
        ("0:0:1..1", 4, "second: range 1..1 is shorter than its step of a second", "write a single value, or a shorter step such as /0.1"),
        ("0:0:1.", 6, "second: a value is missing", nil),
        ("*:1/", 4, "minute: a step is missing", nil),
        ("0:0:.5", 4, #"second: expected 0-59, \#(forms), found ".""#, "a fraction has digits on both sides"),
        ("00:00.1:00", 5, #"minute: expected 0-59, \#(forms), found ".""#, "a range is written a..b; seconds alone have fractions"),
        ("9:5-8", 3, #"minute: expected 0-59, \#(forms), found "-""#, "a range is written a..b; values can't be negative"),
        ("é:00", 0, #"hour: expected 0-23, \#(forms), found "é""#, nil),
        ("*-*-L", 4, #"day: expected 1-31, \#(forms), found "L""#, "the last day of the month is written *-*~1"),
        ("*-jan-01", 2, #"month: expected 1-12, \#(forms), found "j""#, "months are numbers here"),
        ("*-*-?", 4, #"day: expected 1-31, \#(forms), found "?""#, "* means any value here"),
        ("5", 0, #"expected a date (Y-M-D or M-D) or a time (H:M or H:M:S), found "5""#, "did you mean 5:00?"),
        ("2026", 0, #"expected a date (Y-M-D or M-D) or a time (H:M or H:M:S), found "2026""#, "did you mean 2026-*-*?"),
        ("*", 0, #"expected a date (Y-M-D or M-D) or a time (H:M or H:M:S), found "*""#, #"for example "*-*-01" or "*:00""#),
        (
            "Mon, Tue", 5, #"expected a date (Y-M-D or M-D) or a time (H:M or H:M:S), found "Tue""#,
            "write the days of the week first, in one word"),
        ("1-2-3-4", 0, #"expected a date (Y-M-D or M-D) or a time (H:M or H:M:S), found "1-2-3-4""#, nil),
        ("2026-1-1T05:00", 0, #"a date and a time in one word, "2026-1-1T05:00""#, "write a space for the T"),
        ("Mon 9-17:00", 4, #"a date and a time in one word, "9-17:00""#, "write a space between them; a range is written a..b"),
        ("2016~11-22", 4, "~ must be before the day", "for example *-02~03"),
        ("5:00:00:00", 7, "a time has hour, minute and second at most, found another part", nil),
        ("Fri..Mon", 0, "day of week: range Fri..Mon is reversed", "the week begins on Monday: Fri..Sun,Mon"),
        ("Mon,Sunday-Wed 5:00", 4, "day of week: range Sunday-Wed is reversed", "the week begins on Monday: Sun,Mon..Wed"),
        ("Mon..", 5, "day of week: a name is missing", nil),
        ("Mon,,Tue", 4, "day of week: a name is missing", nil),
        ("Mon,Tues", 4, #"day of week: unknown name "Tues""#, "did you mean Tue?"),
        (
            "Mon.Tue", 3, #"day of week: expected a list a,b or a range a..b, found ".Tue""#,
            "write a space between the days and the date or time"),
        ("dialy", 0, #"unknown word "dialy""#, "did you mean daily?"),
        ("@daily", 0, #"unknown word "@daily""#, "write daily, alone but for a time zone"),
        ("daily 5:00", 0, #"unknown word "daily""#, "write daily, alone but for a time zone"),
        ("january 5:00", 0, #"unknown word "january""#, "months are numbers here"),
        ("every 5 minutes", 0, #"unknown word "every""#, shape),
        ("5:00 Mon", 5, #"unexpected "Mon""#, "write the days of the week first"),
        ("5:00 daily", 5, #"unexpected "daily""#, "daily must be by itself"),
        ("1-1 5:00 6:00", 9, #"unexpected "6:00""#, "the order is days of the week, date, time, zone"),
        ("30 2 * * *", 9, "expected days of the week, date, time and zone at most, found 5 words", "five fields and more are cron's"),
        ("@5.5", 0, #"expected seconds since 1970 after @, found "@5.5""#, nil),
        ("@7258118400", 0, "@7258118400 is not before the year 2200", nil),
        ("@5 Europe/Berlin", 3, #"an epoch instant needs no time zone, found "Europe/Berlin""#, "it is the same everywhere"),
        ("5:00 Europe/Brelin", 5, #"unknown time zone "Europe/Brelin""#, #"did you mean "Europe/Berlin"?"#),
        ("é-1 5:00 x", 0, #"month: expected 1-12, \#(forms), found "é""#, nil),
    ]

    @Test(.tzdata, arguments: refused)
    func errors(_ text: String, _ offset: Int?, _ message: String, _ hint: String?) {
        #expect(throws: RecurrenceError(message, offset: offset, hint: hint)) { try calendar(text) }
    }

    @Test func whatIsTooLongIsRefused() throws {
        #expect(throws: RecurrenceError("the calendar expression is longer than 4096 bytes")) {
            try calendar(String(repeating: "1,", count: 2048) + "1:00")
        }
        let long = try calendar(String(repeating: "1,", count: 2000) + "1:00")
        #expect(long.normalized == "*-*-* 01:00:00")
    }

    @Test func randomTextNeverTraps() {
        var generator = SeededGenerator(seed: 8)
        let alphabet = Array("01234567899*/,-~:.@ MonTueUTCdaily¹é\t".unicodeScalars)
        var read = 0
        for round in 0..<10_000 {
            var text = round % 2 == 0 ? "" : "*-*-* *:*:"
            for _ in 0..<Int.random(in: 0...16, using: &generator) {
                text.unicodeScalars.append(alphabet.randomElement(using: &generator)!)
            }
            guard let recurrence = try? calendar(text) else { continue }  // may be refused, but must not trap
            read += 1
            let start = Instant(milliseconds: Int64.random(in: .min ... .max, using: &generator))
            if let due = recurrence.next(after: start, origin: start) { #expect(due > start) }
        }
        #expect(read > 50)
    }
}
