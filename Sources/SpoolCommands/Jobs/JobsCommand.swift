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
            Columns, which are also keys for --sort: \(JobColumn.names.joined(separator: ", ")). took, cpu, memory and outcome are \
            computed from the others, which are the keys of status.json.
            """,
        ],
        options: JobFilter.options + [
            Option("columns", value: "LIST", "the columns, separated by commas"),
            Option("sort", value: "KEY", "sort by this column; with - before it, the largest first"),
            Option("limit", "n", value: "N", "only the newest N matching jobs, or with --sort the first N; 0 means all"),
            Option("count", "print only the number of matching jobs"),
        ],
        examples: [
            Example("spoolctl jobs --state failed --since 1d", "what failed since yesterday"),
            Example("spoolctl jobs --task backup --limit 1 --json", "the latest run of a task"),
            Example("spoolctl jobs --sort -took --limit 5 --columns id,took,memory", "the five longest runs"),
            Example("spoolctl jobs --reason timeout --since 7d --count", "how many ran into their timeout"),
            Example("spoolctl jobs -q --state new | xargs spoolctl cancel", "cancels all waiting jobs"),
        ]
    ) { session throws(Failure) in try JobList(session).run() }
}
