import Linux
import Store

/// The tasks of a spool with their schedules, as they are in force: see `InForce`.
struct TaskCatalog {
    struct Entry {
        var name: String
        /// Its files in tasks/: one, or the error is that there are more.
        var files: [String]
        /// What is in force; nil: nothing is.
        var task: TaskDefinition?
        /// Why its file, or one of its schedules', does not count.
        var problems: [String] = []
        /// Inline ones first, then those of schedules/. They are due only while a task is in force.
        var schedules: [Schedule] = []
        var changedAt: Instant?

        /// An earlier definition is in force than its file, or that of a schedule, has now.
        var isEditRefused: Bool { task != nil && !problems.isEmpty }

        /// What is wrong, for people.
        var remarks: [String] { problems.map { task == nil ? $0 : TaskCatalog.refused($0) } }
    }

    struct Schedule {
        var definition: ScheduleDefinition
        /// The file in schedules/; nil for one within the task's own file.
        var file: String?
        var changedAt: Instant
    }

    let session: Session
    let fs: DiskFileSystem
    let spool: Spool<DiskFileSystem>
    private let context: ReadingContext
    private let pauses: [(scope: PauseScope, note: String)]
    /// Tasks that the daemon says have not succeeded within their time.
    private let overdue: Set<String>
    /// What is wrong with files in schedules/, of which some belong to no task.
    private(set) var scheduleRemarks: [String] = []
    private var schedulesByTask: [String: [Schedule]] = [:]
    private var scheduleProblemsByTask: [String: [String]] = [:]

    /// - Parameter withSchedules: false spares reading schedules/, where only the tasks themselves matter.
    init(_ session: Session, withSchedules: Bool = true) throws(Failure) {
        self.session = session
        let fs = try session.openSpool()
        self.fs = fs
        spool = Spool(fs, host: "")
        context = try session.context()
        pauses = try Pauses.read(fs)
        var overdue: Set<String> = []
        if case .array(let tasks)? = try session.daemonTable(fs)?["overdue"]?.kind {
            for case .table(let one) in tasks.map(\.kind) { overdue.formUnion([one.text("task")].compactMap { $0 }) }
        }
        self.overdue = overdue
        if withSchedules { try readSchedules() }
    }

    /// A problem of a file whose earlier text is in force.
    static func refused(_ problem: String) -> String { "edit refused: \(problem)" }

    private mutating func readSchedules() throws(Failure) {
        let spool = spool
        let context = context
        let found = try attempt { () throws(SystemError) in
            let files = try spool.definitionFiles(in: Layout.schedules).sorted { $0.key < $1.key }
            return try spool.schedulesInForce(files.map { ($0.key, $0.value) }, context)
        }
        for one in found.damage { session.complain("\(one)") }
        guard !found.all.isEmpty else { return }
        let tasks = try Set(names())
        for one in found.all {
            guard let definition = one.definition else {
                scheduleRemarks += one.problems
                continue
            }
            schedulesByTask[definition.task, default: []].append(
                Schedule(definition: definition.schedule, file: one.files[0], changedAt: one.writtenAt ?? session.now))
            scheduleRemarks += one.problems.map(Self.refused)
            if !one.problems.isEmpty { scheduleProblemsByTask[definition.task, default: []] += one.problems }
            if !tasks.contains(definition.task) {
                scheduleRemarks.append("\(Layout.schedules)/\(one.files[0]): there is no task \"\(definition.task)\"")
            }
        }
    }

    /// The names of all tasks, in order.
    func names() throws(Failure) -> [String] { try files().map(\.key) }

    private func files() throws(Failure) -> [(key: String, value: [String])] {
        let spool = spool
        return try attempt { () throws(SystemError) in try spool.definitionFiles(in: Layout.tasks) }
            .sorted { $0.key < $1.key }
    }

    func entries(_ range: (offset: Int, limit: Int)? = nil) throws(Failure) -> (page: [Entry], count: Int) {
        let all = try files()
        var chosen = all[...]
        if let range {
            chosen = all.dropFirst(range.offset)
            if range.limit > 0 { chosen = chosen.prefix(range.limit) }
        }
        return (try entries(chosen.map { ($0.key, $0.value) }), all.count)
    }

    /// The task of that name; its absence is the command's end.
    func entry(_ name: String) throws(Failure) -> Entry { try entries(named: [name])[0] }

    /// Those tasks, in that order.
    func entries(named names: [String]) throws(Failure) -> [Entry] {
        let spool = spool
        var chosen: Spool<DiskFileSystem>.Files = []
        for name in names {
            let files =
                Name.isValid(name)
                ? try attempt { () throws(SystemError) in try spool.definitionFiles(in: Layout.tasks, stem: name) } : []
            guard !files.isEmpty else { throw try Self.unknown(name, among: self.names()) }
            chosen.append((name, files))
        }
        return try entries(chosen)
    }

    static func unknown(_ name: String, among names: [String]) -> Failure {
        // Every name of one letter is near to a name of one letter.
        .notFound("there is no task \"\(name)\"".suggesting(name, among: name.utf8.count > 1 ? names : []))
    }

    private func entries(_ files: Spool<DiskFileSystem>.Files) throws(Failure) -> [Entry] {
        let spool = spool
        let context = context
        let found = try attempt { () throws(SystemError) in try spool.tasksInForce(files, context) }
        for one in found.damage { session.complain("\(one)") }
        return found.all.map { one in
            var entry = Entry(name: one.stem, files: one.files, task: one.definition, problems: one.problems)
            entry.changedAt = one.changedAt
            let writtenAt = one.writtenAt ?? session.now
            entry.schedules = one.definition?.schedules.map { Schedule(definition: $0, file: nil, changedAt: writtenAt) } ?? []
            entry.schedules += schedulesByTask[one.stem] ?? []
            entry.problems += scheduleProblemsByTask[one.stem] ?? []
            return entry
        }
    }

    func isOverdue(_ entry: Entry) -> Bool { overdue.contains(entry.name) && entry.task?.expectMilliseconds != nil }

    /// The note of the pause that holds a task; nil when none does.
    func pauseNote(of entry: Entry) -> String? {
        var scopes: [PauseScope] = [.task(entry.name), .all]
        if let job = try? entry.task?.job(context) { scopes.append(.queue(job.definition.queue)) }  // unusable: no queue to be paused
        return scopes.lazy.compactMap { scope in pauses.first { $0.scope == scope }?.note }.first
    }
}

extension Session {
    /// The definition of a task that is in force. That it is an earlier one than the file has is said; when there is none, the command ends.
    func inForce(_ entry: TaskCatalog.Entry) throws(Failure) -> TaskDefinition {
        guard let task = entry.task else {
            throw Failure(ExitCode.invalid, entry.problems + ["no definition of task \"\(entry.name)\" is in force, so it cannot run"])
        }
        for line in entry.remarks { complain("\(qualified(line)); the definition accepted before is in force") }
        return task
    }

    /// Says what is wrong with tasks and schedules.
    func complain(of entries: [TaskCatalog.Entry], _ catalog: TaskCatalog) {
        let ofSchedules = Set(catalog.scheduleRemarks)
        for entry in entries { for line in entry.remarks where !ofSchedules.contains(line) { complain(qualified(line)) } }
        for line in catalog.scheduleRemarks { complain(qualified(line)) }
    }
}
