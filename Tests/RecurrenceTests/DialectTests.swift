import Testing

@testable import Recurrence

/// The examples of each dialect's own documentation, with the due times that their descriptions state. The rows start on Friday,
/// 2026-11-20 12:00 UTC, unless they name another start.
@Suite struct DialectTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var source: String
        var cron: String
        var due: [String]
        var after = "2026-11-20T12:00:00Z"
        var testDescription: String { "\(source): \(cron)" }

        init(_ source: String, _ cron: String, _ due: [String], after: String = "2026-11-20T12:00:00Z") {
            self.source = source
            self.cron = cron
            self.due = due
            self.after = after
        }
    }

    static let crontab = [
        Row("crontab(5), EXAMPLE", "5 0 * * *", ["2026-11-21T00:05:00", "2026-11-22T00:05:00"]),
        Row("crontab(5), EXAMPLE", "15 14 1 * *", ["2026-12-01T14:15:00", "2027-01-01T14:15:00"]),
        Row("crontab(5), EXAMPLE", "0 22 * * 1-5", ["2026-11-20T22:00:00", "2026-11-23T22:00:00"]),
        Row("crontab(5), EXAMPLE", "23 0-23/2 * * *", ["2026-11-20T12:23:00", "2026-11-20T14:23:00"]),
        Row("crontab(5), EXAMPLE", "5 4 * * sun", ["2026-11-22T04:05:00", "2026-11-29T04:05:00"]),
        Row("crontab(5), EXAMPLE", "0 4 8-14 * *", ["2026-12-08T04:00:00", "2026-12-09T04:00:00"]),
        Row(
            "crontab(5): 30 4 1,15 * 5 is the 1st, the 15th and every Friday", "30 4 1,15 * 5",
            ["2026-11-27T04:30:00", "2026-12-01T04:30:00", "2026-12-04T04:30:00"]),
        Row("crontab(5): @yearly is 0 0 1 1 *", "@yearly", ["2027-01-01T00:00:00", "2028-01-01T00:00:00"]),
        Row("crontab(5): @annually", "@annually", ["2027-01-01T00:00:00"]),
        Row("crontab(5): @monthly is 0 0 1 * *", "@monthly", ["2026-12-01T00:00:00"]),
        Row("crontab(5): @weekly is 0 0 * * 0", "@weekly", ["2026-11-22T00:00:00"]),
        Row("crontab(5): @daily is 0 0 * * *", "@daily", ["2026-11-21T00:00:00"]),
        Row("crontab(5): @midnight", "@midnight", ["2026-11-21T00:00:00"]),
        Row("crontab(5): @hourly is 0 * * * *", "@hourly", ["2026-11-20T13:00:00"]),
        Row("cronie's crontab(5): CRON_TZ", "CRON_TZ=Asia/Tokyo 30 4 * * *", ["2026-11-20T19:30:00", "2026-11-21T19:30:00"]),
    ]

    static let robfig = [
        Row("robfig/cron, Usage", "30 * * * *", ["2026-11-20T12:30:00", "2026-11-20T13:30:00"]),
        Row("robfig/cron, Usage", "30 3-6,20-23 * * *", ["2026-11-20T20:30:00", "2026-11-20T21:30:00"]),
        Row("robfig/cron, Usage", "CRON_TZ=Asia/Tokyo 30 04 * * *", ["2026-11-20T19:30:00"]),
        Row(
            "robfig/cron, as Kubernetes has it: N/step means N-MAX/step", "5/15 * * * *",
            ["2026-11-20T12:05:00", "2026-11-20T12:20:00", "2026-11-20T12:35:00", "2026-11-20T12:50:00", "2026-11-20T13:05:00"]),
        Row("robfig/cron: 0/5", "0/5 13 * * *", ["2026-11-20T13:00:00", "2026-11-20T13:05:00"]),
        Row("robfig/cron: hours from 8 on", "0 8/6 * * *", ["2026-11-20T14:00:00", "2026-11-20T20:00:00", "2026-11-21T08:00:00"]),
        Row(
            "robfig/cron: days of the week end with 6", "0 0 * * 1/2",
            ["2026-11-23T00:00:00", "2026-11-25T00:00:00", "2026-11-27T00:00:00", "2026-11-30T00:00:00"]),
        Row("robfig/cron: ? is *", "0 0 ? * *", ["2026-11-21T00:00:00", "2026-11-22T00:00:00"]),
        Row("robfig/cron: ? for a day field leaves the other one alone", "0 0 ? * MON", ["2026-11-23T00:00:00", "2026-11-30T00:00:00"]),
        Row("robfig/cron: ? for a day of week", "0 0 13 * ?", ["2026-12-13T00:00:00", "2027-01-13T00:00:00"]),
        Row(
            "robfig/cron, WithSeconds: N/step", "0/20 0 13 * * *",
            ["2026-11-20T13:00:00", "2026-11-20T13:00:20", "2026-11-20T13:00:40", "2026-11-21T13:00:00"]),
        Row("robfig/cron, Time zones", "TZ=America/New_York 0 6 * * *", ["2026-11-21T11:00:00"]),
        Row("robfig/cron, WithSeconds", "15 30 4 * * *", ["2026-11-21T04:30:15"]),
        Row("robfig/cron, Intervals", "@every 1h30m10s", ["2026-11-20T13:30:10", "2026-11-20T15:00:20"]),
    ]

    static let aws = [
        Row("EventBridge, Cron expressions, examples", "0 10 * * ? *", ["2026-11-21T10:00:00", "2026-11-22T10:00:00"]),
        Row("EventBridge, Cron expressions, examples", "15 12 * * ? *", ["2026-11-20T12:15:00", "2026-11-21T12:15:00"]),
        Row("EventBridge, Cron expressions, examples", "0 18 ? * MON-FRI *", ["2026-11-20T18:00:00", "2026-11-23T18:00:00"]),
        Row("EventBridge, Cron expressions, examples", "0 8 1 * ? *", ["2026-12-01T08:00:00", "2027-01-01T08:00:00"]),
        Row("EventBridge, Cron expressions, examples", "0/15 * * * ? *", ["2026-11-20T12:15:00", "2026-11-20T12:30:00"]),
        Row("EventBridge, Cron expressions, examples", "0/10 * ? * MON-FRI *", ["2026-11-20T12:10:00"]),
        Row(
            "EventBridge, Cron expressions, examples", "0/5 8-17 ? * MON-FRI *",
            ["2026-11-20T17:55:00", "2026-11-23T08:00:00"], after: "2026-11-20T17:50:00Z"),
        Row(
            "EventBridge, Cron expressions, examples: from 22 to 2 over midnight", "0/30 22-2 ? * MON-FRI *",
            ["2026-11-20T22:00:00", "2026-11-20T22:30:00", "2026-11-20T23:00:00", "2026-11-20T23:30:00", "2026-11-23T00:00:00"]),
        Row("EventBridge, wildcards: 15 10 ? * 6L 2026-2027", "15 10 ? * 6L 2026-2027", ["2026-11-27T10:15:00", "2026-12-25T10:15:00"]),
        Row(
            "EventBridge, wildcards: the last Friday, until the years end", "15 10 ? * 6L 2022-2023",
            ["2022-12-30T10:15:00", "2023-01-27T10:15:00"], after: "2022-12-01T00:00:00Z"),
        Row("EventBridge, wildcards: 3#2 is the second Tuesday", "0 9 ? * 3#2 *", ["2026-12-08T09:00:00", "2027-01-12T09:00:00"]),
        Row("EventBridge, wildcards: 3W is the weekday closest to the 3rd", "0 9 3W * ? *", ["2026-12-03T09:00:00", "2027-01-04T09:00:00"]),
        Row(
            "EventBridge: 31W skips months without a 31st", "0 9 31W * ? *",
            ["2026-12-31T09:00:00", "2027-01-29T09:00:00", "2027-03-31T09:00:00"]),
        Row("EventBridge, wildcards: L is the month's last day", "0 9 L * ? *", ["2026-11-30T09:00:00", "2026-12-31T09:00:00"]),
        Row(
            "Ampt, Wildcards (P2): 1/10 is each tenth minute from the first", "1/10 * * * ? *",
            ["2026-11-20T12:01:00", "2026-11-20T12:11:00", "2026-11-20T12:21:00"]),
        Row("Ampt, .cron() (P2): Tuesdays at midnight", "0 0 ? * TUE *", ["2026-11-24T00:00:00", "2026-12-01T00:00:00"]),
        Row("Ampt, Wildcards (P2): months by name", "0 0 1 JAN,FEB,MAR ? *", ["2027-01-01T00:00:00", "2027-02-01T00:00:00"]),
        Row("Ampt, fields (P2): years 1970-2199", "0 0 1 1 ? 2199", ["2199-01-01T00:00:00"]),
    ]

    static let quartz = [
        Row("Quartz, CronTrigger tutorial", "0 0 12 * * ?", ["2026-11-21T12:00:00", "2026-11-22T12:00:00"]),
        Row("Quartz, CronTrigger tutorial", "0 15 10 ? * *", ["2026-11-21T10:15:00"]),
        Row("Quartz, CronTrigger tutorial", "0 15 10 * * ?", ["2026-11-21T10:15:00"]),
        Row("Quartz, CronTrigger tutorial", "0 15 10 * * ? *", ["2026-11-21T10:15:00"]),
        Row("Quartz, CronTrigger tutorial: in 2005", "0 15 10 * * ? 2005", ["2005-01-01T10:15:00"], after: "2004-06-01T00:00:00Z"),
        Row("Quartz, CronTrigger tutorial", "0 * 14 * * ?", ["2026-11-20T14:00:00", "2026-11-20T14:01:00"]),
        Row("Quartz, CronTrigger tutorial", "0 0/5 14 * * ?", ["2026-11-20T14:00:00", "2026-11-20T14:05:00"]),
        Row(
            "Quartz, CronTrigger tutorial", "0 0/5 14,18 * * ?", ["2026-11-20T14:55:00", "2026-11-20T18:00:00"],
            after: "2026-11-20T14:50:00Z"),
        Row("Quartz, CronTrigger tutorial", "0 0-5 14 * * ?", ["2026-11-20T14:00:00", "2026-11-20T14:01:00"]),
        Row("Quartz, CronTrigger tutorial", "0 10,44 14 ? 3 WED", ["2027-03-03T14:10:00", "2027-03-03T14:44:00"]),
        Row("Quartz, CronTrigger tutorial", "0 15 10 ? * MON-FRI", ["2026-11-23T10:15:00", "2026-11-24T10:15:00"]),
        Row("Quartz, CronTrigger tutorial", "0 15 10 15 * ?", ["2026-12-15T10:15:00"]),
        Row("Quartz, CronTrigger tutorial", "0 15 10 L * ?", ["2026-11-30T10:15:00", "2026-12-31T10:15:00"]),
        Row("Quartz, CronTrigger tutorial: the second-to-last day is L-1, L-2 the one before", "0 15 10 L-2 * ?", ["2026-11-28T10:15:00"]),
        Row("Quartz, CronTrigger tutorial: the last Friday", "0 15 10 ? * 6L", ["2026-11-27T10:15:00", "2026-12-25T10:15:00"]),
        Row("Quartz, CronTrigger tutorial: the third Friday", "0 15 10 ? * 6#3", ["2026-12-18T10:15:00", "2027-01-15T10:15:00"]),
        Row(
            "Quartz, CronTrigger tutorial: every five days from the first", "0 0 12 1/5 * ?",
            ["2026-11-21T12:00:00", "2026-11-26T12:00:00", "2026-12-01T12:00:00"]),
        Row("Quartz, CronTrigger tutorial", "0 11 11 11 11 ?", ["2027-11-11T11:11:00"]),
        Row(
            "Quartz, CronExpression: LW is the last weekday", "0 0 0 LW * ?",
            ["2026-11-30T00:00:00", "2026-12-31T00:00:00", "2027-01-29T00:00:00"]),
        Row(
            "Quartz, CronExpression: 15W", "0 0 0 15W * ?",
            ["2026-12-15T00:00:00", "2027-01-15T00:00:00", "2027-02-15T00:00:00", "2027-03-15T00:00:00"]),
        Row(
            "Quartz, CronExpression: 1W on a Saturday is Monday the 3rd", "0 0 0 1W * ?", ["2027-05-03T00:00:00"],
            after: "2027-04-15T00:00:00Z"),
        Row(
            "Quartz, CronExpression: 31W skips months without a 31st, as plain 31 does", "0 0 3 31W * ?",
            ["2026-12-31T03:00:00", "2027-01-29T03:00:00", "2027-03-31T03:00:00", "2027-05-31T03:00:00"]),
        Row(
            "Quartz, CronExpression: 30W skips February", "0 0 3 30W * ?", ["2027-01-29T03:00:00", "2027-03-30T03:00:00"],
            after: "2026-12-30T12:00:00Z"),
        Row(
            "Quartz, CronExpression: 29W is in February of leap years alone", "0 0 3 29W 2 ?",
            ["2028-02-29T03:00:00", "2032-02-27T03:00:00"]),
        Row(
            "Quartz, CronExpression: L-30 is in months of 31 days alone", "0 0 3 L-30 * ?",
            ["2026-12-01T03:00:00", "2027-01-01T03:00:00", "2027-03-01T03:00:00"]),
        Row("Quartz, CronExpression: a fifth Friday is not in each month", "0 0 3 ? * 6#5", ["2027-01-29T03:00:00", "2027-04-30T03:00:00"]),
        Row("Quartz, CronExpression: FRIL", "0 0 0 ? * FRIL", ["2026-11-27T00:00:00"]),
        Row("Quartz, CronExpression: TUE#2", "0 0 0 ? * TUE#2", ["2026-12-08T00:00:00"]),
        Row("Quartz, CronExpression: L alone is Saturday", "0 0 0 ? * L", ["2026-11-21T00:00:00", "2026-11-28T00:00:00"]),
        Row(
            "Quartz, CronExpression: 22-2", "0 0 22-2 * * ?",
            [
                "2026-11-20T22:00:00", "2026-11-20T23:00:00", "2026-11-21T00:00:00", "2026-11-21T01:00:00", "2026-11-21T02:00:00",
                "2026-11-21T22:00:00",
            ]),
        Row(
            "Quartz, CronExpression: NOV-FEB", "0 0 0 1 NOV-FEB ?",
            ["2026-12-01T00:00:00", "2027-01-01T00:00:00", "2027-02-01T00:00:00", "2027-11-01T00:00:00"]),
        Row(
            "Quartz, CronExpression: FRI-MON", "0 0 0 ? * FRI-MON",
            ["2026-11-21T00:00:00", "2026-11-22T00:00:00", "2026-11-23T00:00:00", "2026-11-27T00:00:00"]),
        Row("Quartz, CronExpression: /n is */n", "/20 0 0 * * ?", ["2026-11-21T00:00:00", "2026-11-21T00:00:20", "2026-11-21T00:00:40"]),
    ]

    /// `L`, `W` and `#` in the Unix forms, where Sunday is 0 and 7.
    static let extras = [
        Row("last day", "0 0 L * *", ["2026-11-30T00:00:00"]),
        Row("the last but three", "0 0 L-3 * *", ["2026-11-27T00:00:00", "2026-12-28T00:00:00"]),
        Row("the last Friday", "0 0 * * 5L", ["2026-11-27T00:00:00"]),
        Row("the last Sunday", "0 0 * * 7L", ["2026-11-29T00:00:00"]),
        Row("the third Tuesday", "0 0 * * 2#3", ["2026-12-15T00:00:00"]),
        Row("a fifth Monday is rare", "0 0 * * mon#5", ["2026-11-30T00:00:00", "2027-03-29T00:00:00"]),
        Row("either of two restricted day fields", "0 0 L * 5#1", ["2026-11-30T00:00:00", "2026-12-04T00:00:00", "2026-12-31T00:00:00"]),
        Row("years end with 2199", "0 0 0 29 2 ? 2196-2199", ["2196-02-29T00:00:00"]),
    ]

    @Test(.tzdata, arguments: crontab + robfig + aws + quartz + extras)
    func due(_ row: Row) throws {
        let due = try cron(row.cron).due(after: instant(row.after), limit: row.due.count + 1)
        #expect(due.prefix(row.due.count).map { String($0.rfc3339.prefix(19)) } == row.due)
        if row.cron.hasSuffix("2022-2023") || row.cron.contains("219") { return }
        #expect(due.count > row.due.count || row.cron.hasSuffix("2005"))
    }

    @Test func aYearThatIsOverNeverComes() throws {
        #expect(try cron("0 15 10 * * ? 2005").next(after: instant("2026-01-01T00:00:00Z"), origin: Instant(milliseconds: 0)) == nil)
        #expect(try cron("0 0 0 29 2 ? 2025-2027").next(after: instant("2020-01-01T00:00:00Z"), origin: Instant(milliseconds: 0)) == nil)
    }

    static let dialects: [(String, CronDialect, String)] = [
        ("*/5 9-17 * * mon-fri", .unix, "*/5 9-17 * * 1-5"), ("0 30 2 * * 7", .unixWithSeconds, "0 30 2 * * 0"),
        ("0 0 12 ? * 2-6", .quartz, "0 0 12 ? * 2-6 *"), ("0 0 12 L-3W * ? 2026/2", .quartz, ""),
        ("0 10 * * ? *", .aws, "0 10 * * ? *"), ("0 10 ? * 6#3,7L 2026,2028-2030", .aws, "0 10 ? * 6#3,7L 2026,2028-2030"),
        ("0 0 L,15W * 5L", .unix, "0 0 15W,L * 5L"), ("0 0/5 14,18 * * ?", .quartz, "0 0,5,10,15,20,25,30,35,40,45,50,55 14,18 * * ? *"),
    ]

    @Test(arguments: dialects)
    func normalizedTextIsInTheDialect(_ text: String, _ dialect: CronDialect, _ normalized: String) throws {
        let recurrence = try cron(text)
        guard case .cron(let schedule, let found) = recurrence.rule else { return #expect(Bool(false)) }
        #expect(found == dialect)
        if !normalized.isEmpty { #expect(recurrence.normalized == normalized) }
        guard case .cron(let again, let foundAgain) = try cron(recurrence.normalized).rule else { return #expect(Bool(false)) }
        #expect(foundAgain == dialect)
        #expect(again.rule.days == schedule.rule.days && again.rule.rare == schedule.rule.rare)
    }

    /// Compares each special day of each month of a century with a walk through the days of the month.
    @Test func specialDaysAreThoseOfAWalkThroughTheMonth() throws {
        struct Day {
            var day: Int
            var weekday: Int
        }
        /// The day of the month that a text names.
        func named(_ text: String, _ days: [Day]) -> Int? {
            func nearest(_ day: Int) -> Int? {
                guard day <= days.count else { return nil }
                let workdays = days.filter { 1...5 ~= $0.weekday }
                // Two workdays never have the same distance, because a weekend has two days.
                return workdays.min { abs($0.day - day) < abs($1.day - day) }?.day
            }
            if text == "LW" { return nearest(days.count) }
            if text.hasPrefix("L") {
                let day = days.count - (Int(text.dropFirst(2)) ?? 0)
                return day > 0 ? day : nil
            }
            if text.hasSuffix("W") { return nearest(Int(text.dropLast())!) }
            if text.hasSuffix("L") { return days.last { $0.weekday == Int(text.dropLast())! }?.day }
            let parts = text.split(separator: "#").map { Int($0)! }
            let found = days.filter { $0.weekday == parts[0] }
            return parts[1] <= found.count ? found[parts[1] - 1].day : nil
        }
        let ofMonth = ["L", "L-1", "L-27", "L-28", "L-30", "LW"] + (1...31).map { "\($0)W" }
        let ofWeek = (0...6).flatMap { weekday in (1...5).map { "\(weekday)#\($0)" } + ["\(weekday)L"] }
        for text in ofMonth + ofWeek {
            let isOfWeek = text.contains("#") || text.hasSuffix("L") && text != "L"
            let recurrence = try cron(isOfWeek ? "0 0 * * \(text)" : "0 0 \(text) * *")
            var at = try instant("1999-12-31T23:59:59Z")
            for year in 2000...2099 {
                for month in 1...12 {
                    let first = Civil.days(year: year, month: month, day: 1)
                    let days = (1...Civil.daysInMonth(year: year, month: month)).map {
                        Day(day: $0, weekday: Civil.weekday(days: first + Int64($0) - 1))
                    }
                    guard let day = named(text, days) else { continue }
                    at = try #require(recurrence.next(after: at, origin: at))
                    #expect(at == Instant(seconds: (first + Int64(day) - 1) * 86_400), "\(text) in \(year)-\(month)")
                }
            }
        }
    }
}
