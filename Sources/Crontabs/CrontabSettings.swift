import Linux

extension Crontab {
    /// The variables in force, those that mean something to cron itself apart.
    public struct Settings: Sendable {
        /// In the environment of the command, as cron has them there: those that mean something to cron too.
        public private(set) var variables: [(name: String, value: String)] = []

        public subscript(name: String) -> String? { variables.last { $0.name == name }?.value }

        public var shell: String { self["SHELL"] ?? "/bin/sh" }
        /// Nil: the owner; empty: nobody.
        public var mailTo: String? { self["MAILTO"] }
        /// cronie: the time zone of the fields.
        public var zone: String? { self["CRON_TZ"].flatMap { $0.isEmpty ? nil : $0 } }
        /// cronie: minutes at most by which it delays a start.
        public var randomDelay: String? { self["RANDOM_DELAY"] }

        mutating func set(_ name: String, _ value: String) {
            // crontab(5): these cannot be set.
            if name == "LOGNAME" || name == "USER" { return }
            if let known = variables.firstIndex(where: { $0.name == name }) {
                variables[known].value = value
            } else {
                variables.append((name, value))
            }
        }

        /// `NAME = VALUE`, as load_env() of cron's env.c reads it: blanks around the `=` and at the ends do not count, quotes around
        /// the name or the value keep what is inside, and nothing may follow the closing one. Nil: the line is no assignment.
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

        /// Of a line that ``assignment(_:)`` does not take, but begins like one: `NAME =` and then a quote.
        static func nameOfBrokenAssignment(_ line: ArraySlice<UInt8>) -> String? {
            let name = line.prefix { $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
            let rest = line[name.endIndex...].drop(while: isSpace)
            guard !name.isEmpty, rest.first == equals else { return nil }
            return FileName.string(from: Array(name))
        }

        private static let equals = UInt8(ascii: "=")
        private static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }
        /// isspace(3).
        private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    }
}
