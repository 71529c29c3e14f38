/// What can happen to the spool, as the daemon saw it.
public enum Event {
    /// A file in `new/` was read and can be run; or one that waits there was edited.
    case dropped(AcceptedJob, OnRecord = OnRecord())
    /// A file in `new/` was read and cannot be run.
    case rejected(RejectedFile)
    /// The file or directory of a waiting job is gone from `new/`.
    case withdrawn(JobID)
    /// A task's file was read; `since` is when that file came to be, from which a new schedule's due times count.
    case task(TaskDefinition, since: Instant)
    /// A task's file is there but cannot be used: the definition that was accepted last stays in force.
    case taskUnusable(String)
    case taskRemoved(String)
    /// A file in `schedules/` was read.
    case schedule(task: String, ScheduleDefinition, Source, since: Instant)
    case scheduleUnusable(id: String)
    case scheduleRemoved(id: String)
    /// What the program of a pattern said.
    case answered(Question, Answer)
    /// A program in `patterns/` has come, changed or gone; nil: any of them may have.
    case programChanged(String?)
    /// What was found at the paths of a schedule; and all that stands there when it is taken up.
    case files(FileReport)
    case firstFiles(task: String, schedule: String, [UInt64])
    /// A worker's report on a try, or the conclusion that there will be none.
    case ended(JobID, attempt: Int, RunResult)
    /// Something was done with a job's files that whoever asks for it should know of.
    case moved(JobID, String)
    /// The running try was begun otherwise than its job says.
    case remarked(JobID, String)
    case cancel(JobID)
    case kill(JobID, signal: Int32)
    /// Something is about to be done for a running job that must not be done twice, because a request of this name asks for it.
    case requested(JobID, name: String)
    case paused(PauseScope, note: String)
    case resumed(PauseScope)
    case limits(SchedulerLimits)
    /// Time zones in use were read anew and say something else. `recorded`: of `Scheduler.runsDue`, the ids of which the spool has a
    /// record.
    case zonesChanged([ZoneDatabase.Change], recorded: Set<JobID> = [])
    /// The daemon is up: the tree and all definitions have been read. Missed due times are caught up now.
    case started(boot: String, version: String)
    case stopped
    /// The clock was set, forward or back.
    case clockSet
    /// Nothing but time.
    case tick
}

/// What the tree knows of jobs that have ended, as far as an arriving job asks.
public struct OnRecord: Sendable {
    /// How those ended that `after` means, as far as there are records of them.
    public var ends: [JobID: JobState] = [:]
    /// The job that holds the key of its `unique`, unless this one may take it over.
    public var holder: JobID?

    public init(ends: [JobID: JobState] = [:], holder: JobID? = nil) {
        self.ends = ends
        self.holder = holder
    }
}

/// How one try ended.
public struct RunResult: Sendable {
    public enum Outcome: Sendable, Hashable {
        case exited(Int)
        case signaled(Int32, coreDumped: Bool)
        /// The limit struck; with what the command ended then.
        case timedOut(exitCode: Int?, signal: Int32?)
        /// Whoever gave the standard input ended before the end of the input; with what the command ended then.
        case inputBroke(exitCode: Int?, signal: Int32?)
        /// The command could not be started, with the reason for a person.
        case notSpawned(String)
        /// It was decided to start it, but no worker ever began to: the daemon died in between. The try is taken again.
        case neverBegan
        /// Nobody could record the end.
        case lost(String)
        /// The run belongs to the spool that this one is a copy of, and may go on there: it is never taken again.
        case leftBehind
    }

    public var outcome: Outcome
    public var startedAt: Instant?
    public var endedAt: Instant
    public var pid: Int32?
    public var usage: Usage?
    /// Why its processes were ended by somebody else, for a person.
    public var cause: String?
    /// It wrote something; only looked at where the job asks for mail then.
    public var hasOutput = false

    public init(outcome: Outcome, startedAt: Instant?, endedAt: Instant, pid: Int32? = nil, usage: Usage? = nil) {
        self.outcome = outcome
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.pid = pid
        self.usage = usage
    }
}

/// What is paused: everything, a queue, or a task.
public enum PauseScope: Hashable, Sendable {
    case all
    case queue(String)
    case task(String)
}
