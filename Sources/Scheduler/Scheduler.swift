// Decides what runs when. Pure: no clock, no disk, no randomness; the same events at the same instants give the same turn.
//
// Contract:
// - `handle` takes one event and the time; `takeTurn` hands over all that followed from the events since the last turn:
//   records for the journal, jobs whose place on disk changed, jobs to start, runs to stop. The caller carries them out in
//   that order, so nothing is moved before it is recorded and nothing runs before it is recorded and moved.
// - Every change of state is a `Record`, and only `apply` changes state. Replaying the records of a journal through
//   `restore` therefore rebuilds exactly the state in which they were written; there is no second way to get there.
// - At most `slots` jobs run at once, and of a queue at most its own slots. The highest priority goes first, then the
//   earliest start, then the first to arrive. A full or paused queue never holds back a job of another.
// - A job that holds a lock keeps back those that want it, and no other; nothing starts before what it waits for has ended.
// - One start per try. A due time becomes one job, or a record that says why not.
// - What follows the end of a job is taken up in the turn of that end.

@_exported import Model

/// What the scheduler needs of the configuration.
public struct SchedulerLimits: Sendable {
    public var slots: Int
    public var queueSlots: [String: Int]

    public init(slots: Int = 8, queueSlots: [String: Int] = [:]) {
        self.slots = slots
        self.queueSlots = queueSlots
    }
}

public final class Scheduler {
    /// A due time handled this much later than it was counts as missed and follows `catch_up`.
    public static let missedAfterMilliseconds: Int64 = 60_000

    var limits: SchedulerLimits
    let zones: ZoneDatabase
    /// The zone of wall times that name none.
    public var zone = Zone.utc
    /// Where the spool is, what the machine is called, and what mails are given to: for what follow-ups are told.
    public var spool = ""
    public var host = ""
    public var mailCommand: [String] = []
    public internal(set) var jobs: [JobID: Job] = [:]
    public internal(set) var tasks: [String: TaskState] = [:]
    public internal(set) var pauses: [PauseScope: String] = [:]
    /// The text of each definition in force, and from when its relative times count, by its file's path without ending.
    public internal(set) var definitions: [String: (source: Source, writtenAt: Instant)] = [:]
    /// Which task each file in `schedules/` belongs to.
    var scheduleFiles: [String: String] = [:]
    public internal(set) var runningCount = 0
    /// The boot in which the daemon last ran, as the journal has it.
    public internal(set) var lastBoot: String?
    /// The last readable record of a journal that was mended since the last daemon.
    public internal(set) var repairedSince: Instant?
    /// The jobs of which the journal tells since its last daemon ended in order, with every effect of its decisions carried out: another
    /// was killed before it could say that it had started. Nil: none has ended so.
    var touchedSinceStop: Set<JobID>?

    var ready = ReadyQueues()
    var locks = Locks()
    /// Jobs that wait for the end of the one of that id. Some may have left meanwhile.
    var waiters: [JobID: [Job]] = [:]
    /// Those that will never run, and why; with the job whose end is the reason.
    var broken: [(job: Job, why: Obstacle, by: JobID?)] = []
    var retries = Retries()
    var uniques: [String: Job] = [:]
    var owed: [Debt] = []
    var expectations = Heap<TimedTask>()
    /// Jobs that have come to their end in this turn: the tree does not know yet.
    public internal(set) var endedInTurn: [JobID: Job] = [:]
    /// There is something to start, and the world does not allow it.
    public private(set) var isHeld = false
    /// Whether the last turn would have started a job if there had been another slot.
    public private(set) var isShortOfSlots = false
    var delayed = Heap<TimedJob>()
    var deadlines = Heap<TimedJob>()
    var dues = Heap<TimedSchedule>()
    var arrivals: UInt64 = 0
    /// Schedules whose program is to be asked in this turn, with the question's number; and those whose program failed when it
    /// was asked last.
    var toAsk: [(schedule: ScheduleState, number: UInt64)] = []
    var failing: [ScheduleState] = []
    var questionCount: UInt64 = 0
    /// Schedules that wait for files, by `TASK/ID`; counted up whenever one has come, changed or gone.
    var fileSchedules: [String: ScheduleState] = [:]
    public internal(set) var fileSchedulesVersion = 0
    /// Those that have files for a run to come.
    var collecting: [ScheduleState] = []
    var turn = Turn()
    /// The daemon has started, and the next turn catches up with what was missed.
    var pendingStart: PendingStart?
    var isRestoring = false

    public init(limits: SchedulerLimits = SchedulerLimits(), zones: ZoneDatabase) {
        self.limits = limits
        self.zones = zones
    }

    // MARK: The face

    public func handle(_ event: Event, at now: Instant) {
        switch event {
        case .dropped(let job, let onRecord): drop(job, onRecord, at: now)
        case .rejected(let file): commit(.rejected(file), at: now)
        case .withdrawn(let id): withdraw(id, at: now)
        case .task(let definition, let since): define(definition, since: since, at: now)
        case .taskUnusable(let name): reinstate(task: name, at: now)
        case .taskRemoved(let name): remove(task: name, at: now)
        case .schedule(let task, let definition, let source, let since):
            define(task: task, definition, source, since: since, at: now)
        case .scheduleUnusable(let id): reinstate(schedule: id, at: now)
        case .scheduleRemoved(let id): remove(schedule: id, at: now)
        case .answered(let question, let answer): take(answer, to: question, at: now)
        case .programChanged(let key): programChanged(key)
        case .files(let report): take(report, at: now)
        case .firstFiles(let task, let schedule, let fingerprints): takeFirstFiles(fingerprints, of: schedule, task, at: now)
        case .ended(let id, let attempt, let run): end(id, attempt: attempt, run, at: now)
        case .moved(let id, let moved): if jobs[id] != nil { commit(.moved(id, moved), at: now) }
        case .cancel(let id): cancel(id, at: now)
        case .kill(let id, let signal): kill(id, signal: signal, at: now)
        case .remarked(let id, let remark): if jobs[id]?.state == .running { commit(.remarked(id, remark), at: now) }
        case .requested(let id, let name): if jobs[id]?.state == .running { commit(.requested(id, name: name), at: now) }
        case .paused(let scope, let note):
            if pauses[scope] != note { commit(.paused(scope, note: note), at: now) }
        case .resumed(let scope):
            if pauses[scope] != nil { commit(.resumed(scope), at: now) }
        case .limits(let limits): self.limits = limits
        case .zonesChanged(let changes, let recorded): reread(changes, recorded, at: now)
        case .started(let boot, let version): start(boot: boot, version: version, at: now)
        case .stopped: commit(.daemonStopped, at: now)
        case .clockSet: distrustMarksAhead(at: now)
        case .tick: break
        }
    }

    /// All that followed from the events since the last turn, after firing what is due and filling the free slots.
    ///
    /// - Parameters:
    ///   - mayStart: false: nothing new is started (the daemon is ending).
    ///   - recorded: of `runsDue(at:)` at the same instant, the ids of which the spool has a record.
    ///   - isOpen: whether the world allows to start something now; asked once at most, and only when there is something.
    public func takeTurn(
        at now: Instant, mayStart: Bool = true, recorded: Set<JobID> = [], isOpen: () -> Bool = { true }
    ) -> Turn {
        if mayStart {
            takeDue(recorded, at: now)
            checkExpectations(at: now)
        }
        repeat {
            expireDeadlines(at: now)
            endBroken(at: now)
            payDebts(at: now)
            if mayStart { fireCollected(at: now) }
        } while !broken.isEmpty || !owed.isEmpty
        releaseDelayed(at: now)
        isHeld = false
        if mayStart {
            dispatch(at: now, isOpen)
            turn.questions = takeQuestions(at: now)
        }
        defer { turn = Turn() }
        for job in turn.places { job.isTouched = false }
        endedInTurn.removeAll()
        return turn
    }

    /// When something happens next without any event; nil when nothing will.
    public func nextWake() -> Instant? {
        var wake: Instant?
        func consider(_ instant: Instant) { wake = wake.map { min($0, instant) } ?? instant }
        while let top = delayed.first, !top.isValid { delayed.removeFirst() }
        while let top = deadlines.first, !(top.isValid && top.job.attempt == 0) { deadlines.removeFirst() }
        while let top = dues.first, !top.isValid { dues.removeFirst() }
        if let top = delayed.first { consider(top.instant) }
        if let top = deadlines.first { consider(top.instant) }
        if let top = dues.first { consider(top.instant) }
        for schedule in failing { if let again = schedule.asking?.askedAgain { consider(again) } }
        if let expectation = nextExpectation() { consider(expectation) }
        return wake
    }

    /// The next due time of any schedule, with its task.
    public func nextDue() -> (instant: Instant, task: String)? {
        while let top = dues.first, !top.isValid { dues.removeFirst() }
        return dues.first.map { ($0.instant, $0.schedule.task) }
    }

    public var runningByQueue: [String: Int] { ready.running }

    /// Whether the file in `schedules/` of this id is in force.
    public func isInForce(schedule id: String) -> Bool { scheduleFiles[id] != nil }

    // MARK: Jobs

    private func drop(_ arrival: AcceptedJob, _ onRecord: OnRecord, at now: Instant) {
        if let known = jobs[arrival.id], known.state == .running || known.state.isTerminal { return }
        accept(arrival, onRecord, at: now)
    }

    private func withdraw(_ id: JobID, at now: Instant) {
        guard let job = jobs[id], job.state == .new else { return }
        commit(.withdrawn(id), at: now)
    }

    private func cancel(_ id: JobID, at now: Instant) {
        guard let job = jobs[id] else { return }
        switch job.state {
        case .new: fail(job, .canceled, Self.sentence("canceled", job.ending, of: job), at: now)
        case .running: stop(job, .canceled, at: now)
        case .done, .failed: break
        }
    }

    private func kill(_ id: JobID, signal: Int32, at now: Instant) {
        guard let job = jobs[id], job.state == .running else { return }
        if signal == 9 {
            stop(job, .killed, at: now)
        } else {
            turn.stops.append((job, .signal(signal)))
        }
    }

    func stop(_ job: Job, _ why: StopReason, at now: Instant) {
        // A canceled run that has to be killed is still a canceled one.
        if job.stopping != why, why != .killed || job.stopping == nil { commit(.stopping(job.id, why), at: now) }
        turn.stops.append((job, why == .killed ? .kill : .politely))
    }

    /// Ends a job that never ran, or waits for another try: then what its last try came to stays.
    func fail(_ job: Job, _ reason: FailureReason, _ error: String, at now: Instant) {
        var ending = job.ending
        ending.state = .failed
        ending.reason = reason
        ending.error = error
        ending.notBefore = nil
        commit(.ended(job.id, ending), at: now)
    }

    /// `canceled before it ran`, or `canceled after try 1 of 3 (exited with 3)`.
    static func sentence(_ what: String, _ last: Ending, of job: Job) -> String {
        guard last.attempt > 0 else { return "\(what) before it ran" }
        return "\(what) after try \(last.attempt) of \(job.definition.tries)\(last.error.map { " (\($0))" } ?? "")"
    }

    // MARK: Time

    private func expireDeadlines(at now: Instant) {
        while let top = deadlines.first, top.instant <= now || !top.isValid {
            deadlines.removeFirst()
            guard top.isValid, top.job.attempt == 0 else { continue }
            fail(top.job, .deadline, "not started by its deadline, \(top.instant.rfc3339)", at: now)
        }
    }

    private func releaseDelayed(at now: Instant) {
        while let top = delayed.first, top.instant <= now || !top.isValid {
            delayed.removeFirst()
            if top.isValid { ready.push(top.job) }
        }
    }

    private func dispatch(at now: Instant, _ isOpen: () -> Bool) {
        isShortOfSlots = false
        guard pauses[.all] == nil else { return }
        var mayStart: Bool?
        while true {
            guard let job = ready.popBest(where: { queue, running in
                pauses[.queue(queue)] == nil && running < (limits.queueSlots[queue] ?? Int.max)
            }) else { return }
            if let name = job.task, let task = tasks[name], pauses[.task(name)] != nil || task.blocks(job) {
                task.hold(job)
                releaseLocks(after: job)
                continue
            }
            if let lock = locks.obstacle(to: job) {
                locks.hold(job, at: lock)
                releaseLocks(after: job)
                if let name = job.task, let task = tasks[name] { releaseHeld(task) }
                continue
            }
            guard runningCount < limits.slots else {
                isShortOfSlots = true
                return ready.push(job)
            }
            mayStart = mayStart ?? isOpen()
            if mayStart == false {
                isHeld = true
                return ready.push(job)
            }
            commit(.started(job.id, attempt: job.attempt + 1), at: now)
            turn.starts.append(job)
        }
    }

    // MARK: Records

    func commit(_ record: Record, at now: Instant) {
        turn.records.append((now, record))
        apply(record, at: now)
    }

    /// Whether the last daemon ended in order after all that the journal has of the job: it stood where it should.
    public func wasSettled(_ job: Job) -> Bool { touchedSinceStop.map { !$0.contains(job.id) } ?? false }

    func touch(_ job: Job) {
        touchedSinceStop?.insert(job.id)
        guard !job.isTouched else { return }
        job.isTouched = true
        turn.places.append(job)
    }
}
