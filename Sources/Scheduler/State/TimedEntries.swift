/// A job with an instant. At equal instants, the first to arrive comes first: the order must not depend on the history of the heap, or a
/// restart would change it.
protocol TimedJobEntry: TimedEntry {
    var job: Job { get }
}

extension TimedJobEntry {
    static func < (a: Self, b: Self) -> Bool {
        a.instant != b.instant ? a.instant < b.instant : a.job.arrival < b.job.arrival
    }
    static func == (a: Self, b: Self) -> Bool { a.instant == b.instant && a.job === b.job }
}

/// A job with an instant that matters while it waits for its next try.
struct TimedJob: TimedJobEntry {
    let instant: Instant
    let job: Job
    let attempt: Int

    init(_ instant: Instant, _ job: Job) {
        self.instant = instant
        self.job = job
        attempt = job.attempt
    }

    var isValid: Bool { job.state == .new && !job.isDead && job.attempt == attempt }
}

/// A run with the instant at which it becomes slow.
struct SlowRun: TimedJobEntry {
    let instant: Instant
    let job: Job

    var isValid: Bool { job.slowAt == instant }
}

/// A schedule and its next due time.
struct TimedSchedule: TimedEntry {
    let instant: Instant
    let schedule: ScheduleState

    var isValid: Bool { schedule.next == instant }

    func isMissed(at now: Instant) -> Bool { now.milliseconds - instant.milliseconds > Scheduler.missedAfterMilliseconds }

    /// At equal instants, ordered by name, for the same reason.
    static func < (a: Self, b: Self) -> Bool {
        if a.instant != b.instant { return a.instant < b.instant }
        return (a.schedule.task, a.schedule.id) < (b.schedule.task, b.schedule.id)
    }
    static func == (a: Self, b: Self) -> Bool { a.instant == b.instant && a.schedule === b.schedule }
}
