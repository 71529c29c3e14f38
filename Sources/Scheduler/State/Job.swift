/// A job and its progress. The state has four parts:
///
/// - `given` contains what was accepted. It never changes.
/// - `recorded` is the result of the journal's records. Only `Scheduler.apply` calls the methods of the section below, and nothing
///   else can change it, so that a replay of the journal rebuilds it.
/// - Observations of processes and of the job's files are not decisions and have no record of their own. The daemon and the store
///   write them, and recovery observes them again.
/// - The scheduler's marks of the turn result from the records of that turn.
public final class Job {
    // MARK: Given

    public let given: AcceptedJob
    /// A job that was accepted later has a higher number, even if the clock was set back.
    public let arrival: UInt64
    /// True for a due time of a crontab's line, which starts also when all slots are in use. It has none.
    public var needsNoSlot: Bool { given.isOfCrontab }

    init(_ accepted: AcceptedJob, arrival: UInt64) {
        var given = accepted
        given.waitsFor = []
        given.forgivenTries = 0
        // These only matter at the moment of acceptance.
        given.obstacle = nil
        given.fingerprints = []
        self.given = given
        self.arrival = arrival
        recorded = Recorded(
            last: Ending(attempt: 0, state: .new, reason: nil), notBefore: accepted.notBefore, changedAt: accepted.createdAt,
            forgivenTries: accepted.forgivenTries, waitsFor: accepted.waitsFor)
    }

    // MARK: Recorded

    public struct Recorded: Sendable {
        /// The state: `new` before the first try and between two tries, `running`, or the result of the last try.
        public internal(set) var last: Ending
        /// The start of the first or the next try.
        public internal(set) var notBefore: Instant
        /// The end of the last try, also for a job that was canceled between two tries. For a job without a try, the job's end.
        public internal(set) var endedAt: Instant?
        /// The time of the last change of the state. For an ended job, its end.
        public internal(set) var changedAt: Instant
        /// The number of tries that ended as `lost` and, by `on_crash`, do not count.
        var forgivenTries = 0
        public internal(set) var stopping: StopReason?
        /// The end of the previous try, in case the present one never begins. At most one entry; a list takes less room.
        var tryBefore: [(ending: Ending, endedAt: Instant?)] = []
        /// The latest requests that were carried out for the run.
        public internal(set) var requests: [String] = []
        /// The differences between the start of the last try and the job's definition.
        public internal(set) var remark: String?
        /// The events of the job of which people have been told.
        public internal(set) var announced: Set<Announcement> = []
        /// The boot of the machine in which the last try was begun, with the name of `daemonStarted`.
        public internal(set) var boot: String?
        /// The engine's name for the running try of an executor.
        public internal(set) var handle: String?
        /// The number of records that the running try is about to be submitted. While it is 0, no engine can have the try.
        public internal(set) var submissions = 0
        /// The jobs that must end before this one may start. For a job that failed with `dependency`, those that did not end as
        /// required.
        public internal(set) var waitsFor: [JobID] = []
    }

    public private(set) var recorded: Recorded

    /// One turn carries out this many requests and more.
    private static let requestsMax = 256

    /// The file could not be used.
    func reject(_ error: String, at now: Instant) {
        recorded.last = Ending(attempt: 0, state: .failed, reason: .rejected)
        recorded.last.error = error
        recorded.endedAt = now
        recorded.changedAt = now
    }

    func withdraw(at now: Instant) { recorded.changedAt = now }

    /// Begins a try.
    func begin(attempt: Int, boot: String?, at now: Instant) {
        if self.attempt > 0, state == .new { recorded.tryBefore = [(ending, endedAt)] }
        recorded.last = Ending(attempt: attempt, state: .running, reason: nil)
        recorded.last.startedAt = now
        clockMovedMilliseconds = 0
        recorded.boot = boot
        recorded.endedAt = nil
        recorded.changedAt = now
        recorded.remark = nil
        recorded.stopping = nil
        recorded.handle = nil
        recorded.submissions = 0
        pid = nil
        remote = nil
        remoteShownAt = nil
    }

    /// Ends a try, or the job without one.
    func end(_ ending: Ending, at now: Instant) {
        let wasRunning = state == .running
        // The try was about to begin and did not, so the previous one is the last.
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

    /// Marks what the engine calls the run, or that it is about to be submitted.
    func submitted(handle: String?) {
        recorded.handle = handle
        if handle == nil { recorded.submissions += 1 }
    }

    /// Marks that the run was asked to end.
    func stop(_ why: StopReason) { recorded.stopping = why }

    /// Marks that the action of a request for the run is about to be done.
    func note(request name: String) {
        if recorded.requests.count == Self.requestsMax { recorded.requests.removeFirst() }
        recorded.requests.append(name)
    }

    func note(remark: String) { recorded.remark = recorded.remark.map { "\($0). \(remark)" } ?? remark }

    func note(_ announcement: Announcement) { recorded.announced.insert(announcement) }

    /// A job that this one waits for has ended as required.
    func endWait(for id: JobID) { recorded.waitsFor.removeAll { $0 == id } }

    /// A retry replaces a job that this one waits for.
    func moveWait(from id: JobID, to retry: JobID) {
        if recorded.waitsFor.contains(retry) { return endWait(for: id) }
        for index in recorded.waitsFor.indices where recorded.waitsFor[index] == id { recorded.waitsFor[index] = retry }
    }

    // MARK: Observed

    /// The process of the current or last try, once a worker has reported it. The record of the try's end repeats it.
    public var pid: Int32?
    /// A remark about the job's files, for its status. It comes from a record, or from the store when it had to create the job's
    /// directory again.
    public var moved: String?

    /// The state in its engine of the running try, or of the last one, if an executor has it.
    public internal(set) var remote: RemoteView?
    /// The time at which its status last got that.
    var remoteShownAt: Instant?

    // MARK: The turn

    /// The job is among the places of the turn.
    var isTouched = false
    /// The job no longer waits: an edited version replaced it, it was withdrawn, or it has ended.
    var isDead = false
    /// The time by which the wall clock was moved while the present try ran, as far as this daemon knows.
    var clockMovedMilliseconds: Int64 = 0
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
    /// The job whose end started this one.
    @inlinable public var parent: JobID? { given.parent }
    /// The number of such steps before this job.
    var depth: Int { given.depth }
    /// The new files that the job runs for.
    @inlinable public var paths: [String] { given.paths }
    /// The job was dropped as a directory of its own, which may contain more than the job's file.
    @inlinable public var isDirectory: Bool { given.isDirectory }
    /// The number of the last try whose output the job's directory contained at first.
    @inlinable public var earlierTries: Int { given.earlierTries }
    /// The dropped file as which the job waits, until it is first moved.
    @inlinable public var file: FileStamp? { given.file }

    /// The executor that runs the job. Nil means this machine.
    @inlinable public var executor: String? { given.executor }
    /// The number of the present or last try among all tries that have left files in the job's directory, also those of jobs that it
    /// repeats. No two runs that could meet in one directory have the same.
    @inlinable public var runNumber: Int { earlierTries + attempt }

    @inlinable public var state: JobState { recorded.last.state }
    @inlinable public var reason: FailureReason? { recorded.last.reason }
    @inlinable public var error: String? { recorded.last.error }
    /// The number of tries that have begun.
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

    /// The accepted record that would restore the waiting job.
    public var accepted: AcceptedJob {
        var job = given
        job.waitsFor = waitsFor
        return job
    }

    /// The state of the job after its last try, in the form of a record.
    public var ending: Ending {
        var ending = recorded.last
        ending.hasOutput = false
        ending.pid = pid
        ending.notBefore = notBefore
        return ending
    }

    /// The last ended try was `lost` and, by `on_crash`, does not count.
    var isLastTryForgiven: Bool { reason == .lost && definition.onCrash == .retry }

    /// The job's `status.json`.
    public func status(host: String) -> JobStatus {
        var status = JobStatus(id: id.text, name: name, due: due, createdAt: createdAt, host: host)
        status.title = definition.title
        status.description = definition.description
        status.task = task
        status.schedule = schedule
        status.state = state
        status.reason = reason
        status.error = error
        status.errorTail = recorded.last.errorTail
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
        status.overdueTask = given.overdueTask
        status.waitsFor = waitsFor.map(\.text)
        status.earlierTries = earlierTries
        status.needsNoSlot = needsNoSlot
        status.executor = executor ?? definition.executor
        status.remote = remote
        status.moved = moved
        status.paths = paths
        status.keepMilliseconds = definition.keepMilliseconds
        return status
    }
}
