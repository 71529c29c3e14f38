/// The runs of a task that have not ended.
struct ActiveRuns {
    private var jobs: [JobID: Job] = [:]
    /// The number of runs of each schedule.
    private var counts: [String: Int] = [:]

    var isEmpty: Bool { jobs.isEmpty }

    /// True when one of them has not begun its first try.
    var hasNew: Bool { jobs.values.contains { $0.attempt == 0 } }

    /// The first to arrive comes first.
    var inOrder: [Job] { jobs.values.sorted { $0.arrival < $1.arrival } }

    func hasRun(ofSchedule id: String) -> Bool { counts[id] != nil }

    mutating func insert(_ job: Job) {
        if let old = jobs[job.id] { remove(old) }
        jobs[job.id] = job
        if let schedule = job.schedule { counts[schedule, default: 0] += 1 }
    }

    mutating func remove(_ job: Job) {
        guard jobs[job.id] === job else { return }
        jobs[job.id] = nil
        guard let schedule = job.schedule, let count = counts[schedule] else { return }
        counts[schedule] = count == 1 ? nil : count - 1
    }
}
