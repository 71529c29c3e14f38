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
        let taken = try attempt { () throws(SystemError) in
            try fs.take("\(Layout.tasks)/\(file)", limit: Source.bytesMax, ignoringWriters: true)
        }
        guard case .file(_, let bytes) = taken, bytes == source.bytes else {
            throw Failure(ExitCode.failed, "\(Layout.tasks)/\(file) was changed by another program and is left unchanged; try again")
        }
        try DefinitionWriting(fs: fs, directory: Layout.tasks).replace(changed.bytes, file: file)
        return task?.schedules ?? []
    }

    func report() { session.printTask(name, change: "changed task \(session.qualified(name))") }
}
