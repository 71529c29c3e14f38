import Store

/// A run of a task, checked before it is submitted.
struct TaskRun {
    private let session: Session

    init(_ session: Session) { self.session = session }

    /// The job's file: the task's name, and the keys that options change.
    func source(of name: String, _ job: JobOptions) throws(Failure) -> Source {
        var table = Table()
        table.set("task", Value(.string(name)))
        for entry in job.table.entries { table.set(entry.key, entry.value) }
        let task = try session.inForce(try TaskCatalog(session, withSchedules: false).entry(name))
        let context = try session.context()
        // The options are checked first, so that an error names the option.
        do throws(Problems) { _ = try JobDefinition.accept(try task.jobTable(overrides: job.table), context) } catch {
            throw job.failure(error)
        }
        let source = Source(writing: table)
        try check(source, task, context, said: "the job")
        return source
    }

    /// Checks a job's file that names a task.
    func check(_ source: Source, task name: String, file: String) throws(Failure) {
        let task = try session.inForce(try TaskCatalog(session, withSchedules: false).entry(name))
        try check(source, task, try session.context(), said: file)
    }

    private func check(_ source: Source, _ task: TaskDefinition, _ context: ReadingContext, said file: String) throws(Failure) {
        let definition: JobDefinition
        do throws(Problems) { definition = try source.job(context) { _ in task }.definition } catch { throw Failure(file: file, error) }
        try session.refuseMissingFiles(of: definition) { "\(file): \($0)" }
        try session.refuseUnknown(definition.after) { "\(file): \($0)" }
    }
}
