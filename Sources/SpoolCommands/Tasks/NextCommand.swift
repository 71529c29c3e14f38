import Store

extension SpoolCommand {
    static let next = SpoolCommand(
        "next", "[NAME…] | --cron E | --every D | …", "show coming due times",
        details: [
            """
            Shows the due times of all tasks, of the named tasks, or of a schedule given by an option, which need not be in the spool. \
            Notes mark due times that daylight saving moves, merges or repeats. Columns: local time, UTC, time from now, task, note.
            """,
        ],
        options: [
            Option("count", "n", value: "N", "the number of due times (5)"),
            Option("from", value: "TIME", "show due times after this instant (now)"),
        ] + ScheduleOptions.whenOptions + ScheduleQuestion.options,
        examples: [
            Example("spoolctl next", "the next due times of all tasks"),
            Example("spoolctl next --cron '30 2 * * *' --timezone Europe/Berlin --from 2026-03-27", "across a change to summer time"),
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
        from = try session.instant(option: "from") ?? session.now
    }

    func run() throws(Failure) -> Int32 {
        let arguments = session.arguments
        var code = ExitCode.done
        if let one = try ScheduleQuestion.given(arguments) {
            if let name = arguments.operands.first { throw .usage("\(one.spelling) cannot be used with a task; remove \"\(name)\"") }
            write(try lines(of: one))
        } else {
            try session.remarkIfNotServed()
            var lines: [Line] = []
            if !arguments.operands.isEmpty {
                lines = try linesOfTasks(session)
            } else {
                code = try EverybodysSpool.each(session) { part throws(Failure) in lines += try linesOfTasks(part) }
                // A stable sort: equal ones stay as they are.
                let sorted = lines.enumerated().sorted { ($0.element.due, $0.offset) < ($1.element.due, $1.offset) }
                lines = Array(sorted.map(\.element).prefix(count))
            }
            write(lines)
        }
        return code
    }

    // MARK: A schedule from an option

    private func lines(of given: Arguments.Given) throws(Failure) -> [Line] {
        let question = try ScheduleQuestion(session, given)
        let schedule = question.schedule
        if schedule.recurrence.isReboot {
            session.complain("@reboot is due when spoold first starts after a boot of the machine, not at a known time")
        }
        let found = question.occurrences(after: from, count: count)
        if let ext = schedule.recurrence.patternExtension {
            session.complain("the program \(Layout.patterns)/\(ext.key) decides when this is due")
        } else if let onPath = schedule.onPath {
            session.complain("it is due \(onPath.spoken), not at a known time")
        } else if found.isEmpty, !schedule.recurrence.isReboot { session.complain("it is never due after \(from.rfc3339)") }
        var lines = found.map { Line(due: $0.instant, zone: schedule.zone, note: $0.note.map { "\($0)" }) }
        if lines.count < count, schedule.once == nil, let last = lines.indices.last {
            lines[last].note = DueTimes.last(lines[last].note)
        }
        return lines
    }

    // MARK: Tasks

    private func linesOfTasks(_ session: Session) throws(Failure) -> [Line] {
        let catalog = try TaskCatalog(session)
        var entries: [TaskCatalog.Entry] = []
        if session.arguments.operands.isEmpty {
            entries = try catalog.entries().page
        } else {
            entries = try catalog.entries(named: session.arguments.operands)
        }
        session.complain(of: entries, catalog)
        let due = try DueTimes(session, catalog.fs, for: entries, from: from)
        for entry in entries {
            for schedule in entry.schedules where schedule.definition.enabled {
                let name = session.qualified(entry.name)
                if let onPath = schedule.definition.onPath { session.complain("task \(name) is due \(onPath.spoken)") }
                guard let program = schedule.definition.recurrence.patternExtension, due.next(schedule, of: entry, count: 1).isEmpty
                else { continue }
                session.complain(
                    "\(Layout.patterns)/\(program.key) decides when schedule \(schedule.definition.id) of \(name) is due; "
                        + "it has not answered yet")
            }
        }
        for entry in entries {
            for schedule in entry.schedules where schedule.definition.isNeverDue(after: from) {
                let name = session.qualified(entry.name)
                session.complain("task \(name): \(schedule.definition.expression) is never due after \(from.rfc3339)")
            }
        }
        var paused: [String: String] = [:]
        for entry in entries {
            if let note = catalog.pauseNote(of: entry) { paused[entry.name] = note.isEmpty ? "paused" : "paused: \(note)" }
        }
        return due.next(entries, count: count).map { one in
            let note = [paused[one.task], one.note].compactMap { $0 }.joined(separator: "; ")
            return Line(
                due: one.instant, zone: one.schedule.zone, task: session.qualified(one.task), schedule: one.schedule.id,
                note: note.isEmpty ? nil : note)
        }
    }

    // MARK: Writing

    private func write(_ lines: [Line]) {
        let output = session.output
        if session.isJSON {
            output.jsonArray(lines) { writer, line in
                writer.member("due", line.due)
                writer.member("local", line.due.rfc3339(in: line.zone))
                writer.member("note", line.note)
                if let task = line.task { writer.member("task", task) }
                if let schedule = line.schedule { writer.member("schedule", schedule) }
            }
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
