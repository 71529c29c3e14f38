import Glibc
import Store

extension SpoolCommand {
    static let delete = SpoolCommand(
        "delete", "NAME [-f]", "delete a task and its schedules",
        details: ["Removes tasks/NAME.* and the task's files in schedules/. The records of its runs stay, and a running job continues."],
        options: [Option("force", "f", "do not ask")],
        examples: [Example("spoolctl delete backup -f", "deletes without asking")]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME")
        let catalog = try TaskCatalog(session)
        let entry = try catalog.entry(name)
        try entry.refuseIfLine()
        let schedules = entry.schedules.compactMap(\.file)
        let ofTask = DefinitionWriting(fs: catalog.fs, directory: Layout.tasks)
        let ofSchedules = DefinitionWriting(fs: catalog.fs, directory: Layout.schedules)
        // Schedules are removed first: a crash then leaves a task without some schedules, not schedules without a task.
        let removal = try ofSchedules.removal(of: schedules) + ofTask.removal(of: entry.files)
        if !session.arguments.flag("force") {
            guard isatty(STDIN_FILENO) == 1 else { throw .usage("delete asks for confirmation, which needs a terminal; use -f") }
            let more = schedules.isEmpty ? "" : " and its \(schedules.count == 1 ? "schedule" : "\(schedules.count) schedules")"
            guard session.asks("Delete task \(name)\(more)?") else {
                session.complain("nothing was deleted")
                return ExitCode.failed
            }
        }
        try ofTask.remove(removal)
        session.printTask(name, change: "deleted task \(name)")
        return ExitCode.done
    }
}
