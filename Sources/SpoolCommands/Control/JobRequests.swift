import Store

/// A request of one call of spoolctl about jobs: asks the daemon, prints a line for each job, and keeps the exit code.
struct JobRequests {
    private let session: Session
    /// The text for a job when the answer has no message.
    private let pastTense: String
    /// True when filters chose the jobs, rather than operands.
    private var isChosen = false
    /// The number of jobs that were changed, or with --dry-run would be.
    private(set) var changedCount = 0
    /// The exit code of the first failure.
    private(set) var code = ExitCode.done

    init(_ session: Session, pastTense: String) {
        self.session = session
        self.pastTense = pastTense
    }

    /// The waiting and running jobs among these operands, each once. The others are reported on standard error.
    mutating func open(_ texts: [String], preferring states: [JobState]) throws(Failure) -> [JobRecord] {
        var open: [JobRecord] = []
        var seen = Set<String>()
        var records = try session.records()
        for text in texts {
            let record: JobRecord
            do throws(Failure) { record = try session.job(text, &records, preferring: states) } catch {
                for line in error.lines { fail(error.code, line) }
                continue
            }
            if isOpen(record), seen.insert(record.status.id).inserted { open.append(record) }
        }
        return open
    }

    /// True when the daemon can be asked about the job. Otherwise reports why not.
    private mutating func isOpen(_ record: JobRecord) -> Bool {
        guard let why = session.refusal(ofRequestFor: record) else { return true }
        fail(ExitCode.failed, why)
        return false
    }

    /// Asks for the same change of all selected jobs, in each part of the spool. Returns the exit code.
    static func ask(
        _ session: Session, _ selection: JobSelection, pastTense: String, _ write: @escaping (inout JSONWriter) -> Void
    ) throws(Failure) -> Int32 {
        guard selection.filter != nil else {
            var requests = JobRequests(session, pastTense: pastTense)
            let jobs = try requests.open(session.arguments.operands, preferring: selection.usualStates)
            try requests.ask(for: jobs, isDry: selection.isDry, write)
            return requests.code
        }
        var code = ExitCode.done
        var count = 0
        let choose = { (part: Session) throws(Failure) -> [JobRecord] in
            var requests = JobRequests(part, pastTense: pastTense)
            let jobs = try selection.matches(in: part).filter { requests.isOpen($0) }
            if code == ExitCode.done { code = requests.code }
            return jobs
        }
        let failure = try selection.act(session, session.command.name, on: choose) { part, jobs throws(Failure) in
            var requests = JobRequests(part, pastTense: pastTense)
            requests.isChosen = true
            try requests.ask(for: jobs, isDry: selection.isDry, write)
            count += requests.changedCount
            if code == ExitCode.done { code = requests.code }
        }
        if failure == ExitCode.done, code == ExitCode.done || count > 0 { selection.summarize(session, count, pastTense) }
        return code == ExitCode.done ? failure : code
    }

    /// Asks for the same change of all these jobs, which the daemon makes in one turn. `write` writes the request's members.
    mutating func ask(for records: [JobRecord], isDry: Bool = false, _ write: (inout JSONWriter) -> Void) throws(Failure) {
        guard !records.isEmpty else { return }
        if isDry {
            for record in records { printAnswer(record.status.id, ExitCode.done, "would be \(pastTense)") }
            return
        }
        // Waiting jobs come first: with several requests, none of them starts because an earlier request has ended a running job.
        let ids = (records.filter { $0.place.state != .running } + records.filter { $0.place.state == .running }).map(\.status.id)
        guard let answers = try ControlRequest(session).make(for: ids, write) else {
            session.complain("spoold is not running on \(session.spoolPath); it carries out the request when it starts")
            return
        }
        for record in records {
            guard let answer = answers[record.status.id] else { continue }
            // The job has ended since the filters chose it, so they no longer match it.
            if isChosen, answer.code == ExitCode.notFound { continue }
            // A person reads the time by their own clock.
            let until = session.output.isTerminal && !session.isJSON ? answer.until : nil
            printAnswer(record.status.id, answer.code, until.map { "may run until \(session.spoken($0))" } ?? answer.message)
        }
    }

    /// Prints the answer for a job.
    mutating func printAnswer(_ id: String, _ answer: Int32, _ message: String) {
        let id = session.qualified(id)
        if answer != 0 { return fail(answer, "\(id): \(message)") }
        changedCount += 1
        session.output.noteChange("\(id): \(message.isEmpty ? "done" : message)")
        if session.isQuiet {
            session.output.line(id)
        } else if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("id", id)
                writer.member("message", message)
            }
        } else {
            session.output.line("\(id): \(message.isEmpty ? pastTense : message)")
        }
    }

    private mutating func fail(_ failure: Int32, _ line: String) {
        session.complain(line)
        if code == ExitCode.done { code = failure }
    }
}

extension Session {
    /// Why the daemon cannot be asked to do something with a job; nil when it can.
    func refusal(ofRequestFor record: JobRecord) -> String? {
        let id = qualified(record.status.id)
        if record.place.state.isTerminal { return "\(id) has already ended: \(record.status.brief)" }
        if JobID(record.status.id) != nil { return nil }
        return "\(id) has not been taken up; remove \(spoolPath)/\(record.place.path) to withdraw it"
    }
}
