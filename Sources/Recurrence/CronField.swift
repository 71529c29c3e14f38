/// One field of a cron expression: what it is called and which values it takes.
struct CronField: Sendable {
    let name: String
    /// Lowest and highest value that may be written.
    let values: ClosedRange<Int>
    /// The highest value that `*` and `H` stand for, when it is less than the highest that may be written.
    let hashedEnd: Int
    /// Three-letter names, the first for `firstName`.
    let names: [String]
    let firstName: Int
    let star: CronFields.Stars

    private init(
        _ name: String, _ values: ClosedRange<Int>, star: CronFields.Stars, hashedEnd: Int? = nil, names: [String] = [],
        firstName: Int = 0
    ) {
        self.name = name
        self.values = values
        self.hashedEnd = hashedEnd ?? values.upperBound
        self.names = names
        self.firstName = firstName
        self.star = star
    }

    static let second = CronField("second", 0...59, star: .second)
    static let minute = CronField("minute", 0...59, star: .minute)
    static let hour = CronField("hour", 0...23, star: .hour)
    // H keeps to the days that every month has.
    static let dayOfMonth = CronField("day of month", 1...31, star: .dayOfMonth, hashedEnd: 28)
    static let month = CronField(
        "month", 1...12, star: .month,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], firstName: 1)
    // crontab(5): 0 and 7 are Sunday; the bit of 7 is folded into that of 0 after reading.
    static let dayOfWeek = CronField(
        "day of week", 0...7, star: .dayOfWeek, hashedEnd: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    static let unix = [minute, hour, dayOfMonth, month, dayOfWeek]
    static let unixWithSeconds = [second] + unix

    /// `0-59`; `0-7 or sun-sat`.
    var allowed: String {
        let numbers = "\(values.lowerBound)-\(values.upperBound)"
        guard let first = names.first, let last = names.last else { return numbers }
        return "\(numbers) or \(first)-\(last)"
    }
}
