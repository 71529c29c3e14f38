/// Writes JSON piece by piece, for records that are written thousands of times a second.
///
/// Commas and colons are added automatically. The bytes are JSON if the calls are correct: each `begin` has its `end`, and in an
/// object a `key` precedes each value. Strings are escaped where RFC 8259 requires it (`"`, `\`, U+0000 to U+001F), and where a
/// character would move a terminal's cursor, change the direction of its line or be invisible (``TerminalText/isUnsafe(_:)``):
/// root sees the text that users write.
public struct JSONWriter {
    public private(set) var bytes: [UInt8]
    private var needsComma = false
    private let isPretty: Bool
    private var depth = 0
    private var isAfterKey = false

    /// `reserving` is the expected length in bytes. The text may become longer.
    public init(reserving capacity: Int = 512, pretty: Bool = false) {
        bytes = []
        bytes.reserveCapacity(capacity)
        isPretty = pretty
    }

    // MARK: Structure

    public mutating func beginObject() { begin(Byte.openBrace) }
    public mutating func endObject() { end(Byte.closeBrace) }
    public mutating func beginArray() { begin(Byte.openBracket) }
    public mutating func endArray() { end(Byte.closeBracket) }

    public mutating func key(_ key: String) {
        separate()
        append(quoting: key)
        bytes.append(Byte.colon)
        if isPretty { bytes.append(Byte.space) }
        isAfterKey = true
        needsComma = false
    }

    // MARK: Values

    public mutating func string(_ string: String) {
        separate()
        append(quoting: string)
        needsComma = true
    }

    public mutating func integer(_ integer: Int64) {
        separate()
        append(integer)
        needsComma = true
    }

    public mutating func integer(_ integer: Int) {
        self.integer(Int64(integer))
    }

    /// The shortest text that reads back as the same number. Null for infinities and not-a-number, which JSON cannot express.
    public mutating func double(_ double: Double) {
        guard double.isFinite else { return null() }
        separate()
        bytes.append(contentsOf: double.description.utf8)
        needsComma = true
    }

    public mutating func boolean(_ boolean: Bool) {
        separate()
        append(boolean ? "true" : "false")
        needsComma = true
    }

    public mutating func null() {
        separate()
        append("null")
        needsComma = true
    }

    /// Appends bytes that are already one JSON value.
    public mutating func raw(_ json: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    /// Appends a whole tree, by the rules of `JSON.write`.
    public mutating func value(_ value: Value) {
        switch value.kind {
        case .string(let string): self.string(string)
        case .integer(let integer): self.integer(integer)
        case .number(let number): if number.isFinite { raw(number.text.utf8) } else { null() }
        case .boolean(let boolean): self.boolean(boolean)
        case .null: null()
        case .dateTime(let dateTime): string(dateTime.description)
        case .array(let values):
            beginArray()
            for value in values { self.value(value) }
            endArray()
        case .table(let table):
            beginObject()
            for entry in table.entries {
                key(entry.key)
                self.value(entry.value)
            }
            endObject()
        }
    }

    // MARK: - Parts

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(Byte.comma) }
        if isPretty {
            if depth > 0 && !isAfterKey { indent() }
            isAfterKey = false
        }
    }

    private mutating func begin(_ byte: UInt8) {
        separate()
        bytes.append(byte)
        depth += 1
        needsComma = false
    }

    private mutating func end(_ byte: UInt8) {
        depth -= 1
        if isPretty && needsComma { indent() }
        bytes.append(byte)
        needsComma = true
    }

    private mutating func indent() {
        bytes.append(Byte.newline)
        for _ in 0..<(2 * depth) { bytes.append(Byte.space) }
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ integer: Int64) {
        var rest = integer.magnitude
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = 20
            repeat {
                start -= 1
                digits.initializeElement(at: start, to: Byte.zero + UInt8(truncatingIfNeeded: rest % 10))
                rest /= 10
            } while rest > 0
            if integer < 0 {
                start -= 1
                digits.initializeElement(at: start, to: Byte.minus)
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[start..<20]))
        }
    }

    /// Appends a part of a string between the quotes, for a text that is not in memory as a whole.
    public static func inQuotes(_ part: String) -> [UInt8] {
        var writer = JSONWriter(reserving: part.utf8.count)
        writer.append(escaping: part)
        return writer.bytes
    }

    private mutating func append(quoting string: String) {
        bytes.append(Byte.quote)
        append(escaping: string)
        bytes.append(Byte.quote)
    }

    private mutating func append(escaping string: String) {
        var string = string
        string.withUTF8 { text in
            var copied = 0
            var index = 0
            while index < text.count {
                let byte = text[index]
                let unsafe = byte >= 0x7F ? Self.unsafeCharacter(in: text, at: index) : nil
                if byte < 0x20 || byte == Byte.quote || byte == Byte.backslash || unsafe != nil {
                    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[copied..<index]))
                    if let unsafe { append(escapingScalar: unsafe.scalar) } else { append(escaping: byte) }
                    index += (unsafe?.length ?? 1) - 1
                    copied = index + 1
                }
                index += 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[copied..<text.count]))
        }
    }

    /// A non-ASCII character that must be escaped, if one begins here. The text must be valid UTF-8.
    private static func unsafeCharacter(in text: UnsafeBufferPointer<UInt8>, at index: Int) -> (scalar: UInt32, length: Int)? {
        let lead = text[index]
        if lead == 0x7F { return (0x7F, 1) }
        guard lead >= 0xC0 else { return nil }
        let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for next in 1..<length { scalar = scalar << 6 | UInt32(text[index + next] & 0x3F) }
        return TerminalText.isUnsafe(scalar) ? (scalar, length) : nil
    }

    private mutating func append(escapingScalar scalar: UInt32) {
        guard scalar > 0xFFFF else { return append(escapingUnit: UInt16(scalar)) }
        append(escapingUnit: UInt16(0xD800 + (scalar - 0x10000) >> 10))
        append(escapingUnit: UInt16(0xDC00 + (scalar - 0x10000) & 0x3FF))
    }

    private mutating func append(escapingUnit unit: UInt16) {
        append("\\u")
        for shift in [12, 8, 4, 0] as [UInt16] { bytes.append(Array("0123456789abcdef".utf8)[Int(unit >> shift & 15)]) }
    }

    private mutating func append(escaping byte: UInt8) {
        switch byte {
        case Byte.newline: append("\\n")
        case Byte.carriageReturn: append("\\r")
        case Byte.tab: append("\\t")
        case Byte.quote, Byte.backslash: bytes += [Byte.backslash, byte]
        default: append(escapingUnit: UInt16(byte))
        }
    }
}
