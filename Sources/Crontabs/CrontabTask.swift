import Documents
import Linux
import Model

/// The task that does the work of one crontab line.
public struct CrontabTask: Sendable {
    public let name: String
    /// The task's file. It begins with a comment that names the crontab line.
    public let source: Source
    public let entry: Crontab.Entry

    /// The rules by which a line runs.
    enum Manner {
        /// As under cron(8).
        case cron
        /// As in a container that has the crontab as its purpose: with the container's own variables, without mail unless `MAILTO` asks for
        /// it, and never beside an earlier run of itself.
        case container
    }

    /// The reason why a line is not carried over.
    public struct Refusal: Error {
        public var why: String

        public init(why: String) { self.why = why }
    }

    /// - Parameters:
    ///   - owner: the owner of the spool. Tasks of root's spool may run as any user.
    ///   - user: the user as whom cron runs the line, unless the line names one.
    ///   - file: the path of the crontab, for the comment in the task's file.
    ///   - directory: the directory in which the task runs instead of that of the line.
    public init(
        _ entry: Crontab.Entry, name: String, owner: String, user: String, isRoot: Bool, file: String, directory: String? = nil
    ) throws(Refusal) {
        var table = try Self.table(entry, owner: owner, user: user, isRoot: isRoot)
        if let directory { table.set("directory", Value(.string(directory))) }
        let written = Source(writing: table)
        let line = entry.text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\t" }
        let note = "# From \(file), line \(entry.line): \(String(String.UnicodeScalarView(line)))\n"
        source = Source(format: written.format, bytes: Array(note.utf8) + written.bytes)
        self.name = name
        self.entry = entry
    }

    /// The keys of the task. `catchUp` is a value of the key `catch_up`: cron does not make up for missed times.
    static func table(
        _ entry: Crontab.Entry, owner: String, user: String, isRoot: Bool, catchUp: String = "none", _ manner: Manner = .cron
    ) throws(Refusal) -> Table {
        let settings = entry.settings
        let user = entry.user ?? user
        if user != owner, !isRoot { throw Refusal(why: "it runs as \(user), and tasks of this spool run as \(owner)") }
        guard settings.shell.hasPrefix("/") else { throw Refusal(why: "SHELL is \"\(settings.shell)\", not an absolute path") }
        var table = Table()
        if let comment = entry.comment { table.set("description", Value(.string(comment))) }
        table.set("command", Value(.string(entry.command)))
        // A job without a payload has an empty input. So does a cron job whose line ends with a %.
        if let input = entry.input, !input.isEmpty {
            var stdin = Table()
            stdin.set("text", Value(.string(input)))
            table.set("stdin", Value(.table(stdin)))
        }
        if settings.shell != "/bin/sh" { table.set("shell", Value(.string(settings.shell))) }
        if user != owner { table.set("user", Value(.string(user))) }
        // cron starts a run even while earlier runs of the same line are still running.
        table.set("overlap", Value(.string(manner == .cron ? "allow" : "skip")))
        if let home = settings["HOME"] {
            guard home.hasPrefix("/") else { throw Refusal(why: "HOME is \"\(home)\", not an absolute path") }
            table.set("directory", Value(.string(home)))
        }
        // cron mails both streams in the order in which they were written.
        table.set("combine_output", Value(.boolean(true)))
        let to = settings.mailTo ?? (manner == .cron ? user : "")
        if !Crontab.Settings.isMailed(to) {
            table.set("mail", Value(.boolean(false)))
        } else {
            var mail = Table()
            mail.set("to", Value(.string(to)))
            mail.set("when", Value(.string(entry.mailsFailuresOnly ? "failure" : "output")))
            mail.set("form", Value(.string("cron")))
            if let from = settings.mailFrom, Crontab.Settings.isMailed(from) { mail.set("from", Value(.string(from))) }
            table.set("mail", Value(.table(mail)))
        }
        var environment = Table()
        for (name, value) in settings.variables { environment.set(name, Value(.string(value))) }
        if settings["PATH"] == nil, manner == .cron { environment.set("PATH", Value(.string(Mail.cronPath))) }
        table.set("env", Value(.table(environment)))
        table.set("schedule", Value(.array([Value(.table(try schedule(entry, catchUp)))])))
        return table
    }

    /// A remark about the task of a line that was accepted, or nil when there is none to make.
    public static func remark(on source: Source) -> String? {
        guard let table = try? source.table(), case .table(let variables)? = table["env"]?.kind else { return nil }  // accepted: readable
        let texts = variables.entries.compactMap { entry -> (name: String, value: String)? in
            if case .string(let text) = entry.value.kind { (entry.key, text) } else { nil }
        }
        return Crontab.Settings.unsafeMailTo(in: texts).map(Crontab.Settings.remark)
    }

    private static func schedule(_ entry: Crontab.Entry, _ catchUp: String) throws(Refusal) -> Table {
        var schedule = Table()
        schedule.set("cron", Value(.string(entry.when)))
        guard entry.when != "@reboot" else { return schedule }
        schedule.set("timezone", Value(.string(entry.settings.zone ?? "local")))
        schedule.set("catch_up", Value(.string(catchUp)))
        if let delay = entry.settings.randomDelay, delay != "0" {
            guard let minutes = Int(delay), (1...1440).contains(minutes) else {
                throw Refusal(why: "RANDOM_DELAY is \"\(delay)\", not a number of minutes")
            }
            schedule.set("jitter", Value(.string("\(minutes)m")))
        }
        return schedule
    }
}
