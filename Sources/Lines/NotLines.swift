/// The reason why a text cannot be read as lines, and the command that converts it.
public struct NotLines: Error, Sendable, Equatable {
    /// The line's number, from 1.
    public var line: Int
    /// The column in characters, from 1.
    public var column: Int
    public var message: String
    public var hint: String

    /// Checks the first bytes. Returns nil unless they begin a text in UTF-16 or UTF-32. Without a byte order mark, such a text
    /// is recognized by the zero bytes of its first character, which is ASCII in all files that this program reads.
    public init?(start bytes: ArraySlice<UInt8>) {
        let first = Array(bytes.prefix(4)) + [UInt8](repeating: 1, count: Swift.max(0, 4 - bytes.count))
        let name: String
        switch (first[0], first[1], first[2], first[3]) {
        case (0xFF, 0xFE, 0, 0), (0, 0, 0xFE, 0xFF): name = "UTF-32"
        case (1..., 0, 0, 0): name = "UTF-32LE"
        case (0, 0, 0, 1...) where bytes.count >= 4: name = "UTF-32BE"
        case (0xFF, 0xFE, _, _), (0xFE, 0xFF, _, _): name = "UTF-16"
        case (1..., 0, _, _): name = "UTF-16LE"
        case (0, 1..., _, _) where bytes.count >= 2: name = "UTF-16BE"
        default: return nil
        }
        line = 1
        column = 1
        message = "the file looks like \(name.prefix(6)), and UTF-8 is expected"
        hint = "convert it: iconv -f \(name) -t UTF-8 OLD > NEW"
    }

    /// Checks the whole text. Returns nil unless its lines end with CR alone.
    public init?(whole bytes: ArraySlice<UInt8>) {
        // A CR at the end may belong to a CR LF that was cut off.
        guard let place = bytes.dropLast().firstIndex(of: 0x0D), !bytes.contains(0x0A) else { return nil }
        line = 1
        column = Lines.Line(number: 1, bytes: bytes).column(of: place)
        message = "the lines end with CR alone, and LF or CR LF is expected"
        hint = "convert the file: tr '\\r' '\\n' < OLD > NEW"
    }
}
