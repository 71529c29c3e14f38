import Crontabs
import Linux
import Store

extension SpoolCommand {
    static let show = SpoolCommand(
        "show", "NAME [--schedules]", "show a task and its schedules",
        options: [Option("schedules", "show only the schedules")],
        examples: [Example("spoolctl show backup", "the task's keys, and its next due times")]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME")
        let catalog = try TaskCatalog(session)
        let entry = try catalog.entry(name)
        let due = try DueTimes(session, catalog.fs, for: [entry])
        let output = session.output
        let (createdAt, damage) = try attempt { () throws(SystemError) in try catalog.spool.createdAt(ofTask: name) }
        for one in damage { session.complain("\(one)") }
        if session.isJSON {
            output.jsonObject { writer in
                catalog.write(entry, due, details: true, to: &writer)
                writer.member("created_at", createdAt)
            }
            return ExitCode.done
        }
        if session.isQuiet {
            for schedule in entry.schedules { output.line(schedule.definition.id) }
            return ExitCode.done
        }
        if !session.arguments.flag("schedules") {
            var table = TextTable()
            table.add("name", entry.name)
            table.add("state", catalog.state(of: entry))
            table.add("note", catalog.pauseNote(of: entry).flatMap { $0.isEmpty ? nil : $0 })
            table.add("file", catalog.path(of: entry))
            if let line = entry.line?.line { table.add("line", String(line)) }
            if let createdAt { table.add("created", session.time(createdAt)) }
            if let changedAt = entry.changedAt { table.add("changed", session.time(changedAt)) }
            for line in entry.remarks { table.add([.init("problem", .dim), .init(line, .red)]) }
            if entry.line?.line != nil { table.add("remark", (entry.task?.source).flatMap(CrontabTask.remark)) }
            // A definition in force can be parsed again without an error.
            for key in (try? entry.task?.source.table())?.entries ?? [] where key.key != "schedule" {
                table.add(key.key, Self.text(key.value))
            }
            for (key, value) in catalog.defaults(of: entry) {
                table.add(key, "\(Self.text(value)), from the configuration")
            }
            session.writeTimes(table)
            if !entry.schedules.isEmpty { output.line("") }
        }
        if !entry.schedules.isEmpty || session.arguments.flag("schedules") {
            var table = TextTable(["SCHEDULE", "WHEN", "TIMEZONE", "NEXT", "FILE"])
            for schedule in entry.schedules {
                let next = due.next(schedule, of: entry, count: 1).first?.instant
                let when = schedule.definition.onPath == nil ? session.time(next) : "when a file arrives"
                table.add([
                    .init(schedule.definition.id), .init(schedule.definition.expression), .init(schedule.definition.zone.name),
                    .init(schedule.definition.enabled ? when : "disabled"),
                    .init(schedule.file.map { "\(Layout.schedules)/\($0)" } ?? "-"),
                ])
            }
            if session.arguments.flag("schedules") { session.writeTimes(table) } else { table.write(to: output) }
        }
        return ExitCode.done
    }

    private static func text(_ value: Value) -> String {
        if case .string(let text) = value.kind { return text }
        return JSON.write(value)
    }
}
