import Store

extension SpoolCommand {
    static let check = SpoolCommand(
        "check", "[FILE…]", "read files as the daemon would and print what is wrong",
        details: [
            "Without FILE all tasks, schedules and waiting jobs of the spool, and the configuration. A FILE in a directory named tasks, or with a schedule key, is a task; one in a directory named schedules a schedule; spoold.toml the configuration; any other a job.",
            "Silent and 0 when all is well, 4 when anything is wrong. A schedule that is legal and yet hardly meant gets a warning, as explain words it, and that changes nothing of the exit code. So does a key that names a task which is not there: in a FILE outside the spool only where --spool says which spool's tasks are meant.",
        ],
        options: [Option("task", "read every FILE as a task")],
        examples: [
            Example("spoolctl check tasks/*.toml", "before a commit, without a spool"),
            Example("spoolctl check --json", "for an editor"),
        ]
    ) { session throws(Failure) in
        var check = Check(session)
        if session.arguments.operands.isEmpty {
            try check.spool()
        } else {
            for file in session.arguments.operands { try check.file(file) }
        }
        return check.report()
    }
}
