import Testing

@testable import Recurrence

func rrule(
    _ text: String, from start: String? = nil, excluding: [String] = [], _ zone: Zone = .utc, daylight: DaylightRule = .standard
) throws -> Recurrence {
    func time(_ text: String) throws -> RRuleTime { try RRuleTime.parse(text, zone: zone, now: Instant(milliseconds: 0)) }
    return try Recurrence.rrule(
        text, start: start.map(time), excluding: excluding.map(time), zone: zone, daylight: daylight)
}

/// The meaning of recurrence rules: the standard's own examples, starts, ends, exclusions, daylight saving.
@Suite struct RRuleTests {
    /// An example of RFC 5545 §3.8.5.3, named by its first words, in America/New_York.
    struct Example: Sendable, CustomTestStringConvertible {
        var name: String
        var rule: String
        var start = "19970902T090000"
        var excluding: [String] = []
        /// Wall times. A year or month also holds for the entries after it. The time of day is 09:00 unless given.
        var due: String
        /// The number of all due times if the rule ends. `due` then lists the first ones and, if it is not complete, the last
        /// one.
        var total: Int?
        var testDescription: String { "\(name): \(rule)" }

        var walls: [String] {
            var year = ""
            return due.split(separator: " ").map { word in
                var word = String(word)
                if word.prefix(5).last == "-" {
                    year = String(word.prefix(4))
                    word = String(word.dropFirst(5))
                }
                return "\(year)-\(word.contains("T") ? word : word + "T09:00")"
            }
        }
    }

    static let examples = [
        Example(
            name: "Daily for 10 occurrences", rule: "FREQ=DAILY;COUNT=10",
            due: "1997-09-02 09-03 09-04 09-05 09-06 09-07 09-08 09-09 09-10 09-11", total: 10),
        Example(
            name: "Daily until December 24, 1997", rule: "FREQ=DAILY;UNTIL=19971224T000000Z", due: "1997-09-02 09-03 12-22 12-23",
            total: 113),
        Example(
            name: "Every other day - forever", rule: "FREQ=DAILY;INTERVAL=2",
            due: "1997-09-02 09-04 09-06 09-08 09-10 09-12 09-14 09-16 09-18 09-20 09-22 09-24 09-26 09-28 09-30 10-02"),
        Example(
            name: "Every 10 days, 5 occurrences", rule: "FREQ=DAILY;INTERVAL=10;COUNT=5", due: "1997-09-02 09-12 09-22 10-02 10-12",
            total: 5),
        Example(
            name: "Every day in January, for 3 years", rule: "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
            start: "19980101T090000", due: "1998-01-01 01-02 2000-01-30 01-31", total: 93),
        Example(
            name: "or", rule: "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", start: "19980101T090000",
            due: "1998-01-01 01-02 2000-01-30 01-31", total: 93),
        Example(
            name: "Weekly for 10 occurrences", rule: "FREQ=WEEKLY;COUNT=10",
            due: "1997-09-02 09-09 09-16 09-23 09-30 10-07 10-14 10-21 10-28 11-04", total: 10),
        Example(
            name: "Weekly until December 24, 1997", rule: "FREQ=WEEKLY;UNTIL=19971224T000000Z",
            due: "1997-09-02 09-09 09-16 09-23 09-30 10-07 10-14 10-21 10-28 11-04 11-11 11-18 11-25 12-02 12-09 12-16 12-23", total: 17),
        Example(
            name: "Every other week - forever", rule: "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
            due: "1997-09-02 09-16 09-30 10-14 10-28 11-11 11-25 12-09 12-23 1998-01-06 01-20 02-03"),
        Example(
            name: "Weekly on Tuesday and Thursday for five weeks", rule: "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
            due: "1997-09-02 09-04 09-09 09-11 09-16 09-18 09-23 09-25 09-30 10-02", total: 10),
        Example(
            name: "or", rule: "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
            due: "1997-09-02 09-04 09-09 09-11 09-16 09-18 09-23 09-25 09-30 10-02", total: 10),
        Example(
            name: "Every other week on Monday, Wednesday, and Friday until December 24, 1997",
            rule: "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", start: "19970901T090000",
            due: """
            1997-09-01 09-03 09-05 09-15 09-17 09-19 09-29 10-01 10-03 10-13 10-15 10-17 10-27 10-29 10-31 11-10 11-12 11-14 11-24 11-26 \
            11-28 12-08 12-10 12-12 12-22
            """, total: 25),
        Example(
            name: "Every other week on Tuesday and Thursday, for 8 occurrences", rule: "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            due: "1997-09-02 09-04 09-16 09-18 09-30 10-02 10-14 10-16", total: 8),
        Example(
            name: "Monthly on the first Friday for 10 occurrences", rule: "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", start: "19970905T090000",
            due: "1997-09-05 10-03 11-07 12-05 1998-01-02 02-06 03-06 04-03 05-01 06-05", total: 10),
        Example(
            name: "Monthly on the first Friday until December 24, 1997", rule: "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
            start: "19970905T090000", due: "1997-09-05 10-03 11-07 12-05", total: 4),
        Example(
            name: "Every other month on the first and last Sunday of the month for 10 occurrences",
            rule: "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", start: "19970907T090000",
            due: "1997-09-07 09-28 11-02 11-30 1998-01-04 01-25 03-01 03-29 05-03 05-31", total: 10),
        Example(
            name: "Monthly on the second-to-last Monday of the month for 6 months", rule: "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
            start: "19970922T090000", due: "1997-09-22 10-20 11-17 12-22 1998-01-19 02-16", total: 6),
        Example(
            name: "Monthly on the third-to-the-last day of the month, forever", rule: "FREQ=MONTHLY;BYMONTHDAY=-3",
            start: "19970928T090000", due: "1997-09-28 10-29 11-28 12-29 1998-01-29 02-26"),
        Example(
            name: "Monthly on the 2nd and 15th of the month for 10 occurrences", rule: "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            due: "1997-09-02 09-15 10-02 10-15 11-02 11-15 12-02 12-15 1998-01-02 01-15", total: 10),
        Example(
            name: "Monthly on the first and last day of the month for 10 occurrences", rule: "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            start: "19970930T090000", due: "1997-09-30 10-01 10-31 11-01 11-30 12-01 12-31 1998-01-01 01-31 02-01", total: 10),
        Example(
            name: "Every 18 months on the 10th thru 15th of the month for 10 occurrences",
            rule: "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", start: "19970910T090000",
            due: "1997-09-10 09-11 09-12 09-13 09-14 09-15 1999-03-10 03-11 03-12 03-13", total: 10),
        Example(
            name: "Every Tuesday, every other month", rule: "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
            due: "1997-09-02 09-09 09-16 09-23 09-30 11-04 11-11 11-18 11-25 1998-01-06 01-13 01-20 01-27 03-03 03-10 03-17 03-24 03-31"),
        Example(
            name: "Yearly in June and July for 10 occurrences", rule: "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", start: "19970610T090000",
            due: "1997-06-10 07-10 1998-06-10 07-10 1999-06-10 07-10 2000-06-10 07-10 2001-06-10 07-10", total: 10),
        Example(
            name: "Every other year on January, February, and March for 10 occurrences",
            rule: "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", start: "19970310T090000",
            due: "1997-03-10 1999-01-10 02-10 03-10 2001-01-10 02-10 03-10 2003-01-10 02-10 03-10", total: 10),
        Example(
            name: "Every third year on the 1st, 100th, and 200th day for 10 occurrences",
            rule: "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", start: "19970101T090000",
            due: "1997-01-01 04-10 07-19 2000-01-01 04-09 07-18 2003-01-01 04-10 07-19 2006-01-01", total: 10),
        Example(
            name: "Every 20th Monday of the year, forever", rule: "FREQ=YEARLY;BYDAY=20MO", start: "19970519T090000",
            due: "1997-05-19 1998-05-18 1999-05-17"),
        Example(
            name: "Monday of week number 20", rule: "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", start: "19970512T090000",
            due: "1997-05-12 1998-05-11 1999-05-17"),
        Example(
            name: "Every Thursday in March, forever", rule: "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", start: "19970313T090000",
            due: "1997-03-13 03-20 03-27 1998-03-05 03-12 03-19 03-26 1999-03-04 03-11 03-18 03-25"),
        Example(
            name: "Every Thursday, but only during June, July, and August, forever", rule: "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
            start: "19970605T090000", due: "1997-06-05 06-12 06-19 06-26 07-03 07-10 07-17 07-24 07-31 08-07 08-14 08-21 08-28 1998-06-04"),
        Example(
            name: "Every Friday the 13th, forever", rule: "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", excluding: ["19970902T090000"],
            due: "1998-02-13 03-13 11-13 1999-08-13 2000-10-13"),
        Example(
            name: "The first Saturday that follows the first Sunday of the month, forever",
            rule: "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", start: "19970913T090000",
            due: "1997-09-13 10-11 11-08 12-13 1998-01-10 02-07 03-07 04-11 05-09 06-13"),
        Example(
            name: "Every 4 years, the first Tuesday after a Monday in November, forever",
            rule: "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", start: "19961105T090000",
            due: "1996-11-05 2000-11-07 2004-11-02"),
        Example(
            name: "The third instance into the month of one of Tuesday, Wednesday, or Thursday, for the next 3 months",
            rule: "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", start: "19970904T090000", due: "1997-09-04 10-07 11-06", total: 3),
        Example(
            name: "The second-to-last weekday of the month", rule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            start: "19970929T090000", due: "1997-09-29 10-30 11-27 12-30 1998-01-29 02-26 03-30"),
        // As corrected by erratum 3883: 17:00 in New York is 21:00 UTC.
        Example(
            name: "Every 3 hours from 9:00 AM to 5:00 PM on a specific day", rule: "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
            due: "1997-09-02T09:00 09-02T12:00 09-02T15:00", total: 3),
        Example(
            name: "Every 15 minutes for 6 occurrences", rule: "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
            due: "1997-09-02T09:00 09-02T09:15 09-02T09:30 09-02T09:45 09-02T10:00 09-02T10:15", total: 6),
        Example(
            name: "Every hour and a half for 4 occurrences", rule: "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
            due: "1997-09-02T09:00 09-02T10:30 09-02T12:00 09-02T13:30", total: 4),
        Example(
            name: "Every 20 minutes from 9:00 AM to 4:40 PM every day", rule: "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
            due: """
            1997-09-02T09:00 09-02T09:20 09-02T09:40 09-02T10:00 09-02T10:20 09-02T10:40 09-02T11:00 09-02T11:20 09-02T11:40 09-02T12:00 \
            09-02T12:20 09-02T12:40 09-02T13:00 09-02T13:20 09-02T13:40 09-02T14:00 09-02T14:20 09-02T14:40 09-02T15:00 09-02T15:20 \
            09-02T15:40 09-02T16:00 09-02T16:20 09-02T16:40 09-03T09:00 09-03T09:20
            """),
        Example(
            name: "or", rule: "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
            due: """
            1997-09-02T09:00 09-02T09:20 09-02T09:40 09-02T10:00 09-02T10:20 09-02T10:40 09-02T11:00 09-02T11:20 09-02T11:40 09-02T12:00 \
            09-02T12:20 09-02T12:40 09-02T13:00 09-02T13:20 09-02T13:40 09-02T14:00 09-02T14:20 09-02T14:40 09-02T15:00 09-02T15:20 \
            09-02T15:40 09-02T16:00 09-02T16:20 09-02T16:40 09-03T09:00 09-03T09:20
            """),
        Example(
            name: "Where the days generated makes a difference because of a different WKST value",
            rule: "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", start: "19970805T090000", due: "1997-08-05 08-10 08-19 08-24",
            total: 4),
        Example(
            name: "changing only WKST from MO to SU", rule: "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", start: "19970805T090000",
            due: "1997-08-05 08-17 08-19 08-31", total: 4),
        Example(
            name: "An invalid date (i.e., February 30) is ignored", rule: "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", start: "20070115T090000",
            due: "2007-01-15 01-30 02-15 03-15 03-30", total: 5),
    ]

    @Test("RFC 5545 §3.8.5.3", .tzdata, arguments: examples)
    func standard(_ row: Example) throws {
        let zone = try database.zone("America/New_York")
        let recurrence = try rrule(row.rule, from: row.start, excluding: row.excluding, zone)
        let walls = row.walls
        let due = recurrence.due(after: Instant(milliseconds: -1), limit: row.total.map { $0 + 1 } ?? walls.count)
            .map { String($0.rfc3339(in: zone).prefix(16)) }
        if let total = row.total {
            #expect(due.count == total)
            if walls.count < total { return #expect(due.prefix(2) + due.suffix(2) == walls[...]) }
        }
        #expect(due == walls)
    }

    // MARK: Start and end

    struct Case: Sendable {
        var rule: String
        var start: String?
        var excluding: [String] = []
        var after = "1970-01-01T00:00:00Z"
        var due: [String]
        var ends = false
    }

    static let cases = [
        // A rule without a start begins at 1970-01-01 00:00.
        Case(rule: "RRULE:freq=monthly;byday=2tu", after: "2026-11-21T00:00:00Z", due: ["2026-12-08T00:00:00", "2027-01-12T00:00:00"]),
        Case(rule: "FREQ=YEARLY", after: "2026-11-21T00:00:00Z", due: ["2027-01-01T00:00:00"]),
        Case(rule: "FREQ=DAILY", after: "2026-11-21T00:00:00Z", due: ["2026-11-22T00:00:00"]),
        // The start is due only if the rule matches it. Nothing before the start is due.
        Case(rule: "FREQ=MONTHLY;BYMONTHDAY=1", start: "2026-11-21T07:30:15", due: ["2026-12-01T07:30:15", "2027-01-01T07:30:15"]),
        Case(rule: "FREQ=DAILY;BYHOUR=6,18", start: "2026-11-21T07:30:15", due: ["2026-11-21T18:30:15", "2026-11-22T06:30:15"]),
        // Times before 1970 are not due, but count for COUNT and INTERVAL.
        Case(rule: "FREQ=DAILY;INTERVAL=3", start: "1969-12-30T12:00:00", due: ["1970-01-02T12:00:00", "1970-01-05T12:00:00"]),
        Case(rule: "FREQ=DAILY;COUNT=4", start: "1969-12-30T12:00:00", due: ["1970-01-01T12:00:00", "1970-01-02T12:00:00"], ends: true),
        Case(rule: "FREQ=DAILY;COUNT=2", start: "1969-12-30T12:00:00", due: [], ends: true),
        Case(rule: "FREQ=YEARLY;INTERVAL=1969", start: "0001-05-06", due: ["1970-05-06T00:00:00"], ends: true),
        // UNTIL is inclusive. It may be an instant, a wall time or a whole day.
        Case(
            rule: "FREQ=HOURLY;UNTIL=20261121T020000Z", start: "2026-11-21",
            due: ["2026-11-21T00:00:00", "2026-11-21T01:00:00", "2026-11-21T02:00:00"], ends: true),
        Case(
            rule: "FREQ=HOURLY;UNTIL=20261121T015959", start: "2026-11-21", due: ["2026-11-21T00:00:00", "2026-11-21T01:00:00"],
            ends: true),
        Case(
            rule: "FREQ=HOURLY;INTERVAL=11;UNTIL=20261121", start: "2026-11-21",
            due: ["2026-11-21T00:00:00", "2026-11-21T11:00:00", "2026-11-21T22:00:00"], ends: true),
        Case(rule: "FREQ=DAILY;UNTIL=20251231", start: "2026-11-21", due: [], ends: true),
        // COUNT also counts excluded times. An exclusion is a second or a day.
        Case(
            rule: "FREQ=DAILY;COUNT=4", start: "2026-11-21T09:00:00", excluding: ["2026-11-22T09:00:00Z", "20261123T090000", "@0"],
            due: ["2026-11-21T09:00:00", "2026-11-24T09:00:00"], ends: true),
        Case(
            rule: "FREQ=HOURLY;INTERVAL=6;COUNT=7", start: "2026-11-21T09:00:00", excluding: ["2026-11-22"],
            due: ["2026-11-21T09:00:00", "2026-11-21T15:00:00", "2026-11-21T21:00:00"], ends: true),
        Case(
            rule: "FREQ=DAILY", start: "2026-11-21T09:00:00", excluding: ["2026-11-22T09:00:01", "2026-11-22T08:59:59"],
            due: ["2026-11-21T09:00:00", "2026-11-22T09:00:00"]),
        Case(
            rule: "FREQ=SECONDLY;COUNT=100000", start: "2026-11-21T00:00:00", excluding: ["2026-11-21"],
            due: ["2026-11-22T00:00:00", "2026-11-22T00:00:01"]),
        // The values of BYDAY are alternatives, with ordinals and without.
        Case(
            rule: "FREQ=MONTHLY;BYDAY=2TU,SU", start: "2026-11-01",
            due: ["2026-11-01T00:00:00", "2026-11-08T00:00:00", "2026-11-10T00:00:00", "2026-11-15T00:00:00"]),
        // Week numbers count by each day's own week. -1 is the last week, and -53 the first week of a year of 53 weeks.
        Case(
            rule: "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU", start: "2009-01-01",
            due: ["2010-01-03T00:00:00", "2016-01-03T00:00:00", "2021-01-03T00:00:00"]),
        Case(
            rule: "FREQ=YEARLY;BYWEEKNO=-53", start: "2003-01-01",
            due: [
                "2003-12-29T00:00:00", "2003-12-30T00:00:00", "2003-12-31T00:00:00", "2004-01-01T00:00:00", "2004-01-02T00:00:00",
                "2004-01-03T00:00:00", "2004-01-04T00:00:00", "2008-12-29T00:00:00",
            ]),
        // The last second of February, and the 366th day from the end, which is the first day of leap years only.
        Case(
            rule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1;BYHOUR=23;BYMINUTE=59;BYSECOND=60", start: "2096-01-01",
            due: ["2096-02-29T23:59:59", "2097-02-28T23:59:59"]),
        Case(rule: "FREQ=YEARLY;BYYEARDAY=-366", start: "2097-01-01", due: ["2104-01-01T00:00:00", "2108-01-01T00:00:00"]),
        // BYSETPOS counts from the first day of the week, even if the rule starts later in that week.
        Case(
            rule: "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2,-1", start: "2026-11-18T09:00:00",
            due: ["2026-11-18T09:00:00", "2026-11-20T09:00:00", "2026-11-25T09:00:00"]),
        Case(
            rule: "FREQ=YEARLY;BYDAY=MO;BYHOUR=9,10;BYSETPOS=-1,3", start: "2026-01-01T00:30:00",
            due: ["2026-01-12T09:30:00", "2026-12-28T10:30:00", "2027-01-11T09:30:00"]),
        // Rules with long distances between due times.
        Case(rule: "FREQ=SECONDLY;BYMONTH=1", start: "2026-02-01", due: ["2027-01-01T00:00:00", "2027-01-01T00:00:01"]),
        Case(rule: "FREQ=SECONDLY;INTERVAL=999999999", start: "1970-01-01", due: ["2001-09-09T01:46:39", "2033-05-18T03:33:18"]),
        Case(rule: "FREQ=WEEKLY;INTERVAL=1000;BYDAY=SU", start: "1970-01-01", due: ["1970-01-04T00:00:00", "1989-03-05T00:00:00"]),
    ]

    @Test(arguments: cases)
    func due(_ row: Case) throws {
        let recurrence = try rrule(row.rule, from: row.start, excluding: row.excluding)
        let due = recurrence.due(after: try instant(row.after), limit: row.due.count + (row.ends ? 1 : 0))
        #expect(due.map { String($0.rfc3339.prefix(19)) } == row.due, "\(row.rule)")
    }

    @Test(
        arguments: [
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31", "FREQ=YEARLY;BYDAY=53MO;BYMONTH=3", "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
            "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1,3,5", "FREQ=SECONDLY;INTERVAL=7;BYDAY=MO;BYHOUR=0,7,14,21;BYMINUTE=0,7;BYSECOND=1,2,5,6",
            "FREQ=HOURLY;INTERVAL=168;BYDAY=TU", "FREQ=DAILY;INTERVAL=7;BYDAY=SU", "FREQ=SECONDLY;BYSECOND=5;BYSETPOS=2",
            "FREQ=SECONDLY;INTERVAL=60;BYSECOND=30", "FREQ=DAILY;BYHOUR=1;BYSETPOS=-3,7",
        ])
    func neverDue(_ text: String) throws {
        let recurrence = try rrule(text, from: "2026-11-20")  // 2026-11-20 is a Friday
        #expect(recurrence.due(after: Instant(milliseconds: 0), limit: 1) == [])
    }

    @Test func nothingFrom2200On() throws {
        let last = try instant("2199-12-31T00:00:00Z")
        for text in ["FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=YEARLY;BYYEARDAY=-1;BYHOUR=0;BYSETPOS=1"] {
            let recurrence = try rrule(text, from: "2199-12-31")
            #expect(recurrence.due(after: Instant(milliseconds: 0)) == [last], "\(text)")
        }
    }

    // MARK: Daylight saving

    /// As for all schedules, a rule with open hours or minutes is a wildcard.
    @Test(
        .tzdata,
        arguments: [
            ("FREQ=DAILY", "2026-03-28T02:30", ["2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
            (
                "FREQ=DAILY;BYHOUR=2;BYMINUTE=15,45;COUNT=3", "2026-03-29",
                ["2026-03-29T03:00+02:00", "2026-03-30T02:15+02:00", "2026-03-30T02:45+02:00"]),
            ("FREQ=HOURLY", "2026-03-29T01:30", ["2026-03-29T01:30+01:00", "2026-03-29T03:30+02:00"]),
            (
                "FREQ=HOURLY;COUNT=4", "2026-10-25T01:30",
                ["2026-10-25T01:30+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T03:30+01:00"]),
            (
                "FREQ=MINUTELY;BYHOUR=2;INTERVAL=30;COUNT=4", "2026-10-25T02:00",
                ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"]),
            ("FREQ=HOURLY;BYHOUR=1,2", "2026-10-25", ["2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00", "2026-10-26T01:00+01:00"]),
            ("FREQ=DAILY;UNTIL=20261025T003000Z", "2026-10-24T02:30", ["2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00"]),
            // A start in the gap keeps its written time. A start that is an instant has the wall time of that instant.
            ("FREQ=DAILY", "2026-03-29T02:30", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
            ("FREQ=DAILY", "2026-03-28T01:30:00Z", ["2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00"]),
        ] as [(String, String, [String])])
    func daylight(_ text: String, _ start: String, _ due: [String]) throws {
        let zone = try database.zone("Europe/Berlin")
        let recurrence = try rrule(text, from: start, zone)
        let hasEnd = text.contains("COUNT") || text.contains("UNTIL")
        let found = recurrence.due(after: Instant(milliseconds: 0), limit: due.count + (hasEnd ? 1 : 0))
        #expect(found.map { minuteText($0, in: zone) } == due)
    }

    @Test(.tzdata) func exclusionsAndNotes() throws {
        let zone = try database.zone("Europe/Berlin")
        let recurrence = try rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", from: "2026-03-27", excluding: ["2026-03-28T02:30"], zone)
        let first = recurrence.nextOccurrence(after: try instant("2026-03-28T00:00:00Z"), origin: Instant(milliseconds: 0))
        #expect(first == Occurrence(instant: try instant("2026-03-29T01:00:00Z"), note: .movedByGap))
        let without = try rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", from: "2026-03-27", excluding: ["2026-03-29T02:30"], zone)
        #expect(without.due(after: try instant("2026-03-28T12:00:00Z"), limit: 1) == [try instant("2026-03-30T00:30:00Z")])
        let skipping = try rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", from: "2026-03-29", zone, daylight: DaylightRule(gap: .skip))
        #expect(skipping.due(after: Instant(milliseconds: 0), limit: 1) == [try instant("2026-03-30T00:30:00Z")])
        #expect(recurrence.zone === zone)
    }
}
