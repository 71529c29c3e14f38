import Scheduler

/// The journal's records of some tasks' schedules that their coming due times depend on, by `TASK/SCHEDULE`.
public struct ScheduleMarks: JournalReader {
    private let tasks: Set<String>
    /// The instant from which a schedule counts, and the end of its last run.
    public private(set) var counting: [String: (origin: Instant, lastEnd: Instant?)] = [:]
    /// The answers of the programs of `ext:` patterns.
    public private(set) var answers: [String: Instant] = [:]
    /// The due times that earlier calendars decided. A schedule that names no calendar any more can have some, too.
    public private(set) var settled: [String: SettledDues] = [:]

    public init(of tasks: Set<String>) { self.tasks = tasks }

    public func wants(_ line: JournalGlance) -> Bool {
        switch line.kind {
        case "scheduled", "unscheduled", "settled", "answered": line.firstValue(of: "task").map(tasks.contains) ?? false
        default: false
        }
    }

    public mutating func take(_ fields: JournalFields) {
        guard let task = fields["task"], let schedule = fields["schedule"] else { return }
        let name = "\(task)/\(schedule)"
        switch fields.kind {
        case "scheduled":
            guard let origin = fields.instant("origin") else { return }
            counting[name] = (origin, fields.instant("last_end"))
            answers[name] = nil
        case "answered": answers[name] = fields.instant("due")
        case "settled":
            let record = fields.record(ReadingContext(now: fields.at, zones: ZoneDatabase(directories: [])))
            if case .settled(_, _, let dues)? = record { settled[name] = dues }
        default: settled[name] = nil
        }
    }
}

extension Spool {
    /// The marks of the schedules of some tasks, and the damage of the journal that was skipped.
    public func scheduleMarks(of tasks: Set<String>) throws(SystemError) -> (marks: ScheduleMarks, damage: [JournalDamage]) {
        var marks = ScheduleMarks(of: tasks)
        let damage = try Journal<FS>.scanNewest(fs, into: &marks)
        return (marks, damage)
    }
}
