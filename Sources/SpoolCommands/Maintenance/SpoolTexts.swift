import Glibc
import Linux
import Store

struct Check {
    struct Problem {
        var file: String
        var position: Position?
        var message: String
        var hint: String?
        var isWarning = false
    }

    private let session: Session
    private var problems: [Problem] = []
    private var count = 0

    /// The number of other users' files that are named: any user may put any number of files there.
    private static let strangersMax = 10

    init(_ session: Session) { self.session = session }

    // MARK: The spool

    mutating func spool() throws(Failure) {
        let fs = try session.openSpool()
        let spool = Spool(fs, host: "")
        if let path = session.configurationPath, access(path, F_OK) == 0 { try file(path) }
        let context = session.contextInAnyCase()
        var tasks: Set<String> = []
        for directory in [Layout.tasks, Layout.schedules] {
            let files = try attempt { () throws(SystemError) in try spool.definitionFiles(in: directory) }
            if directory == Layout.tasks { tasks = Set(files.keys) }
            let sorted = files.sorted { $0.key < $1.key }.map { (stem: $0.key, files: $0.value) }
            let late = try attempt { () throws(SystemError) in try spool.late(in: directory, sorted, context) }
            for (stem, names) in sorted {
                count += 1
                do throws(DefinitionProblem) {
                    guard let file = try spool.definition(in: directory, stem: stem, files: names) else { continue }
                    let path = "\(directory)/\(file.file)"
                    var schedules: [ScheduleDefinition] = []
                    if directory == Layout.tasks {
                        schedules = readTask(file.source, stem, path, context, tasks: tasks)?.schedules ?? []
                    } else if let read = readSchedule(file.source, stem, path, context) {
                        if !tasks.contains(read.task) {
                            add(path, "there is no task \"\(read.task)\"", hint: suggestion(for: read.task, among: tasks))
                        }
                        schedules = [read.schedule]
                    }
                    if let late = late[stem] { addLate(path, late) }
                    for key in Set(schedules.compactMap { $0.recurrence.patternExtension?.key }).sorted() {
                        do throws(SystemError) {
                            if let problem = try spool.problem(ofProgram: key) { add(path, "\(Layout.patterns)/\(key) \(problem)") }
                        } catch {
                            add(path, "\(error)")
                        }
                    }
                } catch {
                    // A problem of the file as a whole has no position: `tasks/a.toml: stands beside a.json`.
                    for line in error.lines {
                        let parts = line.split(separator: ":", maxSplits: 1)
                        add(String(parts[0]), parts.count > 1 ? String(parts[1]).trimmed : line)
                    }
                }
            }
        }
        let waiting = try attempt { () throws(SystemError) in try fs.list(Layout.new) }
        var strangersCount = 0
        for entry in waiting.sorted(by: { $0.name < $1.name }) where entry.kind != .directory && !Name.isUnfinished(entry.name) {
            let path = "\(Layout.new)/\(entry.name)"
            if let owner = try attempt({ () throws(SystemError) in try fs.foreignOwner(path) }) {
                strangersCount += 1
                if strangersCount <= Self.strangersMax { warn(path, "belongs to user \(owner) and is ignored") }
                continue
            }
            try job("\(session.spoolPath)/\(Layout.new)/\(entry.name)", shown: path, context, tasks: tasks)
        }
        let untold = strangersCount - Self.strangersMax
        if untold > 0 { warn(Layout.new, "\(untold) more files belong to other users and are ignored") }
    }

    // MARK: Single files

    mutating func file(_ path: String) throws(Failure) {
        let parts = path.split(separator: "/")
        let name = String(parts.last ?? "")
        let absolute = try absolute(path, "the file")
        let directory = absolute.split(separator: "/").dropLast().last.map(String.init) ?? ""
        let isConfiguration = name == "spoold.toml" || path == session.configurationPath
        if isConfiguration {
            count += 1
            guard let (bytes, _) = read(path, path) else { return }
            do throws(Problems) {
                _ = try Configuration(bytes, zones: session.zones, now: session.now)
                warn(path, try Source(format: .toml, bytes: bytes).table().bareNumbers)
            } catch {
                add(path, error)
            }
            return
        }
        let context = session.contextInAnyCase()
        let tasks = try knownTasks(to: absolute)
        guard name.hasSuffix(".toml") || name.hasSuffix(".json") else { return try job(path, shown: path, context, tasks: tasks) }
        count += 1
        guard let (bytes, _) = read(path, path) else { return }
        let source = Source(format: name.hasSuffix(".toml") ? .toml : .json, bytes: bytes)
        let stem = String(name.dropLast(5))
        let isInSpool = [Layout.tasks, Layout.schedules].contains { absolute == "\(session.spoolPath)/\($0)/\(name)" }
        if directory == Layout.schedules {
            if let read = readSchedule(source, stem, path, context) {
                let lateness = read.schedule.lateness(since: session.now, in: source)
                try refuseLate(path, stem, in: Layout.schedules, isInSpool, context, ifNew: lateness)
            }
            return
        }
        let table: Table
        do throws(Problems) { table = try source.table() } catch { return add(path, error) }
        if session.arguments.flag("task") || directory == Layout.tasks || table["schedule"] != nil {
            if !Name.isValid(stem) { add(path, "\"\(stem)\" is not a task's name: \(Name.form)") }
            if let task = readTask(source, stem, path, context, tasks: tasks?.union([stem])) {
                try refuseLate(path, stem, in: Layout.tasks, isInSpool, context, ifNew: task.lateness(since: session.now) { _ in false })
            }
        } else {
            readJob(source, path, context, tasks: tasks)
        }
    }

    /// The names of the spool's tasks, for a file in the spool, or with `--spool`; nil for any other file.
    func knownTasks(to path: String) throws(Failure) -> Set<String>? {
        guard session.arguments.value("spool") != nil || path.hasPrefix("\(session.spoolPath)/") else { return nil }
        return Set(try TaskCatalog(session, withSchedules: false).names())
    }

    private mutating func job(_ path: String, shown: String, _ context: ReadingContext, tasks: Set<String>?) throws(Failure) {
        count += 1
        guard let (bytes, mode) = read(path, shown) else { return }
        let name = String(path.split(separator: "/").last ?? "")
        guard let format = Source.format(ofFile: name, firstBytes: bytes, isExecutable: mode & 0o111 != 0) else {
            let (message, hint) = Source.refusal(firstBytes: bytes)
            return add(shown, message, hint: hint)
        }
        readJob(Source(format: format, bytes: bytes), shown, context, tasks: tasks)
    }

    // MARK: Reading

    private mutating func read(_ path: String, _ shown: String) -> (bytes: [UInt8], mode: UInt32)? {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
            let status = try file.status()
            guard status.kind == .file else {
                add(shown, "is not a regular file")
                return nil
            }
            guard status.size <= Int64(Source.bytesMax) else {
                add(shown, "is \(status.size) bytes; at most \(Source.bytesMax) are read")
                return nil
            }
            return (try file.readAll(limit: Source.bytesMax), status.mode)
        } catch {
            add(shown, error.message)
            return nil
        }
    }

    @discardableResult
    private mutating func readTask(
        _ source: Source, _ name: String, _ path: String, _ context: ReadingContext, tasks: Set<String>?
    ) -> TaskDefinition? {
        do throws(Problems) {
            let task = try TaskDefinition(name: name, source: source, context)
            try task.checkRun(context)
            warn(path, task.references, among: tasks)
            let table = try source.table()
            warn(path, table.bareNumbers)
            guard case .array(let tables)? = table["schedule"]?.kind else { return task }
            for (schedule, table) in zip(task.schedules, tables) { warn(path, schedule, table) }
            return task
        } catch {
            add(path, error)
            return nil
        }
    }

    private mutating func readSchedule(
        _ source: Source, _ id: String, _ path: String, _ context: ReadingContext
    ) -> (task: String, schedule: ScheduleDefinition)? {
        do throws(Problems) {
            let read = try ScheduleDefinition.file(id: id, source: source, context)
            let table = try source.table()
            warn(path, table.bareNumbers)
            warn(path, read.schedule, Value(.table(table)))
            return read
        } catch {
            add(path, error)
            return nil
        }
    }

    /// - Parameter tasks: the names of all tasks; nil outside a spool, where they are unknown.
    private mutating func readJob(_ source: Source, _ path: String, _ context: ReadingContext, tasks: Set<String>?) {
        do throws(Problems) {
            var table = try source.table()
            warn(path, table.taskReferences, among: tasks)
            warn(path, table.bareNumbers)
            guard let value = table["task"] else {
                _ = try JobDefinition.accept(table, isScript: source.format == .script, context)
                return
            }
            guard case .string(let task) = value.kind else {
                throw Problems(DocumentError(position: value.position, message: "task must be a task's name"))
            }
            if let tasks, !tasks.contains(task) {
                throw Problems(
                    DocumentError(
                        position: value.position, message: "there is no task \"\(task)\"",
                        hint: suggestion(for: task, among: tasks)))
            }
            for key in ["command", "script"] {
                if let other = table[key] {
                    throw Problems(
                        DocumentError(position: other.position, message: "\(key) and task are both given", hint: "keep one of them"))
                }
            }
            // The task provides the command; a placeholder lets the job's other keys be checked.
            table.remove("task")
            table.set("command", Value(.array([Value(.string("true"))]), at: value.position))
            _ = try JobDefinition.accept(table, context)
        } catch {
            add(path, error)
        }
    }

    /// Adds the problem of a valid definition whose `at` has passed. A file outside the spool is judged as one that is added now.
    private mutating func refuseLate(
        _ path: String, _ stem: String, in directory: String, _ isInSpool: Bool, _ context: ReadingContext, ifNew: Problems?
    ) throws(Failure) {
        var late = ifNew
        if late != nil, isInSpool {
            let spool = Spool(try session.openSpool(), host: "")
            late = try attempt { () throws(SystemError) in
                let files = try spool.definitionFiles(in: directory, stem: stem)
                return try spool.late(in: directory, [(stem, files)], context)[stem]
            }
        }
        if let late { addLate(path, late) }
    }

    /// Adds an instant that has passed as a problem, and removes the warning about it.
    private mutating func addLate(_ file: String, _ late: Problems) {
        self.problems.removeAll { one in one.isWarning && one.file == file && late.all.contains { $0.position == one.position } }
        add(file, late)
    }

    // MARK: Problems

    private mutating func warn(_ file: String, _ message: String) {
        problems.append(Problem(file: file, position: nil, message: message, hint: nil, isWarning: true))
    }

    private mutating func add(_ file: String, _ message: String, hint: String? = nil) {
        problems.append(Problem(file: file, position: nil, message: message, hint: hint))
    }

    /// Warns of missing tasks that a definition names. They may exist when they are needed.
    private mutating func warn(_ file: String, _ references: [TaskReference], among tasks: Set<String>?) {
        guard let tasks else { return }
        for reference in references where !tasks.contains(reference.task) {
            let hint = suggestion(for: reference.task, among: tasks)
            problems.append(
                Problem(
                    file: file, position: reference.position, message: "\(reference.key): there is no task \"\(reference.task)\"",
                    hint: hint,
                    isWarning: true))
        }
    }

    /// Adds warnings about valid but surprising values.
    private mutating func warn(_ file: String, _ warnings: [DocumentError]) {
        for one in warnings {
            problems.append(Problem(file: file, position: one.position, message: one.message, hint: one.hint, isWarning: true))
        }
    }

    private mutating func add(_ file: String, _ problems: Problems) {
        for one in problems.all {
            self.problems.append(Problem(file: file, position: one.position, message: one.message, hint: one.hint))
        }
    }

    /// Adds the warnings about a schedule, at the position of the key that says when.
    private mutating func warn(_ file: String, _ schedule: ScheduleDefinition, _ value: Value) {
        guard schedule.enabled, case .table(let table) = value.kind else { return }
        let position = ScheduleDefinition.whenKeys.lazy.compactMap { table[$0]?.position }.first
        for warning in schedule.explanation(at: session.now).warnings {
            problems.append(Problem(file: file, position: position, message: "\(schedule.expression): \(warning)", isWarning: true))
        }
    }

    func report() -> Int32 {
        let output = session.output
        if session.isJSON {
            output.jsonArray(problems) { writer, problem in
                writer.member("file", problem.file)
                writer.member("line", problem.position?.line)
                writer.member("column", problem.position?.column)
                writer.member("message", problem.message)
                writer.member("hint", problem.hint)
                writer.member("severity", problem.isWarning ? "warning" : "error")
            }
        } else if session.isQuiet {
            var shown: Set<String> = []
            for problem in problems where !problem.isWarning && shown.insert(problem.file).inserted { output.line(problem.file) }
        } else {
            for problem in problems {
                let place = problem.position.map { ":\($0)" } ?? ""
                let message = problem.hint.map { "\(problem.message); \($0)" } ?? problem.message
                output.line(Output.oneLine("\(problem.file)\(place): \(problem.isWarning ? "warning: " : "")\(message)"))
            }
            if problems.isEmpty, output.isTerminal { output.line("\(count) files, no problems") }
        }
        return problems.allSatisfy(\.isWarning) ? ExitCode.done : ExitCode.invalid
    }
}

extension Spool {
    /// The problems of valid definitions that are refused because their `at` has passed, by stem.
    fileprivate func late(in directory: String, _ files: Files, _ context: ReadingContext) throws(SystemError) -> [String: Problems] {
        var late: [String: Problems] = [:]
        if directory == Layout.tasks {
            for one in try tasksInForce(files, context).all { late[one.stem] = one.late }
        } else {
            for one in try schedulesInForce(files, context).all { late[one.stem] = one.late }
        }
        return late
    }
}
