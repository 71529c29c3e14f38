// What keeps a waiting job from starting, from what can be read without the daemon.

/// One thing that holds a job back.
public struct Hold: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// No daemon serves the spool.
        case daemon
        /// Its file cannot be used, or is still being written.
        case file
        /// Its start is to come.
        case start
        /// It waits between two tries.
        case retry
        case pause
        /// Another run of its task has begun and not ended.
        case overlap
        /// All slots of its queue are taken.
        case queue
        /// All slots are taken.
        case slots
    }

    public var kind: Kind
    /// Until when, or, of the daemon, since when.
    public var instant: Instant?
    /// The jobs in its way.
    public var jobs: [String] = []
    public var scope: PauseScope?
    /// A pause's note, or what is wrong with the file.
    public var note: String?
    /// How many slots there are.
    public var slots: Int?

    public init(_ kind: Kind, instant: Instant? = nil) {
        self.kind = kind
        self.instant = instant
    }
}

/// The spool around a waiting job.
public struct WaitingSurroundings: Sendable {
    /// Nil: a daemon serves the spool. Else when the last one was seen; of a spool that never had one, the beginning of time.
    public var daemonGoneSince: Instant?
    public var pauses: [(scope: PauseScope, note: String)] = []
    /// The jobs in running/.
    public var running: [JobStatus] = []
    /// Other runs of its task that wait between two tries.
    public var betweenTries: [String] = []
    public var slots = Configuration().slots
    public var queueSlots: [String: Int] = [:]

    public init() {}

    /// What holds a job now; the daemon looks at these in the same order. None: it is about to start.
    public func holds(on job: JobStatus, overlap: Overlap, now: Instant) -> [Hold] {
        var holds: [Hold] = []
        if let daemonGoneSince { holds.append(Hold(.daemon, instant: daemonGoneSince)) }
        if let start = job.notBefore, start > now { holds.append(Hold(job.attempt > 0 ? .retry : .start, instant: start)) }
        for pause in pauses {
            switch pause.scope {
            case .all: break
            case .queue(let name): if name != job.queue { continue }
            case .task(let name): if name != job.task { continue }
            }
            var hold = Hold(.pause)
            hold.scope = pause.scope
            hold.note = pause.note
            holds.append(hold)
        }
        let others = running.filter { $0.id != job.id }
        if overlap != .allow, let task = job.task {
            var hold = Hold(.overlap)
            hold.jobs = others.filter { $0.task == task }.map(\.id) + betweenTries
            if !hold.jobs.isEmpty, job.attempt == 0 { holds.append(hold) }
        }
        if let slots = queueSlots[job.queue] {
            var hold = Hold(.queue)
            hold.jobs = others.filter { $0.queue == job.queue }.map(\.id)
            hold.slots = slots
            if hold.jobs.count >= slots { holds.append(hold) }
        }
        if others.count >= slots {
            var hold = Hold(.slots)
            hold.jobs = others.map(\.id)
            hold.slots = slots
            holds.append(hold)
        }
        return holds
    }
}

extension JobRecords {
    /// What the job that stands at a place says it is; nil when that cannot be read.
    public func definition(at place: JobPlace) throws(SystemError) -> JobDefinition? {
        let files = place.isFile ? [place.path] : Source.fileNames.map { "\(place.path)/\($0)" }
        for path in files {
            guard case .file(let status, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { continue }
            let isExecutable = !place.isFile || status.mode & 0o111 != 0
            guard let format = Source.format(ofFile: path, firstBytes: bytes, isExecutable: isExecutable) else { continue }
            // Not readable: who asks says what is wrong from the job's status.
            return try? read(Source(format: format, bytes: bytes).table(), isScript: format == .script, context)
        }
        return nil
    }
}
