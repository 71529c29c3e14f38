import Store

/// Text of others, made safe to show.
public enum PlainText {
    /// Text that came from a file or another program, on one line: nothing in it can move a terminal's cursor, end a
    /// line or pass for a column.
    public static func oneLine(_ text: String) -> String { TerminalText.safe(text) }

    public static func escape(_ scalar: Unicode.Scalar) -> String { TerminalText.escape(scalar) }

    /// `ESC [ 1 ; 31 m`, the one sequence that changes nothing but colour; nil when none begins here.
    public static func endOfColour(_ scalars: [Unicode.Scalar], at start: Int) -> Int? {
        guard scalars[start].value == 0x1B, start + 1 < scalars.count, scalars[start + 1] == "[" else { return nil }
        var index = start + 2
        while index < scalars.count, scalars[index] == ";" || (scalars[index].value >= 0x30 && scalars[index].value < 0x3A) {
            index += 1
        }
        return index < scalars.count && scalars[index] == "m" ? index + 1 : nil
    }
}
