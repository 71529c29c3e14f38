extension WallFields {
    /// The expression in the dialect's numbers, with each field as short as possible. It reads back as equal fields.
    func cronText(_ dialect: CronDialect) -> String {
        dialect.fields.map { text(of: $0, dialect) }.joined(separator: " ")
    }

    private func text(of field: CronField, _ dialect: CronDialect) -> String {
        let star = stars.contains(Stars(field.kind))
        switch field.kind {
        case .second: return Self.text(seconds, 0...59, star: star)
        case .minute: return Self.text(minutes, 0...59, star: star)
        case .hour: return Self.text(UInt64(hours), 0...23, star: star)
        case .month: return Self.text(UInt64(months), 1...12, star: star)
        case .dayOfMonth:
            // If both fields are open, write this one as open: the other one shows more.
            if field.isExtended, daysOfMonthAreAll, !daysOfWeekAreAll { return "?" }
            return Self.joined(Self.text(UInt64(days.daysOfMonth), 1...31, star: star), rare?.days.daysOfMonthText)
        case .dayOfWeek:
            if field.isExtended, daysOfWeekAreAll { return "?" }
            return Self.joined(
                Self.text(UInt64(days.daysOfWeek), 0...6, star: star, base: field.base), rare?.days.daysOfWeekText(base: field.base))
        case .year:
            guard let years = rare?.years, !years.isEmpty else { return "*" }
            return years.runs.map {
                let first = $0.lowerBound + Civil.firstYear
                return $0.count == 1 ? "\(first)" : "\(first)-\($0.upperBound + Civil.firstYear)"
            }.joined(separator: ",")
        }
    }

    var daysOfMonthAreAll: Bool { days.daysOfMonth & 0xFFFF_FFFE == 0xFFFF_FFFE }
    var daysOfWeekAreAll: Bool { days.daysOfWeek & 0x7F == 0x7F }

    private static func joined(_ numbers: String, _ special: String?) -> String {
        [numbers, special ?? ""].filter { !$0.isEmpty }.joined(separator: ",")
    }

    /// `base` is the number that the dialect adds to the values of the set.
    private static func text(_ set: UInt64, _ values: ClosedRange<Int>, star: Bool, base: Int = 0) -> String {
        var rest = set
        var parts: [String] = []
        if star {
            // A set that was written with a star contains `*/n` for some n. The smallest such n describes it best.
            for step in 1...(values.upperBound + 1) {
                let stride = Swift.stride(from: values.lowerBound, through: values.upperBound, by: step)
                    .reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
                if set & stride == stride {
                    parts.append(step == 1 ? "*" : "*/\(step)")
                    rest &= ~stride
                    break
                }
            }
        }
        while rest != 0 {
            let low = rest.trailingZeroBitCount
            let length = (~(rest >> UInt64(low))).trailingZeroBitCount
            let first = low + base
            switch length {
            case 1: parts.append("\(first)")
            case 2: parts.append("\(first),\(first + 1)")
            default: parts.append("\(first)-\(first + length - 1)")
            }
            rest &= ~(((1 << UInt64(length)) - 1) << UInt64(low))
        }
        return parts.joined(separator: ",")
    }
}

extension SpecialDays {
    /// `15W,L,L-3,LW`.
    var daysOfMonthText: String {
        func last(_ n: Int) -> String { n == 0 ? "L" : "L-\(n)" }
        let parts =
            (1...31).filter { nearest & 1 << UInt32($0) != 0 }.map { "\($0)W" }
            + (0...30).filter { beforeLast & 1 << UInt32($0) != 0 }.map(last)
            + (0...30).filter { nearestBeforeLast & 1 << UInt32($0) != 0 }.map { last($0) + "W" }
        return parts.joined(separator: ",")
    }

    /// `2#3,5L`.
    func daysOfWeekText(base: Int) -> String {
        var parts: [String] = []
        for weekday in 0...6 {
            for n in 0...5 where nthWeekdays & 1 << UInt64(weekday * 8 + n) != 0 {
                parts.append(n == 0 ? "\(weekday + base)L" : "\(weekday + base)#\(n)")
            }
        }
        return parts.joined(separator: ",")
    }
}
