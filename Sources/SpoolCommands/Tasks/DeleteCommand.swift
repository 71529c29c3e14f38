import Glibc
import Store

extension SpoolCommand {
    static let delete = SpoolCommand(
        "delete", "NAME [-f]", "delete a task and its schedules",
        details: ["Removes tasks/NAME.* and its files in schedules/. Records of its runs stay; a run that goes on is not stopped."],
        options: [Option("force", "f", "do not ask")],
        examples: [Example("spoolctl delete backup -f", "without asking")]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME")
        let catalog = try TaskCatalog(session)
        let entry = try catalog.entry(name)
        let schedules = entry.schedules.compactMap(\.file)
        if !session.arguments.flag("force") {
            guard isatty(STDIN_FILENO) == 1 else { throw .usage("delete asks on a terminal; off one it needs -f") }
            let more = schedules.isEmpty ? "" : " and \(schedules.count) schedules"
            guard session.asks("Delete task \(name)\(more)?") else {
                session.complain("nothing was deleted")
                return ExitCode.failed
            }
        }
        // The schedules first: a crash between the two leaves a task without some of them, not schedules without a task.
        if !schedules.isEmpty { try DefinitionWriting(fs: catalog.fs, directory: Layout.schedules).remove(schedules) }
        try DefinitionWriting(fs: catalog.fs, directory: Layout.tasks).remove(entry.files)
        session.printTask(name, change: "deleted task \(name)")
        return ExitCode.done
    }
}
