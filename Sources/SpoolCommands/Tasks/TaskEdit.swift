import Store

/// A task's file, and changes to its text.
struct TaskEdit: DefinitionEdit {
    let session: Session
    let name: String
    let file: String
    var source: Source
    private let fs: DiskFileSystem

    var label: String { "task \(name)" }
    var path: String { "\(Layout.tasks)/\(file)" }

    /// Reads the task's file, which need not be valid.
    init(_ session: Session, _ name: String) throws(Failure) {
        self.session = session
        self.name = name
        let catalog = try TaskCatalog(session, withSchedules: false)
        fs = catalog.fs
        let entry = try catalog.entry(name)
        try entry.refuseIfLine()
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
    func write(_ changed: Source) throws(Failure) -> [ScheduleDefinition] {
        let task = try check(changed)
        var change = DefinitionChange(fs)
        try add(changed, to: &change)
        try change.carryOut()
        return task?.schedules ?? []
    }

    /// Adds a new text to a change of several files.
    func add(_ changed: Source, to change: inout DefinitionChange) throws(Failure) {
        try change.add(changed.bytes, at: path, over: .text(source.bytes))
    }

    func report(_ changed: Source) throws(Failure) {
        session.printTask(name, change: "changed task \(session.qualified(name))")
        try session.remarkNextDue(ofChanged: name)
    }
}
