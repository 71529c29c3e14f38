import Linux
import Store
import Web
import WorkerProtocol

/// One task: its schedules and coming due times, its runs, and its definition.
struct TaskPage {
    private let context: PageContext
    private let name: String

    private static let comingCount = 5

    init(_ context: PageContext, name: String) {
        self.context = context
        self.name = name
    }

    func page() throws(Failure) -> MonitorPage {
        let (owner, own) = UserPart.split(name)
        let part = try context.part(of: owner)
        let content = try part.asOwner { () throws(Failure) -> Markup in try main(part, own) }
        return MonitorPage(title: name, view: .tasks, main: content)
    }

    private func main(_ part: Session, _ own: String) throws(Failure) -> Markup {
        let catalog = try TaskCatalog(part)
        let entry = try catalog.entry(own)
        let due = try DueTimes(part, catalog.fs, for: [entry])
        let recent = try RecentRuns(part, of: [own], count: TaskRows.runs)
        let about: Markup = catalog.title(of: entry).map { "<p class=\"lead\">\($0)</p>\n" } ?? ""
        let problems = entry.remarks.map {
            "<p class=\"lead\">\(PageContext.tag("bad", "▲", "problem")) \(part.qualified($0))</p>\n" as Markup
        }
        let pause: Markup = catalog.pauseNote(of: entry).map { $0.isEmpty ? "" : "<p class=\"lead\">Paused: \($0)</p>\n" } ?? ""
        var main: Markup = """
            <div><h2 class="title">\(name)\(TaskRows.tags(catalog, entry))</h2>
            \(about)\(problems)\(pause)</div>

            """
        main += """
            <div class="stack left">
            \(runs(part, recent.runs(of: own), recent.lengths(of: own)))</div>
            <div class="stack right">
            \(coming(entry, due))\(schedules(entry, due))\(definition(part, catalog, entry))</div>

            """
        return main
    }

    private func runs(_ part: Session, _ runs: [JobRecord], _ lengths: (mean: Int64, longest: Int64)?) -> Markup {
        let rows = runs.map { run -> [Markup] in
            let status = run.status
            let note = run.place.state == .failed ? run.lastErrorLine ?? status.failureText ?? "" : ""
            let id = part.qualified(status.id)
            return [
                context.link(PageContext.address(ofJob: id), "<span class=\"mono\">\(JobTable.shortID(status.id))</span>"),
                context.mark(run),
                context.time(status.due), context.time(status.startedAt),
                status.tookMilliseconds(now: context.now).map { "\(TimeText.short($0))" } ?? "<span class=\"quiet\">–</span>", "\(note)",
            ]
        }
        let usual: Markup =
            lengths.map { "; they take \(TimeText.short($0.mean)) in the mean, \(TimeText.short($0.longest)) at the longest" } ?? ""
        let all = context.link(MonitorView.jobs.address.with("task", name), "all")
        let table = context.table(
            "Runs", [.init("Run"), .init("State"), .init("Due"), .init("Started"), .init("Took", isNumber: true), .init("Note")], rows,
            ifEmpty: "It has not run yet.")
        return context.section("runs", "Runs", more: "the last \(runs.count)\(usual); \(all)", "<p>\(context.marks(runs))</p>\n\(table)")
    }

    private func coming(_ entry: TaskCatalog.Entry, _ due: DueTimes) -> Markup {
        let next = due.next([entry], count: Self.comingCount)
        let rows = next.map { one -> [Markup] in [context.timeAndDistance(one.instant), "\(one.note ?? "")"] }
        return context.section(
            "coming", "Due next", context.table("Coming due times", [.init("Due"), .init("Note")], rows, ifEmpty: "No due time is known."))
    }

    private func schedules(_ entry: TaskCatalog.Entry, _ due: DueTimes) -> Markup {
        let rows = entry.schedules.map { schedule -> [Markup] in
            let definition = schedule.definition
            let words = ScheduleWords.text([definition], callerZone: context.zone, now: context.now)
            return ["<span class=\"mono\">\(definition.expression)</span>", "\(words)", "\(definition.zone.name)"]
        }
        return context.section(
            "schedules", "Schedules",
            context.table("Schedules", [.init("Schedule"), .init("In words"), .init("Time zone")], rows, ifEmpty: "It has no schedule."))
    }

    private func definition(_ part: Session, _ catalog: TaskCatalog, _ entry: TaskCatalog.Entry) -> Markup {
        var rows: [(name: String, value: Markup)] = [("file", "<span class=\"mono\">\(catalog.path(of: entry))</span>")]
        if let line = entry.line?.line { rows.append(("line", "\(line)")) }
        if let changedAt = entry.changedAt { rows.append(("changed", context.timeAndDistance(changedAt))) }
        if let table = try? entry.task?.source.table() {  // a definition in force can be parsed again without an error
            rows += DefinitionFacts.rows(table, without: ["schedule"])
        }
        for (key, value) in catalog.defaults(of: entry) {
            rows.append((key, "\(DefinitionFacts.text(value)) <span class=\"quiet\">from the configuration</span>"))
        }
        return context.section("definition", "Definition", FactTable.markup("Definition", rows))
    }
}

/// The keys of a definition. Variables whose names look like those of secrets have no values.
enum DefinitionFacts {
    static func rows(_ table: Table, without left: Set<String> = []) -> [(name: String, value: Markup)] {
        table.entries.filter { !left.contains($0.key) }.map { entry -> (name: String, value: Markup) in
            if entry.key == "env", case .table(let variables) = entry.value.kind {
                let lines = variables.entries.map { one in
                    "\(one.key)=\(SecretName.isLikely(one.key.utf8) ? "***" : text(one.value))"
                }
                return (entry.key, "<pre tabindex=\"0\">\(Markup.lines(lines.joined(separator: "\n")))</pre>")
            }
            let shown = text(entry.value)
            let isShort = shown.utf8.count <= 60 && !shown.utf8.contains(UInt8(ascii: "\n"))
            return (entry.key, isShort ? "<span class=\"mono\">\(shown)</span>" : "<pre tabindex=\"0\">\(Markup.lines(shown))</pre>")
        }
    }

    static func text(_ value: Value) -> String {
        if case .string(let text) = value.kind { return text }
        return JSON.write(value)
    }
}
