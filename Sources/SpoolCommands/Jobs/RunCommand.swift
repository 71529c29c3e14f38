import Store

extension SpoolCommand {
    static let run = SpoolCommand(
        "run", "NAME [options]", "run a task now and print the job's id",
        details: ["The job runs in exactly the environment of a scheduled run. Options change single keys for this run."],
        options: [
            Option("wait", "w", "wait for its end, show its output, exit with its code"),
            Option.cancelOnInterrupt,
            Option("in", value: "TIME", "start so much later"),
        ] + JobOptions.optionsOfRun,
        examples: [
            Example("spoolctl run backup -w", "waits, and exits as the backup does"),
            Example("spoolctl run report --payload '{\"day\": \"2026-11-20\"}'", "with other data"),
        ]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME")
        let source = try TaskRun(session).source(of: name, try JobOptions(session))
        return try session.finishSubmission(try session.submit(source, name: name), showing: .output)
    }
}
