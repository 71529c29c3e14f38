import Store

extension SpoolCommand {
    static let list = SpoolCommand(
        "list", "[options]", "list tasks",
        details: [
            """
            On a terminal: when each task is due, its newest run, how that ended and how long it took; below the table, what is wrong with \
            tasks. A task whose edit was refused is shown as it runs. A pipe gets the name, the next due time, the number of schedules, \
            the state, the title or description, and the newest run's start, result and length.
            """
        ],
        options: [
            Option("names", "print all names, and nothing else"),
            Option("full", "with --json: the definition of each task too"),
            Option("offset", value: "N", "skip the first N tasks"),
            Option("limit", "n", value: "N", "list N tasks at most; 0, the default, means all"),
        ],
        examples: [Example("spoolctl list --offset 10 --limit 20", "tasks 11 to 30")]
    ) { session throws(Failure) in
        try session.noOperands()
        if session.arguments.flag("full"), !session.isJSON { throw .usage("--full needs --json; spoolctl show NAME prints a definition") }
        let withSchedules = !session.isQuiet && !session.arguments.flag("names")
        let isNames = session.arguments.flag("names") || (session.isQuiet && session.arguments.value("limit") == nil)
        var parts: [(session: Session, catalog: TaskCatalog)] = []
        var names: [String] = []
        var code = try EverybodysSpool.each(session) { part throws(Failure) in
            let catalog = try TaskCatalog(part, withSchedules: withSchedules)
            if isNames { names += try catalog.names().map(part.qualified) }
            parts.append((part, catalog))
        }
        if !session.arguments.flag("names") { try session.remarkIfNotServed() }
        if isNames {
            if session.isJSON {
                session.output.line(JSON.write(Value(.array(names.map { Value(.string($0)) }))))
            } else {
                for name in names { session.output.line(name) }
            }
            return code
        }
        let offset = try session.count("offset", default: 0)
        let limit = try session.count("limit", default: 0)
        var writer = JSONWriter(reserving: 4096)
        writer.beginArray()
        var table = TaskTable(session)
        let isTable = session.output.isTerminal && !session.isJSON && !session.isQuiet
        var lines = TextTable()
        var (skipped, shown, rest, isRestLeast) = (0, 0, 0, false)
        for part in parts {
            let isWhole = try session.tolerating(part.session) { () throws(Failure) in
                let catalog = part.catalog
                let (page, names) = try catalog.page(skipping: offset - skipped, atMost: limit == 0 ? .max : limit - shown)
                skipped += names.skipped
                shown += page.count
                rest += names.rest
                isRestLeast = isRestLeast || names.isRestLeast
                if page.isEmpty { return }
                let due = try DueTimes(part.session, catalog.fs, for: page)
                let last = try RecentRuns(part.session, of: session.isQuiet ? [] : page.map(\.name), count: 1)
                let skips = isTable ? try SkippedDues(part.session, catalog.fs) : nil
                for entry in page {
                    let run = last.runs(of: entry.name).first
                    if session.isJSON {
                        writer.object { writer in
                            catalog.write(entry, due, details: session.arguments.flag("full"), to: &writer)
                            writer.key("last_run")
                            if let run { writer.object(run.writeAsLastRun) } else { writer.null() }
                        }
                    } else if session.isQuiet {
                        session.output.line(part.session.qualified(entry.name))
                    } else if isTable {
                        table.add(entry, catalog, due, run, skips?.last(of: entry.name))
                    } else {
                        lines.add(catalog.row(entry, due, run))
                    }
                }
            }
            if !isWhole { code = ExitCode.failed }
        }
        writer.endArray()
        if session.isJSON { session.output.line(String(decoding: writer.bytes, as: UTF8.self)) }
        if isTable { table.write() } else if !session.isJSON, !session.isQuiet { lines.write(to: session.output) }
        if rest > 0, !session.isJSON {
            session.complain("\(isRestLeast ? "over " : "")\(rest) more; --offset \(offset + shown) shows them")
        }
        for part in parts { for line in part.catalog.scheduleRemarks { session.complain(part.session.qualified(line)) } }
        return code
    }
}
