// The four kinds of string (TOML 1.1, "String").

extension TOMLParser {
    /// `"…"` with escapes, on one line.
    mutating func basicString() throws(DocumentError) -> String {
        let open = cursor.offset
        cursor.offset += 1
        var plain = cursor.takePlainBytes { $0.isControl }
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
            default: throw unclosed(openedAt: open, quote: "\"")
            }
            plain = cursor.takePlainBytes { $0.isControl }
        }
    }

    /// `'…'` on one line. It has no escapes.
    mutating func literalString() throws(DocumentError) -> String {
        let open = cursor.offset
        cursor.offset += 1
        while true {
            let byte = cursor.byte
            if byte == Byte.apostrophe {
                cursor.offset += 1
                return cursor.text(open + 1, cursor.offset - 1)
            }
            if byte.isControl { throw unclosed(openedAt: open, quote: "'") }
            cursor.offset += 1
        }
    }

    /// `"""…"""` with escapes. A newline right after the opening quotes is dropped.
    mutating func multilineBasicString() throws(DocumentError) -> String {
        let open = cursor.offset
        cursor.offset += 3
        if cursor.isAtNewline { try newline(openedAt: open) }
        scratch.removeAll(keepingCapacity: true)
        while true {
            let byte = cursor.byte
            if byte == Byte.quote {
                let run = quotes(Byte.quote)
                // Up to two quotes may precede the closing three.
                for _ in 0..<(run >= 3 ? run - 3 : run) { scratch.append(Byte.quote) }
                cursor.offset += run
                if run >= 3 { return String(decoding: scratch, as: UTF8.self) }
            } else if byte == Byte.backslash {
                if try !lineEndingBackslash(openedAt: open) { try escape() }
            } else if cursor.isAtNewline {
                try newline(openedAt: open)
                scratch.append(Byte.newline)
            } else if byte.isControl {
                throw unclosed(openedAt: open, quote: "\"\"\"")
            } else {
                scratch.append(byte)
                cursor.offset += 1
            }
        }
    }

    /// `'''…'''` without escapes. A newline right after the opening quotes is dropped.
    mutating func multilineLiteralString() throws(DocumentError) -> String {
        let open = cursor.offset
        cursor.offset += 3
        if cursor.isAtNewline { try newline(openedAt: open) }
        let start = cursor.offset
        var hasReturns = false
        while true {
            let byte = cursor.byte
            if byte == Byte.apostrophe {
                let run = quotes(Byte.apostrophe)
                cursor.offset += run
                guard run >= 3 else { continue }
                guard hasReturns else { return cursor.text(start, cursor.offset - 3) }
                // A CR is allowed only before an LF.
                return String(decoding: cursor.bytes[start..<cursor.offset - 3].filter { $0 != Byte.carriageReturn }, as: UTF8.self)
            } else if cursor.isAtNewline {
                if byte == Byte.carriageReturn { hasReturns = true }
                try newline(openedAt: open)
            } else if byte.isControl {
                throw unclosed(openedAt: open, quote: "'''")
            } else {
                cursor.offset += 1
            }
        }
    }

    /// The number of `quote` characters at the cursor, at most five: two of content and three that close.
    private func quotes(_ quote: UInt8) -> Int {
        var run = 1
        while run < 5, cursor.byte(ahead: run) == quote { run += 1 }
        return run
    }

    private mutating func newline(openedAt open: Int) throws(DocumentError) {
        try checkMayLeaveLine(openedAt: open, what: "string")
        cursor.skipNewline()
    }

    /// Handles a backslash at the end of a line: it removes all blanks and newlines up to the next character. Returns false,
    /// without moving the cursor, when the backslash is not the last on its line.
    private mutating func lineEndingBackslash(openedAt open: Int) throws(DocumentError) -> Bool {
        var ahead = 1
        while cursor.byte(ahead: ahead) == Byte.space || cursor.byte(ahead: ahead) == Byte.tab { ahead += 1 }
        let byte = cursor.byte(ahead: ahead)
        guard byte == Byte.newline || (byte == Byte.carriageReturn && cursor.byte(ahead: ahead + 1) == Byte.newline) else {
            return false
        }
        cursor.offset += ahead
        while true {
            cursor.skipBlanks()
            guard cursor.isAtNewline else { return true }
            try newline(openedAt: open)
        }
    }

    /// Reads `\` and the escape after it, and appends the character to `scratch`.
    private mutating func escape() throws(DocumentError) {
        let start = cursor.offset
        let letter = cursor.byte(ahead: 1)
        cursor.offset += 2
        switch letter {
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "t"): scratch.append(Byte.tab)
        case UInt8(ascii: "n"): scratch.append(Byte.newline)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "r"): scratch.append(Byte.carriageReturn)
        case UInt8(ascii: "e"): scratch.append(0x1B)
        case Byte.quote: scratch.append(Byte.quote)
        case Byte.backslash: scratch.append(Byte.backslash)
        case UInt8(ascii: "x"): try unicodeEscape(digits: 2, from: start)
        case UInt8(ascii: "u"): try unicodeEscape(digits: 4, from: start)
        case UInt8(ascii: "U"): try unicodeEscape(digits: 8, from: start)
        default:
            let isPath = letter.isLetter || letter.isDigit || letter == Byte.space || letter == Byte.dot
            throw cursor.failure(
                at: start, "expected an escape (\\b \\t \\n \\f \\r \\e \\\" \\\\ \\xXX \\uXXXX \\UXXXXXXXX), found a backslash and "
                    + cursor.found(at: start + 1),
                hint: isPath ? "write \\\\ for a backslash, or put the text between apostrophes" : nil)
        }
    }

    private mutating func unicodeEscape(digits: Int, from start: Int) throws(DocumentError) {
        var scalar: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = cursor.byte.hexValue else {
                throw cursor.failure(at: cursor.offset, "expected \(digits) hexadecimal digits, found \(cursor.found())")
            }
            scalar = scalar << 4 | digit
            cursor.offset += 1
        }
        guard UTF8Check.append(scalar, to: &scratch) else {
            throw cursor.failure(
                at: start, "\(cursor.text(start, cursor.offset)) is not a character: surrogates and codes past 10FFFF are not characters")
        }
    }
}
