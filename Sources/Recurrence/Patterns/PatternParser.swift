/// Reads a pattern: `50.seconds`, `MM.dd.HH.mm.ss`, `weekdays.HH.mm.ss` or `ext:KEY:ARGS`. The case of words does not matter.
struct PatternParser {
    enum Result {
        case every(Span)
        case fields(WallFields)
        case ext(PatternExtension)
    }

    private let scanner: ByteScanner

    init(_ text: String) { scanner = ByteScanner(text) }

    func parse() throws(RecurrenceError) -> Result {
        guard scanner.bytes.count <= Self.longestText else {
            throw RecurrenceError("the pattern is longer than \(Self.longestText) bytes")
        }
        guard !scanner.bytes.allSatisfy(\.isBlank) else { throw RecurrenceError("the pattern is empty", hint: Self.shapeHint) }
        if scanner.bytes.prefix(4).map(\.lowercased) == Array("ext:".utf8) { return .ext(try ext()) }
        let parts = split(scanner.bytes.indices, at: ".")
        switch parts.count {
        case 2: return .every(try interval(parts[0], parts[1]))
        case 4: return .fields(try weekdays(parts))
        case 5: return .fields(try months(parts))
        default:
            var hint = Self.shapeHint
            if parts.count == 3, parts.allSatisfy({ $0.count <= 2 && scanner.bytes[$0].allSatisfy(\.isDigit) }) {
                hint = "every day at that time is **.\(text(scanner.bytes.indices))"
            }
            throw RecurrenceError("the pattern \(quoted(text(scanner.bytes.indices))) has \(parts.count) parts", offset: 0, hint: hint)
        }
    }

    private static let longestText = 4096
    private static let shapeHint =
        #"patterns are "50.seconds", "MM.dd.HH.mm.ss", "weekdays.HH.mm.ss", with ** for any, or "ext:KEY:ARGS""#

    // MARK: Intervals

    private static let units = ["seconds", "minutes", "hours", "days", "weeks", "months"]

    private func interval(_ number: Range<Int>, _ unit: Range<Int>) throws(RecurrenceError) -> Span {
        guard !number.isEmpty, scanner.bytes[number].allSatisfy(\.isDigit) else {
            throw error("expected a whole number, found \(found(number))", at: number.lowerBound, hint: "for example 50.seconds")
        }
        let word = text(unit).asciiLowercased
        guard Self.units.contains(word) || Self.units.contains(word + "s") else {
            let near = Self.units.min { $0.editDistance(to: word) < $1.editDistance(to: word) }
            var hint = "units are \(Self.units.joined(separator: " "))"
            if let near, near.editDistance(to: word) <= 2 { hint = "did you mean \(near)?" }
            throw error("unknown unit \(found(unit))", at: unit.lowerBound, hint: hint)
        }
        let span = try Span.parse("\(text(number)) \(word)")
        guard !span.isZero else { throw error("the interval must be longer than zero", at: number.lowerBound) }
        return span
    }

    // MARK: Wall-clock forms

    private func months(_ parts: [Range<Int>]) throws(RecurrenceError) -> WallFields {
        let months = try set(parts[0], "month", any: 1...12) { item throws(RecurrenceError) in try number(item, "month", 1...12) }
        let days = try set(parts[1], "day", any: 1...31) { item throws(RecurrenceError) in try number(item, "day", 1...31) }
        return try fields(months: months, days: days, weekdays: 0x7F, time: parts[2...])
    }

    private func weekdays(_ parts: [Range<Int>]) throws(RecurrenceError) -> WallFields {
        let weekdays = try set(parts[0], "weekday", any: 0...6, weekday)
        return try fields(months: 0x1FFE, days: 0xFFFF_FFFE, weekdays: weekdays, time: parts[1...])
    }

    private func fields(
        months: UInt64, days: UInt64, weekdays: UInt64, time: ArraySlice<Range<Int>>
    ) throws(RecurrenceError) -> WallFields {
        let time = Array(time)
        let hour = try single(time[0], "hour", 0...23)
        let minute = try single(time[1], "minute", 0...59)
        let second = try single(time[2], "second", 0...59)
        return WallFields(
            seconds: 1 << UInt64(second), minutes: 1 << UInt64(minute), hours: 1 << UInt32(hour),
            days: DayRule(
                daysOfMonth: UInt32(truncatingIfNeeded: days), daysOfWeek: UInt8(truncatingIfNeeded: weekdays), combination: .both),
            months: UInt16(truncatingIfNeeded: months), stars: [], rare: nil)
    }

    /// Reads `**`, or values separated by `|`, as bits.
    private func set(
        _ part: Range<Int>, _ name: String, any: ClosedRange<Int>, _ value: (Range<Int>) throws(RecurrenceError) -> Int
    ) throws(RecurrenceError) -> UInt64 {
        if text(part) == "**" { return any.reduce(0) { $0 | 1 << UInt64($1) } }
        var set: UInt64 = 0
        for item in split(part, at: "|") {
            guard !item.isEmpty else { throw error("\(name): a value is missing", at: item.lowerBound) }
            if scanner.bytes[item].contains(UInt8(ascii: "*")) {
                throw error("\(name): expected a value, found \(found(item))", at: item.lowerBound, hint: "** alone means any \(name)")
            }
            set |= 1 << UInt64(try value(item))
        }
        return set
    }

    private func single(_ part: Range<Int>, _ name: String, _ values: ClosedRange<Int>) throws(RecurrenceError) -> Int {
        guard !part.isEmpty else { throw error("\(name): a value is missing", at: part.lowerBound) }
        return try number(part, name, values, hint: "** and lists are only for months, days and weekdays")
    }

    private func number(
        _ item: Range<Int>, _ name: String, _ values: ClosedRange<Int>, hint: String? = nil
    ) throws(RecurrenceError) -> Int {
        guard scanner.bytes[item].allSatisfy(\.isDigit) else {
            let isList = scanner.bytes[item].contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "|") }
            throw error(
                "\(name): expected \(values.lowerBound)-\(values.upperBound), found \(found(item))", at: item.lowerBound,
                hint: isList ? hint : nil)
        }
        guard let value = Int(text(item)), values.contains(value) else {
            throw error("\(name) \(text(item)) is out of range \(values.lowerBound)-\(values.upperBound)", at: item.lowerBound)
        }
        return value
    }

    /// A weekday's full name or its first three letters. 0 is Sunday.
    private func weekday(_ item: Range<Int>) throws(RecurrenceError) -> Int {
        let word = text(item).asciiLowercased
        if let day = Self.weekdayNames.firstIndex(where: { $0 == word || $0.prefix(3) == word }) { return day }
        var hint = "names are \(Self.weekdayNames.joined(separator: " ")), or three letters of them"
        if word.utf8.allSatisfy(\.isDigit) {
            hint = "a day of the month goes with a month: **.\(text(scanner.bytes.indices))"
        } else if let near = Self.weekdayNames.min(by: { $0.editDistance(to: word) < $1.editDistance(to: word) }),
            near.editDistance(to: word) <= 2 || near.hasPrefix(word)
        {
            hint = "did you mean \(near)?"
        }
        throw error("weekday: unknown name \(found(item))", at: item.lowerBound, hint: hint)
    }

    static let weekdayNames = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

    // MARK: Extensions

    /// The key names a file, so it must be a valid name in a spool. The arguments may be any text.
    private func ext() throws(RecurrenceError) -> PatternExtension {
        let start = 4
        let end = scanner.bytes[start...].firstIndex(of: UInt8(ascii: ":")) ?? scanner.bytes.count
        guard end > start else {
            throw error("the extension's key is missing", at: start, hint: "ext:KEY:ARGS asks the program patterns/KEY")
        }
        for place in start..<end {
            let byte = scanner.bytes[place]
            let isFirst = place == start
            guard byte.isLetter || byte.isDigit || byte == UInt8(ascii: "_")
                || !isFirst && (byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-"))
            else {
                throw error(
                    "the extension's key \(found(start..<end)) is not a name", at: place,
                    hint: "1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -")
            }
        }
        guard end - start <= 64 else { throw error("the extension's key is longer than 64 characters", at: start) }
        if let place = scanner.bytes.firstIndex(of: 0) { throw error("the pattern contains a NUL character", at: place) }
        return PatternExtension(key: text(start..<end), arguments: text(min(end + 1, scanner.bytes.count)..<scanner.bytes.count))
    }

    // MARK: Text

    private func split(_ range: Range<Int>, at separator: Unicode.Scalar) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var start = range.lowerBound
        for place in range where scanner.bytes[place] == UInt8(ascii: separator) {
            parts.append(start..<place)
            start = place + 1
        }
        parts.append(start..<range.upperBound)
        return parts
    }

    private func text(_ range: Range<Int>) -> String { scanner.text(from: range.lowerBound, to: range.upperBound) }

    private func found(_ range: Range<Int>) -> String { range.isEmpty ? "nothing" : quoted(text(range)) }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
