/// The keys that an executable script carries in its leading comments:
///
/// ```sh
/// #!/bin/sh
/// #SPOOL timeout = "10m"
/// #SPOOL env.LANG = "C"
/// # Any other comment may stand between them.
/// ```
///
/// A header ends before the first line that is neither a comment nor blank. The lines that begin with `#SPOOL` and a
/// blank make up one TOML document, each of them being a whole line of it: headers (`[env]`) are possible, a value that
/// goes on to a second line is not.
public enum ScriptHeader {
    /// Reads the header of a script. Always a table, empty when no line says `#SPOOL`; positions are the script's own.
    ///
    /// Throws when the text does not begin with `#!` or its lines are not TOML. The limit of bytes holds for the header,
    /// not for the script. Other comment lines may hold any bytes.
    public static func parse(_ bytes: [UInt8], limits: Limits = .standard) throws(DocumentError) -> Value {
        guard bytes.starts(with: [Byte.hash, UInt8(ascii: "!")]) else {
            throw DocumentError(
                position: Position(line: 1, column: 1), message: "expected a script that begins with '#!'",
                hint: "a first line '#!/bin/sh' names the program that runs it")
        }
        let header = try toml(of: bytes, limits: limits)
        return try header.withUnsafeBufferPointer { (header) throws(DocumentError) -> Value in
            var parser = try TOMLParser(header, limits: limits, valuesEndOnTheirLine: true)
            return try parser.parseDocument()
        }
    }

    private static let mark: [UInt8] = Array("#SPOOL".utf8)
    private static let blanks: [UInt8] = [Byte.space, Byte.tab, Byte.carriageReturn]

    /// The header as TOML text of the same lines and columns: the mark of each #SPOOL line is blanked, and all of every
    /// other line.
    private static func toml(of bytes: [UInt8], limits: Limits) throws(DocumentError) -> [UInt8] {
        var result: [UInt8] = []
        var start = 0
        var line = 1
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: Byte.newline) ?? bytes.count
            let first = bytes[start..<end].firstIndex { !blanks.contains($0) } ?? end
            if first < end && bytes[first] != Byte.hash { break }
            // One byte past the limit is enough for the parser to refuse it.
            if result.count > limits.bytes { break }
            if bytes[first..<end].starts(with: mark) {
                let after = first + mark.count
                let next = after < end ? bytes[after] : Byte.space
                if next == Byte.colon || next == Byte.equals {
                    throw DocumentError(
                        position: Position(line: line, column: after - start + 1),
                        message: "expected a blank after '#SPOOL', found '\(Character(Unicode.Scalar(next)))'",
                        hint: "write: #SPOOL timeout = \"10m\"")
                }
                if next == Byte.space || next == Byte.tab || next == Byte.carriageReturn {
                    result.append(contentsOf: repeatElement(Byte.space, count: after - start))
                    result.append(contentsOf: bytes[after..<end])
                }
            }
            if end < bytes.count { result.append(Byte.newline) }
            start = end + 1
            line += 1
        }
        return result
    }
}
