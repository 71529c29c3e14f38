/// The holders of the names in `locks`, and the jobs that wait for them. A job takes all its locks when it starts, or none, and
/// holds them while it runs. So no job ever holds one lock and waits for another.
///
/// Of the jobs that wait for a free lock, the best of each queue is always among the ready jobs. It adds the next one when it
/// starts, leaves, or must wait for something else.
struct Locks {
    private var holders: [String: Job] = [:]
    private var held: [String: HeldJobs] = [:]

    /// The first lock that keeps the job from starting.
    func obstacle(to job: Job) -> String? { job.definition.locks.first { holders[$0] != nil } }

    mutating func hold(_ job: Job, at lock: String) { held[lock, default: HeldJobs()].hold(job) }

    /// A lock that another job holds stays with that job: for a job between two tries a snapshot contains a start and an end, but
    /// another job may hold the locks by then.
    mutating func take(_ job: Job) {
        for lock in job.definition.locks where holders[lock] == nil { holders[lock] = job }
    }

    mutating func giveBack(_ job: Job) {
        for lock in job.definition.locks where holders[lock] === job { holders[lock] = nil }
    }

    /// The jobs that may become ready in place of `job`, which is no longer ready.
    mutating func release(after job: Job) -> [Job] {
        var released: [Job] = []
        for lock in job.definition.locks where holders[lock] == nil {
            released += held[lock]?.releaseBest() ?? []
            if held[lock]?.isEmpty == true { held[lock] = nil }
        }
        return released
    }
}
