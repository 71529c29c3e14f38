/// Reads an expression of systemd.time(7), "Calendar Events": `[WEEKDAYS] [DATE] [TIME] [ZONE]`, a word such as `daily`, or
/// `@1790000000`. Otherwise reports which part is wrong, why, and at which position.
///
/// Refuses everything that systemd refuses, with two exceptions: blanks around the parts are allowed, and in a list of days from
/// the end of the month (`*~27,28`) each day has the limit of a single one. `@` with a zone other than UTC is refused.
struct CalendarParser {
    private let scanner: ByteScanner

    init(_ text: String) {
        scanner = ByteScanner(text)
    }

    func parse() throws(RecurrenceError) -> CalendarExpression {
        guard scanner.bytes.count <= Self.longestText else {
            throw RecurrenceError("the calendar expression is longer than \(Self.longestText) bytes")
        }
        var words = scanner.words()[...]
        guard words.count <= 4 else {
            throw error(
                "expected days of the week, date, time and zone at most, found \(words.count) words", at: words[4].lowerBound,
                hint: "five fields and more are cron's")
        }
        if let word = words.first, text(word).asciiLowercased.hasPrefix("oncalendar") {
            throw error("OnCalendar= names the setting of a timer unit", at: word.lowerBound,
                hint: "leave it out: the expression alone is the schedule")
        }
        let zone = takeZone(&words)
        guard let first = words.first else { throw RecurrenceError("the calendar expression is empty", hint: Self.shapeHint) }
        var expression: CalendarExpression
        if words.count == 1, let meaning = Self.shorthands[text(first).asciiLowercased] {
            expression = try CalendarParser(meaning).parse()
        } else {
            expression = try parts(words)
        }
        if let zone { try setZone(zone, of: &expression) }
        return expression
    }

    private static let longestText = 4096
    private static let shapeHint = #"for example "Mon..Fri 09:00" or "*-*-01 02:30:00 Europe/Berlin""#

    /// The words of systemd.time(7). The last five are spellings that calendarspec.c accepts too.
    private static let shorthands = [
        "minutely": "*:*", "hourly": "*:0", "daily": "0:0", "weekly": "Mon", "monthly": "*-1", "quarterly": "1,4,7,10-1",
        "semiannually": "1,7-1", "yearly": "1-1", "annually": "1-1",
        "anually": "1-1", "semi-annually": "1,7-1", "biannually": "1,7-1", "bi-annually": "1,7-1",
    ]

    // MARK: Zone

    /// The last of several words, if it begins with a letter and is not a day's name.
    private func takeZone(_ words: inout ArraySlice<Range<Int>>) -> Range<Int>? {
        guard words.count > 1, let last = words.last, scanner.bytes[last.lowerBound].isLetter else { return nil }
        let word = text(last).asciiLowercased
        guard Self.shorthands[word] == nil, Self.weekday(word) == nil else { return nil }
        words.removeLast()
        return last
    }

    private func setZone(_ word: Range<Int>, of expression: inout CalendarExpression) throws(RecurrenceError) {
        var name = text(word)
        if name.asciiLowercased == "utc" { name = "UTC" }
        if expression.zone != nil, name != "UTC" {
            throw error(
                "an epoch instant needs no time zone, found \(quoted(name))", at: word.lowerBound,
                hint: "it is the same everywhere")
        }
        expression.zone = name
        expression.zoneOffset = scanner.characterOffset(of: word.lowerBound)
    }

    // MARK: Parts

    private func parts(_ words: ArraySlice<Range<Int>>) throws(RecurrenceError) -> CalendarExpression {
        var words = words
        var expression = CalendarExpression()
        if let first = words.first, scanner.bytes[first.lowerBound].isLetter {
            expression.weekdays = try weekdays(first)
            words.removeFirst()
        }
        if let word = words.first, scanner.bytes[word.lowerBound] == UInt8(ascii: "@") {
            try setEpoch(word, of: &expression)
            words.removeFirst()
        } else {
            if let word = words.first, !isTime(word) {
                try setDate(word, of: &expression)
                words.removeFirst()
            }
            if let word = words.first, isTime(word) {
                try setTime(word, of: &expression)
                words.removeFirst()
            }
        }
        if let word = words.first { throw unexpected(word) }
        return expression
    }

    /// In a time, the first colon precedes any dash or tilde.
    private func isTime(_ word: Range<Int>) -> Bool {
        let separators: [UInt8] = [UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "~")]
        return scanner.bytes[word].first(where: separators.contains) == UInt8(ascii: ":")
    }

    private func setDate(_ word: Range<Int>, of expression: inout CalendarExpression) throws(RecurrenceError) {
        if let colon = scanner.bytes[word].firstIndex(of: UInt8(ascii: ":")) {
            let isRFC3339 = scanner.bytes[word.lowerBound..<colon].contains { $0.lowercased == UInt8(ascii: "t") }
            throw error(
                "a date and a time in one word, \(quoted(text(word)))", at: word.lowerBound,
                hint: isRFC3339 ? "write a space for the T" : "write a space between them; a range is written a..b")
        }
        let dashes = [UInt8(ascii: "-"), UInt8(ascii: "~")]
        let places = scanner.bytes[word].indices.filter { dashes.contains(scanner.bytes[$0]) }
        let ranges = self.ranges(of: word, between: places)
        guard places.count == 1 || places.count == 2 else {
            throw error(
                "expected a date (Y-M-D or M-D) or a time (H:M or H:M:S), found \(quoted(text(word)))", at: word.lowerBound,
                hint: dateHint(word))
        }
        if places.count == 2, scanner.bytes[places[0]] == UInt8(ascii: "~") {
            throw error("~ must be before the day", at: places[0], hint: "for example *-02~03")
        }
        expression.daysAreFromEnd = scanner.bytes[places[places.count - 1]] == UInt8(ascii: "~")
        if ranges.count == 3 { expression.year = try chain(.year, ranges[0]) }
        expression.month = try chain(.month, ranges[ranges.count - 2])
        expression.day = try chain(expression.daysAreFromEnd ? .dayFromEnd : .day, ranges[ranges.count - 1])
        if expression.day.isAny { expression.daysAreFromEnd = false }
    }

    private func setTime(_ word: Range<Int>, of expression: inout CalendarExpression) throws(RecurrenceError) {
        let places = scanner.bytes[word].indices.filter { scanner.bytes[$0] == UInt8(ascii: ":") }
        guard places.count <= 2 else {
            throw error("a time has hour, minute and second at most, found another part", at: places[2])
        }
        let ranges = self.ranges(of: word, between: places)
        expression.hour = try chain(.hour, ranges[0])
        expression.minute = try chain(.minute, ranges[1])
        if ranges.count == 3 { expression.second = try chain(.second, ranges[2]) }
    }

    private func chain(_ component: CalendarComponent, _ range: Range<Int>) throws(RecurrenceError) -> CalendarChain {
        var parser = CalendarComponentParser(component, scanner: scanner, range: range)
        return try parser.parse()
    }

    private func ranges(of word: Range<Int>, between places: [Int]) -> [Range<Int>] {
        zip([word.lowerBound] + places.map { $0 + 1 }, places + [word.upperBound]).map { $0..<$1 }
    }

    /// `@1790000000`: seconds since 1970-01-01T00:00:00Z.
    private func setEpoch(_ word: Range<Int>, of expression: inout CalendarExpression) throws(RecurrenceError) {
        var digits = ByteScanner(Array(scanner.bytes[word]))
        digits.advance()
        guard let seconds = digits.number(digitsUpTo: 18), digits.isAtEnd else {
            throw unknownWord(word) ?? error("expected seconds since 1970 after @, found \(quoted(text(word)))", at: word.lowerBound)
        }
        guard seconds < Civil.endSeconds else { throw error("\(text(word)) is not before the year 2200", at: word.lowerBound) }
        let days = seconds / Int(Civil.secondsPerDay)
        let date = Civil.date(days: Int64(days))
        let time = seconds - days * Int(Civil.secondsPerDay)
        expression.year = CalendarChain(date.year)
        expression.month = CalendarChain(date.month)
        expression.day = CalendarChain(date.day)
        expression.hour = CalendarChain(time / 3600)
        expression.minute = CalendarChain(time / 60 % 60)
        expression.second = CalendarChain(time % 60 * CalendarComponent.second.unit)
        expression.zone = "UTC"
    }

    // MARK: Days of the week

    private static func weekday(_ word: String) -> Int? {
        let word = word.asciiLowercased
        return CalendarExpression.weekdayNames.firstIndex {
            let name = $0.asciiLowercased
            return word == name || word == name.prefix(3)
        }
    }

    /// `Mon,Wed..Fri`, `Mon-Wed`. A comma is allowed at the end.
    private func weekdays(_ word: Range<Int>) throws(RecurrenceError) -> UInt8 {
        var scanner = scanner
        scanner.position = word.lowerBound
        var set: UInt8 = 0
        while true {
            let start = scanner.position
            let first = try weekday(&scanner, word)
            var last = first
            if scanner.position < word.upperBound, takeRange(&scanner) {
                last = try weekday(&scanner, word)
                guard first <= last else {
                    let names = CalendarExpression.weekdayNames.map { $0.prefix(3) }
                    let parts = (first == 6 ? "Sun" : "\(names[first])..Sun") + (last == 0 ? ",Mon" : ",Mon..\(names[last])")
                    throw error(
                        "day of week: range \(scanner.text(from: start, to: scanner.position)) is reversed", at: start,
                        hint: "the week begins on Monday: \(parts)")
                }
            }
            for day in first...last { set |= 1 << UInt8(day) }
            guard scanner.position < word.upperBound else { return set }
            guard scanner.take(",") else {
                let found = scanner.text(from: scanner.position, to: word.upperBound)
                throw error(
                    "day of week: expected a list a,b or a range a..b, found \(quoted(found))", at: scanner.position,
                    hint: "write a space between the days and the date or time")
            }
            guard scanner.position < word.upperBound else { return set }
        }
    }

    /// The old form of ranges has a dash.
    private func takeRange(_ scanner: inout ByteScanner) -> Bool {
        if scanner.take("-") { return true }
        guard scanner.peek == UInt8(ascii: "."), scanner.peek(ahead: 1) == UInt8(ascii: ".") else { return false }
        scanner.position += 2
        return true
    }

    private func weekday(_ scanner: inout ByteScanner, _ word: Range<Int>) throws(RecurrenceError) -> Int {
        let start = scanner.position
        let name = scanner.word()
        if let day = Self.weekday(name) { return day }
        guard start > word.lowerBound else {
            throw unknownWord(word) ?? error("unknown word \(quoted(text(word)))", at: start, hint: Self.shapeHint)
        }
        guard !name.isEmpty else {
            throw error("day of week: a name is missing", at: start)
        }
        let found = scanner.text(from: start, to: scanner.position)
        throw error("day of week: unknown name \(quoted(found))", at: start, hint: nearHint(name))
    }

    // MARK: Errors

    /// The error for an unknown word at the beginning of the expression, with the nearest known word.
    private func unknownWord(_ word: Range<Int>) -> RecurrenceError? {
        var name = text(word).asciiLowercased
        if name.hasPrefix("@") { name.removeFirst() }
        guard name.utf8.first?.isLetter == true else { return nil }
        if Self.shorthands[name] != nil {
            return error(
                "unknown word \(quoted(text(word)))", at: word.lowerBound, hint: "write \(name), alone but for a time zone")
        }
        return error("unknown word \(quoted(text(word)))", at: word.lowerBound, hint: nearHint(name))
    }

    private func nearHint(_ name: String) -> String? {
        let names = CalendarExpression.weekdayNames.flatMap { [$0, String($0.prefix(3))] } + Self.shorthands.keys.sorted()
        guard let near = names.min(by: { $0.editDistance(to: name) < $1.editDistance(to: name) }) else { return nil }
        if near.editDistance(to: name) <= (name.utf8.count > 3 ? 2 : 1) { return "did you mean \(near)?" }
        if CronField.monthNames.contains(String(name.prefix(3))) { return "months are numbers here" }
        return Self.shapeHint
    }

    private func dateHint(_ word: Range<Int>) -> String? {
        let text = text(word)
        if Self.weekday(text) != nil { return "write the days of the week first, in one word" }
        if text == "*" { return #"for example "*-*-01" or "*:00""# }
        guard let number = Int(text) else { return nil }
        if CalendarComponent.hour.values.contains(number) { return "did you mean \(text):00?" }
        return CalendarComponent.year.values.contains(number) ? "did you mean \(text)-*-*?" : nil
    }

    /// The error for a word after the last part.
    private func unexpected(_ word: Range<Int>) -> RecurrenceError {
        let name = text(word).asciiLowercased
        var hint = "the order is days of the week, date, time, zone"
        if Self.weekday(name) != nil { hint = "write the days of the week first" }
        if Self.shorthands[name] != nil { hint = "\(name) must be by itself" }
        return error("unexpected \(quoted(text(word)))", at: word.lowerBound, hint: hint)
    }

    private func text(_ word: Range<Int>) -> String { scanner.text(from: word.lowerBound, to: word.upperBound) }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
