import Store

extension Command {
    static let next = Command(
        "next", "[NAME…] | --cron E | --every D | --at T | --pattern P", "show coming due times",
        details: [
            "Of all tasks, of those named, or of a schedule that is not in the spool at all. What daylight saving moves, merges or repeats is marked. Columns: local time, UTC, in how long, task, note.",
        ],
        options: [
            Option("count", "n", value: "N", "how many (5)"),
            Option("from", value: "TIME", "after this instant instead of now"),
            Option("cron", value: "EXPRESSION", "of a cron expression"),
            Option("every", value: "TIME", "of an interval on a fixed grid from --from"),
            Option("at", value: "TIME", "of an instant, as it would be read"),
            Option("pattern", value: "PATTERN", "of a pattern, as if runs took no time"),
            Option("timezone", value: "ZONE", "for --cron, --at and --pattern (else the configured zone, which is UTC)"),
            Option("dst-gap", value: "RULE", "run or skip"),
            Option("dst-repeat", value: "RULE", "first, both or last"),
        ],
        examples: [
            Example("spoolctl next", "what is due next in the spool"),
            Example("spoolctl next --cron '30 2 * * *' --timezone Europe/Berlin --from 2026-03-27 -n 3", "over a change of the clock"),
        ]
    ) { session throws(Failure) in try Next(session).run() }
}

private struct Next {
    let session: Session
    let count: Int
    let from: Instant

    struct Line {
        var due: Instant
        var zone: Zone
        var task: String?
        var schedule: String?
        var note: String?
    }

    init(_ session: Session) throws(Failure) {
        self.session = session
        count = try session.count("count", default: 5)
        from = try session.arguments.value("from").map { text throws(Failure) in try session.instant(text, option: "from") } ?? session.now
    }

    func run() throws(Failure) -> Int32 {
        let arguments = session.arguments
        let given = arguments.given.filter { ScheduleDefinition.whenKeys.contains($0.name) }
        guard given.count <= 1 else { throw .usage("\(given[0].spelling) and \(given[1].spelling) both say when") }
        if let one = given.first {
            if let name = arguments.operands.first { throw .usage("\(one.spelling) goes without a task, and \"\(name)\" names one") }
            write(try lines(of: one))
        } else {
            write(try linesOfTasks())
        }
        return ExitCode.done
    }

    // MARK: A schedule of its own

    private func lines(of given: Arguments.Given) throws(Failure) -> [Line] {
        let context = try session.context()
        var table = Table()
        table.set("task", Value(.string("next")))
        table.set(given.name, Value(.string(given.value)))
        for (option, key) in [("timezone", "timezone"), ("dst-gap", "dst_gap"), ("dst-repeat", "dst_repeat")] {
            if let value = session.arguments.value(option) { table.set(key, Value(.string(value))) }
        }
        if given.name == "every" { table.set("from", Value(.string("start"))) }
        let source = Source(format: .json, bytes: Array(JSON.write(Value(.table(table))).utf8))
        let schedule: ScheduleDefinition
        do throws(Problems) { schedule = try ScheduleDefinition.file(id: "next", source: source, context).schedule } catch {
            throw Failure(
                ExitCode.invalid, error.all.map { "\(given.spelling): \($0.message)\($0.hint.map { "; \($0)" } ?? "")" })
        }
        if schedule.recurrence.isReboot { session.complain("@reboot is due when the daemon starts after the machine did, and at no time that can be told") }
        if let ext = schedule.recurrence.patternExtension { session.complain("the program \(Layout.patterns)/\(ext.key) decides when this is due") }
        var lines: [Line] = []
        // An instant is shown also when it is over: what was asked is how it is read.
        var after = schedule.once.map { $0.advanced(byMilliseconds: -1) } ?? from
        while lines.count < count, let next = schedule.recurrence.nextOccurrence(after: after, origin: from) {
            lines.append(Line(due: next.instant, zone: schedule.zone, note: next.note.map { "\($0)" }))
            after = next.instant
        }
        return lines
    }

    // MARK: Tasks

    private func linesOfTasks() throws(Failure) -> [Line] {
        let catalog = try TaskCatalog(session)
        var entries: [TaskCatalog.Entry] = []
        if session.arguments.operands.isEmpty {
            entries = try catalog.entries().page
        } else {
            for name in session.arguments.operands { entries.append(try catalog.entry(name)) }
        }
        for entry in entries { for line in entry.problems { session.complain(line) } }
        for line in catalog.scheduleProblems { session.complain(line) }
        let due = try DueTimes(session, catalog.fs, for: entries, from: from)
        for entry in entries {
            for schedule in entry.schedules where schedule.definition.enabled {
                guard let program = schedule.definition.recurrence.patternExtension, due.next(schedule, of: entry.name, count: 1).isEmpty
                else { continue }
                session.complain("\(Layout.patterns)/\(program.key) decides when schedule \(schedule.definition.id) of \(entry.name) is due, and has not said")
            }
        }
        var paused: [String: String] = [:]
        for entry in entries {
            if let note = catalog.pauseNote(of: entry) { paused[entry.name] = note.isEmpty ? "paused" : "paused: \(note)" }
        }
        return due.next(entries, count: count).map { one in
            let note = [paused[one.task], one.note].compactMap { $0 }.joined(separator: "; ")
            return Line(
                due: one.instant, zone: one.schedule.zone, task: one.task, schedule: one.schedule.id,
                note: note.isEmpty ? nil : note)
        }
    }

    // MARK: Writing

    private func write(_ lines: [Line]) {
        let output = session.output
        if session.isJSON {
            var writer = JSONWriter(reserving: 1024)
            writer.beginArray()
            for line in lines {
                writer.beginObject()
                writer.member("due", line.due)
                writer.member("local", line.due.rfc3339(in: line.zone))
                writer.member("note", line.note)
                if let task = line.task { writer.member("task", task) }
                if let schedule = line.schedule { writer.member("schedule", schedule) }
                writer.endObject()
            }
            writer.endArray()
            output.line(String(decoding: writer.bytes, as: UTF8.self))
            return
        }
        if session.isQuiet {
            for line in lines { output.line(line.due.rfc3339) }
            return
        }
        var table = TextTable(["LOCAL", "UTC", "IN", "TASK", "NOTE"])
        for line in lines {
            table.add([
                .init(TimeText.local(line.due, line.zone)), .init(TimeText.local(line.due, .utc, asZulu: true)),
                .init(TimeText.distance(line.due, from: session.now)), .init(line.task ?? "-"),
                .init(line.note ?? "", .yellow),
            ])
        }
        table.write(to: output)
    }
}
