import Store

/// A task's file, and changes to its text that are checked before they are written.
struct TaskEdit {
    let session: Session
    let name: String
    let file: String
    let source: Source
    private let fs: DiskFileSystem

    /// Reads the task's file, which need not be valid.
    init(_ session: Session, _ name: String) throws(Failure) {
        self.session = session
        self.name = name
        let catalog = try TaskCatalog(session, withSchedules: false)
        fs = catalog.fs
        let entry = try catalog.entry(name)
        let taken: DefinitionFile?
        do throws(DefinitionProblem) {
            taken = try catalog.spool.definition(in: Layout.tasks, stem: name, files: entry.files)
        } catch {
            throw Failure(error)
        }
        guard let taken else {
            throw Failure(ExitCode.failed, "\(Layout.tasks)/\(entry.files[0]): another program is writing this file; try again")
        }
        file = taken.file
        source = taken.source
    }

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

    private func table() throws(Failure) -> Table {
        do throws(Problems) { return try source.table() } catch { throw Failure(file: "\(Layout.tasks)/\(file)", error) }
    }

    private func edited(
        toml: (inout TOMLEditor) throws(DocumentError) -> Void, json: (inout Table) -> Void
    ) throws(Failure) -> Source {
        if source.format == .json {
            var root = try table()
            json(&root)
            return Source(format: .json, bytes: Array((JSON.write(Value(.table(root)), pretty: true) + "\n").utf8))
        }
        do throws(DocumentError) {
            var editor = try TOMLEditor(String(decoding: source.bytes, as: UTF8.self))
            try toml(&editor)
            return Source(format: .toml, bytes: Array(editor.text.utf8))
        } catch {
            throw Failure(file: "\(Layout.tasks)/\(file)", Problems(error))
        }
    }

    /// Refuses a text that the daemon would refuse. Returns the definition that would be in force.
    func check(_ source: Source) throws(Failure) -> TaskDefinition? {
        let context = try session.context()
        let spool = Spool(fs, host: "")
        let text = DefinitionFile(file: file, stem: name, source: source, changedAt: session.now)
        let judged = try attempt { () throws(SystemError) in try spool.taskInForce(as: text, context) }
        if !judged.problems.isEmpty { throw Failure(ExitCode.invalid, judged.problems) }
        do throws(Problems) { try judged.definition?.checkRun(context) } catch {
            throw Failure(file: "\(Layout.tasks)/\(file)", error)
        }
        return judged.definition
    }

    /// Replaces the file with the new text, unless another program has changed the file since it was read.
    @discardableResult
    func write(_ changed: Source) throws(Failure) -> TaskDefinition? {
        let task = try check(changed)
        let taken = try attempt { () throws(SystemError) in
            try fs.take("\(Layout.tasks)/\(file)", limit: Source.bytesMax, ignoringWriters: true)
        }
        guard case .file(_, let bytes) = taken, bytes == source.bytes else {
            throw Failure(ExitCode.failed, "\(Layout.tasks)/\(file) was changed by another program and is left unchanged; try again")
        }
        try DefinitionWriting(fs: fs, directory: Layout.tasks).replace(changed.bytes, file: file)
        return task
    }
}
