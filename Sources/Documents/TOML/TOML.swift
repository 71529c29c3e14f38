import Lines

/// TOML: reads 1.1.0, whole and nothing more (https://toml.io/en/v1.1.0), and writes what 1.0.0 allows as well.
public enum TOML {
    /// Reads a document. The returned value is always a table, positioned at the document's first character. A table made by a
    /// header or a dotted key has the position of the key that first named it.
    ///
    /// Throws at the first error or exceeded limit. The cost is linear in the number of bytes.
    public static func parse(_ bytes: [UInt8], limits: Limits = .standard) throws(DocumentError) -> Value {
        do throws(DocumentError) {
            return try bytes.withUnsafeBufferPointer { (bytes) throws(DocumentError) -> Value in
                var parser = try TOMLParser(bytes, limits: limits)
                return try parser.parseDocument()
            }
        } catch {
            // If all lines end with CR alone, this error explains more than an error at the first CR.
            throw NotLines(whole: bytes[...]).map(DocumentError.init) ?? error
        }
    }

    /// Writes a value tree as TOML for people: keys with plain values first, then `[tables]` and `[[arrays of tables]]`, each in
    /// the tree's order. Text of several lines becomes a multi-line string.
    ///
    /// TOML has no null. Keys whose value is null are left out, and so are nulls in arrays.
    public static func write(_ table: Table) -> String {
        var writer = TOMLWriter()
        writer.write(table, path: [])
        return writer.text
    }
}
