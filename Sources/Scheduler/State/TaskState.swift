/// A task in the scheduler: its definition in force, its schedules, and its runs that have not ended.
///
/// The recorded definition, the schedules, the runs and the history are the result of the journal's records: only `Scheduler.apply` calls
/// the methods of the section below, and nothing else can change them. The definition in force is that of the recorded text, once it was
/// read. The held runs are derived.
///
/// A spool may have a million tasks. So the parts that few tasks have are objects of their own, and nothing is kept twice.
public final class TaskState {
    public let name: String
    private var text: PackedDefinition?
    private var inForce: InForce?
    /// The schedules of the definition in force, in its order.
    private var ofDefinition = Few<ScheduleDefinition>()
    private var ownSchedules = Few<ScheduleState>()
    private var runs: TaskRuns?
    private(set) var history: TaskHistory?
    /// The parts of the definition in force that few tasks have.
    private var rare: Rare?

    private struct InForce {
        let overlap: Overlap
        let saysOverlap: Bool
    }

    private final class Rare {
        let expectMilliseconds: Int64?
        let references: [TaskReference]

        init(_ expectMilliseconds: Int64?, _ references: [TaskReference]) {
            self.expectMilliseconds = expectMilliseconds
            self.references = references
        }
    }

    init(name: String) { self.name = name }

    // MARK: Definition

    /// The definition that was recorded last, until its file was removed.
    public var recorded: RecordedDefinition? { text?.definition }

    /// The path of the crontab whose line the task is, by its recorded definition.
    public var crontab: String? { text?.crontab }

    /// The path of the task's file in a directory of `--tasks`, by its recorded definition.
    public var mounted: String? { text?.mounted }

    /// True when the recorded text was read and is in force.
    public var isDefined: Bool { inForce != nil }

    /// The recorded text was not read: its file is gone.
    var isRecordedOnly: Bool { inForce == nil && text != nil }

    /// The definition in force, put together from its parts.
    public var definition: TaskDefinition? {
        guard let inForce, let text else { return nil }
        var definition = TaskDefinition(
            name: name, source: text.source, writtenAt: text.writtenAt, overlap: inForce.overlap, saysOverlap: inForce.saysOverlap,
            schedules: Array(ofDefinition), expectMilliseconds: expectMilliseconds, references: references, crontab: text.crontab)
        definition.mounted = text.mounted
        return definition
    }

    /// The definition in force, if one of its schedules is wanted.
    func definition(ifAny isWanted: (ScheduleDefinition) -> Bool) -> TaskDefinition? {
        ofDefinition.contains(where: isWanted) ? definition : nil
    }

    /// The task must succeed again within this time after a success.
    public var expectMilliseconds: Int64? { rare?.expectMilliseconds }

    /// The other tasks that the definition in force names.
    public var references: [TaskReference] { rare?.references ?? [] }

    /// Puts the definition of the recorded text in force.
    func putInForce(_ definition: TaskDefinition) {
        precondition(text?.source == definition.source)
        inForce = InForce(overlap: definition.overlap, saysOverlap: definition.saysOverlap)
        ofDefinition = Few(definition.schedules)
        let isRare = definition.expectMilliseconds != nil || !definition.references.isEmpty
        rare = isRare ? Rare(definition.expectMilliseconds, definition.references) : nil
    }

    func takeOutOfForce() { (inForce, ofDefinition, rare) = (nil, Few(), nil) }

    // MARK: Schedules

    public var schedules: some RandomAccessCollection<ScheduleState> { ownSchedules }

    /// True when a run of the schedule has not ended.
    func hasRun(of schedule: ScheduleState) -> Bool { runs?.active.hasRun(ofSchedule: schedule.id) ?? false }

    func schedule(_ id: String) -> ScheduleState? { ownSchedules.first { $0.id == id } }

    // MARK: Applying a record

    func define(_ definition: RecordedDefinition?) { text = definition.map(PackedDefinition.init) }

    func stamp(_ stamp: ContentStamp?) { text?.stamp = stamp }

    /// The schedule of that id, which is added when there is none.
    func schedule(_ id: String, accounted: Instant, origin: Instant) -> ScheduleState {
        if let known = schedule(id) { return known }
        let schedule = ScheduleState(task: name, id: id, accounted: accounted, origin: origin)
        ownSchedules.append(schedule)
        return schedule
    }

    func remove(schedule id: String) -> ScheduleState? {
        let index = ownSchedules.firstIndex { $0.id == id }
        return index.map { ownSchedules.remove(at: $0) }
    }

    /// A run was accepted. With `isReplacement` it is a waiting run with a new text, and no later than it was.
    func add(_ job: Job, isReplacement: Bool) {
        madeRuns().active.insert(job)
        let history = madeHistory()
        if !isReplacement || history.latest?.id == job.id { history.latest = (job.id, nil) }
    }

    /// A try of a run begins. With `isNew` the run waited before.
    func began(_ job: Job, isNew: Bool, at now: Instant) {
        let runs = madeRuns()
        if job.definition.overlap != .allow { runs.current = job }
        if isNew { runs.runningCount += 1 }
        madeHistory().marks.start(at: now)
    }

    /// A try of a run has ended. Nil when it had not begun.
    func stopped(_ ending: Ending?, at now: Instant) {
        runs?.runningCount -= 1
        if let ending { madeHistory().marks.end(ending, at: now) }
    }

    /// A run has ended or was withdrawn.
    func remove(_ job: Job) {
        if let runs {
            runs.active.remove(job)
            if runs.current === job { runs.current = nil }
            // The held runs are among the active ones.
            if runs.active.isEmpty, runs.current == nil { self.runs = nil }
        }
        if let history, history.latest?.id == job.id { history.latest?.end = job.state.isTerminal ? job.state : .failed }
    }

    func ran(_ latest: LatestRun?, _ marks: RunMarks) {
        let history = madeHistory()
        if let latest { history.latest = (latest.id, latest.end) }
        history.marks = marks
    }

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

    // MARK: Runs

    /// The run that has begun and not ended, including the time between two tries. Nil with `overlap = "allow"`.
    var current: Job? { runs?.current }

    /// All runs that have not ended.
    var active: ActiveRuns { runs?.active ?? ActiveRuns() }

    /// The number of runs whose try runs.
    public var runningCount: Int { runs?.runningCount ?? 0 }

    public var marks: RunMarks { history?.marks ?? RunMarks() }

    /// True when the task has not succeeded in its time.
    public var isOverdue: Bool { history?.isOverdue ?? false }

    /// The next due time of any schedule.
    public var nextDue: Instant? { ownSchedules.lazy.compactMap(\.next).min() }

    /// True when `job` must wait because another run of the task has begun and not ended.
    func blocks(_ job: Job) -> Bool { runs?.blocks(job) ?? false }

    func hold(_ job: Job) { madeRuns().hold(job) }

    /// The held runs that may start now.
    func release() -> [Job] { runs?.release() ?? [] }

    private func madeRuns() -> TaskRuns {
        let runs = runs ?? TaskRuns()
        self.runs = runs
        return runs
    }
}

/// The facts about a task's runs that remain when they have ended.
final class TaskHistory {
    /// The run that was accepted last, and its end if it has ended.
    fileprivate(set) var latest: (id: JobID, end: JobState?)?
    fileprivate(set) var streak = FailureStreak()
    fileprivate(set) var marks = RunMarks()
    /// The time from which a success is expected: the last success, or the first time that it was expected.
    fileprivate(set) var expectedSince: Instant?
    fileprivate(set) var isOverdue = false
}
