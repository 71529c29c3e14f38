/// One decision in the form of the journal. The state of the scheduler is the result of all records in order.
public enum Record: Sendable {
    /// A job is known and waits. Repeated for the same id when its file was edited.
    case accepted(AcceptedJob)
    /// A file could not be used and is moved to `failed/`.
    case rejected(RejectedFile)
    /// A waiting job was withdrawn by removing or moving its file.
    case withdrawn(JobID)
    case started(JobID, attempt: Int)
    /// The engine of an executor has the running try under this handle. Without a handle, the try is about to be submitted, for the first
    /// time or because its engine has not known it for long; from now on an engine may have it.
    case submitted(JobID, attempt: Int, handle: String?)
    /// A running job was asked to end. The reason of its end will be this.
    case stopping(JobID, StopReason)
    /// The action that the request of this name wants for a running job is about to be done. It is done at most once.
    case requested(JobID, name: String)
    /// A try ended, or the job ended without one. `state` is new when the job waits for another try.
    case ended(JobID, Ending)
    /// The daemon did something with a job's files that the user should know about.
    case moved(JobID, String)
    /// People are told that the job has started or is slow, once each. The record owes the follow-up.
    case announced(JobID, Announcement)
    /// The running try was begun differently than its job's definition says.
    case remarked(JobID, String)
    /// A job repeats another. Only used in a snapshot; otherwise the acceptance of the retry contains this.
    case retried(JobID, of: JobID)
    /// A definition was accepted and stays in force until the next one, or until its file is removed. `file` is its path without
    /// ending: `tasks/backup`, `schedules/k3f9ab`.
    case defined(file: String, RecordedDefinition)
    /// The file of a definition in force was read again and has the same text, with this stamp. Nil when the file could not be used: it
    /// must be read again.
    case stamped(file: String, ContentStamp?)
    case undefined(file: String)
    /// A definition's file could not be used. The definition accepted before, if any, stays in force. The record changes nothing,
    /// but shows later why an edit had no effect.
    case refused(file: String, why: String)
    /// A schedule is in force, and due times up to `accounted` are handled. Intervals count from `lastEnd`, the end of the last
    /// run, or from `origin`, the time at which the schedule was taken up. In a new segment, a schedule that advanced by more
    /// than a day at once has two such records: the first contains its earlier `accounted`.
    case scheduled(task: String, schedule: String, accounted: Instant, origin: Instant, lastEnd: Instant?)
    case unscheduled(task: String, schedule: String)
    /// The calendars of a schedule, or its use of them, have changed: due times of the earlier ones do not count again.
    case settled(task: String, schedule: String, SettledDues)
    /// The program of a pattern answered when the schedule is due next, nil for never. `last` is the due time before that.
    case answered(task: String, schedule: String, due: Instant?, last: Instant?)
    /// Due times that became no job.
    case skipped(SkippedDue)
    /// Files at a schedule's paths that are handled and became no job: those that existed when it was taken up. When `isAll` is
    /// false, more of these records follow.
    case filesSeen(task: String, schedule: String, [UInt64], isAll: Bool)
    /// Handled files are gone or have changed.
    case filesGone(task: String, schedule: String, [UInt64])
    /// The latest run of a task, if it has ended, and the marks of its runs. Only used in a snapshot; otherwise the records of the runs
    /// contain this.
    case ran(task: String, latest: LatestRun?, RunMarks)
    /// The failures of a task in a row, and the last notice of them. Only used in a snapshot; otherwise the ends of the runs contain
    /// this.
    case failing(task: String, failures: Int, toldAt: Instant?)
    /// A task must succeed within its time from `since`, or is overdue. Nil when nothing is expected any more.
    case expecting(task: String, since: Instant?, isOverdue: Bool)
    case paused(PauseScope, note: String)
    case resumed(PauseScope)
    case daemonStarted(boot: String, version: String)
    case daemonStopped
    /// The numbers of all records before. Only used in a snapshot, as its last record.
    case counted(Tally)
    /// A daemon has read the journal, whose latest record was from this instant: the last sign of the previous daemon. The record
    /// changes nothing, but shows later how long no daemon was running.
    case recovered(last: Instant)
    /// In the head of a segment: all follow-ups of the jobs above have been accepted.
    case followed
    /// The journal was repaired after damage. Events before `since`, its last readable record, may be missing: a run without a
    /// known end is lost, and due times up to then count as handled.
    case repaired(since: Instant)
}

/// A job that can be run.
public struct AcceptedJob: Sendable {
    public var id: JobID
    public var name: String
    public var task: String?
    public var schedule: String?
    /// The due time of a scheduled run, otherwise the instant of submission.
    public var due: Instant
    /// The time of acceptance.
    public var createdAt: Instant
    /// The time at which its text was read, from which relative times in the text count. Later than `createdAt` when the text was
    /// replaced.
    public var readAt: Instant
    /// The earliest start: the due time, `start`, or the due time with its jitter.
    public var notBefore: Instant
    public var source: Source
    public var definition: JobDefinition
    /// The dropped file as which it waits. Nil when it waits as a directory.
    public var file: FileStamp?
    public var retryOf: String?
    /// It was dropped as a directory, not as a file. True for every job that repeats another.
    public var isDirectory: Bool
    /// The number of tries that ended as `lost` and do not count. Only a snapshot has another value than 0.
    public var forgivenTries = 0
    /// The number of the last try whose output the directory contained at first. The job's own tries are numbered after it.
    public var earlierTries = 0
    /// The jobs that `after` names and that have not ended.
    public var waitsFor: [JobID] = []
    /// The reason why it cannot run at all. The next record ends it.
    public var obstacle: Obstacle?
    /// It is a due time of a crontab's line, and needs no slot. This is recorded because the line may be gone while the job runs.
    public var isOfCrontab = false
    /// The executor that runs it. Nil means this machine. Decided at the acceptance, from the job and its queue.
    public var executor: String?
    /// The job whose end started this one, and the number of such steps.
    public var parent: JobID?
    public var depth = 0
    /// The overdue task of whose `on_overdue` the job is made.
    public var overdueTask: String?
    /// The new files of an `on_path` schedule that it runs for. When it is accepted, with their fingerprints.
    public var paths: [String] = []
    public var fingerprints: [UInt64] = []

    public init(
        id: JobID, name: String, task: String? = nil, schedule: String? = nil, due: Instant, createdAt: Instant,
        notBefore: Instant, source: Source, definition: JobDefinition, file: FileStamp? = nil, retryOf: String? = nil,
        isDirectory: Bool = false
    ) {
        self.id = id
        self.name = name
        self.task = task
        self.schedule = schedule
        self.due = due
        self.createdAt = createdAt
        readAt = createdAt
        self.notBefore = notBefore
        self.source = source
        self.definition = definition
        self.file = file
        self.retryOf = retryOf
        self.isDirectory = isDirectory || retryOf != nil
    }
}

extension AcceptedJob {
    /// The scheduler has made it for a due time. A person's request, a retry and a follow-up are none.
    var isOfDueTime: Bool { schedule != nil && file == nil && !isDirectory }

    /// A job whose text was replaced while it waited is the job that it was: created, and due, when it was. Later instants are from
    /// before the clock was set back.
    mutating func keepAge(of job: Job) {
        createdAt = min(job.createdAt, createdAt)
        due = min(job.due, due)
        guard definition.start == nil else { return }
        // Without `start` in both texts, the job keeps the jitter of its due time.
        let jitter = job.definition.start == nil ? job.scheduledAt.milliseconds - job.due.milliseconds : 0
        notBefore = due.advanced(byMilliseconds: jitter)
    }
}

/// The reason why a job can never run.
public struct Obstacle: Sendable, Hashable {
    public var reason: FailureReason
    public var error: String

    public init(reason: FailureReason, error: String) {
        self.reason = reason
        self.error = error
    }
}

/// A file in `new/`, with enough of its identity to detect that it was replaced or changed.
public struct FileStamp: Sendable, Hashable {
    public var name: String
    public var inode: UInt64
    public var size: Int64
    public var modifiedNanoseconds: Int64

    public init(name: String, inode: UInt64, size: Int64, modifiedNanoseconds: Int64) {
        self.name = name
        self.inode = inode
        self.size = size
        self.modifiedNanoseconds = modifiedNanoseconds
    }
}

/// A file in `new/` that cannot be run.
public struct RejectedFile: Sendable {
    public var id: JobID
    public var name: String
    public var file: String
    public var inode: UInt64
    public var due: Instant
    /// The problems, as lines of `file:line:column: …`.
    public var error: String

    public init(id: JobID, name: String, file: String, inode: UInt64, due: Instant, error: String) {
        self.id = id
        self.name = name
        self.file = file
        self.inode = inode
        self.due = due
        self.error = error
    }
}

/// The state of a job after a try, or after a decision that there will be none.
public struct Ending: Sendable {
    public var attempt: Int
    /// `done`, `failed`, or `new` when another try follows.
    public var state: JobState
    public var reason: FailureReason?
    public var error: String?
    public var startedAt: Instant?
    public var exitCode: Int?
    public var signal: Int32?
    public var usage: Usage?
    public var pid: Int32?
    /// The start of the next try.
    public var notBefore: Instant?
    /// The last try wrote output. Only known if `mail` needs it.
    public var hasOutput = false
    /// The last lines that a failed try wrote. Only known if a follow-up is told of them.
    public var errorTail: String?

    public init(attempt: Int, state: JobState, reason: FailureReason?) {
        self.attempt = attempt
        self.state = state
        self.reason = reason
    }
}

/// The run of a task that was accepted last, and how it has ended.
public struct LatestRun: Sendable, Equatable {
    public var id: JobID
    public var end: JobState

    public init(_ id: JobID, _ end: JobState) {
        self.id = id
        self.end = end
    }
}

/// An event of a running job of which people are told at most once.
public enum Announcement: String, Sendable, CaseIterable { case start, slow }

/// The reason why a run was asked to end.
public enum StopReason: String, Sendable, CaseIterable { case canceled, replaced, killed }

/// Due times that became no job, and why.
public struct SkippedDue: Sendable {
    public enum Reason: String, Sendable, CaseIterable {
        /// An earlier run had not ended.
        case overlap
        /// The run of a later due time covers it.
        case merged
        /// The schedule does not catch up missed due times, or this one is beyond its limit.
        case missed
        case paused
        /// The task could not be turned into a job.
        case unusable
    }

    public var task: String
    public var schedule: String
    public var from: Instant
    public var through: Instant
    /// Nil when there are too many to count.
    public var count: Int?
    public var reason: Reason
    /// The file that arrived then, for a schedule that waits for files.
    public var file: ArrivedFile?

    public init(task: String, schedule: String, from: Instant, through: Instant, count: Int?, reason: Reason) {
        self.task = task
        self.schedule = schedule
        self.from = from
        self.through = through
        self.count = count
        self.reason = reason
    }
}
