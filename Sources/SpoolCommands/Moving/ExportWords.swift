import LiveView
import Store

/// Quotes words for other programs.
enum ExportWords {
    /// The text on one line, with blanks instead of control characters.
    static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { TerminalText.isUnsafe($0.value) ? " " : $0 }))
    }

    static func hasControl(_ text: String) -> Bool { text.unicodeScalars.contains(where: isControl) }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || scalar.value == 0x7F }

    /// A word for a shell, in quotes unless it has no special character.
    static func quoted(_ word: String) -> String {
        if isPlain(word) { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    static func isPlain(_ word: String) -> Bool {
        !word.isEmpty && word.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "_-./:=@,+".utf8.contains(byte)
            }
        }
    }
}
