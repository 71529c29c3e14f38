import Store

extension SpoolCommand {
    static let wait = SpoolCommand(
        "wait", "ID… [options]", "wait for jobs to end and exit with their code",
        details: [
            "Exits with the job's own code, 128+n when signal n ended it, 124 for a timeout, 125 when it never ran. Of several jobs it is the first code in the order given that is not 0.",
            "With --progress a bar shows how far they have come, by what they say with spoolctl progress; in a pipe each change is a line of id, fraction and message.",
            "ctrl-C leaves the jobs to themselves, says how to cancel them, and exits with 130.",
        ],
        options: [
            Option("timeout", value: "TIME", "give up after so long, with code 124"),
            Option("any", "wait for the first of them only"),
            Option("all", "wait for all of them, as is done without it"),
            Option("progress", "show how far they have come"),
            Option.cancelOnInterrupt,
        ],
        examples: [
            Example("spoolctl wait \"$id\" && echo done", "the job's own exit code decides"),
            Example("spoolctl wait --progress \"$id\"", "with a bar"),
        ]
    ) { session throws(Failure) in
        let texts = try session.operands("a job's ID")
        let any = session.arguments.flag("any")
        if any, session.arguments.flag("all") { throw .usage("--any and --all: which of them?") }
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
    /// Prints what is known of each of these jobs now, as `status --json` does, one a line.
    fileprivate func printStatuses(of ids: [String]) throws(Failure) {
        var records = try records()
        for id in ids {
            // A record that was removed meanwhile has been complained of.
            guard let record = try reading({ () throws(JournalError) in try records.record(of: id) }) else { continue }
            output.line(String(decoding: record.json, as: UTF8.self).trimmed)
        }
    }
}
