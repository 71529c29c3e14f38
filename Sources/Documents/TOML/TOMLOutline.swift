/// Where the statements of a TOML document stand in its bytes.
struct TOMLOutline {
    struct Statement {
        enum Kind { case keyValue, table, arrayElement }

        var kind: Kind
        /// The parts of its key, relative to the section for a key and to the document for a header.
        var path: [String]
        /// From its first character to after the newline that ends it.
        var range: Range<Int>
        /// The value of a key; empty for a header.
        var value: Range<Int>
    }

    var statements: [Statement] = []
    /// The parts of the key being read.
    var path: [String] = []

    mutating func add(_ kind: Statement.Kind, start: Int, value: Range<Int>, end: Int) {
        statements.append(Statement(kind: kind, path: path, range: start..<end, value: value))
    }
}
