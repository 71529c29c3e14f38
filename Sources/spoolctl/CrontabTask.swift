import Store

/// The task that does what a crontab's line did.
struct CrontabTask {
    let name: String
    let source: Source
    let entry: Crontab.Entry

    /// Why a line is not carried over.
    struct Refusal: Error {
        var why: String
    }

    /// - Parameters:
    ///   - owner: whose crontab it is; root's tasks may run as anybody.
    ///   - file: where it stands, for the comment that says so.
    init(_ entry: Crontab.Entry, name: String, owner: String, isRoot: Bool, file: String) throws(Refusal) {
        let settings = entry.settings
        let user = entry.user ?? owner
        if user != owner, !isRoot { throw Refusal(why: "it runs as \(user), and tasks of this spool run as \(owner)") }
        guard settings.shell.hasPrefix("/") else { throw Refusal(why: "SHELL is \"\(settings.shell)\", no absolute path") }
        var table = Table()
        if let comment = entry.comment { table.set("description", Value(.string(comment))) }
        table.set("command", Value(.string(try Self.command(entry))))
        if settings.shell != "/bin/sh" { table.set("shell", Value(.string(settings.shell))) }
        if user != owner { table.set("user", Value(.string(user))) }
        // cron starts a run whatever else of the same line still runs.
        table.set("overlap", Value(.string("allow")))
        var environment = Table()
        // cron(8): what a job finds when the crontab sets nothing.
        if !settings.variables.contains(where: { $0.name == "PATH" }) { environment.set("PATH", Value(.string("/usr/bin:/bin"))) }
        for (name, value) in settings.variables { environment.set(name, Value(.string(value))) }
        if let home = settings.variables.first(where: { $0.name == "HOME" })?.value {
            guard home.hasPrefix("/") else { throw Refusal(why: "HOME is \"\(home)\", no absolute path") }
            table.set("directory", Value(.string(home)))
        }
        let to = settings.mailTo ?? user
        if !to.isEmpty {
            guard !to.contains(where: { $0 == "," || $0.isWhitespace }) else { throw Refusal(why: "MAILTO names several: \"\(to)\"") }
            var mail = Table()
            mail.set("to", Value(.string(to)))
            mail.set("when", Value(.string("output")))
            table.set("mail", Value(.table(mail)))
        }
        table.set("env", Value(.table(environment)))
        table.set("schedule", Value(.array([Value(.table(try Self.schedule(entry)))])))
        let written = Source(writing: table)
        let note = "# From \(file), line \(entry.line): \(entry.text.filter { !$0.isNewline })\n"
        self.source = Source(format: written.format, bytes: Array(note.utf8) + written.bytes)
        self.name = name
        self.entry = entry
    }

    private static func schedule(_ entry: Crontab.Entry) throws(Refusal) -> Table {
        var schedule = Table()
        schedule.set("cron", Value(.string(entry.when)))
        guard entry.when != "@reboot" else { return schedule }
        schedule.set("timezone", Value(.string(entry.settings.zone ?? "local")))
        // What cron misses, it does not make up for.
        schedule.set("catch_up", Value(.string("none")))
        if let delay = entry.settings.randomDelay, delay != "0" {
            guard let minutes = Int(delay), (1...1440).contains(minutes) else { throw Refusal(why: "RANDOM_DELAY is \"\(delay)\", no number of minutes") }
            schedule.set("jitter", Value(.string("\(minutes)m")))
        }
        return schedule
    }

    /// The command as the shell is to read it. Its standard input comes as a here-document.
    private static func command(_ entry: Crontab.Entry) throws(Refusal) -> String {
        guard let input = entry.input else { return entry.command }
        let shell = entry.settings.shell.split(separator: "/").last ?? ""
        guard ["sh", "bash", "dash", "ksh", "zsh", "ash", "mksh"].contains(shell) else {
            throw Refusal(why: "its % text is standard input, which \(entry.settings.shell) is not known to read from a here-document")
        }
        var end = "END"
        while input.split(separator: "\n").contains(Substring(end)) { end += "_" }
        return "{ \(entry.command)\n} <<'\(end)'\n\(input)\n\(end)\n"
    }
}
