import TestSupport
import Testing

@testable import Scheduler

/// A time of 2026-11-21 such as `02:05` or `02:05:30.250`, or a whole instant such as `2026-11-22T02:05:00.000Z`.
func at(_ text: String) -> Instant {
    if text.utf8.count == 24 { return Instant(fixed: text.utf8)! }
    let full = "\(text)\("00:00:00.000".dropFirst(text.count))"
    return Instant(fixed: "2026-11-21T\(full)Z".utf8)!
}

/// `02:05:00`, with milliseconds if they are not 0, and with the date if it is not 2026-11-21.
func clock(_ instant: Instant) -> String {
    var text = instant.rfc3339.dropLast()
    if text.hasSuffix(".000") { text = text.dropLast(4) }
    return text.hasPrefix("2026-11-21T") ? String(text.dropFirst(11)) : String(text)
}

/// A scheduler with a clock that tests move, and all of its records.
final class World {
    let scheduler: Scheduler
    private let database: ZoneDatabase
    var now: Instant
    private(set) var records: [(at: Instant, record: Record)] = []
    /// The result of the last turn.
    private(set) var turn = Turn()
    /// Questions that were asked and not answered yet.
    private(set) var questions: [Question] = []
    /// Records of the schedulers that this one was restored from.
    var earlier: [(at: Instant, record: Record)] = []
    /// Jobs whose records are in the spool.
    var recorded: Set<JobID> = []
    private var count: UInt64 = 0
    private var ids: [String: JobID] = [:]

    init(slots: Int = 8, queues: [String: Int] = [:], at time: String = "02:00", zones: ZoneDatabase = zones) {
        database = zones
        scheduler = Scheduler(limits: SchedulerLimits(slots: slots, queueSlots: queues), zones: zones)
        now = at(time)
    }

    init(_ scheduler: Scheduler, at now: Instant, zones: ZoneDatabase = zones) {
        database = zones
        self.scheduler = scheduler
        self.now = now
    }

    /// As the service reads files.
    var context: ReadingContext {
        ReadingContext(now: now, zones: database, filesMax: 1 << 20, calendars: scheduler.calendars)
    }

    /// The calendars of the configuration: dates or windows by name. Nil for one whose file cannot be used.
    func configure(_ calendars: [String: [String]?]) {
        let entries = calendars.map { name, times in
            let isDates = times?.first?.first?.isNumber ?? false
            return Calendars.Entry(
                name: name, dates: isDates ? times ?? [] : [], windows: isDates ? [] : times ?? [], file: times == nil ? "/c.ics" : nil)
        }
        scheduler.settings.calendars = Calendars(entries, zone: .utc, zones: database) { _ throws(RecurrenceError) in
            throw RecurrenceError("the file is cut off")
        }
    }

    // MARK: Events

    /// A job as the store would read it from a dropped file. With `task` it is a run of that task.
    func job(_ name: String, _ keys: String = "", of task: String? = nil, id: JobID? = nil) -> AcceptedJob {
        count += 1
        let text = keys.contains("command") ? keys : "command = \":\"\n\(keys)"
        let source = Source(format: .toml, bytes: Array(text.utf8))
        let definition = try! JobDefinition.read(try! source.table(), context)
        return AcceptedJob(
            id: id ?? JobID(instant: now, name: name, unique: count), name: name, task: task, due: now, createdAt: now,
            notBefore: definition.start ?? now, source: source, definition: definition,
            file: FileStamp(name: "\(name).toml", inode: count, size: 1, modifiedNanoseconds: 1))
    }

    @discardableResult
    func drop(_ name: String, _ keys: String = "", of task: String? = nil) -> JobID {
        let job = job(name, keys, of: task)
        ids[name] = job.id
        scheduler.handle(.dropped(job), at: now)
        return job.id
    }

    func task(_ name: String, _ text: String, since: Instant? = nil, crontab: String? = nil) {
        let text = text.contains("command") ? text : "command = \":\"\n\(text)"
        var definition = try! TaskDefinition(name: name, source: Source(format: .toml, bytes: Array(text.utf8)), context)
        definition.crontab = crontab
        scheduler.handle(.task(definition, since: since ?? now), at: now)
    }

    func schedule(_ id: String, of task: String, _ keys: String, since: Instant? = nil) {
        let source = Source(format: .toml, bytes: Array("task = \"\(task)\"\n\(keys)".utf8))
        let (name, definition) = try! ScheduleDefinition.file(id: id, source: source, context)
        scheduler.handle(.schedule(task: name, definition, source, writtenAt: now, since: since ?? now), at: now)
    }

    func handle(_ event: Event) { scheduler.handle(event, at: now) }

    /// Ends the try of a running job. The name means the last dropped job of that name, or the latest run of that task.
    func end(_ name: String, _ outcome: RunResult.Outcome = .exited(0)) {
        let job = self[name]!
        scheduler.handle(
            .ended(job.id, attempt: job.attempt, RunResult(outcome: outcome, startedAt: job.startedAt, endedAt: now)), at: now)
    }

    /// Answers the oldest question.
    func answer(_ answer: Answer) {
        scheduler.handle(.answered(questions.removeFirst(), answer), at: now)
    }

    /// Answers with a time, as `at` reads it.
    func answer(_ time: String) { answer(.due(at(time))) }

    subscript(name: String) -> Job? {
        if let id = ids[name] { return scheduler.jobs[id] }
        return scheduler.jobs.values.filter { $0.task == name && $0.state == .running }
            .max { ($0.startedAt!, $0.id) < ($1.startedAt!, $1.id) }
    }

    // MARK: Turns

    /// Takes a turn and returns the decisions, one line each.
    @discardableResult
    func lines(mayStart: Bool = true) -> [String] {
        turn = scheduler.takeTurn(at: now, mayStart: mayStart, onRecord: recorded.intersection(scheduler.runsDue(at: now)))
        records += turn.records
        questions += turn.questions
        return turn.records.map { line($0.record) } + turn.refusals.map {
            "refused \($0.file)\($0.ending.map { ".\($0):" } ?? " ")\($0.why)"
        }
    }

    /// Takes a turn and returns the names of the jobs that start, in order.
    @discardableResult
    func starts(mayStart: Bool = true) -> [String] {
        lines(mayStart: mayStart)
        return turn.starts.map(\.name)
    }

    /// Moves the clock from one wake to the next until `time`, and takes a turn at each. Returns the decisions, each line with
    /// its time.
    @discardableResult
    func until(_ time: String, endingRuns: Bool = false) -> [String] {
        let end = at(time)
        var all: [String] = []
        func step() {
            all += lines().map { "\(clock(now)) \($0)" }
            guard endingRuns else { return }
            while let job = scheduler.jobs.values.filter({ $0.state == .running }).min(by: { $0.id < $1.id }) {
                scheduler.handle(
                    .ended(job.id, attempt: job.attempt, RunResult(outcome: .exited(0), startedAt: now, endedAt: now)), at: now)
                all += lines().map { "\(clock(now)) \($0)" }
            }
        }
        step()
        while let wake = scheduler.nextWake(), wake <= end {
            // A wake in the past would mean that the turn has not handled it.
            precondition(wake > now, "a wake that its turn did not serve")
            now = wake
            step()
        }
        if now < end {
            now = end
            step()
        }
        return all
    }

    // MARK: After a restart

    /// A scheduler that has replayed `records`. Its definitions are not read yet.
    static func restored(
        from records: [(at: Instant, record: Record)], limits: SchedulerLimits = SchedulerLimits(), at now: Instant,
        zones: ZoneDatabase = zones
    ) -> World {
        let scheduler = Scheduler(limits: limits, zones: zones)
        for entry in records { scheduler.restore(entry.record, at: entry.at) }
        _ = scheduler.finishRestoring()
        return World(scheduler, at: now, zones: zones)
    }

    /// Rewrites the journal as a snapshot.
    func rotate() { records = scheduler.snapshot(at: now) }

    /// Restarts the daemon at `time`: replays the journal, reads the definitions, and catches up missed due times.
    func restarted(
        at time: String, boot: String = "b1", isAfterRest: Bool = false, limits: SchedulerLimits = SchedulerLimits()
    ) -> World {
        let world = World.restored(from: records, limits: limits, at: at(time), zones: database)
        world.scheduler.settings = scheduler.settings
        world.scheduler.settings.isAfterRest = isAfterRest
        for (file, known) in scheduler.definitions.sorted(by: { $0.key < $1.key }) where !file.hasPrefix("calendars/") {
            var context = world.context
            context.now = known.writtenAt
            if file.hasPrefix("tasks/") {
                let name = String(file.dropFirst(6))
                if var task = try? TaskDefinition(name: name, source: known.source, context) {
                    task.crontab = known.crontab
                    world.handle(.task(task, since: now))
                } else {
                    world.handle(.taskUnusable(name))
                }
            } else {
                let id = String(file.dropFirst(10))
                let (task, definition) = try! ScheduleDefinition.file(id: id, source: known.source, context)
                world.handle(.schedule(task: task, definition, known.source, writtenAt: known.writtenAt, since: now))
            }
        }
        world.handle(.started(boot: boot, version: "1"))
        world.records = records
        return world
    }
}

/// A record in a few words.
func line(_ record: Record) -> String {
    func name(_ id: JobID) -> String { String(id.text.dropFirst(21).prefix(upTo: id.text.lastIndex(of: "-")!)) }
    switch record {
    case .accepted(let job):
        return job.schedule == nil ? "accepted \(job.name)" : "accepted \(job.name) due \(clock(job.due))"
    case .rejected(let file): return "rejected \(file.name)"
    case .withdrawn(let id): return "withdrawn \(name(id))"
    case .started(let id, let attempt): return "started \(name(id)) \(attempt)"
    case .submitted(let id, let attempt, let handle):
        return handle.map { "submitted \(name(id)) \(attempt) \($0)" } ?? "submitting \(name(id)) \(attempt)"
    case .stopping(let id, let why): return "stopping \(name(id)) \(why.rawValue)"
    case .requested(let id, let request): return "requested \(name(id)) \(request)"
    case .ended(let id, let ending):
        let next = ending.notBefore.map { " until \(clock($0))" } ?? ""
        return "ended \(name(id)) \(ending.attempt) \(ending.state.rawValue)\(ending.reason.map { " \($0.rawValue)" } ?? "")\(next)"
    case .moved(let id, let moved): return "moved \(name(id)) \(moved)"
    case .remarked(let id, let remark): return "remarked \(name(id)) \(remark)"
    case .retried(let id, let original): return "retried \(name(original)) as \(name(id))"
    case .defined(let file, _): return "defined \(file)"
    case .stamped(let file, _): return "stamped \(file)"
    case .undefined(let file): return "undefined \(file)"
    case .scheduled(let task, _, let accounted, _, _): return "scheduled \(task) from \(clock(accounted))"
    case .answered(let task, _, let due, let last):
        return "answered \(task) \(due.map(clock) ?? "never")\(last.map { " after \(clock($0))" } ?? "")"
    case .unscheduled(let task, _): return "unscheduled \(task)"
    case .settled(let task, _, let dues):
        let open = dues.open.isEmpty ? "" : ", open \(dues.open.map(clock).joined(separator: " "))"
        return "settled \(task) to \(clock(dues.through))\(open)"
    case .skipped(let due):
        let count = due.count.map { " (\($0))" } ?? " (many)"
        return """
            skipped \(due.task) \(clock(due.from)) to \(clock(due.through))\(count) \
            \(due.reason.rawValue)\(due.file.map { " \($0.path)" } ?? "")
            """
    case .filesSeen(let task, _, let files, let isAll): return "seen \(task) \(files.count)\(isAll ? "" : " and more")"
    case .filesGone(let task, _, let files): return "gone \(task) \(files.count)"
    case .ran(let task, let latest, _): return "ran \(task)\(latest.map { " \(name($0.id)) \($0.end.rawValue)" } ?? "")"
    case .counted(let tally): return "counted \(tally.started) starts"
    case .announced(let id, let what): return "announced \(what) \(name(id))"
    case .failing(let task, let failures, let toldAt):
        return "failing \(task) \(failures)\(toldAt.map { " told \(clock($0))" } ?? "")"
    case .expecting(let task, let since, let isOverdue):
        return "\(isOverdue ? "overdue" : "expecting") \(task)\(since.map { " since \(clock($0))" } ?? " never")"
    case .paused(let scope, _): return "paused \(scope)"
    case .resumed(let scope): return "resumed \(scope)"
    case .daemonStarted: return "daemon started"
    case .daemonStopped: return "daemon stopped"
    case .followed: return "followed"
    case .repaired(let since): return "repaired since \(clock(since))"
    case .recovered(let last): return "recovered, last \(clock(last))"
    case .refused(let file, let why): return "refused \(file): \(why)"
    }
}
