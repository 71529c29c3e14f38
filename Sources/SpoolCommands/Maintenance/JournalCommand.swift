import Linux
import Store

extension SpoolCommand {
    static let journal = SpoolCommand(
        "journal", "[-f] [options]", "print the journal: every decision, oldest first",
        details: [
            "What the daemon decided and when: accepted, started, ended, skipped and why. Damage is said with file and line, after what is before it. The texts of definitions are left out but with --json. In a spool for everybody root sees everybody's, of which --id and --task name one USER/….",
        ],
        options: [
            Option("follow", "f", "go on as decisions are made"),
            Option("since", value: "TIME", "only records since: an instant, or a duration ago"),
            Option("id", value: "ID", "only those of this job"),
            Option("task", value: "NAME", "only those of this task and its jobs"),
        ],
        examples: [
            Example("spoolctl journal --task backup --since 1d", "what became of its due times"),
            Example("spoolctl journal -f --json | jq .kind", "as it happens"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        return try JournalView(session).run()
    }
}
