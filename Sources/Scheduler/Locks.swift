/// Who holds which name of `locks`, and who waits for it. A job takes all its locks when it starts, or none, and holds them
/// while it runs; so nobody ever holds one lock and waits for another.
///
/// Of those that wait for a free lock, the best of each queue is always among the ready jobs; it brings the next one in when it
/// starts, leaves, or has to wait for something else.
struct Locks {
    private var holders: [String: Job] = [:]
    private var held: [String: HeldJobs] = [:]

    /// The first lock that keeps the job from starting.
    func obstacle(to job: Job) -> String? { job.definition.locks.first { holders[$0] != nil } }

    /// The job that holds a lock.
    func holder(of lock: String) -> Job? { holders[lock] }

    mutating func hold(_ job: Job, at lock: String) { held[lock, default: HeldJobs()].hold(job) }

    /// A lock that another holds stays that one's: a snapshot tells of a job between two tries that it has begun and ended, whoever
    /// holds its locks by then.
    mutating func take(_ job: Job) {
        for lock in job.definition.locks where holders[lock] == nil { holders[lock] = job }
    }

    mutating func giveBack(_ job: Job) {
        for lock in job.definition.locks where holders[lock] === job { holders[lock] = nil }
    }

    /// Those that may go in place of `job`, which does not stand among the ready any more.
    mutating func release(after job: Job) -> [Job] {
        var released: [Job] = []
        for lock in job.definition.locks where holders[lock] == nil {
            released += held[lock]?.releaseBest() ?? []
            if held[lock]?.isEmpty == true { held[lock] = nil }
        }
        return released
    }
}
