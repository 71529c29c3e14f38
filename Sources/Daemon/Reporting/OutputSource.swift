import Scheduler

/// A try whose output comes.
package struct OutputSource: Sendable {
    package let id: String
    package let attempt: Int
    /// The task's name. The job's own when it is of no task.
    package let task: String

    package init(id: String, attempt: Int, task: String) {
        self.id = id
        self.attempt = attempt
        self.task = task
    }

    init(_ job: Job) { self.init(id: job.id.text, attempt: job.attempt, task: job.task ?? job.name) }

    func isOf(_ id: String, _ attempt: Int) -> Bool { self.id == id && self.attempt == attempt }
}
