extension CronFields {
    /// The expression in numbers, each field as short as it gets. Reads back as equal fields.
    var text: String {
        var parts = [
            Self.text(minutes, 0...59, star: stars.contains(.minute)),
            Self.text(UInt64(hours), 0...23, star: stars.contains(.hour)),
            Self.text(UInt64(days.daysOfMonth), 1...31, star: stars.contains(.dayOfMonth)),
            Self.text(UInt64(months), 1...12, star: stars.contains(.month)),
            Self.text(UInt64(days.daysOfWeek), 0...6, star: stars.contains(.dayOfWeek)),
        ]
        if hasSeconds { parts.insert(Self.text(seconds, 0...59, star: stars.contains(.second)), at: 0) }
        return parts.joined(separator: " ")
    }

    private static func text(_ set: UInt64, _ values: ClosedRange<Int>, star: Bool) -> String {
        var rest = set
        var parts: [String] = []
        if star {
            // A set that was written with a star contains `*/n` for some n; the smallest such n says most.
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
            switch length {
            case 1: parts.append("\(low)")
            case 2: parts.append("\(low),\(low + 1)")
            default: parts.append("\(low)-\(low + length - 1)")
            }
            rest &= ~(((1 << UInt64(length)) - 1) << UInt64(low))
        }
        return parts.joined(separator: ",")
    }
}
