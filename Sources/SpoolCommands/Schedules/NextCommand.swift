import Store
import TextSearch

extension SpoolCommand {
    static let next = SpoolCommand(
        "next", "[NAME…] | --cron E | --every D | …", "show coming due times",
        details: [
            """
            Shows the due times of all tasks, of the named tasks, or of a schedule given by an option, which need not be in the spool. \
            Notes mark due times that daylight saving moves, merges or repeats. On a terminal times are by your clock, with the schedule's \
            own clock beside them where it shows another time. In a pipe: time in the schedule's zone, UTC, time from now, task, note.
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
    ) { session throws(Failure) in
        var next = try Next(session)
        return try next.run()
    }
}

private struct Next {
    let session: Session
    let count: Int
    let from: Instant
    /// The remarks below the due times, each once.
    private var remarks: [String] = []

    struct Line {
        var due: Instant
        var zone: Zone
        var task: String?
        var schedule: String?
        var note: String?
        /// False when the schedule does not read a clock, so that its zone changes nothing.
        var isByClock = true
    }

    init(_ session: Session) throws(Failure) {
        self.session = session
        count = try DueTimes.count(session, default: 5)
        from = try session.instant(option: "from", as: .boundary) ?? session.now
    }

    mutating func run() throws(Failure) -> Int32 {
        let arguments = session.arguments
        var code = ExitCode.done
        if let one = try ScheduleQuestion.given(arguments) {
            if let name = arguments.operands.first { throw .usage("\(one.spelling) cannot be used with a task; remove \"\(name)\"") }
            write(try lines(of: one))
        } else {
            var lines: [Line] = []
            if !arguments.operands.isEmpty {
                lines = try linesOfTasks(session)
            } else {
                var parts: [Session] = []
                code = try EverybodysSpool.each(session) { part throws(Failure) in parts.append(part) }
                for part in parts {
                    let isWhole = try session.tolerating(part) { () throws(Failure) in lines += try linesOfTasks(part) }
                    if !isWhole { code = ExitCode.failed }
                }
                // A stable sort: equal ones stay as they are.
                let sorted = lines.enumerated().sorted { ($0.element.due, $0.offset) < ($1.element.due, $1.offset) }
                lines = Array(sorted.map(\.element).prefix(count))
            }
            write(lines)
            try session.remarkIfNotServed()
        }
        session.output.flush()
        for remark in remarks { session.complain(remark) }
        return code
    }

    // MARK: A schedule from an option

    private mutating func lines(of given: Arguments.Given) throws(Failure) -> [Line] {
        let question = try ScheduleQuestion(session, given)
        let schedule = question.schedule
        if schedule.recurrence.isReboot {
            remarks.append("@reboot is due when spoold first starts after a boot of the machine, not at a known time")
        }
        let found = question.occurrences(after: from, count: count)
        if let ext = schedule.recurrence.patternExtension {
            remarks.append("the program \(Layout.patterns)/\(ext.key) decides when this is due")
        } else if let onPath = schedule.onPath {
            remarks.append("it is due \(onPath.spoken), not at a known time")
        } else if found.isEmpty, !schedule.recurrence.isReboot {
            remarks.append("it is never due after \(spokenFrom)")
        }
        let isByClock = schedule.recurrence.zone != nil
        var lines = found.map { Line(due: $0.instant, zone: schedule.zone, note: $0.words, isByClock: isByClock) }
        if lines.count < count, schedule.once == nil, let last = lines.indices.last {
            lines[last].note = DueTimes.last(lines[last].note)
        }
        return lines
    }

    private var spokenFrom: String { TimeText.spoken(from, session.callerZone, now: from) }

    // MARK: Tasks

    private mutating func linesOfTasks(_ session: Session) throws(Failure) -> [Line] {
        let catalog = try TaskCatalog(session)
        var entries: [TaskCatalog.Entry] = []
        if session.arguments.operands.isEmpty {
            entries = try catalog.entries(dueFirst: count, after: from)
        } else {
            entries = try catalog.entries(named: session.arguments.operands)
        }
        remarks += session.remarks(on: entries, catalog)
        let due = try DueTimes(session, catalog.fs, for: entries, from: from)
        if let remark = due.remark { remarks.append(remark) }
        for entry in entries {
            for schedule in entry.schedules where schedule.definition.enabled {
                let name = session.qualified(entry.name)
                if let onPath = schedule.definition.onPath { remarks.append("task \(name) is due \(onPath.spoken)") }
                guard let program = schedule.definition.recurrence.patternExtension, due.next(schedule, of: entry, count: 1).isEmpty
                else { continue }
                remarks.append(
                    "\(Layout.patterns)/\(program.key) decides when schedule \(schedule.definition.id) of \(name) is due; "
                        + "it has not answered yet")
            }
        }
        for entry in entries {
            for schedule in entry.schedules where schedule.definition.isNeverDue(after: from) {
                let name = session.qualified(entry.name)
                remarks.append("task \(name): \(schedule.definition.expression) is never due after \(spokenFrom)")
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
                note: note.isEmpty ? nil : note, isByClock: one.schedule.recurrence.zone != nil)
        }
    }

    // MARK: Writing

    private mutating func write(_ lines: [Line]) {
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
        guard output.isTerminal else { return writePipe(lines) }
        let zone = session.callerZone
        let others = lines.map { line -> String? in
            let isSame = line.zone.offsetSeconds(at: line.due) == zone.offsetSeconds(at: line.due)
            return isSame || !line.isByClock ? nil : TimeText.beside(line.due, line.zone, zone)
        }
        let hasOthers = others.contains { $0 != nil }
        let hasTasks = lines.contains { $0.task != nil }
        let header = ["LOCAL"] + (hasOthers ? ["SCHEDULE"] : []) + ["IN"] + (hasTasks ? ["TASK"] : []) + ["NOTE"]
        var table = TextTable(header)
        for (line, other) in zip(lines, others) {
            var row = [TextTable.Cell(TimeText.dated(line.due, zone, now: session.now))]
            if hasOthers { row.append(.init(other ?? "")) }
            row.append(.init(TimeText.distance(line.due, from: session.now)))
            if hasTasks { row.append(.init(line.task ?? "-")) }
            table.add(row + [.init(shortNote(line), .yellow)])
        }
        session.writeTimes(table)
    }

    /// A line's note. The long one about estimates is said once, after the table.
    private mutating func shortNote(_ line: Line) -> String {
        guard let note = line.note, let place = note.firstRange(of: DueTimes.estimated) else { return line.note ?? "" }
        let remark = "estimated due times count from the end of the run before, as if runs took no time"
        if !remarks.contains(remark) { remarks.append(remark) }
        return "\(note[..<place.lowerBound])estimated\(note[place.upperBound...])"
    }

    private func writePipe(_ lines: [Line]) {
        var table = TextTable()
        for line in lines {
            table.add([
                .init(TimeText.local(line.due, line.zone)), .init(TimeText.local(line.due, .utc, asZulu: true)),
                .init(TimeText.distance(line.due, from: session.now)), .init(line.task ?? "-"),
                .init(line.note ?? "", .yellow),
            ])
        }
        table.write(to: session.output)
    }
}
