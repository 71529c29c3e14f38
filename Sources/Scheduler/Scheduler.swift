// Decides which job runs when. Pure: no clock, no disk, no randomness. The same events at the same instants give the same turn.
//
// Contract:
// - `handle` takes one event and the time. `takeTurn` returns everything that results from the events since the last turn:
//   records for the journal, jobs whose place on disk changed, jobs to start, runs to stop. The caller carries them out in that
//   order, so nothing is moved before it is recorded, and nothing runs before it is recorded and moved.
// - The state has three parts: what is recorded (`RecordedState`), what follows from that and from the definitions in force
//   (`DerivedState`), and what the next turn has to take up (`Agenda`). Every change of the recorded part is a `Record`, and only
//   `apply` makes it. So replaying the records of a journal through `restore` rebuilds the recorded part as it was, and there is no
//   second way to build it.
// - At most `slots` jobs run at once, and of each queue at most its own slots. The job with the highest priority starts first,
//   then the earliest start, then the first to arrive. A full or paused queue never delays a job of another queue.
// - A run of a crontab's line needs no slot, so no other job delays it, and it delays no other job.
// - A run that an executor has needs a slot of the executor, and none of this machine.
// - A job that holds a lock delays only jobs that need the lock. Nothing starts before the jobs that it waits for have ended.
// - One start per try. A due time becomes one job, or a record with the reason why not.
// - The follow-ups of a job's end are accepted in the turn of that end.

@_exported import Model

/// The part of the configuration that the scheduler needs.
public struct SchedulerLimits: Sendable {
    public var slots: Int
    public var queueSlots: [String: Int]
    /// The executors of the queues whose jobs run elsewhere.
    public var queueExecutors: [String: String] = [:]
    /// The configuration of executors.
    public var executors: [String: ExecutorSettings] = [:]
    /// The number of jobs that the machine can run, including those that need no slot.
    public var startable: Int

    public init(slots: Int = 8, queueSlots: [String: Int] = [:], startable: Int = .max) {
        self.slots = slots
        self.queueSlots = queueSlots
        self.startable = startable
    }

    /// What the configuration says of slots and executors.
    public init(_ configuration: Configuration) {
        self.init(slots: configuration.slots, queueSlots: configuration.queueSlots)
        queueExecutors = configuration.queueExecutors
        executors = configuration.executors
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
    /// Since the start of the machine, cron has run the `@reboot` lines of the crontabs.
    public var hasCronRun = false
    /// True when the spool was served until the start: its daemon had ended because it had nothing to do, and was to be started in time.
    public var isAfterRest = false

    public init() {}
}

public final class Scheduler {
    /// A due time that is handled this much later counts as missed and follows `catch_up`.
    public static let missedAfterMilliseconds: Int64 = 60_000

    let zones: ZoneDatabase
    /// For all readers of the definitions that this scheduler gets.
    public let sharedSchedules = SharedSchedules()
    var limits: SchedulerLimits
    /// The reader of the configuration sets this, before the events that it applies to.
    public var settings = SchedulerSettings() { didSet { derived.calendars.settingsChanged() } }

    let recorded = RecordedState()
    var derived = DerivedState()
    var agenda = Agenda()
    /// The decisions since the last turn.
    var turn = Turn()

    /// There is a job to start, but the world does not allow a start now.
    public internal(set) var isHeld = false
    /// The last turn would have started a job in another slot.
    public internal(set) var isShortOfSlots = false
    private(set) var isRestoring = false
    /// The time of the last record that was replayed: an earlier daemon ran until then.
    private(set) var lastRestored: Instant?

    public init(limits: SchedulerLimits = SchedulerLimits(), zones: ZoneDatabase) {
        self.limits = limits
        self.zones = zones
    }

    // MARK: Events and turns

    public func handle(_ event: Event, at now: Instant) {
        switch event {
        case .dropped(let job, let onRecord): drop(job, onRecord, at: now)
        case .rejected(let file): commit(.rejected(file), at: now)
        case .withdrawn(let id): withdraw(id, at: now)
        case .task(let definition, let since, let stamp): define(definition, since: since, stamp, at: now)
        case .taskUnusable(let name): reinstate(task: name, at: now)
        case .taskRemoved(let name): remove(task: name, at: now)
        case .schedule(let task, let definition, let source, let writtenAt, let since, let stamp):
            define(task: task, definition, source, writtenAt: writtenAt, since: since, stamp, at: now)
        case .scheduleUnusable(let id): reinstate(schedule: id, at: now)
        case .scheduleRemoved(let id): remove(schedule: id, at: now)
        case .stamped(let file, let stamp): record(stamp, of: file, at: now)
        case .answered(let question, let answer): take(answer, to: question, at: now)
        case .programChanged(let key): programChanged(key)
        case .files(let report): take(report, at: now)
        case .firstFiles(let task, let schedule, let fingerprints): takeFirstFiles(fingerprints, of: schedule, task, at: now)
        case .ended(let id, let attempt, let run): end(id, attempt: attempt, run, at: now)
        case .moved(let id, let moved): if jobs[id] != nil { commit(.moved(id, moved), at: now) }
        case .placed(let id, let attempt): placed(id, attempt: attempt, at: now)
        case .replied(let reply): take(reply, at: now)
        case .marked(let id, let attempt, let marks): take(marks, of: id, attempt: attempt, at: now)
        case .extended(let id, let milliseconds): extend(id, byMilliseconds: milliseconds)
        case .cancel(let id): cancel(id, at: now)
        case .kill(let id, let signal): kill(id, signal: signal, at: now)
        case .remarked(let id, let remark): if jobs[id]?.state == .running { commit(.remarked(id, remark), at: now) }
        case .requested(let id, let name): if jobs[id]?.state == .running { commit(.requested(id, name: name), at: now) }
        case .paused(let scope, let note):
            if pauses[scope] != note { commit(.paused(scope, note: note), at: now) }
        case .resumed(let scope):
            if pauses[scope] != nil { commit(.resumed(scope), at: now) }
        case .limits(let limits): self.limits = limits
        case .calendarsChanged(let onRecord):
            takeDue(onRecord, at: now)
            adoptCalendars(isStart: false, at: now)
        case .zonesChanged(let changes, let onRecord): reread(changes, onRecord, at: now)
        case .started(let boot, let version):
            derived.remote.clockWasSet(at: now)
            start(boot: boot, version: version, at: now)
        case .stopped: commit(.daemonStopped, at: now)
        case .clockSet(let milliseconds):
            distrustMarksAhead(at: now)
            keepSlow(clockMovedByMilliseconds: milliseconds)
            derived.remote.clockWasSet(at: now)
        case .tick: break
        }
    }

    /// Everything that results from the events since the last turn, after handling due times and filling the free slots.
    ///
    /// - Parameters:
    ///   - mayStart: false when nothing new may start, because the daemon is ending.
    ///   - onRecord: those ids of `runsDue(at:)` at the same instant of which the spool has a record.
    ///   - isOpen: returns true when the world allows a start now. Called at most once, and only when there is a job to start.
    public func takeTurn(
        at now: Instant, mayStart: Bool = true, onRecord: Set<JobID> = [], isOpen: () -> Bool = { true }
    ) -> Turn {
        if mayStart {
            takeDue(onRecord, at: now)
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
            } while !agenda.broken.isEmpty || !agenda.owed.isEmpty
            releaseDelayed(at: now)
            if mayStart { dispatch(at: now, &maySpawn, isOpen) }
            // The starts may owe follow-ups.
        } while !agenda.owed.isEmpty
        if mayStart {
            turn.questions = takeQuestions(at: now)
            callExecutors(at: now)
        }
        defer { turn = Turn() }
        for job in turn.places { job.isTouched = false }
        agenda.ended.removeAll()
        return turn
    }

    /// The records since the last turn. The caller journals them before those of the next turn, which does not have them.
    public func takeRecords() -> [(at: Instant, record: Record)] {
        defer { turn.records = [] }
        return turn.records
    }

    func commit(_ record: Record, at now: Instant) {
        turn.records.append((now, record))
        apply(record, at: now)
    }

    /// Replays one record of the journal. Effects are not repeated: the turn after the last record contains the place of every
    /// job, and the store moves those that are not in their place.
    public func restore(_ record: Record, at instant: Instant) {
        isRestoring = true
        lastRestored = instant
        apply(record, at: instant)
        isRestoring = false
    }

    // MARK: Jobs

    private func drop(_ arrival: AcceptedJob, _ onRecord: OnRecord, at now: Instant) {
        guard let known = jobs[arrival.id] else { return accept(arrival, onRecord, at: now) }
        guard known.state == .new else { return }
        var changed = arrival
        changed.keepAge(of: known)
        accept(changed, onRecord, at: now)
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
        } else if job.executor != nil {
            derived.remote.signal(job, signal)
        } else {
            turn.stops.append((job, .signal(signal)))
        }
    }

    func stop(_ job: Job, _ why: StopReason, at now: Instant) {
        // A canceled run that must be killed still counts as canceled.
        if job.stopping != why, why != .killed || job.stopping == nil { commit(.stopping(job.id, why), at: now) }
        // One that is not in its place yet ends at once, whoever would run it.
        turn.stops.append((job, why == .killed ? .kill : .politely))
        stopRemote(job, at: now)
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
}
