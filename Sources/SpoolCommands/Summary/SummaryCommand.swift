import Store

extension SpoolCommand {
    static let summary = SpoolCommand(
        "summary", "[--since TIME]", "say in a few lines what ran, what failed and what is due",
        details: [
            """
            The first lines count the jobs that have ended since TIME and name what is due next. Each further line is about something \
            that wants a person: a job that failed and has not succeeded since, with the last line of its errors; due times that were \
            missed; an overdue task; a definition that is refused; a calendar that cannot be used; a trouble of the daemon, or that \
            none runs.
            """,
            """
            The exit code is 1 when something wants a person, else 0. The text is the same on a terminal and in a pipe, so that it can be \
            mailed or shown at login; its times are local.
            """,
        ],
        options: [Option("since", value: "TIME", "an instant, or a time ago (default: 1d)")],
        examples: [
            Example("spoolctl summary", "the last day"),
            Example("spoolctl summary --since 8h || true", "at the end of a login script"),
            Example("spoolctl summary -q", "only the names of what wants a person"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        let since = try session.instant(session.arguments.value("since") ?? "1d", option: "since", as: .past)
        var summary = Summary(since: since)
        let code = try EverybodysSpool.each(session) { part throws(Failure) in try summary.take(part, isOwn: part === session) }
        SummaryReport(session, summary).write()
        return summary.items.contains(where: \.wantsPerson) ? ExitCode.failed : code
    }
}
