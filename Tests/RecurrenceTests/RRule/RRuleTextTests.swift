import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// Valid and invalid texts of rules, the errors, and the written form of rules.
@Suite struct RRuleTextTests {
    private static let example = #"for example "FREQ=MONTHLY;BYDAY=2TU" is every second Tuesday of a month"#
    private static let startHint = #"add when it starts, such as dtstart = "2026-01-01T09:00:00""#
    private static let known = """
        known are FREQ UNTIL COUNT INTERVAL BYSECOND BYMINUTE BYHOUR BYDAY BYMONTHDAY BYYEARDAY BYWEEKNO BYMONTH BYSETPOS WKST
        """

    @Test(
        arguments: [
            ("", nil, "the rule is empty", example),
            ("RRULE:", nil, "the rule is empty", example),
            ("BYDAY=MO", 8, "FREQ is missing", example),
            ("DAILY", 0, #""DAILY" is not a part: parts are NAME=VALUE"#, "did you mean FREQ=DAILY?"),
            ("every day", 0, #""every day" is not a part: parts are NAME=VALUE"#, example),
            ("FREQ=DAYLY", 5, #"FREQ: unknown frequency "DAYLY""#, "did you mean DAILY?"),
            ("FREQ=", 5, "FREQ has no value", nil),
            ("FREQ=DAILY;", 11, "a part is missing", "a semicolon is allowed only between parts"),
            (";FREQ=DAILY", 0, "a part is missing", nil),
            ("FREQ=DAILY;FREQ=DAILY", 11, "FREQ is given twice", nil),
            ("FREQ=DAILY;BYHOUR=1;byhour=2", 20, "BYHOUR is given twice", "write its values as one list: BYHOUR=a,b"),
            ("FREQ=DAILY;BYHUOR=1", 11, #"unknown part "BYHUOR""#, "did you mean BYHOUR?"),
            ("FREQ=DAILY;BYWEEKDAY=MO", 11, #"unknown part "BYWEEKDAY""#, "did you mean BYDAY?"),
            ("FREQ=DAILY;X-COLOUR=red", 11, #"unknown part "X-COLOUR""#, known),
            ("DTSTART:19970902T090000\nRRULE:FREQ=DAILY", 0, "DTSTART is not part of the rule", "it is the key dtstart, beside rrule"),
            ("EXRULE:FREQ=DAILY", 0, #""EXRULE" can't precede a rule"#, "write RRULE: or nothing"),
            ("FREQ=DAILY;INTERVAL=0", 20, "INTERVAL 0 is out of range 1-999999999", nil),
            ("FREQ=DAILY;INTERVAL=-1", 20, #"INTERVAL: expected 1-999999999, found "-""#, nil),
            ("FREQ=DAILY;INTERVAL=1,2", 21, #"INTERVAL: expected a semicolon, found ",""#, nil),
            (
                "FREQ=DAILY;COUNT=100001", 17, "COUNT 100001 is out of range 1-100000",
                "they are counted when the rule is read; UNTIL ends a longer one"),
            (
                "FREQ=DAILY;COUNT=99999999999999999999", 17, "COUNT 99999999999999999999 is out of range 1-100000",
                "they are counted when the rule is read; UNTIL ends a longer one"),
            ("FREQ=DAILY;COUNT=0", 17, "COUNT 0 is out of range 1-100000", nil),
            ("FREQ=DAILY;BYSECOND=61", 20, "BYSECOND 61 is out of range 0-60", nil),
            ("FREQ=DAILY;BYMINUTE=60", 20, "BYMINUTE 60 is out of range 0-59", nil),
            ("FREQ=DAILY;BYHOUR=9,24", 20, "BYHOUR 24 is out of range 0-23", nil),
            ("FREQ=DAILY;BYHOUR=9-17", 19, #"BYHOUR: expected a comma or a semicolon, found "-""#, nil),
            ("FREQ=DAILY;BYHOUR=9,", 20, "BYHOUR: expected 0-23, found the end", nil),
            ("FREQ=DAILY;BYHOUR=é;COUNT=1", 18, #"BYHOUR: expected 0-23, found "é""#, nil),
            ("FREQ=DAILY;BYHOUR=9,;COUNT=1", 20, #"BYHOUR: expected 0-23, found ";""#, nil),
            ("FREQ=MONTHLY;BYMONTHDAY=0", 24, "BYMONTHDAY 0 is out of range 1-31 or -31 to -1", nil),
            ("FREQ=MONTHLY;BYMONTHDAY=-32", 24, "BYMONTHDAY -32 is out of range 1-31 or -31 to -1", nil),
            ("FREQ=YEARLY;BYYEARDAY=367", 22, "BYYEARDAY 367 is out of range 1-366 or -366 to -1", nil),
            ("FREQ=YEARLY;BYWEEKNO=54", 21, "BYWEEKNO 54 is out of range 1-53 or -53 to -1", nil),
            ("FREQ=YEARLY;BYMONTH=13", 20, "BYMONTH 13 is out of range 1-12", nil),
            ("FREQ=YEARLY;BYMONTH=JAN", 20, #"BYMONTH: expected 1-12, found "J""#, nil),
            ("FREQ=DAILY;BYHOUR=1;BYSETPOS=0", 29, "BYSETPOS 0 is out of range 1-366 or -366 to -1", nil),
            ("FREQ=WEEKLY;BYDAY=MON", 18, #"BYDAY: unknown day "MON""#, "days have two letters: MO"),
            ("FREQ=WEEKLY;BYDAY=MO,XX", 21, #"BYDAY: unknown day "XX""#, "days are SU MO TU WE TH FR SA"),
            ("FREQ=WEEKLY;BYDAY=1", 19, "BYDAY: expected a day SU MO TU WE TH FR SA, found the end", nil),
            ("FREQ=MONTHLY;BYDAY=54MO", 19, "BYDAY 54 is out of range 1-53 or -53 to -1", nil),
            ("FREQ=WEEKLY;WKST=1", 17, #"WKST: expected a day SU MO TU WE TH FR SA, found "1""#, nil),
            (
                "FREQ=DAILY;UNTIL=tomorrow", 17, #"UNTIL: can't read the time "tomorrow""#,
                "write 20261224T180000Z for UTC, 20261224T180000 for the schedule's zone, or 20261224"),
            ("FREQ=DAILY;UNTIL=20261324", 21, #"UNTIL: month 13 is out of range 1-12 in "20261324""#, nil),
            ("FREQ=DAILY;UNTIL=20260229T000000Z", 23, #"UNTIL: day 29 is out of range 1-28 in "20260229T000000Z""#, nil),
            ("FREQ=DAILY;UNTIL=20260228T240000Z", 26, #"UNTIL: hour 24 is out of range 0-23 in "20260228T240000Z""#, nil),
            // Parts that exclude one another: the notes of RFC 5545's table, and "MUST NOT" in its text.
            ("FREQ=DAILY;COUNT=1;UNTIL=20261224", 25, "COUNT and UNTIL both say when the rule ends", "leave one of them out"),
            (
                "FREQ=WEEKLY;BYDAY=MO,2TU", 21, "BYDAY with a number needs FREQ=MONTHLY or YEARLY, not WEEKLY",
                "without the number it is that day of each week"),
            (
                "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", 30, "BYDAY with a number is not allowed with BYWEEKNO",
                "without the number it is that day of each of the weeks"),
            ("BYWEEKNO=20;FREQ=MONTHLY", 9, "BYWEEKNO needs FREQ=YEARLY, not MONTHLY", nil),
            (
                "FREQ=DAILY;BYYEARDAY=1", 21, "BYYEARDAY is not allowed with FREQ=DAILY",
                "it is allowed with YEARLY, HOURLY, MINUTELY and SECONDLY"),
            (
                "FREQ=WEEKLY;BYYEARDAY=1", 22, "BYYEARDAY is not allowed with FREQ=WEEKLY",
                "it is allowed with YEARLY, HOURLY, MINUTELY and SECONDLY"),
            (
                "FREQ=MONTHLY;BYYEARDAY=1", 23, "BYYEARDAY is not allowed with FREQ=MONTHLY",
                "it is allowed with YEARLY, HOURLY, MINUTELY and SECONDLY"),
            ("FREQ=WEEKLY;BYMONTHDAY=1", 23, "BYMONTHDAY is not allowed with FREQ=WEEKLY", "it is allowed with every other FREQ"),
            ("FREQ=MONTHLY;BYSETPOS=1", 22, "BYSETPOS needs another BY… part to choose from", nil),
            // Parts that count from a start, in a rule without one.
            ("FREQ=DAILY;COUNT=3", 17, "COUNT counts from dtstart, which is missing", startHint),
            ("FREQ=DAILY;INTERVAL=2", 20, "INTERVAL=2 counts from dtstart, which is missing", startHint),
            (
                "FREQ=WEEKLY", 5, "FREQ=WEEKLY without BYDAY takes its weekday from dtstart, which is missing",
                "add one of the two, such as BYDAY=MO"),
        ] as [(String, Int?, String, String?)])
    func errors(_ text: String, _ offset: Int?, _ message: String, _ hint: String?) {
        #expect(throws: RecurrenceError(message, offset: offset, hint: hint)) { try rrule(text) }
    }

    @Test(
        arguments: [
            (" rrule:byday=fr,1mo,-1SU,MO,+1MO,mo;wkst=su;Interval=02;freq=yearly ", "FREQ=YEARLY;INTERVAL=2;BYDAY=MO,FR,1MO,-1SU;WKST=SU"),
            ("WKST=MO;INTERVAL=1;FREQ=DAILY;BYSECOND=60,59,0", "FREQ=DAILY;BYSECOND=0,59"),
            ("FREQ=YEARLY;UNTIL=20261224t180000z;BYMONTHDAY=-1,1,-3,15", "FREQ=YEARLY;UNTIL=20261224T180000Z;BYMONTHDAY=1,15,-3,-1"),
            ("FREQ=HOURLY;UNTIL=20261224T180060;BYMINUTE=5,4", "FREQ=HOURLY;UNTIL=20261224T180059;BYMINUTE=4,5"),
            ("FREQ=YEARLY;BYSETPOS=-1,2;BYMONTH=12,1;BYWEEKNO=-1,1;BYYEARDAY=366;BYDAY=SU;BYHOUR=23;COUNT=7;", nil),
            (
                "BYSETPOS=-1,2;BYMONTH=12,1;BYWEEKNO=-1,1;BYYEARDAY=366;BYDAY=SU;BYHOUR=23;COUNT=7;FREQ=YEARLY",
                "FREQ=YEARLY;COUNT=7;BYHOUR=23;BYDAY=SU;BYYEARDAY=366;BYWEEKNO=1,-1;BYMONTH=1,12;BYSETPOS=2,-1"),
            ("FREQ=DAILY;UNTIL=20261224", "FREQ=DAILY;UNTIL=20261224"),
        ] as [(String, String?)])
    func normalized(_ text: String, _ normalized: String?) throws {
        guard let normalized else { #expect(throws: RecurrenceError.self) { try rrule(text, from: "2026-01-01") }; return }
        #expect(try rrule(text, from: "2026-01-01").normalized == normalized)
        #expect(try rrule(normalized, from: "2026-01-01").normalized == normalized)
    }

    // MARK: Times beside the rule

    @Test(
        .tzdata,
        arguments: [
            ("19970902T090000", "1997-09-02T09:00:00", "1997-09-02T13:00:00.000Z"),
            ("19970902t090000z", "1997-09-02T05:00:00.000-04:00", "1997-09-02T09:00:00.000Z"),
            ("19970902", "1997-09-02", "1997-09-02T04:00:00.000Z"),
            ("1997-09-02", "1997-09-02", "1997-09-02T04:00:00.000Z"),
            ("1997-09-02 09:00", "1997-09-02T09:00:00", "1997-09-02T13:00:00.000Z"),
            ("1997-09-02T09:00:00.750+02:00", "1997-09-02T03:00:00.000-04:00", "1997-09-02T07:00:00.000Z"),
            ("@873205200", "1997-09-02T09:00:00.000-04:00", "1997-09-02T13:00:00.000Z"),
            ("1969-07-20T20:17:40Z", "1969-07-20T15:17:40.000-05:00", "1969-07-20T20:17:40.000Z"),
        ])
    func times(_ text: String, _ description: String, _ instant: String) throws {
        let zone = try database.zone("America/New_York")
        let time = try RRuleTime.parse(text, zone: zone, now: Instant(milliseconds: 0))
        #expect(time.description == description)
        #expect(time.instants.lowerBound.rfc3339 == instant)
        #expect(!time.isRelative)
        let again = try RRuleTime.parse(time.description, zone: zone, now: Instant(milliseconds: 0))
        #expect(again == time)
    }

    @Test(arguments: ["now", "in 2 hours", "+2h", "18:00", "tomorrow"])
    func timesFromNow(_ text: String) throws {
        #expect(try RRuleTime.parse(text, zone: .utc, now: Instant(milliseconds: 0)).isRelative)
    }

    @Test(
        arguments: [
            ("22000101", #""22000101" is not between the years 1 and 2199"#),
            ("0000-12-31", #""0000-12-31" is not between the years 1 and 2199"#),
            ("19970932T090000", #"day 32 is out of range 1-30 in "19970932T090000""#),
            ("1997090", "a bare number is epoch milliseconds, and 1997090 is too small for that"),
        ])
    func timesThatAreNone(_ text: String, _ message: String) {
        do throws(RecurrenceError) {
            _ = try RRuleTime.parse(text, zone: .utc, now: Instant(milliseconds: 0))
            Issue.record("\(text) was read")
        } catch {
            #expect(error.message == message)
        }
    }

    // MARK: Anything

    @Test func randomTextNeverTraps() throws {
        var generator = SeededGenerator(seed: 7)
        let pieces = [
            "FREQ=", "YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY", ";", ";", ";", "=", ",", ",", "-", "+", "1",
            "2",
            "53", "366", "-366", "999999999", "INTERVAL=", "COUNT=", "UNTIL=", "20261224", "20261224T000000Z", "BYDAY=", "MO", "-1SU",
            "5FR",
            "BYMONTH=", "BYMONTHDAY=", "BYYEARDAY=", "BYWEEKNO=", "BYSETPOS=", "BYHOUR=", "BYMINUTE=", "BYSECOND=", "WKST=", "é", ":",
            "RRULE:", " ",
        ]
        let starts = ["0001-01-01", "1969-12-31T23:59:59", "2026-11-21T09:00:00", "2199-12-31T23:59:59"]
        var read = 0
        for _ in 0..<10_000 {
            var text = Bool.random(using: &generator) ? "FREQ=\(RRule.Frequency.names.randomElement(using: &generator)!);" : ""
            for _ in 0..<Int.random(in: 0...12, using: &generator) { text += pieces.randomElement(using: &generator)! }
            if Bool.random(using: &generator), text.last == ";" { text.removeLast() }
            guard let recurrence = try? rrule(text, from: starts.randomElement(using: &generator)!) else { continue }
            read += 1
            let after = Instant(
                milliseconds: Int64.random(in: .min ... .max, using: &generator) >> Int64.random(in: 0...24, using: &generator))
            if let due = recurrence.next(after: after, origin: after) { #expect(due > after, "\(text)") }
        }
        #expect(read > 150)
    }
}
