/// Reads the keys of one table, each once, and collects the problems.
///
/// Each accessor returns nil when the key is absent or its value is unusable. An unusable value is a problem. `finish` adds a
/// problem for every key that was not read, with the name of the nearest key that was.
struct TableReader {
    let table: Table
    let context: ReadingContext
    private(set) var problems: [DocumentError] = []
    /// All keys that the caller has asked for. Used for suggestions.
    private var asked: [String] = []
    /// The entries of the table that were asked for, by their index.
    private var isRead: UInt64 = 0
    /// The kinds of keys that the table has: almost all keys that are asked for are of another kind, and need no search.
    private let kinds: UInt64

    init(_ table: Table, _ context: ReadingContext) {
        self.table = table
        self.context = context
        kinds = table.entries.reduce(0) { $0 | Self.kind(of: $1.key) }
        asked.reserveCapacity(64)
    }

    /// One of 64 bits, which depends on the key's length and first byte.
    private static func kind(of key: String) -> UInt64 {
        1 << UInt64((key.utf8.count &* 7 &+ Int(key.utf8.first ?? 0)) & 63)
    }

    mutating func value(_ key: String) -> Value? {
        asked.append(key)
        guard let place = note(key) else { return nil }
        return table.entries[place].value
    }

    /// Keys that are legal here but read elsewhere.
    mutating func expect(_ keys: [String]) {
        asked += keys
        for key in keys { _ = note(key) }
    }

    /// Notes that a key was asked for, and returns its place in the table.
    private mutating func note(_ key: String) -> Int? {
        guard kinds & Self.kind(of: key) != 0, let place = table.place(of: key) else { return nil }
        if place < UInt64.bitWidth { isRead |= 1 << UInt64(place) }
        return place
    }

    /// A file with more problems than this is reported with the first ones only.
    private static let problemsMax = 100
    private static let unknownKeysMax = 20

    mutating func fail(_ position: Position, _ message: String, hint: String? = nil) {
        guard problems.count < Self.problemsMax else { return }
        problems.append(DocumentError(position: position, message: message, hint: hint))
    }

    mutating func fail(_ value: Value, _ key: String, expected: String) {
        fail(value.position, "\(key) must be \(expected), not \(value.kind.article)")
    }

    mutating func absorb(_ other: TableReader) { problems += other.problems.prefix(max(0, Self.problemsMax - problems.count)) }

    mutating func finish() {
        let unknown = table.entries.enumerated().filter { place, entry in
            place < UInt64.bitWidth ? isRead & 1 << UInt64(place) == 0 : !asked.contains(entry.key)
        }.map(\.element)
        if unknown.count > Self.unknownKeysMax {
            fail(
                unknown[Self.unknownKeysMax].keyPosition, "from here on there are \(unknown.count - Self.unknownKeysMax) more unknown keys")
        }
        for entry in unknown.prefix(Self.unknownKeysMax) {
            let near = nearest(to: entry.key, among: asked)
            fail(entry.keyPosition, "unknown key \"\(entry.key)\"", hint: near.map { "did you mean \"\($0)\"?" })
        }
        problems.sort { ($0.position.line, $0.position.column) < ($1.position.line, $1.position.column) }
    }

    // MARK: Plain values

    mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value.kind else {
            fail(value, key, expected: "a string")
            return nil
        }
        guard !text.utf8.contains(0) else {
            fail(value.position, "\(key) contains a NUL character")
            return nil
        }
        return text
    }

    /// The maximum length of a title in bytes.
    static let titleBytesMax = 200

    /// One line for people, which every table and the subject of a mail can show as it is.
    mutating func title(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value.kind else {
            fail(value, key, expected: "a string")
            return nil
        }
        if let scalar = text.unicodeScalars.first(where: { TerminalText.isUnsafe($0.value) }) {
            fail(
                value.position, "\(key) contains \(TerminalText.escape(scalar)): a title is one line of visible text",
                hint: "longer text goes into description")
            return nil
        }
        guard text.utf8.contains(where: { $0 != 0x20 }), text.utf8.count <= Self.titleBytesMax else {
            fail(
                value.position, "\(key) is \(text.utf8.count) bytes long; a title has 1 to \(Self.titleBytesMax), not all blank",
                hint: "longer text goes into description")
            return nil
        }
        return text
    }

    mutating func boolean(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .boolean(let flag) = value.kind else {
            fail(value, key, expected: "true or false")
            return nil
        }
        return flag
    }

    mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = value(key) else { return nil }
        guard case .integer(let number) = value.kind else {
            fail(value, key, expected: "a whole number")
            return nil
        }
        guard let number = Int(exactly: number), range.contains(number) else {
            fail(value.position, "\(key) is \(number), outside \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    mutating func strings(_ key: String) -> [String]? {
        guard let value = value(key) else { return nil }
        return strings(value, key)
    }

    mutating func strings(_ value: Value, _ key: String) -> [String]? {
        guard case .array(let elements) = value.kind else {
            fail(value, key, expected: "a list of strings")
            return nil
        }
        var result: [String] = []
        for element in elements {
            guard case .string(let text) = element.kind, !text.utf8.contains(0) else {
                fail(element.position, "\(key) must hold strings without NUL, not \(element.kind.article)")
                return nil
            }
            result.append(text)
        }
        return result
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, as: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let value = value(key) else { return nil }
        let words = Choice.allCases.map(\.rawValue)
        guard case .string(let text) = value.kind, let choice = Choice(rawValue: text) else {
            var found = value.kind.article
            var hint: String?
            if case .string(let text) = value.kind {
                found = "\"\(text)\""
                hint = nearest(to: text, among: words).map { "did you mean \"\($0)\"?" }
            }
            fail(value.position, "\(key) must be one of \(words.joined(separator: ", ")), not \(found)", hint: hint)
            return nil
        }
        return choice
    }

    mutating func name(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value.kind else {
            fail(value, key, expected: "a name")
            return nil
        }
        guard Name.isValid(text) else {
            fail(
                value.position,
                "\(key) \"\(text)\" is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -")
            return nil
        }
        return text
    }

    // MARK: Time

    /// A duration in milliseconds: a string in any spelling, or a number of seconds.
    mutating func milliseconds(_ key: String) -> Int64? {
        span(key).map(\.approximateMilliseconds)
    }

    mutating func span(_ key: String) -> Span? {
        guard let value = value(key) else { return nil }
        return span(value, key)
    }

    mutating func span(_ value: Value, _ key: String) -> Span? {
        do throws(RecurrenceError) {
            switch value.kind {
            case .string(let text): return try Span.parse(text)
            case .integer(let seconds): return try Span(seconds: Double(seconds))
            case .number(let seconds): return try Span(seconds: seconds.double)
            default:
                fail(value, key, expected: "a duration such as \"90s\", \"1h30m\" or a number of seconds")
            }
        } catch {
            fail(value.position, "\(key): \(error.message)", hint: error.hint)
        }
        return nil
    }

    mutating func instant(_ key: String, zone: Zone) -> Instant? {
        guard let value = value(key) else { return nil }
        return instant(value, key, zone: zone)
    }

    mutating func instant(_ value: Value, _ key: String, zone: Zone) -> Instant? {
        guard let text = instantText(value, key) else { return nil }
        do throws(RecurrenceError) { return try Instant.parse(text, zone: zone, now: context.now) } catch {
            fail(value.position, "\(key): \(error.message)", hint: error.hint)
            return nil
        }
    }

    /// An instant as text, for a string or a TOML date.
    mutating func instantText(_ value: Value, _ key: String) -> String? {
        switch value.kind {
        case .string(let string): return string
        case .integer(let number): return String(number)
        case .dateTime(let moment) where moment.kind != .localTime: return moment.description
        case .dateTime(let moment):
            fail(value.position, "\(key) must be an instant; \(moment) has no date")
            return nil
        default:
            fail(value, key, expected: "an instant such as \"2026-12-24T18:00:00Z\"")
            return nil
        }
    }

    mutating func zone(_ key: String) -> Zone? {
        guard let value = value(key) else { return nil }
        guard case .string(let name) = value.kind else {
            fail(value, key, expected: "a time zone's name")
            return nil
        }
        do throws(RecurrenceError) { return try context.zones.zone(name) } catch {
            fail(value.position, "\(key): \(error.message)", hint: error.hint)
            return nil
        }
    }
}

extension Value.Kind {
    /// The kind of the value, for an error: `a string`, `a list`.
    var article: String {
        switch self {
        case .string: "a string"
        case .integer: "a whole number"
        case .number(let number): number.isWhole ? "a whole number beyond 64 bits" : "a number"
        case .boolean: "a truth value"
        case .null: "null"
        case .dateTime: "a date or time"
        case .array: "a list"
        case .table: "a table"
        }
    }
}
