import Store

/// Makes text from other people safe to show.
public enum PlainText {
    /// Makes text from a file or another program one line. Nothing in the result can move a terminal's cursor, end a line or
    /// imitate a column.
    public static func oneLine(_ text: String) -> String { TerminalText.safe(text) }

    public static func escape(_ scalar: Unicode.Scalar) -> String { TerminalText.escape(scalar) }

    /// The length of `ESC [ 1 ; 31 m`, the only sequence that changes nothing but colour. Nil when no such sequence begins here.
    public static func endOfColour(_ scalars: [Unicode.Scalar], at start: Int) -> Int? {
        guard scalars[start].value == 0x1B, start + 1 < scalars.count, scalars[start + 1] == "[" else { return nil }
        var index = start + 2
        while index < scalars.count, scalars[index] == ";" || (scalars[index].value >= 0x30 && scalars[index].value < 0x3A) {
            index += 1
        }
        return index < scalars.count && scalars[index] == "m" ? index + 1 : nil
    }
}
