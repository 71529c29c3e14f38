/// Which days of a month match: day of month and day of week as bit sets, and how the two combine.
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

    /// The matching days of a month as bits 1 to 31. `firstDay` is the day number of its 1st.
    @inline(__always)
    func days(firstDay: Int64, daysInMonth: Int) -> UInt32 {
        let inMonth = UInt32(truncatingIfNeeded: (UInt64(2) &<< UInt64(truncatingIfNeeded: daysInMonth)) &- 2)
        // The week as seen from the 1st, five times over, gives each day of the month its weekday's bit.
        let first = UInt64(truncatingIfNeeded: Civil.weekday(days: firstDay))
        let week = UInt64(daysOfWeek)
        let turned = ((week | week &<< 7) &>> first) & 0x7F
        let byWeekday = UInt32(truncatingIfNeeded: (turned &* 0x10_2040_81) &<< 1)
        switch combination {
        case .both: return daysOfMonth & byWeekday & inMonth
        case .either: return (daysOfMonth | byWeekday) & inMonth
        }
    }
}
