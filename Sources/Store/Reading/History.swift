// The history of one task or one job according to the journal.

/// A job, described by its records.
public struct JobTrace: Sendable {
    public var id: String
    public var task: String?
    public var schedule: String?
    public var queue = "default"
    public var due: Instant
    public var acceptedAt: Instant
    /// It was submitted as a file: somebody requested the run of this due time.
    public var wasDropped = false
    /// It could not start before this time.
    public var notBefore: Instant
    /// The start of its first try. Nil when it never began.
    public var startedAt: Instant?
    public var tries = 0
    /// The time at which the daemon asked it to end.
    public var stopping: (why: StopReason, at: Instant)?
    /// The end of its last try.
    public var ending: (at: Instant, Ending)?
    public var withdrawnAt: Instant?
    /// The new files that the job runs for.
    public var paths: [String] = []

    public var hasEnded: Bool { ending?.1.state.isTerminal == true }

    public init(id: String, due: Instant, acceptedAt: Instant, notBefore: Instant) {
        self.id = id
        self.due = due
        self.acceptedAt = acceptedAt
        self.notBefore = notBefore
    }
}

/// A time without a daemon for the spool.
public struct Downtime: Sendable, Equatable {
    public var from: Instant
    /// The daemon ended on request. Otherwise `from` is its last sign of life.
    public var wasStopped: Bool
    /// Nil means until now.
    public var to: Instant?

    public init(from: Instant, wasStopped: Bool, to: Instant? = nil) {
        self.from = from
        self.wasStopped = wasStopped
        self.to = to
    }

    public func contains(_ instant: Instant) -> Bool { from <= instant && to.map { instant <= $0 } ?? true }
}

/// A time during which something was paused.
public struct PauseSpan: Sendable, Equatable {
    public var scope: PauseScope
    public var note: String
    public var from: Instant
    public var to: Instant?

    public func overlaps(_ start: Instant, _ end: Instant) -> Bool { from <= end && to.map { start <= $0 } ?? true }
}

/// Collects the records about one task or job, and about the daemon, to answer questions about them.
public struct History: JournalReader {
    public let task: String?
    private let needles: [[UInt8]]
    private let context: ReadingContext

    /// The journal contains everything since this instant, and for the time before only the state at this instant.
    public private(set) var since: Instant?
    public private(set) var jobs: [String: JobTrace] = [:]
    /// The ids of `jobs` in the order of their acceptance.
    public private(set) var order: [String] = []
    public private(set) var skips: [(at: Instant, due: SkippedDue)] = []
    /// The records of each schedule in order. Nil means that the schedule was removed.
    public private(set) var schedules: [String: [(at: Instant, kept: (accounted: Instant, origin: Instant, lastEnd: Instant?)?)]] = [:]
    /// The due times of each schedule that changed calendars had decided, in order.
    public private(set) var settled: [String: [(at: Instant, dues: SettledDues?)]] = [:]
    /// Definitions by file, in order. Nil means that the file was removed.
    public private(set) var definitions: [String: [(at: Instant, source: Source?, writtenAt: Instant)]] = [:]
    public private(set) var refusals: [(at: Instant, file: String, why: String)] = []
    public private(set) var pauses: [PauseSpan] = []
    public private(set) var downtimes: [Downtime] = []
    /// The calendars that the journal keeps.
    public private(set) var calendars = KeptCalendars()

    /// - Parameters:
    ///   - task: collect everything about this task and its jobs.
    ///   - job: collect everything about this job, by its id.
    public init(task: String? = nil, job: String? = nil, _ context: ReadingContext) {
        self.task = task
        needles = [task, job].compactMap { $0.map { Array($0.utf8) } }
        self.context = context
    }

    public func wants(_ line: JournalGlance) -> Bool {
        switch line.kind {
        case "segment", "daemon-started", "daemon-stopped", "recovered", "paused", "resumed", "refused": return true
        default: break
        }
        if calendars.wants(line) || needles.contains(where: { line.mentions($0) }) { return true }
        return line.id.map { jobs[$0] != nil } ?? false
    }

    public mutating func take(_ fields: JournalFields) {
        calendars.take(fields)
        switch fields.kind {
        case "segment": since = since ?? fields.at
        case "accepted": takeAccepted(fields)
        default:
            // Only accepted jobs are costly to decode, and that is done above.
            if let record = fields.record(context) { take(record, at: fields.at) }
        }
    }

    private mutating func takeAccepted(_ fields: JournalFields) {
        guard let id = fields["id"], let due = fields.instant("due"), let start = fields.instant("start") else { return }
        // The job was accepted again because its file was edited or a segment began.
        if let known = jobs[id], !known.hasEnded, known.withdrawnAt == nil {
            jobs[id]?.notBefore = start
            return
        }
        if jobs[id] == nil { order.append(id) }
        var job = JobTrace(id: id, due: due, acceptedAt: fields.at, notBefore: start)
        job.task = fields["task"]
        job.schedule = fields["schedule"]
        job.paths = fields.paths
        job.wasDropped = fields.bytes("file") != nil
        // Few jobs name a queue, so only these are decoded. An accepted text is readable.
        if let source = fields.bytes("source"), let format = fields["format"].flatMap(Source.Format.init), source.mentions("queue"),
            let queue = (try? Source(format: format, bytes: source).table())?.text("queue")  // see above
        {
            job.queue = queue
        }
        jobs[id] = job
    }

    private mutating func take(_ record: Record, at: Instant) {
        switch record {
        case .rejected(let file):
            var job = JobTrace(id: file.id.text, due: file.due, acceptedAt: at, notBefore: file.due)
            var ending = Ending(attempt: 0, state: .failed, reason: .rejected)
            ending.error = file.error
            job.ending = (at, ending)
            jobs[job.id] = job
            order.append(job.id)
        case .withdrawn(let id): jobs[id.text]?.withdrawnAt = at
        case .started(let id, let attempt):
            if jobs[id.text]?.startedAt == nil { jobs[id.text]?.startedAt = at }
            jobs[id.text]?.tries = attempt
            jobs[id.text]?.ending = nil
        case .stopping(let id, let why): jobs[id.text]?.stopping = (why, at)
        case .ended(let id, let ending): jobs[id.text]?.ending = (at, ending)
        case .skipped(let due): if due.task == task { skips.append((at, due)) }
        case .scheduled(let name, let id, let accounted, let origin, let lastEnd):
            if name == task { schedules[id, default: []].append((at, (accounted, origin, lastEnd))) }
        case .unscheduled(let name, let id):
            guard name == task else { return }
            schedules[id, default: []].append((at, nil))
            if settled[id] != nil { settled[id]?.append((at, nil)) }
        case .settled(let name, let id, let dues): if name == task { settled[id, default: []].append((at, dues)) }
        case .defined(let file, let known): definitions[file, default: []].append((at, known.source, known.writtenAt))
        case .undefined(let file): definitions[file, default: []].append((at, nil, at))
        case .refused(let file, let why): refusals.append((at, file, why))
        case .paused(let scope, let note):
            if let open = pauses.lastIndex(where: { $0.scope == scope && $0.to == nil }) {
                pauses[open].note = note
            } else {
                pauses.append(PauseSpan(scope: scope, note: note, from: at))
            }
        case .resumed(let scope):
            if let open = pauses.lastIndex(where: { $0.scope == scope && $0.to == nil }) { pauses[open].to = at }
        case .daemonStopped: downtimes.append(Downtime(from: at, wasStopped: true))
        case .recovered(let last):
            // After an orderly end, its record has closed the time already.
            if downtimes.last.map({ $0.to != nil }) ?? true { downtimes.append(Downtime(from: last, wasStopped: false)) }
        case .daemonStarted:
            // In a snapshot, no pause is open.
            if let open = downtimes.indices.last, downtimes[open].to == nil { downtimes[open].to = at }
        case .submitted, .requested, .followed, .repaired, .accepted, .retried, .moved, .remarked, .answered, .ran, .counted, .expecting,
            .filesSeen, .filesGone, .announced, .failing, .stamped:
            break
        }
    }

    // MARK: Questions

    /// The definition of a schedule at an instant. Before the first known one, that one. Nil when there was none.
    public func source(of file: String, at instant: Instant) -> Source? {
        guard let changes = definitions[file] else { return nil }
        return (changes.last { $0.at <= instant } ?? changes[0]).source
    }

    /// The reason why a file's last edit had no effect: the last refusal that nothing has followed by that instant.
    public func refusal(of file: String, at instant: Instant) -> (at: Instant, why: String)? {
        guard let last = refusals.last(where: { $0.file == file && $0.at <= instant }) else { return nil }
        if let changes = definitions[file], changes.contains(where: { last.at < $0.at && $0.at <= instant }) { return nil }
        return (last.at, last.why)
    }

    /// The time without a daemon that contains an instant.
    public func downtime(at instant: Instant) -> Downtime? { downtimes.last { $0.contains(instant) } }

    /// The run of the task that replaced another one.
    public func successor(of job: JobTrace) -> String? {
        guard let task = job.task, let at = job.stopping?.at ?? job.ending?.at, let index = order.firstIndex(of: job.id) else { return nil }
        return order[(index + 1)...].first { jobs[$0]?.task == task && jobs[$0].map { $0.acceptedAt >= at } == true }
    }
}

extension [UInt8] {
    /// True when the text contains this word.
    func mentions(_ word: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        return indices.contains { self[$0] == wanted[0] && self[$0...].starts(with: wanted) }
    }
}
