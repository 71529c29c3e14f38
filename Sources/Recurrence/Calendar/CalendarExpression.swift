/// An expression of systemd.time(7), "Calendar Events", taken apart.
///
/// Each component stays the chain of items that was written, because the normalized text shows it: `0/2` and `0..23/2` are
/// the same hours in different words.
struct CalendarExpression {
    /// Bits 0 (Monday, systemd's first) to 6; 0: any.
    var weekdays: UInt8 = 0
    var year = CalendarChain.any
    var month = CalendarChain.any
    var day = CalendarChain.any
    /// The days, which are not `*`, are counted back from the end of the month: `~1` is the last.
    var daysAreFromEnd = false
    var hour = CalendarChain(0)
    var minute = CalendarChain(0)
    /// In microseconds.
    var second = CalendarChain(0)
    /// As written, or `UTC`, which is what `@1790000000` means.
    var zone: String?
    /// Where the zone stands, in characters; nil when none was written.
    var zoneOffset: Int?

    /// What surprises in the steps that were written and does not show in `fields`.
    var stepRemarks: [String] { [year, month, day, hour, minute, second].flatMap(\.remarks) }
}

/// The items of a component; none: any value.
struct CalendarChain {
    private(set) var items: [CalendarItem]
    /// What surprises in its steps.
    var remarks: [String] = []

    static let any = CalendarChain([])
    static let everySecond = CalendarChain([CalendarItem(start: 0, step: CalendarComponent.second.unit)])

    init(_ value: Int) { items = [CalendarItem(start: value)] }

    /// In systemd's order, each once.
    init(_ items: [CalendarItem]) {
        self.items = []
        for item in items.sorted() where item != self.items.last { self.items.append(item) }
    }

    var isAny: Bool { items.isEmpty }

    /// Without fractions.
    func isWhole(_ component: CalendarComponent) -> Bool {
        items.allSatisfy { $0.start % component.unit == 0 && $0.step % component.unit == 0 }
    }
}

/// `start`, `start..stop`, `start/step`, `start..stop/step`.
struct CalendarItem: Hashable, Comparable {
    var start: Int
    /// The last value; nil with a step: on to the end of the component.
    var stop: Int?
    /// 0: `start` alone.
    var step = 0

    static func < (a: CalendarItem, b: CalendarItem) -> Bool {
        (a.start, a.stop ?? -1, a.step) < (b.start, b.stop ?? -1, b.step)
    }

    /// The values, ascending; `end` is the component's last.
    func values(to end: Int) -> StrideThrough<Int> {
        stride(from: start, through: step == 0 ? start : stop ?? end, by: max(step, 1))
    }
}

/// What a component is called, which values it takes and how it is printed.
struct CalendarComponent: Sendable {
    enum Kind: Sendable { case year, month, day, dayFromEnd, hour, minute, second }

    let kind: Kind
    let name: String
    let values: ClosedRange<Int>
    /// What 1 is written for: a second is counted in microseconds.
    let unit: Int
    /// Digits in the normalized text.
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
    /// The rule as the clock walks it. Fractions of a second fall to the millisecond in which they lie.
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

    /// Bit n: the day n days before the last.
    private static func daysBeforeLast(_ item: CalendarItem) -> UInt32 {
        // Without a stop the steps go on to the end of the month: `~7/3` are `~7`, `~4` and `~1`.
        let isOpen = item.stop == nil && item.step > 0
        let days = isOpen ? Array(stride(from: item.start, through: 1, by: -item.step)) : Array(item.values(to: item.start))
        return days.reduce(0) { $0 | 1 << UInt32($1 - 1) }
    }

    /// Empty for every year.
    private static func years(_ chain: CalendarChain) -> Bits256 {
        var years = Bits256()
        for item in chain.items {
            for year in item.values(to: CalendarComponent.year.values.upperBound) { years.insert(year - Civil.firstYear) }
        }
        return years.runs == [0...(Civil.endYear - 1 - Civil.firstYear)] ? Bits256() : years
    }

    /// The milliseconds of the minute, ascending; empty when there are whole seconds alone.
    private static func milliseconds(_ chain: CalendarChain) -> [Int32] {
        guard !chain.isWhole(.second) else { return [] }
        // One bit each, as a chain may name all 60,000 many times over.
        var words = [UInt64](repeating: 0, count: 60_000 / 64 + 1)
        func insert(_ part: Int) { words[part >> 6] |= 1 << UInt64(part & 63) }
        for item in chain.items {
            let end = item.stop ?? CalendarComponent.second.values.upperBound
            if item.step > 0, item.step < 1000 {
                // Steps shorter than a millisecond leave none out.
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
