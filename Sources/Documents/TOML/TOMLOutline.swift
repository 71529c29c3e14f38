/// The byte ranges of the statements of a TOML document.
struct TOMLOutline {
    struct Statement {
        enum Kind { case keyValue, table, arrayElement }

        var kind: Kind
        /// The parts of the key. A key is relative to its section, a header to the document.
        var path: [String]
        /// From the first character to the end of the newline after it.
        var range: Range<Int>
        /// The range of a key's value. Empty for a header.
        var value: Range<Int>
    }

    var statements: [Statement] = []
    /// The parts of the key that is being read.
    var path: [String] = []

    mutating func add(_ kind: Statement.Kind, start: Int, value: Range<Int>, end: Int) {
        statements.append(Statement(kind: kind, path: path, range: start..<end, value: value))
    }
}
