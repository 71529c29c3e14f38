import Linux
import Store

extension SpoolCommand {
    static let top = SpoolCommand(
        "top", "", "watch the spool: running, waiting, due and ended jobs",
        details: [
            """
            Shows running jobs with their progress, waiting jobs with the reason, the next due times of tasks, and the latest ended \
            jobs. A change in the spool is shown at once; without changes, the command uses no processor time. No daemon is needed.
            """,
            """
            Keys: up, down, j, k select; Tab or 1 to 4 switch the list; Enter or l follows the job's output; c cancels, K kills, r \
            retries; p pauses or resumes; s sorts; / filters by name, id or tag; ? shows help; q or ctrl-C quits.
            """,
            """
            When standard output is not a terminal, prints the present state once: lines whose first field is their kind, or with --json \
            one object.
            """,
        ],
        examples: [
            Example("spoolctl top", "runs until q is pressed"),
            Example("spoolctl top | grep ^waiting", "waiting jobs, and what they wait for"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        let parts = try TopParts(session)
        // Without a screen or a keyboard, the state is printed once.
        guard !session.isJSON, !session.isQuiet, session.output.canRewrite, let keyboard = Keyboard.open() else {
            try parts.refresh()
            while parts.isBehind { try parts.refresh() }
            TopReport(session, parts.snapshot).write()
            for why in parts.snapshot.unreadable { session.complain(why) }
            return parts.snapshot.unreadable.isEmpty ? ExitCode.done : ExitCode.failed
        }
        return try TopLoop(session, parts, keyboard).run()
    }
}
