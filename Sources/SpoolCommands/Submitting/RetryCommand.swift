import Glibc
import Store

extension SpoolCommand {
    static let retry = SpoolCommand(
        "retry", "ID… | [filters] [-w] [--with-dependents]", "run ended jobs again, as new jobs, and print their ids",
        details: [
            """
            The new job has the same file, and retry_of links it to the old job, whose record stays. Jobs that start after the old job \
            wait for the new one: an id in after means the newest retry.
            """,
            """
            The filters are those of spoolctl jobs, and match failed jobs unless --state done is given. Jobs that were retried already \
            are left out. So are canceled and replaced jobs, unless --reason names that reason.
            """,
        ],
        options: [
            Option("failed", "all failed jobs that the other filters match"),
            Option("with-dependents", "also the jobs that failed with dependency because of these"),
            Option("wait", "w", "wait until the jobs have ended, and exit with their code"), Option.cancelOnInterrupt,
        ] + JobSelection.options,
        examples: [
            Example("spoolctl retry --failed --since 1d", "everything that failed since yesterday and was not retried"),
            Example("spoolctl retry --with-dependents \"$id\"", "a job, and the jobs that failed because of it"),
        ]
    ) { session throws(Failure) in
        let selection = try JobSelection(session, states: [.done, .failed], usually: [.failed], flag: "failed")
        var retry = RetryRun(session, selection)
        return try retry.run()
    }
}

/// One call of `retry`.
private struct RetryRun {
    private let session: Session
    private let selection: JobSelection
    private var code = ExitCode.done
    private var retried: [(part: Session, ids: [JobID])] = []
    private var count = 0
    private var superseded = 0
    private var canceled = 0

    init(_ session: Session, _ selection: JobSelection) {
        self.session = session
        self.selection = selection
    }

    mutating func run() throws(Failure) -> Int32 {
        if let filter = selection.filter {
            let choose = { (part: Session) throws(Failure) -> [JobRecord] in
                var plan = RetryPlan(part, try selection.matches(in: part))
                try plan.leaveOut(filter)
                superseded += plan.superseded
                canceled += plan.canceled
                return try chosen(plan)
            }
            let failure = try selection.act(session, "retry", on: choose) { part, records throws(Failure) in try retry(records, part) }
            if code == ExitCode.done, failure != ExitCode.done { code = session.output.ownFailure ?? failure }
            if failure == ExitCode.done || count > 0 { summarize() }
        } else {
            var chosen: [JobRecord] = []
            var records = try session.records()
            for text in session.arguments.operands {
                do throws(Failure) { chosen.append(try session.job(text, &records)) } catch { complain(error) }
            }
            try retry(self.chosen(RetryPlan(session, chosen)), session)
        }
        guard !selection.isDry else { return code }
        guard session.arguments.flag("wait") else {
            if count > 0 { try session.remarkIfNotServed() }
            return code
        }
        for (part, ids) in retried {
            let waited = try part.asOwner { () throws(Failure) in try part.wait(for: ids) }
            if code == ExitCode.done { code = waited }
        }
        return code
    }

    /// The records of a plan, with their dependents where these are asked for.
    private func chosen(_ plan: RetryPlan) throws(Failure) -> [JobRecord] {
        var plan = plan
        if session.arguments.flag("with-dependents") { try plan.addDependents() }
        return plan.records
    }

    /// Runs records again, the oldest first, and prints the new ids.
    private mutating func retry(_ records: [JobRecord], _ part: Session) throws(Failure) {
        guard !records.isEmpty else { return }
        if selection.isDry {
            for record in records { session.printID(part.qualified(record.place.id)) }
            count += records.count
            return
        }
        let fs = try part.openSpoolForWriting()
        var drop = JobDrop(fs)
        var ids: [JobID] = []
        for record in records {
            do throws(Failure) {
                let id = try part.retry(record, fs, &drop)
                ids.append(id)
                session.output.noteChange("queued as \(part.qualified(id.text))")
                session.printID(part.qualified(id.text))
            } catch { complain(error) }
        }
        session.output.flush()
        count += ids.count
        retried.append((part, ids))
    }

    private mutating func complain(_ failure: Failure) {
        for line in failure.lines { session.complain(line) }
        if code == ExitCode.done { code = session.output.ownFailure ?? failure.code }
    }

    /// Reports how many jobs the filters selected.
    private func summarize() {
        guard !session.isQuiet, !session.isJSON else { return }
        var left: [String] = []
        if superseded > 0 { left.append("\(superseded) that \(superseded == 1 ? "has" : "have") been retried") }
        if canceled > 0 { left.append("\(canceled) that \(canceled == 1 ? "was" : "were") canceled or replaced") }
        let rest = left.isEmpty ? "" : "; left out \(left.joined(separator: " and "))"
        if count == 0, code == ExitCode.done { return session.complain("no job to retry matches the filters\(rest)") }
        session.complain("\(selection.isDry ? "would retry" : "retried") \(count) job\(count == 1 ? "" : "s")\(rest)")
    }

}
