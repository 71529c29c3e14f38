import Linux
import Store

/// The tasks of a spool with their schedules, as their files say.
struct TaskCatalog {
    struct Entry {
        var name: String
        /// Its files in tasks/: one, or the error is that there are more.
        var files: [String]
        var task: TaskDefinition?
        /// Why it cannot be used.
        var problems: [String] = []
        /// Inline ones first, then those of schedules/.
        var schedules: [Schedule] = []
        var changedAt: Instant?
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
    private let pauses: Set<String>
    /// Tasks that the daemon says have not succeeded within their time.
    private let overdue: Set<String>
    /// Problems of files in schedules/, which may belong to no task.
    private(set) var scheduleProblems: [String] = []
    private var schedulesByTask: [String: [Schedule]] = [:]

    /// - Parameter withSchedules: false spares reading schedules/, where only the tasks themselves matter.
    init(_ session: Session, withSchedules: Bool = true) throws(Failure) {
        self.session = session
        let fs = try session.openSpool()
        self.fs = fs
        spool = Spool(fs, host: "")
        context = try session.context()
        let control = try attempt { () throws(SystemError) in try fs.list(Layout.control) }
        pauses = Set(control.map(\.name).filter { $0.hasPrefix("pause") })
        let status = try attempt { () throws(SystemError) in try fs.take(Layout.daemonStatus, limit: Source.bytesMax, ignoringWriters: true) }
        var overdue: Set<String> = []
        // Not there or damaged: then nobody knows of any.
        if case .file(_, let bytes) = status, case .table(let table)? = (try? JSON.parse(bytes))?.kind, case .array(let tasks)? = table["overdue"]?.kind {
            for case .table(let one) in tasks.map(\.kind) { overdue.formUnion([one.text("task")].compactMap { $0 }) }
        }
        self.overdue = overdue
        if withSchedules { try readSchedules() }
    }

    private mutating func readSchedules() throws(Failure) {
        let spool = spool
        let files = try attempt { () throws(SystemError) in try spool.definitionFiles(in: Layout.schedules) }
        for (stem, names) in files.sorted(by: { $0.key < $1.key }) {
            do throws(DefinitionProblem) {
                guard let file = try spool.definition(in: Layout.schedules, stem: stem, files: names) else { continue }
                let read = try spool.schedule(file, context)
                schedulesByTask[read.task, default: []].append(
                    Schedule(definition: read.schedule, file: file.file, changedAt: file.changedAt))
            } catch {
                scheduleProblems += error.lines
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
        return (chosen.map { entry($0.key, files: $0.value) }, all.count)
    }

    /// The task of that name; its absence is the command's end.
    func entry(_ name: String) throws(Failure) -> Entry {
        let spool = spool
        let files =
            Name.isValid(name)
            ? try attempt { () throws(SystemError) in try spool.definitionFiles(in: Layout.tasks, stem: name) } : []
        guard !files.isEmpty else { throw try Self.unknown(name, among: names()) }
        return entry(name, files: files)
    }

    static func unknown(_ name: String, among names: [String]) -> Failure {
        // Of names of one letter every one is near.
        let near = name.utf8.count > 1 ? nearest(to: name, among: names) : nil
        return .notFound("there is no task \"\(name)\"" + (near.map { "; did you mean \"\($0)\"?" } ?? ""))
    }

    private func entry(_ name: String, files: [String]) -> Entry {
        var entry = Entry(name: name, files: files)
        do throws(DefinitionProblem) {
            if let file = try spool.definition(in: Layout.tasks, stem: name, files: files) {
                entry.changedAt = file.changedAt
                let task = try spool.task(file, context)
                entry.task = task
                entry.schedules = task.schedules.map { Schedule(definition: $0, file: nil, changedAt: file.changedAt) }
            } else {
                entry.problems = ["\(Layout.tasks)/\(files[0]): is being written"]
            }
        } catch {
            entry.problems = error.lines
        }
        entry.schedules += schedulesByTask[name] ?? []
        return entry
    }

    func isOverdue(_ entry: Entry) -> Bool { overdue.contains(entry.name) && entry.task?.expectMilliseconds != nil }

    /// The note of the pause that holds a task; nil when none does.
    func pauseNote(of entry: Entry) -> String? {
        var scopes: [PauseScope] = [.task(entry.name), .all]
        if let job = try? entry.task?.job(context) { scopes.append(.queue(job.definition.queue)) }  // unusable: no queue to be paused
        for scope in scopes where pauses.contains(scope.text) {
            // Not readable: it is paused all the same.
            guard case .file(_, let bytes)? = try? fs.take("\(Layout.control)/\(scope.text)", limit: 64 << 10, ignoringWriters: true) else { return "" }
            return String(decoding: bytes, as: UTF8.self).trimmed
        }
        return nil
    }
}
