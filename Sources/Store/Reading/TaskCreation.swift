import Scheduler

/// When a task's name was defined first, according to the journal.
private struct TaskCreation: JournalReader {
    private let file: String
    private(set) var createdAt: Instant?

    init(of task: String) { file = "\(Layout.tasks)/\(task)" }

    func wants(_ line: JournalGlance) -> Bool {
        ["defined", "undefined"].contains(line.kind) && line.firstValue(of: "file") == file
    }

    mutating func take(_ fields: JournalFields) { createdAt = fields.kind == "defined" ? fields.instant("created") : nil }
}

extension Spool {
    /// The time at which a task of this name was defined first. Nil when no daemon has taken the task up, or when a daemon did that did
    /// not record it. Also returns the damage of the journal that was skipped.
    public func createdAt(ofTask name: String) throws(SystemError) -> (instant: Instant?, damage: [JournalDamage]) {
        var found = TaskCreation(of: name)
        let damage = try Journal<FS>.scanNewest(fs, into: &found)
        return (found.createdAt, damage)
    }
}
