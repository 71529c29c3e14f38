/// A date or time in the form of iCalendar: `19970902`, `19970902T090000`, `19970902T090000Z` (RFC 5545 §3.3.4, §3.3.5).
struct BasicTime: Sendable, Hashable, CustomStringConvertible {
    enum Form: Sendable, Hashable { case date, local, utc }

    /// Seconds since 1970, as if the time were UTC. For a date, the seconds of its midnight.
    var wall: Int64
    var form: Form

    /// Returns nil for a text of another form. Throws when a field is out of range, with its position in `text`. Second 60 is
    /// read as 59, as RFC 5545 §3.3.12 requires of systems without leap seconds.
    static func parse(_ text: String) throws(RecurrenceError) -> BasicTime? {
        var scanner = ByteScanner(text)
        guard let year = scanner.number(digits: 4), let month = scanner.number(digits: 2), let day = scanner.number(digits: 2)
        else { return nil }
        var (hour, minute, second) = (0, 0, 0)
        var form = Form.date
        if scanner.take("T") || scanner.take("t") {
            guard let h = scanner.number(digits: 2), let m = scanner.number(digits: 2), let s = scanner.number(digits: 2) else {
                return nil
            }
            (hour, minute, second) = (h, m, s)
            form = scanner.take("Z") || scanner.take("z") ? .utc : .local
        }
        guard scanner.isAtEnd else { return nil }
        func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>, at offset: Int) throws(RecurrenceError) {
            guard !range.contains(value) else { return }
            throw RecurrenceError(
                "\(name) \(value) is out of range \(range.lowerBound)-\(range.upperBound) in \(quoted(text))", offset: offset)
        }
        try check("month", month, 1...12, at: 4)
        try check("day", day, 1...Civil.daysInMonth(year: year, month: month), at: 6)
        try check("hour", hour, 0...23, at: 9)
        try check("minute", minute, 0...59, at: 11)
        try check("second", second, 0...60, at: 13)
        let days = Civil.days(year: year, month: month, day: day)
        return BasicTime(
            wall: days * Civil.secondsPerDay + Int64((hour * 60 + minute) * 60 + min(second, 59)), form: form)
    }

    var description: String {
        // 20261121T020000.000Z
        let text = Instant(seconds: wall).compact
        switch form {
        case .date: return String(text.prefix(8))
        case .local: return String(text.prefix(15))
        case .utc: return text.prefix(15) + "Z"
        }
    }
}
