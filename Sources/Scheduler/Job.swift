/// A job and how far it has come. Its state is in four parts:
///
/// - `given` is what was accepted. It never changes.
/// - `recorded` is what the journal's records made of the job. Only `Scheduler.apply` changes it, through the methods of the section below,
///   so that a replay of the journal rebuilds it.
/// - What is observed on the disk and of processes is no decision and has no record of its own. The store and the daemon write it, and
///   recovery observes it again.
/// - The scheduler's marks of the turn, which follow from the records of that turn.
public final class Job {
    // MARK: Given

    public let given: AcceptedJob
    /// A job that was accepted later has a higher number, whatever the clock did.
    public let arrival: UInt64

    init(_ accepted: AcceptedJob, arrival: UInt64) {
        var given = accepted
        given.waitsFor = []
        given.forgivenTries = 0
        // These concern the moment of acceptance alone.
        given.obstacle = nil
        given.fingerprints = []
        self.given = given
        self.arrival = arrival
        recorded = Recorded(
            last: Ending(attempt: 0, state: .new, reason: nil), notBefore: accepted.notBefore, changedAt: accepted.createdAt,
            forgivenTries: accepted.forgivenTries, waitsFor: accepted.waitsFor)
        place = accepted.file.map { .file($0.name) } ?? (accepted.isDirectory ? .directory(.new) : .nowhere)
    }

    // MARK: Recorded

    public struct Recorded: Sendable {
        /// How the job stands: `new` before its first try and between two tries, `running`, or how its last try came out.
        public internal(set) var last: Ending
        /// The start of the first or the next try.
        public internal(set) var notBefore: Instant
        /// The end of the last try; of a job that was canceled between two tries too. Of a job without a try, its own end.
        public internal(set) var endedAt: Instant?
        /// When the job last changed its state: of an ended job, its end.
        public internal(set) var changedAt: Instant
        /// Tries that ended as `lost` and, by `on_crash`, do not count.
        var forgivenTries = 0
        public internal(set) var stopping: StopReason?
        /// Of a run that is not the first: how the try before it ended, should this one never begin. At most one; a list takes less room.
        var tryBefore: [(ending: Ending, endedAt: Instant?)] = []
        /// The latest requests that were carried out for the run.
        public internal(set) var requests: [String] = []
        /// How the last try was begun otherwise than the job says.
        public internal(set) var remark: String?
        /// The boot of the machine in which the last try was begun, as `daemonStarted` calls it.
        public internal(set) var boot: String?
        /// Jobs that have to end before this one may start; of one that failed with `dependency`, those that had not ended as it asked.
        public internal(set) var waitsFor: [JobID] = []
    }

    public private(set) var recorded: Recorded

    /// One turn carries out as many requests, and more.
    private static let requestsMax = 256

    /// The file could not be used.
    func reject(_ error: String, at now: Instant) {
        recorded.last = Ending(attempt: 0, state: .failed, reason: .rejected)
        recorded.last.error = error
        recorded.endedAt = now
        recorded.changedAt = now
    }

    func withdraw(at now: Instant) { recorded.changedAt = now }

    /// A try begins.
    func begin(attempt: Int, boot: String?, at now: Instant) {
        if self.attempt > 0, state == .new { recorded.tryBefore = [(ending, endedAt)] }
        recorded.last = Ending(attempt: attempt, state: .running, reason: nil)
        recorded.last.startedAt = now
        recorded.boot = boot
        recorded.endedAt = nil
        recorded.changedAt = now
        recorded.remark = nil
        recorded.stopping = nil
        pid = nil
    }

    /// A try has ended, or the job without one.
    func end(_ ending: Ending, at now: Instant) {
        let wasRunning = state == .running
        // The try was to begin, and did not: the one before it is the last.
        let neverBegan = wasRunning && ending.attempt < attempt
        let startedAt = ending.startedAt ?? startedAt
        recorded.last = ending
        recorded.last.startedAt = startedAt
        if neverBegan, let before = recorded.tryBefore.first {
            recorded.endedAt = before.endedAt
        } else if wasRunning || ending.state == .new || ending.attempt == 0 || endedAt == nil {
            recorded.endedAt = now
        }
        recorded.changedAt = now
        pid = ending.pid ?? pid
        guard ending.state == .new else { return }
        recorded.notBefore = ending.notBefore ?? now
        if wasRunning, !neverBegan, isLastTryForgiven { recorded.forgivenTries += 1 }
    }

    /// The run was told to end.
    func stop(_ why: StopReason) { recorded.stopping = why }

    /// What a request asks for the run is about to be done.
    func note(request name: String) {
        if recorded.requests.count == Self.requestsMax { recorded.requests.removeFirst() }
        recorded.requests.append(name)
    }

    func note(remark: String) { recorded.remark = recorded.remark.map { "\($0). \(remark)" } ?? remark }

    /// A job that this one waits for has ended as this one asks.
    func endWait(for id: JobID) { recorded.waitsFor.removeAll { $0 == id } }

    /// A retry takes the place of a job that this one waits for.
    func moveWait(from id: JobID, to retry: JobID) {
        if recorded.waitsFor.contains(retry) { return endWait(for: id) }
        for index in recorded.waitsFor.indices where recorded.waitsFor[index] == id { recorded.waitsFor[index] = retry }
    }

    // MARK: Observed

    /// Where the job is on the disk, as the store last saw or left it.
    public var place: Place
    /// The process of the current or last try, once a worker has reported it. The record of the try's end repeats it.
    public var pid: Int32?
    /// A remark on the job's files, for its status: from a record, or from the store when it had to make the job's directory anew.
    public var moved: String?

    // MARK: The turn

    /// The job is among the places of the turn.
    var isTouched = false
    /// The job waits no more: an edited version of it took its place, or it was withdrawn, or has ended.
    var isDead = false
}

// MARK: - Reading

extension Job {
    @inlinable public var id: JobID { given.id }
    @inlinable public var name: String { given.name }
    @inlinable public var task: String? { given.task }
    @inlinable public var schedule: String? { given.schedule }
    @inlinable public var source: Source { given.source }
    @inlinable public var definition: JobDefinition { given.definition }
    @inlinable public var due: Instant { given.due }
    @inlinable public var createdAt: Instant { given.createdAt }
    /// The due time, `start`, or the due time with its jitter.
    @inlinable public var scheduledAt: Instant { given.notBefore }
    public var deadline: Instant? { definition.deadline?.instant(due: due) }
    @inlinable public var retryOf: String? { given.retryOf }
    /// The job whose end this one follows.
    @inlinable public var parent: JobID? { given.parent }
    /// How many such steps there were.
    var depth: Int { given.depth }
    /// The files that came, for which the job runs.
    @inlinable public var paths: [String] { given.paths }
    /// The job was dropped as a directory of its own, which may hold more than the job's file.
    @inlinable public var isDirectory: Bool { given.isDirectory }
    /// The number of the last try whose output the job's directory brought along.
    @inlinable public var earlierTries: Int { given.earlierTries }
    /// The dropped file that the job waits as, until it first moves.
    @inlinable public var file: FileStamp? { given.file }

    @inlinable public var state: JobState { recorded.last.state }
    @inlinable public var reason: FailureReason? { recorded.last.reason }
    @inlinable public var error: String? { recorded.last.error }
    /// Tries begun so far.
    @inlinable public var attempt: Int { recorded.last.attempt }
    @inlinable public var startedAt: Instant? { recorded.last.startedAt }
    @inlinable public var exitCode: Int? { recorded.last.exitCode }
    @inlinable public var signal: Int32? { recorded.last.signal }
    @inlinable public var usage: Usage? { recorded.last.usage }
    @inlinable public var notBefore: Instant { recorded.notBefore }
    @inlinable public var endedAt: Instant? { recorded.endedAt }
    @inlinable public var changedAt: Instant { recorded.changedAt }
    @inlinable public var stopping: StopReason? { recorded.stopping }
    @inlinable public var requests: [String] { recorded.requests }
    @inlinable public var remark: String? { recorded.remark }
    @inlinable public var waitsFor: [JobID] { recorded.waitsFor }
    var forgivenTries: Int { recorded.forgivenTries }
    var tryBefore: [(ending: Ending, endedAt: Instant?)] { recorded.tryBefore }

    /// The accepted record that would bring the job back as it waits.
    public var accepted: AcceptedJob {
        var job = given
        job.waitsFor = waitsFor
        return job
    }

    /// How the job stands after its last try, as a record has it.
    public var ending: Ending {
        var ending = recorded.last
        ending.hasOutput = false
        ending.pid = pid
        ending.notBefore = notBefore
        return ending
    }

    /// The try that ended last was `lost` and, by `on_crash`, does not count.
    var isLastTryForgiven: Bool { reason == .lost && definition.onCrash == .retry }

    /// The job's `status.json`.
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

/// Where a job is on the disk.
public enum Place: Hashable, Sendable {
    /// A file in `new/`, as it was dropped.
    case file(String)
    /// The job's own directory, in the directory of that state.
    case directory(JobState)
    /// Not yet anywhere.
    case nowhere
}
