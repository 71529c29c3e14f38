/// Reads one JSON text.
struct JSONParser {
    private var cursor: Cursor
    private let limits: Limits
    private let duplicateKeys: JSON.DuplicateKeys
    private var valueCount = 0
    /// The bytes of the string that is being read, when it has escapes.
    private var scratch: [UInt8] = []

    init(
        _ bytes: UnsafeBufferPointer<UInt8>, limits: Limits, duplicateKeys: JSON.DuplicateKeys
    ) throws(DocumentError) {
        cursor = try Cursor(bytes, limits: limits, skippingByteOrderMark: false)
        self.limits = limits
        self.duplicateKeys = duplicateKeys
    }

    mutating func parseDocument() throws(DocumentError) -> Value {
        if cursor.byte == 0xEF && cursor.byte(ahead: 1) == 0xBB && cursor.byte(ahead: 2) == 0xBF {
            throw cursor.failure(
                at: 0, "JSON does not begin with a byte order mark", hint: "save the file as UTF-8 without one")
        }
        skipBlanks()
        let value = try value(depth: 0)
        skipBlanks()
        if !cursor.isAtEnd {
            throw cursor.failure(
                at: cursor.offset, "expected the end of the file after the value, found \(cursor.found())",
                hint: commentHint)
        }
        return value
    }

    private mutating func skipBlanks() {
        while true {
            switch cursor.byte {
            case Byte.space, Byte.tab, Byte.carriageReturn:
                cursor.offset += 1
            case Byte.newline:
                cursor.offset += 1
                cursor.startLine()
            default:
                return
            }
        }
    }

    // MARK: - Values

    private mutating func value(depth: Int) throws(DocumentError) -> Value {
        valueCount += 1
        if valueCount > limits.values {
            throw cursor.failure(at: cursor.offset, "the document has more than \(limits.values) values")
        }
        let position = cursor.position()
        let kind: Value.Kind
        switch cursor.byte {
        case Byte.quote: kind = .string(try string())
        case Byte.openBrace: kind = .table(try object(depth: depth + 1))
        case Byte.openBracket: kind = .array(try array(depth: depth + 1))
        case Byte.zero...Byte.nine, Byte.minus: kind = try number()
        case UInt8(ascii: "t") where skip("true"): kind = .boolean(true)
        case UInt8(ascii: "f") where skip("false"): kind = .boolean(false)
        case UInt8(ascii: "n") where skip("null"): kind = .null
        default: throw notAValue()
        }
        return Value(kind, at: position)
    }

    /// Skips `word` when it is at the cursor and ends there.
    private mutating func skip(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard cursor.offset + length <= cursor.count else { return false }
        for place in 0..<length where cursor.bytes[cursor.offset + place] != word.utf8Start[place] { return false }
        let next = cursor.byte(ahead: length)
        if next.isLetter || next.isDigit { return false }
        cursor.offset += length
        return true
    }

    private mutating func array(depth: Int) throws(DocumentError) -> [Value] {
        try checkDepth(depth)
        let open = cursor.offset
        cursor.offset += 1
        skipBlanks()
        var values: [Value] = []
        if cursor.byte == Byte.closeBracket {
            cursor.offset += 1
            return values
        }
        while true {
            values.append(try value(depth: depth))
            skipBlanks()
            if cursor.byte == Byte.closeBracket { break }
            guard cursor.byte == Byte.comma else { throw missing("',' or ']' after a value of the array", openedAt: open) }
            let comma = cursor.offset
            cursor.offset += 1
            skipBlanks()
            if cursor.byte == Byte.closeBracket { throw trailingComma(at: comma) }
        }
        cursor.offset += 1
        return values
    }

    private mutating func object(depth: Int) throws(DocumentError) -> Table {
        try checkDepth(depth)
        let open = cursor.offset
        cursor.offset += 1
        skipBlanks()
        var table = Table()
        if cursor.byte == Byte.closeBrace {
            cursor.offset += 1
            return table
        }
        while true {
            let start = cursor.offset
            let position = cursor.position()
            guard cursor.byte == Byte.quote else { throw notAKey(openedAt: open) }
            let key = try string()
            let known = table.place(of: key)
            if let known, duplicateKeys == .refused {
                let first = table.entries[known].keyPosition
                throw cursor.failure(
                    at: start, "'\(key.shown)' is given twice: first at line \(first.line), column \(first.column)")
            }
            skipBlanks()
            guard cursor.byte == Byte.colon else { throw missing("':' after the key '\(key.shown)'", openedAt: open) }
            cursor.offset += 1
            skipBlanks()
            let value = try value(depth: depth)
            if let known {
                table.replaceValue(at: known, with: value)
            } else {
                table.append(Table.Entry(key: key, keyPosition: position, value: value))
            }
            skipBlanks()
            if cursor.byte == Byte.closeBrace { break }
            guard cursor.byte == Byte.comma else { throw missing("',' or '}' after a value of the object", openedAt: open) }
            let comma = cursor.offset
            cursor.offset += 1
            skipBlanks()
            if cursor.byte == Byte.closeBrace { throw trailingComma(at: comma) }
        }
        cursor.offset += 1
        return table
    }

    private func checkDepth(_ depth: Int) throws(DocumentError) {
        if depth > limits.depthEnforced {
            throw cursor.failure(at: cursor.offset, "objects and arrays are nested more than \(limits.depthEnforced) deep")
        }
    }

    // MARK: - Numbers

    private mutating func number() throws(DocumentError) -> Value.Kind {
        let start = cursor.offset
        let isNegative = cursor.byte == Byte.minus
        if isNegative { cursor.offset += 1 }
        guard cursor.byte.isDigit else { throw notANumber(at: start) }
        var integer: Int64 = 0
        var fits = true
        if cursor.byte == Byte.zero {
            cursor.offset += 1
            if cursor.byte.isDigit { throw notANumber(at: start, hint: "a number does not begin with a zero") }
        }
        while cursor.byte.isDigit {
            let digit = Int64(cursor.byte - Byte.zero)
            let (tenfold, tooLarge) = integer.multipliedReportingOverflow(by: 10)
            let (next, past) = tenfold.addingReportingOverflow(isNegative ? -digit : digit)
            if tooLarge || past { fits = false } else { integer = next }
            cursor.offset += 1
        }
        var isInteger = true
        if cursor.byte == Byte.dot {
            isInteger = false
            cursor.offset += 1
            try digits(ofNumberAt: start)
        }
        if cursor.byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            cursor.offset += 1
            if cursor.byte == Byte.plus || cursor.byte == Byte.minus { cursor.offset += 1 }
            try digits(ofNumberAt: start)
        }
        if cursor.byte.isLetter || cursor.byte == Byte.dot || cursor.byte == Byte.underscore { throw notANumber(at: start) }
        if isInteger && fits { return .integer(integer) }
        return .number(Number(text: cursor.text(start, cursor.offset)))
    }

    private mutating func digits(ofNumberAt start: Int) throws(DocumentError) {
        guard cursor.byte.isDigit else { throw notANumber(at: start) }
        while cursor.byte.isDigit { cursor.offset += 1 }
    }

    // MARK: - Strings

    private mutating func string() throws(DocumentError) -> String {
        let open = cursor.offset
        cursor.offset += 1
        var plain = cursor.takePlainBytes { $0 < 0x20 }
        // Most strings have no escapes and are copied in one piece.
        if cursor.byte == Byte.quote {
            cursor.offset += 1
            return cursor.text(plain)
        }
        scratch.removeAll(keepingCapacity: true)
        while true {
            scratch.append(contentsOf: cursor.bytes[plain])
            switch cursor.byte {
            case Byte.quote:
                cursor.offset += 1
                return String(decoding: scratch, as: UTF8.self)
            case Byte.backslash: try escape()
            default: throw unclosed(openedAt: open)
            }
            plain = cursor.takePlainBytes { $0 < 0x20 }
        }
    }

    private mutating func escape() throws(DocumentError) {
        let start = cursor.offset
        let letter = cursor.byte(ahead: 1)
        cursor.offset += 2
        switch letter {
        case Byte.quote, Byte.backslash, Byte.slash: scratch.append(letter)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "n"): scratch.append(Byte.newline)
        case UInt8(ascii: "r"): scratch.append(Byte.carriageReturn)
        case UInt8(ascii: "t"): scratch.append(Byte.tab)
        case UInt8(ascii: "u"):
            var scalar = try fourHexDigits()
            // RFC 8259 section 7: a character above U+FFFF is escaped as a UTF-16 surrogate pair.
            if scalar & 0xFC00 == 0xD800, cursor.byte == Byte.backslash, cursor.byte(ahead: 1) == UInt8(ascii: "u") {
                cursor.offset += 2
                let low = try fourHexDigits()
                scalar = low & 0xFC00 == 0xDC00 ? 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF : 0xD800
            }
            guard UTF8Check.append(scalar, to: &scratch) else {
                throw cursor.failure(
                    at: start, "half of a surrogate pair is not a character", hint: "write both halves: \\uD83D\\uDE00")
            }
        default:
            throw cursor.failure(
                at: start, "expected an escape (\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX), found a backslash and "
                    + cursor.found(at: start + 1),
                hint: "write \\\\ for a backslash")
        }
    }

    private mutating func fourHexDigits() throws(DocumentError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = cursor.byte.hexValue else {
                throw cursor.failure(at: cursor.offset, "expected 4 hexadecimal digits, found \(cursor.found())")
            }
            value = value << 4 | digit
            cursor.offset += 1
        }
        return value
    }

    // MARK: - Mistakes

    private func unclosed(openedAt open: Int) -> DocumentError {
        if cursor.isAtEnd {
            return cursor.failure(at: open, "this string is never closed: expected \" before the end of the file")
        }
        if cursor.isAtNewline {
            return cursor.failure(
                at: open, "this string is not closed on its line: expected \"", hint: "write \\n for a new line")
        }
        return cursor.failure(
            at: cursor.offset, "a string cannot hold \(cursor.found()) as it is",
            hint: cursor.byte == Byte.tab ? "write \\t" : "write it as an escape: \\uXXXX")
    }

    private func missing(_ what: String, openedAt open: Int) -> DocumentError {
        if cursor.isAtEnd {
            let kind = cursor.bytes[open] == Byte.openBrace ? "object" : "array"
            return cursor.failure(at: open, "this \(kind) is never closed: the file ends where \(what) was expected")
        }
        let hint = cursor.byte == Byte.equals ? "JSON uses ':'; a TOML file is named .toml" : commentHint
        return cursor.failure(at: cursor.offset, "expected \(what), found \(cursor.found())", hint: hint)
    }

    private func trailingComma(at comma: Int) -> DocumentError {
        cursor.failure(
            at: comma, "expected another value after ',', found \(cursor.found())",
            hint: "JSON has no comma after the last value")
    }

    private func notAKey(openedAt open: Int) -> DocumentError {
        if cursor.isAtEnd { return missing("a key", openedAt: open) }
        let isBare = cursor.byte.isLetter || cursor.byte == Byte.underscore || cursor.byte == Byte.apostrophe
        return cursor.failure(
            at: cursor.offset, "expected a key between quotation marks, found \(cursor.found())",
            hint: isBare ? "JSON keys need quotation marks: \"key\"" : commentHint)
    }

    private func notANumber(at start: Int, hint: String? = nil) -> DocumentError {
        var end = start
        while end < cursor.count, end - start < 40 {
            let byte = cursor.bytes[end]
            guard TOMLParser.isBareKey(byte) || byte == Byte.dot || byte == Byte.plus else { break }
            end += 1
        }
        let text = cursor.text(start, end)
        return cursor.failure(
            at: start, "expected a number, found '\(text)'",
            hint: hint ?? (text.utf8.contains { $0.isLetter } ? "strings need quotation marks: \"\(text)\"" : nil))
    }

    private func notAValue() -> DocumentError {
        var end = cursor.offset
        while end < cursor.count, end - cursor.offset < 40, TOMLParser.isBareKey(cursor.bytes[end]) { end += 1 }
        let word = cursor.text(cursor.offset, end)
        let hint: String?
        switch word.lowercased() {
        case "true", "false", "null": hint = "did you mean \(word.lowercased())?"
        case "none", "nil", "undefined": hint = "did you mean null?"
        case "nan", "infinity", "inf": hint = "JSON has no infinities and no not-a-number"
        case "":
            switch cursor.byte {
            case Byte.apostrophe: hint = "write a JSON string between quotation marks: \"text\""
            case Byte.dot, Byte.plus: hint = "a number begins with a digit or '-'"
            default: hint = commentHint
            }
        default: hint = "strings need quotation marks: \"\(word)\""
        }
        let found = word.isEmpty ? cursor.found() : "'\(word)'"
        return cursor.failure(at: cursor.offset, "expected a value, found \(found)", hint: hint)
    }

    private var commentHint: String? {
        cursor.byte == Byte.slash || cursor.byte == Byte.hash ? "JSON has no comments" : nil
    }
}
