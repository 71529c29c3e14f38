import Linux
import Store

/// A task in the form of another scheduler: what every form needs of it, and what is lost on the way.
struct ExportedTask {
    let name: String
    let job: JobDefinition
    /// The task's keys as they stand in its file.
    let table: Table
    let schedules: [Schedule]
    /// As whom its jobs run when it names nobody.
    let owner: User

    struct Schedule {
        let definition: ScheduleDefinition
        /// Its times are those of the machine's clock, whatever zone that has.
        let isLocal: Bool
    }

    /// As whom its jobs run.
    var user: String {
        switch job.user {
        case .name(let name): name
        // A number that nobody has stays one, and is refused by who reads it.
        case .number(let id): ((try? User.find(id: id)) ?? nil)?.name ?? String(id)
        case nil: owner.name
        }
    }
    var isForAnother: Bool { job.user.map { !$0.isAccount(owner.id, owner.name) } ?? false }

    /// Where its jobs start, absolute.
    var directory: String {
        let directory = job.directory ?? "~"
        if directory == "~" || directory.hasPrefix("~/") { return owner.home + directory.dropFirst() }
        return directory.hasPrefix("/") ? directory : "\(owner.home)/\(directory)"
    }

    var enabled: [Schedule] { schedules.filter(\.definition.enabled) }
}

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

/// Words as other programs read them.
enum ExportWords {
    /// In one line, without what moves a cursor or ends a line.
    static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { TerminalText.isUnsafe($0.value) ? " " : $0 }))
    }

    static func hasControl(_ text: String) -> Bool { text.unicodeScalars.contains(where: isControl) }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || scalar.value == 0x7F }

    /// For a shell: as it is where nothing in it means anything to one.
    static func quoted(_ word: String) -> String {
        if isPlain(word) { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    static func isPlain(_ word: String) -> Bool {
        !word.isEmpty && word.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "_-./:=@,+".utf8.contains(byte)
            }
        }
    }
}
