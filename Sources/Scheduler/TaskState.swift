/// A task as the scheduler knows it: its definition in force, its schedules, and its runs that have not ended.
///
/// The journal's records made the schedules, the runs and the history. The definition is read from its file, or from the text that is
/// recorded.
public final class TaskState {
    public let name: String
    public internal(set) var definition: TaskDefinition?
    public internal(set) var schedules: [ScheduleState] = []
    /// The run that has begun and not ended; between two tries it still counts. Nil with `overlap = "allow"`.
    var current: Job?
    /// Runs that wait for `current` to end, or for the task to be resumed.
    private var held = HeldJobs()
    /// Those that wait for the task to be resumed alone, as they may overlap.
    private var heldFree = Heap<ReadyQueues.Entry>()
    /// `current` itself, whose next try waits for the task to be resumed.
    private var heldCurrent: ReadyQueues.Entry?
    /// All runs that have not ended.
    var active: [Job] = []
    var history: TaskHistory?

    init(name: String) { self.name = name }

    /// Whether a run that came of the schedule has not ended.
    func hasRun(of schedule: ScheduleState) -> Bool { active.contains { $0.schedule == schedule.id } }

    func schedule(_ id: String) -> ScheduleState? { schedules.first { $0.id == id } }

    /// Whether `job` must wait because another run of the task has begun and not ended.
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

    /// The held runs that may go now: all that may overlap, else the best of each queue, since any queue may be full.
    /// Whichever then begins first, the others are held again.
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

/// What stays known of a task's runs when they have ended.
final class TaskHistory {
    /// The run that was taken up last, and its end, if it has ended.
    var latest: (id: JobID, end: JobState?)?
    /// Since when a success is expected: the last one, or when it was first asked for.
    var expectedSince: Instant?
    var isOverdue = false
    /// The task has its entry among the expectations.
    var isLinedUp = false
}

/// A schedule: what is accounted for, and what is next.
public final class ScheduleState {
    public let task: String
    public let id: String

    // MARK: From its file

    public internal(set) var definition: ScheduleDefinition?
    /// The schedule has a file of its own in `schedules/`.
    public internal(set) var isFile = false

    // MARK: Recorded

    /// Every due time up to this one has become a job or a record that says why not.
    public internal(set) var accounted: Instant {
        didSet { if Self.isLeap(from: oldValue, to: accounted) { accountedBefore = oldValue } }
    }
    /// The value of `accounted` before it last grew by more than a day at once, as a wrong clock makes it do.
    private(set) var accountedBefore: Instant
    /// When the schedule was taken up: the start of a fixed grid.
    public internal(set) var origin: Instant
    /// When the last run ended.
    public internal(set) var lastEnd: Instant?
    /// Of a pattern that a program decides. Its answers are recorded, not its questions.
    var asking: Asking?
    /// Of a schedule that waits for files. The files that were dealt with are recorded.
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

    /// What `accounted` must be, one after the other, for it to be known again what it was before.
    var accountedMarks: [Instant] { Self.isLeap(from: accountedBefore, to: accounted) ? [accountedBefore, accounted] : [accounted] }

    /// What an interval counts from.
    var intervalOrigin: Instant {
        definition?.recurrence.isFromEnd == true ? max(origin, lastEnd ?? origin) : origin
    }

    /// What is due next is due later than this.
    var dueAfter: Instant {
        var after = accounted
        // What passed while its last run was under way was never due.
        if definition?.recurrence.isFromEnd == true, let lastEnd { after = max(after, lastEnd) }
        if let notBefore = definition?.notBefore { after = max(after, notBefore.advanced(byMilliseconds: -1)) }
        return after
    }

    /// The first due time that is not accounted for, within `not_before` and `not_after`.
    func computeNext() -> Instant? {
        guard let definition, definition.enabled else { return nil }
        let after = dueAfter
        let answered = asking?.due.flatMap { $0 > after ? $0 : nil }
        guard let next = answered ?? definition.recurrence.next(after: after, origin: intervalOrigin) else { return nil }
        if let notAfter = definition.notAfter, next > notAfter { return nil }
        return next
    }
}
