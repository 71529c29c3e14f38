/// The proleptic Gregorian calendar as arithmetic on day numbers (0 is 1970-01-01).
/// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". Exact for years -200,000 to 200,000.
enum Civil {
    static let secondsPerDay: Int64 = 86_400
    static let millisecondsPerDay: Int64 = 86_400_000

    /// 2200-01-01T00:00:00Z in seconds. Nothing is due at or after this time.
    static let endSeconds: Int64 = 7_258_118_400
    static let firstYear = 1970
    static let endYear = 2200

    struct Date: Hashable {
        var year: Int
        /// 1 to 12.
        var month: Int
        /// 1 to 31.
        var day: Int
    }

    @inline(__always)
    static func days(year: Int, month: Int, day: Int) -> Int64 {
        let y = month <= 2 ? year &- 1 : year
        let era = (y >= 0 ? y : y &- 399) / 400
        let yearOfEra = y &- era &* 400
        let dayOfYear = (153 &* (month > 2 ? month &- 3 : month &+ 9) &+ 2) / 5 &+ day &- 1
        let dayOfEra = yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear
        return Int64(truncatingIfNeeded: era &* 146_097 &+ dayOfEra &- 719_468)
    }

    @inline(__always)
    static func date(days: Int64) -> Date {
        let z = Int(truncatingIfNeeded: days) &+ 719_468
        let era = (z >= 0 ? z : z &- 146_096) / 146_097
        // Within an era all values are small, so the faster 32-bit division by a constant is enough.
        let dayOfEra = UInt32(truncatingIfNeeded: z &- era &* 146_097)
        let yearOfEra = (dayOfEra &- dayOfEra / 1460 &+ dayOfEra / 36_524 &- dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let shifted = (5 &* dayOfYear &+ 2) / 153
        let day = dayOfYear &- (153 &* shifted &+ 2) / 5 &+ 1
        let month = shifted < 10 ? shifted &+ 3 : shifted &- 9
        let year = Int(yearOfEra) &+ era &* 400 &+ (month <= 2 ? 1 : 0)
        return Date(year: year, month: Int(month), day: Int(day))
    }

    /// 0 is Sunday.
    @inline(__always)
    static func weekday(days: Int64) -> Int {
        let remainder = (days &+ 4) % 7
        return Int(truncatingIfNeeded: remainder < 0 ? remainder &+ 7 : remainder)
    }

    static func isLeap(_ year: Int) -> Bool {
        year & 3 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    @inline(__always)
    static func daysInMonth(year: Int, month: Int) -> Int {
        if month == 2 { return isLeap(year) ? 29 : 28 }
        // 31 for January, March, May, July, August, October, December.
        return 30 &+ ((month ^ (month >> 3)) & 1)
    }

    /// The quotient rounded toward negative infinity. The divisor must be positive.
    @inline(__always)
    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient &- 1 : quotient
    }
}
