/// An expression of systemd.time(7), "Calendar Events", split into its components.
///
/// Each component keeps the list of items that was written, because the normalized text shows it: `0/2` and `0..23/2` are the
/// same hours in different forms.
struct CalendarExpression {
    /// Bits 0 (Monday, systemd's first) to 6. 0 means any day.
    var weekdays: UInt8 = 0
    var year = CalendarChain.any
    var month = CalendarChain.any
    var day = CalendarChain.any
    /// True when the days are counted back from the end of the month: `~1` is the last. They are not `*` then.
    var daysAreFromEnd = false
    var hour = CalendarChain(0)
    var minute = CalendarChain(0)
    /// In microseconds.
    var second = CalendarChain(0)
    /// The zone as written, or `UTC` for `@1790000000`.
    var zone: String?
    /// The position of the zone in characters. Nil when no zone was written.
    var zoneOffset: Int?

    /// Remarks about written steps that have a surprising effect which `fields` does not show.
    var stepRemarks: [String] { [year, month, day, hour, minute, second].flatMap(\.remarks) }
}

/// The items of a component. No items means any value.
struct CalendarChain {
    private(set) var items: [CalendarItem]
    /// Remarks about its steps that have a surprising effect.
    var remarks: [String] = []

    static let any = CalendarChain([])
    static let everySecond = CalendarChain([CalendarItem(start: 0, step: CalendarComponent.second.unit)])

    init(_ value: Int) { items = [CalendarItem(start: value)] }

    /// The items in systemd's order, without duplicates.
    init(_ items: [CalendarItem]) {
        self.items = []
        for item in items.sorted() where item != self.items.last { self.items.append(item) }
    }

    var isAny: Bool { items.isEmpty }

    /// The values of the items, without fractions.
    func isWhole(_ component: CalendarComponent) -> Bool {
        items.allSatisfy { $0.start % component.unit == 0 && $0.step % component.unit == 0 }
    }
}

/// `start`, `start..stop`, `start/step`, `start..stop/step`.
struct CalendarItem: Hashable, Comparable {
    var start: Int
    /// The last value. Nil with a step means up to the end of the component.
    var stop: Int?
    /// 0 means `start` alone.
    var step = 0

    static func < (a: CalendarItem, b: CalendarItem) -> Bool {
        (a.start, a.stop ?? -1, a.step) < (b.start, b.stop ?? -1, b.step)
    }

    /// The values in ascending order. `end` is the component's last value.
    func values(to end: Int) -> StrideThrough<Int> {
        stride(from: start, through: step == 0 ? start : stop ?? end, by: max(step, 1))
    }
}

/// The name of a component, its range of values and its printed form.
struct CalendarComponent: Sendable {
    enum Kind: Sendable { case year, month, day, dayFromEnd, hour, minute, second }

    let kind: Kind
    let name: String
    let values: ClosedRange<Int>
    /// The value that is written as 1: a second is counted in microseconds.
    let unit: Int
    /// The number of digits in the normalized text.
    let width: Int

    private init(_ kind: Kind, _ name: String, _ values: ClosedRange<Int>, unit: Int = 1, width: Int = 2) {
        self.kind = kind
        self.name = name
        self.values = values
        self.unit = unit
        self.width = width
    }

    static let year = CalendarComponent(.year, "year", Civil.firstYear...(Civil.endYear - 1), width: 4)
    static let month = CalendarComponent(.month, "month", 1...12)
    static let day = CalendarComponent(.day, "day", 1...31)
    // Every month has a 28th day from its end.
    static let dayFromEnd = CalendarComponent(.dayFromEnd, "day from the end", 1...28)
    static let hour = CalendarComponent(.hour, "hour", 0...23)
    static let minute = CalendarComponent(.minute, "minute", 0...59)
    static let second = CalendarComponent(.second, "second", 0...59_999_999, unit: 1_000_000)

    var isSecond: Bool { kind == .second }
}

// MARK: Bit sets

extension CalendarExpression {
    /// The rule in the form that the search uses. A fraction of a second belongs to its millisecond.
    var fields: WallFields {
        var days: UInt32 = 0
        var special = SpecialDays.none
        if daysAreFromEnd {
            for item in day.items { special.beforeLast |= Self.daysBeforeLast(item) }
        } else {
            days = UInt32(truncatingIfNeeded: Self.bits(day, .day))
        }
        let milliseconds = Self.milliseconds(second)
        let seconds = milliseconds.reduce(UInt64(0)) { $0 | 1 << UInt64($1 / 1000) }
        var stars: WallFields.Stars = []
        if hour.isAny { stars.insert(.hour) }
        if minute.isAny { stars.insert(.minute) }
        let years = Self.years(year)
        let isPlain = years.isEmpty && special == .none && milliseconds.isEmpty
        return WallFields(
            seconds: milliseconds.isEmpty ? Self.bits(second, .second) : seconds, minutes: Self.bits(minute, .minute),
            hours: UInt32(truncatingIfNeeded: Self.bits(hour, .hour)),
            days: DayRule(daysOfMonth: days, daysOfWeek: weekdaysFromSunday, combination: .both),
            months: UInt16(truncatingIfNeeded: Self.bits(month, .month)), stars: stars,
            rare: isPlain ? nil : WallFields.Rare(years: years, days: special, milliseconds: milliseconds))
    }

    private var weekdaysFromSunday: UInt8 {
        weekdays == 0 ? 0x7F : (weekdays << 1 | weekdays >> 6) & 0x7F
    }

    private static func bits(_ chain: CalendarChain, _ component: CalendarComponent) -> UInt64 {
        let items = chain.isAny ? [CalendarItem(start: component.values.lowerBound, step: component.unit)] : chain.items
        var bits: UInt64 = 0
        for item in items {
            for value in item.values(to: component.values.upperBound) { bits |= 1 << UInt64(value / component.unit) }
        }
        return bits
    }

    /// Bit n stands for the day n days before the last.
    private static func daysBeforeLast(_ item: CalendarItem) -> UInt32 {
        // Without a stop the steps continue to the end of the month: `~7/3` is `~7`, `~4` and `~1`.
        let isOpen = item.stop == nil && item.step > 0
        let days = isOpen ? Array(stride(from: item.start, through: 1, by: -item.step)) : Array(item.values(to: item.start))
        return days.reduce(0) { $0 | 1 << UInt32($1 - 1) }
    }

    /// Empty means every year.
    private static func years(_ chain: CalendarChain) -> Bits256 {
        var years = Bits256()
        for item in chain.items {
            for year in item.values(to: CalendarComponent.year.values.upperBound) { years.insert(year - Civil.firstYear) }
        }
        return years.runs == [0...(Civil.endYear - 1 - Civil.firstYear)] ? Bits256() : years
    }

    /// The milliseconds of the minute in ascending order. Empty when there are only whole seconds.
    private static func milliseconds(_ chain: CalendarChain) -> [Int32] {
        guard !chain.isWhole(.second) else { return [] }
        // One bit for each millisecond: a list may name all 60,000 many times over.
        var words = [UInt64](repeating: 0, count: 60_000 / 64 + 1)
        func insert(_ part: Int) { words[part >> 6] |= 1 << UInt64(part & 63) }
        for item in chain.items {
            let end = item.stop ?? CalendarComponent.second.values.upperBound
            if item.step > 0, item.step < 1000 {
                // Steps shorter than a millisecond skip no millisecond.
                let last = item.start + (end - item.start) / item.step * item.step
                for part in (item.start / 1000)...(last / 1000) { insert(part) }
            } else {
                for value in item.values(to: end) { insert(value / 1000) }
            }
        }
        var milliseconds: [Int32] = []
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                milliseconds.append(Int32(index << 6 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return milliseconds
    }
}
