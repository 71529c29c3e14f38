/// The lines that Debian's crontab(1) installs. Its messages are part of what scripts rely on, so each line is read here as entry.c and
/// env.c of Debian's cron read it, and not as ``Crontab`` does, which reads more.
public enum DebianCheck {
    /// A crontab has at most this many lines (MAX_TAB_LINES).
    public static let linesMax = 10_000

    /// The message of Debian's crontab for a line of a user's crontab, without its end. Nil for a blank line, a comment, a variable and an
    /// entry. Unlike Debian's, an entry without a command is refused.
    public static func refusal(of line: ArraySlice<UInt8>) -> String? {
        let text = line.drop(while: isBlank)
        if text.isEmpty || text.first == UInt8(ascii: "#") || isAssignment(text) { return nil }
        var rest = text
        if rest.first == UInt8(ascii: "@") {
            let word = rest.dropFirst().prefix { !isBlank($0) }
            guard words.contains(String(decoding: word, as: UTF8.self)) else { return "bad time specifier" }
            rest = rest[word.endIndex...].drop(while: isBlank)
        } else {
            for field in fields where !field.read(&rest) { return "bad \(field.name)" }
        }
        if rest.isEmpty || rest.first == UInt8(ascii: "*") { return "bad command" }
        return rest.count >= commandMax ? "command too long" : nil
    }

    /// MAX_COMMAND, less the final NUL.
    private static let commandMax = 999
    /// MAX_ENVSTR, less what load_env() and get_string() keep free.
    private static let assignmentMax = 998
    private static let words: Set = ["reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"]

    // MARK: Variables

    /// True when load_env() takes the line for `NAME = VALUE`.
    private static func isAssignment(_ line: ArraySlice<UInt8>) -> Bool {
        var rest = line.prefix(assignmentMax)
        guard skipWord(&rest, endsAtEquals: true) else { return false }
        rest = rest.drop(while: isSpace)
        guard rest.popFirst() == UInt8(ascii: "=") else { return false }
        rest = rest.drop(while: isSpace)
        // load_env() does not reach the value of `NAME=` and then reads the line as an entry.
        guard let first = rest.first else { return false }
        guard first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") else { return true }
        return skipWord(&rest, endsAtEquals: false) && rest.allSatisfy(isSpace)
    }

    /// Skips a name or a value, which may be in quotes. False for a quote that is not closed, and for a name in quotes that contains `=`.
    private static func skipWord(_ rest: inout ArraySlice<UInt8>, endsAtEquals: Bool) -> Bool {
        guard let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            rest = rest.drop { $0 != UInt8(ascii: "=") && !isSpace($0) }
            return true
        }
        rest = rest.dropFirst().drop { $0 != quote && !(endsAtEquals && $0 == UInt8(ascii: "=")) }
        return rest.popFirst() == quote
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    // MARK: Time fields

    private static let fields = [
        Field(name: "minute", range: 0...59), Field(name: "hour", range: 0...23), Field(name: "day-of-month", range: 1...31),
        Field(name: "month", range: 1...12,
            names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
        Field(name: "day-of-week", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ]

    private struct Field {
        var name: String
        var range: ClosedRange<Int>
        var names: [String] = []

        /// Takes the field and the blanks after it: get_list().
        func read(_ rest: inout ArraySlice<UInt8>) -> Bool {
            repeat {
                guard readRange(&rest) else { return false }
            } while DebianCheck.take(",", &rest)
            // get_list() skips whatever else stands before the next blank.
            rest = rest.drop { !isBlank($0) }.drop(while: isBlank)
            return true
        }

        /// get_range(): `*`, `N`, `N-M`, and `/STEP` after the first and the last.
        private func readRange(_ rest: inout ArraySlice<UInt8>) -> Bool {
            if !DebianCheck.take("*", &rest) {
                guard let first = number(&rest) else { return false }
                guard DebianCheck.take("-", &rest) else { return rest.first != UInt8(ascii: "/") && range.contains(first) }
                guard let last = number(&rest), range.contains(first), range.contains(last) else { return false }
            }
            guard DebianCheck.take("/", &rest) else { return true }
            return Field(name: "step", range: range).number(&rest).map { $0 > 0 } ?? false
        }

        /// get_number(): a name or digits. A number that is too large for the field counts as one more than its end.
        private func number(_ rest: inout ArraySlice<UInt8>) -> Int? {
            let word = rest.prefix { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
            rest = rest[word.endIndex...]
            let text = String(decoding: word.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
            if let index = names.firstIndex(of: text) { return range.lowerBound + index }
            guard !word.isEmpty, word.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return Int(text) ?? .max
        }
    }

    private static func take(_ scalar: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == UInt8(ascii: scalar) else { return false }
        rest.removeFirst()
        return true
    }
}
