/// The days that a rule's BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY and BYDAY match. A day must match each part that is given.
struct RRuleDays: Sendable {
    struct Month {
        var year: Int
        var month: Int
        /// The day number of the month's 1st.
        var firstDay: Int64
        var count: Int

        @inline(__always)
        init(year: Int, month: Int) {
            self.year = year
            self.month = month
            firstDay = Civil.days(year: year, month: month, day: 1)
            count = Civil.daysInMonth(year: year, month: month)
        }

        /// Counted from January of the year 0.
        init(number: Int64) {
            self.init(year: Int(number / 12), month: Int(number % 12) + 1)
        }

        var number: Int64 { Int64(year * 12 + month - 1) }

        /// The month that contains a day.
        @inline(__always)
        init(of day: Int64) {
            let date = Civil.date(days: day)
            year = date.year
            month = date.month
            firstDay = day &- Int64(date.day) &+ 1
            count = Civil.daysInMonth(year: year, month: month)
        }
    }

    /// Bits 1 to 12.
    let months: UInt16
    /// Bits 0 (Sunday) to 6: the weekdays without an ordinal, or all when BYDAY is not given.
    let weekdays: UInt8
    /// Bits 1 to 31. The nth day from the end has bit 32 - n in the other set.
    private let monthDays: UInt32
    private let monthDaysFromEnd: UInt32
    private let rare: Rare?

    /// The parts that few rules have.
    fileprivate final class Rare: Sendable {
        let ordinals: [RRule.Weekday]
        let countsInYear: Bool
        /// 1 to 366. The nth day from the end has the number 367 - n in the other set.
        let yearDays: YearDays
        let yearDaysFromEnd: YearDays
        /// Bits 1 to 53 in both sets.
        let weeks: UInt64
        let weeksFromEnd: UInt64
        let weekStart: Int

        init(_ rule: RRule) {
            ordinals = rule.weekdays.filter { $0.number != 0 }
            countsInYear = rule.frequency == .yearly && rule.months.isEmpty
            var yearDays = YearDays()
            var yearDaysFromEnd = YearDays()
            for day in rule.yearDays {
                if day > 0 { yearDays.insert(day) } else { yearDaysFromEnd.insert(367 + day) }
            }
            self.yearDays = yearDays
            self.yearDaysFromEnd = yearDaysFromEnd
            weeks = UInt64(members: rule.weekNumbers.filter { $0 > 0 })
            weeksFromEnd = UInt64(members: rule.weekNumbers.filter { $0 < 0 }.map { -$0 })
            weekStart = rule.weekStart
        }
    }

    init(_ rule: RRule) {
        months = rule.months.isEmpty ? 0x1FFE : UInt16(truncatingIfNeeded: UInt64(members: rule.months))
        let plain = rule.weekdays.filter { $0.number == 0 }.map(\.day)
        weekdays = rule.weekdays.isEmpty ? 0x7F : UInt8(truncatingIfNeeded: UInt64(members: plain))
        monthDays = rule.monthDays.isEmpty ? .max : UInt32(truncatingIfNeeded: UInt64(members: rule.monthDays.filter { $0 > 0 }))
        monthDaysFromEnd = UInt32(truncatingIfNeeded: UInt64(members: rule.monthDays.filter { $0 < 0 }.map { 32 + $0 }))
        let isRare = rule.hasOrdinals || !rule.yearDays.isEmpty || !rule.weekNumbers.isEmpty
        rare = isRare ? Rare(rule) : nil
    }

    /// The days of a month that match all parts, as bits 1 to 31.
    @inline(__always)
    func days(of month: Month) -> UInt32 {
        guard months & (1 &<< UInt16(truncatingIfNeeded: month.month)) != 0 else { return 0 }
        let first = Civil.weekday(days: month.firstDay)
        let fromEnd = monthDaysFromEnd &>> UInt32(truncatingIfNeeded: 31 &- month.count)
        var days = (monthDays | fromEnd) & DayRule.all(month.count)
        if weekdays == 0x7F, rare == nil { return days }
        var byWeekday = DayRule.weekdays(weekdays, first: first)
        if let rare {
            byWeekday |= rare.ordinalDays(of: month, first: first)
            days &= rare.yearDays(of: month) & rare.weekDays(of: month, first: first)
        }
        return days & byWeekday
    }
}

extension RRuleDays.Rare {
    /// The days that BYDAY matches by an ordinal. `first` is the weekday of the 1st.
    func ordinalDays(of month: RRuleDays.Month, first: Int) -> UInt32 {
        var days: UInt32 = 0
        // The period in which the ordinals count, and the month's position in it.
        var weekday = first
        var count = month.count
        var before = 0
        if countsInYear, !ordinals.isEmpty {
            let year = Civil.days(year: month.year, month: 1, day: 1)
            weekday = Civil.weekday(days: year)
            count = Civil.isLeap(month.year) ? 366 : 365
            before = Int(month.firstDay - year)
        }
        for ordinal in ordinals {
            let firstOne = (ordinal.day - weekday + 7) % 7
            let last = firstOne + (count - 1 - firstOne) / 7 * 7
            let place = ordinal.number > 0 ? firstOne + (ordinal.number - 1) * 7 : last + (ordinal.number + 1) * 7
            let day = place - before + 1
            if place >= 0, place < count, day >= 1, day <= month.count { days |= 1 << UInt32(day) }
        }
        return days
    }

    /// The days that BYYEARDAY matches. All days when it is not given.
    func yearDays(of month: RRuleDays.Month) -> UInt32 {
        if yearDays.isEmpty, yearDaysFromEnd.isEmpty { return .max }
        let first = Int(month.firstDay - Civil.days(year: month.year, month: 1, day: 1)) + 1
        let fromEnd = yearDaysFromEnd.days(from: Civil.isLeap(month.year) ? first : first + 1)
        return (yearDays.days(from: first) | fromEnd) << 1
    }

    /// The days in a week that BYWEEKNO matches. All days when it is not given.
    ///
    /// RFC 5545 §3.3.10: week 1 is the first week with at least four days in its year. So a week's fourth day decides its year.
    func weekDays(of month: RRuleDays.Month, first: Int) -> UInt32 {
        if weeks | weeksFromEnd == 0 { return .max }
        var days: UInt32 = 0
        // The week's first day as a day of the month: 1, or less when it lies in the preceding month.
        var start = 1 - (first - weekStart + 7) % 7
        while start <= month.count {
            let fourth = month.firstDay + Int64(start - 1) + 3
            let year = Civil.date(days: fourth).year
            let dayOfYear = Int(fourth - Civil.days(year: year, month: 1, day: 1))
            let number = dayOfYear / 7 + 1
            let weeksInYear = ((Civil.isLeap(year) ? 366 : 365) - 1 - dayOfYear % 7) / 7 + 1
            if weeks & 1 << UInt64(number) != 0 || weeksFromEnd & 1 << UInt64(weeksInYear - number + 1) != 0 {
                days |= start >= 0 ? 0x7F << UInt32(start) : 0x7F >> UInt32(-start)
            }
            start += 7
        }
        return days
    }
}
