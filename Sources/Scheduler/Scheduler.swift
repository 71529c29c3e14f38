// Decides what runs when. Pure: no clock, no disk, no randomness; the same events at the same instants give the same turn.
//
// Contract:
// - `handle` takes one event and the time; `takeTurn` hands over all that followed from the events since the last turn:
//   records for the journal, jobs whose place on disk changed, jobs to start, runs to stop. The caller carries them out in
//   that order, so nothing is moved before it is recorded and nothing runs before it is recorded and moved.
// - The state is in parts, which the class names: what is recorded, what follows from that and from the definitions in force, and what the
//   turn has still to take up. Every change of the recorded part is a `Record`, and only `apply` makes it. Replaying the records of a
//   journal through `restore` therefore rebuilds the recorded part as it was when they were written; there is no second way to get there.
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

/// What the configuration and the machine say that jobs and follow-ups depend on.
public struct SchedulerSettings: Sendable {
    /// The zone of wall times that name none.
    public var zone = Zone.utc
    /// The path of the spool and the name of the machine, for the environment of follow-ups.
    public var spool = ""
    public var host = ""
    /// The command that is given mails.
    public var mailCommand: [String] = []

    public init() {}
}

/// Instants at which something happens without an event. Entries that no longer hold stay until they come first.
struct Timetable {
    /// Due times of schedules.
    var dues = Heap<TimedSchedule>()
    /// Jobs that wait for their start or their next try.
    var delayed = Heap<TimedJob>()
    /// Jobs that fail unless they have started by then.
    var deadlines = Heap<TimedJob>()
    /// Tasks that are overdue then unless they succeed.
    var expectations = Heap<TimedTask>()
}

// It has more variables than a type should: the records of one journal concern all of them at once, and `apply` must see them together.
public final class Scheduler {
    /// A due time handled this much later than it was counts as missed and follows `catch_up`.
    public static let missedAfterMilliseconds: Int64 = 60_000

    let zones: ZoneDatabase

    // MARK: Settings

    var limits: SchedulerLimits
    /// Set by whoever reads the configuration, before the events that are to be handled by it.
    public var settings = SchedulerSettings()

    // MARK: Recorded
    // The journal's records made this, and a replay of them rebuilds it. Only `apply` changes it. Of a task and a schedule a part is
    // recorded only: see TaskState.

    public internal(set) var jobs: [JobID: Job] = [:]
    public internal(set) var tasks: [String: TaskState] = [:]
    public internal(set) var pauses: [PauseScope: String] = [:]
    /// The text of each definition in force, and the instant from which its relative times count, by its file's path without the ending.
    public internal(set) var definitions: [String: (source: Source, writtenAt: Instant)] = [:]
    /// The boot in which the daemon last ran, as the journal has it.
    public internal(set) var lastBoot: String?
    /// The last readable record of a journal that was mended since the last daemon.
    public internal(set) var repairedSince: Instant?
    /// The jobs that the journal has records of since its last daemon ended in order, with every effect of its decisions carried out.
    /// Another daemon was killed before it could record that it had started. Nil: no daemon has ended in order.
    var touchedSinceStop: Set<JobID>?
    var retries = Retries()

    // MARK: Derived
    // This follows from what is recorded and from the definitions in force. It is kept up along with them, so that nothing has to be
    // searched.

    public internal(set) var runningCount = 0
    var arrivals: UInt64 = 0
    var uniques: [String: Job] = [:]
    /// Jobs that wait for the end of the job of that id. Some may have left meanwhile.
    var waiters: [JobID: [Job]] = [:]
    /// The task that each file in `schedules/` belongs to.
    var scheduleFiles: [String: String] = [:]
    var ready = ReadyQueues()
    var locks = Locks()
    var timetable = Timetable()
    var questions = Questions()
    var fileWaits = FileWaits()

    // MARK: The turn
    // What has happened since the last turn and is still to be taken up. A turn leaves nothing of it; a replay ends with what it owes.

    /// Jobs that will never run, and why; with the job whose end is the reason.
    var broken: [(job: Job, why: Obstacle, by: JobID?)] = []
    /// Follow-ups that are not taken up yet.
    var owed: [Debt] = []
    /// Jobs that have come to their end in this turn: the tree does not know yet.
    public internal(set) var endedInTurn: [JobID: Job] = [:]
    /// There is something to start, and the world does not allow it.
    public private(set) var isHeld = false
    /// The last turn would have started a job if there had been another slot.
    public private(set) var isShortOfSlots = false
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
        while let top = timetable.delayed.first, !top.isValid { timetable.delayed.removeFirst() }
        while let top = timetable.deadlines.first, !(top.isValid && top.job.attempt == 0) { timetable.deadlines.removeFirst() }
        while let top = timetable.dues.first, !top.isValid { timetable.dues.removeFirst() }
        if let top = timetable.delayed.first { consider(top.instant) }
        if let top = timetable.deadlines.first { consider(top.instant) }
        if let top = timetable.dues.first { consider(top.instant) }
        for schedule in questions.failing { if let again = schedule.asking?.askedAgain { consider(again) } }
        if let expectation = nextExpectation() { consider(expectation) }
        return wake
    }

    /// The next due time of any schedule, with its task.
    public func nextDue() -> (instant: Instant, task: String)? {
        while let top = timetable.dues.first, !top.isValid { timetable.dues.removeFirst() }
        return timetable.dues.first.map { ($0.instant, $0.schedule.task) }
    }

    /// Counted up whenever a schedule that waits for files has come, changed or gone.
    public var fileSchedulesVersion: Int { fileWaits.version }

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
        while let top = timetable.deadlines.first, top.instant <= now || !top.isValid {
            timetable.deadlines.removeFirst()
            guard top.isValid, top.job.attempt == 0 else { continue }
            fail(top.job, .deadline, "not started by its deadline, \(top.instant.rfc3339)", at: now)
        }
    }

    private func releaseDelayed(at now: Instant) {
        while let top = timetable.delayed.first, top.instant <= now || !top.isValid {
            timetable.delayed.removeFirst()
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
