import Scheduler
import Store

/// A directory of `--tasks`, as the world has found it.
package struct MountedDirectory: Sendable {
    package struct File: Sendable {
        package enum Content: Sendable {
            case text([UInt8], changedAt: Instant)
            case refused(String)
            /// Somebody has the file open for writing. It is read when it is closed.
            case busy
        }

        /// The file's name in the directory.
        package var name: String
        package var content: Content

        package init(name: String, _ content: Content) { (self.name, self.content) = (name, content) }
    }

    package var path: String
    /// Nil for a directory that cannot be listed, for this reason.
    package var files: [File]
    package var problem: String?

    package init(path: String, files: [File] = [], problem: String? = nil) {
        (self.path, self.files, self.problem) = (path, files, problem)
    }
}

/// Makes a task of each definition in the directories of `--tasks`, which are only read, and publishes which file a task is.
///
/// Invariants:
/// - A task of such a file is defined like the task of a file in tasks/, with the path of its file in its record. The journal decides what
///   is in force.
/// - A file that cannot be used is reported, and the definition that was accepted last stays in force. So do all tasks of a directory that
///   cannot be listed. The task of a file that is gone, or of a directory that is not given any more, is removed.
/// - A name belongs to the file that has it first. Two files of one name in these directories are a mistake of both.
final class MountedTasks<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// The directories as they were found, and not taken up yet. Nil when they are as before.
    private var noticed: [MountedDirectory]?
    private var directories: [MountedDirectory] = []
    /// The paths under which problems were reported.
    private var reported: Set<String> = []
    /// The directories whose published form is not up to date.
    private var unpublished: Set<String> = []

    init(_ service: Service<FS, W>) { self.service = service }

    var hasNoticed: Bool { noticed != nil }

    func noticed(_ directories: [MountedDirectory]) { noticed = directories }

    /// The path of the file whose task has this name.
    func file(of task: String) -> String? { scheduler.tasks[task]?.mounted }

    /// Called when the task of a file in tasks/ was removed. A file that was refused because of its name may count now.
    func isFree(_ name: String) {
        guard directories.contains(where: { $0.files.contains { Layout.stem(of: $0.name) == name } }) else { return }
        noticed = noticed ?? directories
    }

    // MARK: Reading

    /// Takes up what the world has found. Without any, the tasks of the directories of an earlier daemon are removed.
    func begin() throws(SystemError) {
        noticed = noticed ?? []
        takeNoticed()
        let given = Set(directories.map(\.path))
        // Published by an earlier daemon, and not given any more.
        unpublished.formUnion(try spool.publishedDirectories())
        unpublished.formUnion(given)
    }

    func takeNoticed() {
        guard let new = noticed else { return }
        noticed = nil
        directories = new
        var problems: [String: [String]] = [:]
        var files: [String: [(path: String, file: MountedDirectory.File)]] = [:]
        for directory in new {
            if let problem = directory.problem { problems[directory.path] = ["\(directory.path): \(problem)"] }
            for file in directory.files {
                files[Layout.stem(of: file.name), default: []].append(("\(directory.path)/\(file.name)", file))
            }
        }
        // The names of removed files are free for others.
        let unlisted = new.filter { $0.problem != nil }.map { "\($0.path)/" }
        for state in scheduler.tasks.values.filter({ $0.mounted != nil }).sorted(by: { $0.name < $1.name }) {
            guard let path = state.mounted, files[state.name] == nil else { continue }
            if unlisted.contains(where: path.hasPrefix) { keep(state.name) } else { remove(state.name) }
        }
        for (stem, same) in files.sorted(by: { $0.key < $1.key }) {
            guard same.count == 1, let (path, file) = same.first else {
                for (path, _) in same {
                    let other = same.first { $0.path != path }?.path ?? ""
                    problems[path] = ["\(path): has the same name as \(other); only one file may have it, so neither is used"]
                }
                keep(stem)
                continue
            }
            if let problem = take(file, at: path, stem) { problems[path] = problem }
        }
        report(problems)
        unpublished.formUnion(new.map(\.path))
    }

    /// Takes up one file. Returns its problems.
    private func take(_ file: MountedDirectory.File, at path: String, _ stem: String) -> [String]? {
        guard file.name.hasSuffix(".toml") || file.name.hasSuffix(".json") else { return ["\(path): is neither .toml nor .json"] }
        guard Name.isValid(stem) else {
            return ["\(path): is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"]
        }
        let state = scheduler.tasks[stem]
        if let state, state.isDefined, state.mounted == nil {
            let other = state.crontab.map { "a line of \($0)" } ?? "a file in \(Layout.tasks)/"
            return ["\(path): \(other) has this name; rename one of them"]
        }
        switch file.content {
        case .busy:
            keep(stem)
            return nil
        case .refused(let why):
            keep(stem)
            return ["\(path): \(why)"]
        case .text(let bytes, let changedAt):
            let known = state?.recorded
            let source = Source(format: file.name.hasSuffix(".toml") ? .toml : .json, bytes: bytes)
            if let state, state.isDefined, known?.source == source, known?.mounted == path { return nil }
            var context = service.context
            context.now = known?.source == source ? known?.writtenAt ?? context.now : min(changedAt, context.now)
            do throws(Problems) {
                var definition = try TaskDefinition(name: stem, source: source, context)
                definition.mounted = path
                handle(.task(definition, since: min(max(changedAt, scheduler.repairedSince ?? changedAt), now)))
                return nil
            } catch {
                keep(stem)
                return error.all.map { "\(path):\($0)" }
            }
        }
    }

    /// Keeps the definition that was accepted last in force, after a restart that cannot read its file.
    private func keep(_ name: String) {
        if scheduler.tasks[name]?.mounted != nil, scheduler.tasks[name]?.isDefined == false { handle(.taskUnusable(name)) }
    }

    private func remove(_ name: String) {
        handle(.taskRemoved(name))
        // A file in tasks/ that was refused because of the name may count now.
        service.definitions.noticed(task: name)
    }

    private func report(_ problems: [String: [String]]) {
        for path in reported.subtracting(problems.keys).sorted() { service.health.solvedIfReported(path) }
        for (path, lines) in problems.sorted(by: { $0.key < $1.key }) {
            let name = Layout.stem(of: path.split(separator: "/").last.map(String.init) ?? "")
            let isKept = directories.contains { $0.path == path } || scheduler.tasks[name]?.mounted == path
            service.health.report(problem: lines, of: path, inForce: isKept ? "the last definition that was accepted" : "none")
        }
        reported = Set(problems.keys)
    }

    // MARK: Publishing

    /// Publishes the tasks that are in force. Called when the journal contains them.
    func publish() {
        for path in unpublished.sorted() {
            do throws(SystemError) {
                if let directory = directories.first(where: { $0.path == path }) {
                    try spool.publish(published(directory))
                } else {
                    try spool.unpublish(crontab: path)
                }
                unpublished.remove(path)
            } catch {
                // The next turn tries again. The published form only describes what the journal contains.
                logUnreadable(path, error)
            }
        }
    }

    private func published(_ directory: MountedDirectory) -> PublishedCrontab {
        let files = Dictionary(directory.files.map { ("\(directory.path)/\($0.name)", $0) }) { first, _ in first }
        func line(_ path: String, _ task: TaskState?) -> PublishedCrontab.Line {
            let problem = service.health.problems[path]?.joined(separator: "; ")
            var line = PublishedCrontab.Line(
                name: task?.name, number: 0, source: task?.recorded?.source, fault: problem.map { ("", $0) })
            line.file = path
            if case .text(_, let changedAt)? = files[path]?.content { line.changedAt = changedAt }
            return line
        }
        let tasks = scheduler.tasks.values.filter { $0.mounted?.hasPrefix("\(directory.path)/") ?? false }
        let paths = Set(tasks.compactMap(\.mounted))
        let unusable = files.keys.filter { !paths.contains($0) && service.health.hasProblem(of: $0) }
        return PublishedCrontab(
            path: directory.path, isDirectory: true, changedAt: nil, refusal: nil,
            lines: tasks.sorted { $0.name < $1.name }.map { line($0.mounted ?? "", $0) } + unusable.sorted().map { line($0, nil) })
    }
}

extension TaskState {
    /// The path under which problems of the task's definition are reported, which is that of its file without its ending unless the file is
    /// outside of the spool.
    var problemPath: String { mounted ?? "\(Layout.tasks)/\(name)" }
}

extension Service {
    /// The directories of `--tasks` as they are now.
    package func noticed(mounted directories: [MountedDirectory]) { mountedTasks.noticed(directories) }
}
