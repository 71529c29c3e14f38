/// A job and how far it has come. Changed only by the scheduler's `apply`.
public final class Job {
    public let id: JobID
    public let name: String
    public let task: String?
    public let schedule: String?
    public let source: Source
    public let definition: JobDefinition
    public let due: Instant
    public let createdAt: Instant
    public let scheduledAt: Instant
    public let deadline: Instant?
    public let retryOf: String?
    /// The job whose end this one follows, and how many such steps there were.
    public let parent: JobID?
    let depth: Int
    /// The files that came, for which it runs.
    public let paths: [String]
    /// It was dropped as a directory of its own, which may hold more than the job's file.
    public let isDirectory: Bool
    /// Later ones have higher numbers, whatever the clock did.
    public let arrival: UInt64

    /// The dropped file it waits as, until it first moves.
    public let file: FileStamp?
    public internal(set) var state = JobState.new
    public internal(set) var reason: FailureReason?
    public internal(set) var error: String?
    /// Tries begun so far.
    public internal(set) var attempt = 0
    /// Tries that ended as `lost` and, by `on_crash`, do not count.
    var forgivenTries = 0
    public internal(set) var notBefore: Instant
    public internal(set) var startedAt: Instant?
    /// The end of the last try; of a job that was canceled between two tries too. Of one without a try, its own end.
    public internal(set) var endedAt: Instant?
    /// When it last came to a state: of an ended job, its end.
    public internal(set) var changedAt: Instant
    public internal(set) var exitCode: Int?
    public internal(set) var signal: Int32?
    public internal(set) var usage: Usage?
    public internal(set) var stopping: StopReason?
    /// What was done with its files: by a record, or by the store when it had to make its directory anew.
    public var moved: String?
    /// The number of the last try whose output its directory brought along.
    public let earlierTries: Int
    /// Of a run that is not the first: how the try before it ended, should this one never begin. At most one; a list takes less room.
    var tryBefore: [(ending: Ending, endedAt: Instant?)] = []
    /// The latest requests that were carried out for the run.
    public private(set) var requests: [String] = []
    /// As many are carried out in one turn, and more.
    private static let requestsMax = 256
    /// Where it stands on disk, as the store last saw or left it.
    public var place: Place
    /// The process of the current or last try, once known.
    public var pid: Int32?
    /// How that try was begun otherwise than the job says.
    public internal(set) var remark: String?

    /// Jobs that have to end before this one may start; of one that failed with `dependency`, those that had not ended as it asked.
    public internal(set) var waitsFor: [JobID]

    var isTouched = false
    /// Set aside for an edited version of itself, or gone.
    var isDead = false

    func noteRequest(_ name: String) {
        if requests.count == Self.requestsMax { requests.removeFirst() }
        requests.append(name)
    }

    init(_ accepted: AcceptedJob, arrival: UInt64) {
        id = accepted.id
        name = accepted.name
        task = accepted.task
        schedule = accepted.schedule
        source = accepted.source
        definition = accepted.definition
        due = accepted.due
        createdAt = accepted.createdAt
        scheduledAt = accepted.notBefore
        deadline = accepted.definition.deadline?.instant(due: accepted.due)
        retryOf = accepted.retryOf
        parent = accepted.parent
        depth = accepted.depth
        paths = accepted.paths
        waitsFor = accepted.waitsFor
        isDirectory = accepted.isDirectory
        earlierTries = accepted.earlierTries
        file = accepted.file
        place = accepted.file.map { .file($0.name) } ?? (accepted.isDirectory ? .directory(.new) : .nowhere)
        notBefore = accepted.notBefore
        forgivenTries = accepted.forgivenTries
        changedAt = accepted.createdAt
        self.arrival = arrival
    }

    /// The accepted record that would bring the job back as it waits.
    public var accepted: AcceptedJob {
        var job = AcceptedJob(
            id: id, name: name, task: task, schedule: schedule, due: due, createdAt: createdAt, notBefore: scheduledAt,
            source: source, definition: definition, file: file, retryOf: retryOf,
            isDirectory: isDirectory)
        job.waitsFor = waitsFor
        job.earlierTries = earlierTries
        job.parent = parent
        job.depth = depth
        job.paths = paths
        return job
    }

    /// How the job stands after its last try, as a record says it.
    public var ending: Ending {
        var ending = Ending(attempt: attempt, state: state, reason: reason)
        ending.error = error
        ending.startedAt = startedAt
        ending.exitCode = exitCode
        ending.signal = signal
        ending.usage = usage
        ending.pid = pid
        ending.notBefore = notBefore
        return ending
    }

    /// The try that ended last was `lost` and, by `on_crash`, does not count.
    var isLastTryForgiven: Bool { reason == .lost && definition.onCrash == .retry }

    /// What `status.json` says.
    public func status(host: String) -> JobStatus {
        var status = JobStatus(id: id.text, name: name, due: due, createdAt: createdAt, host: host)
        status.description = definition.description
        status.task = task
        status.schedule = schedule
        status.state = state
        status.reason = reason
        status.error = error
        status.remark = remark
        status.attempt = attempt
        status.tries = definition.tries
        status.priority = definition.priority
        status.queue = definition.queue
        status.tags = definition.tags
        status.payload = definition.payload
        status.scheduledAt = scheduledAt
        status.startedAt = startedAt
        status.endedAt = endedAt
        status.changedAt = changedAt
        status.notBefore = state == .new ? notBefore : nil
        status.deadline = deadline
        status.exitCode = exitCode
        status.signal = signal
        status.usage = usage
        status.pid = pid
        status.retryOf = retryOf
        status.parent = parent?.text
        status.waitsFor = waitsFor.map(\.text)
        status.earlierTries = earlierTries
        status.moved = moved
        status.paths = paths
        status.keepMilliseconds = definition.keepMilliseconds
        return status
    }
}

/// Where a job stands on disk.
public enum Place: Hashable, Sendable {
    /// A file in `new/`, as it was dropped.
    case file(String)
    /// The job's directory in the one that the state names.
    case directory(JobState)
    /// Not yet anywhere.
    case nowhere
}
