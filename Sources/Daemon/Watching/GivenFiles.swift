import Crontabs
import Glibc
import Linux
import Scheduler
import Store

/// Reads the definitions in the directories of `--tasks` and the crontab of `--crontab`, watches them, and gives them to the service. It
/// never writes there.
///
/// Invariants:
/// - Symbolic links are followed, and a change of any link or directory on the way is noticed: Kubernetes replaces the content of a volume
///   by renaming the link `..data`.
/// - What is made by somebody whom spoold has no reason to obey is refused, and so is what such a person can replace: see ``GivenTrust``.
/// - Files that change all the time are read twice a second, see ``LookPauses``, and so are all while somebody is writing one.
///   Names of unfinished files cause no look.
final class GivenFiles: FileWatcher, Part {
    /// The number of files in a directory that are read at most. All are read when one has changed.
    private static let filesMax = 10_000
    /// Stands for all files among the paths of pauses.
    private static let everything = "/"

    private let directories: [String]
    private let crontab: String?
    /// The user whose crontab it is: the daemon's own.
    private let user: String
    /// The names on the way to the directories, to the crontab and to the targets of links.
    private var watched = WatchedNames()
    private var watches: Set<Int32> = []
    private var pauses = LookPauses()
    private let files: FileWatches
    private let service: SpoolService
    private let log: Log

    init(_ options: DaemonOptions, user: String, _ files: FileWatches, _ service: SpoolService, _ log: Log) {
        directories = options.taskDirectories
        crontab = options.crontab
        self.user = user
        self.files = files
        self.service = service
        self.log = log
    }

    /// Called once, before the service begins.
    func begin() { lookAnew() }

    // MARK: Events

    func take(_ events: [InotifyEvent]) {
        let isConcerned = events.contains { event in
            watches.contains(event.watch) && !Name.isUnfinished(event.name) || watched.concerns(event)
        }
        if isConcerned { lookAfterPause() }
    }

    private func lookAfterPause() { if pauses.admits(Self.everything, at: .now()) { lookAnew() } }

    /// Looks at what has changed within a pause that is over.
    func beforeTurn() { if !pauses.due(at: .now()).isEmpty { lookAfterPause() } }

    var wakeAt: Wake { Wake(monotonic: pauses.wakeAt) }

    func lookAnew() {
        guard crontab != nil || !directories.isEmpty else { return }
        // The names are watched before the files are read, so that no change is missed between the two.
        watch()
        var trusted: Set<WatchedNames.Name> = []
        service.noticed(mounted: directories.map { read($0, &trusted) })
        if let crontab { service.noticed(crontab: read(crontab: crontab, &trusted)) }
    }

    func mountsChanged() { lookAfterPause() }

    private func watch() {
        var paths = directories + [crontab].compactMap(\.self)
        for directory in directories {
            for name in (try? names(in: directory)) ?? [] {  // reported when the directory is read
                let path = "\(directory)/\(name)"
                if (try? FileStatus.read(path))?.kind == .symbolicLink { paths.append(path) }  // gone: no link
            }
        }
        let ways = paths.map(WatchedNames.way)
        let names = ways.reduce(into: Set()) { $0.formUnion($1.names) }
        let all = ways.reduce(into: names) { $0.formUnion($1.directories) }
        watched.replace(by: all, in: files, for: self) { name, error in
            // A directory on the way may be searched and not be listed. Then it is not watched either.
            if names.contains(name) || error.errno != EACCES { sayUnwatched("\(name.directory)/\(name.name)", error) }
        }
        var new: Set<Int32> = []
        for directory in directories {
            do throws(SystemError) { new.insert(try files.watch(directory, .directoryChanges, for: self)) } catch {
                // When the directory is missing, its name in its parent is one of the names.
                if error.isOutOfReach || files.isForLater(error) { continue }
                sayUnwatched(directory, error)
            }
        }
        for watch in watches.subtracting(new) { files.unwatch(watch, for: self) }
        watches = new
    }

    private func sayUnwatched(_ path: String, _ error: SystemError) {
        log.write(.warning, "not-watched", at: service.now, ["file": path, "error": "\(error)"])
    }

    // MARK: Reading

    /// The names of finished files. Nil when there are too many names.
    private func names(in directory: String) throws(SystemError) -> [String]? {
        let entries = try Directory.open(directory).list(atMost: Self.filesMax + 1)
        return entries.count > Self.filesMax ? nil : entries.map(\.name).filter { !Name.isUnfinished($0) }.sorted()
    }

    private func read(_ directory: String, _ trusted: inout Set<WatchedNames.Name>) -> MountedDirectory {
        do throws(SystemError) {
            if let why = try GivenTrust.objection(toDirectory: directory) ?? GivenTrust.objection(toWayOf: directory, &trusted) {
                return MountedDirectory(path: directory, problem: "its tasks stay as they are: it \(why)")
            }
            guard let names = try names(in: directory) else {
                return MountedDirectory(
                    path: directory, problem: "its tasks stay as they are: it has more than \(Self.filesMax) files; divide them")
            }
            var found: [MountedDirectory.File] = []
            for name in names {
                let content: MountedDirectory.File.Content
                switch open("\(directory)/\(name)", limit: Source.bytesMax, &trusted) {
                case .gone, .other(.directory): continue
                case .other(let kind): content = .refused("is \(kind.article), not a regular file")
                case .busy: content = .busy
                case .refused(let why): content = .refused(why)
                case .text(let bytes, let changedAt): content = .text(bytes, changedAt: changedAt)
                }
                found.append(MountedDirectory.File(name: name, content))
            }
            return MountedDirectory(path: directory, files: found)
        } catch {
            return MountedDirectory(path: directory, problem: "its tasks stay as they are: \(error)")
        }
    }

    private func read(crontab path: String, _ trusted: inout Set<WatchedNames.Name>) -> CrontabFile {
        var file = CrontabFile(path: path, user: user, .unknown)
        file.isGiven = true
        switch open(path, limit: CrontabPlace.bytesMax, &trusted) {
        // A crontab that was given and is missing is a mistake, unlike one of cron's.
        case .gone: file.content = .refused("there is no such file")
        case .other(let kind): file.content = .refused("is \(kind.article), not a regular file")
        case .busy: file.content = .busy
        case .refused(let why): file.content = .refused(why)
        case .text(let bytes, let changedAt): file.content = .text(bytes, changedAt: changedAt)
        }
        return file
    }

    private enum Opened {
        case text([UInt8], changedAt: Instant)
        case refused(String)
        case busy
        case other(FileKind)
        case gone
    }

    private func open(_ path: String, limit: Int, _ trusted: inout Set<WatchedNames.Name>) -> Opened {
        do throws(SystemError) {
            // Opening a device may do something.
            let look = try FileStatus.read(path, followingLinks: true)
            guard look.kind == .file else { return .other(look.kind) }
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
            let status = try file.status()
            guard status.kind == .file else { return .other(status.kind) }
            guard status.size <= Int64(limit) else { return .refused("is \(status.size) bytes; at most \(limit) are read") }
            if let why = GivenTrust.objection(to: status, file) ?? GivenTrust.objection(toWayOf: path, &trusted) {
                return .refused(why)
            }
            guard file.excludeWriters() else {
                pauses.repeatLook(Self.everything, at: .now())
                return .busy
            }
            return .text(try file.readAll(limit: limit), changedAt: Instant(milliseconds: status.modifiedNanoseconds / 1_000_000))
        } catch {
            return error.isMissing ? .gone : .refused("\(error)")
        }
    }
}
