import Store

/// What an export has to say besides its text.
struct ExportLosses {
    /// What the result does otherwise than the task, key by key.
    private(set) var lost: [String] = []
    /// What holds for one dialect alone.
    private(set) var remarks: [String] = []

    mutating func lose(_ task: ExportedTask, _ what: String) { add("\(task.name): \(what)", to: \.lost) }
    mutating func remark(_ task: ExportedTask, _ what: String) { add("\(task.name): note: \(what)", to: \.remarks) }

    /// Of the task's keys, and of its schedules', those that have no counterpart.
    mutating func lose(_ task: ExportedTask, keysBut carried: Set<String>, to what: String) {
        for entry in task.table.entries where !carried.contains(entry.key) { lose(task, "\(entry.key) has no counterpart in \(what)") }
        for schedule in task.enabled.map(\.definition) {
            if schedule.notBefore != nil { lose(task, "not_before has no counterpart in \(what)") }
            if schedule.notAfter != nil { lose(task, "not_after has no counterpart in \(what)") }
            if schedule.payload != nil { lose(task, "schedule.payload has no counterpart in \(what)") }
            if schedule.catchUp == .all { lose(task, "catch_up: \(what) runs once at most for all that was missed") }
        }
        guard case .array(let schedules)? = task.table["schedule"]?.kind else { return }
        for case .table(let schedule) in schedules.map(\.kind) {
            for key in ["dst_gap", "dst_repeat"] where schedule[key] != nil { lose(task, "\(key) has no counterpart in \(what)") }
        }
    }

    private mutating func add(_ line: String, to list: WritableKeyPath<ExportLosses, [String]>) {
        if !self[keyPath: list].contains(line) { self[keyPath: list].append(line) }
    }
}
