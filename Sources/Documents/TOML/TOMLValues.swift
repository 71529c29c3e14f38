// Values: dispatch on the first character; arrays and inline tables.

extension TOMLParser {
    /// Reads the value at the cursor. `depth` is the depth of this value.
    mutating func value(depth: Int) throws(DocumentError) -> Value {
        try countValue()
        let position = cursor.position()
        let kind: Value.Kind
        switch cursor.byte {
        case Byte.quote:
            if cursor.byte(ahead: 1) == Byte.quote && cursor.byte(ahead: 2) == Byte.quote {
                kind = .string(try multilineBasicString())
            } else {
                kind = .string(try basicString())
            }
        case Byte.apostrophe:
            if cursor.byte(ahead: 1) == Byte.apostrophe && cursor.byte(ahead: 2) == Byte.apostrophe {
                kind = .string(try multilineLiteralString())
            } else {
                kind = .string(try literalString())
            }
        case Byte.openBracket:
            kind = .array(try array(depth: depth + 1))
        case Byte.openBrace:
            kind = .table(try inlineTable(at: position, depth: depth + 1))
        case Byte.zero...Byte.nine, Byte.plus, Byte.minus:
            kind = try numberOrDateTime()
        default:
            kind = try word()
        }
        return Value(kind, at: position)
    }

    /// `[` to `]`. Newlines, comments and one trailing comma are allowed.
    private mutating func array(depth: Int) throws(DocumentError) -> [Value] {
        try checkDepth(depth)
        let open = cursor.offset
        cursor.offset += 1
        nesting += 1
        var values: [Value] = []
        while true {
            try skipBlanksAndLines(in: "array", openedAt: open, closedBy: "]")
            if cursor.byte == Byte.closeBracket { break }
            values.append(try value(depth: depth))
            try skipBlanksAndLines(in: "array", openedAt: open, closedBy: "]")
            if cursor.byte == Byte.comma {
                cursor.offset += 1
            } else if cursor.byte != Byte.closeBracket {
                throw cursor.failure(
                    at: cursor.offset, "expected ',' or ']' after a value of the array, found \(cursor.found())")
            }
        }
        cursor.offset += 1
        nesting -= 1
        return values
    }

    /// Skips blanks, newlines and comments between the values of an array or inline table.
    private mutating func skipBlanksAndLines(in what: String, openedAt open: Int, closedBy close: String) throws(DocumentError) {
        while true {
            switch cursor.byte {
            case Byte.space, Byte.tab:
                cursor.offset += 1
            case Byte.newline, Byte.carriageReturn:
                guard cursor.isAtNewline else { return }
                try checkMayLeaveLine(openedAt: open, what: what)
                cursor.skipNewline()
            case Byte.hash:
                try skipComment()
            case 0 where cursor.isAtEnd:
                throw cursor.failure(at: open, "this \(what) is never closed: expected '\(close)' before the end of the file")
            default:
                return
            }
        }
    }

    /// In a script header, a value may not continue on a second line.
    func checkMayLeaveLine(openedAt open: Int, what: String) throws(DocumentError) {
        if valuesEndOnTheirLine {
            throw cursor.failure(
                at: open, "this \(what) does not end on its line",
                hint: "each #SPOOL line is one whole line of TOML; longer definitions go into a .toml file")
        }
    }

    /// `{` to `}`. Newlines, comments and one trailing comma are allowed. Nothing may be added to the table later.
    private mutating func inlineTable(at position: Position, depth: Int) throws(DocumentError) -> Table {
        try checkDepth(depth)
        let open = cursor.offset
        // The recorded key belongs to the statement that contains this table.
        let path = outline?.path
        let node = TOMLNode(.header, at: position)
        cursor.offset += 1
        nesting += 1
        while true {
            try skipBlanksAndLines(in: "inline table", openedAt: open, closedBy: "}")
            if cursor.byte == Byte.closeBrace { break }
            if cursor.byte == Byte.openBracket { throw unexpected("expected a key or '}'", inTableOpenedAt: position) }
            try keyValue(into: node, depth: depth)
            try skipBlanksAndLines(in: "inline table", openedAt: open, closedBy: "}")
            if cursor.byte == Byte.comma {
                cursor.offset += 1
            } else if cursor.byte != Byte.closeBrace {
                throw unexpected("expected ',' or '}' after a value of the inline table", inTableOpenedAt: position)
            }
        }
        cursor.offset += 1
        nesting -= 1
        if let path { outline?.path = path }
        guard case .table(let table) = node.closed().kind else { preconditionFailure("a node that is no array is a table") }
        return table
    }

    /// `true`, `false`, `inf`, `nan`, or a mistake.
    private mutating func word() throws(DocumentError) -> Value.Kind {
        let start = cursor.offset
        while TOMLParser.isBareKey(cursor.byte) || cursor.byte == Byte.dot { cursor.offset += 1 }
        switch cursor.text(start, cursor.offset) {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "inf": return .number(Number(.infinity))
        case "nan": return .number(Number(.nan))
        default: throw notAValue(at: start)
        }
    }
}
