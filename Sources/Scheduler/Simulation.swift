// Simulates a spool: the real scheduler, with a clock that jumps from one event to the next and workers whose runs take a given
// time.
//
// - At the beginning nothing waits, runs or is paused. Every run succeeds at its first try.
// - At equal instants, ends come before due times: a run of one minute does not overlap with the next run a minute later.

/// A simulation and its report.
public struct Simulation {
    /// The results of one task.
    public struct TaskReport: Sendable {
        /// The number of runs that started.
        public var runs = 0
        /// The time from a run's earliest start, its due time with its jitter, to its start, in milliseconds.
        public var longestWaitMilliseconds: Int64 = 0
        public var longestWaitDue: Instant?
        public var totalWaitMilliseconds: Int64 = 0
        /// The time from the due time itself to the start.
        public var latestMilliseconds: Int64 = 0
        /// Due times that became no run, by reason.
        public var skipped: [SkippedDue.Reason: Int] = [:]
        /// Runs that had not started by their deadline.
        public var missedDeadlines = 0
        /// Runs that a newer one replaced.
        public var replaced = 0
        /// Jobs that wait at the end of the simulation.
        public var waiting = 0
    }

    /// Slots that can be used up.
    public enum Slots: Hashable, Comparable, Sendable {
        /// The slots of this machine.
        case here
        case queue(String)
        case executor(String)
    }

    /// A time in which all slots of a kind were in use.
    public struct FullTime: Sendable, Equatable {
        public var slots: Slots
        public var from: Instant
        public var to: Instant
        /// The maximum number of jobs that waited in this time, for any reason.
        public var waiting: Int
    }

    public private(set) var tasks: [String: TaskReport] = [:]
    public private(set) var full: [FullTime] = []
    /// The end of the simulated time: the requested end, or an earlier one after `startsMax` starts.
    public private(set) var reached: Instant
    public private(set) var mostRunning = 0

    private let scheduler: Scheduler
    private let limits: SchedulerLimits
    private let from: Instant
    private var now: Instant
    private var durations: [String: Int64] = [:]
    private var ends = Heap<End>()
    private var open: [Slots: FullTime] = [:]
    private var starts = 0

    private struct End: Comparable {
        let at: Instant
        let order: Int
        let job: Job
        let attempt: Int

        static func < (a: End, b: End) -> Bool { (a.at, a.order) < (b.at, b.order) }
        static func == (a: End, b: End) -> Bool { a.order == b.order }
    }

    /// The simulation ends after this many starts: a schedule for each millisecond would take too long.
    public static let startsMax = 1_000_000

    public init(limits: SchedulerLimits, zones: ZoneDatabase, zone: Zone, calendars: Calendars = Calendars(), from: Instant) {
        scheduler = Scheduler(limits: limits, zones: zones)
        scheduler.settings.zone = zone
        scheduler.settings.calendars = calendars
        self.limits = limits
        self.from = from
        now = from
        reached = from
        // Begin as after a restart, so that an `@reboot` schedule is not due.
        scheduler.restore(.daemonStarted(boot: "simulated", version: ""), at: from)
    }

    // MARK: Tasks and schedules

    /// The recorded facts of a schedule on which its due times depend.
    public struct KnownSchedule {
        var origin: Instant?
        var lastEnd: Instant?
        var settled: SettledDues?

        public init(origin: Instant? = nil, lastEnd: Instant? = nil, settled: SettledDues? = nil) {
            self.origin = origin
            self.lastEnd = lastEnd
            self.settled = settled
        }
    }

    /// - Parameters:
    ///   - duration: the length of each run of the task, in milliseconds.
    public mutating func add(
        _ task: TaskDefinition, duration: Int64, known: [String: KnownSchedule] = [:]
    ) throws(Problems) {
        durations[task.name] = max(0, duration)
        tasks[task.name] = TaskReport()
        for schedule in task.schedules { count(schedule.id, of: task.name, known[schedule.id]) }
        let context = ReadingContext(
            now: task.writtenAt, zones: scheduler.zones, zone: scheduler.settings.zone, calendars: scheduler.calendars)
        scheduler.handle(.task(try Self.paper(task, context), since: from), at: from)
    }

    /// Adds a schedule that has a file of its own.
    public mutating func add(
        _ schedule: ScheduleDefinition, to task: String, known: KnownSchedule? = nil
    ) {
        count(schedule.id, of: task, known)
        let source = Source(format: .toml, bytes: Array(schedule.id.utf8))
        scheduler.handle(.schedule(task: task, schedule, source, writtenAt: from, since: from), at: from)
    }

    /// Every schedule is known from the beginning, so that no earlier due time counts as missed.
    private func count(_ id: String, of task: String, _ known: KnownSchedule?) {
        scheduler.restore(
            .scheduled(task: task, schedule: id, accounted: from, origin: known?.origin ?? from, lastEnd: known?.lastEnd), at: from)
        if let settled = known?.settled { scheduler.restore(.settled(task: task, schedule: id, settled), at: from) }
    }

    /// The task without the keys that only matter to a command, so that each of its runs is read quickly.
    private static func paper(_ task: TaskDefinition, _ context: ReadingContext) throws(Problems) -> TaskDefinition {
        var table = try task.source.table()
        for key in [
            "script", "title", "description", "payload", "stdin", "directory", "env", "env_file", "shell", "umask", "user", "group",
            "nice", "ionice", "limits",
            "output_limit", "stop_signal", "kill_after", "keep", "min_run",
        ] {
            table.remove(key)
        }
        table.set("command", Value(.string(":")))
        let root = Value(.table(table), at: Position(line: 1, column: 1))
        return try TaskDefinition(name: task.name, source: Source(format: .json, bytes: Array(JSON.write(root).utf8)), context)
    }

    // MARK: Playing

    /// Simulates up to an instant, which is not included.
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
        full.sort { ($0.from, $0.slots) < ($1.from, $1.slots) }
        for job in scheduler.jobs.values where job.state == .new { tasks[job.task ?? ""]?.waiting += 1 }
    }

    /// Handles everything at this instant. Runs that take no time also end in it.
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
            // A simulated run stops when it is asked to.
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
        note(.here, isFull: scheduler.slotsUsed >= limits.slots)
        for (queue, slots) in limits.queueSlots { note(.queue(queue), isFull: (scheduler.runningByQueue[queue] ?? 0) >= slots) }
        for (name, settings) in limits.executors {
            note(.executor(name), isFull: scheduler.derived.remote.count(of: name) >= settings.slots)
        }
    }

    private mutating func note(_ slots: Slots, isFull: Bool) {
        guard isFull else { return close(slots, at: now) }
        let waiting = scheduler.jobs.count - scheduler.runningCount
        var time = open[slots] ?? FullTime(slots: slots, from: now, to: now, waiting: 0)
        time.waiting = max(time.waiting, waiting)
        open[slots] = time
    }

    private mutating func close(_ slots: Slots, at instant: Instant) {
        guard var time = open.removeValue(forKey: slots) else { return }
        time.to = instant
        if time.from < time.to { full.append(time) }
    }
}
