import Crontabs
import Glibc
import Linux
import Store

/// Reads definitions as the daemon would, for `spoolctl check`.
struct DefinitionCheck {
    private let session: Session
    private var report = CheckReport()
    /// The number of files that were read.
    private var count = 0
    /// The directory below which the configuration has crontabs read. Nil when it has none read.
    private var crontabRoot: String?

    /// The number of other users' files that are named: any user may put any number of files there.
    private static let strangersMax = 10

    init(_ session: Session) { self.session = session }

    /// Prints the problems. Returns the exit code.
    func print() -> Int32 { report.print(session, count: count) }

    // MARK: The spool

    mutating func spool() throws(Failure) {
        let fs = try session.openSpool()
        let spool = Spool(fs, host: "")
        let tasks = Set(try attempt { () throws(SystemError) in try spool.taskFiles() }.keys)
        for path in session.configurationPath.map({ [Configuration.defaultsPath(for: $0), $0] }) ?? [] where FileName.isAccessible(path) {
            configuration(path, among: tasks)
        }
        let context = session.contextInAnyCase()
        for directory in [Layout.tasks, Layout.schedules] {
            let files = try attempt { () throws(SystemError) in try spool.definitionFiles(in: directory) }
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
                            report.add(path, "there is no task \"\(read.task)\"", hint: suggestion(for: read.task, among: tasks))
                        }
                        schedules = [read.schedule]
                    }
                    if let late = late[stem] { report.addLate(path, late) }
                    for key in Set(schedules.compactMap { $0.recurrence.patternExtension?.key }).sorted() {
                        do throws(SystemError) {
                            if let problem = try spool.problem(ofProgram: key) { report.add(path, "\(Layout.patterns)/\(key) \(problem)") }
                        } catch {
                            report.add(path, "\(error)")
                        }
                    }
                } catch {
                    // A problem of the file as a whole has no position: `tasks/a.toml: has the same name as a.json`.
                    for line in error.lines {
                        let parts = line.split(separator: ":", maxSplits: 1)
                        report.add(String(parts[0]), parts.count > 1 ? String(parts[1]).trimmed : line)
                    }
                }
            }
        }
        try crontabs(spool)
        let waiting = try attempt { () throws(SystemError) in try fs.list(Layout.new) }
        var strangersCount = 0
        for entry in waiting.sorted(by: { $0.name < $1.name }) where entry.kind != .directory && !Name.isUnfinished(entry.name) {
            let path = "\(Layout.new)/\(entry.name)"
            if let owner = try attempt({ () throws(SystemError) in try fs.foreignOwner(path) }) {
                strangersCount += 1
                if strangersCount <= Self.strangersMax { report.warn(path, "belongs to user \(owner) and is ignored") }
                continue
            }
            try job("\(session.spoolPath)/\(Layout.new)/\(entry.name)", shown: path, context, tasks: tasks)
        }
        let untold = strangersCount - Self.strangersMax
        if untold > 0 { report.warn(Layout.new, "\(untold) more files belong to other users and are ignored") }
    }

    // MARK: Crontabs

    /// Checks the crontabs of the spool: where they are, if the caller is root, otherwise as the daemon has read them.
    private mutating func crontabs(_ spool: Spool<DiskFileSystem>) throws(Failure) {
        let published = try attempt { () throws(SystemError) in try spool.publishedCrontabs() }
        if geteuid() == 0, session.owner == nil {
            for directory in published where directory.isDirectory { add(directory) }
            guard let root = crontabRoot else { return }
            for place in ["etc/crontab", "etc/cron.d", "var/spool/cron/crontabs"] {
                let path = root.hasSuffix("/") ? "\(root)\(place)" : "\(root)/\(place)"
                if FileName.isAccessible(path) { try crontab(path) }
            }
            return
        }
        for crontab in published { add(crontab) }
    }

    /// Adds what the daemon has published about a crontab or a directory of `--tasks`.
    private mutating func add(_ published: PublishedCrontab) {
        count += 1
        for line in published.lines {
            if let fault = line.fault { report.add(told: fault.why) }
            guard line.file == nil, let remark = line.source.flatMap(CrontabTask.remark) else { continue }
            report.warn(published.path, [DocumentError(position: Position(line: line.number, column: 1), message: remark)])
        }
        if let refusal = published.refusal { report.add(told: refusal) }
    }

    /// Checks the lines of a crontab that spoold gets by `--crontab`.
    private mutating func givenCrontab(_ path: String) {
        count += 1
        guard let (bytes, _) = read(path, path, limit: CrontabPlace.bytesMax) else { return }
        tell(givenCrontab(bytes, path), of: path)
    }

    private func givenCrontab(_ bytes: [UInt8], _ path: String) -> LiveCrontab {
        let user = ((try? User.find(id: geteuid())) ?? nil)?.name ?? String(geteuid())  // without an entry: the number
        var reading = reading(owner: user, isRoot: false)
        reading.isOfContainer = true
        return LiveCrontab(bytes, path: path, user: user, reading)
    }

    private func reading(owner: String, isRoot: Bool) -> LiveCrontab.Reading {
        let context = session.contextInAnyCase()
        return LiveCrontab.Reading(
            owner: owner, isRoot: isRoot, catchUp: "none",
            isUser: { ((try? User.find(name: $0)) ?? nil) != nil }  // one that cannot be looked up is no user
        ) { LiveCrontab.Reading.fault(of: $0, context) }
    }

    /// Checks the lines of a crontab.
    private mutating func crontab(_ path: String) throws(Failure) {
        for found in try CrontabFiles(session).found([path]) {
            count += 1
            guard case .bytes(let bytes) = found.content else {
                if case .refused(let why) = found.content { report.add(found.file, why) }
                continue
            }
            let reading = reading(owner: found.user ?? "root", isRoot: found.isSystem)
            tell(LiveCrontab(bytes, path: found.file, user: found.isSystem ? nil : found.user ?? "root", reading), of: found.file)
        }
    }

    private mutating func tell(_ crontab: LiveCrontab, of file: String) {
        if let refusal = crontab.refusal {
            let position = Position(line: refusal.line, column: refusal.column)
            report.add(file, Problems(DocumentError(position: position, message: refusal.message)))
        }
        for fault in crontab.faults {
            let position = Position(line: fault.line, column: fault.column)
            report.add(file, Problems(DocumentError(position: position, message: fault.message)))
        }
        report.warn(
            file, crontab.remarks.map { DocumentError(position: Position(line: $0.line, column: $0.column), message: $0.message) })
    }

    /// True for a path at which cron(8) looks for a crontab.
    private static func isCrontab(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let directory = parts.dropLast().last else { return false }
        return directory == "cron.d" || directory == "crontabs" || parts.suffix(2) == ["etc", "crontab"]
    }

    // MARK: Single files

    mutating func file(_ path: String) throws(Failure) {
        let parts = path.split(separator: "/")
        let name = String(parts.last ?? "")
        let absolute = try absolute(path, "the file")
        let directory = absolute.split(separator: "/").dropLast().last.map(String.init) ?? ""
        if session.arguments.flag("crontab") { return givenCrontab(path) }
        if Self.isCrontab(absolute) { return try crontab(absolute) }
        let own = session.configurationPath
        let isConfiguration = name == "spoold.toml" || path == own || path == own.map { Configuration.defaultsPath(for: $0) }
        if isConfiguration { return configuration(path, among: try knownTasks(to: absolute)) }
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
        do throws(Problems) { table = try source.table() } catch { return report.add(path, error) }
        if session.arguments.flag("task") || directory == Layout.tasks || table["schedule"] != nil {
            if !Name.isValid(stem) { report.add(path, "\"\(stem)\" is not a task's name: \(Name.form)") }
            if let task = readTask(source, stem, path, context, tasks: tasks?.union([stem])) {
                try refuseLate(path, stem, in: Layout.tasks, isInSpool, context, ifNew: task.lateness(since: session.now) { _ in false })
            }
        } else {
            readJob(source, path, context, tasks: tasks)
        }
    }

    private mutating func configuration(_ path: String, among tasks: Set<String>?) {
        count += 1
        guard let (bytes, _) = read(path, path) else { return }
        do throws(Problems) {
            var configuration = try Configuration(bytes, zones: session.zones, now: session.now)
            session.readCalendars(&configuration)
            for problem in configuration.calendars.problems { report.add(path, "calendars.\(problem.name): \(problem.why)") }
            let table = try Source(format: .toml, bytes: bytes).table()
            // The second of two files counts for the keys that it has.
            if table["crontabs"] != nil || table["crontab_root"] != nil {
                crontabRoot = configuration.hasCrontabs || table["crontabs"] == nil ? configuration.crontabRoot : nil
            }
            report.warn(path, table.bareNumbers)
            report.warn(path, table.taskReferences, among: tasks)
        } catch {
            report.add(path, error)
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
            let crontab = givenCrontab(bytes, shown)
            if crontab.lines.contains(where: { if case .task = $0 { true } else { false } }) { return tell(crontab, of: shown) }
            let (message, hint) = Source.refusal(firstBytes: bytes)
            return report.add(shown, message, hint: hint)
        }
        readJob(Source(format: format, bytes: bytes), shown, context, tasks: tasks)
    }

    // MARK: Reading

    private mutating func read(_ path: String, _ shown: String, limit: Int = Source.bytesMax) -> (bytes: [UInt8], mode: UInt32)? {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
            let status = try file.status()
            guard status.kind == .file else {
                report.add(shown, "is not a regular file")
                return nil
            }
            guard status.size <= Int64(limit) else {
                report.add(shown, "is \(status.size) bytes; at most \(limit) are read")
                return nil
            }
            return (try file.readAll(limit: limit), status.mode)
        } catch {
            report.add(shown, error.message)
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
            report.warn(path, task, try source.table(), among: tasks, now: session.now)
            return task
        } catch {
            report.add(path, error)
            return nil
        }
    }

    private mutating func readSchedule(
        _ source: Source, _ id: String, _ path: String, _ context: ReadingContext
    ) -> (task: String, schedule: ScheduleDefinition)? {
        do throws(Problems) {
            let read = try ScheduleDefinition.file(id: id, source: source, context)
            report.warn(path, read.schedule, try source.table(), now: session.now)
            return read
        } catch {
            report.add(path, error)
            return nil
        }
    }

    /// - Parameter tasks: the names of all tasks; nil outside a spool, where they are unknown.
    private mutating func readJob(_ source: Source, _ path: String, _ context: ReadingContext, tasks: Set<String>?) {
        do throws(Problems) {
            var table = try source.table()
            report.warn(path, table.taskReferences, among: tasks)
            report.warn(path, table.bareNumbers)
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
            report.add(path, error)
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
        if let late { report.addLate(path, late) }
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
