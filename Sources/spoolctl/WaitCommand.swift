import Store

extension Command {
    static let wait = Command(
        "wait", "ID… [--timeout TIME] [--any]", "wait for jobs to end and exit with their code",
        details: [
            "Exits with the job's own code, 128+n when signal n ended it, 124 for a timeout, 125 when it never ran. Of several jobs it is the first code in the order given that is not 0."
        ],
        options: [
            Option("timeout", value: "TIME", "give up after so long, with code 124"),
            Option("any", "wait for the first of them only"),
        ],
        examples: [Example("spoolctl wait \"$id\" && echo done", "the job's own exit code decides")]
    ) { session throws(Failure) in
        let texts = try session.operands("a job's ID")
        var records = try session.records()
        var ids: [String] = []
        for text in texts { ids.append(try session.job(text, &records).place.id) }
        var timeout: Int64?
        if let text = session.arguments.value("timeout") { timeout = try session.milliseconds(text, option: "timeout") }
        var wait = try JobWait(session, records)
        return try wait.run(ids, timeoutMilliseconds: timeout, any: session.arguments.flag("any"))
    }
}
