import Store

extension SpoolCommand {
    static let unschedule = SpoolCommand(
        "unschedule", "ID [--task NAME]", "remove a schedule",
        details: [
            """
            ID names a file in schedules/, or a [[schedule]] in a task's file, as spoolctl show prints it. The block of such a schedule \
            is removed from the task's file, and the rest of the file stays unchanged.
            """
        ],
        options: [Option("task", value: "NAME", "the task, when several tasks have a schedule with this ID").ofUsers],
        examples: [Example("spoolctl unschedule k3f9ab2c", "removes a schedule")]
    ) { session throws(Failure) in
        let id = try session.operand("a schedule's ID")
        let catalog = try TaskCatalog(session)
        let wanted = session.arguments.value("task")
        let spool = catalog.spool
        let ofSchedules = DefinitionWriting(fs: catalog.fs, directory: Layout.schedules)
        if wanted == nil, Name.isValid(id) {
            let files = try attempt { () throws(SystemError) in try spool.definitionFiles(in: Layout.schedules, stem: id) }
            if !files.isEmpty {
                try ofSchedules.remove(try ofSchedules.removal(of: files))
                session.output.noteChange("schedule \(id) was removed")
                session.printID(id)
                return ExitCode.done
            }
        }
        var found: [(entry: TaskCatalog.Entry, index: Int?)] = []
        for entry in try catalog.entries() where wanted == nil || wanted == entry.name {
            guard let place = entry.schedules.firstIndex(where: { $0.definition.id == id }) else { continue }
            found.append((entry, entry.schedules[place].file == nil ? place : nil))
        }
        guard let first = found.first else { throw .notFound("there is no schedule \"\(id)\"") }
        guard found.count == 1 else {
            let names = found.map(\.entry.name).joined(separator: ", ")
            throw .usage("\"\(id)\" is a schedule of \(names); name one with --task")
        }
        if let index = first.index {
            let edit = try TaskEdit(session, first.entry.name)
            try edit.write(try edit.removingSchedule(at: index))
        } else {
            let files = first.entry.schedules.compactMap { $0.definition.id == id ? $0.file : nil }
            try ofSchedules.remove(try ofSchedules.removal(of: files))
        }
        session.output.noteChange("schedule \(id) was removed")
        session.printID(id)
        return ExitCode.done
    }
}
