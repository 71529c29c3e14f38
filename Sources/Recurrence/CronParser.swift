/// Reads a cron expression into bit sets, or says what is wrong with which field at which position.
///
/// Stricter than most crons where they guess: `5/15`, `*/0`, `?`, `L` and reversed ranges are refused, as a real
/// crontab(1) refuses them.
struct CronParser {
    enum Result {
        case fields(CronFields)
        case every(Span)
        case reboot
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
        let words = Self.words(scanner.bytes)
        guard let first = words.first else { throw RecurrenceError("the cron expression is empty", hint: Self.shapeHint) }
        let firstWord = scanner.text(from: first.lowerBound, to: first.upperBound)
        if firstWord.hasPrefix("@") || Self.isNickname(firstWord) {
            return try nickname(firstWord, words: words)
        }
        if firstWord.asciiLowercased.hasPrefix("tz=") || firstWord.asciiLowercased.hasPrefix("cron_tz=") {
            throw error("a zone can't stand in the expression", at: first.lowerBound, hint: "name it in the key timezone")
        }
        switch words.count {
        case 5: return .fields(try fields(CronField.unix, words))
        case 6: return .fields(try fields(CronField.unixWithSeconds, words))
        default:
            throw error(
                "expected 5 fields (minute, hour, day of month, month, day of week), found \(words.count)",
                at: words.count > 5 ? words[5].lowerBound : scanner.bytes.count, hint: Self.shapeHint)
        }
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

    private func nickname(_ word: String, words: [Range<Int>]) throws(RecurrenceError) -> Result {
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
            return try CronParser(expression, stableSeed: stableSeed).parse()
        }
        let known = Self.nicknames.keys.sorted() + ["reboot", "every"]
        let near = known.min { $0.editDistance(to: name) < $1.editDistance(to: name) }
        var hint = "known are " + known.map { "@" + $0 }.joined(separator: " ")
        if let near, near.editDistance(to: name) <= 2 { hint = "did you mean @\(near)?" }
        throw error("unknown word \(quoted(word))", at: words[0].lowerBound, hint: hint)
    }

    // MARK: Fields

    private static func words(_ bytes: [UInt8]) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start: Int?
        for (position, byte) in bytes.enumerated() {
            if byte.isBlank {
                if let begun = start { words.append(begun..<position) }
                start = nil
            } else if start == nil {
                start = position
            }
        }
        if let begun = start { words.append(begun..<bytes.count) }
        return words
    }

    private func fields(_ kinds: [CronField], _ words: [Range<Int>]) throws(RecurrenceError) -> CronFields {
        var sets: [UInt64] = []
        var stars: CronFields.Stars = []
        for (kind, word) in zip(kinds, words) {
            var field = CronFieldParser(kind, scanner: scanner, word: word, stableSeed: stableSeed)
            sets.append(try field.parse())
            if field.beginsWithStar { stars.insert(kind.star) }
        }
        let hasSeconds = sets.count == 6
        if !hasSeconds { sets.insert(1, at: 0) }
        let sunday = sets[5] >> 7 & 1
        let days = DayRule(
            daysOfMonth: UInt32(truncatingIfNeeded: sets[3]),
            daysOfWeek: UInt8(truncatingIfNeeded: (sets[5] | sunday) & 0x7F),
            combination: stars.isDisjoint(with: [.dayOfMonth, .dayOfWeek]) ? .either : .both)
        return CronFields(
            seconds: sets[0], minutes: sets[1], hours: UInt32(truncatingIfNeeded: sets[2]), days: days,
            months: UInt16(truncatingIfNeeded: sets[4]), stars: stars, hasSeconds: hasSeconds)
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
