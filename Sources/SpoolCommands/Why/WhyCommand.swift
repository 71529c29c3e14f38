import Store

extension SpoolCommand {
    static let why = SpoolCommand(
        "why", "ID | NAME | NAME@TIME", "say why a job waits or failed, or what became of a task's due times",
        details: [
            "Of a job: what holds it, since when it runs, or how it ended. Of a task: what became of its last due times, when it is due next, and what stands in the way.",
            "Of a task at a TIME: what became of the due time nearest to it, within a day. TIME is any instant; \"02:30\" is the last time it was that late, and \"2h\" is two hours ago. Wall times are those of the task's schedule.",
            "It reads the tree and the journal, which goes back as far as records are kept, and needs no daemon. Exit code 3: there is no such job, task or due time.",
        ],
        options: [
            Option("count", "n", value: "N", "how many of a task's due times, past and coming (5)"),
            Option("timezone", value: "ZONE", "the zone of TIME, instead of the schedule's"),
        ],
        examples: [
            Example("spoolctl why backup@02:30", "it did not run last night"),
            Example("spoolctl why \"backup@yesterday 02:30\"", "nor the night before"),
            Example("spoolctl why k3f9ab", "what a job waits for, or how it ended"),
        ]
    ) { session throws(Failure) in
        let words = session.arguments.operands
        // A time with a blank, without quotes.
        let text = words.first?.contains("@") == true ? words.joined(separator: " ") : try session.operand("an ID, a NAME or NAME@TIME")
        if let at = text.firstIndex(of: "@") {
            let time = String(text[text.index(after: at)...])
            return try WhyTask(session, String(text[..<at]), around: time).printDue(at: time)
        }
        let isTask = Name.isValid(text) ? try WhyTask.isKnown(session, text) : false
        if isTask { return try WhyTask(session, text).printTask() }
        var records = try session.records()
        do throws(Failure) {
            return try WhyJob(session, try session.job(text, &records), &records).print()
        } catch {
            guard error.code == ExitCode.notFound else { throw error }
            if let code = try WhyJob.printGone(session, text) { return code }
            if Name.isValid(text), try WhyTask.wasKnown(session, text) { return try WhyTask(session, text).printTask() }
            throw error.lines.first?.contains("several") == true ? error : .notFound("there is no job and no task \"\(text)\" in \(session.spoolPath)")
        }
    }
}
