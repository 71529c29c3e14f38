/// The runs of a task that have not ended, and those of them that are held.
final class TaskRuns {
    /// The run that has begun and not ended, including the time between two tries. Nil with `overlap = "allow"`.
    var current: Job?
    /// All runs that have not ended.
    var active = ActiveRuns()
    /// The number of those whose try runs.
    var runningCount = 0
    /// Runs that wait for `current` to end, or for the task to be resumed.
    private var held = HeldJobs()
    /// Runs that only wait for the task to be resumed, because they may overlap.
    private var heldFree = Lineup<ReadyQueues.Entry>()
    /// `current`, when its next try waits for the task to be resumed.
    private var heldCurrent: ReadyQueues.Entry?

    // MARK: Held runs

    func blocks(_ job: Job) -> Bool { job.definition.overlap != .allow && current != nil && current !== job }

    func hold(_ job: Job) {
        let entry = ReadyQueues.Entry(job)
        if job === current {
            heldCurrent = entry
        } else if job.definition.overlap == .allow {
            heldFree.insert(entry)
        } else {
            held.hold(job)
        }
    }

    /// The held runs that may start now: all that may overlap, otherwise the best of each queue, since any queue may be full.
    /// When one of them starts, the others are held again.
    func release() -> [Job] {
        var released: [Job] = []
        while let entry = heldFree.removeFirst() { released.append(entry.job) }
        if let entry = heldCurrent {
            heldCurrent = nil
            if entry.isValid { released.append(entry.job) }
        }
        guard current == nil else { return released }
        return released + held.releaseBest()
    }
}
