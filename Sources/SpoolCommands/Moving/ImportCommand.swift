import Store

extension SpoolCommand {
    static let `import` = SpoolCommand(
        "import", "crontab [FILE…] | at", "turn a crontab's lines into tasks, or at's queue into jobs",
        details: [
            "crontab: writes a task for each line, with the comment above it as description and the variables that are in force where it stands. A line that cannot be carried over faithfully is refused with its line, column and reason, and the others are written. Standard error ends with a count: 16 written, 1 the same, 2 refused. The exit code is 4 when something was refused.",
            "Without FILE it reads crontab -l; - is standard input. In /etc/crontab, in a directory named cron.d and with --system each line names a user: root's tasks then run as that one, anybody else's lines of others are refused. A directory stands for the files in it that cron would read. Root's import refuses the files that cron(8) refuses: another owner than root, a mode that lets others write, a second hard link, a symbolic link that is not root's.",
            "A task is named after its file, or in a user's crontab after its program, looked for behind cd, flock, env, nice and the like. A line that is a task already is left alone; where another task has the name, -2 and so on is added. As cron does, a task runs by the machine's clock, makes up for nothing that was missed, and mails its output.",
            "at: submits a job for each that at(1) has queued, with its script, start time and queue; its id follows from at's number and time, so none comes twice. Root's jobs of other users run as these; anybody else's, what runs already or cannot be read is refused with the reason. at's own spool is left as it is: standard error has the atrm command that empties it.",
        ],
        options: [
            Option("system", "crontab: every line names a user"),
            Option("dir", value: "DIR", "at: its spool (/var/spool/cron/atjobs)"),
            Option("dry-run", "print the files instead of writing them"),
            Option("verify", "crontab: print the next 20 runs, by the crontab and by the task, side by side; writes nothing"),
        ],
        examples: [
            Example("spoolctl import crontab --dry-run", "what your own crontab would become"),
            Example("spoolctl import crontab /etc/crontab /etc/cron.d", "the system's"),
            Example("spoolctl import at && atrm $(atq | cut -f1)", "moves all that is queued"),
        ]
    ) { session throws(Failure) in
        let arguments = session.arguments
        let rest = Array(arguments.operands.dropFirst())
        switch arguments.operands.first {
        case "crontab":
            if arguments.value("dir") != nil { throw .usage("--dir goes with import at") }
            return try ImportCrontab(session).run(rest)
        case "at":
            for option in ["system", "verify"] where arguments.flag(option) { throw .usage("--\(option) goes with import crontab") }
            if let first = rest.first { throw .usage("import at takes no operands, and \"\(first)\" is one; --dir names a directory") }
            return try ImportAt(session).run()
        default:
            throw .usage("import needs crontab or at; see spoolctl import --help")
        }
    }
}
