import Documents
import Store

extension SpoolCommand {
    static let restart = SpoolCommand(
        "restart", "", "let the daemon become its newly installed program",
        details: [
            "The same process starts the file anew by which it was started, with the same arguments, and keeps the spool meanwhile: jobs that run go on, no due time is lost, and no standby takes over. The new program is tried first. One that cannot be executed, does not know the spool's format or finds the configuration invalid is refused, and the old one goes on. Comes back when the new one serves the spool, and prints the old and the new version."
        ],
        examples: [Example("spoolctl restart", "after new programs were installed over the old ones")]
    ) { session throws(Failure) in
        try session.noOperands()
        guard let holder = try session.daemon() else { throw Failure(ExitCode.failed, "spoold is not running") }
        let before = try session.daemonTable()?.text("version")
        // The trial has ten seconds, and reading a large journal takes its time.
        // A user's daemon ends for it, and root's starts another.
        let answer = try ControlRequest(session).make(patienceMilliseconds: 120_000, isComing: session.owner != nil) { $0.member("do", "restart") }
        guard let answer else { throw Failure(ExitCode.failed, "spoold has ended meanwhile") }
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
