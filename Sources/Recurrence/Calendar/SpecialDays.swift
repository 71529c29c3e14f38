/// Days that depend on the month: days counted from its end, the nearest weekday to a day, the nth Tuesday.
struct SpecialDays: Sendable, Hashable {
    /// Bit n stands for the day n days before the last (`L`, `L-3`; `~` of systemd).
    var beforeLast: UInt32 = 0
    /// Bit n, 1 to 31, stands for the Monday to Friday nearest to the nth, within the month (`15W`). A month without an nth has
    /// none (Quartz).
    var nearest: UInt32 = 0
    /// Bit n stands for the nearest weekday to the day n days before the last (`LW`, `L-3W`).
    var nearestBeforeLast: UInt32 = 0
    /// Bit 8 w + n, n from 1 to 5, stands for the nth weekday w (`2#3`). n = 0 stands for the last one (`5L`).
    var nthWeekdays: UInt64 = 0

    static let none = SpecialDays()

    var hasDaysOfMonth: Bool { beforeLast | nearest | nearestBeforeLast != 0 }

    mutating func formUnion(_ other: SpecialDays) {
        beforeLast |= other.beforeLast
        nearest |= other.nearest
        nearestBeforeLast |= other.nearestBeforeLast
        nthWeekdays |= other.nthWeekdays
    }

    /// The days that the day-of-month part matches, as bits 1 to 31. `first` is the weekday of the 1st.
    func daysOfMonth(first: Int, daysInMonth: Int) -> UInt32 {
        var days: UInt32 = 0
        for n in bits(UInt64(beforeLast)) where n < daysInMonth { days |= 1 << UInt32(daysInMonth - n) }
        for day in bits(UInt64(nearest)) where day <= daysInMonth {
            days |= 1 << UInt32(Self.nearestWeekday(day, first, daysInMonth))
        }
        for n in bits(UInt64(nearestBeforeLast)) where n < daysInMonth {
            days |= 1 << UInt32(Self.nearestWeekday(daysInMonth - n, first, daysInMonth))
        }
        return days
    }

    /// The days that the day-of-week part matches.
    func daysOfWeek(first: Int, daysInMonth: Int) -> UInt32 {
        var days: UInt32 = 0
        for bit in bits(nthWeekdays) {
            let weekday = bit >> 3
            let n = bit & 7
            let firstDay = (weekday - first + 7) % 7 + 1
            let day = n == 0 ? firstDay + (daysInMonth - firstDay) / 7 * 7 : firstDay + (n - 1) * 7
            if day <= daysInMonth { days |= 1 << UInt32(day) }
        }
        return days
    }

    /// Moves Saturday to Friday and Sunday to Monday, unless that would leave the month (Quartz, `W`).
    private static func nearestWeekday(_ day: Int, _ first: Int, _ daysInMonth: Int) -> Int {
        switch (first + day - 1) % 7 {
        case 6: day > 1 ? day - 1 : 3
        case 0: day < daysInMonth ? day + 1 : daysInMonth - 2
        default: day
        }
    }

    /// The numbers of the bits that are set, ascending.
    private func bits(_ set: UInt64) -> some Sequence<Int> {
        sequence(state: set) { rest in
            guard rest != 0 else { return nil }
            defer { rest &= rest - 1 }
            return rest.trailingZeroBitCount
        }
    }
}
