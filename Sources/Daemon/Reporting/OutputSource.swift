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
    /// The sizes of the files' parts that were counted because they were not reported then. Nothing in them is written any more.
    private var countedEnds: [String: Int64] = [:]
    /// The reported bytes that are left out and not counted yet.
    private var refusedBytes: Int64 = 0
    /// The reported bytes that were left out and counted at once, and are not said yet.
    private var saidLaterBytes: Int64 = 0

    package init(id: String, attempt: Int, task: String, number: Int = 1) {
        self.id = id
        self.attempt = attempt
        self.task = task
        self.number = number
    }

    init(_ job: Job) {
        self.init(id: job.id.text, attempt: job.attempt, task: job.task ?? job.name, number: job.runNumber)
    }

    /// Takes up a report. Returns false when bytes of it were counted as left out before: the others are left out with them.
    package mutating func reported(_ output: Report.Output) -> Bool {
        // The daemon asks for the end, so a worker that does not say it is not spoold's.
        guard let end = output.end else { return true }
        let last = ends[output.stream] ?? 0
        ends[output.stream] = end
        guard let counted = countedEnds[output.stream] else { return true }
        if end <= last {
            // The job has truncated the file: these are other bytes.
            countedEnds[output.stream] = nil
            return true
        }
        if end - output.fileBytes >= counted { return true }
        refusedBytes = refusedBytes.addingSaturated(max(0, end - counted))
        return false
    }

    /// Takes up that a report was left out and counted.
    package mutating func wasLeftOut(_ output: Report.Output) { saidLaterBytes = saidLaterBytes.addingSaturated(output.fileBytes) }

    /// The bytes that were left out and counted at once, to be said now.
    package mutating func takeSaidLater() -> Int64 {
        defer { saidLaterBytes = 0 }
        return saidLaterBytes
    }

    /// Counts the bytes of the try's output that are left out when its worker reports no more. `size` tells the sizes of the files. A file
    /// keeps its name until there is another try. No byte is counted twice.
    package mutating func leaveOut(size: (_ id: JobID, _ name: String) -> Int64?) -> Int64 {
        var count = refusedBytes
        refusedBytes = 0
        guard let id = JobID(id) else { return count }
        for name in [Layout.outputFile, Layout.errorFile] {
            let size = size(id, "\(name).\(number)") ?? size(id, name) ?? 0
            let end = max(ends[name] ?? 0, countedEnds[name] ?? 0)
            guard size > end else { continue }
            count = count.addingSaturated(size - end)
            countedEnds[name] = size
        }
        return count
    }

    /// The bytes that are left out and not counted yet at the end of the try, of which the worker has not reported `unreportedBytes`.
    package func leftOutBytes(unreportedBytes: Int64) -> Int64 {
        let counted = countedEnds.reduce(Int64(0)) { count, one in count.addingSaturated(max(0, one.value - (ends[one.key] ?? 0))) }
        return max(0, unreportedBytes - counted).addingSaturated(refusedBytes)
    }

    func isOf(_ id: String, _ attempt: Int) -> Bool { self.id == id && self.attempt == attempt }
}

extension Report.Output {
    /// The number of bytes in the file, without those that are not reported.
    fileprivate var fileBytes: Int64 { Int64(bytes.count + (isPartial ? 0 : 1)) }
}
