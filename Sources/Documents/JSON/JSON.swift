/// JSON as RFC 8259 defines it: no comments, no trailing commas, no byte order mark.
public enum JSON {
    /// The treatment of a key that an object names twice, which RFC 8259 leaves open ("SHOULD be unique").
    public enum DuplicateKeys: Sendable {
        case refused
        /// The last value replaces the first one, in its place.
        case lastWins
    }

    /// Reads one value of any kind. Only blanks may surround it.
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

    /// The object in a file that spoold or spoolctl wrote, and that others may have damaged. Nil when the bytes are not one object: such a
    /// file contains no information.
    public static func readableTable(_ bytes: [UInt8], limits: Limits = .standard) -> Table? {
        guard case .table(let table)? = (try? parse(bytes, limits: limits))?.kind else { return nil }  // the reason does not matter
        return table
    }

    /// Writes the value on one line, or with `pretty` on lines indented by two spaces.
    ///
    /// JSON cannot express all values: dates and times become strings (RFC 3339), infinities and not-a-number become null.
    public static func write(_ value: Value, pretty: Bool = false) -> String {
        var writer = JSONWriter(reserving: 256, pretty: pretty)
        writer.value(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Removes the blanks between the parts of a JSON text, and keeps all other bytes. Text that is not JSON stays not JSON,
    /// possibly in another form.
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
