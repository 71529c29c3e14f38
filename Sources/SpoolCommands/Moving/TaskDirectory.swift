import Glibc
import Linux
import Store

/// A directory of tasks outside the spool, such as a checkout: `NAME.toml` or `NAME.json` for each task, and in `schedules/` the
/// schedules that have files of their own.
///
/// - Unfinished files (``Name/isUnfinished(_:)``) are left out: dot files, `x.toml~`, `x.toml.tmp`.
/// - Files with another ending, `spoold.toml` and other directories are not tasks. `unread` names them.
/// - A symbolic link to a file or directory counts as what it leads to.
/// - A file that another program is writing is a problem, and so is everything that `check` would refuse before it reads the keys.
struct TaskDirectory {
    struct File {
        /// The file's name in its directory, `backup.toml`.
        var name: String
        /// The task's name or the schedule's id.
        var stem: String
        var source: Source
        /// The path, for messages.
        var path: String
    }

    let path: String
    private(set) var tasks: [File] = []
    private(set) var schedules: [File] = []
    private(set) var hasSchedules = false
    /// Lines of `path: problem`.
    private(set) var problems: [String] = []
    private(set) var unread: [String] = []

    init(_ path: String) throws(Failure) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
        tasks = try files(in: path, isTop: true)
        if hasSchedules { schedules = try files(in: "\(path)/\(Layout.schedules)", isTop: false) }
    }

    private mutating func files(in path: String, isTop: Bool) throws(Failure) -> [File] {
        func reading<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(Failure) -> Value {
            do throws(SystemError) { return try body() } catch { throw .invalid("\(path): \(error.message)") }
        }
        let directory = try reading { () throws(SystemError) -> Directory in try Directory.open(path) }
        let entries = try reading { () throws(SystemError) in try directory.list() }.sorted { $0.name < $1.name }
        var files: [File] = []
        for entry in entries where !Name.isUnfinished(entry.name) {
            let shown = "\(path)/\(entry.name)"
            let status: FileStatus
            do throws(SystemError) { status = try directory.status(entry.name, followingLinks: true) } catch {
                problems.append("\(shown): \(error.message)")
                continue
            }
            if status.kind == .directory {
                if isTop, entry.name == Layout.schedules { hasSchedules = true } else { unread.append("\(entry.name)/") }
                continue
            }
            let isDefinition = entry.name.hasSuffix(".toml") || entry.name.hasSuffix(".json")
            guard isDefinition, !isTop || entry.name != "spoold.toml" else {
                unread.append(entry.name)
                continue
            }
            let stem = Layout.stem(of: entry.name)
            guard Name.isValid(stem) else {
                problems.append("\(shown): \"\(stem)\" is not a name: \(Name.form)")
                continue
            }
            if let other = files.first(where: { $0.stem == stem }) {
                problems.append("\(shown): has the same name as \(other.name); one task has one file")
                continue
            }
            guard let bytes = read(entry.name, in: directory, status, shown) else { continue }
            let format: Source.Format = entry.name.hasSuffix(".toml") ? .toml : .json
            files.append(File(name: entry.name, stem: stem, source: Source(format: format, bytes: bytes), path: shown))
        }
        return files
    }

    private mutating func read(_ name: String, in directory: borrowing Directory, _ status: FileStatus, _ shown: String) -> [UInt8]? {
        guard status.kind == .file else {
            problems.append("\(shown): is \(status.kind.article), not a regular file")
            return nil
        }
        guard status.size <= Int64(Source.bytesMax) else {
            problems.append("\(shown): is \(status.size) bytes; at most \(Source.bytesMax) are read")
            return nil
        }
        do throws(SystemError) {
            let file = try directory.openFile(name, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            guard file.excludeWriters() else {
                problems.append("\(shown): another program is writing this file; try again")
                return nil
            }
            return try file.readAll(limit: Source.bytesMax)
        } catch {
            problems.append("\(shown): \(error.message)")
            return nil
        }
    }
}
