import Store

extension SpoolCommand {
    static let health = SpoolCommand(
        "health", "", "say by the exit code if the daemon works",
        details: [
            """
            Exits with 0 when a daemon serves the spool and works; with 1 when it has reported that it cannot work, such as a full disk, \
            or has not taken a turn for a minute; with 3 when no daemon serves the spool. Prints nothing; spoolctl status says what is \
            wrong.
            """,
            "A daemon that has had nothing to do for a minute is asked for an answer.",
        ],
        options: [Option("timeout", value: "TIME", "the time that the daemon has for its answer (10s)")],
        examples: [
            Example("spoolctl health || spoolctl status", "for a monitoring program or a container's health check"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        let timeout = session.arguments.value("timeout")
        let patience = try timeout.map { text throws(Failure) in try session.milliseconds(text, option: "timeout") }
        do throws(Failure) {
            return try DaemonReport(session).health(patienceMilliseconds: patience ?? ControlRequest.patienceMilliseconds)
        } catch {
            // These codes say that nobody serves the spool, or that its disk is broken.
            guard error.code == ExitCode.notServed || error.code == ExitCode.failed else { throw error }
            return error.code
        }
    }
}
