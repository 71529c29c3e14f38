/// The forms of cron expressions. The number of fields and the place of `?` distinguish them.
public enum CronDialect: String, Sendable, Hashable, CaseIterable {
    /// Five fields: crontab(5).
    case unix
    /// Six fields: seconds, then the fields of crontab(5), as in robfig/cron and Spring.
    case unixWithSeconds
    /// Six or seven fields: seconds first, years last, Sunday is 1, and one of the day fields is `?`.
    case quartz
    /// Six fields: minutes first, years last, Sunday is 1, and one of the day fields is `?` (EventBridge).
    case aws
}

/// One field of a cron expression: its name, its range of values, and the accepted syntax.
struct CronField: Sendable {
    enum Kind: UInt8, Sendable { case second, minute, hour, dayOfMonth, month, dayOfWeek, year }

    let kind: Kind
    let name: String
    /// The lowest and highest value that may be written.
    let values: ClosedRange<Int>
    /// The highest value that `*` and `H` include, if it is less than the highest that may be written.
    let hashedEnd: Int
    /// Three-letter names, the first for `firstName`.
    let names: [String]
    let firstName: Int
    /// The number to subtract from a written value to get its bit in the set: 1 where Sunday is 1, 1970 for years.
    let base: Int
    /// Quartz and AWS: `/n`, ranges across the end, `?` for a day, no `~`, and steps no longer than the field.
    let isExtended: Bool

    private init(
        _ kind: Kind, _ name: String, _ values: ClosedRange<Int>, hashedEnd: Int? = nil, names: [String] = [],
        firstName: Int = 0, base: Int = 0, isExtended: Bool = false
    ) {
        self.kind = kind
        self.name = name
        self.values = values
        self.hashedEnd = hashedEnd ?? values.upperBound
        self.names = names
        self.firstName = firstName
        self.base = base
        self.isExtended = isExtended
    }

    private var extended: CronField {
        CronField(
            kind, name, values, hashedEnd: hashedEnd, names: names, firstName: firstName, base: base, isExtended: true)
    }

    static let monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    static let weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    static let second = CronField(.second, "second", 0...59)
    static let minute = CronField(.minute, "minute", 0...59)
    static let hour = CronField(.hour, "hour", 0...23)
    // H uses only days that every month has.
    static let dayOfMonth = CronField(.dayOfMonth, "day of month", 1...31, hashedEnd: 28)
    static let month = CronField(.month, "month", 1...12, names: monthNames, firstName: 1)
    // crontab(5): 0 and 7 are Sunday. After reading, bit 7 is merged into bit 0.
    static let dayOfWeek = CronField(.dayOfWeek, "day of week", 0...7, hashedEnd: 6, names: weekdayNames)
    private static let dayOfWeekFromOne = CronField(
        .dayOfWeek, "day of week", 1...7, names: weekdayNames, firstName: 1, base: 1, isExtended: true)
    private static let year = CronField(
        .year, "year", Civil.firstYear...(Civil.endYear - 1), base: Civil.firstYear, isExtended: true)

    static let unix = [minute, hour, dayOfMonth, month, dayOfWeek]
    static let unixWithSeconds = [second] + unix
    static let aws = [minute, hour, dayOfMonth, month].map(\.extended) + [dayOfWeekFromOne, year]
    static let quartz = [second.extended] + aws

    /// `0-59`; `0-7 or sun-sat`.
    var allowed: String {
        let numbers = "\(values.lowerBound)-\(values.upperBound)"
        guard let first = names.first, let last = names.last else { return numbers }
        return "\(numbers) or \(first)-\(last)"
    }

    /// The longest step. Vixie's cron accepts any: `*/100,1-7` for a day of month means 1-7, and the star decides in `DayRule`.
    /// Quartz refuses a step that is longer than its field.
    var longestStep: Int {
        guard isExtended, kind != .year else { return 999_999 }
        return kind == .hour || kind == .minute || kind == .second ? values.upperBound : values.upperBound - values.lowerBound + 1
    }

    /// The highest value that does not repeat a lower one: 7 is Sunday, as 0 is.
    var lastOfItsOwn: Int { kind == .dayOfWeek ? values.lowerBound + 6 : values.upperBound }

    /// The syntax besides values that the field accepts, for an error message.
    var forms: String {
        switch kind {
        case .dayOfMonth:
            isExtended ? "lists, ranges a-b, steps a/n, L, L-n, nW, LW and ?" : "lists, ranges a-b, steps */n and a/n, L, L-n, nW and LW"
        case .dayOfWeek: isExtended ? "lists, ranges a-b, steps a/n, L, nL, n#k and ?" : "lists, ranges a-b, steps */n and a/n, nL and n#k"
        default: isExtended ? "lists, ranges a-b and steps a/n" : "lists, ranges a-b, steps */n, a/n and a-b/n"
        }
    }
}

extension WallFields.Stars {
    /// The star of the field. Years have none.
    init(_ kind: CronField.Kind) {
        switch kind {
        case .second: self = .second
        case .minute: self = .minute
        case .hour: self = .hour
        case .dayOfMonth: self = .dayOfMonth
        case .month: self = .month
        case .dayOfWeek: self = .dayOfWeek
        case .year: self = []
        }
    }
}
