import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// The meaning of cron expressions without daylight saving, and the refused ones.
@Suite struct CronTests {
    struct Case: Sendable {
        var cron: String
        var after: String
        var due: [String]
    }

    static let cases = [
        // crontab(5): names in any case; steps; Sunday is 0 and 7, at the end of a range too.
        Case(cron: "*/5 9-17 * * mon-FRI", after: "2026-11-20T17:55:00Z", due: ["2026-11-23T09:00", "2026-11-23T09:05"]),
        Case(cron: "0 0 1 JAN,jul *", after: "2026-01-01T00:00:00Z", due: ["2026-07-01T00:00", "2027-01-01T00:00"]),
        Case(cron: "0 0 * * 5-7", after: "2026-11-21T00:00:00Z", due: ["2026-11-22T00:00", "2026-11-27T00:00"]),
        Case(cron: "0 0 * * 3-7", after: "2026-11-21T00:00:00Z", due: ["2026-11-22T00:00", "2026-11-25T00:00"]),
        Case(cron: "0 0 * * 7", after: "2026-11-21T00:00:00Z", due: ["2026-11-22T00:00", "2026-11-29T00:00"]),
        Case(cron: "0 0 * * 1-7/2", after: "2026-11-21T00:00:00Z", due: ["2026-11-22T00:00", "2026-11-23T00:00"]),
        Case(
            cron: "1-9/4 3 * * *", after: "2026-11-21T00:00:00Z",
            due: ["2026-11-21T03:01", "2026-11-21T03:05", "2026-11-21T03:09"]),
        // crontab(5): if both day fields are restricted, either may match: the 13th and every Friday.
        Case(
            cron: "0 0 13 * 5", after: "2026-11-01T00:00:00Z",
            due: ["2026-11-06T00:00", "2026-11-13T00:00", "2026-11-20T00:00"]),
        Case(cron: "0 0 13 * 5", after: "2026-12-11T00:00:00Z", due: ["2026-12-13T00:00", "2026-12-18T00:00"]),
        // Vixie cron: if one field begins with a star, both must match: the first Monday; odd days that are Mondays.
        Case(cron: "0 0 */100,1-7 * mon", after: "2026-11-01T00:00:00Z", due: ["2026-11-02T00:00", "2026-12-07T00:00"]),
        Case(cron: "0 0 */2 * mon", after: "2026-11-01T00:00:00Z", due: ["2026-11-09T00:00", "2026-11-23T00:00"]),
        Case(cron: "0 0 1-7 * */7", after: "2026-11-02T00:00:00Z", due: ["2026-12-06T00:00"]),
        // Leap years, and century years without a leap day.
        Case(cron: "0 0 29 2 *", after: "2096-03-01T00:00:00Z", due: ["2104-02-29T00:00"]),
        Case(cron: "0 0 31 * *", after: "2026-01-31T00:00:00Z", due: ["2026-03-31T00:00", "2026-05-31T00:00"]),
        // Six fields begin with seconds.
        Case(cron: "*/30 0 12 * * *", after: "2026-11-21T12:00:00Z", due: ["2026-11-21T12:00", "2026-11-22T12:00"]),
        // A due time is strictly later, to the millisecond.
        Case(cron: "0 12 * * *", after: "2026-11-21T11:59:59.999Z", due: ["2026-11-21T12:00", "2026-11-22T12:00"]),
        Case(cron: "0 12 * * *", after: "2026-11-21T12:00:00.001Z", due: ["2026-11-22T12:00"]),
        // The limits of time: nothing before 1970 and nothing from 2200 on is due.
        Case(cron: "0 0 1 1 *", after: "1970-01-01T00:00:00Z", due: ["1971-01-01T00:00"]),
    ]

    @Test(arguments: cases)
    func dueInUTC(_ row: Case) throws {
        let due = try cron(row.cron).due(after: instant(row.after), limit: row.due.count)
        #expect(due.map { String($0.rfc3339.prefix(16)) } == row.due, "\(row.cron) after \(row.after)")
    }

    @Test func endsOfTime() throws {
        let yearly = try cron("0 0 1 1 *")
        let epoch = Instant(milliseconds: 0)
        for before in [Int64.min, -1_000_000_000_000_000, -1] {
            #expect(yearly.next(after: Instant(milliseconds: before), origin: epoch) == epoch)
        }
        let last = try instant("2199-01-01T00:00:00Z")
        #expect(yearly.next(after: last - Span(milliseconds: 1), origin: epoch) == last)
        for after in [last.milliseconds, Civil.endSeconds * 1000, .max] {
            #expect(yearly.next(after: Instant(milliseconds: after), origin: epoch) == nil)
        }
        #expect(yearly.due(after: Instant(milliseconds: -1)).count == 230)
    }

    @Test(.tzdata, arguments: ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
    func datesThatNeverCome(_ expression: String) throws {
        for name in ["UTC", "Europe/Berlin", "Pacific/Apia"] {
            let recurrence = try cron(expression, database.zone(name))
            #expect(recurrence.next(after: Instant(milliseconds: 0), origin: Instant(milliseconds: 0)) == nil)
        }
    }

    @Test(.tzdata)
    func nextIsLaterAndNothingLiesBetween() throws {
        var generator = SeededGenerator(seed: 1)
        func field(_ low: Int, _ high: Int) -> String {
            let a = Int.random(in: low...high, using: &generator)
            let b = Int.random(in: a...high, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1: return "*"
            case 2: return "*/\(Int.random(in: 1...high, using: &generator))"
            case 3: return "\(a)"
            case 4: return "\(a)-\(b)"
            default: return "\(a)-\(b)/\(Int.random(in: 1...5, using: &generator)),\(b)"
            }
        }
        for name in ["UTC", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago", "Pacific/Apia", "Europe/Dublin"] {
            let zone = try database.zone(name)
            for _ in 0..<150 {
                let text = [field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)].joined(separator: " ")
                let recurrence = try cron(text, zone)
                #expect(try cron(recurrence.normalized, zone).normalized == recurrence.normalized)
                let start = Instant(milliseconds: Int64.random(in: 0..<(Civil.endSeconds * 1000), using: &generator))
                guard let due = recurrence.next(after: start, origin: start) else { continue }
                #expect(due > start, "\(text) \(name) after \(start)")
                // Any instant in between leads to the same due time.
                let between = Instant(milliseconds: Int64.random(in: start.milliseconds..<due.milliseconds, using: &generator))
                #expect(recurrence.next(after: between, origin: start) == due, "\(text) \(name) after \(start) and \(between)")
                #expect(recurrence.nextOccurrence(after: start, origin: start)?.instant == due)
            }
        }
    }

    // MARK: Words and H

    @Test(arguments: [
        ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"), ("@monthly", "0 0 1 * *"), ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@hourly", "0 * * * *"), ("daily", "0 0 * * *"),
        ("  HOURLY ", "0 * * * *"), ("@reboot", "@reboot"), ("reboot", "@reboot"), ("@every 90s", "@every 1m30s"),
        ("every 1h 30min", "@every 1h30m"), ("@every 2 days", "@every 2 days"),
        ("*/5 9-17 * * mon-fri", "*/5 9-17 * * 1-5"), ("00 03 01,2,3 jan *", "0 3 1-3 1 *"),
        ("0-59 * * * 0-7", "0-59 * * * 0-6"),
        ("*/100,1-7 1 */100,1-7 * 7", "*/60,1-7 1 */31,2-7 * 0"), ("*/30 0 12 * * *", "*/30 0 12 * * *"),
        ("? ? ? ? ?", "* * * * *"), ("?/15 0 * * ?", "*/15 0 * * *"), ("0 6/8 * * *", "0 6,14,22 * * *"), ("0 0 * * 4/2", "0 0 * * 4,6"),
        ("0 0 * * sun/3", "0 0 * * 0,3,6"), ("0 0 * * 7/2", "0 0 * * 0"), ("58/1 * * * *", "58,59 * * * *"),
        ("30~30 5~5 * * *", "30 5 * * *"),
    ])
    func normalizes(_ text: String, _ normalized: String) throws {
        #expect(try cron(text).normalized == normalized)
        #expect(try cron(normalized).normalized == normalized)
    }

    @Test func hashedValuesAreStableAndInRange() throws {
        var seen = Set<String>()
        for seed in UInt64(0)..<200 {
            let text = try Recurrence.cron("H H(2-5) H * H", zone: .utc, zones: database, stableSeed: seed).normalized
            #expect(try Recurrence.cron("H H(2-5) H * H", zone: .utc, zones: database, stableSeed: seed).normalized == text)
            let values = text.split(separator: " ").map { Int($0) ?? -1 }
            #expect(0...59 ~= values[0] && 2...5 ~= values[1] && 1...28 ~= values[2] && 0...6 ~= values[4], "\(text)")
            seen.insert(text)
        }
        #expect(seen.count > 150)
        guard case .cron(let schedule, _) = try Recurrence.cron("H/15 * * * *", zone: .utc, zones: database, stableSeed: 9).rule
        else { return }
        #expect(schedule.rule.minutes.nonzeroBitCount == 4)
    }

    @Test("A random range becomes one value of the range for a task, always the same, and differs between tasks", arguments: [
        ("0~29 * * * *", 0...29), ("~ * * * *", 0...59), ("~10 * * * *", 0...10), ("50~ * * * *", 50...59), ("40~40 * * * *", 40...40),
    ])
    func randomRanges(_ text: String, _ range: ClosedRange<Int>) throws {
        var seen = Set<Int>()
        for seed in UInt64(0)..<1000 {
            let minutes = try Recurrence.cron(text, zone: .utc, zones: database, stableSeed: seed).normalized.split(separator: " ")[0]
            #expect(try Recurrence.cron(text, zone: .utc, zones: database, stableSeed: seed).normalized.hasPrefix("\(minutes) "))
            seen.insert(try #require(Int(minutes)))
        }
        #expect(seen == Set(range))
    }

    @Test("A step after a random range begins at a random value and goes on to the range's end, as in OpenBSD")
    func randomSteps() throws {
        var seen = Set<String>()
        for seed in UInt64(0)..<200 {
            let minutes = try Recurrence.cron(
                "~/15 5~ * * *", zone: .utc, zones: database, stableSeed: seed).normalized.split(separator: " ")[0]
            let first = try #require(Int(minutes.prefix { $0 != "," }))
            #expect(minutes == "\(first),\(first + 15),\(first + 30),\(first + 45)" && first < 15)
            seen.insert(String(minutes))
        }
        #expect(seen.count == 15)
    }

    @Test("A random day is one that every month has")
    func randomDays() throws {
        for seed in UInt64(0)..<500 {
            let fields = try Recurrence.cron("0 0 ~ * *", zone: .utc, zones: database, stableSeed: seed).normalized.split(separator: " ")
            #expect((1...28).contains(try #require(Int(fields[2]))))
        }
    }

    // MARK: Errors

    @Test(
        arguments: [
            ("60 * * * *", 0, "minute 60 is out of range 0-59", nil),
            ("* 24 * * *", 2, "hour 24 is out of range 0-23", nil),
            ("* * 0 * *", 4, "day of month 0 is out of range 1-31", nil),
            ("* * * 13 *", 6, "month 13 is out of range 1-12", nil),
            ("* * * * 8", 8, "day of week 8 is out of range 0-7", nil),
            ("*/0 * * * *", 2, "minute: step 0 is out of range 1-999999", nil),
            (
                "0? * * * *", 1, #"minute: expected 0-59, lists, ranges a-b, steps */n, a/n and a-b/n, found "?""#,
                "? means *, alone or before a step"),
            ("30~10 * * * *", 0, "minute: range 30~10 is reversed", "write the lower value first"),
            ("0~60 * * * *", 2, "minute 60 is out of range 0-59", nil),
            (
                "0~10~20 * * * *", 4, #"minute: expected 0-59, lists, ranges a-b, steps */n, a/n and a-b/n, found "~""#,
                "a random range is written a~b"),
            (
                "0 0~30 0 * * ?", 3, #"minute: expected 0-59, lists, ranges a-b and steps a/n, found "~""#,
                "random ranges belong to the five fields of crontab(5)"),
            (
                "*/5 * * * * /usr/bin/php x", 12, #"what follows the time fields is a command, "/usr/bin/php x""#,
                "a schedule is the time fields alone: leave the command out"),
            (
                "0 4 * * * root ~/bin/x", 15, #"what follows the time fields is a command, "~/bin/x""#,
                "a schedule is the time fields alone: leave the command out"),
            ("0 0 * L *", 6, #"month: unknown name "L""#, "allowed are 1-12 or jan-dec"),
            ("L 0 * * *", 0, #"minute: expected 0-59, lists, ranges a-b, steps */n, a/n and a-b/n, found "L""#, "L belongs to a day"),
            ("0 0 * * L", 8, "day of week: L needs a day before it", "5L is the last Friday of the month"),
            ("0 0 L-31 * *", 6, "day of month: L-31 is out of range L-0 to L-30", nil),
            ("0 0 * * 2#6", 10, "day of week: #6 is out of range #1-#5", nil),
            ("0 0 32W * *", 4, "day of month 32 is out of range 1-31", nil),
            ("0 17-9 * * *", 2, "hour: range 17-9 is reversed", "write the lower value first, or two ranges: 17-23,0-9"),
            ("0 0 * * fri-sun", 8, "day of week: range fri-sun is reversed", "Sunday at the end of a range is 7: 5-7"),
            ("0 0 * * mno", 8, #"day of week: unknown name "mno""#, "did you mean mon?"),
            ("0 0 * * Monday", 8, #"day of week: unknown name "Monday""#, "names have three letters: mon"),
            ("0 0 * janx *", 6, #"month: unknown name "janx""#, "names have three letters: jan"),
            ("1,,2 * * * *", 2, #"minute: expected 0-59, lists, ranges a-b, steps */n, a/n and a-b/n, found ",""#, nil),
            ("1, * * * *", 2, "minute: a value is missing", nil),
            (
                "-1 * * * *", 0, #"minute: expected 0-59, lists, ranges a-b, steps */n, a/n and a-b/n, found "-""#,
                "values can't be negative"
            ),
            (
                "0 0 * *", 7, "expected 5 fields (minute, hour, day of month, month, day of week), found 4",
                #"for example "30 2 * * *" is every day at 02:30"#
            ),
            (
                "0 0 0 12 * * ? 2026", 11, "expected 5 fields (minute, hour, day of month, month, day of week), found 8",
                "6 begin with a second or end with a year, 7 do both"
            ),
            // Quartz and AWS: six or seven fields with ?.
            (
                "0 0 0 1 * 2 2026", 10, "day of month and day of week are both given", "in Quartz's form one of them is ?"
            ),
            ("0 10 ? * ? *", 9, "day of month and day of week are both ?", "write * for one of them"),
            (
                "? 0 0 * * *", 0, "? is allowed only for the day of month or the day of week",
                "six fields with ? third or fifth are AWS's, fourth or sixth Quartz's"
            ),
            ("0 0 0 ? * 0", 10, "day of week 0 is out of range 1-7", nil),
            ("0 0 ? * 8 *", 8, "day of week 8 is out of range 1-7", nil),
            ("0 0 0 0/120 * ?", 6, "day of month 0 is out of range 1-31", nil),
            ("0 0/60 0 * * ?", 4, "minute: step 60 is out of range 1-59", nil),
            ("0 0 0 ? * SAT,SUN,L", 18, "day of week: L needs a day before it", "L by itself is Saturday, and is allowed only by itself"),
            ("0 0 0 1 1 ? 1969", 12, "year 1969 is out of range 1970-2199", nil),
            ("0 0 0 1 1 ? 2030-2020", 12, "year: range 2030-2020 is reversed", "write the earlier year first"),
            (
                "0 0 0 1?5 * ?", 7, #"day of month: expected 1-31, lists, ranges a-b, steps a/n, L, L-n, nW, LW and ?, found "?""#,
                "? must be by itself"),
            ("cron(0 10 * * ? *)", 0, "cron(…) is EventBridge's wrapping", "write what is inside"),
            ("rate(5 minutes)", 0, "rate(…) is EventBridge's wrapping", #"write it as every = "5 minutes" or at = "…""#),
            ("", nil, "the cron expression is empty", #"for example "30 2 * * *" is every day at 02:30"#),
            ("@dayly", 0, #"unknown word "@dayly""#, "did you mean @daily?"),
            ("@daily 5", 7, "nothing may follow @daily", nil),
            ("@every", 6, "@every needs a duration", "for example @every 10m"),
            ("@every 0s", 7, "@every needs a duration longer than zero", nil),
            (
                "@every 5 fortnights", 9, #"@every: unknown unit "fortnights" in the duration "5 fortnights""#,
                "units are ns us ms s m h d w M y, or words such as minutes"
            ),
            ("TZ=Mars/Base 0 0 * * *", nil, #"unknown time zone "Mars/Base""#, nil),
            ("CRON_TZ=UTC", nil, "the cron expression is empty", #"for example "30 2 * * *" is every day at 02:30"#),
            ("é * * * *", 0, #"minute: expected 0-59, lists, ranges a-b, steps */n, a/n and a-b/n, found "é""#, nil),
            ("99999999999999999999 * * * *", 0, "minute 99999999999999999999 is out of range 0-59", nil),
            ("H(50-10) * * * *", 2, "minute: range 50-10 is reversed", nil),
        ] as [(String, Int?, String, String?)])
    func errors(_ text: String, _ offset: Int?, _ message: String, _ hint: String?) {
        #expect(throws: RecurrenceError(message, offset: offset, hint: hint)) { try cron(text) }
    }

    @Test("Random text never traps (CVE-2024-43688)") func randomTextNeverTraps() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("0123456789*/,-~?LW#H() @everymondayT=¹é\t".unicodeScalars)
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...24, using: &generator) {
                text.unicodeScalars.append(alphabet.randomElement(using: &generator)!)
            }
            guard let recurrence = try? cron(text) else { continue }
            let start = Instant(milliseconds: Int64.random(in: .min ... .max, using: &generator))
            if let due = recurrence.next(after: start, origin: start) { #expect(due > start) }
        }
    }
}
