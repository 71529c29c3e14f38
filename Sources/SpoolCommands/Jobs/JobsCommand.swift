import Store

extension SpoolCommand {
    static let jobs = SpoolCommand(
        "jobs", "[options]", "list jobs: waiting, running and ended",
        details: [
            """
            The list is sorted by id, and thereby by time; the newest job comes last. A terminal shows the newest 50 matching jobs, a \
            pipe gets all. A job must match every option.
            """,
            """
            On a terminal, JOB is the end of the id, which every command takes; TOOK of a waiting job is how long it has waited. Mails \
            and other follow-up jobs are counted below the table, and shown with --all, --task, --name and --schedule. A pipe gets them.
            """,
            """
            Columns, which are also keys for --sort: \(JobColumn.names.joined(separator: ", ")). took, cpu, memory and outcome are \
            computed from the others, which are the keys of status.json.
            """,
        ],
        options: JobFilter.options + [
            Option("all", "also show mails and other follow-up jobs in the table on a terminal"),
            Option("columns", value: "LIST", "the columns, separated by commas"),
            Option("sort", value: "KEY", "sort by this column; with - before it, the largest first"),
            Option("by", value: "KEY", "sums for each task (task), name or queue: runs, failures, total and longest time, CPU, memory"),
            Option("limit", "n", value: "N", "only the newest N matching jobs, or with --sort the first N; 0 means all"),
            Option("count", "print only the number of matching jobs"),
        ],
        examples: [
            Example("spoolctl jobs --state failed --since 1d", "what failed since yesterday"),
            Example("spoolctl jobs --task backup --limit 1 --json", "the latest run of a task"),
            Example("spoolctl jobs --sort -took --limit 5 --columns id,took,memory", "the five longest runs"),
            Example("spoolctl jobs --by task --since 7d --sort -cpu", "which tasks used most CPU time in a week"),
            Example("spoolctl jobs --reason timeout --since 7d --count", "how many ran into their timeout"),
            Example("spoolctl jobs -q --state new | xargs spoolctl cancel", "cancels all waiting jobs"),
        ]
    ) { session throws(Failure) in
        if let key = session.arguments.value("by") { return try JobList.writeTotals(session, by: key) }
        return try JobList(session).run()
    }
}
