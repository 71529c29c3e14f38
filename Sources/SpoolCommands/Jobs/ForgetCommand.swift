import Linux
import Store

extension SpoolCommand {
    static let forget = SpoolCommand(
        "forget", "ID… | filters", "remove the records of ended jobs",
        details: [
            """
            A record is the job's directory in done/ or failed/, with its output. The command removes it as rm -r does, and at once; \
            spoolctl prune removes old ones. Jobs that wait or run have no record yet: cancel them first.
            """,
            "The filters are those of spoolctl jobs. They match ended jobs of both states unless --state names one of these.",
        ],
        options: JobSelection.options,
        examples: [
            Example("spoolctl forget \"$id\"", "one record"),
            Example("spoolctl forget --task report --state failed", "the failed runs of a task"),
            Example("spoolctl forget --tag trial --dry-run", "prints the ids of the records that would be removed"),
        ]
    ) { session throws(Failure) in
        let selection = try JobSelection(session, states: [.done, .failed], usually: [.done, .failed])
        var run = ForgetRun(session, selection)
        return try run.run()
    }
}

/// One call of `forget`.
private struct ForgetRun {
    private let session: Session
    private let selection: JobSelection
    private var code = ExitCode.done
    private var count = 0

    init(_ session: Session, _ selection: JobSelection) {
        self.session = session
        self.selection = selection
    }

    mutating func run() throws(Failure) -> Int32 {
        guard selection.filter == nil else {
            let failure = try selection.act(session, "forget", on: { part throws(Failure) in try selection.matches(in: part) }) {
                part, records throws(Failure) in
                try forget(records, part)
            }
            if failure == ExitCode.done || count > 0 { selection.summarize(session, count, "forgotten") }
            return code == ExitCode.done ? failure : code
        }
        var chosen: [JobRecord] = []
        var records = try session.records()
        for word in session.arguments.operands {
            do throws(Failure) {
                let record = try session.job(word, &records, preferring: selection.usualStates)
                guard record.place.state.isTerminal else {
                    let id = session.qualified(record.place.id)
                    throw Failure(ExitCode.failed, "\(id) has no record yet: it is \(record.place.state.word); spoolctl cancel ends it")
                }
                if !chosen.contains(where: { $0.place.id == record.place.id }) { chosen.append(record) }
            } catch {
                for line in error.lines { session.complain(line) }
                if code == ExitCode.done { code = error.code }
            }
        }
        try forget(chosen, session)
        return code
    }

    /// Removes records of one part of the spool, and prints a line for each.
    private mutating func forget(_ records: [JobRecord], _ part: Session) throws(Failure) {
        guard !records.isEmpty else { return }
        let fs = try part.openSpoolForWriting()
        for record in records {
            let id = part.qualified(record.place.id)
            if !selection.isDry {
                guard try attempt({ () throws(SystemError) in try fs.removeRecord(at: record.place) }) else { continue }
                session.output.noteChange("forgot \(id)")
            }
            count += 1
            if session.isQuiet {
                session.output.line(id)
            } else if session.isJSON {
                session.output.jsonObject { writer in
                    writer.member("id", id)
                    writer.member("message", selection.isDry ? "would be forgotten" : "forgotten")
                }
            } else {
                session.output.line("\(id): \(selection.isDry ? "would be forgotten" : "forgotten")")
            }
        }
    }
}
