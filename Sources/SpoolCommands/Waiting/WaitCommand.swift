import Store

extension SpoolCommand {
    static let wait = SpoolCommand(
        "wait", "ID… [options]", "wait for jobs to end and exit with their code",
        details: [
            """
            Exits with the job's own code; 128+n when signal n ended the job, 124 after a timeout, 125 when the job never ran. For \
            several jobs, exits with the first code that is not 0, in the order given.
            """,
            """
            With --progress a bar shows the progress that the jobs report with spoolctl progress. In a pipe each change is a line with \
            id, fraction and message.
            """,
            "ctrl-C leaves the jobs running, prints how to cancel them, and exits with 130.",
        ],
        options: [
            Option("timeout", value: "TIME", "stop waiting after TIME, and exit with 124"),
            Option("any", "wait only for the first job that ends"),
            Option("all", "wait for all jobs (the default)"),
            Option("progress", "show the jobs' progress"),
            Option.cancelOnInterrupt,
        ],
        examples: [
            Example("spoolctl wait \"$id\" && echo done", "runs echo when the job has succeeded"),
            Example("spoolctl wait --progress \"$id\"", "shows a bar"),
        ]
    ) { session throws(Failure) in
        let texts = try session.operands("a job's ID")
        let any = session.arguments.flag("any")
        if any, session.arguments.flag("all") { throw .usage("--any and --all exclude each other; give one") }
        var records = try session.records()
        var ids: [String] = []
        for text in texts { ids.append(try session.job(text, &records).place.id) }
        var timeout: Int64?
        if let text = session.arguments.value("timeout") { timeout = try session.milliseconds(text, option: "timeout") }
        var wait = try JobWait(session, records, showing: session.arguments.flag("progress") ? .progress : .nothing)
        let code = try wait.run(ids, timeoutMilliseconds: timeout, any: any)
        if session.isJSON { try session.printStatuses(of: ids) }
        return code
    }
}

extension Session {
    /// Prints the status of each of these jobs, as `status --json` does, one a line.
    fileprivate func printStatuses(of ids: [String]) throws(Failure) {
        var records = try records()
        for id in ids {
            // A record that was removed meanwhile has been reported.
            guard let record = try reading({ () throws(JournalError) in try records.record(of: id) }) else { continue }
            output.line(String(decoding: record.json, as: UTF8.self).trimmed)
        }
    }
}
