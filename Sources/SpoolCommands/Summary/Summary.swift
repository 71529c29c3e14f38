import Linux
import Store

/// The events in a spool since an instant, with those that need attention.
///
/// - A job counts when it has ended since the instant.
/// - Failures of one name are one item. It wants a person until a later job of the name succeeds.
struct Summary {
    struct Item {
        enum Kind: String { case daemon, trouble, failure, missed, overdue, refused, paused, recovered }

        var kind: Kind
        var name: String
        /// The event without its time: `exit 3`.
        var what: String
        var at: Instant?
        /// The last line of the errors, or another detail.
        var text: String?
        /// The newest job that it is about.
        var job: String?
        /// The number of times that it happened.
        var count = 1

        var wantsPerson: Bool { kind != .paused && kind != .recovered }
    }

    let since: Instant
    private(set) var done = 0
    private(set) var failed = 0
    private(set) var canceled = 0
    private(set) var missed = 0
    private(set) var running = 0
    private(set) var waiting = 0
    private(set) var items: [Item] = []
    /// The next due time of each task, the earliest first.
    private(set) var next: [DueTimes.Due] = []

    private static let nextMax = 20

    init(since: Instant) { self.since = since }

    /// Adds one part of the spool.
    ///
    /// - Parameter isOwn: the caller's own part. The daemons of the other parts are started by root's, which one line reports.
    mutating func take(_ part: Session, isOwn: Bool) throws(Failure) {
        if try part.daemon() != nil { try takeTroubles(part) } else if isOwn { try takeDowntime(part) }
        try takeJobs(part)
        try takeMissed(part)
        // All parts have one configuration.
        if isOwn { try takeCalendars(part) }
        try takeTasks(part)
    }

    // MARK: The daemon

    private mutating func takeDowntime(_ part: Session) throws(Failure) {
        let seen = try part.daemonTable()?.instant("at")
        let what = seen == nil ? "not running" : "not running, last seen"
        items.append(Item(kind: .daemon, name: "spoold", what: what, at: seen, text: "nothing runs until spoold starts"))
    }

    private mutating func takeTroubles(_ part: Session) throws(Failure) {
        let name = part.owner?.name ?? "spoold"
        guard case .array(let troubles)? = try part.daemonTable()?["troubles"]?.kind else { return }
        for case .table(let one) in troubles.map(\.kind) {
            let text = [one.text("error"), one.text("effect")].compactMap(\.self).joined(separator: "; ")
            items.append(Item(kind: .trouble, name: one.text("of") ?? name, what: "trouble since", at: one.instant("since"), text: text))
        }
    }

    /// Calendars that cannot be used, such as one whose file is cut off. What was accepted last stays in force.
    private mutating func takeCalendars(_ part: Session) throws(Failure) {
        for problem in try part.configuration().calendars.problems {
            let what = "cannot be used, see spoolctl check"
            items.append(Item(kind: .refused, name: "calendars.\(problem.name)", what: what, at: nil, text: problem.why))
        }
    }

    // MARK: Jobs

    private mutating func takeJobs(_ part: Session) throws(Failure) {
        var records = try part.records()
        let open = try part.reading { () throws(JournalError) in try records.places(in: [.new, .running]) }
        running += open.count { $0.state == .running }
        waiting += open.count { $0.state == .new }
        let places = try part.reading { () throws(JournalError) in try records.places(in: [.done, .failed]) }
        // The text of an older job's record shows if the job ended before. A job with a later id ended later, so its record in
        // done/ is counted without being read.
        let glance = StayGlance(
            stayMilliseconds: part.now.milliseconds - since.milliseconds, ownCounts: false, now: part.now)
        var glances = StatusGlances { !glance.mayBeOver($0) }
        var succeeded: Set<String> = []
        var failures: [(name: String, newest: JobRecord, count: Int, isOver: Bool)] = []
        for (index, place) in places.enumerated() {
            let name = JobID(place.id)?.name ?? place.id
            let isLater = JobID(place.id)?.instant.map { $0 >= since } ?? false
            if !isLater, !glances.mayBe(index, of: places, records.fs) { continue }
            if place.state == .done {
                done += 1
                succeeded.insert(name)
                continue
            }
            guard let record = try part.record(at: place, &records) else { continue }
            if record.status.reason == .canceled || record.status.reason == .replaced {
                canceled += 1
                continue
            }
            failed += 1
            if let index = failures.firstIndex(where: { $0.name == name }) {
                failures[index].count += 1
            } else {
                failures.append((name, record, 1, succeeded.contains(name)))
            }
        }
        for one in failures {
            let status = one.newest.status
            items.append(
                Item(
                    kind: one.isOver ? .recovered : .failure, name: part.qualified(one.name), what: status.brief,
                    at: status.endedAt ?? status.changedAt, text: one.newest.lastErrorLine ?? status.failureText,
                    job: part.qualified(status.id), count: one.count))
        }
    }

    // MARK: Due times

    private mutating func takeMissed(_ part: Session) throws(Failure) {
        let fs = try part.openSpool()
        let context = ReadingContext(now: part.now, zones: part.zones, zone: .utc)
        var found = MissedDues(since: since, context)
        let reader = try attempt { [since] () throws(SystemError) in
            var reader = found
            // fsck and why report damage in the journal.
            _ = try Journal<DiskFileSystem>.scan(fs, since: since, into: &reader)
            return reader
        }
        found = reader
        for (task, one) in found.tasks.sorted(by: { $0.key < $1.key }) {
            missed += one.count
            items.append(
                Item(
                    kind: .missed, name: part.qualified(task), what: "missed, last due", at: one.last,
                    text: "spoolctl backfill runs missed due times", count: one.count))
        }
    }

    private mutating func takeTasks(_ part: Session) throws(Failure) {
        let catalog = try TaskCatalog(part)
        let entries = try catalog.entries()
        for entry in entries {
            let name = part.qualified(entry.name)
            for problem in entry.problems {
                items.append(
                    Item(kind: .refused, name: name, what: entry.task == nil ? "invalid" : "edit refused", at: nil, text: problem))
            }
            if catalog.isOverdue(entry) {
                let expected = entry.task?.expectMilliseconds.map { "expected within \(TimeText.length($0))" }
                items.append(
                    Item(kind: .overdue, name: name, what: "no success since", at: catalog.overdueSince(entry), text: expected))
            }
        }
        for pause in try Pauses.read(catalog.fs) {
            let note = pause.note.isEmpty ? nil : pause.note
            items.append(Item(kind: .paused, name: part.qualified(pause.scope.spoken()), what: "paused", at: nil, text: note))
        }
        let due = try DueTimes(part, catalog.fs, for: entries)
        for entry in entries where catalog.pauseNote(of: entry) == nil {
            guard var first = due.next([entry], count: 1).first else { continue }
            first.task = part.qualified(first.task)
            next.append(first)
        }
        next.sort { ($0.instant, $0.task) < ($1.instant, $1.task) }
        if next.count > Self.nextMax { next.removeLast(next.count - Self.nextMax) }
    }
}

/// Collects the due times that were missed and for which no run was made.
private struct MissedDues: JournalReader {
    private(set) var tasks: [String: (count: Int, last: Instant)] = [:]
    private let since: Instant
    private let context: ReadingContext

    init(since: Instant, _ context: ReadingContext) {
        self.since = since
        self.context = context
    }

    var verifiesOnlyWanted: Bool { true }

    func wants(_ line: JournalGlance) -> Bool { line.kind == "skipped" }

    mutating func take(_ fields: JournalFields) {
        guard fields.at >= since, case .skipped(let due)? = fields.record(context), due.reason == .missed else { return }
        var one = tasks[due.task] ?? (0, due.through)
        one.count += due.count ?? 1
        one.last = max(one.last, due.through)
        tasks[due.task] = one
    }
}
