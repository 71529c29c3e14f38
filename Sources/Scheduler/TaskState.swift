/// A task in the scheduler: its definition in force, its schedules, and its runs that have not ended.
///
/// The schedules, the runs and the history are the result of the journal's records. The definition is read from its file, or from
/// the recorded text.
public final class TaskState {
    public let name: String
    public internal(set) var definition: TaskDefinition?
    public internal(set) var schedules: [ScheduleState] = []
    /// The run that has begun and not ended, including the time between two tries. Nil with `overlap = "allow"`.
    var current: Job?
    /// Runs that wait for `current` to end, or for the task to be resumed.
    private var held = HeldJobs()
    /// Runs that only wait for the task to be resumed, because they may overlap.
    private var heldFree = Heap<ReadyQueues.Entry>()
    /// `current`, when its next try waits for the task to be resumed.
    private var heldCurrent: ReadyQueues.Entry?
    /// All runs that have not ended.
    var active: [Job] = []
    var history: TaskHistory?

    init(name: String) { self.name = name }

    /// True when a run of the schedule has not ended.
    func hasRun(of schedule: ScheduleState) -> Bool { active.contains { $0.schedule == schedule.id } }

    func schedule(_ id: String) -> ScheduleState? { schedules.first { $0.id == id } }

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
        while let entry = heldFree.removeFirst() {
            if entry.isValid { released.append(entry.job) }
        }
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
    var latest: (id: JobID, end: JobState?)?
    var streak = FailureStreak()
    /// The time from which a success is expected: the last success, or the first time that it was expected.
    var expectedSince: Instant?
    var isOverdue = false
    /// The task has an entry in the timetable of expectations.
    var isLinedUp = false
}

/// A schedule: its handled due times and its next one.
public final class ScheduleState {
    public let task: String
    public let id: String

    // MARK: From its file

    public internal(set) var definition: ScheduleDefinition?
    /// The schedule has a file of its own in `schedules/`.
    public internal(set) var isFile = false

    // MARK: Recorded

    /// Every due time up to this one has become a job, or a record with the reason why not.
    public internal(set) var accounted: Instant {
        didSet { if Self.isLeap(from: oldValue, to: accounted) { accountedBefore = oldValue } }
    }
    /// The value of `accounted` before it last advanced by more than a day at once, as a wrong clock causes it to.
    private(set) var accountedBefore: Instant
    /// The time at which the schedule was taken up: the start of a fixed grid.
    public internal(set) var origin: Instant
    /// When the last run ended.
    public internal(set) var lastEnd: Instant?
    /// The state of a pattern that a program computes. The answers are recorded, the questions are not.
    var asking: Asking?
    /// The state of a schedule that waits for files. The handled files are recorded.
    var files: FileState?

    // MARK: Derived

    /// The next due time.
    public internal(set) var next: Instant?

    init(task: String, id: String, accounted: Instant, origin: Instant) {
        self.task = task
        self.id = id
        self.accounted = accounted
        accountedBefore = accounted
        self.origin = origin
    }

    private static func isLeap(from old: Instant, to new: Instant) -> Bool {
        new.milliseconds - old.milliseconds > Scheduler.clockErrorMilliseconds
    }

    /// The values that `accounted` must be set to, in order, to rebuild `accountedBefore` too.
    var accountedMarks: [Instant] { Self.isLeap(from: accountedBefore, to: accounted) ? [accountedBefore, accounted] : [accounted] }

    /// The start from which an interval counts.
    var intervalOrigin: Instant {
        definition?.recurrence.isFromEnd == true ? max(origin, lastEnd ?? origin) : origin
    }

    /// The next due time is later than this.
    var dueAfter: Instant {
        var after = accounted
        // Due times that passed during its last run do not exist.
        if definition?.recurrence.isFromEnd == true, let lastEnd { after = max(after, lastEnd) }
        if let notBefore = definition?.notBefore { after = max(after, notBefore.advanced(byMilliseconds: -1)) }
        return after
    }

    /// The first due time that is not handled, within `not_before` and `not_after`.
    func computeNext() -> Instant? {
        guard let definition, definition.enabled else { return nil }
        let after = dueAfter
        let answered = asking?.due.flatMap { $0 > after ? $0 : nil }
        guard let next = answered ?? definition.recurrence.next(after: after, origin: intervalOrigin) else { return nil }
        if let notAfter = definition.notAfter, next > notAfter { return nil }
        return next
    }
}
