/// A length of time: calendar months (a year is twelve), and milliseconds for all shorter units.
public struct Span: Hashable, Sendable, CustomStringConvertible {
    public var months: Int
    public var milliseconds: Int64

    public init(months: Int = 0, milliseconds: Int64 = 0) {
        self.months = months
        self.milliseconds = milliseconds
    }

    /// A number of seconds, for keys whose value is a number. It is rounded to milliseconds. Negative, infinite and very large
    /// numbers (more than 10,000 years) are refused.
    public init(seconds: Double) throws(RecurrenceError) {
        guard seconds.isFinite else { throw RecurrenceError("a duration must be a finite number of seconds") }
        guard seconds >= 0 else { throw RecurrenceError("a duration can't be negative: \(seconds) seconds") }
        let milliseconds = (seconds * 1000).rounded()
        guard milliseconds <= Double(Self.longestMilliseconds) else {
            throw RecurrenceError("a duration of \(seconds) seconds is longer than 10,000 years")
        }
        self.init(milliseconds: Int64(milliseconds))
    }

    public static let zero = Span()

    public var isZero: Bool { months == 0 && milliseconds == 0 }

    /// 30.4375 days, a twelfth of 365.25: the length of a month where no calendar applies (systemd.time(7)).
    static let millisecondsPerMonth: Int64 = 2_629_800_000

    /// 10,000 years: longer than any useful span, and short enough that sums never overflow.
    static let longestMonths = 120_000
    static let longestMilliseconds: Int64 = 315_576_000_000_000

    /// The length with a month as 30.44 days (exactly 2,629,800 s, as in systemd), for limits such as `timeout`. Limited to 64
    /// bits.
    public var approximateMilliseconds: Int64 {
        let product = Int64(months).multipliedReportingOverflow(by: Self.millisecondsPerMonth)
        if product.overflow { return months < 0 ? .min : .max }
        let sum = product.partialValue.addingReportingOverflow(milliseconds)
        if sum.overflow { return milliseconds < 0 ? .min : .max }
        return sum.partialValue
    }

    /// The shortest readable form: `1h30m`, `2 days`, `1y6M`, `500ms`, `0s`. It reads back as an equal span.
    public var description: String {
        let negative = months < 0 || milliseconds < 0
        let months = self.months.magnitude
        let total = milliseconds.magnitude
        let parts: [(count: UInt64, letter: String, word: String?)] = [
            (UInt64(months / 12), "y", "year"), (UInt64(months % 12), "M", "month"),
            (total / 86_400_000, "d", "day"), (total / 3_600_000 % 24, "h", nil), (total / 60_000 % 60, "m", nil),
            (total / 1000 % 60, "s", nil), (total % 1000, "ms", nil),
        ]
        let present = parts.filter { $0.count != 0 }
        let sign = negative ? "-" : ""
        if present.isEmpty { return "0s" }
        if present.count == 1, let word = present[0].word {
            return "\(sign)\(present[0].count) \(word)\(present[0].count == 1 ? "" : "s")"
        }
        return sign + present.map { "\($0.count)\($0.letter)" }.joined()
    }
}
