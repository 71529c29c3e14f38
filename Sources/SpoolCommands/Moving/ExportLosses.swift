import Store

/// The messages of an export.
struct ExportLosses {
    /// Differences between the task and the result, a line for each key.
    private(set) var lost: [String] = []
    /// Remarks that apply to only one dialect.
    private(set) var remarks: [String] = []

    mutating func lose(_ task: ExportedTask, _ what: String) { add("\(task.name): \(what)", to: \.lost) }
    mutating func remark(_ task: ExportedTask, _ what: String) { add("\(task.name): note: \(what)", to: \.remarks) }

    /// Adds the keys of the task and of its schedules that have no counterpart.
    mutating func lose(_ task: ExportedTask, keysBut carried: Set<String>, to what: String) {
        for entry in task.table.entries where !carried.contains(entry.key) { lose(task, "\(entry.key) has no counterpart in \(what)") }
        for schedule in task.enabled.map(\.definition) {
            if schedule.notBefore != nil { lose(task, "not_before has no counterpart in \(what)") }
            if schedule.notAfter != nil { lose(task, "not_after has no counterpart in \(what)") }
            if schedule.payload != nil { lose(task, "schedule.payload has no counterpart in \(what)") }
            if schedule.catchUp == .all { lose(task, "catch_up: \(what) runs at most once for all missed due times") }
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
