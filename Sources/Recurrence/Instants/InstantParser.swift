extension Instant {
    /// A bare number from this value on is epoch milliseconds. A smaller one is not an instant.
    public static let bareMillisecondsMin: Int64 = 100_000_000_000

    /// Reads an instant between 1970 and the end of 2199:
    ///
    /// - RFC 3339 with any offset, `t`, `z` or a space allowed: `2026-12-24T18:00:00+01:00`;
    /// - without an offset in `zone`: `2026-12-24 18:00[:ss[.fff]]`, `2026-12-24` (its midnight);
    /// - `@1790000000` epoch seconds, or a bare integer from 10^11 on as epoch milliseconds;
    /// - from `now`: `now`, `in 2 hours`, `+2h`, `18:00` (the next), `today 18:00`, `tomorrow 18:00`, `tomorrow`,
    ///   `yesterday`.
    ///
    /// A wall time that the clock skips means the first instant after the gap. A repeated one means its first instant. Digits
    /// below milliseconds are dropped. Second 60 is the second after 59.
    public static func parse(_ text: String, zone: Zone, now: Instant) throws(RecurrenceError) -> Instant {
        var parser = InstantParser(text, zone: zone, now: now)
        let instant = try parser.parse()
        guard instant.milliseconds >= 0, instant.milliseconds < Civil.endSeconds * 1000 else {
            throw RecurrenceError("\(quoted(text)) is not between 1970 and 2199")
        }
        return instant
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

    private static let anHourEast = Zone(
        name: "+01", ranges: [Zone.Range(start: Zone.beforeAll, end: Zone.afterAll, offset: 3600, isDaylight: false, abbreviation: 0)],
        abbreviations: ["+01"])
}

struct InstantParser {
    private let text: String
    private let zone: Zone
    private let now: Instant
    private var scanner: ByteScanner
    /// In milliseconds, as if the wall time were UTC. Nil when the text itself gives the instant.
    private(set) var wall: Int64?
    /// The text is a date alone. It is read as midnight.
    private(set) var isDate = false
    /// The text counts from now.
    private(set) var isRelative = false

    private static let shapeHint =
        #"for example "2026-12-24T18:00:00+01:00", "2026-12-24 18:00", "@1790000000" or "in 2 hours""#

    init(_ text: String, zone: Zone, now: Instant) {
        self.text = text
        self.zone = zone
        // An impossible `now` gives an instant that is refused at the end. Until then the computation must not overflow.
        self.now = min(max(now, Instant(milliseconds: Instant.firstPrintable)), Instant(milliseconds: Instant.lastPrintable))
        var bytes = Array(text.utf8)
        while bytes.last?.isBlank == true { bytes.removeLast() }
        scanner = ByteScanner(bytes)
        scanner.skipBlanks()
    }

    mutating func parse() throws(RecurrenceError) -> Instant {
        let start = scanner.position
        guard let first = scanner.peek else { throw RecurrenceError("the instant is empty", hint: Self.shapeHint) }
        if first == UInt8(ascii: "@") { return try epochSeconds() }
        if first == UInt8(ascii: "+") {
            scanner.advance()
            isRelative = true
            return try fromNow()
        }
        if first.isLetter {
            isRelative = true
            return try word()
        }
        guard first.isDigit else { throw malformed(at: start) }
        var end = start
        while end < scanner.bytes.count, scanner.bytes[end].isDigit { end += 1 }
        if end == scanner.bytes.count { return try epochMilliseconds() }
        if scanner.bytes[end] == UInt8(ascii: ":") {
            isRelative = true
            return try nextTimeOfDay()
        }
        return try dateTime()
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
            return now + (try Span.parse(scanner.text(from: start, to: scanner.bytes.count)))
        } catch {
            let before = scanner.characterOffset(of: start)
            throw RecurrenceError(error.message, offset: error.offset.map { $0 + before }, hint: error.hint)
        }
    }

    private mutating func word() throws(RecurrenceError) -> Instant {
        let start = scanner.position
        let word = scanner.word()
        let blank = scanner.skipBlanks()
        switch word {
        case "now" where scanner.isAtEnd: return now
        case "in" where blank && !scanner.isAtEnd: return try fromNow()
        case "today" where blank || scanner.isAtEnd, "tomorrow" where blank || scanner.isAtEnd,
            "yesterday" where blank || scanner.isAtEnd:
            let day = today + (word == "today" ? 0 : word == "tomorrow" ? 1 : -1)
            isDate = scanner.isAtEnd
            let time = scanner.isAtEnd ? 0 : try timeOfDay()
            guard scanner.isAtEnd else { throw malformed(at: scanner.position) }
            return local(day: day, milliseconds: time)
        default: throw malformed(at: start)
        }
    }

    /// The day number of today in the zone's calendar.
    private var today: Int64 {
        Civil.floorDivide(Civil.floorDivide(now.milliseconds, 1000) + Int64(zone.offsetSeconds(at: now)), Civil.secondsPerDay)
    }

    private mutating func nextTimeOfDay() throws(RecurrenceError) -> Instant {
        let time = try timeOfDay()
        guard scanner.isAtEnd else { throw malformed(at: scanner.position) }
        let today = local(day: today, milliseconds: time)
        return today > now ? today : local(day: self.today + 1, milliseconds: time)
    }

    // MARK: Dates and times

    private mutating func dateTime() throws(RecurrenceError) -> Instant {
        let start = scanner.position
        guard let year = scanner.number(digits: 4), scanner.take("-"), let month = scanner.number(digits: 2),
            scanner.take("-"), let day = scanner.number(digits: 2)
        else { throw malformed(at: start) }
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
        if !scanner.take("T"), !scanner.take("t"), !scanner.skipBlanks() { throw malformed(at: scanner.position) }
        let time = try timeOfDay()
        if scanner.isAtEnd { return local(day: days, milliseconds: time) }
        let offset = try offsetSeconds()
        guard scanner.isAtEnd else { throw malformed(at: scanner.position) }
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

    /// `Z`, `+hh:mm`, `+hhmm`, `+hh`, or ` UTC`.
    private mutating func offsetSeconds() throws(RecurrenceError) -> Int64 {
        let start = scanner.position
        scanner.skipBlanks()
        if scanner.take("Z") || scanner.take("z") { return 0 }
        if scanner.text(from: scanner.position, to: scanner.bytes.count) == "UTC" {
            scanner.position = scanner.bytes.count
            return 0
        }
        let negative = scanner.take("-")
        guard negative || scanner.take("+"), let hours = scanner.number(digits: 2), hours <= 23 else {
            throw malformed(at: start)
        }
        var minutes = 0
        if scanner.take(":") || scanner.peek != nil {
            guard let number = scanner.number(digits: 2), number <= 59 else { throw malformed(at: start) }
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
        error("can't read the instant \(quoted(text))", at: byte, hint: Self.shapeHint)
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
