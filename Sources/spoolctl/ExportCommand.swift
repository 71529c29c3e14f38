import Store

extension Command {
    static let export = Command(
        "export", "NAME --systemd|--crontab", "write a task as systemd units or as a line for a crontab",
        details: [
            "The way back. What the other side cannot do is said on standard error, key by key, and the exit code is then 4.",
        ],
        options: [
            Option("systemd", "a service and a timer"),
            Option("crontab", "lines for crontab(1)"),
        ],
        examples: [
            Example("spoolctl export backup --crontab", "lines to add to a crontab"),
            Example("spoolctl export backup --systemd", "backup.service and backup.timer, one after the other"),
        ]
    ) { session throws(Failure) in
        guard let name = session.arguments.operands.first, session.arguments.operands.count == 1 else {
            throw .usage("export needs one task's NAME; see spoolctl export --help")
        }
        guard session.arguments.flag("systemd") != session.arguments.flag("crontab") else {
            throw .usage("export needs --systemd or --crontab, to say as what")
        }
        let entry = try TaskCatalog(session).entry(name)
        let task = try session.inForce(entry)
        let job: JobDefinition
        let table: Table
        let context = try session.context()
        do throws(Problems) {
            job = try task.job(context).definition
            table = try task.source.table()
        } catch { throw Failure(file: "tasks/\(name)", error) }
        var export = Export(name: name, job: job, table: table, schedules: entry.schedules.map(\.definition))
        let text = session.arguments.flag("systemd") ? export.units() : export.crontab()
        if session.isJSON {
            var writer = JSONWriter(reserving: text.utf8.count + 256)
            writer.beginObject()
            writer.member("name", name)
            writer.member("text", text)
            writer.key("lost")
            writer.beginArray()
            for line in export.lost { writer.string(line) }
            writer.endArray()
            writer.endObject()
            session.output.line(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            session.output.write(text)
            for line in export.lost { session.complain("\(name): \(line)") }
        }
        return export.lost.isEmpty ? ExitCode.done : ExitCode.invalid
    }
}
