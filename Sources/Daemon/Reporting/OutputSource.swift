import Scheduler
import Store
import WorkerProtocol

/// A try whose output comes.
package struct OutputSource: Sendable {
    package let id: String
    package let attempt: Int
    /// The task's name. The job's own when it is of no task.
    package let task: String
    /// The number of the try among those of the jobs that its job repeats.
    let number: Int
    /// The sizes of the files' parts that were reported, by the names of the files.
    private var ends: [String: Int64] = [:]
    /// The reported bytes that were left out, because too much waited.
    private(set) var refusedBytes: Int64 = 0

    package init(id: String, attempt: Int, task: String, number: Int = 1) {
        self.id = id
        self.attempt = attempt
        self.task = task
        self.number = number
    }

    init(_ job: Job) {
        self.init(id: job.id.text, attempt: job.attempt, task: job.task ?? job.name, number: job.earlierTries + job.attempt)
    }

    mutating func reported(_ output: Report.Output) { ends[output.stream] = output.end }

    mutating func refused(_ output: Report.Output) { refusedBytes += Int64(output.bytes.count + (output.isPartial ? 0 : 1)) }

    /// The bytes of a try's output that its worker has not reported, of which `size` tells the sizes of the files. A file keeps its name
    /// until there is another try.
    func unreportedBytes(size: (_ id: JobID, _ name: String) -> Int64?) -> Int64 {
        guard let id = JobID(id) else { return 0 }
        return [Layout.outputFile, Layout.errorFile].reduce(Int64(0)) { count, name in
            let size = size(id, "\(name).\(number)") ?? size(id, name) ?? 0
            return count.addingSaturated(max(0, size - (ends[name] ?? 0)))
        }
    }

    func isOf(_ id: String, _ attempt: Int) -> Bool { self.id == id && self.attempt == attempt }
}
