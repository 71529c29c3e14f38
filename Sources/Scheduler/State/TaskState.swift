/// A task in the scheduler: its definition in force, its schedules, and its runs that have not ended.
///
/// The schedules, the runs and the history are the result of the journal's records: only `Scheduler.apply` calls the methods of the
/// section below, and nothing else can change them. The definition is read from its file, or from the recorded text. The held runs are
/// derived.
public final class TaskState {
    public let name: String
    public internal(set) var definition: TaskDefinition?
    public private(set) var schedules: [ScheduleState] = []
    /// The run that has begun and not ended, including the time between two tries. Nil with `overlap = "allow"`.
    private(set) var current: Job?
    /// All runs that have not ended.
    private(set) var active = ActiveRuns()
    private(set) var history: TaskHistory?
    /// Runs that wait for `current` to end, or for the task to be resumed.
    private var held = HeldJobs()
    /// Runs that only wait for the task to be resumed, because they may overlap.
    private var heldFree = Lineup<ReadyQueues.Entry>()
    /// `current`, when its next try waits for the task to be resumed.
    private var heldCurrent: ReadyQueues.Entry?

    init(name: String) { self.name = name }

    /// True when a run of the schedule has not ended.
    func hasRun(of schedule: ScheduleState) -> Bool { active.hasRun(ofSchedule: schedule.id) }

    func schedule(_ id: String) -> ScheduleState? { schedules.first { $0.id == id } }

    // MARK: Applying a record

    /// The schedule of that id, which is added when there is none.
    func schedule(_ id: String, accounted: Instant, origin: Instant) -> ScheduleState {
        if let known = schedule(id) { return known }
        let schedule = ScheduleState(task: name, id: id, accounted: accounted, origin: origin)
        schedules.append(schedule)
        return schedule
    }

    func remove(schedule id: String) -> ScheduleState? {
        let index = schedules.firstIndex { $0.id == id }
        return index.map { schedules.remove(at: $0) }
    }

    /// A run was accepted. With `isReplacement` it is a waiting run with a new text, and no later than it was.
    func add(_ job: Job, isReplacement: Bool) {
        active.insert(job)
        let history = madeHistory()
        if !isReplacement || history.latest?.id == job.id { history.latest = (job.id, nil) }
    }

    func began(_ job: Job) { if job.definition.overlap != .allow { current = job } }

    /// A run has ended or was withdrawn.
    func remove(_ job: Job) {
        active.remove(job)
        if current === job { current = nil }
        if let history, history.latest?.id == job.id { history.latest?.end = job.state.isTerminal ? job.state : .failed }
    }

    func ran(_ id: JobID, _ end: JobState) { madeHistory().latest = (id, end) }

    func expect(since: Instant?, isOverdue: Bool) {
        let history = madeHistory()
        history.expectedSince = since
        history.isOverdue = isOverdue
    }

    /// One of the runs has succeeded. Returns true when that was expected.
    func succeeded(at now: Instant) -> Bool {
        guard let history, let since = history.expectedSince else { return false }
        history.expectedSince = max(since, now)
        history.isOverdue = false
        return true
    }

    /// One of the runs has failed. Returns true when people are told of it.
    func countFailure(at instant: Instant, _ rules: NoticeRules?) -> Bool { madeHistory().streak.fail(at: instant, rules) }

    /// One of the runs has succeeded, which ends the failures in a row. Returns true when that is a recovery.
    func endFailures() -> Bool { madeHistory().streak.succeed() }

    func failing(_ streak: FailureStreak) { madeHistory().streak = streak }

    private func madeHistory() -> TaskHistory {
        let history = history ?? TaskHistory()
        self.history = history
        return history
    }

    // MARK: Held runs

    /// True when `job` must wait because another run of the task has begun and not ended.
    func blocks(_ job: Job) -> Bool {
        job.definition.overlap != .allow && current != nil && current !== job
    }

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

/// The facts about a task's runs that remain when they have ended.
final class TaskHistory {
    /// The run that was accepted last, and its end if it has ended.
    fileprivate(set) var latest: (id: JobID, end: JobState?)?
    fileprivate(set) var streak = FailureStreak()
    /// The time from which a success is expected: the last success, or the first time that it was expected.
    fileprivate(set) var expectedSince: Instant?
    fileprivate(set) var isOverdue = false
}
