import Linux
import Store

/// The runs of a period, in a lane for each name: past ones from the journal, those that go on, and coming due times.
struct Timeline {
    struct Period {
        var from: Instant
        var to: Instant
    }

    struct Run {
        enum State: String { case done, failed, running }

        var id: String
        var attempt: Int
        var from: Instant
        /// Now for a run that goes on; `from` for one whose end nobody knows.
        var to: Instant
        var state: State
        /// `done`, `exit 3`, `running`.
        var outcome: String
    }

    /// Due times that became no run, or a job that ended without one.
    struct Gap {
        var from: Instant
        var through: Instant
        /// Nil when there are too many to count.
        var count: Int?
        /// The reason of a skipped due time or of a job's end, such as `overlap` or `deadline`.
        var why: String
        /// The job; nil for a due time without one.
        var id: String?

        enum Kind: String { case missed, skipped, failed }

        var kind: Kind { why == SkippedDue.Reason.missed.rawValue ? .missed : id == nil ? .skipped : .failed }
        /// `missed`, `skipped`, or why a job ended without a run.
        var word: String { kind == .failed ? why : kind.rawValue }
    }

    struct Coming {
        var due: Instant
        /// The usual time of the task's runs; nil when none is known.
        var usualMilliseconds: Int64?

        var end: Instant { due.advanced(byMilliseconds: usualMilliseconds ?? 0) }
    }

    struct Lane {
        var name: String
        var isTask = false
        var isPaused = false
        var runs: [Run] = []
        var gaps: [Gap] = []
        var coming: [Coming] = []
    }

    private(set) var period: Period
    let now: Instant
    let slots: Int
    private(set) var lanes: [Lane] = []
    private var indices: [String: Int] = [:]
    /// All runs and coming runs of the period, also those without a lane.
    private(set) var load = TimelineLoad()
    /// The journal begins after the period's beginning, at this instant.
    private(set) var knownSince: Instant?

    /// The maximum number of coming due times of a schedule.
    private static let comingMax = 5000

    init(_ period: Period, now: Instant, slots: Int) {
        self.period = period
        self.now = now
        self.slots = slots
    }

    func hasLane(_ name: String) -> Bool { indices[name] != nil }

    /// Tasks first, then other jobs, each by name.
    mutating func sort() {
        lanes.sort { ($0.isTask ? 0 : 1, $0.name) < ($1.isTask ? 0 : 1, $1.name) }
        for index in lanes.indices {
            lanes[index].runs.sort { ($0.from, $0.id) < ($1.from, $1.id) }
            lanes[index].gaps.sort { $0.from < $1.from }
            lanes[index].coming.sort { $0.due < $1.due }
        }
        indices = Dictionary(uniqueKeysWithValues: lanes.enumerated().map { ($1.name, $0) })
    }

    /// Leaves out all but `count` lanes: those with the most runs and due times stay.
    mutating func keepBusiest(_ count: Int) {
        guard lanes.count > count else { return }
        func weight(_ lane: Lane) -> Int { lane.runs.count + lane.gaps.count + lane.coming.count }
        let least = lanes.map(weight).sorted(by: >)[count - 1]
        var spare = count - lanes.count { weight($0) > least }
        lanes.removeAll { lane in
            if weight(lane) > least { return false }
            guard weight(lane) == least, spare > 0 else { return true }
            spare -= 1
            return false
        }
        indices = Dictionary(uniqueKeysWithValues: lanes.enumerated().map { ($1.name, $0) })
    }

    // MARK: Reading

    /// Adds one part of the spool.
    ///
    /// - Parameter names: the lanes that are wanted; nil for all.
    mutating func take(_ part: Session, names: Set<String>?, withFollowUps: Bool) throws(Failure) {
        try takePast(part, names: names, withFollowUps: withFollowUps)
        try takeComing(part, names: names)
    }

    /// Adds the runs of one part until now, to which ``takeComing(_:names:)`` adds the rest.
    mutating func takePast(_ part: Session, names: Set<String>?, withFollowUps: Bool) throws(Failure) {
        let fs = try TaskCatalog(part).fs
        // Running jobs are read before the journal: one that ends meanwhile is in both, and its end counts.
        let running = try runningJobs(part)
        let reader = TimelineJournal(ReadingContext(now: now, zones: part.zones))
        let past = try attempt { () throws(SystemError) in
            var read = reader
            let damage = try Journal<DiskFileSystem>.scan(fs, since: period.from, into: &read)
            for one in damage { part.complain("\(one)") }
            return read
        }
        if let since = past.since, since > period.from { knownSince = max(knownSince ?? since, since) }
        let ended = Set(past.runs.map { "\($0.id) \($0.attempt)" })
        for run in past.runs + running.filter({ !ended.contains("\($0.id) \($0.attempt)") }) {
            guard run.to >= period.from, run.from < period.to else { continue }
            load.add(part.qualified(run.id), from: run.from, to: run.to, isPast: true)
            guard let name = JobID(run.id)?.name, names?.contains(name) ?? (withFollowUps || !past.followUps.contains(run.id))
            else { continue }
            var run = run
            run.id = part.qualified(run.id)
            lanes[lane(part.qualified(name))].runs.append(run)
        }
        for (name, gap) in past.gaps where names?.contains(name) ?? true {
            guard gap.through >= period.from, gap.from < period.to else { continue }
            var gap = gap
            gap.id = gap.id.map(part.qualified)
            lanes[lane(part.qualified(name))].gaps.append(gap)
        }
    }

    private func runningJobs(_ part: Session) throws(Failure) -> [Run] {
        var records = try part.records()
        var runs: [Run] = []
        for place in try part.reading({ () throws(JournalError) in try records.places(in: [.running]) }) {
            guard let status = try part.record(at: place, &records)?.status, let startedAt = status.startedAt else { continue }
            runs.append(
                Run(id: status.id, attempt: status.attempt, from: startedAt, to: max(now, startedAt), state: .running, outcome: "running"))
        }
        return runs
    }

    /// Leaves out what is not in a part of the period.
    mutating func narrow(to part: Period) {
        period = part
        for index in lanes.indices {
            lanes[index].runs.removeAll { $0.to < part.from || $0.from >= part.to }
            lanes[index].gaps.removeAll { $0.through < part.from || $0.from >= part.to }
        }
    }

    /// Adds the tasks of one part and their coming due times.
    mutating func takeComing(_ part: Session, names: Set<String>?) throws(Failure) {
        let catalog = try TaskCatalog(part)
        let known = try catalog.names()
        for name in known where names?.contains(name) ?? true { lanes[lane(part.qualified(name))].isTask = true }
        if period.to > now { try takeDueTimes(part, catalog, known, names) }
        if names == nil { drop { $0.runs.isEmpty && $0.gaps.isEmpty && $0.coming.isEmpty } }
    }

    private mutating func takeDueTimes(
        _ part: Session, _ catalog: TaskCatalog, _ known: [String], _ names: Set<String>?
    ) throws(Failure) {
        let entries = try catalog.entries()
        let due = try DueTimes(part, catalog.fs, for: entries, from: max(now, period.from))
        let usual = try UsualRuns(part, of: Set(known))
        for entry in entries {
            let isPaused = catalog.pauseNote(of: entry) != nil
            let length = usual.length(of: entry.name)?.milliseconds
            let isShown = names?.contains(entry.name) ?? true
            for schedule in entry.schedules {
                for one in due.next(schedule, of: entry, count: Self.comingMax, until: period.to) where one.instant < period.to {
                    if isPaused {
                        if isShown { lanes[lane(part.qualified(entry.name))].isPaused = true }
                        break
                    }
                    let coming = Coming(due: one.instant, usualMilliseconds: length)
                    load.add(part.qualified(entry.name), from: coming.due, to: coming.end, isPast: false)
                    if isShown { lanes[lane(part.qualified(entry.name))].coming.append(coming) }
                }
            }
        }
    }

    /// The index of a name's lane, which is made when it is used first.
    private mutating func lane(_ name: String) -> Int {
        if let index = indices[name] { return index }
        indices[name] = lanes.count
        lanes.append(Lane(name: name))
        return lanes.count - 1
    }

    private mutating func drop(_ isEmpty: (Lane) -> Bool) {
        lanes.removeAll { isEmpty($0) && !$0.isPaused }
        indices = Dictionary(uniqueKeysWithValues: lanes.enumerated().map { ($1.name, $0) })
    }
}
