import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// Sentences that describe schedules.
@Suite struct ExplanationTests {
    static func explain(_ text: String, at now: String = "2026-11-20T12:00:00Z") throws -> Explanation {
        try cron(text).explanation(at: instant(now), of: text)
    }

    static let sentences = [
        ("30 2 * * *", "At 02:30 every day"),
        ("15,45 2 * * *", "At 02:15 and 02:45 every day"),
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("2/15 * * * ? *", "Every 15 minutes from minute 2"),
        ("0 * * * *", "Every hour on the hour"),
        ("20 * * * *", "Every hour at minute 20"),
        ("0 */2 * * *", "Every 2 hours from 00:00"),
        ("30 1-23/2 * * *", "Every 2 hours from 01:30"),
        ("0 9-17 * * mon-fri", "Every hour from 09:00 to 17:00, on Monday to Friday"),
        ("*/5 9-17 * * mon-fri", "Every 5 minutes between 09:00 and 17:59, on Monday to Friday"),
        ("* 1,3,5-8 * * *", "Every minute in the hours 1, 3 and 5 to 8"),
        ("5,10,20,50 * * * *", "At minutes 5, 10, 20 and 50 of every hour"),
        ("5,10,20,50 0-5 * * *", "At minutes 5, 10, 20 and 50 between 00:00 and 05:59 every day"),
        ("0 0 1,15 jan,jul *", "At 00:00, on the 1st and 15th in January and July"),
        ("0 0 * 6-8 *", "At 00:00, every day in June to August"),
        ("0 0 * * sat,sun", "At 00:00, on Saturday and Sunday"),
        ("0 0 * * sun", "At 00:00, on Sunday"),
        ("0 0 13 * 5", "At 00:00, on the 13th, and also on Friday"),
        ("0 0 */2 * mon", "At 00:00, on every 2nd day from the 1st when that is Monday"),
        ("0 0 2,3,11,12,13,22,23,31 * *", "At 00:00, on the 2nd, 3rd, 11th to 13th, 22nd, 23rd and 31st"),
        ("0 0 L * *", "At 00:00, on the last day of the month"),
        (
            "0 0 L-1,L-3,15W,LW * *",
            "At 00:00, on the weekday nearest the 15th, the last day but 3, the last day but one and the last weekday of the month"),
        ("0 0 * * 5L,2#3", "At 00:00, on the third Tuesday of the month and the last Friday of the month"),
        ("0 0 12 1 1 ? 2026-2030", "At 12:00, on the 1st in January, in 2026 to 2030"),
        ("0 0 12 1 1 ? 2000/2", "At 12:00, on the 1st in January, in 2000, 2002, 2004 … 2198"),
        ("* * * * * *", "Every second"),
        ("*/10 * * * * *", "Every 10 seconds of every minute"),
        ("30 0 12 * * *", "At 12:00:30 every day"),
        ("5,9 */20 * * * *", "At seconds 5 and 9, every 20 minutes"),
        ("* 5 * * * *", "Every second, every hour at minute 5"),
        ("@reboot", "When the daemon starts for the first time after the machine has started"),
        ("@every 90m", "Every 1h30m, counted from the last due time"),
    ]

    @Test(arguments: sentences)
    func sentence(_ text: String, _ words: String) throws {
        let zone = text.hasPrefix("@") ? "" : ", in UTC"
        #expect(try Self.explain(text).sentence == words + zone)
    }

    @Test(.tzdata) func theZoneIsNamed() throws {
        let sentence = try cron("CRON_TZ=Europe/Berlin 30 2 * * *")
            .explanation(at: Instant(milliseconds: 0), of: "CRON_TZ=Europe/Berlin 30 2 * * *").sentence
        #expect(sentence == "At 02:30 every day, in the time of Europe/Berlin")
    }

    static let warnings: [(String, [String])] = [
        ("*/7 * * * *", ["the step of 7 minutes begins anew each hour: from minute 56 to the next 0 it is 4 minutes"]),
        ("*/5 * * * *", []), ("*/30 * * * *", []), ("0 */12 * * *", []), ("0,30 * * * *", []), ("10,40 * * * *", []), ("0,40 * * * *", []),
        ("0 */5 * * *", ["the step of 5 hours begins anew each day: from hour 20 to the next 0 it is 4 hours"]),
        ("*/45 * * * * *", ["the step of 45 seconds begins anew each minute: from second 45 to the next 0 it is 15 seconds"]),
        ("*/40 * * * *", ["the step of 40 minutes begins anew each hour: from minute 40 to the next 0 it is 20 minutes"]),
        ("5/40 * * * *", ["the step of 40 minutes begins anew each hour: from minute 45 to the next 5 it is 20 minutes"]),
        ("0 */23 * * *", ["the step of 23 hours begins anew each day: from hour 23 to the next 0 it is 1 hour"]),
        ("0 0 */10 * *", ["the step of 10 days begins anew each month, after its 28th to 31st day"]),
        ("0 0 1 */5 *", ["the step of 5 months begins anew each year: from month 11 to the next 1 it is 2 months"]),
        ("0 0 * * */2", ["the step of 2 days begins anew each week: from Saturday to the next Sunday it is 1 day"]),
        ("0 0 1 */3 *", []), ("0 0 * * 1/2", []), ("0 0 * * 1-5/2", []), ("0-30/20 * * * *", []), ("7/30 * * * *", []),
        ("H/15 * * * *", []),
        ("H/90 * * * *", ["minute: the step of H/90 is longer than 0 to 59, which leaves one value; write @every 90m for equal steps"]),
        ("*/90 * * * *", ["minute: the step of */90 is longer than 0 to 59, which leaves 0 alone; write @every 90m for equal steps"]),
        ("0 */36 * * *", ["hour: the step of */36 is longer than 0 to 23, which leaves 0 alone; write @every 36h for equal steps"]),
        ("*/60 * * * *", ["minute: the step of */60 is longer than 0 to 59, which leaves 0 alone; write @every 60m for equal steps"]),
        ("0/75 * * * *", ["minute: the step of 0/75 is longer than 0 to 59, which leaves 0 alone; write @every 75m for equal steps"]),
        ("0-59/90 * * * *", ["minute: the step of 0-59/90 is longer than 0 to 59, which leaves 0 alone; write @every 90m for equal steps"]),
        ("0 0 */40 * *", ["day of month: the step of */40 is longer than 1 to 31, which leaves 1 alone; write @every 40d for equal steps"]),
        ("0 0 1 */18 *", ["month: the step of */18 is longer than 1 to 12, which leaves 1 alone"]),
        ("0 0 * * */7", ["day of week: the step of */7 is longer than 0 to 6, which leaves 0 alone"]),
        ("0 9-17/12 * * *", ["hour: the step of 9-17/12 is longer than 9 to 17, which leaves 9 alone"]),
        ("5,*/90 * * * *", ["minute: the step of */90 is longer than 0 to 59, which leaves 0 alone; write @every 90m for equal steps"]),
        ("0 0 0 1 1 ? 2030/200", ["year: the step of 2030/200 is longer than 2030 to 2199, which leaves 2030 alone"]),
        ("0 0 3 31W * ?", ["February, April, June, September and November have no 31st: LW is the last weekday of any month"]),
        ("0 0 0 30W * ?", ["February has no 30th: LW is the last weekday of any month"]),
        ("0 0 L-30 * *", ["February, April, June, September and November have no 31st: L is the last day of any month"]),
        ("0 0 31W,15 * *", []), ("0 0 LW * *", []), ("0 0 15W * *", []),
        ("*/25 * * * * *", ["the step of 25 seconds begins anew each minute: from second 50 to the next 0 it is 10 seconds"]),
        ("0 0 */2 * *", ["the step of 2 days begins anew each month, after its 28th to 31st day"]),
        ("0 0 13 * 5", ["both day fields are restricted: it is due when either matches, not only when both do (crontab(5))"]),
        ("0 0 */100,1-7 * mon", ["one day field begins with * and is restricted all the same: it is due when both match (crontab(5))"]),
        ("0 0 31 2 *", ["it is never due: no date matches"]),
        ("0 0 30 2 *", ["it is never due: no date matches"]),
        ("0 0 0 1 1 ? 2020", ["it is over: it is not due again"]),
        ("0 0 29 2 *", ["only leap years have a 29th of February"]),
        ("0 0 31 * *", ["February, April, June, September and November have no 31st: L is the last day of any month"]),
        ("0 0 30 1-3 *", ["February has no 30th: L is the last day of any month"]),
        ("0 0 30 6 *", []), ("0 0 L * *", []), ("0 0 28 * *", []),
        ("* 2 * * *", ["it is due every minute of hour 2, 60 times a day; for once an hour give a minute in place of *"]),
        ("* 2,4 * * *", ["it is due every minute of those hours, 120 times a day; for once an hour give a minute in place of *"]),
        ("* 0 2 * * *", ["it is due every second of those minutes; for once a minute let the second be 0"]),
        ("* * * * *", []), ("@reboot", []), ("@every 7m", []), ("@daily", []),
    ]

    @Test(arguments: warnings)
    func warning(_ text: String, _ warnings: [String]) throws {
        #expect(try Self.explain(text).warnings == warnings)
    }

    static let calendars: [(String, String, [String])] = [
        ("Mon..Fri 09:00", "At 09:00, on Monday to Friday", []),
        ("*-*~1,3 9:30", "At 09:30, on the last day but 2 and the last day of the month", []),
        ("*:0/7", "Every 7 minutes", ["the step of 7 minutes begins anew each hour: from minute 56 to the next 0 it is 4 minutes"]),
        (
            "*-*-31", "At 00:00, on the 31st",
            ["February, April, June, September and November have no 31st: ~1 is the last day of any month"]),
        ("2020-01-01", "At 00:00, on the 1st in January, in 2020", ["it is over: it is not due again"]),
        ("*-02-30", "At 00:00, on the 30th in February", ["it is never due: no date matches"]),
        (
            "*:0/40", "At minutes 0 and 40 of every hour",
            ["the step of 40 minutes begins anew each hour: from minute 40 to the next 0 it is 20 minutes"]),
        ("*:0..30/45", "Every hour on the hour", ["minute: the step of 0..30/45 is longer than 0 to 30, which leaves 0 alone"]),
        (
            "*-1/5-01", "At 00:00, on the 1st in January, June and November",
            ["the step of 5 months begins anew each year: from month 11 to the next 1 it is 2 months"]),
        ("*:0,40", "At minutes 0 and 40 of every hour", []), ("*:0/30", "At minutes 0 and 30 of every hour", []),
        ("9:00:00.25", "At 09:00:00.25 every day", []),
        ("*:*:0/0.5", "Every 0.5 seconds of every minute", []),
        ("*:0/15:1.5,30.25", "At seconds 1.5 and 30.25, every 15 minutes", []),
        ("9..10:*:1.5/9.25", "Every 9.25 seconds from second 1.5 of every minute between 09:00 and 10:59", []),
        ("*:0:1/0.7", "85 times within the minute, every hour on the hour", []),
    ]

    @Test(arguments: calendars)
    func calendarExpression(_ text: String, _ words: String, _ warnings: [String]) throws {
        let explanation = try calendar(text).explanation(at: instant("2026-11-20T12:00:00Z"), of: text)
        #expect(explanation.sentence == words + ", in UTC")
        #expect(explanation.warnings == warnings)
        #expect(explanation.syntax == "a calendar expression as systemd.time(7)")
    }

    static let rules: [(String, String?, String, [String])] = [
        ("FREQ=MONTHLY;BYDAY=2TU", nil, "Every month on the 2nd Tuesday of the month, at 00:00", []),
        (
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,TU,WE,FR;BYHOUR=9,17;COUNT=100", "2026-11-02",
            "Every 2 weeks on Monday to Wednesday and Friday, at 09:00 and 17:00, weeks beginning on Sunday, from 2026-11-02 on, 100 times",
            ["its start is not one of its due times: the rule does not name it"]),
        (
            "FREQ=YEARLY;UNTIL=20300101T090000Z", "2026-11-21T07:30:05",
            "Every year in November on the 21st of the month, at 07:30:05, from 2026-11-21 07:30:05 on, until 2030-01-01 09:00 UTC", []),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", nil,
            "Every month on Monday to Friday, at 00:00, of these the last of each month", []),
        ("FREQ=YEARLY;BYWEEKNO=1,-1;WKST=SU", nil, "Every year in the 1st week and last week, at 00:00, weeks beginning on Sunday", []),
        (
            "FREQ=YEARLY;BYYEARDAY=1,100,-1;BYDAY=-2MO", nil,
            "Every year on the 2nd last Monday of the year when that is the 1st, 100th and last day of the year, at 00:00",
            ["it is never due: no date matches"]),
        (
            "FREQ=MONTHLY;BYMONTHDAY=31", nil, "Every month on the 31st of the month, at 00:00",
            ["February, April, June, September and November have no 31st: BYMONTHDAY=-1 is the last day of any month"]),
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", nil, "Every year in February on the 29th of the month, at 00:00",
            ["only leap years have a 29th of February"]),
        (
            "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", "2026-11-21",
            "Every 20 minutes, in the hours 9 to 16, from 2026-11-21 on",
            ["its start is not one of its due times: the rule does not name it"]),
        ("FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0", nil, "Every day, in the hours 9 to 16, at minute 0", []),
        ("FREQ=HOURLY", nil, "Every hour", []), ("FREQ=HOURLY;BYMINUTE=15", nil, "Every hour, at minute 15", []),
        ("FREQ=SECONDLY;BYMINUTE=5", nil, "Every second, at minute 5", []),
        ("FREQ=SECONDLY;BYSECOND=0,30", nil, "Every second, at seconds 0 and 30", []),
        ("FREQ=DAILY;UNTIL=20251231", nil, "Every day, at 00:00, until 2025-12-31", ["it is over: it is not due again"]),
        (
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31", nil, "Every month in February on the 31st of the month, at 00:00",
            ["it is never due: no date matches"]),
    ]

    @Test(arguments: rules)
    func recurrenceRule(_ text: String, _ start: String?, _ words: String, _ warnings: [String]) throws {
        let explanation = try rrule(text, from: start).explanation(at: instant("2026-11-20T12:00:00Z"), of: text)
        #expect(explanation.sentence == words + ", in UTC")
        #expect(explanation.warnings == warnings)
        #expect(explanation.syntax == "a recurrence rule of iCalendar (RFC 5545)")
    }

    /// Explains random expressions. The warning that a schedule is never due appears exactly when it is true.
    @Test func randomRulesAreExplained() throws {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let text = [0, 1, 2, 3, 4].map { place in
                CronDifferentialTests.field([0, 0, 1, 1, 0][place], [59, 23, 31, 12, 6][place], star: 40, using: &generator)
            }.joined(separator: " ")
            let explanation = try Self.explain(text)
            #expect(!explanation.sentence.isEmpty && !explanation.sentence.contains("  "), "\(text): \(explanation.sentence)")
            let isNever = try cron(text).next(after: Instant(milliseconds: -1), origin: Instant(milliseconds: 0)) == nil
            #expect(explanation.warnings.contains("it is never due: no date matches") == isNever, "\(text)")
        }
    }
}
