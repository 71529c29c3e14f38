import Store

extension SpoolCommand {
    static let pauseScopes = [
        Option("queue", "Q", value: "NAME", "only this queue"),
        Option("task", value: "NAME", "only this task").ofUsers,
    ]

    static let pause = SpoolCommand(
        "pause", "[NAME | --queue Q | --task NAME] [--note TEXT]", "start no more jobs: of the spool, a queue or a task",
        details: [
            """
            Running jobs continue. The pause is a file in control/; its text is the note that status, list, why and top show. It stays \
            until spoolctl resume removes it, also across restarts.
            """,
            "NAME is a task or, when no task has this name, a queue. A name that both have needs --task or --queue.",
        ],
        options: pauseScopes + [Option("note", value: "TEXT", "the reason, shown with the pause")],
        examples: [
            Example("spoolctl pause backup", "the task backup"),
            Example("spoolctl pause --queue heavy --note 'until the disk is replaced'", "one queue, with the reason"),
        ]
    ) { session throws(Failure) in
        let scope = try session.scope()
        let note = session.arguments.value("note") ?? ""
        guard note.utf8.count <= 4096 else { throw .invalid("--note: the note is longer than 4096 bytes") }
        try session.pause(scope, note: note)
        try session.remarkIfUnknown(scope)
        session.output.noteChange("paused \(scope.spoken())")
        if session.isJSON {
            session.printPause(scope) { $0.member("note", note) }
        } else if session.output.isTerminal, !session.isQuiet {
            session.output.line("paused \(scope.spoken())")
        }
        return ExitCode.done
    }
}

extension Session {
    /// Remarks that a paused queue is one that nothing uses: its name may be mistyped. The pause holds all the same.
    fileprivate func remarkIfUnknown(_ scope: PauseScope) throws(Failure) {
        guard case .queue(let name) = scope, !isQuiet else { return }
        let names = try queueNames()
        guard !names.contains(name) else { return }
        let hint = "spoolctl resume --queue \(name) removes the pause"
        complain("no queue \"\(name)\" is configured, and no task uses it; \(suggestion(for: name, among: names) ?? hint)")
    }
}
