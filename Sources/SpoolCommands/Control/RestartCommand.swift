import Documents
import Store

extension SpoolCommand {
    static let restart = SpoolCommand(
        "restart", "", "restart the daemon with its newly installed program",
        details: [
            """
            The daemon's process executes its program's file again with the same arguments and keeps the spool: running jobs continue, \
            no due time is lost, and no standby takes over. The daemon tries the new program first. If the program cannot be executed, \
            does not know the spool's format or finds the configuration invalid, the restart is refused and the old program continues. \
            The command returns when the new program serves the spool, and prints the old and the new version.
            """
        ],
        examples: [Example("spoolctl restart", "after installing new programs over the old ones")]
    ) { session throws(Failure) in
        try session.noOperands()
        guard let holder = try session.daemon() else { throw Failure(ExitCode.failed, "spoold is not running") }
        let before = try session.daemonTable()?.text("version")
        // The trial takes up to 30 seconds, and then the new program reads the journal. A user's daemon ends instead of restarting:
        // root's daemon starts another.
        let answer = try ControlRequest(session).make(patienceMilliseconds: 120_000, isComing: session.owner != nil) {
            $0.member("do", "restart")
        }
        guard let answer else { throw Failure(ExitCode.failed, "spoold ended before it answered; see its log") }
        guard answer.code == 0 else { throw Failure(answer.code, "not restarted: \(answer.message)") }
        session.output.noteChange("restarted spoold: version \(answer.message)")
        let pid = try session.daemon()?.pid ?? holder.pid
        if session.isJSON {
            try session.output.jsonObject { writer throws(Failure) in
                writer.member("pid", Int(pid))
                writer.member("old_version", before)
                writer.member("version", answer.message)
                writer.member("started_at", try session.daemonTable()?.instant("started_at"))
            }
        } else if !session.isQuiet {
            session.output.line("restarted spoold, pid \(pid): version \(answer.message), before \(before ?? "?")")
        }
        return ExitCode.done
    }
}
