import Store

/// The coming due times of tasks.
struct DueTimes {
    struct Due {
        var instant: Instant
        var task: String
        var schedule: ScheduleDefinition
        var note: String?
    }

    private let marks: ScheduleMarks
    private var from: Instant
    /// The reason why due times may be missing that had moved before a schedule lost its calendars. Nil when none are.
    let remark: String?

    /// Due times after `from`, by default after now.
    init(
        _ session: Session, _ fs: DiskFileSystem, for entries: [TaskCatalog.Entry], from: Instant? = nil
    ) throws(Failure) {
        self.from = from ?? session.now
        let isNeeded = entries.contains { $0.schedules.contains(where: Self.dependOnJournal) }
        let tasks = Set(entries.map(\.name))
        var read = ScheduleMarks(of: [])
        var failure: Failure?
        do throws(Failure) {
            let found = try attempt { () throws(SystemError) in try Spool(fs, host: "").scheduleMarks(of: tasks) }
            read = found.marks
            failure = found.damage.first.map { Failure(ExitCode.failed, "\($0)") }
        } catch {
            failure = error
        }
        // The due times of all other schedules are known without a journal, except those that had moved before calendars changed.
        if isNeeded, let failure { throw failure }
        marks = read
        remark = failure?.lines.first.map { "due times that moved before calendars changed may be missing: \($0)" }
    }

    /// The due times after another instant, as long as the journal's records of these tasks are the same.
    func after(_ instant: Instant) -> DueTimes {
        var times = self
        times.from = instant
        return times
    }

    /// True when coming due times of a schedule follow from records that come while it runs.
    private static func dependOnJournal(_ schedule: TaskCatalog.Schedule) -> Bool {
        let rule = schedule.definition.recurrence
        return rule.isInterval || rule.patternExtension != nil || rule.filter?.whenExcluded == .next
    }

    /// True when the due times of a task may be others as soon as one has passed.
    func mayChange(_ entry: TaskCatalog.Entry) -> Bool {
        entry.schedules.contains { schedule in
            let definition = schedule.definition
            return Self.dependOnJournal(schedule) || definition.recurrence.isFromEnd || settled(definition, of: entry.name) != nil
        }
    }

    /// The instant from which a schedule counts, and the end of its last run; nil when no daemon has accepted the schedule.
    func counting(_ schedule: ScheduleDefinition, of task: String) -> (origin: Instant, lastEnd: Instant?)? {
        marks.counting["\(task)/\(schedule.id)"]
    }

    /// The due times of a schedule that earlier calendars decided; nil when there are none.
    func settled(_ schedule: ScheduleDefinition, of task: String) -> SettledDues? { marks.settled["\(task)/\(schedule.id)"] }

    /// The maximum of the option `--count`: those of every minute for ten weeks.
    static let countMax = 100_000

    /// The option `--count`.
    static func count(_ session: Session, default standard: Int) throws(Failure) -> Int {
        let count = try session.count("count", default: standard)
        guard count <= countMax else {
            throw .usage("--count is at most \(countMax), not \(count); for later due times, use --from with the last time shown")
        }
        return count
    }

    /// The next `count` due times of a schedule, without those after `end`.
    func next(_ schedule: TaskCatalog.Schedule, of entry: TaskCatalog.Entry, count: Int, until end: Instant? = nil) -> [Due] {
        let definition = schedule.definition
        let task = entry.name
        // A file in schedules/ may exist before its task.
        guard entry.task != nil, definition.enabled else { return [] }
        let recurrence = definition.recurrence
        let known = counting(definition, of: task)
        let origin = (recurrence.isFromEnd ? known?.lastEnd : nil) ?? known?.origin ?? schedule.changedAt
        var after = from
        if let notBefore = definition.notBefore, notBefore > after { after = notBefore.advanced(byMilliseconds: -1) }
        if recurrence.patternExtension != nil {
            // Only the program knows the due times after its last answer.
            guard let answer = marks.answers["\(task)/\(definition.id)"], answer > after, definition.notAfter.map({ answer <= $0 }) ?? true
            else { return [] }
            return [Due(instant: answer, task: task, schedule: definition)]
        }
        var due: [Due] = []
        let settled = settled(definition, of: task)
        while due.count < count, let next = recurrence.nextOccurrence(after: after, origin: origin, settled: settled) {
            if let end, next.instant > end { return due }
            if let notAfter = definition.notAfter, next.instant > notAfter { break }
            var note = next.words
            if recurrence.isFromEnd, !due.isEmpty { note = Self.estimated }
            due.append(Due(instant: next.instant, task: task, schedule: definition, note: note))
            after = next.instant
        }
        if due.count < count, definition.once == nil, let last = due.indices.last { due[last].note = Self.last(due[last].note) }
        return due
    }

    /// The note on a due time that follows from the end of a run that has not ended.
    static let estimated = "estimated from the run before"

    /// The note on the last due time of a schedule.
    static func last(_ note: String?) -> String { (note.map { "\($0); " } ?? "") + "the last due time of this schedule" }

    /// The next `count` due times of several tasks, merged.
    func next(_ entries: [TaskCatalog.Entry], count: Int) -> [Due] {
        var all: [Due] = []
        // Nothing after this instant is among the first `count`.
        var end: Instant?
        func keepFirst() {
            all.sort { ($0.instant, $0.task) < ($1.instant, $1.task) }
            all.removeLast(max(0, all.count - count))
            if all.count == count { end = all.last?.instant }
        }
        for entry in entries {
            for schedule in entry.schedules {
                all += next(schedule, of: entry, count: count, until: end)
                if all.count >= 2 * count { keepFirst() }
            }
        }
        keepFirst()
        return all
    }
}
