/// An event of the spool, as the daemon observed it.
public enum Event {
    /// A file in `new/` was read and can be run, or a file that waits there was edited.
    case dropped(AcceptedJob, OnRecord = OnRecord())
    /// A file in `new/` was read and cannot be run.
    case rejected(RejectedFile)
    /// The file or directory of a waiting job is gone from `new/`.
    case withdrawn(JobID)
    /// A task's file was read. `since` is the time at which that file was written, from which a new schedule's due times count. With a
    /// stamp if it is settled.
    case task(TaskDefinition, since: Instant, ContentStamp? = nil)
    /// A task's file exists but cannot be used: the definition that was accepted last stays in force.
    case taskUnusable(String)
    case taskRemoved(String)
    /// A file in `schedules/` was read. Relative times in its text count from `writtenAt`.
    case schedule(task: String, ScheduleDefinition, Source, writtenAt: Instant, since: Instant, ContentStamp? = nil)
    case scheduleUnusable(id: String)
    case scheduleRemoved(id: String)
    /// The file of a definition, by its path without the ending, was read again and has the text in force. Its stamp is settled.
    case stamped(file: String, ContentStamp)
    /// The answer of the program of a pattern.
    case answered(Question, Answer)
    /// A program in `patterns/` was added, changed or removed. Nil means that any of them may have been.
    case programChanged(String?)
    /// The files found at the paths of a schedule, and all files there when it is taken up.
    case files(FileReport)
    case firstFiles(task: String, schedule: String, [UInt64])
    /// A worker's report about a try, or the conclusion that there will be none.
    case ended(JobID, attempt: Int, RunResult)
    /// The daemon did something with a job's files that the user should know about.
    case moved(JobID, String)
    /// The running try was begun differently than its job's definition says.
    case remarked(JobID, String)
    /// The directory of a job that an executor runs is in its place.
    case placed(JobID, attempt: Int)
    /// An executor has answered a call, or the call has failed.
    case replied(ExecutorReply)
    /// A run that an executor has was seen to have left marks in its directory.
    case marked(JobID, attempt: Int, RemoteMarks)
    /// The limit of a run was moved.
    case extended(JobID, byMilliseconds: Int64)
    case cancel(JobID)
    case kill(JobID, signal: Int32)
    /// An action for a running job is about to be done because of the request of this name. It must not be done twice.
    case requested(JobID, name: String)
    case paused(PauseScope, note: String)
    case resumed(PauseScope)
    case limits(SchedulerLimits)
    /// Time zones in use were read again, and their rules have changed. `onRecord` are those ids of `Scheduler.runsDue` of which
    /// the spool has a record.
    case zonesChanged([ZoneDatabase.Change], onRecord: Set<JobID> = [])
    /// The calendars of the settings have changed. `onRecord` as above.
    case calendarsChanged(onRecord: Set<JobID> = [])
    /// The daemon is ready: the tree and all definitions have been read. Missed due times are handled now.
    case started(boot: String, version: String)
    case stopped
    /// The clock was set, forward or back.
    case clockSet(movedByMilliseconds: Int64)
    /// Only time has passed.
    case tick
}

/// The facts from the tree about ended jobs that an arriving job needs.
public struct OnRecord: Sendable {
    /// The ends of the jobs in `after`, as far as there are records of them.
    public var ends: [JobID: JobState] = [:]
    /// The job that holds the key of its `unique`, unless this job may take the key over.
    public var holder: JobID?

    public init(ends: [JobID: JobState] = [:], holder: JobID? = nil) {
        self.ends = ends
        self.holder = holder
    }
}

/// The end of one try.
public struct RunResult: Sendable {
    public enum Outcome: Sendable, Hashable {
        case exited(Int)
        case signaled(Int32, coreDumped: Bool)
        /// The time limit expired. The value is how the command then ended.
        case timedOut(exitCode: Int?, signal: Int32?)
        /// The command that gave the standard input ended before the end of the input. The value is how the job's command then
        /// ended.
        case inputBroke(exitCode: Int?, signal: Int32?)
        /// The command could not be started, with the reason for a person.
        case notSpawned(String, exitCode: Int? = nil)
        /// The start was decided, but no worker began it: the daemon died in between. The try is repeated.
        case neverBegan
        /// The end was not recorded.
        case lost(String)
        /// The run belongs to the original of this copied spool and may continue there. It is never repeated.
        case leftBehind
    }

    public var outcome: Outcome
    public var startedAt: Instant?
    public var endedAt: Instant
    public var pid: Int32?
    public var usage: Usage?
    /// The reason why something other than the daemon ended its processes, for a person.
    public var cause: String?
    /// The try wrote output that can be mailed. Only examined if the job's `mail` needs it.
    public var hasOutput = false
    /// The last lines that the try wrote. Only read if it failed and a follow-up is told of them.
    public var errorTail: String?

    public init(outcome: Outcome, startedAt: Instant?, endedAt: Instant, pid: Int32? = nil, usage: Usage? = nil) {
        self.outcome = outcome
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.pid = pid
        self.usage = usage
    }
}

/// The scope of a pause: everything, a queue, or a task.
public enum PauseScope: Hashable, Sendable {
    case all
    case queue(String)
    case task(String)
}
