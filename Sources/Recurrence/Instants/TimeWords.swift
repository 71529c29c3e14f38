/// A time in words: the grammar of at(1) (timespec of Debian's at), with its parts in any order.
///
/// A text has at most one time of day (`noon`, `6pm`, `18:00`, `1800`), at most one day (`tomorrow`, `monday`, `31 Jul`, `24.12.26`),
/// and steps from there (`+ 3 days`, `- 1 hour`, `next week`). Differences from at(1): a day that a month lacks is refused or, without
/// a year, waits for a year that has it; a step of months ends at the last day of a month; a day's step keeps the wall time.
struct TimeWords {
    enum Day {
        /// Counted from today.
        case offset(Int)
        /// 0 is Sunday.
        case weekday(Int, Which)
        case date(year: Int?, month: Int, day: Int)
    }

    /// `monday`, `next monday`, `last monday`.
    enum Which { case nearest, next, last }

    /// The parts of a text.
    struct Parts {
        /// Milliseconds since midnight.
        var time: Int64?
        /// The offset from UTC that follows the time of day.
        var offsetSeconds: Int64?
        var day: Day?
        /// The day was written `2026-12-24`.
        var isISODate = false
        var isNow = false
        var months = 0
        var days = 0
        var milliseconds: Int64 = 0

        var hasSteps: Bool { months != 0 || days != 0 || milliseconds != 0 }
    }

    private let text: String
    private var scanner: ByteScanner
    private(set) var parts = Parts()
    private var isEmpty = true

    init(_ text: String, _ scanner: ByteScanner) {
        self.text = text
        self.scanner = scanner
    }

    /// Reads the whole text.
    mutating func parse() throws(TimeWordsError) -> Parts {
        while true {
            scanner.skipBlanks()
            guard let byte = scanner.peek else { break }
            if byte.isLetter {
                try word()
            } else if byte.isDigit {
                try number()
            } else if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") {
                try steps()
            } else if byte == UInt8(ascii: ","), parts.day != nil {
                scanner.advance()
                guard !scanner.isAtEnd else { throw notUnderstood(at: scanner.position - 1) }
            } else {
                throw notUnderstood(at: scanner.position)
            }
            isEmpty = false
        }
        return parts
    }

    // MARK: Words

    /// All words of the grammar, for suggestions.
    static let known =
        ["now", "noon", "midnight", "teatime", "today", "tomorrow", "yesterday", "next", "last", "UTC", "ago"]
        + Words.weekdays.map(\.asciiLowercased) + Words.months + Unit.allCases.map(\.rawValue)

    private mutating func word() throws(TimeWordsError) {
        let start = scanner.position
        let word = scanner.word()
        switch word {
        case "now" where isEmpty: parts.isNow = true
        case "noon", "midday": try setTime(hour: 12, at: start)
        case "midnight": try setTime(hour: 0, at: start)
        case "teatime": try setTime(hour: 16, at: start)
        case "today": try setDay(.offset(0), at: start)
        case "tomorrow": try setDay(.offset(1), at: start)
        case "yesterday": try setDay(.offset(-1), at: start)
        case "utc" where parts.time != nil, "gmt" where parts.time != nil, "z" where parts.time != nil:
            guard parts.offsetSeconds == nil else { throw twice("the zone", at: start) }
            parts.offsetSeconds = 0
        case "at" where !restIsBlank, "on" where !restIsBlank: break
        case "next": try following(1, at: start)
        case "last": try following(-1, at: start)
        default:
            if let weekday = Self.weekday(word) {
                try setDay(.weekday(weekday, .nearest), at: start)
            } else if let month = Self.month(word) {
                scanner.skipBlanks()
                guard let day = scanner.number(digitsUpTo: 2) else { throw TimeWordsError(expected: "a day", after: word, at: start) }
                try setDate(month: month, day: day, at: start)
            } else {
                throw notUnderstood(at: start)
            }
        }
    }

    private var restIsBlank: Bool { scanner.bytes[scanner.position...].allSatisfy(\.isBlank) }

    /// `next week`, `last monday`: one unit on or back, or a weekday.
    private mutating func following(_ sign: Int, at start: Int) throws(TimeWordsError) {
        scanner.skipBlanks()
        let place = scanner.position
        let word = scanner.word()
        if let unit = Unit(word) {
            try add(sign, unit, at: place)
        } else if let weekday = Self.weekday(word) {
            try setDay(.weekday(weekday, sign > 0 ? .next : .last), at: start)
        } else {
            guard word.isEmpty else { throw notUnderstood(at: place) }
            throw TimeWordsError(expected: "a weekday or a unit, such as week,", after: sign > 0 ? "next" : "last", at: start)
        }
    }

    private static func weekday(_ word: String) -> Int? { index(of: word, in: Words.weekdays) }
    private static func month(_ word: String) -> Int? { index(of: word, in: Words.months).map { $0 + 1 } }

    /// A name, or its first three letters or more.
    private static func index(of word: String, in names: [String]) -> Int? {
        guard word.utf8.count >= 3 else { return nil }
        return names.firstIndex { $0.asciiLowercased.hasPrefix(word) }
    }

    // MARK: Steps

    enum Unit: String, CaseIterable {
        case minute, hour, day, week, month, year, second

        init?(_ word: String) {
            let short = ["s": Unit.second, "sec": .second, "secs": .second, "m": .minute, "min": .minute, "mins": .minute, "h": .hour]
            let shorter = ["hr": Unit.hour, "hrs": .hour, "d": .day, "w": .week, "y": .year]
            let singular = word.hasSuffix("s") ? String(word.dropLast()) : word
            guard let unit = Unit(rawValue: singular) ?? short[word] ?? shorter[word] else { return nil }
            self = unit
        }
    }

    /// `+ 3 days`, `- 1 hour`, `+1h30m`.
    private mutating func steps() throws(TimeWordsError) {
        let sign = scanner.peek == UInt8(ascii: "-") ? -1 : 1
        let start = scanner.position
        scanner.advance()
        var isFirst = true
        while true {
            let before = scanner.position
            scanner.skipBlanks()
            let place = scanner.position
            guard let count = scanner.number(digitsUpTo: 8) else {
                if isFirst {
                    throw TimeWordsError(expected: "a number and a unit, such as 3 days,", after: sign > 0 ? "+" : "-", at: start)
                }
                scanner.position = before
                return
            }
            scanner.skipBlanks()
            let wordStart = scanner.position
            guard let unit = Unit(scanner.word()) else {
                guard isFirst else {
                    scanner.position = place
                    return
                }
                scanner.position = wordStart
                throw scanner.isAtEnd
                    ? TimeWordsError(expected: "a unit, such as hours,", after: "\(count)", at: place) : notUnderstood(at: wordStart)
            }
            try add(sign * count, unit, at: place)
            isFirst = false
        }
    }

    private mutating func add(_ count: Int, _ unit: Unit, at start: Int) throws(TimeWordsError) {
        switch unit {
        case .second: parts.milliseconds += Int64(count) * 1000
        case .minute: parts.milliseconds += Int64(count) * 60_000
        case .hour: parts.milliseconds += Int64(count) * 3_600_000
        case .day: parts.days += count
        case .week: parts.days += count * 7
        case .month: parts.months += count
        case .year: parts.months += count * 12
        }
        let days = Int64(parts.days.magnitude) * Civil.millisecondsPerDay
        guard parts.months.magnitude <= Span.longestMonths, max(days, abs(parts.milliseconds)) <= Span.longestMilliseconds else {
            throw TimeWordsError("the step is longer than 10,000 years", at: start)
        }
    }

    // MARK: Numbers

    private mutating func number() throws(TimeWordsError) {
        let start = scanner.position
        var end = start
        while end < scanner.bytes.count, scanner.bytes[end].isDigit { end += 1 }
        let digits = end - start
        let next = end < scanner.bytes.count ? scanner.bytes[end] : 0
        switch next {
        case UInt8(ascii: ":"): return try clock(separator: ":", at: start)
        case UInt8(ascii: "/"):
            if let (month, day, year) = dateNumbers(separator: "/", yearDigits: [2, 4]) {
                return try setDate(year: Self.full(year), month: month, day: day, at: start)
            }
            throw TimeWordsError(expected: "month/day/year", after: nil, at: start)
        case UInt8(ascii: "."):
            if let (day, month, year) = dateNumbers(separator: ".", yearDigits: [2, 4]) {
                return try setDate(year: Self.full(year), month: month, day: day, at: start)
            }
            return try clock(separator: ".", at: start)
        case UInt8(ascii: "-") where digits == 4:
            guard let year = scanner.number(digits: 4), scanner.take("-"), let month = scanner.number(digitsUpTo: 2), scanner.take("-"),
                let day = scanner.number(digitsUpTo: 2)
            else { throw notUnderstood(at: start) }
            if scanner.take("T") || scanner.take("t") { scanner.skipBlanks() }
            parts.isISODate = true
            return try setDate(year: year, month: month, day: day, at: start)
        default: break
        }
        scanner.position = end
        scanner.skipBlanks()
        let place = scanner.position
        let word = scanner.word()
        scanner.position = place
        let value = Int(scanner.text(from: start, to: end)) ?? 0
        switch digits {
        case 1, 2:
            if word == "am" || word == "pm" { return try setTime(hour: value, at: start) }
            if let month = Self.month(word) {
                _ = scanner.word()
                return try setDate(month: month, day: value, at: start)
            }
            if Unit(word) != nil {
                let amount = "\(value) \(word)"
                let hint = "\"in \(amount)\" or \"\(amount) ago\" is an instant"
                throw TimeWordsError("\(amount) is a length of time", at: start, hint: hint)
            }
            throw TimeWordsError(
                "\"\(value)\" is not understood", at: start, hint: value < 24 ? "an hour is written \(Words.clock(value, 0))" : nil)
        case 4: return try setTime(hour: value / 100, minute: value % 100, at: start)
        // MMDDYY and MMDDYYYY; the first zero may be missing.
        case 5, 6: try setDate(year: Self.full(value % 100), month: value / 10_000, day: value / 100 % 100, at: start)
        case 7, 8: try setDate(year: value % 10_000, month: value / 1_000_000, day: value / 10_000 % 100, at: start)
        default: throw notUnderstood(at: start)
        }
    }

    /// `a/b/c` with one or two digits in the first two numbers. Without moving, nil for anything else.
    private mutating func dateNumbers(separator: Unicode.Scalar, yearDigits: [Int]) -> (Int, Int, Int)? {
        let start = scanner.position
        guard let a = scanner.number(digitsUpTo: 2), scanner.take(separator), let b = scanner.number(digitsUpTo: 2), scanner.take(separator)
        else {
            scanner.position = start
            return nil
        }
        let place = scanner.position
        guard let c = scanner.number(digitsUpTo: 4), yearDigits.contains(scanner.position - place) else {
            scanner.position = start
            return nil
        }
        return (a, b, c)
    }

    /// Two digits mean 1970 to 2069, as in at(1).
    private static func full(_ year: Int) -> Int { year >= 100 ? year : year >= 70 ? 1900 + year : 2000 + year }

    /// `18:00`, `6:30pm`, `18:00:30.5`; with a point, hours and minutes alone.
    private mutating func clock(separator: Unicode.Scalar, at start: Int) throws(TimeWordsError) {
        guard let hour = scanner.number(digitsUpTo: 2), scanner.take(separator), let minute = scanner.number(digits: 2) else {
            throw notUnderstood(at: start)
        }
        var second = 0
        var milliseconds: Int64 = 0
        if separator == ":", scanner.take(":") {
            guard let number = scanner.number(digits: 2) else { throw notUnderstood(at: start) }
            guard number <= 60 else { throw TimeWordsError("second \(number) is out of range 0-60", at: start) }
            second = number
            if scanner.take(".") || scanner.take(",") {
                guard scanner.peek?.isDigit == true else { throw notUnderstood(at: start) }
                var unit: Int64 = 100
                while let byte = scanner.peek, byte.isDigit {
                    milliseconds += Int64(byte - UInt8(ascii: "0")) * unit
                    unit /= 10
                    scanner.advance()
                }
            }
        }
        try setTime(hour: hour, minute: minute, milliseconds: Int64(second) * 1000 + milliseconds, at: start)
    }

    // MARK: Parts

    /// Takes a time of day, with the `am`, `pm` or offset that follows it.
    private mutating func setTime(hour: Int, minute: Int = 0, milliseconds: Int64 = 0, at start: Int) throws(TimeWordsError) {
        guard parts.time == nil, !parts.isNow else { throw twice("the time of day", at: start) }
        guard minute <= 59 else { throw TimeWordsError("minute \(minute) is out of range 0-59", at: start) }
        var hour = hour
        let place = scanner.position
        scanner.skipBlanks()
        let wordStart = scanner.position
        switch scanner.word() {
        case "am":
            guard hour <= 12 else { throw TimeWordsError("hour \(hour) is out of range 0-12 before am", at: start) }
            if hour == 12 { hour = 0 }
        case "pm":
            guard hour <= 12 else { throw TimeWordsError("hour \(hour) is out of range 0-12 before pm", at: start) }
            if hour != 12 { hour += 12 }
        default:
            scanner.position = wordStart
            try offset()
            if parts.offsetSeconds == nil { scanner.position = place }
        }
        guard hour <= 23 || hour == 24 && minute == 0 && milliseconds == 0 else {
            throw TimeWordsError("hour \(hour) is out of range 0-23", at: start)
        }
        parts.time = Int64(hour * 60 + minute) * 60_000 + milliseconds
    }

    /// `+01:00`, `-0530`, `+01`. A number that a letter follows is a step: `18:00 +30 minutes`.
    private mutating func offset() throws(TimeWordsError) {
        let start = scanner.position
        let isNegative = scanner.take("-")
        guard isNegative || scanner.take("+"), let hours = scanner.number(digits: 2) else {
            scanner.position = start
            return
        }
        let hasColon = scanner.take(":")
        let minutes = scanner.number(digits: 2)
        let end = scanner.position
        scanner.skipBlanks()
        guard scanner.peek.map({ !$0.isLetter && !$0.isDigit }) ?? true, minutes != nil || !hasColon else {
            scanner.position = start
            return
        }
        guard hours <= 23, minutes ?? 0 <= 59 else {
            throw TimeWordsError("\(quoted(scanner.text(from: start, to: end))) is not an offset from UTC", at: start)
        }
        scanner.position = end
        let seconds = Int64(hours * 60 + (minutes ?? 0)) * 60
        parts.offsetSeconds = isNegative ? -seconds : seconds
    }

    private mutating func setDay(_ day: Day, at start: Int) throws(TimeWordsError) {
        guard parts.day == nil, !parts.isNow else { throw twice("the day", at: start) }
        parts.day = day
    }

    /// Takes a month and its day, with the year that follows them.
    private mutating func setDate(month: Int, day: Int, at start: Int) throws(TimeWordsError) {
        let place = scanner.position
        scanner.skipBlanks()
        if scanner.take(",") { scanner.skipBlanks() }
        let yearStart = scanner.position
        if let year = scanner.number(digitsUpTo: 4), [2, 4].contains(scanner.position - yearStart) {
            let isTwo = scanner.position - yearStart == 2
            let end = scanner.position
            scanner.skipBlanks()
            let next = scanner.peek ?? 0
            let word = scanner.word()
            scanner.position = end
            let isTime = next == UInt8(ascii: ":") || next == UInt8(ascii: ".") || word == "am" || word == "pm"
            if !isTime, isTwo || 1970...2199 ~= year {
                return try setDate(year: isTwo ? Self.full(year) : year, month: month, day: day, at: start)
            }
        }
        scanner.position = place
        try setDate(year: nil, month: month, day: day, at: start)
    }

    private mutating func setDate(year: Int?, month: Int, day: Int, at start: Int) throws(TimeWordsError) {
        guard 1...12 ~= month else { throw TimeWordsError("month \(month) is out of range 1-12", at: start) }
        // Without a year, the 29th of February is in a leap year.
        let days = Civil.daysInMonth(year: year ?? 2000, month: month)
        guard 1...days ~= day else { throw TimeWordsError("day \(day) is out of range 1-\(days)", at: start) }
        if let year, !(1970...2199 ~= year) { throw TimeWordsError("year \(year) is out of range 1970-2199", at: start) }
        try setDay(.date(year: year, month: month, day: day), at: start)
    }

    // MARK: Errors

    /// The word at a position, or all up to the next blank.
    private func notUnderstood(at start: Int) -> TimeWordsError {
        var end = start
        while end < scanner.bytes.count, !scanner.bytes[end].isBlank { end += 1 }
        let word = scanner.text(from: start, to: end)
        let letters = String(word.prefix { $0.isLetter })
        let near = Self.known.min { $0.editDistance(to: letters) < $1.editDistance(to: letters) }
        let distance = near?.editDistance(to: letters) ?? .max
        let hint = distance > 0 && distance <= min(2, letters.utf8.count / 3) ? near.map { "did you mean \($0)?" } : nil
        return TimeWordsError("\(quoted(word)) is not understood", at: start, hint: hint)
    }

    private func twice(_ what: String, at start: Int) -> TimeWordsError {
        TimeWordsError("\(quoted(scanner.text(from: start, to: scanner.position))) gives \(what) a second time", at: start)
    }
}

/// The reason why a time in words was not understood.
struct TimeWordsError: Error {
    var message: String
    /// The byte in the text.
    var position: Int
    var hint: String?

    init(_ message: String, at position: Int, hint: String? = nil) {
        self.message = message
        self.position = position
        self.hint = hint
    }

    init(expected: String, after word: String?, at position: Int) {
        self.init(word.map { "\(expected) must follow \(quoted($0))" } ?? "expected \(expected)", at: position)
    }
}
