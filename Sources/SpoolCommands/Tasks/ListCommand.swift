import Store

extension SpoolCommand {
    static let list = SpoolCommand(
        "list", "[options]", "list tasks",
        options: [
            Option("names", "print all names, and nothing else"),
            Option("full", "with --json: the definition of each task too"),
            Option("offset", value: "N", "skip the first N tasks"),
            Option("limit", "n", value: "N", "list N tasks at most (10); 0 means all"),
        ],
        examples: [Example("spoolctl list --offset 10 --limit 20", "tasks 11 to 30")]
    ) { session throws(Failure) in
        try session.noOperands()
        if session.arguments.flag("full"), !session.isJSON { throw .usage("--full needs --json; spoolctl show NAME prints a definition") }
        let withSchedules = !session.isQuiet && !session.arguments.flag("names")
        var parts: [(session: Session, catalog: TaskCatalog, names: [String])] = []
        var code = try EverybodysSpool.each(session) { part throws(Failure) in
            let catalog = try TaskCatalog(part, withSchedules: withSchedules)
            parts.append((part, catalog, try catalog.names()))
        }
        if !session.arguments.flag("names") { try session.remarkIfNotServed() }
        if session.arguments.flag("names") || (session.isQuiet && session.arguments.value("limit") == nil) {
            let names = parts.flatMap { part in part.names.map(part.session.qualified) }
            if session.isJSON {
                session.output.line(JSON.write(Value(.array(names.map { Value(.string($0)) }))))
            } else {
                for name in names { session.output.line(name) }
            }
            return code
        }
        let offset = try session.count("offset", default: 0)
        let limit = try session.count("limit", default: 10)
        var writer = JSONWriter(reserving: 4096)
        writer.beginArray()
        var table = TextTable(["NAME", "NEXT", "SCHEDULES", "STATE", "DESCRIPTION"])
        var before = 0
        var shown = 0
        for part in parts {
            let first = max(0, offset - before)
            before += part.names.count
            guard first < part.names.count, limit == 0 || shown < limit else { continue }
            let isWhole = try session.tolerating(part.session) { () throws(Failure) in
                let catalog = part.catalog
                let page = try catalog.entries((first, limit == 0 ? 0 : limit - shown)).page
                shown += page.count
                let due = try DueTimes(part.session, catalog.fs, for: page)
                for entry in page {
                    if session.isJSON {
                        writer.object { catalog.write(entry, due, details: session.arguments.flag("full"), to: &$0) }
                    } else if session.isQuiet {
                        session.output.line(part.session.qualified(entry.name))
                    } else {
                        table.add(catalog.row(entry, due))
                    }
                }
            }
            if !isWhole { code = ExitCode.failed }
        }
        writer.endArray()
        if session.isJSON { session.output.line(String(decoding: writer.bytes, as: UTF8.self)) }
        if !session.isJSON, !session.isQuiet { session.writeTimes(table) }
        let rest = before - offset - shown
        if rest > 0, !session.isJSON { session.complain("\(rest) more; --offset \(offset + shown) shows them") }
        for part in parts { for line in part.catalog.scheduleRemarks { session.complain(part.session.qualified(line)) } }
        return code
    }
}
