/// The matching days of a month: day of month and day of week as bit sets, and the way they combine.
struct DayRule: Sendable, Hashable {
    enum Combination: UInt8, Sendable, Hashable {
        /// A day must match both: one of the fields begins with `*`.
        case both
        /// A day must match one: both fields are restricted (crontab(5)).
        case either
    }

    /// Bits 1 to 31.
    var daysOfMonth: UInt32
    /// Bits 0 (Sunday) to 6.
    var daysOfWeek: UInt8
    var combination: Combination

    /// The matching days of a month as bits 1 to 31. `firstDay` is the day number of the month's 1st.
    @inline(__always)
    func days(firstDay: Int64, daysInMonth: Int) -> UInt32 {
        combined(daysOfMonth, Self.weekdays(daysOfWeek, first: Civil.weekday(days: firstDay))) & Self.all(daysInMonth)
    }

    /// The same, with days that depend on the month.
    @inline(never)
    func days(firstDay: Int64, daysInMonth: Int, with special: SpecialDays) -> UInt32 {
        let first = Civil.weekday(days: firstDay)
        let byDay = daysOfMonth | special.daysOfMonth(first: first, daysInMonth: daysInMonth)
        let byWeekday = Self.weekdays(daysOfWeek, first: first) | special.daysOfWeek(first: first, daysInMonth: daysInMonth)
        return combined(byDay, byWeekday) & Self.all(daysInMonth)
    }

    /// Bits 1 to `daysInMonth`.
    @inline(__always)
    static func all(_ daysInMonth: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: (UInt64(2) &<< UInt64(truncatingIfNeeded: daysInMonth)) &- 2)
    }

    /// The days whose weekday is in a set, in a month that begins with the weekday `first`. Bits 0 (Sunday) to 6 are the set.
    @inline(__always)
    static func weekdays(_ daysOfWeek: UInt8, first: Int) -> UInt32 {
        // The week as seen from the 1st, repeated five times, sets the bit of each day whose weekday is in the set.
        let week = UInt64(daysOfWeek)
        let turned = ((week | week &<< 7) &>> UInt64(truncatingIfNeeded: first)) & 0x7F
        return UInt32(truncatingIfNeeded: (turned &* 0x10_2040_81) &<< 1)
    }

    @inline(__always)
    private func combined(_ byDay: UInt32, _ byWeekday: UInt32) -> UInt32 {
        combination == .both ? byDay & byWeekday : byDay | byWeekday
    }
}
