import Store

/// A crontab read as cron reads it: crontab(5) of Debian and of cronie.
struct Crontab {
    /// One command with all that is in force where it stands.
    struct Entry {
        /// From 1.
        var line: Int
        /// As it was written.
        var text: String
        /// The comment directly above it, in one line.
        var comment: String?
        /// Five fields, or a word such as `@daily`.
        var when: String
        /// Of the system form alone.
        var user: String?
        /// Up to the first `%`, with `\%` as `%`.
        var command: String
        /// What follows the first `%`: standard input, each further `%` the end of a line.
        var input: String?
        var settings: Settings
    }

    struct Problem {
        var line: Int
        var message: String
    }

    /// The variables in force, those that mean something to cron itself apart.
    struct Settings {
        var variables: [(name: String, value: String)] = []
        var shell = "/bin/sh"
        /// Nil: the owner; empty: nobody.
        var mailTo: String?
        var zone: String?
        /// Minutes at most by which cronie delays a start.
        var randomDelay: String?

        mutating func set(_ name: String, _ value: String) {
            switch name {
            case "SHELL": shell = value
            case "MAILTO": mailTo = value
            case "CRON_TZ": zone = value
            case "RANDOM_DELAY": randomDelay = value
            // crontab(5): these cannot be set.
            case "LOGNAME", "USER": break
            default:
                variables.removeAll { $0.name == name }
                variables.append((name, value))
            }
        }
    }

    private(set) var entries: [Entry] = []
    private(set) var problems: [Problem] = []

    /// - Parameter isSystem: a user stands between the time and the command.
    init(_ text: String, isSystem: Bool) {
        var settings = Settings()
        var comments: [Substring] = []
        for (index, whole) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = whole.drop { $0 == " " || $0 == "\t" }
            if line.isEmpty {
                comments = []
            } else if line.hasPrefix("#") {
                comments.append(line.drop { $0 == "#" || $0 == " " || $0 == "\t" })
            } else if let (name, value) = Self.assignment(line) {
                settings.set(name, value)
                comments = []
            } else {
                let comment = comments.filter { !$0.isEmpty }.joined(separator: " ")
                comments = []
                guard var entry = Self.entry(line, isSystem: isSystem, settings) else {
                    problems.append(Problem(line: index + 1, message: "is no line of a crontab: expected five fields or an @word\(isSystem ? ", a user" : "") and a command"))
                    continue
                }
                entry.line = index + 1
                entry.text = String(whole)
                entry.comment = comment.isEmpty ? nil : comment
                entries.append(entry)
            }
        }
    }

    /// `NAME = VALUE`: blanks around the `=` and at the ends do not count, one pair of quotes keeps those inside.
    private static func assignment(_ line: Substring) -> (String, String)? {
        var rest = line
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard let first = name.first, !first.isNumber else { return nil }
        rest = rest[name.endIndex...].drop { $0 == " " || $0 == "\t" }
        guard rest.first == "=" else { return nil }
        var value = rest.dropFirst().drop { $0 == " " || $0 == "\t" }
        while let last = value.last, last == " " || last == "\t" || last == "\r" { value.removeLast() }
        if value.count >= 2, let quote = value.first, quote == "\"" || quote == "'", value.last == quote {
            value = value.dropFirst().dropLast()
        }
        return (String(name), String(value))
    }

    private static func entry(_ line: Substring, isSystem: Bool, _ settings: Settings) -> Entry? {
        var rest = line
        func word() -> Substring? {
            rest = rest.drop { $0 == " " || $0 == "\t" }
            let word = rest.prefix { $0 != " " && $0 != "\t" }
            rest = rest[word.endIndex...]
            return word.isEmpty ? nil : word
        }
        var fields: [Substring] = []
        for _ in 0..<(line.hasPrefix("@") ? 1 : 5) {
            guard let field = word() else { return nil }
            fields.append(field)
        }
        var user: String?
        if isSystem {
            guard let name = word() else { return nil }
            user = String(name)
        }
        let whole = rest.drop { $0 == " " || $0 == "\t" }
        guard !whole.isEmpty else { return nil }
        let (command, input) = parts(whole)
        return Entry(
            line: 0, text: "", comment: nil, when: fields.joined(separator: " "), user: user, command: command, input: input,
            settings: settings)
    }

    private static func parts(_ text: Substring) -> (command: String, input: String?) {
        var parts: [String] = [""]
        var isEscaped = false
        for character in text {
            if character == "%", !isEscaped, parts.count == 1 {
                parts.append("")
            } else if character == "%", !isEscaped {
                parts[1].append("\n")
            } else {
                if isEscaped, character == "%" { parts[parts.count - 1].removeLast() }
                parts[parts.count - 1].append(character)
            }
            isEscaped = character == "\\" && !isEscaped
        }
        return (parts[0], parts.count > 1 ? parts[1] : nil)
    }
}
