/// A recurrence rule of iCalendar, RFC 5545 §3.3.10, as written. Its start is not part of it.
///
/// The meaning follows §3.3.10, and Python's dateutil where the RFC is silent:
/// - Every BYxxx part about days restricts the days of the period, and every part about times of day restricts the times. Then it
///   makes no difference that the RFC's table calls this "expand" or "limit", with one exception: the day and time when no part
///   gives them. These are taken from the start (`completed`).
/// - Several BYDAY values are alternatives, with or without ordinals. An ordinal counts within the month for MONTHLY, or for
///   YEARLY with BYMONTH, otherwise within the year.
/// - BYWEEKNO uses the weeks of ISO 8601, beginning with WKST, and takes the week of each day: the 29th of December 1997 is in
///   week 1. INTERVAL and BYSETPOS count the calendar year of the day. Without BYDAY, all days of the week match.
/// - The start is an occurrence only if the rule matches it.
struct RRule: Sendable, Hashable {
    /// In descending order of length.
    enum Frequency: Int, Sendable, Hashable, CaseIterable, Comparable {
        case yearly, monthly, weekly, daily, hourly, minutely, secondly

        var name: String { Self.names[rawValue] }
        static let names = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]

        static func < (a: Frequency, b: Frequency) -> Bool { a.rawValue < b.rawValue }
    }

    /// The nth weekday, counted from the end when n is negative: `-1FR`. Without n, `number` is 0 and all such weekdays match.
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
    /// An UNTIL in UTC limits the instants, another one the wall times, a date the wall times of the whole day. Inclusive.
    var until: BasicTime?
    var count: Int?
    var interval = 1
    /// The lists are sorted without duplicates, negative values last. Empty means not given.
    var seconds: [Int] = []
    var minutes: [Int] = []
    var hours: [Int] = []
    var weekdays: [Weekday] = []
    /// 1 to 31, or -1 to -31 from the end. The following lists are similar.
    var monthDays: [Int] = []
    var yearDays: [Int] = []
    var weekNumbers: [Int] = []
    var months: [Int] = []
    var positions: [Int] = []
    /// 0 is Sunday.
    var weekStart = 1

    static let weekdayNames = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]

    /// COUNT is resolved by counting when the rule is read, which must not take long.
    static let longestCount = 100_000
    static let longestInterval = 999_999_999

    var hasOrdinals: Bool { weekdays.contains { $0.number != 0 } }

    /// The rule with the parts that it takes from its start, in wall seconds (RFC 5545 §3.3.10: "information is … retrieved from
    /// DTSTART"): second, minute and hour if they are finer than FREQ, and the day when no part gives days. Units that are not
    /// finer than FREQ match any value: hours, minutes and seconds are then never empty.
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
    /// The parts that have an effect, in the order of the RFC's grammar. The text reads back as an equal rule.
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
