/// JSON as RFC 8259 defines it: no comments, no trailing commas, no byte order mark.
public enum JSON {
    /// What to do when an object names a key twice, which RFC 8259 leaves open ("SHOULD be unique").
    public enum DuplicateKeys: Sendable {
        case refused
        /// The last value counts, in the place of the first.
        case lastWins
    }

    /// Reads one value of any kind with nothing but blanks around it.
    ///
    /// A number without fraction and exponent that fits 64 bits becomes an integer; any other keeps its text. Throws at the first
    /// thing that is not JSON or is past a limit. Costs time linear in the bytes.
    public static func parse(
        _ bytes: [UInt8], limits: Limits = .standard, duplicateKeys: DuplicateKeys = .refused
    ) throws(DocumentError) -> Value {
        try bytes.withUnsafeBufferPointer { (bytes) throws(DocumentError) -> Value in
            var parser = try JSONParser(bytes, limits: limits, duplicateKeys: duplicateKeys)
            return try parser.parseDocument()
        }
    }

    /// The value on one line, or with `pretty` on lines indented by two spaces.
    ///
    /// What JSON cannot say: dates and times become strings (RFC 3339), infinities and not-a-number null.
    public static func write(_ value: Value, pretty: Bool = false) -> String {
        var writer = JSONWriter(reserving: 256, pretty: pretty)
        writer.value(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// JSON without the blanks between its parts, otherwise byte for byte. What is no JSON comes out as something else that is
    /// none.
    public static func compact(_ json: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(json.count)
        var isInString = false
        var isEscaped = false
        for byte in json {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == Byte.backslash {
                    isEscaped = true
                } else if byte == Byte.quote {
                    isInString = false
                }
            } else if byte == Byte.space || byte == Byte.newline || byte == Byte.tab || byte == Byte.carriageReturn {
                continue
            } else if byte == Byte.quote {
                isInString = true
            }
            bytes.append(byte)
        }
        return bytes
    }
}
