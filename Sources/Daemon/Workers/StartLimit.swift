import Linux
import Scheduler

/// Limits how many jobs run while the machine refuses to start more processes: because a limit of the user or of the control group is
/// reached, or because memory or descriptors have run out.
///
/// Invariants:
/// - A job that could not be started for one of these reasons waits on, and the attempt does not count as one of its tries.
/// - The number of jobs that may run is the number that ran when the machine refused. One more is tried after a second. After each refusal
///   the wait doubles, up to a minute; after each success the next trial follows at once.
final class StartLimit: Part {
    private static let millisecondsMin: Int64 = 1000
    private static let millisecondsMax: Int64 = 60_000

    private struct Limit {
        /// The number of jobs that may run at once.
        var count = Int.max
        /// The time at which one more is tried.
        var againAt: MonotonicInstant
        var delayMilliseconds = millisecondsMin
        /// True while one job more than before is being tried.
        var isTrying = false
        /// The job that is started as the trial. Nil until a turn starts one.
        var trial: JobID?
    }

    /// Nil while the machine starts all processes that are requested.
    private var limit: Limit?
    private let slots: SlotLimit
    private let configuration: ConfigurationFile
    private let service: SpoolService

    init(_ slots: SlotLimit, _ configuration: ConfigurationFile, _ service: SpoolService) {
        self.slots = slots
        self.configuration = configuration
        self.service = service
    }

    var wakeAt: Wake { Wake(monotonic: limit.flatMap { $0.isTrying ? nil : $0.againAt }) }

    /// Lowers the limit after the machine has refused a start. Returns how many more jobs may run than run now.
    func lower(_ error: String) -> Int {
        let now = MonotonicInstant.now()
        let running = service.runningCount
        var new = limit ?? Limit(againAt: now)
        // Keep the limit that worked before the trial.
        new.count = new.isTrying ? new.count - 1 : min(new.count, running)
        // Several starts that are refused at once are one refusal.
        if limit == nil || new.isTrying || now >= new.againAt {
            new.againAt = now.advanced(byMilliseconds: new.delayMilliseconds)
            new.delayMilliseconds = min(2 * new.delayMilliseconds, Self.millisecondsMax)
        }
        new.isTrying = false
        new.trial = nil
        limit = new
        service.begin(.processes, error, effect: "jobs that cannot be started wait; spoold tries one now and then")
        slots.limitStarts(to: new.count)
        return max(0, new.count - running)
    }

    /// Called before a turn. True when it is time to try one more job. Removes the limit when no more jobs would run without it.
    func isTrialDue() -> Bool {
        guard let limit, !limit.isTrying else { return false }
        // Jobs that need no slot may run beside those in the slots.
        let most = configuration.inForce.slots + service.scheduler.slotlessCount
        if limit.count >= min(most, service.scheduler.jobs.count) {
            end()
            return false
        }
        return .now() >= limit.againAt
    }

    func beginTrial() {
        guard var new = limit else { return }
        new.isTrying = true
        new.count += 1
        limit = new
        slots.limitStarts(to: new.count)
    }

    /// Called after a turn. A job that the turn starts becomes the trial. When the turn starts none although the limit allows one more, no
    /// job needs the limit to be higher, and it is removed.
    func turnTaken(_ turn: Turn) {
        guard let limit, limit.isTrying, limit.trial == nil else { return }
        if let job = turn.starts.last { self.limit?.trial = job.id } else if service.scheduler.runningCount < limit.count { end() }
    }

    /// Called when the command of a job has begun. If the job was the trial, the next trial may follow at once.
    func succeeded(_ job: Job) {
        guard limit?.trial == job.id else { return }
        limit?.isTrying = false
        limit?.trial = nil
        limit?.delayMilliseconds = Self.millisecondsMin
        limit?.againAt = .now()
    }

    private func end() {
        limit = nil
        slots.limitStarts(to: nil)
        service.end(.processes)
    }
}
