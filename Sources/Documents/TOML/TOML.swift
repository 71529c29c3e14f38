import Lines

/// TOML 1.0.0, whole and nothing more (https://toml.io/en/v1.0.0).
public enum TOML {
    /// Reads a document. The value returned is always a table, at the document's first character; a table made by a
    /// header or a dotted key stands at the key that first named it.
    ///
    /// Throws at the first thing that is not TOML 1.0 or is past a limit. Costs time linear in the bytes.
    public static func parse(_ bytes: [UInt8], limits: Limits = .standard) throws(DocumentError) -> Value {
        do throws(DocumentError) {
            return try bytes.withUnsafeBufferPointer { (bytes) throws(DocumentError) -> Value in
                var parser = try TOMLParser(bytes, limits: limits)
                return try parser.parseDocument()
            }
        } catch {
            // The first CR of a file whose lines all end so says less than that they do.
            throw NotLines(whole: bytes[...]).map(DocumentError.init) ?? error
        }
    }

    /// A value tree as TOML for people: keys with plain values first, then `[tables]` and `[[arrays of tables]]`, each in
    /// the tree's order; text of several lines as a multi-line string.
    ///
    /// TOML has no null: keys that hold one are left out, as are nulls in arrays.
    public static func write(_ table: Table) -> String {
        var writer = TOMLWriter()
        writer.write(table, path: [])
        return writer.text
    }
}
