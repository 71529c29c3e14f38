/// Makes text from other people safe for a terminal.
public enum TerminalText {
    /// True for a character that a terminal obeys or makes invisible, so that one text can look like another: C0, DEL, C1, line
    /// and paragraph separators, marks that change the direction of text, and characters without width. Also true for the scalars
    /// that stand for the bytes of a file name that are not UTF-8.
    public static func isUnsafe(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x20..<0x7F: false
        case 0..<0x20, 0x7F..<0xA0, 0xAD: true
        case ..<0x34F: false
        // Joiners, fillers and marks of Arabic, Hangul, Khmer and Mongolian.
        case 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F, 0x3164, 0xFFA0: true
        // Spaces without width, directions, separators, invisible operators.
        case 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF0...0xFFFB: true
        // Shorthand and musical controls, tags.
        case 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A, 0xE0000...0xE0FFF: true
        case firstByte...: true
        default: false
        }
    }

    /// U+10FF00 stands for byte 0 of a file name.
    private static let firstByte: UInt32 = 0x10FF00

    /// The escape of a character: `\n`, `\x1b`, `\u{202e}`. A scalar that stands for a byte of a file name becomes `\xff`.
    public static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\t": return "\\t"
        case "\r": return "\\r"
        default:
            let value = scalar.value >= firstByte ? scalar.value - firstByte : scalar.value
            let digits = String(value, radix: 16)
            return value < 0x100 ? "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
        }
    }

    /// The text with each unsafe character escaped, except for those in `but`.
    public static func safe(_ text: String, but allowed: Set<Unicode.Scalar> = []) -> String {
        guard text.unicodeScalars.contains(where: { isUnsafe($0.value) && !allowed.contains($0) }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isUnsafe(scalar.value), !allowed.contains(scalar) { result += escape(scalar) } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }
}
