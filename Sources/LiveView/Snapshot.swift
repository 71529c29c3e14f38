// The state of a spool at one moment: everything that a frame shows. Whoever fills the lists keeps them short, and so limits the
// cost of a frame.

import Store

public struct Snapshot: Sendable {
    public struct Daemon: Sendable {
        /// Nil when no daemon serves the spool.
        public var pid: Int32?
        public var host = ""
        /// The time since when the daemon serves the spool, or when a stopped daemon was last seen. Nil when unknown, or when
        /// there was no daemon.
        public var since: Instant?
        /// The number of definitions that the daemon cannot use.
        public var problems = 0
        public var overdue: [String] = []

        public init() {}
    }

    public struct Running: Sendable {
        public var status: JobStatus
        /// The timeout, with all extensions.
        public var timeoutMilliseconds: Int64?
        public var locks: [String]

        public init(status: JobStatus, timeoutMilliseconds: Int64? = nil, locks: [String] = []) {
            self.status = status
            self.timeoutMilliseconds = timeoutMilliseconds
            self.locks = locks
        }

        public var startedAt: Instant { status.startedAt ?? status.changedAt }
    }

    public struct Waiting: Sendable {
        public var status: JobStatus
        public var overlap: Overlap
        public var locks: [String]
        /// The jobs that must end first and have not.
        public var waitsFor: [String] = []
        /// The reason why the job's file cannot be taken up.
        public var fileProblem: String?

        public init(status: JobStatus, overlap: Overlap = .wait, locks: [String] = []) {
            self.status = status
            self.overlap = overlap
            self.locks = locks
        }
    }

    public struct Due: Sendable {
        public var instant: Instant
        public var task: String
        public var queue: String
        public var schedule: String
        public var note: String?

        public init(instant: Instant, task: String, queue: String = "default", schedule: String = "", note: String? = nil) {
            self.instant = instant
            self.task = task
            self.queue = queue
            self.schedule = schedule
            self.note = note
        }
    }

    public var now: Instant
    /// The time zone of the user of this view.
    public var zone: Zone
    public var spool: String
    public var daemon = Daemon()
    /// The state that can hold waiting jobs. Its running jobs are those of ``running``.
    public var surroundings = WaitingSurroundings()
    public var rates = EndRates()
    /// There were too many records to read all of them. For an hour, the rates are lower limits.
    public var ratesAreLeast = false
    public var runningCount = 0
    public var waitingCount = 0
    public var running: [Running] = []
    public var waiting: [Waiting] = []
    public var due: [Due] = []
    public var ended: [JobStatus] = []
    /// The part of each user, in a spool that serves everybody. The lists contain their jobs too.
    var parts: [String: Snapshot] = [:]
    /// The reasons why parts of the spool are not shown.
    public var unreadable: [String] = []
    /// The sentence that says why changes are noticed late; nil when they are not.
    public var polled: String?

    public init(now: Instant, zone: Zone, spool: String) {
        self.now = now
        self.zone = zone
        self.spool = spool
    }

    /// The reason why a waiting job does not start now.
    public func holds(on job: Waiting) -> [Hold] {
        let (owner, id) = UserPart.split(job.status.id)
        if owner != nil {
            // A user's job is held by the state of that user's own part.
            let part = part(of: owner)
            return part.waiting.first { $0.status.id == id }.map { part.holds(on: $0) } ?? []
        }
        var surroundings = surroundings
        surroundings.waitsFor = job.waitsFor
        if !job.locks.isEmpty {
            for other in ownRunning where other.status.id != job.status.id {
                for lock in job.locks where other.locks.contains(lock) { surroundings.heldLocks.append((lock, other.status.id)) }
            }
        }
        if let task = job.status.task {
            surroundings.betweenTries = waiting.lazy
                .filter { $0.status.task == task && $0.status.attempt > 0 && $0.status.id != job.status.id }.map(\.status.id)
        }
        var holds = surroundings.holds(on: job.status, overlap: job.overlap, now: now)
        if let problem = job.fileProblem {
            var hold = Hold(.file)
            hold.note = problem
            holds.insert(hold, at: 0)
        }
        return holds
    }

    /// Slots and locks of a user count only that user's jobs.
    private var ownRunning: some Sequence<Running> { running.lazy.filter { UserPart.split($0.status.id).owner == nil } }

    /// The slots of the whole spool, then of each queue that has its own, with the number in use.
    public var slots: [(queue: String?, used: Int, slots: Int)] {
        var used: [String: Int] = [:]
        for one in ownRunning { used[one.status.queue, default: 0] += 1 }
        // Runs that executors have use no slot of this machine.
        let elsewhere = ownRunning.count { $0.status.isElsewhere }
        return [(nil, max(0, runningCount - elsewhere), surroundings.slots)]
            + surroundings.queueSlots.sorted { $0.key < $1.key }.map { ($0.key, used[$0.key] ?? 0, $0.value) }
    }
}

extension Hold {
    /// The reason in a few words, at the given moment: the short form of the answer of `spoolctl why`.
    public func brief(_ job: JobStatus, now: Instant) -> String {
        let note = PlainText.oneLine(note ?? "")
        let others = jobs.first.map { Item.shortID($0) + (jobs.count > 1 ? " +\(jobs.count - 1)" : "") } ?? ""
        let wait = instant.map { TimeText.clock(max(0, $0.milliseconds - now.milliseconds)) } ?? ""
        switch kind {
        case .daemon: return "spoold is not running"
        case .file: return "file: \(note)"
        case .after: return "after \(others)"
        case .start: return "starts in \(wait)"
        case .retry: return "try \(job.attempt &+ 1)/\(job.tries) in \(wait)"
        case .pause:
            switch scope ?? .all {
            case .all: return note.isEmpty ? "all is paused" : "paused: \(note)"
            case .queue: return note.isEmpty ? "queue is paused" : "queue paused: \(note)"
            case .task: return note.isEmpty ? "task is paused" : "task paused: \(note)"
            }
        case .overlap: return "overlaps \(others)"
        case .lock: return "lock \(note): \(others)"
        case .gate: return note
        case .queue: return "queue is full, \(slots ?? 0)/\(slots ?? 0)"
        case .executor: return "\(note) is full, \(slots ?? 0)/\(slots ?? 0)"
        case .slots where !note.isEmpty: return "\(note) have the slots"
        case .slots: return "all slots taken, \(slots ?? 0)/\(slots ?? 0)"
        }
    }
}
