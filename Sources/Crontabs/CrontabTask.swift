import Documents
import Linux
import Model

/// The task that does the work of one crontab line.
public struct CrontabTask: Sendable {
    public let name: String
    /// The task's file. It begins with a comment that names the crontab line.
    public let source: Source
    public let entry: Crontab.Entry

    /// The reason why a line is not carried over.
    public struct Refusal: Error {
        public var why: String

        public init(why: String) { self.why = why }
    }

    /// - Parameters:
    ///   - owner: the owner of the spool. Tasks of root's spool may run as any user.
    ///   - user: the user as whom cron runs the line, unless the line names one.
    ///   - file: the path of the crontab, for the comment in the task's file.
    public init(_ entry: Crontab.Entry, name: String, owner: String, user: String, isRoot: Bool, file: String) throws(Refusal) {
        let settings = entry.settings
        let user = entry.user ?? user
        if user != owner, !isRoot { throw Refusal(why: "it runs as \(user), and tasks of this spool run as \(owner)") }
        guard settings.shell.hasPrefix("/") else { throw Refusal(why: "SHELL is \"\(settings.shell)\", not an absolute path") }
        var table = Table()
        if let comment = entry.comment { table.set("description", Value(.string(comment))) }
        table.set("command", Value(.string(try Self.command(entry))))
        if settings.shell != "/bin/sh" { table.set("shell", Value(.string(settings.shell))) }
        if user != owner { table.set("user", Value(.string(user))) }
        // cron starts a run even while earlier runs of the same line are still running.
        table.set("overlap", Value(.string("allow")))
        if let home = settings["HOME"] {
            guard home.hasPrefix("/") else { throw Refusal(why: "HOME is \"\(home)\", not an absolute path") }
            table.set("directory", Value(.string(home)))
        }
        let to = settings.mailTo ?? user
        if to.isEmpty {
            table.set("mail", Value(.boolean(false)))
        } else {
            var mail = Table()
            mail.set("to", Value(.string(to)))
            mail.set("when", Value(.string(entry.mailsFailuresOnly ? "failure" : "output")))
            table.set("mail", Value(.table(mail)))
        }
        var environment = Table()
        // cron(8) gives a job these variables when the crontab sets nothing. They come first, wherever in the crontab they are
        // set.
        environment.set("PATH", Value(.string(settings["PATH"] ?? "/usr/bin:/bin")))
        for (name, value) in settings.variables { environment.set(name, Value(.string(value))) }
        table.set("env", Value(.table(environment)))
        table.set("schedule", Value(.array([Value(.table(try Self.schedule(entry)))])))
        let written = Source(writing: table)
        let line = entry.text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\t" }
        let note = "# From \(file), line \(entry.line): \(String(String.UnicodeScalarView(line)))\n"
        source = Source(format: written.format, bytes: Array(note.utf8) + written.bytes)
        self.name = name
        self.entry = entry
    }

    private static func schedule(_ entry: Crontab.Entry) throws(Refusal) -> Table {
        var schedule = Table()
        schedule.set("cron", Value(.string(entry.when)))
        guard entry.when != "@reboot" else { return schedule }
        schedule.set("timezone", Value(.string(entry.settings.zone ?? "local")))
        // cron does not make up for missed times.
        schedule.set("catch_up", Value(.string("none")))
        if let delay = entry.settings.randomDelay, delay != "0" {
            guard let minutes = Int(delay), (1...1440).contains(minutes) else {
                throw Refusal(why: "RANDOM_DELAY is \"\(delay)\", not a number of minutes")
            }
            schedule.set("jitter", Value(.string("\(minutes)m")))
        }
        return schedule
    }

    /// The command as the shell reads it. Its standard input becomes a here-document.
    private static func command(_ entry: Crontab.Entry) throws(Refusal) -> String {
        // A job without a payload has an empty input. So does a cron job whose line ends with a %.
        guard let input = entry.input, !input.isEmpty else { return entry.command }
        let shell = entry.settings.shell.split(separator: "/").last ?? ""
        guard ["sh", "bash", "dash", "ksh", "zsh", "ash", "mksh"].contains(shell) else {
            throw Refusal(why: "its % text is standard input, which \(entry.settings.shell) is not known to read from a here-document")
        }
        guard let document = HereDocument(command: entry.command, input: input) else {
            throw Refusal(
                why: "its % text is a \\ alone in its last line, which no here-document can hold; "
                    + "cron gives it to the command without a line's end")
        }
        return document.text
    }
}

/// A command and its standard input as one text for a shell.
public struct HereDocument: Sendable, Equatable {
    public let command: String
    public let input: String

    /// Nil when the input does not end with a newline.
    public init?(command: String, input: String) {
        guard input.utf8.last == UInt8(ascii: "\n") else { return nil }
        self.command = command
        self.input = input
    }

    public var text: String {
        let lines = input.utf8.split(separator: UInt8(ascii: "\n"))
        var end = "END"
        while lines.contains(where: { $0.elementsEqual(end.utf8) }) { end += "_" }
        return "{ \(command)\n} <<'\(end)'\n\(input)\(end)\n"
    }

    /// The command and the input from which ``text`` was written, or nil when the text has another form.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let mark = Array("\n} <<'".utf8)
        guard bytes.starts(with: "{ ".utf8), let start = bytes.indices.first(where: { bytes[$0...].starts(with: mark) }) else { return nil }
        let end = bytes[(start + mark.count)...].prefix { $0 != UInt8(ascii: "'") }
        let body = bytes[end.endIndex...].dropFirst(2)
        guard body.count > end.count + 1 else { return nil }
        self.init(
            command: String(decoding: bytes[2..<start], as: UTF8.self),
            input: String(decoding: body.dropLast(end.count + 1), as: UTF8.self))
        // Accept the text only if these parts give exactly the same text again.
        guard self.text == text else { return nil }
    }
}
