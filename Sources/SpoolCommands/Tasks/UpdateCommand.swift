import Store

extension SpoolCommand {
    static let update = SpoolCommand(
        "update", "NAME [options] [--] [COMMAND…]", "change keys of a task",
        details: [
            "Changes only the given keys. Comments, layout and schedules stay unchanged. --set-env adds variables to the existing ones.",
        ],
        options: JobOptions.optionsOfTask + [
            Option("command", value: "LINE", "a new command line for the shell, instead of COMMAND"),
            Option("unset", value: "KEY", "remove a key; can be repeated"),
        ],
        mostUsed: ["command", "unset", "description", "directory", "set-env", "queue", "timeout", "tries", "mail", "on-failure"],
        examples: [
            Example("spoolctl update backup --timeout 2h --description 'nightly, off-site'", "changes two keys"),
            Example(
                "spoolctl update backup --unset timeout -- /usr/local/bin/backup --all", "changes the command, and removes the timeout"
            ),
        ],
        ownOperands: 1
    ) { session throws(Failure) in
        guard let name = session.arguments.operands.first else {
            throw .usage("update needs a task's NAME; see spoolctl update --help")
        }
        let words = Array(session.arguments.operands.dropFirst())
        var job = try JobOptions(session)
        if let line = session.arguments.value("command") {
            guard words.isEmpty else { throw .usage("--command and COMMAND both say what to run") }
            job.set("command", .string(line), "--command")
        } else if !words.isEmpty {
            try job.setCommand(words)
        }
        let unset = session.arguments.values("unset")
        guard !job.table.isEmpty || !unset.isEmpty else { throw .usage("update needs an option or a COMMAND; see spoolctl update --help") }
        let edit = try TaskEdit(session, name)
        try edit.write(try edit.changing(set: job.table, remove: unset))
        session.printTask(name, change: "changed task \(name)")
        try session.remarkNextDue(ofChanged: name)
        return ExitCode.done
    }
}
