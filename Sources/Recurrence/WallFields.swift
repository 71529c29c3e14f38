/// A wall-clock rule without its zone: one bit set for each field. Takes and returns wall-clock seconds.
struct WallFields: WallRule, Hashable {
    /// Bits 0 to 59.
    var seconds: UInt64
    var minutes: UInt64
    /// Bits 0 to 23.
    var hours: UInt32
    var days: DayRule
    /// Bits 1 to 12.
    var months: UInt16
    /// The fields whose text began with `*`. The star has an effect besides the bits: see `isWildcard` and `DayRule`.
    var stars: Stars
    /// Nil for most rules.
    var rare: Rare?

    /// The parts that few rules have. They are stored apart, so that other rules stay small and fast.
    final class Rare: Sendable, Hashable {
        /// The years minus 1970. Empty means every year.
        let years: Bits256
        let days: SpecialDays
        /// Milliseconds from the beginning of the minute, ascending. Empty means the whole seconds of `seconds`.
        let milliseconds: [Int32]

        init(years: Bits256 = Bits256(), days: SpecialDays = .none, milliseconds: [Int32] = []) {
            self.years = years
            self.days = days
            self.milliseconds = milliseconds
        }

        static func == (a: Rare, b: Rare) -> Bool { a.years == b.years && a.days == b.days && a.milliseconds == b.milliseconds }

        func hash(into hasher: inout Hasher) {
            hasher.combine(years)
            hasher.combine(days)
            hasher.combine(milliseconds)
        }
    }

    struct Stars: OptionSet, Sendable, Hashable {
        let rawValue: UInt8
        static let minute = Stars(rawValue: 1)
        static let hour = Stars(rawValue: 2)
        static let dayOfMonth = Stars(rawValue: 4)
        static let dayOfWeek = Stars(rawValue: 8)
        static let second = Stars(rawValue: 16)
        static let month = Stars(rawValue: 32)
    }

    /// Debian's cron(8) treats jobs whose minute or hour begins with `*` differently when the clock changes.
    var isWildcard: Bool { !stars.isDisjoint(with: [.minute, .hour]) }

    func firstMillisecond(ofSecond second: Int64, atOrAfter part: Int64) -> Int64? {
        guard let parts = rare?.milliseconds, !parts.isEmpty else { return part <= 0 ? 0 : nil }
        let begin = (second - Civil.floorDivide(second, 60) * 60) * 1000
        var low = 0
        var high = parts.count
        while low < high {
            let middle = (low + high) / 2
            if Int64(parts[middle]) < begin + part { low = middle + 1 } else { high = middle }
        }
        guard low < parts.count, Int64(parts[low]) < begin + 1000 else { return nil }
        return Int64(parts[low]) - begin
    }

    var hasMilliseconds: Bool { rare.map { !$0.milliseconds.isEmpty } ?? false }

    /// Jumps from field to field to the position of the next bit: one step for each month without a matching day, none for hours,
    /// minutes or seconds.
    @inline(__always)
    func firstMatch(atOrAfter local: Int64) -> Int64 {
        let day = Civil.floorDivide(local, Civil.secondsPerDay)
        let date = Civil.date(days: day)
        guard date.year <= Civil.endYear else { return noMatch }
        if let rare, !rare.years.isEmpty, !rare.years.contains(date.year &- Civil.firstYear) {
            return firstMatch(afterYear: date.year, month: 12)
        }
        if months & (1 &<< UInt16(truncatingIfNeeded: date.month)) != 0 {
            let firstDay = day &- Int64(date.day) &+ 1
            let matching = matchingDays(
                firstDay: firstDay, daysInMonth: Civil.daysInMonth(year: date.year, month: date.month))
            let today = UInt32(1) &<< UInt32(truncatingIfNeeded: date.day)
            if matching & today != 0 {
                let time = times.first(atOrAfter: UInt32(truncatingIfNeeded: local &- day &* Civil.secondsPerDay))
                if time != TimesOfDay.none { return day &* Civil.secondsPerDay &+ Int64(time) }
            }
            let later = matching & ~(today | (today &- 1))
            if later != 0 { return at(firstDay: firstDay, matching: later) }
        }
        return firstMatch(afterYear: date.year, month: date.month)
    }

    @inline(never)
    private func firstMatch(afterYear startYear: Int, month startMonth: Int) -> Int64 {
        var year = startYear
        var month = startMonth
        while true {
            let later = UInt32(months) & ~((UInt32(2) &<< UInt32(truncatingIfNeeded: month)) &- 1)
            if later != 0 {
                month = later.trailingZeroBitCount
            } else {
                guard months != 0, let next = firstYear(after: year) else { return noMatch }
                year = next
                month = months.trailingZeroBitCount
            }
            let firstDay = Civil.days(year: year, month: month, day: 1)
            let matching = matchingDays(firstDay: firstDay, daysInMonth: Civil.daysInMonth(year: year, month: month))
            if matching != 0 { return at(firstDay: firstDay, matching: matching) }
        }
    }

    private func firstYear(after year: Int) -> Int? {
        guard let rare, !rare.years.isEmpty else { return year < Civil.endYear ? year &+ 1 : nil }
        return rare.years.first(atOrAbove: year &+ 1 &- Civil.firstYear).map { $0 &+ Civil.firstYear }
    }

    /// The matching days of a month as bits 1 to 31. `firstDay` is the day number of the month's 1st.
    @inline(__always)
    private func matchingDays(firstDay: Int64, daysInMonth: Int) -> UInt32 {
        if let rare { return days.days(firstDay: firstDay, daysInMonth: daysInMonth, with: rare.days) }
        return days.days(firstDay: firstDay, daysInMonth: daysInMonth)
    }

    /// The first time on the first of the matching days of a month.
    @inline(__always)
    private func at(firstDay: Int64, matching: UInt32) -> Int64 {
        let day = firstDay &+ Int64(matching.trailingZeroBitCount &- 1)
        return day &* Civil.secondsPerDay &+ Int64(times.first)
    }

    @inline(__always)
    private var times: TimesOfDay { TimesOfDay(hours: hours, minutes: minutes, seconds: seconds) }
}
