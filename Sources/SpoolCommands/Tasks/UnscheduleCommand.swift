import Store

extension SpoolCommand {
    static let unschedule = SpoolCommand(
        "unschedule", "ID [--task NAME]", "remove a schedule",
        details: [
            "ID is that of a file in schedules/, or of a [[schedule]] in a task's own file, as show prints it; that block is then taken out of the file and the rest of it stays as it is."
        ],
        options: [Option("task", value: "NAME", "the task meant, where several have a schedule of that id")],
        examples: [Example("spoolctl unschedule k3f9ab2c", "removes one")]
    ) { session throws(Failure) in
        let id = try session.operand("a schedule's ID")
        let catalog = try TaskCatalog(session)
        let wanted = session.arguments.value("task")
        let spool = catalog.spool
        if wanted == nil, Name.isValid(id) {
            let files = try attempt { () throws(SystemError) in try spool.definitionFiles(in: Layout.schedules, stem: id) }
            if !files.isEmpty {
                try DefinitionWriting(fs: catalog.fs, directory: Layout.schedules).remove(files)
                session.output.noteChange("schedule \(id) was removed")
                session.printID(id)
                return ExitCode.done
            }
        }
        var found: [(entry: TaskCatalog.Entry, index: Int?)] = []
        for entry in try catalog.entries().page where wanted == nil || wanted == entry.name {
            guard let place = entry.schedules.firstIndex(where: { $0.definition.id == id }) else { continue }
            found.append((entry, entry.schedules[place].file == nil ? place : nil))
        }
        guard let first = found.first else { throw .notFound("there is no schedule \"\(id)\"") }
        guard found.count == 1 else {
            let names = found.map(\.entry.name).joined(separator: ", ")
            throw .usage("\"\(id)\" is a schedule of \(names); say which with --task")
        }
        if let index = first.index {
            let edit = try TaskEdit(session, first.entry.name)
            try edit.write(try edit.removingSchedule(at: index))
        } else {
            let files = first.entry.schedules.compactMap { $0.definition.id == id ? $0.file : nil }
            try DefinitionWriting(fs: catalog.fs, directory: Layout.schedules).remove(files)
        }
        session.output.noteChange("schedule \(id) was removed")
        session.printID(id)
        return ExitCode.done
    }
}
