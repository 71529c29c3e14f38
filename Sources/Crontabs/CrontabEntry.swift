import Lines
import Linux
import Recurrence

/// Reads one line of a crontab: the time, the user and the command.
struct LineReading {
    /// The reason why the line is not an entry, and the byte at fault.
    struct Failure: Error {
        var place: Int
        var message: String
    }

    private let line: Lines.Line
    private let isSystem: Bool
    private var rest: ArraySlice<UInt8>
    /// Where the blanks after the user begin.
    private var userEnd: Int?
    private(set) var remarks: [Failure] = []

    init(_ line: Lines.Line, isSystem: Bool) {
        self.line = line
        self.isSystem = isSystem
        rest = line.bytes.drop(while: isBlank)
    }

    mutating func entry(_ settings: Crontab.Settings, isUser: (String) -> Bool) throws(Failure) -> Crontab.Entry {
        if let name = Crontab.Settings.nameOfBrokenAssignment(rest) {
            throw Failure(place: rest.startIndex,
                message: "the value of \(name) has a quote that is not closed, or something after the closing one")
        }
        // `-` before the time: cronie and SUSE do not log the line's commands. spoold records every job, so `-` has no effect
        // here.
        if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
        let when = try when()
        let user = isSystem ? try user(after: when, isUser: isUser) : nil
        let commandStart = rest.startIndex
        let mailsFailuresOnly = try options()
        guard !rest.isEmpty else { throw noLine(at: rest.startIndex) }
        if !isSystem, Self.isTimeField(rest.prefix { !isBlank($0) }) { throw sixFields() }
        var (command, input) = Self.parts(rest)
        // entry.c of Debian's cron: one blank ends the user, and all others belong to the command, which the log and the mails show.
        if let userEnd, rest.startIndex == commandStart { command.insert(contentsOf: line.bytes[(userEnd + 1)..<commandStart], at: 0) }
        remark(on: command, input, isUser: isUser)
        return Crontab.Entry(
            line: line.number, text: text(line.bytes), comment: nil, when: when, user: user, command: text(command[...]),
            input: input.map { text($0[...]) }, mailsFailuresOnly: mailsFailuresOnly, settings: settings)
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { FileName.string(from: Array(bytes)) }

    private mutating func word() -> ArraySlice<UInt8>? {
        let word = rest.prefix { !isBlank($0) }
        rest = rest[word.endIndex...].drop(while: isBlank)
        return word.isEmpty ? nil : word
    }

    private func noLine(at place: Int) -> Failure {
        Failure(
            place: place,
            message: "not a crontab line: expected five time fields or an @word, then \(isSystem ? "a user and " : "")a command")
    }

    /// True for a word that reads as one more time field where a command or a user is expected: `*`, `?`, `1-5`, `MON-FRI`, `2026`.
    static func isTimeField(_ word: ArraySlice<UInt8>) -> Bool {
        if word.first == UInt8(ascii: "*") || word.first == UInt8(ascii: "?") { return true }
        let days: Set = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
        return word.split(omittingEmptySubsequences: false) { "-,/#".utf8.contains($0) }.allSatisfy { part in
            !part.isEmpty && part.allSatisfy { (0x30...0x39).contains($0) } || days.contains(String(decoding: part, as: UTF8.self))
        }
    }

    private func sixFields() -> Failure {
        Failure(
            place: rest.startIndex,
            message: "expected \(isSystem ? "a user" : "a command") after five time fields, "
                + "found \"\(text(rest.prefix { !isBlank($0) }))\"; "
                + "crontab(5) has no sixth field: what Quartz, Spring and node-cron write is for spoolctl create NAME --cron \"…\"")
    }

    // MARK: Time

    private mutating func when() throws(Failure) -> String {
        var fields: [ArraySlice<UInt8>] = []
        let count = rest.first != UInt8(ascii: "@") ? 5 : text(rest.prefix { !isBlank($0) }) == "@every" ? 2 : 1
        for _ in 0..<count {
            guard let field = word() else { throw noLine(at: rest.startIndex) }
            fields.append(field)
        }
        guard !rest.isEmpty else { throw noLine(at: rest.startIndex) }
        let when = fields.map(text).joined(separator: " ")
        do throws(RecurrenceError) {
            _ = try Recurrence.cron(when, zone: .utc, zones: ZoneDatabase(directories: []), stableSeed: 0)
        } catch {
            // The error counts its position in the fields joined by one blank each.
            var offset = error.offset ?? 0
            var field = fields[0]
            for next in fields.dropFirst() where offset > text(field).count {
                offset -= text(field).count + 1
                field = next
            }
            let place = Swift.min(field.startIndex + offset, line.bytes.endIndex)
            throw Failure(place: place, message: "cron \"\(when)\": \(error.message)\(error.hint.map { "; \($0)" } ?? "")")
        }
        return when
    }

    // MARK: User

    private mutating func user(after when: String, isUser: (String) -> Bool) throws(Failure) -> String {
        let start = rest
        guard let word = word() else { throw noLine(at: rest.startIndex) }
        if Self.isTimeField(word) {
            rest = start
            throw sixFields()
        }
        userEnd = word.endIndex
        let user = text(word)
        let isName = word.allSatisfy { $0 >= 0x80 || isNameByte($0) } && word.first != UInt8(ascii: "-")
        if isUser(user), !rest.isEmpty { return user }
        let remedy = "in this form of a crontab a user stands between the time and the command: \(when) root \(text(start))"
        guard isName, !rest.isEmpty, rest.first != UInt8(ascii: "-") else {
            throw Failure(
                place: start.startIndex,
                message: isUser(user)
                    ? "expected a command after the user \"\(user)\""
                    : "expected a user, found \"\(user)\", which is not a user name; \(remedy)")
        }
        remarks.append(Failure(place: start.startIndex,
            message: "\"\(user)\" is not a user of this machine; if the user's column is missing, \(remedy)"))
        return user
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || "_.-$@+".utf8.contains(byte)
    }

    // MARK: Command

    /// Reads the options before the command that cronie and FreeBSD have. `-q` keeps the line out of the log, as `-` at its
    /// beginning does.
    private mutating func options() throws(Failure) -> Bool {
        var mailsFailuresOnly = false
        while rest.first == UInt8(ascii: "-") {
            let start = rest.startIndex
            let option = word().map(text) ?? ""
            switch option {
            case "-n": mailsFailuresOnly = true
            case "-q": break
            default:
                throw Failure(
                    place: start,
                    message: "a command cannot begin with \"\(option)\": "
                        + "cronie and FreeBSD take that for an option, and know -n and -q alone")
            }
        }
        return mailsFailuresOnly
    }

    /// Splits the rest of the line as do_command.c of Debian's cron does. In the command, `\%` is `%`, `\\` is `\`, and the first
    /// other `%` ends the command. In the input, `\%` is `%` and any other `%` ends a line. A last line without an end gets one.
    static func parts(_ text: ArraySlice<UInt8>) -> (command: [UInt8], input: [UInt8]?) {
        let (percent, backslash) = (UInt8(ascii: "%"), UInt8(ascii: "\\"))
        var command: [UInt8] = []
        var isEscaped = false
        var place = text.startIndex
        while place < text.endIndex {
            let byte = text[place]
            place += 1
            if isEscaped {
                if byte == percent || byte == backslash { command.removeLast() }
                isEscaped = false
            } else if byte == backslash {
                isEscaped = true
            } else if byte == percent {
                return (command, input(text[place...]))
            }
            command.append(byte)
        }
        return (command, nil)
    }

    private static func input(_ text: ArraySlice<UInt8>) -> [UInt8] {
        let (percent, backslash, newline) = (UInt8(ascii: "%"), UInt8(ascii: "\\"), UInt8(ascii: "\n"))
        var input: [UInt8] = []
        var isEscaped = false
        var needsNewline = false
        for var byte in text {
            if isEscaped {
                if byte != percent { input.append(backslash) }
            } else if byte == percent {
                byte = newline
            }
            isEscaped = byte == backslash
            if !isEscaped {
                input.append(byte)
                needsNewline = byte != newline
            }
        }
        if isEscaped { input.append(backslash) }
        if needsNewline { input.append(newline) }
        return input
    }

    private mutating func remark(on command: [UInt8], _ input: [UInt8]?, isUser: (String) -> Bool) {
        if input != nil {
            var isEscaped = false
            let percent = rest.firstIndex { byte in
                if byte == UInt8(ascii: "%"), !isEscaped { return true }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                return false
            }
            remarks.append(
                Failure(
                    place: percent ?? rest.startIndex,
                    message: "the % ends the command, which is \"\(text(command[...]))\", "
                        + "and what follows is its standard input, as in cron; \\% stands for a percent sign"))
        }
        if let double = rest.indices.dropLast().first(where: { rest[$0] == UInt8(ascii: "\\") && rest[$0 + 1] == UInt8(ascii: "\\") }) {
            remarks.append(Failure(place: double,
                message: "\\\\ before the first % is read as \\, as Debian's cron does; cronie hands both to the shell"))
        }
        let first = rest.prefix { !isBlank($0) }
        let second = rest[first.endIndex...].drop(while: isBlank)
        if !isSystem, second.first == UInt8(ascii: "/"), isUser(text(first)) {
            remarks.append(
                Failure(
                    place: first.startIndex,
                    message: "the command begins with \"\(text(first))\", a user's name; if every line names a user, import with --system"))
        }
    }
}
