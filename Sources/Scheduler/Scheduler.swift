// Decides which job runs when. Pure: no clock, no disk, no randomness. The same events at the same instants give the same turn.
//
// Contract:
// - `handle` takes one event and the time. `takeTurn` returns everything that results from the events since the last turn:
//   records for the journal, jobs whose place on disk changed, jobs to start, runs to stop. The caller carries them out in that
//   order, so nothing is moved before it is recorded, and nothing runs before it is recorded and moved.
// - The class names the parts of the state: the recorded part, the part derived from it and from the definitions in force, and
//   the events of the turn that are not handled yet. Every change of the recorded part is a `Record`, and only `apply` makes it.
//   So replaying the records of a journal through `restore` rebuilds the recorded part as it was, and there is no second way to
//   build it.
// - At most `slots` jobs run at once, and of each queue at most its own slots. The job with the highest priority starts first,
//   then the earliest start, then the first to arrive. A full or paused queue never delays a job of another queue.
// - A job that holds a lock delays only jobs that need the lock. Nothing starts before the jobs that it waits for have ended.
// - One start per try. A due time becomes one job, or a record with the reason why not.
// - The follow-ups of a job's end are accepted in the turn of that end.

@_exported import Model

/// The part of the configuration that the scheduler needs.
public struct SchedulerLimits: Sendable {
    public var slots: Int
    public var queueSlots: [String: Int]

    public init(slots: Int = 8, queueSlots: [String: Int] = [:]) {
        self.slots = slots
        self.queueSlots = queueSlots
    }
}

/// The facts of the configuration and the machine on which jobs and follow-ups depend.
public struct SchedulerSettings: Sendable {
    /// The zone of wall times that name no zone.
    public var zone = Zone.utc
    /// The calendars that schedules name.
    public var calendars = Calendars()
    /// The path of the spool and the name of the machine, for the environment of follow-ups.
    public var spool = ""
    public var host = ""
    /// The command that receives mails.
    public var mailCommand: [String] = []
    /// The configuration's keys for all runs of tasks.
    public var taskDefaults = TaskDefaults()

    public init() {}
}

/// Instants at which something happens without an event. Void entries stay until they are first in order.
struct Timetable {
    /// Due times of schedules.
    var dues = Heap<TimedSchedule>()
    /// Jobs that wait for their start or their next try.
    var delayed = Heap<TimedJob>()
    /// Jobs that fail unless they have started by this time.
    var deadlines = Heap<TimedJob>()
    /// Runs that become slow at this time unless they have ended.
    var slow = Heap<TimedJob>()
    /// Tasks that become overdue at this time unless they succeed.
    var expectations = Heap<TimedTask>()
}

// It has more variables than usual: the records of one journal concern all of them at once, and `apply` must access them
// together.
public final class Scheduler {
    /// A due time that is handled this much later counts as missed and follows `catch_up`.
    public static let missedAfterMilliseconds: Int64 = 60_000

    let zones: ZoneDatabase

    // MARK: Settings

    var limits: SchedulerLimits
    /// The reader of the configuration sets this, before the events that it applies to.
    public var settings = SchedulerSettings()

    // MARK: Recorded
    // The journal's records make this part, and a replay rebuilds it. Only `apply` changes it. Of tasks and schedules, only a
    // part is recorded: see TaskState.

    public internal(set) var jobs: [JobID: Job] = [:]
    public internal(set) var tasks: [String: TaskState] = [:]
    public internal(set) var pauses: [PauseScope: String] = [:]
    /// The text of each definition in force, and the instant from which its relative times count, by its file's path without the ending.
    public internal(set) var definitions: [String: (source: Source, writtenAt: Instant)] = [:]
    /// The boot in which the last daemon ran, according to the journal.
    public internal(set) var lastBoot: String?
    /// The last readable record of a journal that was repaired since the last daemon.
    public internal(set) var repairedSince: Instant?
    /// The jobs with records since the last daemon ended properly, with every effect of its decisions carried out. A later daemon
    /// was killed before it could record its start. Nil when no daemon has ended properly.
    var touchedSinceStop: Set<JobID>?
    var retries = Retries()

    // MARK: Derived
    // This part is derived from the recorded part and from the definitions in force. It is updated with them, so that nothing has
    // to be searched.

    public internal(set) var runningCount = 0
    var arrivals: UInt64 = 0
    var uniques: [String: Job] = [:]
    /// The jobs that wait for the end of the job with that id. Some may no longer wait.
    var waiters: [JobID: [Job]] = [:]
    /// The task of each file in `schedules/`.
    var scheduleFiles: [String: String] = [:]
    var ready = ReadyQueues()
    var locks = Locks()
    var timetable = Timetable()
    var questions = Questions()
    var fileWaits = FileWaits()

    // MARK: The turn
    // The events since the last turn that have not been handled. A turn empties this part, and a replay ends with the follow-ups
    // that are owed.

    /// Jobs that will never run, with the reason and the job whose end is the reason.
    var broken: [(job: Job, why: Obstacle, by: JobID?)] = []
    /// Follow-ups that have not been accepted yet.
    var owed: [Debt] = []
    /// Jobs that have ended in this turn. The tree does not show it yet.
    public internal(set) var endedInTurn: [JobID: Job] = [:]
    /// There is a job to start, but the world does not allow a start now.
    public private(set) var isHeld = false
    /// The last turn would have started a job in another slot.
    public private(set) var isShortOfSlots = false
    var turn = Turn()
    /// The daemon has started, and the next turn handles missed due times.
    var pendingStart: PendingStart?
    var isRestoring = false

    public init(limits: SchedulerLimits = SchedulerLimits(), zones: ZoneDatabase) {
        self.limits = limits
        self.zones = zones
    }

    // MARK: Interface

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
        case .calendarsChanged(let recorded): rereadCalendars(recorded, at: now)
        case .zonesChanged(let changes, let recorded): reread(changes, recorded, at: now)
        case .started(let boot, let version): start(boot: boot, version: version, at: now)
        case .stopped: commit(.daemonStopped, at: now)
        case .clockSet: distrustMarksAhead(at: now)
        case .tick: break
        }
    }

    /// Everything that results from the events since the last turn, after handling due times and filling the free slots.
    ///
    /// - Parameters:
    ///   - mayStart: false when nothing new may start, because the daemon is ending.
    ///   - recorded: those ids of `runsDue(at:)` at the same instant of which the spool has a record.
    ///   - isOpen: returns true when the world allows a start now. Called at most once, and only when there is a job to start.
    public func takeTurn(
        at now: Instant, mayStart: Bool = true, recorded: Set<JobID> = [], isOpen: () -> Bool = { true }
    ) -> Turn {
        if mayStart {
            takeDue(recorded, at: now)
            checkExpectations(at: now)
        }
        announceSlow(at: now)
        isHeld = false
        var maySpawn: Bool?
        repeat {
            repeat {
                expireDeadlines(at: now)
                endBroken(at: now)
                payDebts(at: now)
                if mayStart { fireCollected(at: now) }
            } while !broken.isEmpty || !owed.isEmpty
            releaseDelayed(at: now)
            if mayStart { dispatch(at: now, &maySpawn, isOpen) }
            // The starts may owe follow-ups.
        } while !owed.isEmpty
        if mayStart { turn.questions = takeQuestions(at: now) }
        defer { turn = Turn() }
        for job in turn.places { job.isTouched = false }
        endedInTurn.removeAll()
        return turn
    }

    /// The time at which something happens without an event. Nil when nothing will.
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
        if let slow = nextSlow() { consider(slow) }
        return wake
    }

    /// The next due time of any schedule, with its task.
    public func nextDue() -> (instant: Instant, task: String)? {
        while let top = timetable.dues.first, !top.isValid { timetable.dues.removeFirst() }
        return timetable.dues.first.map { ($0.instant, $0.schedule.task) }
    }

    /// Incremented whenever a schedule that waits for files is added, changed or removed.
    public var fileSchedulesVersion: Int { fileWaits.version }

    public var runningByQueue: [String: Int] { ready.running }

    /// True when the file in `schedules/` with this id is in force.
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
        // A canceled run that must be killed still counts as canceled.
        if job.stopping != why, why != .killed || job.stopping == nil { commit(.stopping(job.id, why), at: now) }
        turn.stops.append((job, why == .killed ? .kill : .politely))
    }

    /// Ends a job that never ran, or that waits for another try. The result of its last try is kept.
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

    /// Starts the jobs that may start. `mayStart` is the world's answer, once it was asked.
    private func dispatch(at now: Instant, _ mayStart: inout Bool?, _ isOpen: () -> Bool) {
        isShortOfSlots = false
        guard pauses[.all] == nil else { return }
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
            announceStart(of: job, at: now)
        }
    }

    // MARK: Records

    func commit(_ record: Record, at now: Instant) {
        turn.records.append((now, record))
        apply(record, at: now)
    }

    /// True when the last daemon ended properly after all records of the job, so that the job was in its place.
    public func wasSettled(_ job: Job) -> Bool { touchedSinceStop.map { !$0.contains(job.id) } ?? false }

    func touch(_ job: Job) {
        touchedSinceStop?.insert(job.id)
        guard !job.isTouched else { return }
        job.isTouched = true
        turn.places.append(job)
    }
}
