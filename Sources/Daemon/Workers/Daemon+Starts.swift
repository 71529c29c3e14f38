import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

// The machine may refuse to start more processes: a limit of the user's or of the control group, memory, descriptors. What holds:
// - A job that could not be started for that is due still, and no try of it counts.
// - As many jobs run as the machine has let run; one more is tried after a second, then ever more seldom, until that goes well.

/// While the machine refuses to start more.
struct StartLimit {
    static let millisecondsMin: Int64 = 1000
    static let millisecondsMax: Int64 = 60_000

    /// How many may run at once.
    var count: Int
    /// When one more is tried.
    var againAt: Instant
    var delayMilliseconds = millisecondsMin
    /// One more is being tried, and by which job, once there is one.
    var isTrying = false
    var trial: JobID?
}

extension Daemon {
    /// A job could not be started, through no fault of its own: it waits on.
    func refused(_ job: Job, _ error: String) {
        service.submit(.ended(job.id, attempt: job.attempt, RunResult(outcome: .neverBegan, startedAt: nil, endedAt: now)))
        limitStarts(error)
    }

    private func limitStarts(_ error: String) {
        var limit = startLimit ?? StartLimit(count: .max, againAt: now)
        // What went well before the trial still may.
        limit.count = limit.isTrying ? limit.count - 1 : min(limit.count, service.runningCount)
        // Several that are refused at once are one refusal.
        if startLimit == nil || limit.isTrying || now >= limit.againAt {
            limit.againAt = now.advanced(byMilliseconds: limit.delayMilliseconds)
            limit.delayMilliseconds = min(2 * limit.delayMilliseconds, StartLimit.millisecondsMax)
        }
        limit.isTrying = false
        limit.trial = nil
        startLimit = limit
        service.begin(.processes, error, effect: "what cannot be started waits, and is tried now and then")
        limitSlots()
        // Those that would not be used make room for what would.
        endIdleWorkers(keeping: max(0, limit.count - service.runningCount))
    }

    /// How many slots may be used here where they are shared: of a user's daemon, what root's gives; of root's, its own share.
    var grantedSlots: Int? { link?.slots ?? (isForEverybody ? shares.limit(Self.own) : nil) }

    /// The slots that the scheduler may fill.
    func limitSlots() {
        let slots = min(configuration.slots, grantedSlots ?? .max, startLimit?.count ?? .max)
        service.isPublishDue = true
        service.submit(.limits(SchedulerLimits(slots: slots, queueSlots: configuration.queueSlots)))
    }

    /// Before a turn: lets one more job start when it is time to try.
    func tryMoreStarts() {
        guard var limit = startLimit, !limit.isTrying else { return }
        if limit.count >= min(configuration.slots, scheduler.jobs.count) { return endStartLimit() }
        guard now >= limit.againAt else { return }
        if idleWorkers.isEmpty {
            do throws(SystemError) {
                idleWorkers.append(try newWorker(as: nil))
                idleSince = now
            } catch {
                return limitStarts("\(error)")
            }
        }
        limit.isTrying = true
        limit.count += 1
        startLimit = limit
        limitSlots()
    }

    /// After a turn: nothing has use for the start that was to be tried, but the machine would let it.
    func startsWereTried(by turn: Turn) {
        guard let limit = startLimit, limit.isTrying, limit.trial == nil else { return }
        if let job = turn.starts.last { startLimit?.trial = job.id } else if scheduler.runningCount < limit.count { endStartLimit() }
    }

    /// A command has begun.
    func startSucceeded(_ job: Job) {
        guard startLimit?.trial == job.id else { return }
        startLimit?.isTrying = false
        startLimit?.trial = nil
        startLimit?.delayMilliseconds = StartLimit.millisecondsMin
        startLimit?.againAt = now
    }

    private func endStartLimit() {
        startLimit = nil
        limitSlots()
        service.end(.processes)
    }
}
