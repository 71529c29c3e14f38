extension Span {
    /// Reads a duration: Go (`1h30m`), systemd.time(7) (`2 days`, `1h 30min`, `5`), or ISO 8601 (`PT1H30M`, `P1Y2M`).
    ///
    /// A number without a unit is in seconds. Case matters: `M` is months, `m` minutes. The result is rounded to milliseconds,
    /// halves up. Negative, infinite and very long spans (more than 10,000 years) are refused.
    public static func parse(_ text: String) throws(RecurrenceError) -> Span {
        var parser = SpanParser(text)
        return try parser.parse()
    }
}

private struct SpanParser {
    private let text: String
    private var scanner: ByteScanner
    private var months = 0
    private var nanoseconds: Int128 = 0

    init(_ text: String) {
        self.text = text
        scanner = ByteScanner(text)
    }

    mutating func parse() throws(RecurrenceError) -> Span {
        scanner.skipBlanks()
        guard !scanner.isAtEnd else { throw RecurrenceError("the duration is empty", hint: Self.shapeHint) }
        guard scanner.peek != UInt8(ascii: "-") else {
            throw RecurrenceError("a duration can't be negative: \(quoted(text))", offset: scanner.position)
        }
        _ = scanner.take("+")
        if let byte = scanner.peek, byte.lowercased == UInt8(ascii: "p") { try iso() } else { try units() }

        let milliseconds = (nanoseconds + 500_000) / 1_000_000
        guard milliseconds <= Int128(Span.longestMilliseconds), months <= Span.longestMonths else { throw tooLong() }
        return Span(months: months, milliseconds: Int64(milliseconds))
    }

    private static let shapeHint = "for example 90s, 1h30m, 2 days or PT1H30M"

    // MARK: Numbers

    /// An unsigned decimal, with as much of its fraction as has an effect.
    private struct Number {
        var start: Int
        var whole: UInt64
        var fraction: Int128
        /// The power of ten by which `fraction` is divided.
        var scale: Int128
        var endsWithPoint: Bool
    }

    private mutating func number(commaIsPoint: Bool = false) throws(RecurrenceError) -> Number {
        var number = Number(start: scanner.position, whole: 0, fraction: 0, scale: 1, endsWithPoint: false)
        var digits = 0
        while let byte = scanner.peek, byte.isDigit {
            let (product, overflow) = number.whole.multipliedReportingOverflow(by: 10)
            guard !overflow, product <= UInt64(Int64.max) else { throw tooLong() }
            number.whole = product + UInt64(byte - UInt8(ascii: "0"))
            digits += 1
            scanner.advance()
        }
        if scanner.take(".") || (commaIsPoint && scanner.take(",")) {
            number.endsWithPoint = true
            while let byte = scanner.peek, byte.isDigit {
                // Digits after the 18th are below a nanosecond in every unit.
                if number.scale < 1_000_000_000_000_000_000 {
                    number.fraction = number.fraction * 10 + Int128(byte - UInt8(ascii: "0"))
                    number.scale *= 10
                }
                number.endsWithPoint = false
                digits += 1
                scanner.advance()
            }
        }
        guard digits > 0 else {
            scanner.position = number.start
            if let byte = scanner.peek, byte == UInt8(ascii: "-") {
                throw error("a duration can't be negative: \(quoted(text))", at: number.start)
            }
            throw error("expected a number in the duration \(quoted(text))", at: number.start, hint: Self.shapeHint)
        }
        return number
    }

    private mutating func add(_ number: Number, nanosecondsPerUnit: Int128) throws(RecurrenceError) {
        // The product of 63 bits and a week in nanoseconds (50 bits) fits 127.
        nanoseconds += Int128(number.whole) * nanosecondsPerUnit + number.fraction * nanosecondsPerUnit / number.scale
        guard nanoseconds / 1_000_000 <= Int128(Span.longestMilliseconds) else { throw tooLong() }
    }

    /// Whole months are calendar months. A remaining fraction of a month is converted to days: a month is 30.44 days.
    private mutating func add(_ number: Number, monthsPerUnit: Int) throws(RecurrenceError) {
        guard number.whole <= UInt64(Span.longestMonths) else { throw tooLong() }
        let scaled = number.fraction * Int128(monthsPerUnit)
        months += Int(number.whole) * monthsPerUnit + Int(scaled / number.scale)
        guard months <= Span.longestMonths else { throw tooLong() }
        nanoseconds += scaled % number.scale * Int128(Span.millisecondsPerMonth) * 1_000_000 / number.scale
    }

    // MARK: Go and systemd

    private mutating func units() throws(RecurrenceError) {
        while true {
            scanner.skipBlanks()
            if scanner.isAtEnd { return }
            let number = try number()
            let touching = scanner.peek
            scanner.skipBlanks()
            let start = scanner.position
            while let byte = scanner.peek, byte.isLetter || byte >= 0x80 { scanner.advance() }
            let unit = scanner.text(from: start, to: scanner.position)
            if unit.isEmpty {
                // 12.34.56 and 3.-1 are not lists of numbers, but systemd reads "3.1 .2s" as one.
                guard !number.endsWithPoint, touching == nil || touching!.isBlank else {
                    throw error("malformed number in the duration \(quoted(text))", at: number.start)
                }
                try add(number, nanosecondsPerUnit: 1_000_000_000)
            } else if let nanoseconds = Self.nanoseconds(in: unit) {
                try add(number, nanosecondsPerUnit: nanoseconds)
            } else if let months = Self.months(in: unit) {
                try add(number, monthsPerUnit: months)
            } else {
                throw unknown(unit: unit, at: start)
            }
        }
    }

    /// systemd.time(7), "Parsing Time Spans", and the plurals of its short forms. Units of one or two letters are case-sensitive,
    /// longer words are not.
    private static func nanoseconds(in unit: String) -> Int128? {
        switch unit.utf8.count > 2 ? unit.asciiLowercased : unit {
        // Two different characters are used for micro: U+00B5 and U+03BC.
        case "ns", "nsec", "nsecs", "nanosecond", "nanoseconds": 1
        case "us", "\u{B5}s", "\u{3BC}s", "usec", "usecs", "microsecond", "microseconds": 1_000
        case "ms", "msec", "msecs", "millisecond", "milliseconds": 1_000_000
        case "s", "sec", "secs", "second", "seconds": 1_000_000_000
        case "m", "min", "mins", "minute", "minutes": 60_000_000_000
        case "h", "hr", "hrs", "hour", "hours": 3_600_000_000_000
        case "d", "day", "days": 86_400_000_000_000
        case "w", "week", "weeks": 604_800_000_000_000
        default: nil
        }
    }

    private static func months(in unit: String) -> Int? {
        switch unit.utf8.count > 2 ? unit.asciiLowercased : unit {
        case "M", "month", "months": 1
        case "y", "year", "years": 12
        default: nil
        }
    }

    private func unknown(unit: String, at place: Int) -> RecurrenceError {
        let known = [
            "seconds", "minutes", "hours", "days", "weeks", "months", "years", "sec", "min", "ms", "us", "ns",
        ]
        var hint = "units are ns us ms s m h d w M y, or words such as minutes"
        let lower = unit.asciiLowercased
        if unit.utf8.count <= 2, unit != lower, Self.nanoseconds(in: lower) != nil || Self.months(in: lower) != nil {
            hint = "did you mean \(lower)?"
        } else if let near = known.min(by: { $0.editDistance(to: unit) < $1.editDistance(to: unit) }),
            near.editDistance(to: unit) <= min(2, unit.utf8.count / 2)
        {
            hint = "did you mean \(near)?"
        }
        return error("unknown unit \(quoted(unit)) in the duration \(quoted(text))", at: place, hint: hint)
    }

    // MARK: ISO 8601

    /// Reads `P[nY][nM][nW][nD][T[nH][nM][nS]]` with a fraction anywhere, or `PYYYY-MM-DDThh:mm:ss`.
    private mutating func iso() throws(RecurrenceError) {
        scanner.advance()
        if scanner.peek(ahead: 4) == UInt8(ascii: "-") { return try isoAlternative() }
        let dateUnits = Array("ymwd".utf8)
        let timeUnits = Array("hms".utf8)
        var inTime = false
        var rank = -1
        var parts = 0
        while true {
            if !inTime, let byte = scanner.peek, byte.lowercased == UInt8(ascii: "t") {
                scanner.advance()
                inTime = true
                rank = -1
                parts = 0
            }
            let rest = scanner.position
            scanner.skipBlanks()
            if scanner.isAtEnd { break }
            scanner.position = rest
            let number = try number(commaIsPoint: true)
            let place = scanner.position
            let units = inTime ? timeUnits : dateUnits
            guard let byte = scanner.peek, let order = units.firstIndex(of: byte.lowercased), order > rank else {
                let expected = inTime ? "H M S" : "Y M W D or T"
                throw error(
                    "expected one of \(expected), in this order, in the ISO 8601 duration \(quoted(text))", at: place)
            }
            scanner.advance()
            rank = order
            parts += 1
            switch (inTime, order) {
            case (false, 0): try add(number, monthsPerUnit: 12)
            case (false, 1): try add(number, monthsPerUnit: 1)
            case (false, 2): try add(number, nanosecondsPerUnit: 604_800_000_000_000)
            case (false, _): try add(number, nanosecondsPerUnit: 86_400_000_000_000)
            case (true, 0): try add(number, nanosecondsPerUnit: 3_600_000_000_000)
            case (true, 1): try add(number, nanosecondsPerUnit: 60_000_000_000)
            case (true, _): try add(number, nanosecondsPerUnit: 1_000_000_000)
            }
        }
        guard parts > 0 else {
            throw error("the ISO 8601 duration \(quoted(text)) is incomplete", at: scanner.bytes.count, hint: Self.shapeHint)
        }
    }

    private mutating func isoAlternative() throws(RecurrenceError) {
        let start = scanner.position
        guard let years = scanner.number(digits: 4), scanner.take("-"), let months = scanner.number(digits: 2), months < 12,
            scanner.take("-"), let days = scanner.number(digits: 2), days <= 30,
            scanner.take("T"), let hours = scanner.number(digits: 2), hours < 24,
            scanner.take(":"), let minutes = scanner.number(digits: 2), minutes < 60,
            scanner.take(":"), let seconds = scanner.number(digits: 2), seconds < 60, scanner.isAtEnd
        else {
            throw error("malformed ISO 8601 duration \(quoted(text))", at: start, hint: "for example P0001-02-03T04:05:06")
        }
        self.months = years * 12 + months
        nanoseconds = Int128(((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000_000
    }

    // MARK: Errors

    private func tooLong() -> RecurrenceError {
        RecurrenceError("the duration \(quoted(text)) is longer than 10,000 years")
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
