import Store

extension SpoolCommand {
    static let pauseScopes = [
        Option("queue", "Q", value: "NAME", "only this queue"),
        Option("task", value: "NAME", "only this task"),
    ]

    static let pause = SpoolCommand(
        "pause", "[--queue Q | --task NAME] [--note TEXT]", "start no more jobs: of the spool, a queue or a task",
        details: [
            """
            Running jobs continue. The pause is a file in control/; its text is the note that status, list, why and top show. It stays \
            until spoolctl resume removes it, also across restarts.
            """,
        ],
        options: pauseScopes + [Option("note", value: "TEXT", "the reason, shown with the pause")],
        examples: [Example("spoolctl pause --queue heavy --note 'until the disk is replaced'", "one queue, with the reason")]
    ) { session throws(Failure) in
        let scope = try session.scope()
        let note = session.arguments.value("note") ?? ""
        guard note.utf8.count <= 4096 else { throw .invalid("--note: the note is longer than 4096 bytes") }
        try session.pause(scope, note: note)
        session.output.noteChange("paused \(scope.spoken())")
        if session.isJSON {
            session.printPause(scope) { $0.member("note", note) }
        } else if session.output.isTerminal, !session.isQuiet {
            session.output.line("paused \(scope.spoken())")
        }
        return ExitCode.done
    }
}
