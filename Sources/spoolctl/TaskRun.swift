import Store

/// A job that is a run of a task, checked before it is submitted.
struct TaskRun {
    private let session: Session

    init(_ session: Session) { self.session = session }

    /// The job's file: the task's name, and what options change.
    func source(of task: String, _ job: JobOptions) throws(Failure) -> Source {
        var table = Table()
        table.set("task", Value(.string(task)))
        for entry in job.table.entries { table.set(entry.key, entry.value) }
        try check(job.table, task: task) { job.failure($0) }
        return Source(writing: table)
    }

    /// Checks a job's file that names a task.
    func check(_ table: Table, task: String, file: String) throws(Failure) {
        try check(table, task: task) { Failure(file: file, $0) }
    }

    private func check(_ overrides: Table, task name: String, _ failure: (Problems) -> Failure) throws(Failure) {
        let entry = try TaskCatalog(session, withSchedules: false).entry(name)
        let task = try session.inForce(entry)
        let context = try session.context()
        do throws(Problems) { _ = try JobDefinition.read(try task.jobTable(overrides: overrides), context) } catch {
            throw failure(error)
        }
    }
}
