/// A recurrence rule of iCalendar, RFC 5545 §3.3.10, as it was written. Where it starts is not part of it.
///
/// What it names, after §3.3.10 and where that is silent after Python's dateutil:
/// - Every BYxxx part that speaks of days restricts the days of the period; those that speak of times of day restrict
///   these. Whether the RFC's table calls that "expand" or "limit" makes no difference then, with one exception: which
///   day and time are meant when no part says so. That is what the start has (`completed`).
/// - Several BYDAY values are alternatives, with ordinals and without. An ordinal counts within the month for MONTHLY, or
///   for YEARLY with BYMONTH, else within the year.
/// - BYWEEKNO names weeks as ISO 8601 counts them, beginning with WKST, by each day's own week: the 29th of December 1997
///   is in week 1. What INTERVAL and BYSETPOS count is the calendar year of the day. Without BYDAY all days of the week.
/// - The start counts as an occurrence only if the rule names it.
struct RRule: Sendable, Hashable {
    /// In descending order of length.
    enum Frequency: Int, Sendable, Hashable, CaseIterable, Comparable {
        case yearly, monthly, weekly, daily, hourly, minutely, secondly

        var name: String { Self.names[rawValue] }
        static let names = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]

        static func < (a: Frequency, b: Frequency) -> Bool { a.rawValue < b.rawValue }
    }

    /// The nth weekday, from the end when n is negative: `-1FR`. Without n, `number` is 0: each one.
    struct Weekday: Sendable, Hashable {
        /// 0 is Sunday.
        var day: Int
        /// -53 to 53.
        var number: Int
    }

    /// The parts in the order of the RFC's grammar.
    enum Part: String, Sendable, Hashable, CaseIterable {
        case frequency = "FREQ"
        case until = "UNTIL"
        case count = "COUNT"
        case interval = "INTERVAL"
        case bySecond = "BYSECOND"
        case byMinute = "BYMINUTE"
        case byHour = "BYHOUR"
        case byDay = "BYDAY"
        case byMonthDay = "BYMONTHDAY"
        case byYearDay = "BYYEARDAY"
        case byWeekNumber = "BYWEEKNO"
        case byMonth = "BYMONTH"
        case bySetPosition = "BYSETPOS"
        case weekStart = "WKST"

        var isBy: Bool { rawValue.hasPrefix("BY") }
    }

    var frequency = Frequency.yearly
    /// In UTC it bounds the instants, else the wall times; a date the wall times of the whole day. Inclusive.
    var until: BasicTime?
    var count: Int?
    var interval = 1
    /// The lists are in order, each value once, negative ones last; empty: not given.
    var seconds: [Int] = []
    var minutes: [Int] = []
    var hours: [Int] = []
    var weekdays: [Weekday] = []
    /// 1 to 31, or from the end -1 to -31; likewise the next ones.
    var monthDays: [Int] = []
    var yearDays: [Int] = []
    var weekNumbers: [Int] = []
    var months: [Int] = []
    var positions: [Int] = []
    /// 0 is Sunday.
    var weekStart = 1

    static let weekdayNames = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]

    /// A count is found by counting when the rule is read, which must not take long.
    static let longestCount = 100_000
    static let longestInterval = 999_999_999

    var hasOrdinals: Bool { weekdays.contains { $0.number != 0 } }

    /// The rule with what it leaves to its start, in wall seconds (RFC 5545 §3.3.10: "information is … retrieved from
    /// DTSTART"): second, minute and hour, as far as they are finer than FREQ, and the day when no part speaks of days.
    /// What is not finer than FREQ is any: hours, minutes and seconds are then never empty.
    func completed(from start: Int64) -> RRule {
        var rule = self
        let day = Civil.floorDivide(start, Civil.secondsPerDay)
        let date = Civil.date(days: day)
        let time = Int(start - day * Civil.secondsPerDay)
        if hours.isEmpty { rule.hours = frequency >= .hourly ? Array(0...23) : [time / 3600] }
        if minutes.isEmpty { rule.minutes = frequency >= .minutely ? Array(0...59) : [time / 60 % 60] }
        if seconds.isEmpty { rule.seconds = frequency >= .secondly ? Array(0...59) : [time % 60] }
        guard weekdays.isEmpty, monthDays.isEmpty, yearDays.isEmpty, weekNumbers.isEmpty else { return rule }
        switch frequency {
        case .yearly:
            if months.isEmpty { rule.months = [date.month] }
            rule.monthDays = [date.day]
        case .monthly: rule.monthDays = [date.day]
        case .weekly: rule.weekdays = [Weekday(day: Civil.weekday(days: day), number: 0)]
        default: break
        }
        return rule
    }
}

extension RRule: CustomStringConvertible {
    /// The parts that say something, in the order of the RFC's grammar. Reads back as an equal rule.
    var description: String {
        var parts = ["FREQ=\(frequency.name)"]
        func add(_ part: Part, _ values: [String]) {
            if !values.isEmpty { parts.append("\(part.rawValue)=\(values.joined(separator: ","))") }
        }
        func add(_ part: Part, _ numbers: [Int]) { add(part, numbers.map { "\($0)" }) }
        add(.until, until.map { ["\($0)"] } ?? [])
        add(.count, count.map { [$0] } ?? [])
        add(.interval, interval == 1 ? [] : [interval])
        add(.bySecond, seconds)
        add(.byMinute, minutes)
        add(.byHour, hours)
        add(.byDay, weekdays.map { ($0.number == 0 ? "" : "\($0.number)") + Self.weekdayNames[$0.day] })
        add(.byMonthDay, monthDays)
        add(.byYearDay, yearDays)
        add(.byWeekNumber, weekNumbers)
        add(.byMonth, months)
        add(.bySetPosition, positions)
        add(.weekStart, weekStart == 1 ? [] : [Self.weekdayNames[weekStart]])
        return parts.joined(separator: ";")
    }
}
