/// A recurrence rule with its start, prepared for the search: bit sets, and periods that are counted from the start.
///
/// The search goes through the months that can match, and through each month by bits. It jumps over periods that INTERVAL leaves
/// out by a division. BYSETPOS within a day or less is computed in advance; for longer periods each period is examined once. All
/// times are wall times: every second day or hour means that of the wall clock.
struct RRuleSearch: WallRule {
    let frequency: RRule.Frequency
    private let interval: Int64
    /// In wall seconds. Nothing is due before or after. A rule that never matches has its last before its start.
    private let start: Int64
    private var last: Int64
    let days: RRuleDays
    let times: TimesOfDay
    /// The times of day in ascending order, if BYSETPOS selects them. Otherwise empty.
    private var chosenTimes: [UInt32] = []
    /// The positions of BYSETPOS in a week, month or year, ascending. Negative positions count from the end.
    private(set) var positions: [Int] = []
    private(set) var positionsFromEnd: [Int] = []
    /// The period of the start. For years and months it is the year, or the month counted from year 0. For weeks and days it is
    /// the day number of the first day. For shorter periods it is the second at which the period begins.
    let origin: Int64
    /// The distance between two periods that count, in the same unit.
    let step: Int64
    /// For periods shorter than a day, the length in seconds if the interval leaves some of them out. Otherwise 0.
    private let unit: Int64
    let weekStart: Int

    /// Debian's rule for jobs at any hour or any minute applies when the rule itself leaves the hour or the minute open.
    let isWildcard: Bool

    /// `start` is in wall seconds.
    init(_ written: RRule, start: Int64) {
        let rule = written.completed(from: start)
        let startDay = Civil.floorDivide(start, Civil.secondsPerDay)
        let date = Civil.date(days: startDay)
        let hours = UInt64(members: rule.hours)
        let minutes = UInt64(members: rule.minutes)
        var seconds = UInt64(members: rule.seconds)
        isWildcard =
            written.frequency >= .hourly && written.hours.isEmpty || written.frequency >= .minutely && written.minutes.isEmpty
        var isNever = false

        switch rule.frequency {
        case _ where rule.positions.isEmpty: break
        case .yearly, .monthly, .weekly:
            positions = rule.positions.filter { $0 > 0 }
            positionsFromEnd = rule.positions.filter { $0 < 0 }
        case .daily:
            let times = TimesOfDay(hours: UInt32(truncatingIfNeeded: hours), minutes: minutes, seconds: seconds)
            chosenTimes = Self.chosen(rule.positions, from: times.count).map { times[$0] }
            isNever = chosenTimes.isEmpty
        case .hourly:
            let times = TimesOfDay(hours: 1, minutes: minutes, seconds: seconds)
            let inHour = Self.chosen(rule.positions, from: times.count).map { times[$0] }
            for hour in 0..<24 where hours & 1 << UInt64(hour) != 0 { chosenTimes += inHour.map { UInt32(hour) * 3600 + $0 } }
            isNever = chosenTimes.isEmpty
        case .minutely:
            let all = seconds
            seconds = UInt64(members: Self.chosen(rule.positions, from: all.nonzeroBitCount).map { all.member($0) })
            isNever = seconds == 0
        case .secondly: isNever = Self.chosen(rule.positions, from: 1).isEmpty
        }
        times = TimesOfDay(hours: UInt32(truncatingIfNeeded: hours), minutes: minutes, seconds: seconds)
        days = RRuleDays(rule)
        frequency = rule.frequency
        interval = Int64(rule.interval)
        weekStart = rule.weekStart
        self.start = start

        var unit: Int64 = 0
        switch frequency {
        case .yearly: (origin, step) = (Int64(date.year), interval)
        case .monthly: (origin, step) = (Int64(date.year * 12 + date.month - 1), interval)
        case .weekly: (origin, step) = (Self.week(of: startDay, from: weekStart), interval * 7)
        case .daily: (origin, step) = (startDay, interval)
        case .hourly, .minutely, .secondly:
            let length: Int64 = frequency == .hourly ? 3600 : frequency == .minutely ? 60 : 1
            (origin, step) = (Civil.floorDivide(start, length) * length, interval * length)
            if interval > 1 { unit = length }
        }
        self.unit = unit
        switch rule.until {
        case _ where isNever: last = .min
        case let until? where until.form == .local: last = until.wall
        case let until? where until.form == .date: last = until.wall + Civil.secondsPerDay - 1
        default: last = .max
        }
        // Find out once whether the rule never matches.
        if !isReachable || firstMatch(atOrAfter: start) == noMatch { last = .min }
    }

    /// True when the hours, minutes or seconds that count ever fall on the matching weekdays and times: every second minute from
    /// an even one never falls on an odd one. A week and the step meet only at multiples of their greatest common divisor.
    private var isReachable: Bool {
        guard unit > 0 else { return true }
        let week = 7 * Civil.secondsPerDay
        var (divisor, rest) = (week, step)
        while rest != 0 { (divisor, rest) = (rest, divisor % rest) }
        let shift = ((origin % divisor) + divisor) % divisor
        // Smaller units do not matter.
        let minutes = unit > 60 ? [0] : times.minutes.members
        let seconds = unit > 1 ? [0] : times.seconds.members
        for weekday in UInt64(days.weekdays).members {
            // Day 0 was a Thursday.
            let day = Int64((weekday + 3) % 7) * Civil.secondsPerDay
            for hour in UInt64(times.hours).members {
                for minute in minutes {
                    for second in seconds {
                        let place = day + Int64((hour * 60 + minute) * 60 + second)
                        if (place + divisor - shift) % divisor < unit { return true }
                    }
                }
            }
        }
        return false
    }

    /// The selected positions of so many items, ascending, from 0.
    private static func chosen(_ positions: [Int], from count: Int) -> [Int] {
        Set(positions.map { $0 > 0 ? $0 - 1 : count + $0 }).filter { 0..<count ~= $0 }.sorted()
    }

    /// The day number of the first day of the week that contains a day.
    static func week(of day: Int64, from weekStart: Int) -> Int64 {
        day - Int64((Civil.weekday(days: day) - weekStart + 7) % 7)
    }

    // MARK: The search

    func firstMatch(atOrAfter local: Int64) -> Int64 {
        let from = max(local, start)
        guard from <= last else { return noMatch }
        let match: Int64
        if !positions.isEmpty || !positionsFromEnd.isEmpty {
            match = firstChosen(atOrAfter: from)
        } else if unit > 0 {
            match = firstCounted(atOrAfter: from)
        } else {
            match = firstNamed(atOrAfter: from)
        }
        return match <= last ? match : noMatch
    }

    /// The first match if no period shorter than a day is left out.
    @inline(__always)
    private func firstNamed(atOrAfter from: Int64) -> Int64 {
        let day = Civil.floorDivide(from, Civil.secondsPerDay)
        var month = RRuleDays.Month(of: day)
        guard month.year <= Civil.endYear else { return noMatch }
        var matching = days(of: month)
        let today = UInt32(1) &<< UInt32(truncatingIfNeeded: day &- month.firstDay &+ 1)
        if matching & today != 0 {
            let time = firstTime(atOrAfter: UInt32(truncatingIfNeeded: from &- day &* Civil.secondsPerDay))
            if time != TimesOfDay.none { return day &* Civil.secondsPerDay &+ Int64(time) }
        }
        matching &= ~(today | (today &- 1))
        while matching == 0 {
            guard let next = self.month(after: month) else { return noMatch }
            month = next
            matching = days(of: month)
        }
        let first = month.firstDay &+ Int64(matching.trailingZeroBitCount &- 1)
        return first &* Civil.secondsPerDay &+ Int64(chosenTimes.first ?? times.first)
    }

    /// The first match if every nth hour, minute or second counts.
    private func firstCounted(atOrAfter from: Int64) -> Int64 {
        var from = from
        while true {
            let match = firstNamed(atOrAfter: from)
            guard match != noMatch else { return noMatch }
            let past = (match - origin) % step
            if past < unit { return match }
            from = match + step - past
        }
    }

    @inline(__always)
    private func firstTime(atOrAfter time: UInt32) -> UInt32 {
        if chosenTimes.isEmpty { return times.first(atOrAfter: time) }
        var low = 0
        var high = chosenTimes.count
        while low < high {
            let middle = (low + high) / 2
            if chosenTimes[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low < chosenTimes.count ? chosenTimes[low] : TimesOfDay.none
    }

    // MARK: Days that count

    /// The days of a month that the rule matches and the interval does not leave out, as bits 1 to 31.
    @inline(__always)
    private func days(of month: RRuleDays.Month) -> UInt32 {
        if interval == 1 || frequency > .daily { return days.days(of: month) }
        return countedDays(of: month)
    }

    @inline(never)
    private func countedDays(of month: RRuleDays.Month) -> UInt32 {
        switch frequency {
        case .yearly: return (Int64(month.year) - origin) % step == 0 ? days.days(of: month) : 0
        case .monthly: return (month.number - origin) % step == 0 ? days.days(of: month) : 0
        default: break
        }
        let named = days.days(of: month)
        guard named != 0 else { return 0 }
        var counted: UInt32 = 0
        let length: Int64 = frequency == .weekly ? 7 : 1
        // The last period that began before the month or with it. The month may begin before the first period.
        let past = month.firstDay < origin ? month.firstDay - origin : (month.firstDay - origin) % step
        var place = -past
        while place < Int64(month.count) {
            let block = (UInt64(1) << UInt64(length)) - 1
            if place + length > 0 { counted |= UInt32(truncatingIfNeeded: place >= 0 ? block << UInt64(place) : block >> UInt64(-place)) }
            place += step
        }
        return named & counted << 1
    }

    /// The next month that can contain days that count.
    private func month(after month: RRuleDays.Month) -> RRuleDays.Month? {
        switch frequency {
        case .monthly where interval > 1:
            let number = month.number
            let next = number + step - (number - origin) % step
            return next < Self.endMonth ? RRuleDays.Month(number: next) : nil
        case .weekly where interval > 1, .daily where interval > 1:
            let next = month.firstDay + Int64(month.count)
            let past = (next - origin) % step
            let day = past < (frequency == .weekly ? 7 : 1) ? next : next + step - past
            return day < Self.endDay ? RRuleDays.Month(of: day) : nil
        default:
            let past = frequency == .yearly ? (Int64(month.year) - origin) % step : 0
            let later = UInt32(days.months) & ~((UInt32(2) &<< UInt32(truncatingIfNeeded: month.month)) &- 1)
            if later != 0, past == 0 { return RRuleDays.Month(year: month.year, month: later.trailingZeroBitCount) }
            let year = Int64(month.year) + (frequency == .yearly ? step - past : 1)
            guard year <= Int64(Civil.endYear) else { return nil }
            return RRuleDays.Month(year: Int(year), month: days.months.trailingZeroBitCount)
        }
    }

    static let endMonth = Int64(Civil.endYear + 1) * 12
    static let endDay = Civil.days(year: Civil.endYear + 1, month: 1, day: 1)
}
