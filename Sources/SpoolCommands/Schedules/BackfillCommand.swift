import Store

extension SpoolCommand {
    static let backfill = SpoolCommand(
        "backfill", "NAME --from TIME [--to TIME]", "run a task for each due time of a past period",
        details: [
            """
            Submits a job for each due time from --from (included) to --to (excluded), in order. Each job's id and SPOOL_DUE are those \
            of its due time, so a due time that has run is not run again, however it ended; use spoolctl retry for that.
            """,
            """
            No backfilled run replaces another, and a deadline relative to the due time counts from now. Backfilled runs are runs of the \
            task: its overlap rule can skip coming due times while they wait or run.
            """,
        ],
        options: [
            Option("from", value: "TIME", "the first instant of the period, or a duration ago"),
            Option("to", value: "TIME", "the first instant after the period (now)"),
            Option("schedule", value: "ID", "only the due times of this schedule; can be repeated"),
            Option("limit", value: "N", "the largest number of due times (1000)"),
            Option("dry-run", formerShort: "n", "print the due times, and submit nothing"),
        ],
        examples: [
            Example(
                "spoolctl backfill report --from 2026-11-01 --to 2026-11-08 --dry-run",
                "prints the due times of the first week of November"
            ),
            Example("spoolctl backfill report --from 7d", "runs the due times of the last week that have not run"),
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
        /// The state of the job that this due time has already; nil when it has none.
        var existing: String?
    }

    init(_ session: Session) throws(Failure) {
        self.session = session
        name = try session.operand("a task's NAME")
        limit = try session.count("limit", default: 1000)
        catalog = try TaskCatalog(session)
        entry = try catalog.entry(name)
        _ = try session.inForce(entry)
        guard let from = try session.instant(option: "from", as: .past) else {
            throw .usage("backfill needs --from TIME; see spoolctl backfill --help")
        }
        let to = try session.instant(option: "to", as: .past) ?? session.now
        guard from < to else { throw .usage("--from \(from.rfc3339) is not before --to \(to.rfc3339)") }
        if to > session.now { session.complain("--to is in the future; backfill stops at the present") }
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
            // The record may have been removed; the journal still knows that the job ran.
            let wasRun = history.jobs[id].map { $0.withdrawnAt == nil } ?? false
            runs[index].existing = place?.state.rawValue ?? (wasRun ? "forgotten" : nil)
        }
        let missing = runs.filter { $0.existing == nil }
        if runs.count > missing.count { session.complain("\(runs.count - missing.count) of \(runs.count) due times already have a job") }
        let isDry = session.arguments.flag("dry-run")
        if !isDry {
            let drop = JobDrop(try session.openSpoolForWriting())
            var composed: [JobDrop.Composed] = []
            for run in missing { composed.append(try drop.compose(try source(of: run.schedule), id: run.id)) }
            try drop.publish(composed)
            for job in composed { session.output.noteChange("queued as \(job.id)") }
        }
        write(isDry ? runs : missing, isDry: isDry)
        if !isDry, let first = missing.first { try session.remarkOnStart(of: try source(of: first.schedule)) }
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
                        ExitCode.failed,
                        "\(name) has more than \(limit) due times between \(from.rfc3339) and \(to.rfc3339); --limit N allows more")
                }
                runs.append(Run(id: JobID(task: name, schedule: definition.id, due: next), due: next, schedule: definition))
                after = next
            }
        }
        return runs.sorted { ($0.due, $0.schedule.id) < ($1.due, $1.schedule.id) }
    }

    /// The selected schedules whose due times can be computed.
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
                session.complain("schedule \(definition.id), \(definition.expression), has no past due times that can be computed")
                return false
            }
            if !definition.enabled, wanted.isEmpty {
                session.complain("schedule \(definition.id) is disabled and left out; --schedule \(definition.id) includes it")
            }
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
            throw Failure(file: entry.file, problems)
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
                let state = run.existing ?? "to be submitted"
                table.add([.init(run.id.text), .init(session.time(run.due)), .init(run.schedule.id), .init(state)])
            }
            session.writeTimes(table)
        } else {
            for run in runs { output.line(run.id.text) }
        }
    }
}
