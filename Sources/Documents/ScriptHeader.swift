import Lines

/// The keys that an executable script carries in its leading comments:
///
/// ```sh
/// #!/bin/sh
/// #SPOOL timeout = "10m"
/// #SPOOL env.LANG = "C"
/// # Any other comment may stand between them.
/// ```
///
/// A header ends before the first line that is neither a comment nor blank. The lines that begin with `#SPOOL` and a blank form
/// one TOML document. Each of them is a whole line of that document: headers (`[env]`) are possible, but a value cannot continue
/// on a second line.
public enum ScriptHeader {
    /// Reads the header of a script. Returns a table, which is empty when no line begins with `#SPOOL`. Positions refer to the
    /// script.
    ///
    /// Throws when the text does not begin with `#!`, when the kernel could not run it, or when its lines are not TOML. The limit
    /// of bytes applies to the header, not to the script. Other comment lines may contain any bytes.
    public static func parse(_ bytes: [UInt8], limits: Limits = .standard) throws(DocumentError) -> Value {
        guard bytes.starts(with: [Byte.hash, UInt8(ascii: "!")]) else {
            throw DocumentError(
                position: Position(line: 1, column: 1), message: "expected a script that begins with '#!'",
                hint: "a first line '#!/bin/sh' names the program that runs it")
        }
        try checkFirstLine(bytes)
        let header = try toml(of: bytes, limits: limits)
        return try header.withUnsafeBufferPointer { (header) throws(DocumentError) -> Value in
            var parser = try TOMLParser(header, limits: limits, valuesEndOnTheirLine: true)
            return try parser.parseDocument()
        }
    }

    private static let mark: [UInt8] = Array("#SPOOL".utf8)
    private static let blanks: [UInt8] = [Byte.space, Byte.tab]

    /// execve(2): the interpreter's name extends to the first LF. A CR before it is part of the name.
    private static func checkFirstLine(_ bytes: [UInt8]) throws(DocumentError) {
        let first = bytes.prefix { $0 != Byte.newline }
        guard first.last == Byte.carriageReturn else { return }
        if let problem = NotLines(whole: bytes[...]) { throw DocumentError(problem) }
        throw DocumentError(
            position: Position(line: 1, column: first.count),
            message: "the first line ends with CR LF, and the kernel takes the CR for a part of the interpreter's name",
            hint: "convert the script: sed -i 's/\\r$//' FILE")
    }

    /// The header as TOML text with the same lines and columns: the mark of each #SPOOL line is replaced by blanks, and so are
    /// all other lines.
    private static func toml(of bytes: [UInt8], limits: Limits) throws(DocumentError) -> [UInt8] {
        var result: [UInt8] = []
        for line in Lines(bytes[...]) {
            let text = line.bytes
            let first = text.firstIndex { !blanks.contains($0) } ?? text.endIndex
            if first < text.endIndex, text[first] != Byte.hash { break }
            // One byte past the limit is enough: the parser then refuses the text.
            if result.count > limits.bytes { break }
            if text[first...].starts(with: mark) {
                let after = first + mark.count
                let next = after < text.endIndex ? text[after] : Byte.space
                if next == Byte.colon || next == Byte.equals {
                    throw DocumentError(
                        position: Position(line: line.number, column: after - text.startIndex + 1),
                        message: "expected a blank after '#SPOOL', found '\(Character(Unicode.Scalar(next)))'",
                        hint: "write: #SPOOL timeout = \"10m\"")
                }
                if blanks.contains(next) {
                    result.append(contentsOf: repeatElement(Byte.space, count: after - text.startIndex))
                    result.append(contentsOf: text[after...])
                }
            }
            result.append(Byte.newline)
        }
        return result
    }
}
