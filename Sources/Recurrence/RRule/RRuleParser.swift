/// Reads `FREQ=MONTHLY;BYDAY=2TU`, or reports which part is wrong and at which position. Case and the order of the parts do not
/// matter. `RRULE:` may precede.
struct RRuleParser {
    private typealias Part = RRule.Part

    private var scanner: ByteScanner
    /// The end of the part that is being read.
    private var end = 0
    private var rule = RRule()
    /// The start of the value of each part that was given.
    private var places: [RRule.Part: Int] = [:]
    /// The start of the value of each BYDAY that has an ordinal.
    private var ordinalPlace: Int?

    private static let longestText = 8192
    private static let example = #"for example "FREQ=MONTHLY;BYDAY=2TU" is every second Tuesday of a month"#

    init(_ text: String) {
        var bytes = Array(text.utf8)
        while bytes.last?.isBlank == true { bytes.removeLast() }
        scanner = ByteScanner(bytes)
    }

    mutating func parse() throws(RecurrenceError) -> RRule {
        guard scanner.bytes.count <= Self.longestText else {
            throw RecurrenceError("the rule is longer than \(Self.longestText) bytes")
        }
        scanner.skipBlanks()
        try takePrefix()
        guard !scanner.isAtEnd else { throw RecurrenceError("the rule is empty", hint: Self.example) }
        while true {
            try part()
            guard scanner.take(";") else { break }
        }
        try check()
        return rule
    }

    /// Refuses a valid rule that has no meaning without a start.
    func checkWithoutStart() throws(RecurrenceError) {
        let hint = #"add when it starts, such as dtstart = "2026-01-01T09:00:00""#
        if let place = places[.count] { throw error("COUNT counts from dtstart, which is missing", at: place, hint: hint) }
        if rule.interval > 1, let place = places[.interval] {
            throw error("INTERVAL=\(rule.interval) counts from dtstart, which is missing", at: place, hint: hint)
        }
        if rule.frequency == .weekly, rule.weekdays.isEmpty, let place = places[.frequency] {
            throw error(
                "FREQ=WEEKLY without BYDAY takes its weekday from dtstart, which is missing", at: place,
                hint: "add one of the two, such as BYDAY=MO")
        }
    }

    /// Reads `RRULE:` before the parts.
    private mutating func takePrefix() throws(RecurrenceError) {
        let start = scanner.position
        var colon = start
        while colon < scanner.bytes.count, scanner.bytes[colon] != UInt8(ascii: ":") { colon += 1 }
        guard colon < scanner.bytes.count, !scanner.bytes[start..<colon].contains(UInt8(ascii: "=")) else { return }
        let name = scanner.text(from: start, to: colon)
        switch name.asciiLowercased {
        case "rrule": scanner.position = colon + 1
        case "dtstart", "exdate":
            throw error("\(name) is not part of the rule", at: start, hint: "it is the key \(name.asciiLowercased), beside rrule")
        default: throw error("\(quoted(name)) can't precede a rule", at: start, hint: "write RRULE: or nothing")
        }
    }

    // MARK: Parts

    private mutating func part() throws(RecurrenceError) {
        let start = scanner.position
        end = start
        while end < scanner.bytes.count, scanner.bytes[end] != UInt8(ascii: ";") { end += 1 }
        var equals = start
        while equals < end, scanner.bytes[equals] != UInt8(ascii: "=") { equals += 1 }
        let name = scanner.text(from: start, to: equals)
        guard end > start else {
            throw error("a part is missing", at: start, hint: start > 0 ? "a semicolon is allowed only between parts" : nil)
        }
        guard equals < end else {
            let frequency = RRule.Frequency.names.contains { $0.asciiLowercased == name.asciiLowercased }
            throw error(
                "\(quoted(name)) is not a part: parts are NAME=VALUE", at: start,
                hint: frequency ? "did you mean FREQ=\(name)?" : Self.example)
        }
        guard let part = Part.allCases.first(where: { $0.rawValue.asciiLowercased == name.asciiLowercased }) else {
            throw error("unknown part \(quoted(name))", at: start, hint: Self.hint(forPart: name))
        }
        guard places[part] == nil else { throw error("\(part.rawValue) is given twice", at: start, hint: Self.hint(forRepeated: part)) }
        scanner.position = equals + 1
        places[part] = scanner.position
        guard scanner.position < end else { throw error("\(part.rawValue) has no value", at: scanner.position) }
        try value(of: part)
        guard scanner.position == end else { throw unexpected(part, expected: part.isBy ? "a comma or a semicolon" : "a semicolon") }
    }

    private static func hint(forPart name: String) -> String {
        let known = RRule.Part.allCases.map(\.rawValue)
        if name.asciiLowercased == "byweekday" { return "did you mean BYDAY?" }
        if let near = known.min(by: { $0.editDistance(to: name) < $1.editDistance(to: name) }), near.editDistance(to: name) <= 2 {
            return "did you mean \(near)?"
        }
        return "known are \(known.joined(separator: " "))"
    }

    private static func hint(forRepeated part: RRule.Part) -> String? {
        part.isBy ? "write its values as one list: \(part.rawValue)=a,b" : nil
    }

    private mutating func value(of part: RRule.Part) throws(RecurrenceError) {
        switch part {
        case .frequency: rule.frequency = try frequency()
        case .until: rule.until = try until()
        case .count: rule.count = try number(part, in: 1...RRule.longestCount)
        case .interval: rule.interval = try number(part, in: 1...RRule.longestInterval)
        // RFC 5545 §3.3.12: without leap seconds, 60 is read as 59.
        case .bySecond: rule.seconds = Set(try numbers(part, in: 0...60).map { min($0, 59) }).sorted()
        case .byMinute: rule.minutes = try numbers(part, in: 0...59)
        case .byHour: rule.hours = try numbers(part, in: 0...23)
        case .byDay: rule.weekdays = try weekdays()
        case .byMonthDay: rule.monthDays = try numbers(part, in: 1...31, fromEnd: true)
        case .byYearDay: rule.yearDays = try numbers(part, in: 1...366, fromEnd: true)
        case .byWeekNumber: rule.weekNumbers = try numbers(part, in: 1...53, fromEnd: true)
        case .byMonth: rule.months = try numbers(part, in: 1...12)
        case .bySetPosition: rule.positions = try numbers(part, in: 1...366, fromEnd: true)
        case .weekStart: rule.weekStart = try weekday(part)
        }
    }

    private mutating func frequency() throws(RecurrenceError) -> RRule.Frequency {
        let start = scanner.position
        scanner.position = end
        let word = scanner.text(from: start, to: end)
        let names = RRule.Frequency.names
        if let index = names.firstIndex(where: { $0.asciiLowercased == word.asciiLowercased }),
            let frequency = RRule.Frequency(rawValue: index)
        {
            return frequency
        }
        let near = names.min { $0.editDistance(to: word) < $1.editDistance(to: word) }
        var hint = "known are \(names.joined(separator: " "))"
        if let near, near.editDistance(to: word) <= 3 { hint = "did you mean \(near)?" }
        throw error("FREQ: unknown frequency \(quoted(word))", at: start, hint: hint)
    }

    private mutating func until() throws(RecurrenceError) -> BasicTime {
        let start = scanner.position
        let word = scanner.text(from: start, to: end)
        scanner.position = end
        do throws(RecurrenceError) {
            if let time = try BasicTime.parse(word) { return time }
        } catch {
            let before = scanner.characterOffset(of: start)
            throw RecurrenceError("UNTIL: \(error.message)", offset: error.offset.map { $0 + before }, hint: error.hint)
        }
        throw error(
            "UNTIL: can't read the time \(quoted(word))", at: start,
            hint: "write 20261224T180000Z for UTC, 20261224T180000 for the schedule's zone, or 20261224")
    }

    // MARK: Lists

    private mutating func numbers(
        _ part: RRule.Part, in range: ClosedRange<Int>, fromEnd: Bool = false
    ) throws(RecurrenceError) -> [Int] {
        var values = Set<Int>()
        repeat { values.insert(try number(part, in: range, fromEnd: fromEnd)) } while take(",")
        return values.sorted { ($0 < 0 ? 1 : 0, $0) < ($1 < 0 ? 1 : 0, $1) }
    }

    /// A number in the range, or the same number with a minus, which counts from the end.
    private mutating func number(
        _ part: RRule.Part, in range: ClosedRange<Int>, fromEnd: Bool = false
    ) throws(RecurrenceError) -> Int {
        let start = scanner.position
        var allowed = "\(range.lowerBound)-\(range.upperBound)"
        if fromEnd { allowed += " or -\(range.upperBound) to -\(range.lowerBound)" }
        let negative = fromEnd && take("-")
        if fromEnd, !negative { _ = take("+") }
        let digits = takeDigits()
        guard !digits.isEmpty else { throw unexpected(part, expected: allowed) }
        guard let value = Int(digits), range.contains(value) else {
            throw error(
                "\(part.rawValue) \(scanner.text(from: start, to: scanner.position)) is out of range \(allowed)", at: start,
                hint: part == .count && digits != "0" ? "they are counted when the rule is read; UNTIL ends a longer one" : nil)
        }
        return negative ? -value : value
    }

    private mutating func weekdays() throws(RecurrenceError) -> [RRule.Weekday] {
        var values = Set<RRule.Weekday>()
        repeat {
            let start = scanner.position
            var number = 0
            if let next = scanner.peek, next.isDigit || next == UInt8(ascii: "+") || next == UInt8(ascii: "-") {
                number = try self.number(.byDay, in: 1...53, fromEnd: true)
                if ordinalPlace == nil { ordinalPlace = start }
            }
            values.insert(RRule.Weekday(day: try weekday(.byDay), number: number))
        } while take(",")
        // Sorted by weekday from Monday on, values without an ordinal first.
        func rank(_ value: RRule.Weekday) -> (Int, Int, Int) { (value.number < 0 ? 1 : 0, value.number, (value.day + 6) % 7) }
        return values.sorted { rank($0) < rank($1) }
    }

    private mutating func weekday(_ part: RRule.Part) throws(RecurrenceError) -> Int {
        let start = scanner.position
        var place = start
        while place < end, scanner.bytes[place].isLetter { place += 1 }
        guard place > start else { throw unexpected(part, expected: "a day SU MO TU WE TH FR SA") }
        scanner.position = place
        let word = scanner.text(from: start, to: place)
        if let day = RRule.weekdayNames.firstIndex(where: { $0.asciiLowercased == word.asciiLowercased }) { return day }
        let prefix = RRule.weekdayNames.first { word.asciiLowercased.hasPrefix($0.asciiLowercased) }
        throw error(
            "\(part.rawValue): unknown day \(quoted(word))", at: start,
            hint: prefix.map { "days have two letters: \($0)" } ?? "days are SU MO TU WE TH FR SA")
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool { scanner.position < end && scanner.take(character) }

    private mutating func takeDigits() -> String {
        let start = scanner.position
        while scanner.position < end, let byte = scanner.peek, byte.isDigit { scanner.advance() }
        return scanner.text(from: start, to: scanner.position)
    }

    // MARK: Combinations

    /// Checks the notes and the "N/A" of the table in RFC 5545 §3.3.10.
    private func check() throws(RecurrenceError) {
        guard places[.frequency] != nil else { throw error("FREQ is missing", at: scanner.bytes.count, hint: Self.example) }
        let frequency = rule.frequency
        if let until = places[.until], let count = places[.count] {
            throw error("COUNT and UNTIL both say when the rule ends", at: max(until, count), hint: "leave one of them out")
        }
        if let place = ordinalPlace {
            guard frequency <= .monthly else {
                throw error(
                    "BYDAY with a number needs FREQ=MONTHLY or YEARLY, not \(frequency.name)", at: place,
                    hint: "without the number it is that day of each week")
            }
            guard places[.byWeekNumber] == nil else {
                throw error(
                    "BYDAY with a number is not allowed with BYWEEKNO", at: place,
                    hint: "without the number it is that day of each of the weeks")
            }
        }
        if let place = places[.byWeekNumber], frequency != .yearly {
            throw error("BYWEEKNO needs FREQ=YEARLY, not \(frequency.name)", at: place)
        }
        if let place = places[.byYearDay], [.monthly, .weekly, .daily].contains(frequency) {
            throw error(
                "BYYEARDAY is not allowed with FREQ=\(frequency.name)", at: place,
                hint: "it is allowed with YEARLY, HOURLY, MINUTELY and SECONDLY")
        }
        if let place = places[.byMonthDay], frequency == .weekly {
            throw error("BYMONTHDAY is not allowed with FREQ=WEEKLY", at: place, hint: "it is allowed with every other FREQ")
        }
        if let place = places[.bySetPosition], !places.keys.contains(where: { $0.isBy && $0 != .bySetPosition }) {
            throw error("BYSETPOS needs another BY… part to choose from", at: place)
        }
    }

    // MARK: Errors

    private func unexpected(_ part: RRule.Part, expected: String) -> RecurrenceError {
        let place = scanner.position
        let found =
            place < end
            ? quoted(String(String(decoding: scanner.bytes[place..<end], as: UTF8.self).prefix(1)))
            : place < scanner.bytes.count ? #"";""# : "the end"
        return error("\(part.rawValue): expected \(expected), found \(found)", at: place)
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
