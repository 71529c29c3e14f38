import Store

/// The answer of `spoolctl why NAME`: what became of a task's due times.
struct WhyTask {
    private let session: Session
    private let name: String
    private let catalog: TaskCatalog
    /// The task's file as it is now; nil when there is none.
    private let entry: TaskCatalog.Entry?
    private let daemon: DaemonState
    private let dues: PastDues
    private let count: Int
    private let floor: Instant
    private let wording: Wording
    private let text: VerdictText

    /// The time in the past in which a task's due times are searched: as long as records are kept by default.
    private static let lookBackMilliseconds: Int64 = 14 * 86_400_000

    /// - Parameter time: the instant in the question; it decides how far back the journal is read.
    init(_ session: Session, _ name: String, around time: String? = nil) throws(Failure) {
        self.session = session
        self.name = name
        wording = session.wording
        text = VerdictText(wording: session.wording)
        count = max(1, try session.count("count", default: 5))
        catalog = try TaskCatalog(session)
        entry = try Self.isKnown(session, name) ? try catalog.entry(name) : nil
        daemon = try DaemonState(session, catalog.fs)
        let day = PastDues.dayMilliseconds
        var since = session.now.advanced(byMilliseconds: -day)
        floor = session.now.advanced(byMilliseconds: -Self.lookBackMilliseconds)
        if let time {
            since = min(since, try session.instant(time, as: .past).advanced(byMilliseconds: -2 * day))
        } else {
            for schedule in entry?.schedules ?? [] {
                let last = PastDues.last(
                    schedule.definition.recurrence, before: session.now, floor: floor, origin: schedule.changedAt, count: count)
                since = min(since, last.first.map { $0.instant.advanced(byMilliseconds: -day) } ?? floor)
            }
            if entry?.schedules.isEmpty ?? true { since = floor }
        }
        let history = try session.history(task: name, since: since, catalog.fs)
        // The definitions of the past were accepted.
        var context = try session.context().ofAccepted
        context.calendars = context.calendars.filled(from: history.calendars.times(session.zones))
        dues = PastDues(name, entry, history, down: daemon.down, context)
    }

    /// True when tasks/ has a file of this name.
    static func isKnown(_ session: Session, _ name: String) throws(Failure) -> Bool {
        let fs = try session.openSpool()
        return try attempt { () throws(SystemError) in
            try Spool(fs, host: "").taskFiles(named: name).isEmpty == false
        }
    }

    /// True when the journal knows a task of this name.
    static func wasKnown(_ session: Session, _ name: String) throws(Failure) -> Bool {
        let history = try session.history(task: name, since: Instant(milliseconds: 0), try session.openSpool())
        return history.definitions["\(Layout.tasks)/\(name)"] != nil || !history.schedules.isEmpty
            || history.jobs.values.contains { $0.task == name }
    }

    /// The task's schedules in force.
    private var schedules: [TaskCatalog.Schedule] { entry?.task == nil ? [] : entry?.schedules ?? [] }

    // MARK: The task

    func printTask() throws(Failure) -> Int32 {
        let last = dues.last(count, floor: floor)
        let next = try upcoming()
        var sentences = try troubles(last)
        if let latest = last.last(where: { $0.outcome != .pending }) {
            let files = text.files(latest)
            sentences.append(
                files.isEmpty
                    ? "\(name) was due last \(when(latest)): that \(text.predicate(latest))."
                    : "\(name) was due last \(when(latest)), for \(files): that \(text.predicate(latest)).")
        } else if last.isEmpty {
            sentences.append("No due time of \(name) is known since \(wording.instant(max(dues.history.since ?? session.now, floor))).")
        }
        if let first = next.first { sentences.append("It is due next at \(wording.instant(first.instant)).") }
        for schedule in schedules where schedule.definition.enabled {
            guard let onPath = schedule.definition.onPath else { continue }
            sentences.append("It is due \(onPath.spoken).")
        }
        if session.isJSON {
            writeTask(sentences, last, next)
        } else if session.isQuiet {
            for verdict in last { if let job = verdict.job { session.output.line(job.id) } }
        } else {
            if let title = entry.flatMap({ catalog.ownTitle(of: $0) }) { session.output.paragraph("\(name): \(title)") }
            for sentence in sentences { session.output.paragraph(sentence) }
            var table = TextTable(["DUE", "OUTCOME", "SCHEDULE", "WHAT BECAME OF IT"])
            for verdict in last {
                table.add([
                    .init(session.time(verdict.due)), .init(verdict.outcome.rawValue, colour(verdict)), .init(verdict.schedule),
                    .init((verdict.paths.isEmpty ? "" : "\(text.files(verdict)): ") + text.predicate(verdict) + of(verdict)),
                ])
            }
            for due in next {
                table.add([.init(session.time(due.instant)), .init("coming"), .init(due.schedule.id), .init(due.note ?? "")])
            }
            if session.output.isTerminal, !table.isEmpty { session.output.line("") }
            session.writeTimes(table)
        }
        return ExitCode.done
    }

    private func when(_ verdict: DueVerdict) -> String {
        let more = verdict.through.map { ", and \(verdict.count.map { "\($0) times" } ?? "often") until \(wording.instant($0))" }
        return "at \(wording.instant(verdict.due))\(more ?? "")"
    }

    private func of(_ verdict: DueVerdict) -> String {
        verdict.through.map { " (\(verdict.count.map { "\($0) due times" } ?? "many due times") until \(session.time($0)))" } ?? ""
    }

    private func colour(_ verdict: DueVerdict) -> Output.Colour? {
        switch verdict.outcome {
        case .ran: verdict.job?.ending?.1.state == .failed ? .red : .green
        case .late, .merged, .waiting, .running, .pending: .yellow
        case .skipped, .lost: .red
        case .coming, .none, .unknown: nil
        }
    }

    /// The coming due times, by the definition in force.
    private func upcoming() throws(Failure) -> [DueTimes.Due] {
        guard let entry else { return [] }
        return try DueTimes(session, catalog.fs, for: [entry]).next([entry], count: count)
    }

    /// The causes that prevent coming runs, as sentences.
    private func troubles(_ last: [DueVerdict]) throws(Failure) -> [String] {
        var sentences: [String] = []
        let history = dues.history
        let file = "\(Layout.tasks)/\(name)"
        let accepted = history.definitions[file]?.last
        if let entry {
            for problem in entry.problems {
                let isOfTask = problem.hasPrefix("\(Layout.tasks)/")
                if let line = entry.line {
                    let what = line.line == nil ? "Its file" : "Its line in the crontab"
                    sentences.append("\(what) is refused: \(problem); the task stays as it was before.")
                    continue
                }
                let before = isOfTask ? accepted.map { "the definition accepted at \(wording.instant($0.at)) or before" } : nil
                let inForce = entry.task == nil ? "no definition of it is in force" : "\(before ?? "the earlier definition") stays in force"
                sentences.append("\(isOfTask ? "Its file" : "A schedule's file") is refused: \(problem); \(inForce).")
            }
        } else {
            let removed = accepted.flatMap { $0.source == nil ? " since \(wording.instant($0.at))" : nil } ?? ""
            sentences.append("There is no task \(name)\(removed): tasks/ has no file of this name.")
        }
        if let down = daemon.down {
            let waiting = last.filter { $0.outcome == .pending }.reduce(0) { $0 + ($1.count ?? 1) }
            let plural = waiting == 1 ? ("", "s") : ("s", "")
            let those = waiting == 0 ? "nothing runs until it starts" : "\(waiting) due time\(plural.0) of the task wait\(plural.1) for it"
            sentences.append("\(wording.downtime(down)); \(those).")
        }
        let queue = (try? entry?.task?.job(try session.context()))?.definition.queue  // an unusable task has no queue
        let scopes: [PauseScope?] = [.all, .task(name), queue.map { .queue($0) }]
        for pause in try Pauses.read(catalog.fs) where scopes.contains(pause.scope) {
            let effect = pause.scope == .task(name) ? "its due times are skipped" : "its runs wait"
            sentences.append("\(wording.pause(pause.scope, note: pause.note).capitalizedFirst) is paused: \(effect) until the pause ends.")
        }
        if entry?.task != nil, schedules.isEmpty {
            sentences.append("It has no schedule: it runs only by spoolctl run \(name).")
        }
        for schedule in schedules where !schedule.definition.enabled {
            sentences.append("Its schedule \(schedule.definition.id) is disabled.")
        }
        return sentences
    }

    private func writeTask(_ sentences: [String], _ last: [DueVerdict], _ next: [DueTimes.Due]) {
        session.output.jsonObject { writer in
            writer.member("kind", "task")
            writer.member("name", name)
            writer.member("state", entry.map { catalog.state(of: $0) } ?? "missing")
            writer.member("sentence", sentences.joined(separator: " "))
            writer.member("problems", texts: entry?.problems ?? [])
            writer.member("daemon_down_since", daemon.down?.from)
            writer.member("known_since", dues.history.since)
            writer.member("last", objects: last) { text.write($1, to: &$0) }
            writer.member("next", objects: next) { writer, due in
                writer.member("due", due.instant)
                writer.member("schedule", due.schedule.id)
                writer.member("note", due.note)
            }
        }
    }

    // MARK: One due time

    func printDue(at time: String) throws(Failure) -> Int32 {
        let zone = try session.zoneForArguments()
        let asked = try session.instant(time, as: .past)
        var verdicts = dues.nearest(to: asked)
        if entry == nil, verdicts.isEmpty, try !Self.wasKnown(session, name) {
            throw try TaskCatalog.unknown(name, among: catalog.names())
        }
        for index in verdicts.indices { try lookUp(&verdicts[index]) }
        var sentences = missing(asked, zone, verdicts)
        for verdict in verdicts {
            let due = wording.instant(verdict.due) + (verdict.paths.isEmpty ? "" : ", when \(text.files(verdict)) came,")
            sentences.append(
                verdict.outcome == .none
                    ? "\(name) was not due at \(due): \(text.predicate(verdict))."
                    : "\(name)'s due time \(due) \(text.predicate(verdict)).")
        }
        for verdict in verdicts where verdict.note != nil { sentences.append("Daylight saving: \(verdict.note ?? "").") }
        sentences += edits(asked)
        let isNone = verdicts.allSatisfy { $0.outcome == .none }
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("kind", "due")
                writer.member("name", name)
                writer.member("asked", asked)
                writer.member("sentence", sentences.joined(separator: " "))
                writer.member("known_since", dues.history.since)
                writer.member("due_times", objects: verdicts) { text.write($1, to: &$0) }
            }
        } else if session.isQuiet {
            for verdict in verdicts { if let job = verdict.job { session.output.line(job.id) } }
        } else {
            for sentence in sentences { session.output.paragraph(sentence) }
        }
        return isNone ? ExitCode.notFound : ExitCode.done
    }

    /// Looks for a job's record when the journal no longer knows the due time.
    private func lookUp(_ verdict: inout DueVerdict) throws(Failure) {
        guard verdict.outcome == .unknown else { return }
        var records = try session.records()
        let id = JobID(task: name, schedule: verdict.schedule, due: verdict.due).text
        guard let record = try session.reading({ () throws(JournalError) in try records.record(of: id) }) else { return }
        verdict = DueVerdict(record.status, schedule: verdict.schedule)
    }

    /// Says that nothing was due at the instant asked about.
    private func missing(_ asked: Instant, _ zone: Zone, _ verdicts: [DueVerdict]) -> [String] {
        if let first = verdicts.first, abs(first.due.milliseconds - asked.milliseconds) < 60_000 { return [] }
        var text = "\(name) was not due at \(wording.instant(asked))"
        let before = zone.offsetSeconds(at: asked.advanced(byMilliseconds: -1))
        // A wall time that the clock skips is read as the first instant after the gap.
        if zone.offsetSeconds(at: asked) > before { text += ", when the clock in \(zone.name) was set forward" }
        if let exclusion = dues.exclusion(at: asked) { text += ": \(exclusion)" }
        return [text + (verdicts.isEmpty ? ", nor within a day before or after." : "; the nearest due time:")]
    }

    /// The refused edit of the task's file before an instant.
    private func edits(_ asked: Instant) -> [String] {
        if let refusal = dues.history.refusal(of: "\(Layout.tasks)/\(name)", at: asked) {
            let at = wording.instant(refusal.at)
            return ["Its file was edited at \(at) and refused: \(refusal.why); the earlier definition stayed in force."]
        }
        guard let changedAt = entry?.changedAt, changedAt <= asked else { return [] }
        return (entry?.problems ?? []).map { "Its file was edited at \(wording.instant(changedAt)) and is refused: \($0)." }
    }
}

extension DueVerdict {
    /// A verdict from a job's record, for a due time that the journal does not know.
    init(_ status: JobStatus, schedule: String) {
        self.init(due: status.due, schedule: schedule, outcome: .waiting)
        var trace = JobTrace(id: status.id, due: status.due, acceptedAt: status.createdAt, notBefore: status.scheduledAt ?? status.due)
        trace.task = status.task
        trace.schedule = schedule
        trace.paths = status.paths
        trace.startedAt = status.startedAt
        trace.tries = status.attempt
        if status.state.isTerminal {
            trace.ending = (status.endedAt ?? status.changedAt, Ending(status))
        }
        self = trace.verdict(schedule: schedule)
    }
}
