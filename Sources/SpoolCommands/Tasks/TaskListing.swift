import Store

extension TaskCatalog {
    /// The fields of a line in a pipe.
    func row(_ entry: Entry, _ due: DueTimes, _ last: JobRecord?) -> [TextTable.Cell] {
        let next = due.next([entry], count: 1).first
        let isWaiting = entry.schedules.contains { $0.definition.enabled && $0.definition.onPath != nil }
        return [
            .init(session.qualified(entry.name)), .init(next == nil && isWaiting ? "when a file arrives" : session.time(next?.instant)),
            .init(String(entry.schedules.count)),
            .init(state(of: entry), colour(of: entry)),
            .init(entry.remarks.first ?? title(of: entry) ?? ""),
            .init(session.time(last?.ranAt)), .init(last?.outcome ?? "-"),
            .init(last.flatMap { $0.status.tookMilliseconds(now: session.now) }.map { TimeText.length($0) } ?? "-"),
        ]
    }

    /// The task's title for people, else its description.
    func title(of entry: Entry) -> String? { ownTitle(of: entry) ?? text("description", of: entry) }

    func ownTitle(of entry: Entry) -> String? { text("title", of: entry) }

    private func colour(of entry: Entry) -> Output.Colour? {
        if entry.task == nil || entry.isEditRefused || isOverdue(entry) { return .red }
        return pauseNote(of: entry) == nil ? nil : .yellow
    }

    func state(of entry: Entry) -> String {
        if entry.task == nil { return "invalid" }
        var parts: [String] = []
        if entry.isEditRefused { parts.append("edit refused") }
        if isOverdue(entry) { parts.append("overdue") }
        if pauseNote(of: entry) != nil { parts.append("paused") }
        return parts.isEmpty ? "ok" : parts.joined(separator: ", ")
    }

    /// The keys that the runs of a task have from the configuration.
    func defaults(of entry: Entry) -> [(key: String, value: Value)] {
        guard let table = try? entry.task?.source.table() else { return [] }  // as below
        return context.taskDefaults.added(to: table, ofTask: entry.name)
    }

    /// The text of a key of the task: its title or description.
    private func text(_ key: String, of entry: Entry) -> String? {
        // A definition in force can be parsed again without an error.
        (try? entry.task?.source.table())?.text(key)
    }

    /// Writes the members of a task's JSON object for `list --json` and `show --json`.
    func write(_ entry: Entry, _ due: DueTimes, details: Bool, to writer: inout JSONWriter) {
        writer.member("name", session.qualified(entry.name))
        writer.member("state", state(of: entry))
        writer.member("note", pauseNote(of: entry))
        writer.member("title", ownTitle(of: entry))
        writer.member("description", text("description", of: entry))
        writer.member("next_due", due.next([entry], count: 1).first?.instant)
        writer.member("file", path(of: entry))
        if let line = entry.line?.line { writer.member("line", line) }
        writer.member("in_force", entry.task != nil)
        writer.member("changed_at", entry.changedAt)
        if details, let table = try? entry.task?.source.table() {  // as above
            var definition = table
            definition.remove("schedule")
            writer.key("definition")
            writer.value(Value(.table(definition)))
            let defaults = defaults(of: entry)
            if !defaults.isEmpty {
                writer.key("from_configuration")
                writer.object { for (key, value) in defaults { $0.key(key); $0.value(value) } }
            }
        }
        writer.member("schedules", objects: entry.schedules) { writer, schedule in
            let definition = schedule.definition
            writer.member("id", definition.id)
            writer.member("when", definition.expression)
            writer.member("timezone", definition.zone.name)
            if let onPath = definition.onPath { writer.member("paths", onPath.paths.rawValue) }
            writer.member("enabled", definition.enabled)
            writer.member("next_due", due.next(schedule, of: entry, count: 1).first?.instant)
            writer.member("file", schedule.file.map { "\(session.spoolPath)/\(Layout.schedules)/\($0)" })
        }
        writer.member("problems", texts: entry.problems)
    }
}
