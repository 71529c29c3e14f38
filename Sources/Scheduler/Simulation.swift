// A spool played forward on paper: the scheduler as it is, with a clock that jumps from one event to the next and workers
// whose runs take as long as they are said to take.
//
// - It begins with nothing waiting and nothing running, and nothing paused. Every run succeeds at its first try.
// - Of one instant, what ends comes before what is due: a run that takes a minute does not overlap with its next one a
//   minute later.

/// What is played, and the report of it.
public struct Simulation {
    /// One task's share.
    public struct TaskReport: Sendable {
        /// Runs that began.
        public var runs = 0
        /// From when a run could have begun, its due time with its jitter, to when it did, in milliseconds.
        public var longestWaitMilliseconds: Int64 = 0
        public var longestWaitDue: Instant?
        public var totalWaitMilliseconds: Int64 = 0
        /// From the due time itself to the start.
        public var latestMilliseconds: Int64 = 0
        /// Due times that became no run, by reason.
        public var skipped: [SkippedDue.Reason: Int] = [:]
        /// Runs that had not begun by their deadline.
        public var missedDeadlines = 0
        /// Runs that a newer one replaced.
        public var replaced = 0
        /// Jobs that wait at the end.
        public var waiting = 0
    }

    /// A time in which all slots were taken, or all of a queue.
    public struct FullTime: Sendable, Equatable {
        /// Nil: all slots there are.
        public var queue: String?
        public var from: Instant
        public var to: Instant
        /// The most jobs that waited meanwhile, for whatever.
        public var waiting: Int
    }

    public private(set) var tasks: [String: TaskReport] = [:]
    public private(set) var full: [FullTime] = []
    /// Up to when it was played: the end asked for, or earlier after `startsMax` starts.
    public private(set) var reached: Instant
    public private(set) var mostRunning = 0

    private let scheduler: Scheduler
    private let limits: SchedulerLimits
    private let from: Instant
    private var now: Instant
    private var durations: [String: Int64] = [:]
    private var ends = Heap<End>()
    private var open: [String?: FullTime] = [:]
    private var starts = 0

    private struct End: Comparable {
        let at: Instant
        let order: Int
        let job: Job
        let attempt: Int

        static func < (a: End, b: End) -> Bool { (a.at, a.order) < (b.at, b.order) }
        static func == (a: End, b: End) -> Bool { a.order == b.order }
    }

    /// More than this many starts end it: a schedule each millisecond has no end that anybody waits for.
    public static let startsMax = 1_000_000

    public init(limits: SchedulerLimits, zones: ZoneDatabase, zone: Zone, from: Instant) {
        scheduler = Scheduler(limits: limits, zones: zones)
        scheduler.settings.zone = zone
        self.limits = limits
        self.from = from
        now = from
        reached = from
        // As after a restart, so that a schedule of `@reboot` stays quiet.
        scheduler.restore(.daemonStarted(boot: "simulated", version: ""), at: from)
    }

    // MARK: What there is

    /// - Parameters:
    ///   - duration: how long each of its runs takes, in milliseconds.
    public mutating func add(
        _ task: TaskDefinition, duration: Int64, counting: [String: (origin: Instant, lastEnd: Instant?)] = [:]
    ) throws(Problems) {
        durations[task.name] = max(0, duration)
        tasks[task.name] = TaskReport()
        for schedule in task.schedules { count(schedule.id, of: task.name, counting[schedule.id]) }
        let context = ReadingContext(now: task.writtenAt, zones: scheduler.zones, zone: scheduler.settings.zone)
        scheduler.handle(.task(try Self.paper(task, context), since: from), at: from)
    }

    /// A schedule in a file of its own.
    public mutating func add(
        _ schedule: ScheduleDefinition, to task: String, counting: (origin: Instant, lastEnd: Instant?)? = nil
    ) {
        count(schedule.id, of: task, counting)
        let source = Source(format: .toml, bytes: Array(schedule.id.utf8))
        scheduler.handle(.schedule(task: task, schedule, source, since: from), at: from)
    }

    /// Every schedule is known from the beginning, so that nothing before counts as missed.
    private func count(_ id: String, of task: String, _ counting: (origin: Instant, lastEnd: Instant?)?) {
        scheduler.restore(
            .scheduled(
                task: task, schedule: id, accounted: from, origin: counting?.origin ?? from, lastEnd: counting?.lastEnd), at: from)
    }

    /// The task without what only matters to a command: each of its runs is then read in no time.
    private static func paper(_ task: TaskDefinition, _ context: ReadingContext) throws(Problems) -> TaskDefinition {
        var table = try task.source.table()
        for key in [
            "script", "description", "payload", "stdin", "directory", "env", "env_file", "shell", "umask", "user", "group", "nice",
            "ionice", "limits",
            "output_limit", "stop_signal", "kill_after", "keep",
        ] {
            table.remove(key)
        }
        table.set("command", Value(.string(":")))
        let root = Value(.table(table), at: Position(line: 1, column: 1))
        return try TaskDefinition(name: task.name, source: Source(format: .json, bytes: Array(JSON.write(root).utf8)), context)
    }

    // MARK: Playing

    /// Plays until an instant, which is not part of it.
    public mutating func play(until end: Instant) {
        scheduler.handle(.started(boot: "simulated", version: ""), at: from)
        takeTurns()
        while starts < Self.startsMax {
            var next = ends.first?.at
            if let wake = scheduler.nextWake() { next = next.map { min($0, wake) } ?? wake }
            guard let next, next < end else { break }
            now = max(now, next)
            takeTurns()
        }
        reached = starts < Self.startsMax ? end : now
        for key in Array(open.keys) { close(key, at: reached) }
        full.sort { ($0.from, $0.queue ?? "") < ($1.from, $1.queue ?? "") }
        for job in scheduler.jobs.values where job.state == .new { tasks[job.task ?? ""]?.waiting += 1 }
    }

    /// All that happens at this instant; runs that take no time end in it too.
    private mutating func takeTurns() {
        repeat {
            while let top = ends.first, top.at <= now {
                ends.removeFirst()
                let code = top.job.definition.success.first ?? 0
                let result = RunResult(outcome: .exited(code), startedAt: top.job.startedAt, endedAt: now)
                scheduler.handle(.ended(top.job.id, attempt: top.attempt, result), at: now)
            }
            let turn = scheduler.takeTurn(at: now)
            for case .skipped(let due) in turn.records.map(\.record) {
                tasks[due.task]?.skipped[due.reason, default: 0] += due.count ?? 1
            }
            for job in turn.places where job.state == .failed {
                if job.reason == .deadline { tasks[job.task ?? ""]?.missedDeadlines += 1 }
                if job.reason == .replaced { tasks[job.task ?? ""]?.replaced += 1 }
            }
            for job in turn.starts { begin(job) }
            // Told to stop, on paper a run does.
            for (job, _) in turn.stops {
                let result = RunResult(outcome: .signaled(15, coreDumped: false), startedAt: job.startedAt, endedAt: now)
                scheduler.handle(.ended(job.id, attempt: job.attempt, result), at: now)
            }
            noteFull()
            if turn.stops.isEmpty, ends.first.map({ $0.at > now }) ?? true { return }
        } while starts < Self.startsMax
    }

    private mutating func begin(_ job: Job) {
        starts += 1
        let name = job.task ?? ""
        let wait = now.milliseconds - job.scheduledAt.milliseconds
        var report = tasks[name] ?? TaskReport()
        report.runs += 1
        report.totalWaitMilliseconds += wait
        report.latestMilliseconds = max(report.latestMilliseconds, now.milliseconds - job.due.milliseconds)
        if wait > report.longestWaitMilliseconds {
            report.longestWaitMilliseconds = wait
            report.longestWaitDue = job.due
        }
        tasks[name] = report
        ends.insert(End(at: now.advanced(byMilliseconds: durations[name] ?? 0), order: starts, job: job, attempt: job.attempt))
    }

    // MARK: Full slots

    private mutating func noteFull() {
        mostRunning = max(mostRunning, scheduler.runningCount)
        note(queue: nil, isFull: scheduler.runningCount >= limits.slots)
        for (queue, slots) in limits.queueSlots { note(queue: queue, isFull: (scheduler.runningByQueue[queue] ?? 0) >= slots) }
    }

    private mutating func note(queue: String?, isFull: Bool) {
        guard isFull else { return close(queue, at: now) }
        let waiting = scheduler.jobs.count - scheduler.runningCount
        var time = open[queue] ?? FullTime(queue: queue, from: now, to: now, waiting: 0)
        time.waiting = max(time.waiting, waiting)
        open[queue] = time
    }

    private mutating func close(_ queue: String?, at instant: Instant) {
        guard var time = open.removeValue(forKey: queue) else { return }
        time.to = instant
        if time.from < time.to { full.append(time) }
    }
}
