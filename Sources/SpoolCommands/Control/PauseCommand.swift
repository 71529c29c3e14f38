import Store

extension SpoolCommand {
    static let pauseScopes = [
        Option("queue", "Q", value: "NAME", "one queue"),
        Option("task", value: "NAME", "one task"),
    ]

    static let pause = SpoolCommand(
        "pause", "[--queue Q | --task NAME] [--note TEXT]", "start no more jobs, of all, a queue or a task",
        details: ["What runs goes on. The pause is a file in control/ whose text is the note that everything shows; it holds until resume removes it, also over restarts."],
        options: pauseScopes + [Option("note", value: "TEXT", "why, for those who look")],
        examples: [Example("spoolctl pause --queue heavy --note 'until the disk is replaced'", "one queue, with the reason")]
    ) { session throws(Failure) in
        let scope = try session.scope()
        let note = session.arguments.value("note") ?? ""
        guard note.utf8.count <= 4096 else { throw .invalid("--note: is longer than 4096 bytes") }
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
