/// A TOML date, time or both, as written. No time zone is applied, and no calendar but the Gregorian.
public struct DateTime: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case offsetDateTime, localDateTime, localDate, localTime
    }

    public var kind: Kind
    /// 0 to 9999. In a local time the year, month and day are 0.
    public var year = 0
    /// 1 to 12.
    public var month = 0
    /// 1 to 31, valid for its month and year.
    public var day = 0
    /// 0 to 23. In a local date the hour, minute, second and nanosecond are 0.
    public var hour = 0
    public var minute = 0
    /// 0 to 60. RFC 3339 admits a leap second, and this module does not know which minutes have one.
    public var second = 0
    /// 0 to 999,999,999; further digits are cut, not rounded (TOML 1.1: "must be truncated, not rounded").
    public var nanosecond = 0
    /// Minutes east of UTC, -1439 to 1439. Nil unless `kind` is `offsetDateTime`.
    public var offsetMinutes: Int?

    public init(
        kind: Kind, year: Int = 0, month: Int = 0, day: Int = 0, hour: Int = 0, minute: Int = 0, second: Int = 0,
        nanosecond: Int = 0, offsetMinutes: Int? = nil
    ) {
        self.kind = kind
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.nanosecond = nanosecond
        self.offsetMinutes = offsetMinutes
    }
}

extension DateTime: CustomStringConvertible {
    /// RFC 3339 text, which is also its TOML spelling. The fraction has 0, 3, 6 or 9 digits.
    public var description: String {
        var text = ""
        if kind != .localTime {
            text += "\(year, digits: 4)-\(month, digits: 2)-\(day, digits: 2)"
        }
        if kind == .offsetDateTime || kind == .localDateTime { text += "T" }
        if kind != .localDate {
            text += "\(hour, digits: 2):\(minute, digits: 2):\(second, digits: 2)"
            if nanosecond != 0 {
                if nanosecond % 1_000_000 == 0 {
                    text += ".\(nanosecond / 1_000_000, digits: 3)"
                } else if nanosecond % 1000 == 0 {
                    text += ".\(nanosecond / 1000, digits: 6)"
                } else {
                    text += ".\(nanosecond, digits: 9)"
                }
            }
        }
        if let offsetMinutes {
            if offsetMinutes == 0 {
                text += "Z"
            } else {
                let size = abs(offsetMinutes)
                text += "\(offsetMinutes < 0 ? "-" : "+")\(size / 60, digits: 2):\(size % 60, digits: 2)"
            }
        }
        return text
    }

    var kindName: String {
        switch kind {
        case .offsetDateTime, .localDateTime: "a date-time"
        case .localDate: "a date"
        case .localTime: "a time"
        }
    }

    /// Days in a month of the proleptic Gregorian calendar.
    static func days(inMonth month: Int, ofYear year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension DefaultStringInterpolation {
    fileprivate mutating func appendInterpolation(_ number: Int, digits: Int) {
        let text = String(number)
        appendLiteral(String(repeating: "0", count: max(0, digits - text.utf8.count)))
        appendLiteral(text)
    }
}
