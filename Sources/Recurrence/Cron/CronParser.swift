/// Reads a cron expression into bit sets, or reports which field is wrong, why, and at which position.
///
/// The Unix forms accept syntax of single systems if no other system reads it differently: `0/5` and `?` of Kubernetes
/// (robfig/cron), `0~30` of cronie and OpenBSD. They refuse forms whose meaning most crons guess: `*/0` and reversed ranges.
struct CronParser {
    struct Result {
        enum When {
            case fields(WallFields, CronDialect)
            case every(Span)
            case reboot
        }

        var when: When
        /// The zone of `CRON_TZ=Europe/Berlin 30 2 * * *`.
        var zone: String?
        /// Remarks about surprising parts of the text that the fields do not show.
        var remarks: [String] = []
    }

    private let stableSeed: UInt64
    private let scanner: ByteScanner

    init(_ text: String, stableSeed: UInt64) {
        self.stableSeed = stableSeed
        scanner = ByteScanner(text)
    }

    func parse() throws(RecurrenceError) -> Result {
        guard scanner.bytes.count <= Self.longestText else {
            throw RecurrenceError("the cron expression is longer than \(Self.longestText) bytes")
        }
        var words = scanner.words()
        var zone: String?
        if let first = words.first, let name = zoneName(first) {
            zone = name
            words.removeFirst()
        }
        guard let first = words.first else { throw RecurrenceError("the cron expression is empty", hint: Self.shapeHint) }
        let firstWord = text(first)
        if firstWord.hasPrefix("@") || Self.isNickname(firstWord) {
            return Result(when: try nickname(firstWord, words: words), zone: zone)
        }
        if let wrapper = ["cron(", "rate(", "at("].first(where: firstWord.asciiLowercased.hasPrefix) {
            throw error(
                "\(wrapper)…) is EventBridge's wrapping", at: first.lowerBound,
                hint: wrapper == "cron(" ? "write what is inside" : #"write it as every = "5 minutes" or at = "…""#)
        }
        try refuseCommand(words)
        let dialect = try dialect(of: words)
        let read = try fields(dialect, words)
        return Result(when: .fields(read.fields, dialect), zone: zone, remarks: read.remarks)
    }

    /// crontab(5) has `CRON_TZ=`. robfig/cron also has `TZ=`.
    private func zoneName(_ word: Range<Int>) -> String? {
        let word = text(word)
        guard let equals = word.firstIndex(of: "="), ["tz", "cron_tz"].contains(word[..<equals].description.asciiLowercased)
        else { return nil }
        return String(word[word.index(after: equals)...])
    }

    /// Five fields are crontab(5), with `?` for `*` as in Kubernetes. Six fields with `?` as the third or fifth are AWS's, with
    /// `?` as the fourth or sixth Quartz's, and without `?` crontab(5) after seconds. Seven fields are Quartz's.
    private func dialect(of words: [Range<Int>]) throws(RecurrenceError) -> CronDialect {
        let open = words.indices.filter { text(words[$0]) == "?" }
        switch words.count {
        case 5: return .unix
        case 6:
            guard let place = open.first else { return .unixWithSeconds }
            switch open {
            case [2], [4], [2, 4]: return .aws
            case [3], [5], [3, 5]: return .quartz
            default:
                throw error(
                    "? is allowed only for the day of month or the day of week", at: words[open.last ?? place].lowerBound,
                    hint: "six fields with ? third or fifth are AWS's, fourth or sixth Quartz's")
            }
        case 7: return .quartz
        default:
            throw error(
                "expected 5 fields (minute, hour, day of month, month, day of week), found \(words.count)",
                at: words.count > 5 ? words[5].lowerBound : scanner.bytes.count,
                hint: words.count > 7 ? "6 begin with a second or end with a year, 7 do both" : Self.shapeHint)
        }
    }

    /// In a crontab, the command follows the time fields. A path in its place is not a field in any dialect.
    private func refuseCommand(_ words: [Range<Int>]) throws(RecurrenceError) {
        guard let place = words.indices.first(where: { $0 >= 5 && Self.isPath(text(words[$0])) }) else { return }
        throw error(
            "what follows the time fields is a command, \(quoted(scanner.text(from: words[place].lowerBound, to: scanner.bytes.count)))",
            at: words[place].lowerBound, hint: "a schedule is the time fields alone: leave the command out")
    }

    /// `/usr/bin/php`, `./run`, `~/bin/x`. The steps `/5` and `~/5` are not paths.
    static func isPath(_ word: String) -> Bool {
        let rest = word.drop { $0 == "." || $0 == "~" }
        return rest.hasPrefix("/") && !(rest.dropFirst().first?.isNumber ?? true)
    }

    private static let longestText = 4096
    private static let shapeHint = #"for example "30 2 * * *" is every day at 02:30"#

    // MARK: Words

    private static let nicknames = [
        "yearly": "0 0 1 1 *", "annually": "0 0 1 1 *", "monthly": "0 0 1 * *", "weekly": "0 0 * * 0",
        "daily": "0 0 * * *", "midnight": "0 0 * * *", "hourly": "0 * * * *",
    ]

    private static func isNickname(_ word: String) -> Bool {
        let lower = word.asciiLowercased
        return nicknames[lower] != nil || lower == "reboot" || lower == "every"
    }

    private func nickname(_ word: String, words: [Range<Int>]) throws(RecurrenceError) -> Result.When {
        var name = word.asciiLowercased
        if name.hasPrefix("@") { name.removeFirst() }
        if name == "every" {
            guard words.count > 1 else {
                throw error("@every needs a duration", at: scanner.bytes.count, hint: "for example @every 10m")
            }
            let start = words[1].lowerBound
            let span: Span
            do {
                span = try Span.parse(scanner.text(from: start, to: scanner.bytes.count))
            } catch {
                throw RecurrenceError(
                    "@every: \(error.message)", offset: error.offset.map { $0 + scanner.characterOffset(of: start) },
                    hint: error.hint)
            }
            guard !span.isZero else { throw error("@every needs a duration longer than zero", at: start) }
            return .every(span)
        }
        guard words.count == 1 else {
            throw error("nothing may follow @\(name)", at: words[1].lowerBound)
        }
        if name == "reboot" { return .reboot }
        if let expression = Self.nicknames[name] {
            return try CronParser(expression, stableSeed: stableSeed).parse().when
        }
        let known = Self.nicknames.keys.sorted() + ["reboot", "every"]
        let near = known.min { $0.editDistance(to: name) < $1.editDistance(to: name) }
        var hint = "known are " + known.map { "@" + $0 }.joined(separator: " ")
        if let near, near.editDistance(to: name) <= 2 { hint = "did you mean @\(near)?" }
        throw error("unknown word \(quoted(word))", at: words[0].lowerBound, hint: hint)
    }

    // MARK: Fields

    private func fields(_ dialect: CronDialect, _ words: [Range<Int>]) throws(RecurrenceError) -> (fields: WallFields, remarks: [String]) {
        let kinds = dialect.fields
        var fields: [CronField.Kind: CronValues] = [:]
        var remarks: [String] = []
        var stars: WallFields.Stars = []
        for (kind, word) in zip(kinds, words) {
            var parser = CronFieldParser(kind, scanner: scanner, word: word, stableSeed: stableSeed)
            let values = try parser.parse()
            if values.beginsWithStar { stars.insert(WallFields.Stars(kind.kind)) }
            remarks += values.remarks
            fields[kind.kind] = values
        }
        func set(_ kind: CronField.Kind) -> UInt64 { fields[kind]?.set.low ?? 0 }
        if dialect == .quartz || dialect == .aws { try checkDays(fields, dialect, words) }
        var special = fields[.dayOfMonth]?.special ?? .none
        special.formUnion(fields[.dayOfWeek]?.special ?? .none)
        // 0 and 7 are Sunday.
        let week = set(.dayOfWeek) | set(.dayOfWeek) >> 7 & 1
        var years = fields[.year]?.set ?? Bits256()
        if years.runs == [0...(Civil.endYear - 1 - Civil.firstYear)] { years = Bits256() }
        let rule = WallFields(
            seconds: fields[.second]?.set.low ?? 1, minutes: set(.minute), hours: UInt32(truncatingIfNeeded: set(.hour)),
            days: DayRule(
                daysOfMonth: UInt32(truncatingIfNeeded: set(.dayOfMonth)), daysOfWeek: UInt8(truncatingIfNeeded: week & 0x7F),
                combination: stars.isDisjoint(with: [.dayOfMonth, .dayOfWeek]) ? .either : .both),
            months: UInt16(truncatingIfNeeded: set(.month)), stars: stars,
            rare: special == .none && years.isEmpty ? nil : WallFields.Rare(years: years, days: special))
        return (rule, remarks)
    }

    /// Quartz and AWS require a value in one of the day fields and `?` in the other.
    private func checkDays(
        _ fields: [CronField.Kind: CronValues], _ dialect: CronDialect, _ words: [Range<Int>]
    ) throws(RecurrenceError) {
        let isDayOpen = fields[.dayOfMonth]?.isOpen ?? false
        let isWeekdayOpen = fields[.dayOfWeek]?.isOpen ?? false
        guard isDayOpen == isWeekdayOpen else { return }
        let place = dialect == .quartz ? words[5] : words[4]
        throw error(
            isDayOpen ? "day of month and day of week are both ?" : "day of month and day of week are both given", at: place.lowerBound,
            hint: isDayOpen ? "write * for one of them" : "in \(dialect == .quartz ? "Quartz" : "AWS")'s form one of them is ?")
    }

    private func text(_ word: Range<Int>) -> String { scanner.text(from: word.lowerBound, to: word.upperBound) }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}

extension CronDialect {
    var fields: [CronField] {
        switch self {
        case .unix: CronField.unix
        case .unixWithSeconds: CronField.unixWithSeconds
        case .quartz: CronField.quartz
        case .aws: CronField.aws
        }
    }
}
