import Store

/// The text of a task, a schedule or a waiting job.
protocol DefinitionText {
    var session: Session { get }
    /// `task backup`, `job ID`.
    var label: String { get }
    /// The file's name.
    var file: String { get }
    /// The file's path in the spool.
    var path: String { get }
    /// The text that was read.
    var source: Source { get }
}

/// The text of a task or of a waiting job, and changes to it that are checked before they take effect.
protocol DefinitionEdit: DefinitionText {
    /// Checks a new text and puts it in the place of the one that was read. Returns the schedules in it.
    func write(_ changed: Source) throws(Failure) -> [ScheduleDefinition]
    /// Prints what was changed, with the remarks that a new task or job of this text would get.
    func report(_ changed: Source) throws(Failure)
}

extension DefinitionEdit {
    /// The text, with keys set and removed.
    func changing(set table: Table, remove keys: [String]) throws(Failure) -> Source {
        for key in keys where !JobDefinition.keys.contains(key) {
            throw .usage("--unset: there is no key \"\(key)\"".suggesting(key, among: JobDefinition.keys))
        }
        let old = try self.table()
        var entries = table.entries
        for index in entries.indices where entries[index].key == "env" {
            guard case .table(let given) = entries[index].value.kind, case .table(var variables)? = old["env"]?.kind else { continue }
            for one in given.entries { variables.set(one.key, one.value) }
            entries[index].value = Value(.table(variables))
        }
        var gone = keys.filter { table[$0] == nil }
        if table["command"] != nil { gone.append("script") }
        return try edited { (editor: inout TOMLEditor) throws(DocumentError) in
            for key in gone { editor.remove(key) }
            for entry in entries { try editor.set(entry.key, to: entry.value) }
        } json: { root in
            for key in gone { root.remove(key) }
            for entry in entries { root.set(entry.key, entry.value) }
        }
    }

    /// The text, without one of its schedules.
    func removingSchedule(at index: Int) throws(Failure) -> Source {
        try edited { (editor: inout TOMLEditor) throws(DocumentError) in
            editor.removeElement(of: "schedule", at: index)
        } json: { root in
            guard case .array(var elements)? = root["schedule"]?.kind, elements.indices.contains(index) else { return }
            elements.remove(at: index)
            root.set("schedule", Value(.array(elements)))
        }
    }

    /// The text with one more schedule, at the end.
    func adding(schedule table: Table) throws(Failure) -> Source {
        try edited { (editor: inout TOMLEditor) throws(DocumentError) in
            try editor.append(tableArray: "schedule", table)
        } json: { root in
            var elements: [Value] = []
            if case .array(let known)? = root["schedule"]?.kind { elements = known }
            root.set("schedule", Value(.array(elements + [Value(.table(table))])))
        }
    }

}

extension DefinitionText {
    func table() throws(Failure) -> Table {
        do throws(Problems) { return try source.table() } catch { throw Failure(file: path, error) }
    }

    /// The text, changed in its own format.
    func edited(
        toml: (inout TOMLEditor) throws(DocumentError) -> Void, json: (inout Table) -> Void
    ) throws(Failure) -> Source {
        if source.format == .json {
            var root = try table()
            json(&root)
            return Source(format: .json, bytes: Array((JSON.write(Value(.table(root)), pretty: true) + "\n").utf8))
        }
        guard source.format == .toml else { throw .invalid("\(label) is a script with its keys in comments; spoolctl edit changes it") }
        do throws(DocumentError) {
            var editor = try TOMLEditor(String(decoding: source.bytes, as: UTF8.self))
            try toml(&editor)
            return Source(format: .toml, bytes: Array(editor.text.utf8))
        } catch {
            throw Failure(file: path, Problems(error))
        }
    }
}
