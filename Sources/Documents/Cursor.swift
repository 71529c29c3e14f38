import Lines

/// Names for the bytes that have a meaning in TOML and JSON.
enum Byte {
    static let tab: UInt8 = 0x09
    static let newline: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let hash: UInt8 = 0x23
    static let apostrophe: UInt8 = 0x27
    static let plus: UInt8 = 0x2B
    static let comma: UInt8 = 0x2C
    static let minus: UInt8 = 0x2D
    static let dot: UInt8 = 0x2E
    static let slash: UInt8 = 0x2F
    static let zero: UInt8 = 0x30
    static let nine: UInt8 = 0x39
    static let colon: UInt8 = 0x3A
    static let equals: UInt8 = 0x3D
    static let openBracket: UInt8 = 0x5B
    static let backslash: UInt8 = 0x5C
    static let closeBracket: UInt8 = 0x5D
    static let underscore: UInt8 = 0x5F
    static let openBrace: UInt8 = 0x7B
    static let closeBrace: UInt8 = 0x7D
    static let delete: UInt8 = 0x7F
}

extension UInt8 {
    var isDigit: Bool { self &- Byte.zero < 10 }
    var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }
    /// True for bytes that are forbidden in TOML comments and one-line strings: everything below space except tab, and DEL.
    var isControl: Bool { (self < 0x20 && self != Byte.tab) || self == Byte.delete }

    /// The value of a hexadecimal digit, or nil.
    var hexValue: UInt32? {
        if isDigit { return UInt32(self &- Byte.zero) }
        let lower = (self | 0x20) &- 0x61
        return lower < 6 ? UInt32(lower) + 10 : nil
    }
}

/// A position in the bytes of a document that is known to be UTF-8. It counts lines as it moves.
///
/// Asking for positions in ascending order costs at most the bytes between them. An error costs one pass from the start.
struct Cursor {
    let bytes: UnsafeBufferPointer<UInt8>
    let count: Int
    /// The start of the text: after a byte order mark, where the language allows one.
    let start: Int
    let isASCII: Bool
    var offset: Int
    private(set) var line = 1
    private(set) var lineStart: Int
    // The part of the current line before `countedTo` has `continuations` bytes that do not begin a character.
    private var continuations = 0
    private var countedTo = 0

    /// Throws when the document is longer than its limit or not UTF-8.
    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: Limits, skippingByteOrderMark: Bool) throws(DocumentError) {
        self.bytes = bytes
        count = bytes.count
        isASCII = UTF8Check.isASCII(bytes)
        let hasMark = !isASCII && count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF
        start = hasMark && skippingByteOrderMark ? 3 : 0
        offset = start
        lineStart = start
        if count > limits.bytes {
            throw failure(at: limits.bytes, "the document is longer than \(limits.bytes) bytes")
        }
        // Check this first: these bytes are almost ASCII, and an error about a NUL byte would not explain the problem.
        if count >= 2, bytes[0] == 0 || bytes[1] == 0 || bytes[0] >= 0xFE, let other = NotLines(start: Array(bytes.prefix(4))[...]) {
            throw DocumentError(other)
        }
        if !isASCII, let place = UTF8Check.firstInvalid(in: bytes) {
            throw failure(
                at: place, "the text is not UTF-8: byte 0x\(String(bytes[place], radix: 16, uppercase: true))",
                hint: "save the file as UTF-8")
        }
    }

    /// The byte at the cursor, or 0 at the end. Neither language allows a real 0 byte.
    var byte: UInt8 {
        @inline(__always) get { offset < count ? bytes[offset] : 0 }
    }

    var isAtEnd: Bool { offset >= count }

    @inline(__always)
    func byte(ahead distance: Int) -> UInt8 {
        offset + distance < count ? bytes[offset + distance] : 0
    }

    /// True when the cursor is at `\n` or `\r\n`.
    var isAtNewline: Bool {
        byte == Byte.newline || (byte == Byte.carriageReturn && byte(ahead: 1) == Byte.newline)
    }

    /// Skips the newline at the cursor.
    mutating func skipNewline() {
        offset += byte == Byte.carriageReturn ? 2 : 1
        startLine()
    }

    /// Call this when the cursor is at the first byte of a new line.
    mutating func startLine() {
        line += 1
        lineStart = offset
    }

    mutating func skipBlanks() {
        while byte == Byte.space || byte == Byte.tab { offset += 1 }
    }

    /// Moves the cursor over the bytes of a string that mean themselves, and returns their range. Stops at a quotation mark, at a
    /// backslash, at a byte that `isForbidden` refuses, and at the end of the document.
    @inline(__always)
    mutating func takePlainBytes(isForbidden: (UInt8) -> Bool) -> Range<Int> {
        let first = offset
        while offset < count {
            let byte = bytes[offset]
            if byte == Byte.quote || byte == Byte.backslash || isForbidden(byte) { break }
            offset += 1
        }
        return first..<offset
    }

    // MARK: Positions

    /// The position of the cursor.
    mutating func position() -> Position {
        if isASCII { return Position(line: line, column: offset - lineStart + 1) }
        if countedTo < lineStart || countedTo > offset {
            countedTo = lineStart
            continuations = 0
        }
        while countedTo < offset {
            if bytes[countedTo] & 0xC0 == 0x80 { continuations += 1 }
            countedTo += 1
        }
        return Position(line: line, column: offset - lineStart - continuations + 1)
    }

    /// The position of any byte, counted from the start of the document.
    func position(of place: Int) -> Position {
        var position = Position(line: 1, column: 1)
        var index = start
        while index < min(place, count) {
            if bytes[index] == Byte.newline {
                position.line += 1
                position.column = 1
            } else if bytes[index] & 0xC0 != 0x80 {
                position.column += 1
            }
            index += 1
        }
        return position
    }

    func failure(at place: Int, _ message: String, hint: String? = nil) -> DocumentError {
        DocumentError(position: position(of: place), message: message, hint: hint)
    }

    // MARK: Text

    @inline(__always)
    func text(_ from: Int, _ to: Int) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[from..<to]), as: UTF8.self)
    }

    @inline(__always)
    func text(_ range: Range<Int>) -> String { text(range.lowerBound, range.upperBound) }

    /// The text at the cursor, in words for an error message.
    func found() -> String { found(at: offset) }

    func found(at place: Int) -> String {
        if place >= count { return "the end of the file" }
        let byte = bytes[place]
        if byte == Byte.newline || (byte == Byte.carriageReturn && place + 1 < count && bytes[place + 1] == Byte.newline) {
            return "the end of the line"
        }
        if byte == Byte.tab { return "a tab" }
        if byte == Byte.space { return "a space" }
        if byte == Byte.quote { return "a quotation mark" }
        if byte == Byte.apostrophe { return "an apostrophe" }
        if byte.isControl {
            let digits = String(byte, radix: 16, uppercase: true)
            return "the control character U+00\(digits.utf8.count < 2 ? "0" : "")\(digits)"
        }
        var end = place + 1
        if byte.isLetter || byte.isDigit {
            while end < count, end - place < 40, bytes[end].isLetter || bytes[end].isDigit || bytes[end] == Byte.underscore {
                end += 1
            }
        } else {
            while end < count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        }
        return "'\(text(place, end))'"
    }
}
