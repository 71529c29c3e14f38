import Linux
import Store

extension SpoolCommand {
    static let journal = SpoolCommand(
        "journal", "[-f] [options]", "print the journal: every decision, oldest first",
        details: [
            """
            Prints the daemon's decisions with their times: accepted, started, ended, skipped and why. Damage is reported with file and \
            line, after the records before it. The texts of definitions are printed only with --json. In a shared spool root sees the \
            journals of all users; --id USER/ID and --task USER/NAME select one user.
            """,
        ],
        options: [
            Option("follow", "f", "follow the journal"),
            Option("since", value: "TIME", "only records since TIME, such as 2h, yesterday or monday 09:00"),
            Option("id", value: "ID", "only records of this job").ofUsers,
            Option("task", value: "NAME", "only records of this task and its jobs").ofUsers,
        ],
        examples: [
            Example("spoolctl journal --task backup --since 1d", "what became of the task's due times"),
            Example("spoolctl journal -f --json | jq .kind", "prints the kind of each decision as it is made"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        return try JournalView(session).run()
    }
}
