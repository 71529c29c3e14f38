/// Measures text in terminal columns, as wcwidth(3) does.
public enum Columns {
    /// The width of a text in columns. The text must not contain control characters (``PlainText``).
    public static func width(_ text: some StringProtocol) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + width(of: $1) }
    }

    /// 0 for a character that combines with the one before it, 2 for East Asian wide characters and emoji, otherwise 1.
    public static func width(of scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        // Unicode Standard Annex 11, East Asian Width: the blocks of W and F.
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default:
            return scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }

    /// The whole text when it fits, otherwise its beginning with `…` at the end.
    public static func cut(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        guard columns > 0 else { return "" }
        var result = String.UnicodeScalarView()
        var used = 0
        for scalar in text.unicodeScalars {
            let width = width(of: scalar)
            if used + width > columns - 1 { break }
            used += width
            result.append(scalar)
        }
        return String(result) + "…"
    }

    /// The text in lines of at most this many columns, each of whole words. A longer word has a line alone. The first line has `first`
    /// columns when these are given.
    public static func wrapped(_ text: String, to columns: Int, first: Int? = nil) -> [String] {
        guard !text.isEmpty else { return [] }
        var lines: [String] = []
        var line: (text: String, width: Int)?
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            let width = width(word)
            if let before = line, before.width + 1 + width <= (lines.isEmpty ? first ?? columns : columns) {
                line = ("\(before.text) \(word)", before.width + 1 + width)
            } else {
                if let line { lines.append(line.text) }
                line = (String(word), width)
            }
        }
        return lines + (line.map { [$0.text] } ?? [])
    }

    /// The text cut, or filled with blanks, to exactly this many columns.
    public static func fitted(_ text: String, to columns: Int, isRight: Bool = false) -> String {
        let shown = cut(text, to: columns)
        let blanks = String(repeating: " ", count: max(0, columns - width(shown)))
        return isRight ? blanks + shown : shown + blanks
    }
}
