/// A schedule: its handled due times and its next one.
///
/// The recorded part is the result of the journal's records: only `Scheduler.apply` calls the methods of the section below, and nothing
/// else can change it.
public final class ScheduleState {
    public let task: String
    public let id: String

    // MARK: From its file

    public internal(set) var definition: ScheduleDefinition?

    // MARK: Recorded

    /// Every due time up to this one has become a job, or a record with the reason why not.
    public private(set) var accounted: Instant {
        didSet { if Self.isLeap(from: oldValue, to: accounted) { accountedBefore = oldValue } }
    }
    /// The value of `accounted` before it last advanced by more than a day at once, as a wrong clock causes it to.
    private(set) var accountedBefore: Instant
    /// The time at which the schedule was taken up: the start of a fixed grid.
    public private(set) var origin: Instant
    private var packedLastEnd = PackedInstant(nil)

    // MARK: Derived

    private var packedNext = PackedInstant(nil)

    /// The state that few schedules have.
    private var rare: Rare?

    private final class Rare {
        var isFile = false
        var repeatedThrough: Instant?
        var settled: SettledDues?
        var asking: Asking?
        var files: FileState?
    }

    init(task: String, id: String, accounted: Instant, origin: Instant) {
        self.task = task
        self.id = id
        self.accounted = accounted
        accountedBefore = accounted
        self.origin = origin
    }

    /// When the last run ended.
    public private(set) var lastEnd: Instant? {
        get { packedLastEnd.instant }
        set { packedLastEnd = PackedInstant(newValue) }
    }

    /// The next due time.
    public internal(set) var next: Instant? {
        get { packedNext.instant }
        set { packedNext = PackedInstant(newValue) }
    }

    /// The schedule has a file of its own in `schedules/`.
    public internal(set) var isFile: Bool {
        get { rare?.isFile ?? false }
        set { if newValue != isFile { madeRare().isFile = newValue } }
    }

    /// The clock was set back, and due times up to this one may have been handled before. Nil when it was not.
    var repeatedThrough: Instant? { rare?.repeatedThrough }

    /// The due times that were decided by earlier calendars.
    public var settled: SettledDues? { rare?.settled }

    /// The state of a pattern that a program computes. The answers are recorded, the questions are not.
    var asking: Asking? { rare?.asking }

    /// The state of a schedule that waits for files. The handled files are recorded.
    var files: FileState? { rare?.files }

    private func madeRare() -> Rare {
        let rare = rare ?? Rare()
        self.rare = rare
        return rare
    }

    func madeAsking() -> Asking {
        let asking = asking ?? Asking()
        madeRare().asking = asking
        return asking
    }

    func madeFiles() -> FileState {
        let files = files ?? FileState()
        madeRare().files = files
        return files
    }

    // MARK: Applying a record

    func apply(_ record: Record) {
        switch record {
        case .scheduled(_, _, let accounted, let origin, let lastEnd):
            if accounted < self.accounted { madeRare().repeatedThrough = max(self.accounted, repeatedThrough ?? accounted) }
            self.accounted = accounted
            self.origin = origin
            self.lastEnd = lastEnd
            asking?.forget()
            rare?.files = nil
        case .unscheduled:
            rare?.asking = nil
            next = nil
        case .settled(_, _, let dues): madeRare().settled = dues
        case .answered(_, _, let due, let last): madeAsking().answer(due: due, last: last)
        case .skipped(let skipped):
            account(for: skipped.through)
            // An interval from the end counts from the due time if its run never ran.
            runEnded(at: skipped.through)
            if let file = skipped.file { madeFiles().see([file.fingerprint]) }
        case .filesSeen(_, _, let fingerprints, let isAll): madeFiles().see(fingerprints, isAll: isAll)
        case .filesGone(_, _, let fingerprints): files?.forget(fingerprints)
        default: preconditionFailure("not a record of a schedule")
        }
    }

    /// A due time has become a job, which runs for these files.
    func run(_ job: Job, files: [UInt64]) {
        account(for: job.due)
        next = nil
        if !files.isEmpty { madeFiles().see(files) }
    }

    func runEnded(at instant: Instant) { lastEnd = max(lastEnd ?? instant, instant) }

    private func account(for due: Instant) {
        accounted = max(accounted, due)
        asking?.account(for: due)
    }

    // MARK: Due times

    /// The values that `accounted` must be set to, in order, to rebuild `accountedBefore` and `repeatedThrough` too.
    var accountedMarks: [Instant] {
        let before = Self.isLeap(from: accountedBefore, to: accounted) ? accountedBefore : nil
        return [before, repeatedThrough.flatMap { $0 > accounted ? $0 : nil }, accounted].compactMap(\.self)
    }

    /// The start from which an interval counts.
    var intervalOrigin: Instant {
        definition?.recurrence.isFromEnd == true ? max(origin, lastEnd ?? origin) : origin
    }

    /// The next due time is later than this.
    var dueAfter: Instant {
        var after = accounted
        // Due times that passed during its last run do not exist.
        if definition?.recurrence.isFromEnd == true, let lastEnd { after = max(after, lastEnd) }
        if let notBefore = definition?.notBefore { after = max(after, notBefore.advanced(byMilliseconds: -1)) }
        return after
    }

    /// The first due time of the definition after an instant.
    func due(after instant: Instant) -> Instant? {
        definition?.recurrence.next(after: instant, origin: intervalOrigin, settled: settled)
    }

    /// The number of due times of the definition after an instant and up to `end`, at most `max`.
    func dueCount(after instant: Instant, through end: Instant, max: Int) -> Int {
        definition?.recurrence.count(after: instant, through: end, origin: intervalOrigin, settled: settled, max: max) ?? 0
    }

    /// The times after an instant to which earlier due times have moved, by the calendars of the definition.
    func open(at instant: Instant) -> [Instant] {
        definition?.recurrence.open(at: instant, origin: intervalOrigin, settled: settled) ?? []
    }

    /// The first due time that is not handled, within `not_before` and `not_after`.
    func computeNext() -> Instant? {
        guard let definition, definition.enabled else { return nil }
        let after = dueAfter
        let answered = asking?.due.flatMap { $0 > after ? $0 : nil }
        guard let next = answered ?? due(after: after) else { return nil }
        if let notAfter = definition.notAfter, next > notAfter { return nil }
        return next
    }

    private static func isLeap(from old: Instant, to new: Instant) -> Bool {
        new.milliseconds - old.milliseconds > Scheduler.clockErrorMilliseconds
    }
}
