/// The rule at the end of a time-zone file, and in `TZ`, that applies without end: `CET-1CEST,M3.5.0,M10.5.0/3`. POSIX.1 "TZ",
/// with the hours -167 to 167 of RFC 8536 §3.3.1.
struct PosixRule: Sendable {
    struct Clock: Sendable {
        var abbreviation: String
        /// The seconds to add to UTC for wall time (POSIX writes the opposite sign).
        var offset: Int32
    }

    /// A day in every year.
    enum Day: Sendable {
        /// `Jn`: 1 to 365, the 29th of February never counted.
        case julian(Int)
        /// `n`: 0 to 365, the 29th of February counted.
        case zeroBased(Int)
        /// `Mm.w.d`: weekday d (0 Sunday) of week w (5: the last) of month m.
        case weekday(month: Int, week: Int, day: Int)
    }

    struct Change: Sendable {
        var day: Day
        /// Wall seconds after that day's midnight; may be negative or beyond the day.
        var seconds: Int64
    }

    var standard: Clock
    var daylight: (clock: Clock, start: Change, end: Change)?

    /// Returns nil when the text is not a rule.
    init?(_ text: some Sequence<UInt8>) {
        var scanner = ByteScanner(Array(text))
        guard let name = Self.name(&scanner), let west = Self.clockTime(&scanner, hoursUpTo: 24) else { return nil }
        standard = Clock(abbreviation: name, offset: Int32(-west))
        daylight = nil
        if scanner.isAtEnd { return }

        guard let summerName = Self.name(&scanner) else { return nil }
        var summerOffset = Int64(standard.offset) + 3600
        if let next = scanner.peek, next != UInt8(ascii: ",") {
            guard let west = Self.clockTime(&scanner, hoursUpTo: 24) else { return nil }
            summerOffset = -west
        }
        // POSIX lets the implementation choose missing days. A rule without days is of no use here.
        guard abs(summerOffset) <= Int64(Zone.largestOffset),
            let start = Self.change(&scanner), let end = Self.change(&scanner), scanner.isAtEnd
        else { return nil }
        daylight = (Clock(abbreviation: summerName, offset: Int32(summerOffset)), start, end)
    }

    /// The UTC seconds at which daylight saving starts and ends in a year.
    func changes(in year: Int) -> (start: Int64, end: Int64)? {
        guard let daylight else { return nil }
        return (
            daylight.start.localSeconds(in: year) - Int64(standard.offset),
            daylight.end.localSeconds(in: year) - Int64(daylight.clock.offset)
        )
    }

    // MARK: Reading

    private static func name(_ scanner: inout ByteScanner) -> String? {
        var bytes: [UInt8] = []
        if scanner.take("<") {
            while let byte = scanner.peek, byte != UInt8(ascii: ">") {
                guard byte.isLetter || byte.isDigit || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") else {
                    return nil
                }
                bytes.append(byte)
                scanner.advance()
            }
            guard scanner.take(">") else { return nil }
        } else {
            while let byte = scanner.peek, byte.isLetter {
                bytes.append(byte)
                scanner.advance()
            }
        }
        return bytes.count >= 3 && bytes.count <= 32 ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    private static func clockTime(_ scanner: inout ByteScanner, hoursUpTo most: Int) -> Int64? {
        var sign: Int64 = 1
        if scanner.take("-") { sign = -1 } else { _ = scanner.take("+") }
        guard let hours = scanner.number(digitsUpTo: 3), hours <= most else { return nil }
        var seconds = Int64(hours) * 3600
        if scanner.take(":") {
            guard let minutes = scanner.number(digitsUpTo: 2), minutes <= 59 else { return nil }
            seconds += Int64(minutes) * 60
            if scanner.take(":") {
                guard let rest = scanner.number(digitsUpTo: 2), rest <= 59 else { return nil }
                seconds += Int64(rest)
            }
        }
        return sign * seconds
    }

    private static func change(_ scanner: inout ByteScanner) -> Change? {
        guard scanner.take(","), let day = day(&scanner) else { return nil }
        guard scanner.take("/") else { return Change(day: day, seconds: 2 * 3600) }
        guard let seconds = clockTime(&scanner, hoursUpTo: 167) else { return nil }
        return Change(day: day, seconds: seconds)
    }

    private static func day(_ scanner: inout ByteScanner) -> Day? {
        if scanner.take("J") {
            guard let day = scanner.number(digitsUpTo: 3), 1...365 ~= day else { return nil }
            return .julian(day)
        }
        if scanner.take("M") {
            guard let month = scanner.number(digitsUpTo: 2), 1...12 ~= month, scanner.take("."),
                let week = scanner.number(digitsUpTo: 1), 1...5 ~= week, scanner.take("."),
                let day = scanner.number(digitsUpTo: 1), 0...6 ~= day
            else { return nil }
            return .weekday(month: month, week: week, day: day)
        }
        guard let day = scanner.number(digitsUpTo: 3), day <= 365 else { return nil }
        return .zeroBased(day)
    }
}

extension PosixRule.Change {
    /// The wall time of the change in a year, in seconds since 1970 on that wall clock.
    func localSeconds(in year: Int) -> Int64 {
        let days: Int64
        switch day {
        case .julian(let number):
            // Day 60 is always the 1st of March.
            let leapDay = Civil.isLeap(year) && number >= 60 ? 1 : 0
            days = Civil.days(year: year, month: 1, day: 1) + Int64(number - 1 + leapDay)
        case .zeroBased(let number):
            days = Civil.days(year: year, month: 1, day: 1) + Int64(number)
        case .weekday(let month, let week, let weekday):
            let first = Civil.days(year: year, month: month, day: 1)
            var day = (weekday - Civil.weekday(days: first) + 7) % 7 + (week - 1) * 7
            if day >= Civil.daysInMonth(year: year, month: month) { day -= 7 }
            days = first + Int64(day)
        }
        return days * Civil.secondsPerDay + seconds
    }
}
