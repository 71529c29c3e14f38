import Store

extension SpoolCommand {
    static let run = SpoolCommand(
        "run", "NAME [options]", "run a task now and print the job's id",
        details: ["The job runs in the same environment as a scheduled run. Options change single keys for this run."],
        options: [
            Option("wait", "w", "wait until the job has ended, show its output, and exit with its code"),
            Option.cancelOnInterrupt,
            Option("in", value: "TIME", "start after this time"),
        ] + JobOptions.optionsOfRun,
        mostUsed: ["wait", "in", "at", "payload", "set-env", "queue", "priority", "timeout", "tries", "mail"],
        examples: [
            Example("spoolctl run backup -w", "waits, and exits with the backup's code"),
            Example("spoolctl run report --payload '{\"day\": \"2026-11-20\"}'", "with other data for this run"),
        ]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME")
        let job = try JobOptions(session)
        let source = try TaskRun(session).source(of: name, job)
        return try session.finishSubmission(try session.submit(source, name: name), start: job.start, showing: .output)
    }
}
