import Linux
import Store

/// The tasks of a spool with their schedules, as they are in force: see `InForce`.
struct TaskCatalog {
    struct Entry {
        var name: String
        /// The task's files in tasks/: more than one is an error of the task. For a line of a crontab, the crontab's path.
        var files: [String]
        /// The line of a crontab that the task is. Nil for a task with a file in tasks/.
        var line: CrontabLineTask?
        /// The definition in force; nil when none is.
        var task: TaskDefinition?
        /// Why the task's file, or a file of its schedules, is refused.
        var problems: [String] = []
        /// The schedules in the task's file, then those in schedules/. They are due only while a definition of the task is in force.
        var schedules: [Schedule] = []
        var changedAt: Instant?

        /// True when an earlier definition is in force because the present text of a file is refused.
        var isEditRefused: Bool { task != nil && !problems.isEmpty }

        /// The problems, as people read them.
        var remarks: [String] { problems.map { task == nil ? $0 : TaskCatalog.refused($0) } }
    }

    struct Schedule {
        var definition: ScheduleDefinition
        /// The schedule's file in schedules/; nil when the schedule is in the task's file.
        var file: String?
        var changedAt: Instant
    }

    let session: Session
    let fs: DiskFileSystem
    let spool: Spool<DiskFileSystem>
    let context: ReadingContext
    private let pauses: [(scope: PauseScope, note: String)]
    /// The tasks that the daemon reports as overdue: they have not succeeded within `expect`.
    private let overdue: [String: Instant?]
    private let listing = Listing()
    /// Problems of files in schedules/; some of these belong to no task.
    private(set) var scheduleRemarks: [String] = []
    private var schedulesByTask: [String: [Schedule]] = [:]
    private var scheduleProblemsByTask: [String: [String]] = [:]

    /// - Parameter withSchedules: false when only the tasks themselves are needed: schedules/ is then not read.
    init(_ session: Session, withSchedules: Bool = true) throws(Failure) {
        self.session = session
        let fs = try session.openSpool()
        self.fs = fs
        spool = Spool(fs, host: "")
        context = try session.context()
        pauses = try Pauses.read(fs)
        var overdue: [String: Instant?] = [:]
        if case .array(let tasks)? = try session.daemonTable(fs)?["overdue"]?.kind {
            for case .table(let one) in tasks.map(\.kind) {
                if let task = one.text("task") { overdue.updateValue(one.instant("since"), forKey: task) }
            }
        }
        self.overdue = overdue
        if withSchedules { try readSchedules() }
    }

    /// The problem of a file whose earlier text stays in force.
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
        if let known = listing.files { return known }
        let spool = spool
        let files = try attempt { () throws(SystemError) in try spool.taskFiles() }.sorted { $0.key < $1.key }
        listing.files = files
        return files
    }

    /// The files of all tasks once they were listed, so that a command lists them once.
    private final class Listing {
        var files: [(key: String, value: [String])]?
    }

    func entries() throws(Failure) -> [Entry] { try entries(files().map { ($0.key, $0.value) }) }

    /// The tasks after the first `offset` in the order of their names, at most `limit` of them.
    func page(skipping offset: Int, atMost limit: Int) throws(Failure) -> (entries: [Entry], page: DefinitionPage) {
        let spool = spool
        let page = try attempt { () throws(SystemError) in
            try spool.definitionPage(in: Layout.tasks, skipping: offset, atMost: limit)
        }
        return (try entries(page.files), page)
    }

    /// The tasks that can have one of the first `count` due times after an instant, and all about which there is something to say.
    func entries(dueFirst count: Int, after instant: Instant) throws(Failure) -> [Entry] {
        let (spool, context) = (spool, context)
        let others = Set(schedulesByTask.keys).union(scheduleProblemsByTask.keys)
        // The directory is looked at while the journal is read.
        let path = fs.path
        let survey = Later { Result { () throws(SystemError) in try DiskFileSystem(path: path).survey(Layout.tasks) } }
        let files = try attempt { () throws(SystemError) in
            try spool.tasksDueFirst(count, after: instant, with: others, boot: try Process.bootID(), context) { () throws(SystemError) in
                try survey.get().get()
            }
        }
        guard let files else { return try entries() }
        return try entries(files)
    }

    /// The task of this name; a missing task ends the command.
    func entry(_ name: String) throws(Failure) -> Entry { try entries(named: [name])[0] }

    /// The tasks of these names, in the given order.
    func entries(named names: [String]) throws(Failure) -> [Entry] {
        let spool = spool
        var chosen: Spool<DiskFileSystem>.Files = []
        for name in names {
            let files =
                Name.isValid(name)
                ? try attempt { () throws(SystemError) in try spool.taskFiles(named: name) } : []
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
            entry.line = one.crontab
            entry.changedAt = one.changedAt
            let writtenAt = one.writtenAt ?? session.now
            entry.schedules = one.definition?.schedules.map { Schedule(definition: $0, file: nil, changedAt: writtenAt) } ?? []
            entry.schedules += schedulesByTask[one.stem] ?? []
            entry.problems += scheduleProblemsByTask[one.stem] ?? []
            return entry
        }
    }

    /// The path of the file with the task's definition.
    func path(of entry: Entry) -> String { entry.line?.path ?? "\(session.spoolPath)/\(Layout.tasks)/\(entry.files[0])" }

    func isOverdue(_ entry: Entry) -> Bool { overdue[entry.name] != nil && entry.task?.expectMilliseconds != nil }

    /// Since when an overdue task has not succeeded; nil when unknown.
    func overdueSince(_ entry: Entry) -> Instant? { overdue[entry.name] ?? nil }

    /// The note of the pause that holds a task; nil when the task is not paused.
    func pauseNote(of entry: Entry) -> String? {
        var scopes: [PauseScope] = [.task(entry.name), .all]
        if let job = try? entry.task?.job(context) { scopes.append(.queue(job.definition.queue)) }  // an unusable task has no queue
        return scopes.lazy.compactMap { scope in pauses.first { $0.scope == scope }?.note }.first
    }
}

extension TaskCatalog.Entry {
    /// The task's file, as messages name it.
    var file: String { line?.path ?? "\(Layout.tasks)/\(files[0])" }

    /// Ends a command that changes the text of a task, when the text is outside of the spool: in a crontab or a directory of `--tasks`.
    func refuseIfLine() throws(Failure) {
        guard let line else { return }
        throw line.refusal
    }
}

extension CrontabLineTask {
    /// The error of a command that would change the text.
    var refusal: Failure {
        let place = line.map { "is line \($0) of \(path)" } ?? "is defined in \(path), which spoold only reads"
        return Failure(ExitCode.failed, "task \"\(name)\" \(place): edit that file; \(remedy)")
    }

    /// The way to edit the crontab.
    var remedy: String {
        let parts = path.split(separator: "/")
        guard parts.dropLast().last == "crontabs", let user = parts.last else { return "what is changed there counts at once" }
        return "crontab -u \(user) -e does it"
    }
}

extension Session {
    /// The definition of a task that is in force. Reports on standard error that it is an earlier one than the file's. Without any, the
    /// command ends.
    func inForce(_ entry: TaskCatalog.Entry) throws(Failure) -> TaskDefinition {
        guard let task = entry.task else {
            throw Failure(ExitCode.invalid, entry.problems + ["no definition of task \"\(entry.name)\" is in force, so it cannot run"])
        }
        for line in entry.remarks { complain("\(qualified(line)); the earlier definition stays in force") }
        return task
    }

    /// Reports the problems of tasks and schedules on standard error.
    func complain(of entries: [TaskCatalog.Entry], _ catalog: TaskCatalog) {
        for line in remarks(on: entries, catalog) { complain(line) }
    }

    /// The problems of the files of tasks and schedules, each once.
    func remarks(on entries: [TaskCatalog.Entry], _ catalog: TaskCatalog) -> [String] {
        let ofSchedules = Set(catalog.scheduleRemarks)
        let ofEntries = entries.flatMap { $0.remarks.filter { !ofSchedules.contains($0) } }
        return (ofEntries + catalog.scheduleRemarks).map(qualified)
    }
}
