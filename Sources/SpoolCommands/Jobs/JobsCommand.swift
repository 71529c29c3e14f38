import Store

extension SpoolCommand {
    static let jobs = SpoolCommand(
        "jobs", "[options]", "list jobs: waiting, running and ended",
        details: [
            "Sorted by id, which is by time, the newest last. On a terminal the newest 50 that match are shown, in a pipe all. Options combine: a job must match each.",
            "Columns, and keys to sort by: \(JobColumn.names.joined(separator: ", ")). took, cpu, memory and outcome follow from the others, which are those of status.json.",
        ],
        options: JobFilter.options + [
            Option("columns", value: "LIST", "what to show of each, separated by commas"),
            Option("sort", value: "KEY", "by this column, with - before it the largest first"),
            Option("limit", value: "N", "the newest N that match, or with --sort the first N; 0 is all"),
            Option("count", "say how many match, and nothing else"),
        ],
        examples: [
            Example("spoolctl jobs --state failed --since 1d", "what went wrong since yesterday"),
            Example("spoolctl jobs --task backup --limit 1 --json", "the latest run of a task"),
            Example("spoolctl jobs --sort -took --limit 5 --columns id,took,memory", "the five longest"),
            Example("spoolctl jobs --reason timeout --since 7d --count", "how many ran into their limit"),
            Example("spoolctl jobs -q --state new | xargs spoolctl cancel", "cancels all that waits"),
        ]
    ) { session throws(Failure) in try JobList(session).run() }
}
