import Store

extension JobRecord {
    /// `exit 3`, `done`, `running`.
    var outcome: String { place.state.isTerminal ? status.brief : place.state.word }
    /// When the run began or, when it never did, when it was due.
    var ranAt: Instant { status.startedAt ?? status.due }

    /// Writes the members of the object `last_run` of `list --json`.
    func writeAsLastRun(_ writer: inout JSONWriter) {
        writer.member("id", status.id)
        writer.member("state", place.state.rawValue)
        writer.member("outcome", outcome)
        writer.member("reason", status.reason?.rawValue)
        writer.member("exit_code", status.exitCode)
        writer.member("due", status.due)
        writer.member("started_at", status.startedAt)
        writer.member("ended_at", status.endedAt)
        writer.key("took_s")
        if let took = status.ranMilliseconds, took >= 0 { writer.seconds(took) } else { writer.null() }
    }
}
