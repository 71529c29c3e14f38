import Linux
import Store

extension SpoolCommand {
    static let top = SpoolCommand(
        "top", "", "watch the spool: what runs, waits, is due and has ended",
        details: [
            "Shows what runs with its progress, what waits and for what, when tasks are due next and what has ended last. A change in the spool is on the screen at once; while nothing moves, nothing is done. Needs no daemon.",
            "Keys: up, down, j, k select; Tab or 1 to 4 go to another list; Enter or l follows the job's output; c cancels, K kills, r retries; p pauses or resumes; s sorts; / filters by name, id or tag; ? helps; q or ctrl-C quits.",
            "When standard output is no terminal it prints what is so now, and ends: lines whose first field says what they are about, or with --json one object.",
        ],
        examples: [
            Example("spoolctl top", "until q is pressed"),
            Example("spoolctl top | grep ^waiting", "what waits now, and for what"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        let parts = try TopParts(session)
        // Without a screen, or a keyboard, it is shown once.
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
