import Linux
import Store

/// The difference between a directory of tasks and the spool, checked as a whole before anything is changed.
struct ApplyPlan {
    enum Change: String { case created, updated, unchanged, removed }

    struct Item {
        /// `tasks` or `schedules`.
        let directory: String
        /// The task's name or the schedule's id.
        let stem: String
        let change: Change
        /// The file that the spool is to have; nil when it is removed.
        let new: TaskDirectory.File?
        /// The spool's files of this name; several are an error, which one new file ends.
        let old: [OldFile]

        /// The name in the results: `backup`, `schedules/k3f9ab`.
        var name: String { directory == Layout.tasks ? stem : "\(directory)/\(stem)" }

        /// The unified diff, line by line.
        var diff: [String] {
            let from = old.first
            return UnifiedDiff(
                from.map(\.text), new.map { String(decoding: $0.source.bytes, as: UTF8.self) },
                names: ("\(directory)/\(from?.name ?? "")", new?.path ?? "")
            ).lines
        }
    }

    struct OldFile: Equatable {
        var name: String
        var before: DefinitionChange.Before

        var text: String {
            guard case .text(let bytes) = before else { return "" }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Tasks first, then schedules, each in the order of their names.
    private(set) var items: [Item] = []
    /// The names of tasks that only the spool has, when they are not to be removed.
    private(set) var onlyInSpool: [String] = []
    private let session: Session
    private let directory: TaskDirectory
    private let spool: Spool<DiskFileSystem>

    var differences: [Item] { items.filter { $0.change != .unchanged } }
    func count(_ change: Change) -> Int { items.count { $0.change == change } }

    /// - Parameter prunes: tasks that the directory lacks are removed, with their schedules, and when it has `schedules/` also
    ///   the schedules that this lacks.
    init(_ session: Session, _ directory: TaskDirectory, _ fs: DiskFileSystem, prunes: Bool) throws(Failure) {
        self.session = session
        self.directory = directory
        spool = Spool(fs, host: "")
        var problems = directory.problems
        let tasks = try compare(directory.tasks, in: Layout.tasks)
        let schedules = try compare(directory.schedules, in: Layout.schedules)
        items = tasks.items + schedules.items
        if prunes {
            let lacking = tasks.lacking
            let orphans = try orphans(of: Set(lacking.map(\.stem)))
            items += lacking + schedules.lacking.filter { directory.hasSchedules || orphans.contains($0.stem) }
        } else {
            onlyInSpool = tasks.lacking.map(\.stem)
        }
        problems += try checkTasks()
        problems += try checkSchedules()
        guard problems.isEmpty else { throw Failure(ExitCode.invalid, problems) }
    }

    // MARK: Comparing

    /// The changes that the directory makes to the spool's tasks or schedules, and the items that the directory lacks, as
    /// removed.
    private func compare(_ files: [TaskDirectory.File], in place: String) throws(Failure) -> (items: [Item], lacking: [Item]) {
        var rest = try attempt { () throws(SystemError) in try spool.definitionFiles(in: place) }
        var items: [Item] = []
        for file in files {
            let old = try read(rest.removeValue(forKey: file.stem) ?? [], in: place)
            let isSame = old.count == 1 && old[0].name == file.name && old[0].before == .text(file.source.bytes)
            items.append(
                Item(
                    directory: place, stem: file.stem, change: old.isEmpty ? .created : isSame ? .unchanged : .updated, new: file,
                    old: old))
        }
        var lacking: [Item] = []
        for (stem, names) in rest.sorted(by: { $0.key < $1.key }) {
            // Another file there is nothing that a spool uses, and nothing that the directory could have.
            guard Name.isValid(stem), names.allSatisfy({ $0.hasSuffix(".toml") || $0.hasSuffix(".json") }) else { continue }
            lacking.append(Item(directory: place, stem: stem, change: .removed, new: nil, old: try read(names, in: place)))
        }
        return (items, lacking)
    }

    private func read(_ names: [String], in place: String) throws(Failure) -> [OldFile] {
        try names.sorted().map { (name) throws(Failure) in OldFile(name: name, before: try spool.fs.before("\(place)/\(name)")) }
    }

    /// The ids of the spool's schedule files of these tasks.
    private func orphans(of tasks: Set<String>) throws(Failure) -> Set<String> {
        guard !tasks.isEmpty else { return [] }
        let catalog = try TaskCatalog(session)
        let entries = try catalog.entries(named: tasks.sorted())
        return Set(entries.flatMap { $0.schedules.compactMap(\.file) }.map { Layout.stem(of: $0) })
    }

    // MARK: Checking

    /// The changed files of a place, as the spool would read them.
    private func texts(_ place: String) -> [DefinitionFile] {
        items.filter { $0.directory == place && $0.change != .unchanged }.compactMap(\.new).map { file in
            DefinitionFile(file: file.name, stem: file.stem, source: file.source, changedAt: session.now)
        }
    }

    /// A problem's line, with the file's path in the directory instead of that in the spool.
    private func told(_ line: String, _ place: String) -> String {
        guard line.hasPrefix("\(place)/") else { return line }
        return place == Layout.tasks ? "\(directory.path)/\(line.dropFirst(place.utf8.count + 1))" : "\(directory.path)/\(line)"
    }

    private func checkTasks() throws(Failure) -> [String] {
        let context = try session.context()
        let texts = texts(Layout.tasks)
        let judged = try attempt { () throws(SystemError) in try spool.tasksInForce(as: texts, context) }
        var problems: [String] = []
        for (text, one) in zip(texts, judged) {
            problems += one.problems.map { told($0, Layout.tasks) }
            guard one.problems.isEmpty, let task = one.definition else { continue }
            do throws(Problems) { try task.checkRun(context) } catch {
                problems += error.all.map { "\(directory.path)/\(text.file):\($0)" }
            }
            problems += try missingPrograms(task.schedules).map { "\(directory.path)/\(text.file): \($0)" }
        }
        return problems
    }

    private func checkSchedules() throws(Failure) -> [String] {
        let context = try session.context()
        let texts = texts(Layout.schedules)
        let judged = try attempt { () throws(SystemError) in try spool.schedulesInForce(as: texts, context) }
        let tasks = try namesAfterwards()
        var problems: [String] = []
        for (text, one) in zip(texts, judged) {
            problems += one.problems.map { told($0, Layout.schedules) }
            guard one.problems.isEmpty, let schedule = one.definition else { continue }
            let path = "\(directory.path)/\(Layout.schedules)/\(text.file)"
            if !tasks.contains(schedule.task) {
                problems.append("\(path): there is no task \"\(schedule.task)\"".suggesting(schedule.task, among: tasks))
            }
            problems += try missingPrograms([schedule.schedule]).map { "\(path): \($0)" }
        }
        return problems
    }

    /// The problems of the programs in patterns/ that schedules need.
    private func missingPrograms(_ schedules: [ScheduleDefinition]) throws(Failure) -> [String] {
        var problems: [String] = []
        for key in Set(schedules.compactMap({ $0.recurrence.patternExtension?.key })).sorted() {
            let problem = try attempt { () throws(SystemError) in try spool.problem(ofProgram: key) }
            if let problem { problems.append("\(Layout.patterns)/\(key) \(problem)") }
        }
        return problems
    }

    /// The names of the tasks that the spool has when the plan is carried out.
    private func namesAfterwards() throws(Failure) -> Set<String> {
        let present = try attempt { () throws(SystemError) in try spool.definitionFiles(in: Layout.tasks) }
        let removed = items.filter { $0.directory == Layout.tasks && $0.change == .removed }.map(\.stem)
        return Set(present.keys).subtracting(removed).union(directory.tasks.map(\.stem))
    }

    // MARK: Carrying out

    /// Puts all new files in place and then removes what is to go. Every file is composed before the first one is put in place, so
    /// that a full disk changes nothing; each file is the old or the new one at any instant. After a crash the same call completes
    /// the rest, because it finds what differs then.
    func carryOut() throws(Failure) {
        for item in differences {
            let present = try attempt { () throws(SystemError) in try spool.definitionFiles(in: item.directory, stem: item.stem) }
            guard try read(present, in: item.directory) == item.old else {
                let what = item.old.isEmpty ? "created" : "changed"
                throw Failure(ExitCode.failed, "\(item.name) was \(what) by another program meanwhile; nothing was applied; try again")
            }
        }
        var change = DefinitionChange(spool.fs)
        // A schedule needs its task, so tasks are put in place first and removed last.
        for place in [Layout.tasks, Layout.schedules] {
            for item in differences where item.directory == place {
                guard let new = item.new else { continue }
                let before = item.old.first { $0.name == new.name }?.before ?? .nothing
                try change.add(new.source.bytes, at: "\(place)/\(new.name)", over: before)
            }
        }
        for place in [Layout.schedules, Layout.tasks] {
            for item in differences where item.directory == place {
                for old in item.old where old.name != item.new?.name { change.remove("\(place)/\(old.name)", over: old.before) }
            }
        }
        try change.carryOut()
    }

    // MARK: Remarks

    /// The warnings about the changed files, as `check` prints them.
    func remarks() throws(Failure) -> [String] {
        let context = try session.context()
        let tasks = try namesAfterwards()
        var report = CheckReport()
        for item in differences {
            guard let file = item.new else { continue }
            // A file with a mistake was refused before.
            do throws(Problems) {
                let table = try file.source.table()
                if item.directory == Layout.tasks {
                    let task = try TaskDefinition(name: file.stem, source: file.source, context)
                    report.warn(file.path, task, table, among: tasks, now: session.now)
                } else {
                    let schedule = try ScheduleDefinition.file(id: file.stem, source: file.source, context).schedule
                    report.warn(file.path, schedule, table, now: session.now)
                }
            } catch {
                report.add(file.path, error)
            }
        }
        return report.lines
    }
}
