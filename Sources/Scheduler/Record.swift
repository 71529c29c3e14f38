/// One decision, as the journal keeps it. The state of the scheduler is what these say, in their order.
public enum Record: Sendable {
    /// A job is known and waits. Again for the same id: its file was edited.
    case accepted(AcceptedJob)
    /// A file could not be used and goes to `failed/`.
    case rejected(RejectedFile)
    /// A waiting job was taken away by removing or moving its file.
    case withdrawn(JobID)
    case started(JobID, attempt: Int)
    /// A running job was told to end; its end will be put down to this.
    case stopping(JobID, StopReason)
    /// What the request of this name asks for a running job is about to be done, and is done at most once.
    case requested(JobID, name: String)
    /// A try ended, or the job ended without one. `state` new: it waits for another try.
    case ended(JobID, Ending)
    /// Something was done with a job's files that whoever asks for it should know of.
    case moved(JobID, String)
    /// The running try was begun otherwise than its job says.
    case remarked(JobID, String)
    /// A job repeats another; only in a snapshot, for else the acceptance of the retry says it.
    case retried(JobID, of: JobID)
    /// A definition was accepted and stays in force until the next one, or until its file is gone. `file` is its path
    /// without ending: `tasks/backup`, `schedules/k3f9ab`.
    case defined(file: String, Source, writtenAt: Instant)
    case undefined(file: String)
    /// A definition's file could not be used; the definition accepted before, if there is one, stays in force. Changes nothing,
    /// but tells later why an edit did not count.
    case refused(file: String, why: String)
    /// A schedule is in force; due times up to `accounted` are dealt with. Intervals count from `lastEnd`, the end of the
    /// last run, or from `origin`, when it was taken up. Where a journal begins anew, one that went on by more than a day at once has
    /// two: what was accounted for before that comes first.
    case scheduled(task: String, schedule: String, accounted: Instant, origin: Instant, lastEnd: Instant?)
    case unscheduled(task: String, schedule: String)
    /// The program of a pattern said when the schedule is due next, nil for never; `last` is the due time before that.
    case answered(task: String, schedule: String, due: Instant?, last: Instant?)
    /// Due times that became no job.
    case skipped(SkippedDue)
    /// Files at a schedule's paths that are dealt with and became no job: those that were there when it was taken up. False
    /// `isAll`: more of these follow.
    case filesSeen(task: String, schedule: String, [UInt64], isAll: Bool)
    /// Files that were dealt with are there no more, or are others now.
    case filesGone(task: String, schedule: String, [UInt64])
    /// The latest run of a task, which has ended; only in a snapshot, for else the runs themselves say it.
    case ran(task: String, JobID, JobState)
    /// A task is to succeed within its time from `since`, or has not and is overdue; nil: nothing is expected any more.
    case expecting(task: String, since: Instant?, isOverdue: Bool)
    case paused(PauseScope, note: String)
    case resumed(PauseScope)
    case daemonStarted(boot: String, version: String)
    case daemonStopped
    /// A daemon has read the journal, whose latest record was of this instant: the last sign of the daemon before. Changes
    /// nothing, but tells later for how long nobody looked.
    case recovered(last: Instant)
    /// In the head of a segment: all that the jobs above have asked for by ending has been taken up.
    case followed
    /// The journal was mended after damage. What it does not know of what came before `since`, its last readable record, may have
    /// happened all the same: a run that nobody accounts for is lost, and due times up to then were dealt with.
    case repaired(since: Instant)
}

/// A job that can be run.
public struct AcceptedJob: Sendable {
    public var id: JobID
    public var name: String
    public var task: String?
    public var schedule: String?
    /// The due time of a scheduled run, else the instant of submission.
    public var due: Instant
    /// When it was taken up.
    public var createdAt: Instant
    /// It does not start before; the due time, `start`, or the due time with its jitter.
    public var notBefore: Instant
    public var source: Source
    public var definition: JobDefinition
    /// The dropped file it waits as; nil: it waits as a directory.
    public var file: FileStamp?
    public var retryOf: String?
    /// It was dropped as a directory of its own, not as a file; all that repeats another job was.
    public var isDirectory: Bool
    /// Tries that ended as `lost` and do not count; other than 0 only in a snapshot.
    public var forgivenTries = 0
    /// The number of the last try whose output its directory brought along: its own tries are numbered after that.
    public var earlierTries = 0
    /// Jobs that `after` names and that have not ended.
    public var waitsFor: [JobID] = []
    /// Why it cannot run at all: the next record ends it.
    public var obstacle: Obstacle?
    /// The job whose end this one follows, and how many such steps there were.
    public var parent: JobID?
    public var depth = 0
    /// The files that it is for, as they came at an `on_path`; with their fingerprints when it is taken up.
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
        self.notBefore = notBefore
        self.source = source
        self.definition = definition
        self.file = file
        self.retryOf = retryOf
        self.isDirectory = isDirectory || retryOf != nil
    }
}

/// Why a job can never run.
public struct Obstacle: Sendable, Hashable {
    public var reason: FailureReason
    public var error: String

    public init(reason: FailureReason, error: String) {
        self.reason = reason
        self.error = error
    }
}

/// A file in `new/`, and enough of its identity to notice that it became another.
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
    /// What is wrong, as `file:line:column: …` lines.
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

/// How a job stands after a try, or after a decision that there will be none.
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
    /// The last try wrote something; only known where `mail` asks.
    public var hasOutput = false

    public init(attempt: Int, state: JobState, reason: FailureReason?) {
        self.attempt = attempt
        self.state = state
        self.reason = reason
    }
}

/// Why a run was told to end.
public enum StopReason: String, Sendable, CaseIterable { case canceled, replaced, killed }

/// Due times that became no job, and why.
public struct SkippedDue: Sendable {
    public enum Reason: String, Sendable, CaseIterable {
        /// An earlier run had not ended.
        case overlap
        /// A later due time stands for it.
        case merged
        /// The schedule asks for no catching up, or this lies beyond its limit.
        case missed
        case paused
        /// The task could not be turned into a job.
        case unusable
    }

    public var task: String
    public var schedule: String
    public var from: Instant
    public var through: Instant
    /// Nil: too many to count.
    public var count: Int?
    public var reason: Reason
    /// The file that came then, of a schedule that waits for files.
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
