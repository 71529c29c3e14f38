/// A time that repeats each week on the wall clock: `Mon-Fri 22:00-06:00`, `Sat,Sun`, `12:00-13:00`.
///
/// The days are those on which it begins; without days it begins on each. One that ends at or before its beginning ends on the next
/// day. Without times it is the whole day.
struct WeeklyWindow: Sendable, Hashable {
    /// 0 is Sunday.
    let weekday: Int
    /// Minutes from midnight of its day. The end may be on the next day.
    let start: Int
    let end: Int

    var isWholeDay: Bool { start == 0 && end == 24 * 60 }

    private static let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// The windows of a text, one for each weekday.
    static func parse(_ text: String) throws(RecurrenceError) -> [WeeklyWindow] {
        var scanner = ByteScanner(text)
        scanner.skipBlanks()
        var days: Set<Int> = []
        if let first = scanner.peek, first.isLetter {
            repeat {
                scanner.skipBlanks()
                let from = try weekday(&scanner, text)
                var to = from
                if scanner.take("-") {
                    to = try weekday(&scanner, text)
                } else if scanner.take(".") {
                    guard scanner.take(".") else { throw unusable(text, at: scanner.position) }
                    to = try weekday(&scanner, text)
                }
                var day = from
                while day != to {
                    days.insert(day)
                    day = (day + 1) % 7
                }
                days.insert(to)
            } while scanner.take(",")
        } else {
            days = Set(0..<7)
        }
        scanner.skipBlanks()
        var (start, end) = (0, 24 * 60)
        if !scanner.isAtEnd {
            start = try time(&scanner, text)
            scanner.skipBlanks()
            guard scanner.take("-") else { throw unusable(text, at: scanner.position) }
            scanner.skipBlanks()
            end = try time(&scanner, text)
            scanner.skipBlanks()
            guard scanner.isAtEnd, start < 24 * 60 else { throw unusable(text, at: scanner.position) }
            if end <= start { end += 24 * 60 }
        }
        return days.sorted().map { WeeklyWindow(weekday: $0, start: start, end: end) }
    }

    private static func weekday(_ scanner: inout ByteScanner, _ text: String) throws(RecurrenceError) -> Int {
        let start = scanner.position
        let word = scanner.word()
        guard word.utf8.count >= 3, let day = names.firstIndex(where: { word.hasPrefix($0) }),
            word.utf8.count == 3 || Words.weekdays[day].asciiLowercased == word
        else { throw unusable(text, at: start) }
        return day
    }

    private static func time(_ scanner: inout ByteScanner, _ text: String) throws(RecurrenceError) -> Int {
        let start = scanner.position
        guard let hour = scanner.number(digitsUpTo: 2), scanner.take(":"), let minute = scanner.number(digits: 2),
            minute < 60, hour * 60 + minute <= 24 * 60
        else { throw unusable(text, at: start) }
        return hour * 60 + minute
    }

    private static func unusable(_ text: String, at place: Int) -> RecurrenceError {
        RecurrenceError(
            "\(quoted(text)) is not a weekly window", offset: place,
            hint: "write days, times, or both: \"Mon-Fri 22:00-06:00\", \"Sat,Sun\", \"12:00-13:00\"")
    }

    // MARK: In milliseconds from midnight of its day

    var startMilliseconds: Int64 { Int64(start) * 60_000 }
    var endMilliseconds: Int64 { Int64(end) * 60_000 }
}
