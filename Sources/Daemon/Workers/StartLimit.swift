import Linux
import Scheduler

/// Limits how many jobs run while the machine refuses to start more processes: for a limit of the user or of the control group, or for want
/// of memory or descriptors.
///
/// Invariants:
/// - A job that could not be started for that reason is still due, and none of its tries counts.
/// - As many jobs run as the machine has let run. One more is tried after a second, then ever more rarely, until that succeeds.
final class StartLimit: Part {
    private static let millisecondsMin: Int64 = 1000
    private static let millisecondsMax: Int64 = 60_000

    private struct Limit {
        /// The number of jobs that may run at once.
        var count = Int.max
        /// The time at which one more is tried.
        var againAt: MonotonicInstant
        var delayMilliseconds = millisecondsMin
        /// One more is being tried.
        var isTrying = false
        /// The job that tries it, once there is one.
        var trial: JobID?
    }

    /// Nil when the machine starts all processes that are requested.
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

    /// The machine has refused a start. Returns how many more jobs than now may run.
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
        service.begin(.processes, error, effect: "what cannot be started waits, and is tried now and then")
        slots.limitStarts(to: new.count)
        return max(0, new.count - running)
    }

    /// Before a turn: true when one more start is to be tried. Ends the limit when nothing would use more.
    func isTrialDue() -> Bool {
        guard let limit, !limit.isTrying else { return false }
        if limit.count >= min(configuration.inForce.slots, service.scheduler.jobs.count) {
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

    /// After a turn: the job that it starts is the trial. When no job needs the start that was to be tried, the limit ends.
    func turnTaken(_ turn: Turn) {
        guard let limit, limit.isTrying, limit.trial == nil else { return }
        if let job = turn.starts.last { self.limit?.trial = job.id } else if service.scheduler.runningCount < limit.count { end() }
    }

    /// A command has begun.
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
