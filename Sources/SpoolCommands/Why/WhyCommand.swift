import Store

extension SpoolCommand {
    static let why = SpoolCommand(
        "why", "ID | NAME | NAME@TIME", "explain why a job waits or failed, or what became of a task's due times",
        details: [
            """
            For a job: what it waits for, since when it runs, or how it ended. For a task: what became of its latest due times, when it \
            is due next, and what prevents it from running.
            """,
            """
            For NAME@TIME: what became of the task's due time nearest to TIME, within a day. TIME is any instant; \"02:30\" is the \
            latest 02:30, and \"2h\" is two hours ago. A TIME without a zone is in your own.
            """,
            """
            The answer comes from the directories and the journal, which goes back as far as records are kept. No daemon is needed. Exit \
            code 3 means that there is no such job, task or due time.
            """,
        ],
        options: [
            Option("count", "n", value: "N", "how many past and coming due times of a task to show (5)"),
            Option("timezone", value: "ZONE", "the zone of TIME, such as that of the task's schedule (default: your own)"),
        ],
        examples: [
            Example("spoolctl why backup@02:30", "what became of last night's run"),
            Example("spoolctl why \"backup@yesterday 02:30\"", "and of the run the night before"),
            Example("spoolctl why k3f9ab", "a job, by the end of its id"),
        ]
    ) { session throws(Failure) in
        let words = session.arguments.operands
        // A TIME with a blank may be given without quotes.
        let text = words.first?.contains("@") == true ? words.joined(separator: " ") : try session.operand("an ID, a NAME or NAME@TIME")
        // `@2` is a job.
        if let at = text.firstIndex(of: "@"), at != text.startIndex {
            let time = String(text[text.index(after: at)...])
            return try WhyTask(session, String(text[..<at]), around: time).printDue(at: time)
        }
        let isTask = Name.isValid(text) ? try WhyTask.isKnown(session, text) : false
        if isTask { return try WhyTask(session, text).printTask() }
        var records = try session.records()
        if let meant = try session.findJob(text, &records) {
            // The name of a task that is gone means the task, not its newest job.
            let isTaskGone = meant.record.status.task == text ? try WhyTask.wasKnown(session, text) : false
            if !isTaskGone { return try WhyJob(session, session.say(meant), &records).print() }
        }
        if let code = try WhyJob.printGone(session, text) { return code }
        if Name.isValid(text), try WhyTask.wasKnown(session, text) { return try WhyTask(session, text).printTask() }
        throw .notFound("there is no job and no task \"\(text)\" in \(session.spoolPath)")
    }
}
