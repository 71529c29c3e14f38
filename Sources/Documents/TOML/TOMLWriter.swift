/// Writes a value tree as TOML.
struct TOMLWriter {
    private(set) var text = ""
    /// True when a string of several lines may be written on several lines.
    private let multilineStrings: Bool

    init(multilineStrings: Bool = true) {
        self.multilineStrings = multilineStrings
    }

    /// Writes the keys of `table`. The caller has already written the header that `path` names.
    mutating func write(_ table: Table, path: [String]) {
        for entry in table.entries where !TOMLWriter.hasHeader(entry.value) {
            if case .null = entry.value.kind { continue }
            text += "\(TOMLWriter.key(entry.key)) = "
            append(entry.value, inline: false)
            text += "\n"
        }
        for entry in table.entries where TOMLWriter.hasHeader(entry.value) {
            let path = path + [TOMLWriter.key(entry.key)]
            switch entry.value.kind {
            case .table(let table):
                // A table that contains only tables is implied by their headers.
                if table.isEmpty || table.entries.contains(where: { !TOMLWriter.hasHeader($0.value) }) {
                    header("[\(path.joined(separator: "."))]")
                }
                write(table, path: path)
            case .array(let elements):
                for element in elements {
                    header("[[\(path.joined(separator: "."))]]")
                    if case .table(let table) = element.kind { write(table, path: path) }
                }
            default:
                break
            }
        }
    }

    private mutating func header(_ header: String) {
        if !text.isEmpty { text += "\n" }
        text += "\(header)\n"
    }

    /// True for tables, and for non-empty arrays that contain only tables.
    private static func hasHeader(_ value: Value) -> Bool {
        switch value.kind {
        case .table: true
        case .array(let values): !values.isEmpty && values.allSatisfy { if case .table = $0.kind { true } else { false } }
        default: false
        }
    }

    // MARK: Values

    /// A value on one line, for arrays and inline tables.
    static func inline(_ value: Value) -> String {
        var writer = TOMLWriter()
        writer.append(value, inline: true)
        return writer.text
    }

    /// A value after `key =`.
    static func line(_ value: Value, multilineStrings: Bool) -> String {
        var writer = TOMLWriter(multilineStrings: multilineStrings)
        writer.append(value, inline: false)
        return writer.text
    }

    private mutating func append(_ value: Value, inline: Bool) {
        switch value.kind {
        case .string(let string): text += inline || !multilineStrings ? TOMLWriter.quoted(string) : TOMLWriter.string(string)
        case .integer(let integer): text += String(integer)
        case .number(let number): text += number.text
        case .boolean(let boolean): text += boolean ? "true" : "false"
        case .null: break
        case .dateTime(let dateTime): text += dateTime.description
        case .array(let values):
            text += "["
            var isFirst = true
            for value in values {
                if case .null = value.kind { continue }
                if !isFirst { text += ", " }
                isFirst = false
                append(value, inline: true)
            }
            text += "]"
        case .table(let table):
            text += "{"
            var isFirst = true
            for entry in table.entries {
                if case .null = entry.value.kind { continue }
                text += isFirst ? " " : ", "
                isFirst = false
                text += "\(TOMLWriter.key(entry.key)) = "
                append(entry.value, inline: true)
            }
            text += isFirst ? "}" : " }"
        }
    }

    // MARK: Strings and keys

    /// A key for a dotted path. It is bare if possible.
    static func key(_ key: String) -> String {
        !key.isEmpty && key.utf8.allSatisfy(TOMLParser.isBareKey) ? key : quoted(key)
    }

    /// A string on one line. It is written between apostrophes when that saves escapes.
    static func quoted(_ string: String) -> String {
        var needsEscape = false
        var hasApostropheOrControl = false
        for byte in string.utf8 {
            if byte == Byte.quote || byte == Byte.backslash { needsEscape = true }
            if byte == Byte.apostrophe || byte.isControl || byte == leadOfBytes { hasApostropheOrControl = true }
        }
        if needsEscape && !hasApostropheOrControl { return "'\(string)'" }
        return "\"\(escaped(string, multiline: false))\""
    }

    /// A string in the form that is easiest to read, on several lines if useful.
    private static func string(_ string: String) -> String {
        guard string.utf8.dropLast().contains(Byte.newline) else { return quoted(string) }
        var apostrophes = 0
        var isLiteral = string.utf8.last != Byte.apostrophe
        for byte in string.utf8 {
            apostrophes = byte == Byte.apostrophe ? apostrophes + 1 : 0
            if apostrophes == 3 || (byte.isControl && byte != Byte.newline) || byte == leadOfBytes { isLiteral = false }
        }
        if isLiteral { return "'''\n\(string)'''" }
        return "\"\"\"\n\(escaped(string, multiline: true))\"\"\""
    }

    private static func escaped(_ string: String, multiline: Bool) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(string.utf8.count + 8)
        var quotes = 0
        for byte in string.utf8 {
            quotes = byte == Byte.quote ? quotes + 1 : 0
            switch byte {
            case Byte.newline where multiline: result.append(byte)
            case Byte.newline: result += [Byte.backslash, UInt8(ascii: "n")]
            case Byte.carriageReturn: result += [Byte.backslash, UInt8(ascii: "r")]
            case Byte.tab: result += [Byte.backslash, UInt8(ascii: "t")]
            case Byte.backslash: result += [Byte.backslash, Byte.backslash]
            // Escape every third quote of a run, so that no three are adjacent.
            case Byte.quote where !multiline || quotes % 3 == 0: result += [Byte.backslash, Byte.quote]
            case _ where byte.isControl:
                let digits = String(byte, radix: 16, uppercase: true)
                result += Array("\\u00\(digits.utf8.count < 2 ? "0" : "")\(digits)".utf8)
            default: result.append(byte)
            }
        }
        // A quote at the end would merge with the closing three.
        if multiline, result.last == Byte.quote, quotes % 3 != 0 {
            result.removeLast()
            result += [Byte.backslash, Byte.quote]
        }
        let text = String(decoding: result, as: UTF8.self)
        guard result.contains(leadOfBytes) else { return text }
        // The last private-use characters stand for bytes that are not UTF-8. Escapes make them visible.
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar.value >= 0x10FF00 {
                shown.append(contentsOf: "\\U00\(String(scalar.value, radix: 16, uppercase: true))".unicodeScalars)
            } else {
                shown.append(scalar)
            }
        }
        return String(shown)
    }

    /// The first byte of every character from U+100000 on.
    private static let leadOfBytes: UInt8 = 0xF4
}
