import Store

extension SpoolCommand {
    static let update = SpoolCommand(
        "update", "NAME [options] [--] [COMMAND…]", "change keys of a task",
        details: [
            "Changes the keys that are given and nothing else: comments, layout and schedules stay as they are. Variables of --set-env are added to those there are.",
        ],
        options: JobOptions.optionsOfTask + [
            Option("command", value: "LINE", "a new line for the shell, in COMMAND's place"),
            Option("unset", value: "KEY", "remove a key; may be repeated"),
        ],
        examples: [
            Example("spoolctl update backup --timeout 2h --description 'nightly, off-site'", "two keys"),
            Example("spoolctl update backup --unset timeout -- /usr/local/bin/backup --all", "another command, no limit"),
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
        guard !job.table.isEmpty || !unset.isEmpty else { throw .usage("update changes nothing without an option") }
        let edit = try TaskEdit(session, name)
        try edit.write(try edit.changing(set: job.table, remove: unset))
        session.printTask(name, change: "changed task \(name)")
        return ExitCode.done
    }
}
