import Linux

extension Crontab {
    /// The variables in force. The properties below read those that cron itself interprets.
    public struct Settings: Sendable {
        /// The environment of the command as cron sets it, including the variables that cron itself interprets.
        public private(set) var variables: [(name: String, value: String)] = []

        public subscript(name: String) -> String? { variables.last { $0.name == name }?.value }

        public var shell: String { self["SHELL"] ?? "/bin/sh" }
        /// Nil means the crontab's owner. Empty means nobody.
        public var mailTo: String? { self["MAILTO"] }
        /// The sender of mails, other than cron's own.
        public var mailFrom: String? { self["MAILFROM"] }
        /// The time zone of the time fields (cronie).
        public var zone: String? { self["CRON_TZ"].flatMap { $0.isEmpty ? nil : $0 } }
        /// The maximum of minutes by which cron delays a start at random (cronie).
        public var randomDelay: String? { self["RANDOM_DELAY"] }

        /// True for addresses to which cron mails: safe_p() of its do_command.c.
        static func isMailed(_ address: String) -> Bool {
            guard let first = address.utf8.first else { return false }
            func isWord(_ byte: UInt8) -> Bool {
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            }
            return isWord(first) && address.utf8.allSatisfy { isWord($0) || "@!:%-.,_+=/".utf8.contains($0) }
        }

        /// The value of MAILTO if cron mails nothing to it, and yet it is not empty.
        public static func unsafeMailTo(in variables: [(name: String, value: String)]) -> String? {
            guard let to = variables.last(where: { $0.name == "MAILTO" })?.value, !to.isEmpty, !isMailed(to) else { return nil }
            return to
        }

        /// A sentence about a value of MAILTO that ``unsafeMailTo(in:)`` has found.
        public static func remark(onUnsafeMailTo value: String) -> String {
            "nothing is mailed, as with cron(8), to MAILTO \"\(value)\": an address begins with a letter or digit, and has only these and "
                + "@!:%-.,_+=/ in it"
        }

        mutating func set(_ name: String, _ value: String) {
            // crontab(5): these cannot be set.
            if name == "LOGNAME" || name == "USER" { return }
            if let known = variables.firstIndex(where: { $0.name == name }) {
                variables[known].value = value
            } else {
                variables.append((name, value))
            }
        }

        /// Reads `NAME = VALUE` as load_env() of cron's env.c does: blanks around the `=` and at the ends are ignored, quotes
        /// around the name or the value keep their content, and nothing may follow the closing quote. Returns nil when the line
        /// is not an assignment.
        static func assignment(_ line: ArraySlice<UInt8>) -> (name: String, value: String)? {
            var rest = line
            let name: ArraySlice<UInt8>
            if let quote = rest.first, isQuote(quote) {
                name = rest.dropFirst().prefix { $0 != quote }
                guard name.endIndex < rest.endIndex, !name.contains(equals) else { return nil }
                rest = rest[name.endIndex...].dropFirst()
            } else {
                name = rest.prefix { $0 != equals && !isSpace($0) }
                rest = rest[name.endIndex...]
            }
            rest = rest.drop(while: isSpace)
            guard !name.isEmpty, rest.first == equals else { return nil }
            var value = rest.dropFirst().drop(while: isSpace)
            if let quote = value.first, isQuote(quote) {
                let inner = value.dropFirst().prefix { $0 != quote }
                guard inner.endIndex < value.endIndex, value[inner.endIndex...].dropFirst().allSatisfy(isSpace) else { return nil }
                value = inner
            } else {
                while let last = value.last, isSpace(last) { value.removeLast() }
            }
            return (FileName.string(from: Array(name)), FileName.string(from: Array(value)))
        }

        /// The name in a line that begins like an assignment, `NAME =` and then a quote, but that ``assignment(_:)`` refuses.
        static func nameOfBrokenAssignment(_ line: ArraySlice<UInt8>) -> String? {
            let name = line.prefix { $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
            let rest = line[name.endIndex...].drop(while: isSpace)
            guard !name.isEmpty, rest.first == equals else { return nil }
            return FileName.string(from: Array(name))
        }

        private static let equals = UInt8(ascii: "=")
        private static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }
        /// The bytes that isspace(3) accepts.
        private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    }
}
