/// Reads one field: a list of `*`, `*/n`, `a`, `a-b`, `a-b/n`, and `H`, `H/n`, `H(a-b)`, `H(a-b)/n`.
struct CronFieldParser {
    private let field: CronField
    private let end: Int
    private let word: Range<Int>
    private let stableSeed: UInt64
    private var scanner: ByteScanner

    /// Known once `parse` has returned.
    private(set) var beginsWithStar = false

    init(_ field: CronField, scanner: ByteScanner, word: Range<Int>, stableSeed: UInt64) {
        self.field = field
        self.word = word
        self.stableSeed = stableSeed
        self.end = word.upperBound
        self.scanner = scanner
        self.scanner.position = word.lowerBound
    }

    /// The bits of the values that the field names.
    mutating func parse() throws(RecurrenceError) -> UInt64 {
        beginsWithStar = next == UInt8(ascii: "*")
        var set: UInt64 = 0
        while true {
            set |= try item()
            guard let byte = next else { return set }
            guard byte == UInt8(ascii: ",") else { throw unexpected() }
            scanner.advance()
        }
    }

    private var next: UInt8? { scanner.position < end ? scanner.peek : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        scanner.position < end && scanner.take(character)
    }

    private mutating func item() throws(RecurrenceError) -> UInt64 {
        guard let byte = next else { throw error("\(field.name): a value is missing", at: scanner.position) }
        if byte == UInt8(ascii: "*") {
            scanner.advance()
            return Self.stride(field.values, by: try step() ?? 1)
        }
        if byte == UInt8(ascii: "H") || byte == UInt8(ascii: "h") {
            scanner.advance()
            return try hashed()
        }
        let start = scanner.position
        let low = try value()
        guard take("-") else {
            if next == UInt8(ascii: "/") {
                let written = text(from: start, to: scanner.position)
                let step = text(from: scanner.position, to: itemEnd)
                throw error(
                    "\(field.name): a step needs a range, found \(quoted(written + step))", at: start,
                    hint: "did you mean \(written)-\(field.values.upperBound)\(step) or */\(step.dropFirst())?")
            }
            return 1 << UInt64(low)
        }
        let high = try value()
        guard low <= high else {
            var hint =
                "write the lower value first, or two ranges: \(low)-\(field.values.upperBound),\(field.values.lowerBound)-\(high)"
            if field.star == .dayOfWeek, high == 0 { hint = "Sunday at the end of a range is 7: \(low)-7" }
            throw error(
                "\(field.name): range \(text(from: start, to: scanner.position)) is reversed", at: start, hint: hint)
        }
        return Self.stride(low...high, by: try step() ?? 1)
    }

    private static func stride(_ values: ClosedRange<Int>, by step: Int) -> UInt64 {
        var set: UInt64 = 0
        for value in Swift.stride(from: values.lowerBound, through: values.upperBound, by: step) { set |= 1 << UInt64(value) }
        return set
    }

    /// `/n`, if it follows.
    private mutating func step() throws(RecurrenceError) -> Int? {
        guard take("/") else { return nil }
        let start = scanner.position
        let digits = text(from: start, to: digitsEnd)
        guard !digits.isEmpty else { throw unexpected(expected: "a number after /") }
        scanner.position = digitsEnd
        // Longer than the range is allowed: `*/100,1-7` for a day of month means 1-7, with the star's say in `DayRule`.
        guard digits.utf8.count <= 6, let step = Int(digits), step > 0 else {
            throw error("\(field.name): step \(digits) is out of range 1-999999", at: start)
        }
        return step
    }

    private mutating func value() throws(RecurrenceError) -> Int {
        let start = scanner.position
        guard let byte = next else { throw error("\(field.name): a value is missing", at: start) }
        if byte.isDigit {
            let digits = text(from: start, to: digitsEnd)
            scanner.position = digitsEnd
            guard let value = Int(digits), field.values.contains(value) else {
                throw error(
                    "\(field.name) \(digits) is out of range \(field.values.lowerBound)-\(field.values.upperBound)",
                    at: start)
            }
            return value
        }
        if byte.isLetter, !field.names.isEmpty {
            var place = start
            while place < end, scanner.bytes[place].isLetter { place += 1 }
            let name = text(from: start, to: place)
            if let number = field.names.firstIndex(of: name.asciiLowercased) {
                scanner.position = place
                return number + field.firstName
            }
            let near = field.names.min { $0.editDistance(to: name) < $1.editDistance(to: name) }
            let prefix = field.names.first { name.asciiLowercased.hasPrefix($0) }
            var hint = "allowed are \(field.allowed)"
            if let prefix {
                hint = "names have three letters: \(prefix)"
            } else if let near, near.editDistance(to: name) <= 1 {
                hint = "did you mean \(near)?"
            }
            throw error("\(field.name): unknown name \(quoted(name))", at: start, hint: hint)
        }
        throw unexpected()
    }

    // MARK: H

    /// A value, or a shift of a step, that the seed and the field decide.
    private mutating func hashed() throws(RecurrenceError) -> UInt64 {
        var values = field.values.lowerBound...field.hashedEnd
        if take("(") {
            let start = scanner.position
            let low = try value()
            guard take("-") else { throw unexpected(expected: "a range such as H(0-29)") }
            let high = try value()
            guard low <= high else { throw error("\(field.name): range \(low)-\(high) is reversed", at: start) }
            guard take(")") else { throw unexpected(expected: "a closing parenthesis") }
            values = low...high
        }
        let hash = Self.mix(stableSeed ^ (UInt64(field.star.rawValue) << 56))
        guard let step = try step() else {
            return 1 << (UInt64(values.lowerBound) + hash % UInt64(values.count))
        }
        let shift = Int(hash % UInt64(min(step, values.count)))
        return Self.stride((values.lowerBound + shift)...values.upperBound, by: step)
    }

    /// The finalizer of SplitMix64: every bit of the seed moves every bit of the result, on every machine alike.
    private static func mix(_ seed: UInt64) -> UInt64 {
        var x = seed &+ 0x9E37_79B9_7F4A_7C15
        x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
        return x ^ (x >> 31)
    }

    // MARK: Errors

    private var digitsEnd: Int {
        var place = scanner.position
        while place < end, scanner.bytes[place].isDigit { place += 1 }
        return place
    }

    private var itemEnd: Int {
        var place = scanner.position
        while place < end, scanner.bytes[place] != UInt8(ascii: ",") { place += 1 }
        return place
    }

    private func text(from start: Int, to end: Int) -> String {
        scanner.text(from: start, to: end)
    }

    private func unexpected(expected: String? = nil) -> RecurrenceError {
        let place = scanner.position
        let allowed = expected ?? "\(field.allowed), lists, ranges a-b, steps */n and a-b/n"
        guard place < end else {
            return error(
                "\(field.name): expected \(allowed), found the end of \(quoted(text(from: word.lowerBound, to: end)))",
                at: place)
        }
        // A whole character, were it of several bytes.
        let found = String(decoding: scanner.bytes[place..<end], as: UTF8.self).prefix(1)
        var hint: String?
        switch found {
        case "?": hint = "in this form of cron * stands for any value"
        case "L", "l", "W", "w", "#": hint = "\(found) is not part of this form of cron"
        case "-": hint = "values can't be negative"
        default: break
        }
        return error("\(field.name): expected \(allowed), found \(quoted(String(found)))", at: place, hint: hint)
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
