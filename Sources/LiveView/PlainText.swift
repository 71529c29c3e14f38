import Store

/// Text of others, made safe to show.
public enum PlainText {
    /// Text that came from a file or another program, on one line: nothing in it can move a terminal's cursor, end a
    /// line or pass for a column.
    public static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { TerminalText.isUnsafe($0.value) }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if TerminalText.isUnsafe(scalar.value) { result += escape(scalar) } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    public static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\t": return "\\t"
        case "\r": return "\\r"
        default:
            let digits = String(scalar.value, radix: 16)
            if scalar.value < 0x100 { return "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits }
            return "\\u{\(digits)}"
        }
    }

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
