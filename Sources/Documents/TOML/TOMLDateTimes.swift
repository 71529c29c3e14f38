// Dates and times: RFC 3339 with the restrictions of TOML 1.1. `T` and `Z` may be lower case, a space may replace `T`, and the
// offset, the date, the time or the seconds may be missing. Missing seconds are 0.

extension TOMLParser {
    var looksLikeDate: Bool { digits(4, ahead: 0) && cursor.byte(ahead: 4) == Byte.minus }
    var looksLikeTime: Bool { digits(2, ahead: 0) && cursor.byte(ahead: 2) == Byte.colon }

    private func digits(_ count: Int, ahead: Int) -> Bool {
        for place in 0..<count where !cursor.byte(ahead: ahead + place).isDigit { return false }
        return true
    }

    mutating func dateTime() throws(DocumentError) -> DateTime {
        var result = DateTime(kind: .localTime)
        guard looksLikeDate else {
            try time(into: &result)
            try endOfToken()
            return result
        }
        try date(into: &result)
        let separator = cursor.byte
        let hasTime = separator | 0x20 == UInt8(ascii: "t") || (separator == Byte.space && cursor.byte(ahead: 1).isDigit)
        guard hasTime else {
            result.kind = .localDate
            try endOfToken()
            return result
        }
        cursor.offset += 1
        try time(into: &result)
        result.kind = .localDateTime
        if let minutes = try offset() {
            result.kind = .offsetDateTime
            result.offsetMinutes = minutes
        }
        try endOfToken()
        return result
    }

    private mutating func date(into result: inout DateTime) throws(DocumentError) {
        result.year = try number(digits: 4, in: 0...9999, "a year")
        try separator(Byte.minus, "-")
        result.month = try number(digits: 2, in: 1...12, "a month")
        try separator(Byte.minus, "-")
        let last = DateTime.days(inMonth: result.month, ofYear: result.year)
        result.day = try number(digits: 2, in: 1...last, "a day of that month")
    }

    private mutating func time(into result: inout DateTime) throws(DocumentError) {
        result.hour = try number(digits: 2, in: 0...23, "an hour")
        try separator(Byte.colon, ":")
        result.minute = try number(digits: 2, in: 0...59, "a minute")
        guard cursor.byte == Byte.colon else { return }
        cursor.offset += 1
        result.second = try number(digits: 2, in: 0...60, "a second")
        guard cursor.byte == Byte.dot else { return }
        cursor.offset += 1
        guard cursor.byte.isDigit else {
            throw cursor.failure(at: cursor.offset, "expected a digit of the fraction, found \(cursor.found())")
        }
        var scale = 100_000_000
        while cursor.byte.isDigit {
            result.nanosecond += Int(cursor.byte - Byte.zero) * scale
            scale /= 10
            cursor.offset += 1
        }
    }

    /// Minutes east of UTC. Nil when there is no offset at the cursor.
    private mutating func offset() throws(DocumentError) -> Int? {
        let sign: Int
        switch cursor.byte {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"):
            cursor.offset += 1
            return 0
        case Byte.plus: sign = 1
        case Byte.minus: sign = -1
        default: return nil
        }
        cursor.offset += 1
        let hours = try number(digits: 2, in: 0...23, "the hours of an offset")
        try separator(Byte.colon, ":")
        return sign * (hours * 60 + (try number(digits: 2, in: 0...59, "the minutes of an offset")))
    }

    private mutating func number(
        digits count: Int, in range: ClosedRange<Int>, _ what: String
    ) throws(DocumentError) -> Int {
        let start = cursor.offset
        guard digits(count, ahead: 0) else {
            throw cursor.failure(at: start, "expected \(what) of \(count) digits, found \(cursor.found())")
        }
        var value = 0
        for _ in 0..<count {
            value = value * 10 + Int(cursor.byte - Byte.zero)
            cursor.offset += 1
        }
        guard range.contains(value) else {
            throw cursor.failure(
                at: start, "expected \(what) from \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
        return value
    }

    private mutating func separator(_ byte: UInt8, _ text: String) throws(DocumentError) {
        guard cursor.byte == byte else {
            throw cursor.failure(at: cursor.offset, "expected '\(text)' in a date or time, found \(cursor.found())")
        }
        cursor.offset += 1
    }

    /// The text after a date must not look like a continuation of it.
    private func endOfToken() throws(DocumentError) {
        let byte = cursor.byte
        if TOMLParser.isBareKey(byte) || byte == Byte.dot || byte == Byte.colon || byte == Byte.plus {
            throw cursor.failure(
                at: cursor.offset, "expected the date or time to end here, found \(cursor.found())",
                hint: "text that is not a plain date or time goes into quotes")
        }
    }
}
