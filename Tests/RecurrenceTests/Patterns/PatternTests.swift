import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// The meaning of each form of `pattern`, and the errors of others.
@Suite struct PatternTests {
    func pattern(_ text: String, _ zone: Zone = .utc, daylight: DaylightRule = .standard) throws -> Recurrence {
        try Recurrence.pattern(text, zone: zone, daylight: daylight)
    }

    // MARK: Intervals

    /// A pattern, its normalized text, and its first due time after a run that ended on 2026-01-31 at 10:00.
    static let intervals: [(text: String, normalized: String, due: String)] = [
        ("50.seconds", "50.seconds", "2026-01-31T10:00:50.000Z"), ("1.second", "1.seconds", "2026-01-31T10:00:01.000Z"),
        ("120.Seconds", "2.minutes", "2026-01-31T10:02:00.000Z"), ("90.MINUTES", "90.minutes", "2026-01-31T11:30:00.000Z"),
        ("3.hours", "3.hours", "2026-01-31T13:00:00.000Z"), ("1.hour", "1.hours", "2026-01-31T11:00:00.000Z"),
        ("36.hours", "36.hours", "2026-02-01T22:00:00.000Z"), ("5.days", "5.days", "2026-02-05T10:00:00.000Z"),
        ("7.days", "1.weeks", "2026-02-07T10:00:00.000Z"), ("2.weeks", "2.weeks", "2026-02-14T10:00:00.000Z"),
        ("1.months", "1.months", "2026-02-28T10:00:00.000Z"), ("2.month", "2.months", "2026-03-31T10:00:00.000Z"),
        ("12.months", "12.months", "2027-01-31T10:00:00.000Z"), ("3650.days", "3650.days", "2036-01-29T10:00:00.000Z"),
        ("007.days", "1.weeks", "2026-02-07T10:00:00.000Z"), ("63072000.seconds", "730.days", "2028-01-31T10:00:00.000Z"),
    ]

    @Test(arguments: intervals)
    func anIntervalCountsFromTheEndOfTheLastRun(_ row: (text: String, normalized: String, due: String)) throws {
        let rule = try pattern(row.text)
        let end = try instant("2026-01-31T10:00:00Z")
        #expect(rule.next(after: end, origin: end)?.rfc3339 == row.due)
        #expect(rule.isFromEnd && rule.isInterval && rule.zone == nil && rule.patternExtension == nil)
        #expect(rule.normalized == row.normalized)
        #expect(try pattern(rule.normalized).normalized == row.normalized)
    }

    /// N may have any size that a span holds. A time after the year 2199 is never due.
    @Test(arguments: ["3652500.days", "120000.months", "315576000000.seconds"])
    func theLongestIntervals(text: String) throws {
        #expect(try pattern(text).next(after: Instant(milliseconds: 0), origin: Instant(milliseconds: 0)) == nil)
    }

    // MARK: Wall-clock forms

    /// A pattern, its normalized text, and its first due times after 2026-11-21 02:00 UTC, a Saturday.
    static let forms: [(text: String, normalized: String, due: [String])] = [
        ("**.01.05.00.00", "**.01.05.00.00", ["2026-12-01T05:00:00", "2027-01-01T05:00:00", "2027-02-01T05:00:00"]),
        ("01|02.05|15.05.00.00", "01|02.05|15.05.00.00", ["2027-01-05T05:00:00", "2027-01-15T05:00:00", "2027-02-05T05:00:00"]),
        ("**.**.22.00.00", "**.**.22.00.00", ["2026-11-21T22:00:00", "2026-11-22T22:00:00"]),
        ("saturday|sunday.22.00.00", "saturday|sunday.22.00.00", ["2026-11-21T22:00:00", "2026-11-22T22:00:00", "2026-11-28T22:00:00"]),
        ("SUNDAY|Saturday.22.00.00", "saturday|sunday.22.00.00", ["2026-11-21T22:00:00", "2026-11-22T22:00:00"]),
        ("Mon|WED|fri.9.5.7", "monday|wednesday|friday.09.05.07", ["2026-11-23T09:05:07", "2026-11-25T09:05:07", "2026-11-27T09:05:07"]),
        ("**.23.59.59", "**.**.23.59.59", ["2026-11-21T23:59:59", "2026-11-22T23:59:59"]),
        ("sun|mon|tue|wed|thu|fri|sat.00.00.00", "**.**.00.00.00", ["2026-11-22T00:00:00"]),
        ("monday|mon.00.00.00", "monday.00.00.00", ["2026-11-23T00:00:00", "2026-11-30T00:00:00"]),
        ("2|1.**.00.00.00", "01|02.**.00.00.00", ["2027-01-01T00:00:00", "2027-01-02T00:00:00"]),
        ("02.29.12.00.00", "02.29.12.00.00", ["2028-02-29T12:00:00", "2032-02-29T12:00:00"]),
        ("**.31.00.00.00", "**.31.00.00.00", ["2026-12-31T00:00:00", "2027-01-31T00:00:00", "2027-03-31T00:00:00"]),
        ("02|04.30|31.00.00.00", "02|04.30|31.00.00.00", ["2027-04-30T00:00:00", "2028-04-30T00:00:00"]),
    ]

    @Test(arguments: forms)
    func aWallClockFormIsDueWhenTheClockShowsIt(_ row: (text: String, normalized: String, due: [String])) throws {
        let rule = try pattern(row.text)
        #expect(try rule.due(after: instant("2026-11-21T02:00:00Z"), limit: row.due.count).map(\.rfc3339) == row.due.map { $0 + ".000Z" })
        #expect(rule.isFromEnd && !rule.isInterval && rule.zone === Zone.utc)
        #expect(rule.normalized == row.normalized)
        #expect(try pattern(rule.normalized).normalized == row.normalized)
    }

    @Test func aDayThatNoMonthHasIsNeverDue() throws {
        #expect(try pattern("02.30.00.00.00").next(after: Instant(milliseconds: 0), origin: Instant(milliseconds: 0)) == nil)
    }

    /// A pattern and the cron expression of the same meaning have the same due times for two years, also in a zone with daylight
    /// saving.
    @Test(.tzdata, arguments: [
        ("**.01.05.00.00", "0 0 5 1 * *"), ("01|10.05|25.02.30.00", "0 30 2 5,25 1,10 *"), ("**.02.30.15", "15 30 2 * * *"),
        ("sat|sunday.02.00.00", "0 0 2 * * sat,sun"),
    ])
    func agreesWithCron(_ text: String, _ expression: String) throws {
        let start = try instant("2026-01-01")
        let end = try instant("2028-01-01")
        for name in ["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"] {
            let zone = try database.zone(name)
            let due = try pattern(text, zone).due(after: start, before: end)
            #expect(try due == cron(expression, zone).due(after: start, before: end) && due.count > 7)
        }
    }

    @Test(.tzdata) func theClockSkipsAndRepeatsAsForAnyFixedSchedule() throws {
        let berlin = try database.zone("Europe/Berlin")
        let march = try instant("2026-03-29T00:00:00Z")
        let october = try instant("2026-10-24T12:00:00Z")
        let night = try pattern("**.02.30.00", berlin)
        #expect(
            night.nextOccurrence(after: march, origin: march)
                == Occurrence(instant: try instant("2026-03-29T01:00:00Z"), note: .movedByGap))
        #expect(
            night.nextOccurrence(after: october, origin: october)
                == Occurrence(instant: try instant("2026-10-25T00:30:00Z"), note: .firstOfRepeated))
        let skipping = try pattern("**.02.30.00", berlin, daylight: DaylightRule(gap: .skip, repeated: .last))
        #expect(try skipping.next(after: march, origin: march) == instant("2026-03-30T00:30:00Z"))
        #expect(try skipping.next(after: october, origin: october) == instant("2026-10-25T01:30:00Z"))
    }

    // MARK: Extensions

    @Test(arguments: [
        ("ext:my-pattern:some args", "my-pattern", "some args"), ("ext:k:", "k", ""), ("ext:k", "k", ""),
        ("EXT:a.b_c-9:a:b::c", "a.b_c-9", "a:b::c"),
        ("ext:k: \t\"é\n ", "k", " \t\"é\n "), ("ext:\(String(repeating: "k", count: 64)):x", String(repeating: "k", count: 64), "x"),
    ])
    func anExtensionHasItsKeyAndAllElseIsItsArgument(_ text: String, _ key: String, _ arguments: String) throws {
        let rule = try pattern(text)
        #expect(rule.patternExtension == PatternExtension(key: key, arguments: arguments))
        #expect(rule.isFromEnd && !rule.isInterval && rule.next(after: Instant(milliseconds: 0), origin: Instant(milliseconds: 0)) == nil)
        #expect(try pattern(rule.normalized).patternExtension == rule.patternExtension)
    }

    static let now = "2026-11-21T02:00:00.000Z"

    /// The output of a program, and the due time that it means.
    @Test(arguments: [
        ("2026-11-22T02:00:00Z\n", "2026-11-22T02:00:00.000Z"), ("@1800000000", "2027-01-15T08:00:00.000Z"),
        ("  \n 1800000000000 \r\n\n", "2027-01-15T08:00:00.000Z"),
        ("in 2 hours", "2026-11-21T04:00:00.000Z"), ("+90m", "2026-11-21T03:30:00.000Z"),
        ("2026-11-21 02:00:00.001", "2026-11-21T02:00:00.001Z"),
        ("2026-11-22 01:00+02:00", "2026-11-21T23:00:00.000Z"), ("2030-11-11", "2030-11-11T00:00:00.000Z"),
    ])
    func anAnswerIsAnInstant(_ printed: String, _ due: String) throws {
        #expect(try PatternExtension.answer(Array(printed.utf8), zone: .utc, after: instant(Self.now))?.rfc3339 == due)
    }

    @Test(arguments: ["", "\n", " \t\r\n\n"]) func nothingPrintedIsNever(printed: String) throws {
        #expect(try PatternExtension.answer(Array(printed.utf8), zone: .utc, after: instant(Self.now)) == nil)
    }

    @Test(.tzdata) func anAnswerWithoutOffsetIsOfTheSchedulesZone() throws {
        let berlin = try database.zone("Europe/Berlin")
        #expect(
            try PatternExtension.answer(Array("2026-11-22 12:00".utf8), zone: berlin, after: instant(Self.now))?.rfc3339
                == "2026-11-22T11:00:00.000Z")
    }

    @Test(arguments: [
        ("2026-11-21T02:00:00Z", #"printed "2026-11-21T02:00:00Z", which is not later than 2026-11-21T02:00:00.000Z"#),
        ("@0", #"printed "@0", which is not later than"#), ("now", #"printed "now", which is not later than"#),
        ("tomorrowish", #"printed what is no instant: can't read the instant "tomorrowish""#),
        ("2026-11-22T02:00:00Z\n2026-11-23T02:00:00Z", "printed what is no instant: "), ("never", "printed what is no instant: "),
        ("2200-01-01T00:00:00Z", "printed what is no instant: "), ("17", "printed what is no instant: "),
        (String(repeating: "x", count: 100), #"printed "\#(String(repeating: "x", count: 64))"…, which is no instant"#),
        (String(repeating: " ", count: 4097), "printed more than 4096 bytes"),
    ])
    func anAnswerThatIsNoneSaysWhy(_ printed: String, _ message: String) throws {
        let after = try instant(Self.now)
        let error = #expect(throws: RecurrenceError.self) { try PatternExtension.answer(Array(printed.utf8), zone: .utc, after: after) }
        #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
    }

    @Test func anAnswerOfAnyBytesNeverTraps() throws {
        var generator = SeededGenerator(seed: 3)
        for length in 0..<300 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            do { _ = try PatternExtension.answer(bytes, zone: .utc, after: Instant(milliseconds: .max)) } catch {
                #expect(!error.message.isEmpty)
            }
        }
    }

    // MARK: Errors

    static let errors: [(text: String, offset: Int?, message: String, hint: String)] = [
        ("", nil, "the pattern is empty", "patterns are"), ("  ", nil, "the pattern is empty", "patterns are"),
        ("50 seconds", 0, #"the pattern "50 seconds" has 1 parts"#, "patterns are \"50.seconds\""),
        ("22.00.00", 0, "has 3 parts", "every day at that time is **.22.00.00"), ("1.5.hours", 0, "has 3 parts", "patterns are"),
        ("01.01.01.01.01.01", 0, "has 6 parts", "patterns are"),
        ("x.seconds", 0, #"expected a whole number, found "x""#, "for example"), (".seconds", 0, "found nothing", "for example"),
        ("-5.seconds", 0, #"found "-5""#, ""), ("5.secondes", 2, #"unknown unit "secondes""#, "did you mean seconds?"),
        ("5.", 2, "unknown unit nothing", "units are seconds"),
        ("5.years", 2, #"unknown unit "years""#, "units are seconds minutes hours days weeks months"),
        ("0.days", 0, "the interval must be longer than zero", ""), ("3652501.days", nil, "longer than 10,000 years", ""),
        ("99999999999999999999.seconds", nil, "longer than 10,000 years", ""), ("120001.months", nil, "longer than 10,000 years", ""),
        ("13.01.05.00.00", 0, "month 13 is out of range 1-12", ""), ("00.01.05.00.00", 0, "month 00 is out of range 1-12", ""),
        ("01.32.05.00.00", 3, "day 32 is out of range 1-31", ""), ("01.0.05.00.00", 3, "day 0 is out of range 1-31", ""),
        ("01|02|.01.05.00.00", 6, "month: a value is missing", ""),
        ("01|**.01.05.00.00", 3, #"month: expected a value, found "**""#, "** alone means any month"),
        ("*.01.05.00.00", 0, #"month: expected a value, found "*""#, "** alone means any month"),
        ("01.*.05.00.00", 3, #"day: expected a value, found "*""#, "** alone means any day"),
        ("jan.01.05.00.00", 0, #"month: expected 1-12, found "jan""#, ""), ("01..05.00.00", 3, "day: a value is missing", ""),
        ("01.01.24.00.00", 6, "hour 24 is out of range 0-23", ""), ("01.01.05.60.00", 9, "minute 60 is out of range 0-59", ""),
        ("01.01.05.00.60", 12, "second 60 is out of range 0-59", ""),
        ("**.01.**.00.00", 6, #"hour: expected 0-23, found "**""#, "** and lists are only for months, days and weekdays"),
        ("**.05|06.00.00", 3, #"hour: expected 0-23, found "05|06""#, "** and lists are only for months"),
        ("**.05..00", 6, "minute: a value is missing", ""),
        ("saturdey.22.00.00", 0, #"weekday: unknown name "saturdey""#, "did you mean saturday?"),
        ("monday|thurs.22.00.00", 7, #"weekday: unknown name "thurs""#, "did you mean thursday?"),
        ("someday.22.00.00", 0, #"weekday: unknown name "someday""#, "names are sunday"),
        ("qqqqqq.22.00.00", 0, "weekday: unknown name", "names are sunday monday"),
        ("01.05.00.00", 0, #"weekday: unknown name "01""#, "a day of the month goes with a month: **.01.05.00.00"),
        ("é.22.60.00", 0, "weekday: unknown name", ""), ("mon|é|tue.22.00.00", 4, "weekday: unknown name", ""),
        ("mon|.22.00.00", 4, "weekday: a value is missing", ""), ("**.22.00.60", 9, "second 60 is out of range", ""),
        ("ext:", 4, "the extension's key is missing", "ext:KEY:ARGS"), ("ext::x", 4, "the extension's key is missing", ""),
        ("ext:../x:y", 4, #"the extension's key "../x" is not a name"#, "1 to 64"), ("ext:a/b:y", 5, "is not a name", ""),
        ("ext:.a:y", 4, "is not a name", ""), ("ext:-a:y", 4, "is not a name", ""), ("ext: a:y", 4, "is not a name", ""),
        ("ext:aé:y", 5, "is not a name", ""),
        ("ext:\(String(repeating: "k", count: 65)):y", 4, "longer than 64 characters", ""),
        ("ext:a:b\0c", 7, "contains a NUL character", ""),
        (String(repeating: "1", count: 5000), nil, "longer than 4096 bytes", ""), ("5.seconds\0", 2, "unknown unit", ""),
    ]

    @Test(arguments: errors)
    func whatMeansNothingIsRefusedWithItsPlace(_ row: (text: String, offset: Int?, message: String, hint: String)) {
        let error = #expect(throws: RecurrenceError.self) { try pattern(row.text) }
        #expect(error?.offset == row.offset, "\(row.text): \(String(describing: error))")
        #expect(error?.message.contains(row.message) == true, "\(row.text): \(error?.message ?? "")")
        let hint = error?.hint ?? ""
        #expect(row.hint.isEmpty || hint.contains(row.hint), "\(row.text): \(hint)")
    }

    /// Damaged patterns are refused or accepted, and never trap. The due times of accepted ones are ascending.
    @Test func anyTextIsReadOrRefused() throws {
        let good = Self.forms.map(\.text) + Self.intervals.map(\.text) + ["ext:k:x"]
        let letters = Array("0123456789.|*:-sunday monthsecon ext\0é".utf8)
        var generator = SeededGenerator(seed: 8)
        let origin = try instant("2026-11-21T02:00:00Z")
        for _ in 0..<5_000 {
            var bytes = Array(good.randomElement(using: &generator)!.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0...bytes.count, using: &generator)
                let letter = letters.randomElement(using: &generator)!
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.insert(letter, at: place)
                case 1 where place < bytes.count: bytes[place] = letter
                default: if place < bytes.count { bytes.remove(at: place) }
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            do {
                let rule = try pattern(text)
                #expect(try pattern(rule.normalized).normalized == rule.normalized, "\(text)")
                if let due = rule.next(after: origin, origin: origin) { #expect(due > origin, "\(text)") }
            } catch let error as RecurrenceError {
                #expect(error.offset.map { $0 >= 0 && $0 <= text.count } ?? true, "\(text)")
            }
        }
    }
}
