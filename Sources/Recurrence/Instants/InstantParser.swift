extension Instant {
    /// A bare number from this value on is epoch milliseconds. A smaller one is not an instant.
    public static let bareMillisecondsMin: Int64 = 100_000_000_000

    /// Reads an instant between 1970 and the end of 2199:
    ///
    /// - RFC 3339 with any offset, `t`, `z` or a space allowed: `2026-12-24T18:00:00+01:00`;
    /// - without an offset in `zone`: `2026-12-24 18:00[:ss[.fff]]`, `2026-12-24` (its midnight);
    /// - `@1790000000` epoch seconds, or a bare integer from 10^11 on as epoch milliseconds;
    /// - from `now`: `now`, `in 2 hours`, `+2h`, `3 days ago`;
    /// - the words of at(1), in any order: `18:00`, `6pm`, `noon`, `tomorrow 18:00`, `10am Jul 31`, `next week`; see ``TimeWords``.
    ///
    /// A wall time that the clock skips means the first instant after the gap. A repeated one means its first instant. Digits
    /// below milliseconds are dropped. Second 60 is the second after 59.
    public static func parse(
        _ text: String, zone: Zone, now: Instant, as sense: InstantSense = .boundary
    ) throws(RecurrenceError) -> Instant {
        var parser = InstantParser(text, zone: zone, now: now, as: sense)
        let instant = try parser.parse()
        guard instant.milliseconds >= 0, instant.milliseconds < Civil.endSeconds * 1000 else {
            throw RecurrenceError("\(quoted(text)) is not between 1970 and 2199")
        }
        return instant
    }
}

/// The use of an instant. It decides what a text means that leaves something open.
public enum InstantSense: Sendable {
    /// In a file, or the end of a period: `18:00` and `monday` are the next, and a day is its midnight.
    case boundary
    /// Something is to happen then, as with at(1): the same, but a day in words keeps the time of day of now (`tomorrow`, `monday`,
    /// `31 Jul`), and digits alone are a time or a date (`1800`, `122426`).
    case action
    /// `18:00` and `monday` are the last, `2h` is two hours ago, and a day is its midnight.
    case past

    /// Three texts that fit the use.
    var examples: String {
        switch self {
        case .boundary: #"for example "2026-12-24T18:00:00+01:00", "tomorrow 18:00" or "in 2 hours""#
        case .action: #"for example "tomorrow 18:00", "in 2 hours" or "2026-12-24 18:00""#
        case .past: #"for example "yesterday 18:00", "3 days ago" or "2026-12-24 18:00""#
        }
    }
}

extension Instant {
    /// True for a text whose instant depends on the zone: it has no offset and does not count from `now` alone.
    public static func isWallTime(_ text: String, now: Instant) -> Bool {
        guard let here = try? parse(text, zone: .utc, now: now),  // not an instant, so no wall time
            let there = try? parse(text, zone: anHourEast, now: now)  // as above
        else {
            return false
        }
        return here != there
    }

    private static let anHourEast = Zone(offsetSeconds: 3600)
}

struct InstantParser {
    private let text: String
    private let zone: Zone
    private let now: Instant
    private let sense: InstantSense
    private var scanner: ByteScanner
    /// In milliseconds, as if the wall time were UTC. Nil when the text itself gives the instant.
    private(set) var wall: Int64?
    /// The text is a date alone. It is read as midnight.
    private(set) var isDate = false
    /// The text counts from now.
    private(set) var isRelative = false

    init(_ text: String, zone: Zone, now: Instant, as sense: InstantSense = .boundary) {
        self.text = text
        self.zone = zone
        self.sense = sense
        // An impossible `now` gives an instant that is refused at the end. Until then the computation must not overflow.
        self.now = min(max(now, Instant(milliseconds: Instant.firstPrintable)), Instant(milliseconds: Instant.lastPrintable))
        var bytes = Array(text.utf8)
        while bytes.last?.isBlank == true { bytes.removeLast() }
        scanner = ByteScanner(bytes)
        scanner.skipBlanks()
    }

    mutating func parse() throws(RecurrenceError) -> Instant {
        guard let first = scanner.peek else { throw RecurrenceError("the instant is empty", hint: sense.examples) }
        if let instant = try past() { return instant }
        if first == UInt8(ascii: "@") { return try epochSeconds() }
        let start = scanner.position
        if first == UInt8(ascii: "+") {
            scanner.advance()
            isRelative = true
            return try fromNow()
        }
        if first.lowercased == UInt8(ascii: "i"), scanner.word() == "in", scanner.skipBlanks() {
            isRelative = true
            return try fromNow()
        }
        scanner.position = start
        let digits = scanner.bytes[start...].prefix { $0.isDigit }.count
        let isNumber = start + digits == scanner.bytes.count
        if isNumber, sense == .boundary || digits > 8 { return try epochMilliseconds() }
        if let instant = try dateTime() { return instant }
        scanner.position = start
        return try words()
    }

    /// `3 days ago`; where the past is meant, `3 days` as well. Nil for any other text.
    private mutating func past() throws(RecurrenceError) -> Instant? {
        let rest = scanner.text(from: scanner.position, to: scanner.bytes.count)
        let lower = rest.asciiLowercased
        let isAgo = lower.hasSuffix("ago") && lower.utf8.dropLast(3).last?.isBlank == true
        guard isAgo || sense == .past && lower.utf8.first?.isDigit == true && lower.utf8.contains(where: \.isLetter) else { return nil }
        do throws(RecurrenceError) {
            let span = try Span.parse(isAgo ? String(decoding: rest.utf8.dropLast(3), as: UTF8.self) : rest)
            isRelative = true
            return moved(by: Span(months: -span.months, milliseconds: -span.milliseconds))
        } catch {
            guard isAgo else { return nil }  // not a duration: an instant, such as 6pm
            let before = scanner.characterOffset(of: scanner.position)
            throw RecurrenceError(error.message, offset: error.offset.map { $0 + before }, hint: error.hint)
        }
    }

    // MARK: Numbers

    private mutating func epochSeconds() throws(RecurrenceError) -> Instant {
        scanner.advance()
        guard let seconds = scanner.number(digitsUpTo: 12) else { throw malformed(at: scanner.position) }
        let milliseconds = try fraction()
        guard scanner.isAtEnd else { throw malformed(at: scanner.position) }
        return Instant(milliseconds: Int64(seconds) * 1000 + milliseconds)
    }

    private mutating func epochMilliseconds() throws(RecurrenceError) -> Instant {
        let start = scanner.position
        guard let value = scanner.number(digitsUpTo: 18) else { throw malformed(at: start) }
        guard value >= Instant.bareMillisecondsMin else {
            throw error(
                "a bare number is epoch milliseconds, and \(value) is too small for that", at: start,
                hint: "epoch seconds are written @\(value)")
        }
        return Instant(milliseconds: Int64(value))
    }

    /// Reads `.` and digits, if they follow, as milliseconds. Further digits are dropped.
    private mutating func fraction() throws(RecurrenceError) -> Int64 {
        guard scanner.take(".") || scanner.take(",") else { return 0 }
        var value: Int64 = 0
        var unit: Int64 = 100
        guard scanner.peek?.isDigit == true else { throw malformed(at: scanner.position) }
        while let byte = scanner.peek, byte.isDigit {
            value += Int64(byte - UInt8(ascii: "0")) * unit
            unit /= 10
            scanner.advance()
        }
        return value
    }

    // MARK: Relative to now

    private mutating func fromNow() throws(RecurrenceError) -> Instant {
        let start = scanner.position
        do {
            return moved(by: try Span.parse(scanner.text(from: start, to: scanner.bytes.count)))
        } catch {
            let before = scanner.characterOffset(of: start)
            throw RecurrenceError(error.message, offset: error.offset.map { $0 + before }, hint: error.hint)
        }
    }

    /// Now, moved by calendar months of the zone, then by milliseconds.
    private func moved(by span: Span) -> Instant {
        guard span.months != 0 else { return now + span }
        let wall = Instant(milliseconds: now.milliseconds + Int64(zone.offsetSeconds(at: now)) * 1000) + Span(months: span.months)
        return zone.resolve(wall: wall).first.advanced(byMilliseconds: span.milliseconds)
    }

    private mutating func words() throws(RecurrenceError) -> Instant {
        var words = TimeWords(text, scanner)
        let parts: TimeWords.Parts
        do throws(TimeWordsError) { parts = try words.parse() } catch {
            let hint = [error.hint, sense.examples].compactMap { $0 }.joined(separator: "; ")
            throw self.error("can't read the instant \(quoted(text)): \(error.message)", at: error.position, hint: hint)
        }
        isRelative = true
        if case .date(.some, _, _)? = parts.day { isRelative = false }
        isDate = parts.day != nil && parts.time == nil && !parts.hasSteps && (sense != .action || parts.isISODate)
        let result = parts.resolve(zone: zone, now: now, as: sense)
        wall = result.wall
        return result.instant
    }

    // MARK: Dates and times

    /// RFC 3339, with or without an offset, and a date alone. Nil for a text that does not begin with such a date, or that has a time in
    /// words after it.
    private mutating func dateTime() throws(RecurrenceError) -> Instant? {
        let start = scanner.position
        guard let year = scanner.number(digits: 4), scanner.take("-"), let month = scanner.number(digits: 2),
            scanner.take("-"), let day = scanner.number(digits: 2)
        else { return nil }
        guard 1...12 ~= month else { throw error("month \(month) is out of range 1-12 in \(quoted(text))", at: start + 5) }
        guard 1...Civil.daysInMonth(year: year, month: month) ~= day else {
            throw error(
                "day \(day) is out of range 1-\(Civil.daysInMonth(year: year, month: month)) in \(quoted(text))", at: start + 8)
        }
        let days = Civil.days(year: year, month: month, day: day)
        if scanner.isAtEnd {
            isDate = true
            return local(day: days, milliseconds: 0)
        }
        if !scanner.take("T"), !scanner.take("t") {
            guard scanner.skipBlanks() else { throw malformed(at: scanner.position) }
            var ahead = 0
            while scanner.peek(ahead: ahead)?.isDigit == true { ahead += 1 }
            guard ahead > 0, scanner.peek(ahead: ahead) == UInt8(ascii: ":") else { return nil }
        }
        let time = try timeOfDay()
        if scanner.isAtEnd { return local(day: days, milliseconds: time) }
        let place = scanner.position
        guard let offset = try offsetSeconds(), scanner.isAtEnd else {
            scanner.position = place
            scanner.skipBlanks()
            // `2026-12-24 6:00 pm`, `2026-12-24 18:00 + 1 day`.
            if scanner.position > place { return nil }
            throw malformed(at: place)
        }
        return Instant(milliseconds: days * Civil.millisecondsPerDay + time - offset * 1000)
    }

    /// `HH:MM[:SS[.fraction]]` in milliseconds.
    private mutating func timeOfDay() throws(RecurrenceError) -> Int64 {
        let start = scanner.position
        guard let hour = scanner.number(digitsUpTo: 2), scanner.take(":"), let minute = scanner.number(digits: 2) else {
            throw malformed(at: start)
        }
        guard hour <= 23 else { throw error("hour \(hour) is out of range 0-23 in \(quoted(text))", at: start) }
        guard minute <= 59 else { throw error("minute \(minute) is out of range 0-59 in \(quoted(text))", at: start + 3) }
        var second = 0
        var milliseconds: Int64 = 0
        if scanner.take(":") {
            let place = scanner.position
            guard let number = scanner.number(digits: 2) else { throw malformed(at: place) }
            guard number <= 60 else { throw error("second \(number) is out of range 0-60 in \(quoted(text))", at: place) }
            second = number
            milliseconds = try fraction()
        }
        return Int64((hour * 60 + minute) * 60 + second) * 1000 + milliseconds
    }

    /// `Z`, `+hh:mm`, `+hhmm`, `+hh`, or ` UTC`. Nil for anything else.
    private mutating func offsetSeconds() throws(RecurrenceError) -> Int64? {
        scanner.skipBlanks()
        if scanner.take("Z") || scanner.take("z") { return 0 }
        if scanner.text(from: scanner.position, to: scanner.bytes.count) == "UTC" {
            scanner.position = scanner.bytes.count
            return 0
        }
        let negative = scanner.take("-")
        guard negative || scanner.take("+"), let hours = scanner.number(digits: 2), hours <= 23 else { return nil }
        var minutes = 0
        if scanner.take(":") || scanner.peek != nil {
            guard let number = scanner.number(digits: 2), number <= 59 else { return nil }
            minutes = number
        }
        let seconds = Int64(hours * 60 + minutes) * 60
        return negative ? -seconds : seconds
    }

    private mutating func local(day: Int64, milliseconds: Int64) -> Instant {
        let wall = day * Civil.millisecondsPerDay + milliseconds
        self.wall = wall
        return zone.resolve(wall: Instant(milliseconds: wall)).first
    }

    // MARK: Errors

    private func malformed(at byte: Int) -> RecurrenceError {
        error("can't read the instant \(quoted(text))", at: byte, hint: sense.examples)
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
