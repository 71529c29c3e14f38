import Store

extension SpoolCommand {
    static let `import` = SpoolCommand(
        "import", "crontab [FILE…] | at", "turn a crontab's lines into tasks, or at's queue into jobs",
        details: [
            """
            crontab: writes a task for each line, with the comment above the line as its description, and with the variables set above \
            the line. A line that cannot be converted faithfully is refused with its line, column and reason; the other lines are \
            written. Standard error ends with a count: 16 written, 1 the same, 2 refused. The exit code is 4 when something was refused.
            """,
            """
            Without FILE, reads crontab -l; - is standard input. In /etc/crontab, in a directory named cron.d and with --system each \
            line names a user: root's tasks run as that user, and for anybody else lines of other users are refused. For a directory, \
            reads the files in it that cron would read. Root's import refuses the files that cron(8) refuses: with another owner than \
            root, writable by others, with a second hard link, or behind a symbolic link that is not root's.
            """,
            """
            A task is named after its file, or for a user's crontab after its program; cd, flock, env, nice and similar words before the \
            program are skipped. A line that is a task already is not imported again. When another task has the name, -2 and so on is \
            added. Like cron, a task uses the machine's clock, does not make up for missed due times, and mails its output.
            """,
            """
            at: submits each job that at(1) has queued, with its script, start time and queue. The id follows from at's number and time, \
            so no job is imported twice. When root imports, each job runs as its user; anybody else's import refuses jobs of other \
            users. Running and unreadable jobs are refused with the reason. at's own spool is not changed: standard error shows the atrm \
            command that empties it.
            """,
        ],
        options: [
            Option("system", "for crontab: every line names a user"),
            Option("dir", value: "DIR", "for at: the directory of its jobs (/var/spool/cron/atjobs)"),
            Option("dry-run", "print the files instead of writing them"),
            Option("verify", "for crontab: print the next 20 runs by the crontab and by the task; write nothing"),
        ],
        examples: [
            Example("spoolctl import crontab --dry-run", "prints the tasks that your crontab would become"),
            Example("spoolctl import crontab /etc/crontab /etc/cron.d", "imports the system's crontabs"),
            Example("spoolctl import at && atrm $(atq | cut -f1)", "moves all queued jobs of at"),
        ]
    ) { session throws(Failure) in
        let arguments = session.arguments
        let rest = Array(arguments.operands.dropFirst())
        switch arguments.operands.first {
        case "crontab":
            if arguments.value("dir") != nil { throw .usage("--dir needs import at") }
            return try ImportCrontab(session).run(rest)
        case "at":
            for option in ["system", "verify"] where arguments.flag(option) { throw .usage("--\(option) needs import crontab") }
            if let first = rest.first { throw .usage("import at takes no operands; remove \"\(first)\", or name a directory with --dir") }
            return try ImportAt(session).run()
        default:
            throw .usage("import needs crontab or at; see spoolctl import --help")
        }
    }
}
