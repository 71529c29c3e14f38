import Store

extension SpoolCommand {
    static let backfill = SpoolCommand(
        "backfill", "NAME --from TIME [--to TIME]", "run a task for each due time of a past period",
        details: [
            "From --from, itself included, to --to, itself not: a job for each due time between, in their order, whose id and SPOOL_DUE are those of exactly that due time. So one that has run is not run again, whatever became of it (spoolctl retry does that).",
            "Each is wanted, so none replaces another; a deadline that counts from the due time counts from now. They are runs of the task like any other: by its overlap rule, coming due times may be skipped meanwhile.",
        ],
        options: [
            Option("from", value: "TIME", "the first instant of the period, or so long ago"),
            Option("to", value: "TIME", "the first instant after it (now)"),
            Option("schedule", value: "ID", "only the due times of this schedule; may be repeated"),
            Option("limit", value: "N", "how many due times are allowed (1000)"),
            Option("dry-run", "n", "say which, and submit nothing"),
        ],
        examples: [
            Example("spoolctl backfill report --from 2026-11-01 --to 2026-11-08 --dry-run", "the first week of November, to look at"),
            Example("spoolctl backfill report --from 7d", "whatever of the last week has not run"),
        ]
    ) { session throws(Failure) in try Backfill(session).run() }
}

private struct Backfill {
    private let session: Session
    private let name: String
    private let catalog: TaskCatalog
    private let entry: TaskCatalog.Entry
    private let from: Instant
    private let to: Instant
    private let limit: Int

    private struct Run {
        var id: JobID
        var due: Instant
        var schedule: ScheduleDefinition
        /// What there is of it already.
        var existing: String?
    }

    init(_ session: Session) throws(Failure) {
        self.session = session
        name = try session.operand("a task's NAME")
        limit = try session.count("limit", default: 1000)
        catalog = try TaskCatalog(session)
        entry = try catalog.entry(name)
        _ = try session.inForce(entry)
        guard let from = try session.pastInstant(option: "from") else { throw .usage("backfill needs --from TIME; see spoolctl backfill --help") }
        let to = try session.pastInstant(option: "to") ?? session.now
        guard from < to else { throw .usage("--from \(from.rfc3339) is not before --to \(to.rfc3339)") }
        if to > session.now { session.complain("due times to come are the daemon's: up to now only") }
        self.from = from
        self.to = min(to, session.now)
    }

    func run() throws(Failure) -> Int32 {
        var runs = try dueTimes()
        var records = try session.records()
        let history = try session.history(task: name, since: from, catalog.fs)
        for index in runs.indices {
            let id = runs[index].id.text
            let place = try session.reading { () throws(JournalError) in try records.place(of: id) }
            // Its record may be gone, and the journal knows yet that it ran.
            let wasRun = history.jobs[id].map { $0.withdrawnAt == nil } ?? false
            runs[index].existing = place?.state.rawValue ?? (wasRun ? "forgotten" : nil)
        }
        let missing = runs.filter { $0.existing == nil }
        if runs.count > missing.count { session.complain("\(runs.count - missing.count) of \(runs.count) due times have a job already") }
        let isDry = session.arguments.flag("dry-run")
        if !isDry {
            let drop = JobDrop(try session.openSpoolForWriting())
            var composed: [JobDrop.Composed] = []
            for run in missing { composed.append(try drop.compose(try source(of: run.schedule), id: run.id)) }
            try drop.publish(composed)
            for job in composed { session.output.noteChange("queued as \(job.id)") }
        }
        write(isDry ? runs : missing, isDry: isDry)
        return ExitCode.done
    }

    // MARK: Due times

    private func dueTimes() throws(Failure) -> [Run] {
        let due = try DueTimes(session, catalog.fs, for: [entry])
        var runs: [Run] = []
        for schedule in try schedules() {
            let definition = schedule.definition
            let origin = due.counting(definition, of: name)?.origin ?? schedule.changedAt
            var after = from.advanced(byMilliseconds: -1)
            if let notBefore = definition.notBefore { after = max(after, notBefore.advanced(byMilliseconds: -1)) }
            while let next = definition.recurrence.next(after: after, origin: origin), next < to {
                if let notAfter = definition.notAfter, next > notAfter { break }
                guard runs.count < limit else {
                    throw Failure(
                        ExitCode.failed, "more than \(limit) due times of \(name) are between \(from.rfc3339) and \(to.rfc3339); --limit N allows more")
                }
                runs.append(Run(id: JobID(task: name, schedule: definition.id, due: next), due: next, schedule: definition))
                after = next
            }
        }
        return runs.sorted { ($0.due, $0.schedule.id) < ($1.due, $1.schedule.id) }
    }

    /// Those asked for, of which due times can be told.
    private func schedules() throws(Failure) -> [TaskCatalog.Schedule] {
        let wanted = session.arguments.values("schedule")
        for id in wanted where !entry.schedules.contains(where: { $0.definition.id == id }) {
            throw .notFound("\(name) has no schedule \"\(id)\"; spoolctl show \(name) --schedules lists them")
        }
        return entry.schedules.filter { schedule in
            let definition = schedule.definition
            if !wanted.isEmpty { guard wanted.contains(definition.id) else { return false } }
            let recurrence = definition.recurrence
            if recurrence.isFromEnd || recurrence.isReboot || recurrence.isEvent {
                session.complain("schedule \(definition.id), \(definition.expression), has no due times that could be told afterwards")
                return false
            }
            if !definition.enabled, wanted.isEmpty { session.complain("schedule \(definition.id) is disabled, and left out: --schedule \(definition.id) takes it") }
            return definition.enabled || !wanted.isEmpty
        }
    }

    // MARK: Jobs

    private func source(of schedule: ScheduleDefinition) throws(Failure) -> Source {
        var table = Table()
        table.set("task", Value(.string(name)))
        do {
            let job = try entry.task?.job(payload: schedule.payload, try session.context()).definition
            if let payload = schedule.payload { table.set("payload", try JSON.parse(payload)) }
            if job?.overlap == .replace { table.set("overlap", Value(.string(Overlap.queue.rawValue))) }
            if case .after(let milliseconds)? = job?.deadline {
                table.set("deadline", Value(.string(session.now.advanced(byMilliseconds: milliseconds).rfc3339)))
            }
        } catch let problems as Problems {
            throw Failure(file: "\(Layout.tasks)/\(entry.files[0])", problems)
        } catch {
            throw Failure(ExitCode.invalid, "\(error)")
        }
        return Source(writing: table)
    }

    private func write(_ runs: [Run], isDry: Bool) {
        let output = session.output
        if session.isJSON {
            output.jsonArray(runs) { writer, run in
                writer.member("id", run.id.text)
                writer.member("due", run.due)
                writer.member("schedule", run.schedule.id)
                writer.member("state", run.existing)
            }
        } else if isDry, !session.isQuiet {
            var table = TextTable(["ID", "DUE", "SCHEDULE", "STATE"])
            for run in runs {
                table.add([.init(run.id.text), .init(session.time(run.due)), .init(run.schedule.id), .init(run.existing ?? "to be submitted")])
            }
            table.write(to: output)
        } else {
            for run in runs { output.line(run.id.text) }
        }
    }
}
