import Store

extension SpoolCommand {
    static let check = SpoolCommand(
        "check", "[FILE…]", "read files as the daemon would, and print problems",
        details: [
            """
            Without FILE, checks all tasks, schedules and waiting jobs of the spool, and the configuration. A FILE in a directory named \
            tasks, or with a schedule key, is read as a task; a FILE in a directory named schedules as a schedule; spoold.toml as the \
            configuration; a crontab where cron looks for it, and any other FILE with lines of one, as a crontab; any other FILE as a job.
            """,
            """
            Prints nothing and exits with 0 when there is no problem; exits with 4 when there is one. A valid but surprising schedule \
            gets a warning, as in spoolctl explain, and so does a key that names a missing task. Warnings do not change the exit code. \
            In a FILE outside the spool, names of tasks are checked only with --spool.
            """,
        ],
        options: [
            Option("task", "read every FILE as a task"), Option("crontab", "read every FILE as the crontab of spoold --crontab"),
        ],
        examples: [
            Example("spoolctl check tasks/*.toml", "checks files before a commit, without a spool"),
            Example("spoolctl check --json", "prints the problems for an editor"),
        ]
    ) { session throws(Failure) in
        var check = DefinitionCheck(session)
        if session.arguments.operands.isEmpty {
            try check.spool()
        } else {
            for file in session.arguments.operands { try check.file(file) }
        }
        return check.print()
    }
}
