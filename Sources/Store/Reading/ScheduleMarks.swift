import Scheduler

/// The journal's records of schedules that their coming due times depend on, by `TASK/SCHEDULE`.
public struct ScheduleMarks: JournalReader {
    /// The instant from which a schedule counts, and the end of its last run.
    public private(set) var counting: [String: (origin: Instant, lastEnd: Instant?)] = [:]
    /// The answers of the programs of `ext:` patterns.
    public private(set) var answers: [String: Instant] = [:]
    /// The due times that earlier calendars decided. A schedule that names no calendar any more can have some, too.
    public private(set) var settled: [String: SettledDues] = [:]

    public init() {}

    public func wants(_ line: JournalGlance) -> Bool {
        switch line.kind {
        case "scheduled", "unscheduled", "settled", "answered": true
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
    /// The marks of all schedules, and the damage of the journal that was skipped.
    public func scheduleMarks() throws(SystemError) -> (marks: ScheduleMarks, damage: [JournalDamage]) {
        var marks = ScheduleMarks()
        // The newest segment begins with the marks of all schedules.
        let damage = try Journal<FS>.scan(fs, since: Instant(milliseconds: .max), into: &marks)
        return (marks, damage)
    }
}
