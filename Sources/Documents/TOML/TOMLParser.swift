/// Reads one TOML document. This file reads lines, keys and tables; the files beside it read values.
///
/// The rules that decide which table may be defined where are in the sections "Keys", "Table", "Inline Table" and "Array of
/// Tables" of TOML 1.1. Each refusal below names its case.
struct TOMLParser {
    var cursor: Cursor
    let limits: Limits
    /// True for script headers: a value must end on the line on which it begins.
    let valuesEndOnTheirLine: Bool
    /// The byte range of each statement, for `TOMLEditor`. Nil when they are not needed.
    var outline: TOMLOutline?
    /// The bytes of the string that is being read, when it has escapes.
    var scratch: [UInt8] = []
    /// The number of open arrays and inline tables.
    var nesting = 0

    private let root: TOMLNode
    private var section: TOMLNode
    private var sectionDepth = 0
    private var valueCount = 0

    init(
        _ bytes: UnsafeBufferPointer<UInt8>, limits: Limits, valuesEndOnTheirLine: Bool = false, outline: TOMLOutline? = nil
    ) throws(DocumentError) {
        cursor = try Cursor(bytes, limits: limits, skippingByteOrderMark: true)
        self.limits = limits
        self.valuesEndOnTheirLine = valuesEndOnTheirLine
        self.outline = outline
        root = TOMLNode(.header, at: Position(line: 1, column: 1))
        section = root
    }

    mutating func parseDocument() throws(DocumentError) -> Value {
        while true {
            cursor.skipBlanks()
            switch cursor.byte {
            case Byte.newline:
                cursor.skipNewline()
            case Byte.carriageReturn where cursor.isAtNewline:
                cursor.skipNewline()
            case Byte.hash:
                try skipComment()
            case Byte.openBracket:
                try header()
            case 0 where cursor.isAtEnd:
                return root.closed()
            default:
                try statement()
            }
        }
    }

    // MARK: Lines

    /// Skips from `#` to the end of the line, but not the newline.
    mutating func skipComment() throws(DocumentError) {
        while !cursor.isAtEnd {
            let byte = cursor.byte
            if byte == Byte.newline || cursor.isAtNewline { return }
            if byte.isControl {
                throw cursor.failure(at: cursor.offset, "a comment cannot hold \(cursor.found())")
            }
            cursor.offset += 1
        }
    }

    /// Reads the rest of a statement's line: blanks, a comment, and the end of the line or file.
    private mutating func endOfLine(after what: String, valueStart: Int? = nil) throws(DocumentError) {
        cursor.skipBlanks()
        if cursor.byte == Byte.hash { try skipComment() }
        if cursor.isAtEnd { return }
        guard cursor.isAtNewline else { throw unexpectedAfter(what, valueStart: valueStart) }
        cursor.skipNewline()
    }

    /// Counts one more value and checks the limit.
    mutating func countValue() throws(DocumentError) {
        valueCount += 1
        if valueCount > limits.values {
            throw cursor.failure(at: cursor.offset, "the document has more than \(limits.values) values")
        }
    }

    func checkDepth(_ depth: Int) throws(DocumentError) {
        if depth > limits.depthEnforced {
            throw cursor.failure(at: cursor.offset, "tables and arrays are nested more than \(limits.depthEnforced) deep")
        }
    }

    // MARK: Keys

    /// One part of a key: bare, "basic" or 'literal'.
    mutating func keyPart() throws(DocumentError) -> String {
        let start = cursor.offset
        switch cursor.byte {
        case Byte.quote:
            if cursor.byte(ahead: 1) == Byte.quote && cursor.byte(ahead: 2) == Byte.quote {
                throw cursor.failure(at: start, "a key cannot be a multi-line string")
            }
            return try basicString()
        case Byte.apostrophe:
            if cursor.byte(ahead: 1) == Byte.apostrophe && cursor.byte(ahead: 2) == Byte.apostrophe {
                throw cursor.failure(at: start, "a key cannot be a multi-line string")
            }
            return try literalString()
        default:
            while TOMLParser.isBareKey(cursor.byte) { cursor.offset += 1 }
            guard cursor.offset > start else { throw unexpectedKey() }
            return cursor.text(start, cursor.offset)
        }
    }

    /// A-Z a-z 0-9 _ -
    static func isBareKey(_ byte: UInt8) -> Bool {
        byte.isLetter || byte.isDigit || byte == Byte.underscore || byte == Byte.minus
    }

    /// Reads `key = value` up to the end of its line.
    private mutating func statement() throws(DocumentError) {
        let start = cursor.offset
        outline?.path = []
        let valueStart = try keyValue(into: section, depth: sectionDepth)
        let valueEnd = cursor.offset
        try endOfLine(after: "the value", valueStart: valueStart)
        outline?.add(.keyValue, start: start, value: valueStart..<valueEnd, end: cursor.offset)
    }

    /// Reads `a.b = value`, in a section or an inline table. Returns the offset of the value.
    @discardableResult
    mutating func keyValue(into table: TOMLNode, depth: Int) throws(DocumentError) -> Int {
        var table = table
        var depth = depth
        while true {
            let start = cursor.offset
            let position = cursor.position()
            let key = try keyPart()
            outline?.path.append(key)
            cursor.skipBlanks()
            if cursor.byte == Byte.dot {
                table = try descend(table, byDottedKey: key, at: position, offset: start)
                depth += 1
                try checkDepth(depth)
                cursor.offset += 1
                cursor.skipBlanks()
                continue
            }
            guard cursor.byte == Byte.equals else { throw missingEquals(after: key, at: start) }
            if let place = table.table.place(of: key) { throw duplicate(key, in: table, at: place, offset: start) }
            cursor.offset += 1
            cursor.skipBlanks()
            let valueStart = cursor.offset
            let value = try self.value(depth: depth)
            table.table.append(Table.Entry(key: key, keyPosition: position, value: value))
            return valueStart
        }
    }

    /// The table that a part of a dotted key names. It is created if it is new.
    private mutating func descend(
        _ table: TOMLNode, byDottedKey key: String, at position: Position, offset: Int
    ) throws(DocumentError) -> TOMLNode {
        guard let place = table.table.place(of: key) else {
            try countValue()
            return table.open(key, .dottedKey, at: position)
        }
        guard let child = table.child(at: place), child.origin == .dottedKey || child.origin == .implied else {
            throw notExtensible(key, in: table, at: place, offset: offset)
        }
        // A table that only [a.b.c] implied is now defined, so no [a.b] may follow.
        child.origin = .dottedKey
        return child
    }

    // MARK: Headers

    /// Reads `[a.b]` or `[[a.b]]` up to the end of its line.
    private mutating func header() throws(DocumentError) {
        let start = cursor.offset
        cursor.offset += 1
        let isArray = cursor.byte == Byte.openBracket
        if isArray { cursor.offset += 1 }
        cursor.skipBlanks()
        outline?.path = []

        var table = root
        var depth = 0
        while true {
            let keyStart = cursor.offset
            let position = cursor.position()
            if cursor.byte == Byte.closeBracket { throw emptyHeader() }
            let key = try keyPart()
            outline?.path.append(key)
            cursor.skipBlanks()
            depth += 1
            try checkDepth(isArray ? depth + 1 : depth)
            if cursor.byte == Byte.dot {
                table = try descend(table, byHeader: key, at: position, offset: keyStart)
                cursor.offset += 1
                cursor.skipBlanks()
                continue
            }
            try closeHeader(isArray: isArray)
            section = isArray
                ? try element(of: key, in: table, at: position, offset: keyStart)
                : try define(key, in: table, at: position, offset: keyStart)
            sectionDepth = isArray ? depth + 1 : depth
            break
        }
        try endOfLine(after: "the header")
        outline?.add(isArray ? .arrayElement : .table, start: start, value: start..<start, end: cursor.offset)
    }

    private mutating func closeHeader(isArray: Bool) throws(DocumentError) {
        let close = isArray ? "]]" : "]"
        guard cursor.byte == Byte.closeBracket, !isArray || cursor.byte(ahead: 1) == Byte.closeBracket else {
            throw cursor.failure(
                at: cursor.offset, "expected '\(close)' to close the header, found \(cursor.found())",
                hint: isArray && cursor.byte == Byte.closeBracket ? "a header that opens with '[[' closes with ']]'" : nil)
        }
        cursor.offset += isArray ? 2 : 1
    }

    /// The table that a part of a header before the last names. It is created if it is new. For an array, it is the last element.
    private mutating func descend(
        _ table: TOMLNode, byHeader key: String, at position: Position, offset: Int
    ) throws(DocumentError) -> TOMLNode {
        guard let place = table.table.place(of: key) else {
            try countValue()
            return table.open(key, .implied, at: position)
        }
        guard let child = table.child(at: place) else { throw notExtensible(key, in: table, at: place, offset: offset) }
        return child.origin == .arrayOfTables ? child.elements[child.elements.count - 1] : child
    }

    /// `[key]`: a new table, or one that was only implied before.
    private mutating func define(
        _ key: String, in table: TOMLNode, at position: Position, offset: Int
    ) throws(DocumentError) -> TOMLNode {
        guard let place = table.table.place(of: key) else {
            try countValue()
            return table.open(key, .header, at: position)
        }
        guard let child = table.child(at: place), child.origin == .implied else {
            throw duplicate(key, in: table, at: place, offset: offset)
        }
        child.origin = .header
        return child
    }

    /// `[[key]]`: a new array of tables, or one more element.
    private mutating func element(
        of key: String, in table: TOMLNode, at position: Position, offset: Int
    ) throws(DocumentError) -> TOMLNode {
        let array: TOMLNode
        if let place = table.table.place(of: key) {
            guard let child = table.child(at: place), child.origin == .arrayOfTables else {
                throw duplicate(key, in: table, at: place, offset: offset)
            }
            array = child
        } else {
            try countValue()
            array = table.open(key, .arrayOfTables, at: position)
        }
        try countValue()
        let element = TOMLNode(.header, at: position)
        array.elements.append(element)
        return element
    }
}
