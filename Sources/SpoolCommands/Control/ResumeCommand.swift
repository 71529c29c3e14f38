import Store

extension SpoolCommand {
    static let resume = SpoolCommand(
        "resume", "[NAME | --queue Q | --task NAME]", "end a pause",
        details: ["NAME is the task or the queue of that name that is paused."],
        options: pauseScopes,
        examples: [
            Example("spoolctl resume", "ends the pause of the whole spool; those of queues and tasks stay"),
            Example("spoolctl resume --queue heavy", "the queue's jobs start again"),
        ]
    ) { session throws(Failure) in
        let scope = try session.scope(mayBeGone: true)
        let wasPaused = try session.resume(scope)
        if wasPaused { session.output.noteChange("resumed \(scope.spoken())") }
        if !wasPaused {
            if case .task(let name) = scope { _ = try TaskCatalog(session, withSchedules: false).entry(name) }
            session.complain(scope == .all ? "Nothing is paused." : "\(scope.spoken()) is not paused")
        }
        if session.isJSON {
            session.printPause(scope) { $0.member("was_paused", wasPaused) }
        } else if wasPaused, session.output.isTerminal, !session.isQuiet {
            session.output.line("resumed \(scope.spoken())")
        }
        return ExitCode.done
    }
}
