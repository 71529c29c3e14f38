// Writes patterns as text that `PatternParser` reads back as equal patterns.

extension WallFields {
    /// `01|02.**.05.00.00`, or `saturday|sunday.22.00.00` if the day of the week matters.
    var patternText: String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        func list(_ set: UInt64, _ values: some Collection<Int>, _ name: (Int) -> String) -> String {
            let named = values.filter { set & 1 << UInt64($0) != 0 }
            return named.count == values.count ? "**" : named.map(name).joined(separator: "|")
        }
        let time = [hours.trailingZeroBitCount, minutes.trailingZeroBitCount, seconds.trailingZeroBitCount].map(two)
        // From Monday on, as people write them.
        let weekdays = list(UInt64(days.daysOfWeek), [1, 2, 3, 4, 5, 6, 0]) { PatternParser.weekdayNames[$0] }
        let date = weekdays == "**"
            ? [list(UInt64(months), Array(1...12), two), list(UInt64(days.daysOfMonth), Array(1...31), two)] : [weekdays]
        return (date + time).joined(separator: ".")
    }
}

extension Span {
    /// `50.seconds` in the largest unit that fits. Nil when no pattern can express the span.
    var patternText: String? {
        if months > 0, milliseconds == 0 { return "\(months).months" }
        guard months == 0, milliseconds > 0, milliseconds % 1000 == 0 else { return nil }
        let seconds = milliseconds / 1000
        for (unit, length) in [("weeks", 604_800), ("days", 86_400), ("hours", 3600), ("minutes", 60)] as [(String, Int64)]
        where seconds % length == 0 {
            return "\(seconds / length).\(unit)"
        }
        return "\(seconds).seconds"
    }
}
