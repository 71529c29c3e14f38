// Error messages for a document that is not TOML: what was expected, what was found, and what was probably meant.

extension TOMLParser {
    // MARK: Values

    /// The text at the place of a value is not a value.
    func notAValue(at start: Int) -> DocumentError {
        let rest = restOfValue(from: start)
        if rest.isEmpty {
            return cursor.failure(at: start, "expected a value, found \(cursor.found(at: start))")
        }
        return cursor.failure(at: start, "expected a value, found '\(rest)'", hint: meaning(of: rest))
    }

    private func meaning(of text: String) -> String {
        switch text.lowercased() {
        case "true", "false": return "did you mean \(text.lowercased())?"
        case "yes", "on", "y": return "did you mean true? Text needs quotes: \"\(text)\""
        case "no", "off", "n": return "did you mean false? Text needs quotes: \"\(text)\""
        case "null", "nil", "none", "undefined": return "TOML has no null: leave the key out"
        case "infinity", "+infinity", "-infinity", "+inf", "-inf", "inf": return "did you mean inf or -inf?"
        case "nan", "+nan", "-nan": return "did you mean nan?"
        default: break
        }
        let bytes = Array(text.utf8)
        if bytes[0] == Byte.equals { return "a key and its value are joined by one '='" }
        if bytes[0] == Byte.zero, bytes.count > 1, !bytes.contains(Byte.space),
            "xob".utf8.contains(bytes[1] | 0x20) {
            return "integers of other bases are 0xFF, 0o17, 0b11, with digits of that base; text needs quotes"
        }
        if text.hasPrefix("\u{201C}") || text.hasPrefix("\u{2018}") || text.hasPrefix("`") {
            return "write a string between straight quotes: \" or '"
        }
        let isCutShort = bytes.last == Byte.dot && bytes.dropLast().allSatisfy { $0.isDigit || $0 == Byte.minus }
        if bytes.first == Byte.dot || isCutShort {
            return "a float has digits on both sides of its point"
        }
        if bytes.allSatisfy({ $0.isDigit || $0 == Byte.underscore || $0 == Byte.plus || $0 == Byte.minus }) {
            return "an underscore must be between two digits"
        }
        return "strings need quotes: \(TOMLWriter.quoted(text))"
    }

    /// The text from `start` to the end of the value: up to a comment or the end of the line, or in an array or inline table up
    /// to the end of the element. Cut after 60 bytes.
    private func restOfValue(from start: Int) -> String {
        var end = start
        while end < cursor.count, end - start < 60 {
            let byte = cursor.bytes[end]
            if byte.isControl { break }
            if nesting > 0, byte == Byte.comma || byte == Byte.closeBracket || byte == Byte.closeBrace { break }
            if byte == Byte.hash && (end == start || cursor.bytes[end - 1] == Byte.space) { break }
            end += 1
        }
        while end > start, end < cursor.count, cursor.bytes[end] & 0xC0 == 0x80 { end -= 1 }
        while end > start, cursor.bytes[end - 1] == Byte.space || cursor.bytes[end - 1] == Byte.tab { end -= 1 }
        return cursor.text(start, end)
    }

    func unclosed(openedAt open: Int, quote: String) -> DocumentError {
        if cursor.isAtEnd {
            return cursor.failure(
                at: open, "this string is never closed: expected \(quote) before the end of the file")
        }
        if cursor.isAtNewline {
            return cursor.failure(
                at: open, "this string is not closed on its line: expected \(quote)",
                hint: "text of several lines goes between \(quote)\(quote)\(quote)")
        }
        let isReturn = cursor.byte == Byte.carriageReturn
        return cursor.failure(
            at: cursor.offset, "a string cannot hold \(cursor.found()) as it is",
            hint: quote.hasPrefix("\"")
                ? (isReturn ? "write \\r, or end lines with \\n or \\r\\n" : "write it as an escape: \\uXXXX")
                : "use a string between quotation marks and write it as \\uXXXX")
    }

    /// `valueStart` is the offset of the preceding value. Nil after a header.
    func unexpectedAfter(_ what: String, valueStart: Int?) -> DocumentError {
        let hint: String?
        switch cursor.byte {
        case Byte.slash where cursor.byte(ahead: 1) == Byte.slash, UInt8(ascii: ";"): hint = "comments begin with #"
        case Byte.carriageReturn: hint = "lines end with \\n or \\r\\n"
        case Byte.quote: hint = #"inside "…" write \" for a quotation mark"#
        case Byte.apostrophe: hint = "text with an apostrophe in it goes between quotation marks: \"…\""
        default: hint = valueStart.flatMap(hintForUnquoted)
        }
        return cursor.failure(
            at: cursor.offset, "expected the end of the line after \(what), found \(cursor.found())", hint: hint)
    }

    /// More text follows a value on its line: `10 minutes`, `0,30 * * * *`, `1 b = 2`, `1,`.
    private func hintForUnquoted(from valueStart: Int) -> String? {
        let first = cursor.bytes[valueStart]
        guard first.isLetter || first.isDigit || first == Byte.minus || first == Byte.plus else {
            return cursor.byte == Byte.comma ? "a line has no comma at its end; several values make an array: [1, 2]" : nil
        }
        let rest = restOfValue(from: valueStart)
        if rest.utf8.contains(Byte.equals) { return "each key has a line of its own" }
        if rest.utf8.last == Byte.comma { return "a line has no comma at its end" }
        return "strings need quotes: \(TOMLWriter.quoted(rest))"
    }

    /// The error at a place in an inline table. It names the table's brace when that is on an earlier line.
    func unexpected(_ expected: String, inTableOpenedAt open: Position) -> DocumentError {
        let line = cursor.position(of: cursor.offset).line
        return cursor.failure(
            at: cursor.offset, "\(expected), found \(cursor.found())",
            hint: line == open.line ? nil : "the inline table begins at line \(open.line), column \(open.column); commas separate its keys")
    }

    // MARK: Keys and tables

    func unexpectedKey() -> DocumentError {
        let hint: String?
        switch cursor.byte {
        case Byte.openBrace: hint = "this looks like JSON; a JSON file is named .json"
        case Byte.equals: hint = "a key is missing before '='"
        case Byte.slash, UInt8(ascii: ";"): hint = "comments begin with #"
        case 0xEF where cursor.byte(ahead: 1) == 0xBB && cursor.byte(ahead: 2) == 0xBF:
            hint = "this is a byte order mark, which may only begin the file"
        case 0x80...: hint = "a key with other than A-Z a-z 0-9 _ - goes into quotes"
        case 0 where !cursor.isAtEnd: hint = "this looks like UTF-16; save the file as UTF-8"
        default: hint = nil
        }
        return cursor.failure(at: cursor.offset, "expected a key, found \(cursor.found())", hint: hint)
    }

    func missingEquals(after key: String, at start: Int) -> DocumentError {
        let hint: String?
        switch cursor.byte {
        case Byte.colon: hint = "TOML uses '=': \(TOMLWriter.key(key.shown)) = …"
        case 0x80...: hint = "a key with other than A-Z a-z 0-9 _ - goes into quotes"
        default:
            let isSpaced = TOMLParser.isBareKey(cursor.byte) && cursor.offset > start + key.utf8.count
            hint = isSpaced ? "a key with a space in it goes into quotes" : nil
        }
        return cursor.failure(
            at: cursor.offset, "expected '=' after the key '\(key.shown)', found \(cursor.found())", hint: hint)
    }

    func emptyHeader() -> DocumentError {
        cursor.failure(at: cursor.offset, "expected the name of a table, found ']'")
    }

    func duplicate(_ key: String, in table: TOMLNode, at place: Int, offset: Int) -> DocumentError {
        let first = table.table.entries[place].keyPosition
        let hint: String? =
            switch table.child(at: place)?.origin {
            case .header: "put all of its keys under one header"
            case .arrayOfTables: "a further element is written [[\(TOMLWriter.key(key.shown))]]"
            default: nil
            }
        return cursor.failure(
            at: offset, "'\(key.shown)' is defined twice: first at line \(first.line), column \(first.column)", hint: hint)
    }

    /// A key or header passes through a value to which nothing can be added.
    func notExtensible(_ key: String, in table: TOMLNode, at place: Int, offset: Int) -> DocumentError {
        let entry = table.table.entries[place]
        let what: String
        switch table.child(at: place)?.origin {
        case .header: what = "a table with a header of its own"
        case .arrayOfTables: what = "an array of tables"
        case .implied, .dottedKey: what = "a table"
        case nil:
            if case .table = entry.value.kind { what = "an inline table" } else { what = entry.value.kindName }
        }
        return cursor.failure(
            at: offset,
            "'\(key.shown)' is \(what) since line \(entry.keyPosition.line), column \(entry.keyPosition.column), "
                + "and cannot be added to here")
    }
}
