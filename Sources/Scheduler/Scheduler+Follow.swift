// The follow-ups of a job: `on_start`, `on_slow`, `on_success`, `on_failure`, `on_end`, `on_recovery`, `mail`.
//
// Invariants:
// - The end of a job owes its follow-ups. Each is accepted in the turn of that end, with an id computed from the job and the key.
//   If the journal is cut between the end and a follow-up, the end still shows what is owed, and the next turn accepts it. The same
//   holds for `on_start` and `on_slow`, which a record of their own owes: see Scheduler+Notices.swift.
// - Only the end of a job's last try has follow-ups, and a chain of follow-ups has at most `depthMax` steps.
// - A fault that kept the job from running must not prevent its alarm: a command uses replacements when the job's directory,
//   `env_file`, shell or user is missing.
// - A follow-up that cannot be made becomes a job that has failed as `rejected`, with the reason.

/// A follow-up that has not been accepted yet.
struct Debt {
    let id: JobID
    let name: String
    let parent: Job
    let followUp: FollowUp
    let at: Instant
}

extension Scheduler {
    /// The maximum number of steps in a chain of follow-ups.
    public static let depthMax = 16

    /// Handles the end of a job.
    func owe(_ job: Job, _ end: FollowUp.End, hasOutput: Bool) {
        for followUp in job.definition.followUps where followUp.follows(end, hasOutput: hasOutput) {
            owe(followUp, of: job, at: job.changedAt)
        }
    }

    func owe(_ followUp: FollowUp, of job: Job, at instant: Instant) {
        let name = name(of: followUp, after: job.name)
        let id = JobID(instant: instant, name: name, unique: stableHash("\(job.id)\u{0}\(followUp.key)"))
        agenda.owed.append(Debt(id: id, name: name, parent: job, followUp: followUp, at: instant))
    }

    private func name(of followUp: FollowUp, after name: String) -> String {
        if case .task(let task) = followUp.action { return task }
        // 48 characters and the longest key fit into a name.
        return Name.sanitized("\(String(decoding: name.utf8.prefix(48), as: UTF8.self)).\(followUp.key)")
    }

    /// Accepts the follow-ups that are owed.
    func payDebts(at now: Instant) {
        let all = agenda.owed
        agenda.owed.removeAll()
        for debt in all where jobs[debt.id] == nil {
            // A worker may have recorded the end by a clock that has been set back since.
            var job = AcceptedJob(
                id: debt.id, name: debt.name, due: debt.at, createdAt: now, notBefore: min(debt.at, now),
                source: Source(format: .json, bytes: []), definition: .unusable)
            job.parent = debt.parent.id
            job.depth = debt.parent.depth + 1
            let parent = debt.parent
            start(&job, debt.followUp, of: "\(parent.id)", variables: variables(of: parent), payload: payload(of: parent), parent, at: now)
        }
    }

    /// Handles a task that has not succeeded in time.
    func followOverdue(_ followUp: FollowUp, of task: String, since: Instant, at now: Instant) {
        let name = name(of: followUp, after: task)
        let id = JobID(instant: now, name: name, unique: stableHash("\(task)\u{0}\(followUp.key)\u{0}\(since.milliseconds)"))
        guard jobs[id] == nil else { return }
        var job = AcceptedJob(
            id: id, name: name, due: now, createdAt: now, notBefore: now, source: Source(format: .json, bytes: []),
            definition: .unusable)
        job.overdueTask = task
        var payload = Table()
        payload.set("task", Value(.string(task)))
        payload.set("since", Value(.string(since.rfc3339)))
        start(
            &job, followUp, of: task, variables: [("SPOOL_OVERDUE_TASK", task), ("SPOOL_OVERDUE_SINCE", since.rfc3339)], payload: payload,
            nil, at: now)
    }

    // MARK: Making a follow-up

    private func start(
        _ job: inout AcceptedJob, _ followUp: FollowUp, of what: String, variables: [(String, String)], payload: Table, _ parent: Job?,
        at now: Instant
    ) {
        if job.depth > Self.depthMax {
            let why = "it would be follow-up \(job.depth) in a row; at most \(Self.depthMax) are started"
            return reject(&job, "\(followUp.key) of \(what): \(why)", at: now)
        }
        do throws(Problems) {
            var table = try keys(of: followUp, what, parent, at: now)
            var environment = Table()
            if case .table(let given)? = table["env"]?.kind { environment = given }
            for (name, value) in variables { environment.set(name, Value(.string(value.filter { $0 != "\u{0}" }))) }
            table.set("env", Value(.table(environment)))
            // A task that reads its input from a file has no room for the payload.
            if case .mail = followUp.action {} else if table["stdin"] == nil { table.set("payload", Value(.table(payload))) }
            let definition = try JobDefinition.read(table, context(now))
            job.source = Source(format: .json, bytes: Array(JSON.write(Value(.table(table)), pretty: true).utf8))
            job.definition = definition
            job.notBefore = max(job.notBefore, definition.start ?? job.notBefore)
            if case .task(let task) = followUp.action { job.task = task }
        } catch {
            return reject(&job, "\(followUp.key) of \(what): \(error)", at: now)
        }
        accept(job, OnRecord(), at: now)
    }

    private func keys(of followUp: FollowUp, _ what: String, _ parent: Job?, at now: Instant) throws(Problems) -> Table {
        if case .task(let name) = followUp.action {
            guard let definition = tasks[name]?.definition else {
                throw Problems(DocumentError(position: Position(line: 1, column: 1), message: "there is no task \"\(name)\"", hint: nil))
            }
            return try definition.jobTable(settings.taskDefaults)
        }
        var table = Table()
        table.set("description", Value(.string("\(followUp.key) of \(what)")))
        switch followUp.action {
        case .line(let line): table.set("command", Value(.string(line)))
        case .arguments(let words): table.set("command", Value(.array(words.map { Value(.string($0)) })))
        case .mail(let mail):
            if let parent { table.set("script", Value(.string(script(of: mail, about: parent)))) }
            table.set("tries", Value(.integer(4)))
            table.set("timeout", Value(.string("5m")))
            table.set("backoff", Value(.string("5m")))
        case .task: break
        }
        let own: Table? = if let parent { try parent.source.table() } else { try tasks[what]?.definition?.jobTable() }
        // It runs in the job's directory, and as the user who wrote the files that it reads.
        let isMail = if case .mail = followUp.action { true } else { false }
        let inherited = ["user", "group"] + (isMail ? [] : ["directory", "env", "env_file", "shell", "umask"])
        for key in inherited {
            if let value = own?[key] { table.set(key, value) }
        }
        table.set("fallback", Value(.boolean(true)))
        return table
    }

    private func script(of mail: Mail, about job: Job) -> String {
        switch mail.form {
        case .report: MailScript(job, mail, host: settings.host, command: settings.mailCommand).text
        case .cron: CronMailScript(job, mail, host: settings.host, command: settings.mailCommand).text
        case .at: AtMailScript(job, mail, command: settings.mailCommand).text
        }
    }

    private func reject(_ job: inout AcceptedJob, _ why: String, at now: Instant) {
        var table = Table()
        table.set("description", Value(.string(why)))
        table.set("command", Value(.string(":")))
        job.source = Source(format: .json, bytes: Array(JSON.write(Value(.table(table)), pretty: true).utf8))
        commit(.accepted(job), at: now)
        if let accepted = jobs[job.id] { fail(accepted, .rejected, why, at: now) }
    }

    // MARK: The input of a follow-up

    private func variables(of job: Job) -> [(String, String)] {
        [
            ("SPOOL_PARENT_ID", job.id.text), ("SPOOL_PARENT_NAME", job.name), ("SPOOL_PARENT_TASK", job.task ?? ""),
            ("SPOOL_PARENT_DIR", "\(settings.spool)/\(job.state.rawValue)/\(job.id)"), ("SPOOL_PARENT_STATE", job.state.rawValue),
            ("SPOOL_PARENT_REASON", job.reason?.rawValue ?? ""), ("SPOOL_PARENT_EXIT_CODE", job.exitCode.map(String.init) ?? ""),
            ("SPOOL_PARENT_SIGNAL", job.signal.map { Signal.name($0) } ?? ""),
        ]
    }

    /// The job's status, without the job's payload if there is no room for it.
    private func payload(of job: Job) -> Table {
        var status = job.status(host: settings.host)
        if let bytes = status.payload, bytes.count > JobDefinition.payloadBytesMax / 2 { status.payload = nil }
        // The scheduler wrote this text itself, so it is readable.
        guard let table = JSON.readableTable(status.json()) else { return Table() }
        return table
    }
}
