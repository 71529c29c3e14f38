import Crontabs
import Glibc
import Linux
import Scheduler

/// Watches the crontabs of the machine: the system's, those of packages, and those of users. It gives the crontabs that root's daemon
/// runs to the service, and reports the others to ``UserDaemons``.
///
/// Invariants:
/// - A change is noticed by inotify(7), also in a directory that is made later, and at the target of a symbolic link, and after a mount.
/// - A crontab is gone when the system says that there is none. One that cannot be looked at stays as it was accepted.
/// - A file is opened once, without waiting, and the opened file is checked, see ``OpenedCrontab``.
/// - A change of a file that was read within one tick of the clock for files is noticed too.
/// - A file that somebody is writing is read when it is closed. Until then its earlier text is in force, and it is looked at twice a
///   second: the kernel reports the close before it counts the writer as gone, and reports none when the file was opened by another name.
/// - A file or directory that changes all the time is looked at twice a second, see ``LookPauses``.
/// - The descriptor of a user's crontab goes to the user's daemon without a lease, which would let that daemon hold up writers.
final class CrontabWatch: FileWatcher, Part {
    /// Stands for all crontabs among the paths of pauses.
    private static let everything = "/"

    /// The places. Nil while crontabs are not read.
    private var paths: CrontabPaths?
    private var catchUp = Configuration.CrontabCatchUp.none
    /// The names on the way to the places, and to the targets of links.
    private var watched = WatchedNames()
    /// The watches on the directories, with their paths.
    private var directories: [Int32: String] = [:]
    /// The symbolic links among the crontabs.
    private var links: Set<String> = []
    /// The crontabs that the service knows, with the attributes that they had when they were read. Nil for one that must be read again.
    private var known: [String: OpenedCrontab.Attributes?] = [:]
    /// The users who have a crontab, with the attributes that it had when it was reported. Nil for one that must be reported again.
    private var tabs: [String: FileStatus?] = [:]
    /// The directories whose names could not be read.
    private var unlisted: Set<String> = []
    private var pauses = LookPauses()
    private let files: FileWatches
    private let service: SpoolService
    private let log: Log

    /// Called when a user's crontab has changed, or may count or not count now.
    var onUserChange: (String) -> Void = { _ in }

    init(_ files: FileWatches, _ service: SpoolService, _ log: Log) {
        self.files = files
        self.service = service
        self.log = log
    }

    // MARK: Configuration

    func configure(_ configuration: Configuration) {
        let new = configuration.hasCrontabs ? CrontabPaths(root: configuration.crontabRoot) : nil
        if new == nil { service.noCrontabCounts() }
        guard new != paths || configuration.crontabCatchUp != catchUp else { return }
        if new != paths { forgetAll() }
        paths = new
        catchUp = configuration.crontabCatchUp
        if let paths { markReboot(paths) }
        readAll()
    }

    /// Shares cron's mark, so that a spool that is new does not run the `@reboot` lines that cron has run, and cron does not run them when
    /// it takes over again.
    private func markReboot(_ paths: CrontabPaths) {
        let own = Array("spoold\n".utf8)
        do throws(SystemError) {
            do throws(SystemError) {
                try FileDescriptor.open(paths.rebootMark, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0).write(own)
            } catch {
                guard error.errno == EEXIST else { throw error }
                let mark = try FileDescriptor.open(paths.rebootMark, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                service.scheduler.settings.hasCronRun = try mark.readAll(limit: own.count) != own
            }
        } catch {
            // Where there is no such directory, there is no cron that looks for the mark.
            if error.isMissing { return }
            log.write(.warning, "not-marked", at: service.now, ["file": paths.rebootMark, "error": "\(error)"])
        }
    }

    private func forgetAll() {
        for path in known.keys { service.noticed(crontab: CrontabFile(path: path, .gone)) }
        for watch in directories.keys { files.unwatch(watch, for: self) }
        (known, directories, links) = ([:], [:], [])
        let gone = tabs.keys.sorted()
        tabs = [:]
        for user in gone { onUserChange(user) }
    }

    // MARK: Events

    func take(_ events: [InotifyEvent]) {
        guard let paths else { return }
        var changed: Set<String> = []
        var isEverything = false
        for event in events {
            if watched.concerns(event) { isEverything = true }
            guard let directory = directories[event.watch] else { continue }
            if !event.name.isEmpty {
                changed.insert("\(directory)/\(event.name)")
            } else if event.mask.isDisjoint(with: .attributesChanged) {
                isEverything = true
            }
        }
        let now = MonotonicInstant.now()
        if isEverything {
            if pauses.admits(Self.everything, at: now) { lookAtAll() }
            return
        }
        look(at: changed.sorted().filter { Self.isCrontab($0, paths) && pauses.admits($0, at: now) }, paths)
    }

    private func look(at changed: [String], _ paths: CrontabPaths) {
        guard !changed.isEmpty else { return }
        let before = links
        for path in changed { look(at: path, paths) }
        if links != before { watchNames(paths) }
    }

    /// Looks at what has changed within a pause that is over.
    func beforeTurn() {
        let now = MonotonicInstant.now()
        let changed = pauses.due(at: now)
        guard let paths, !changed.isEmpty else { return }
        for path in changed { _ = pauses.admits(path, at: now) }
        if changed.contains(Self.everything) { lookAtAll() } else { look(at: changed, paths) }
    }

    var wakeAt: Wake { Wake(monotonic: pauses.wakeAt) }

    func lookAnew() { lookAtAll() }
    func mountsChanged() { lookAtAll() }

    /// Reads all crontabs again: their lines may mean something else now.
    private func readAll() {
        for path in known.keys { known[path] = .some(nil) }
        for user in tabs.keys { tabs[user] = .some(nil) }
        lookAtAll()
    }

    /// Reads those crontabs again whose lines name users who have been added or removed. ``UserDaemons`` examines the users of the others.
    func accountsChanged() {
        guard let paths else { return }
        for path in service.crontabsOfOtherUsers() where known[path] != nil {
            known[path] = .some(nil)
            look(at: path, paths)
        }
    }

    // MARK: Looking

    private func lookAtAll() {
        guard let paths else { return watched.replace(by: [], in: files, for: self) { _, _ in } }
        var rounds = 0
        repeat {
            rounds += 1
            let before = links
            // The names are watched before the files are read, so that no change is missed between the two.
            watchNames(paths)
            watchDirectories(paths)
            var all: Set = [paths.system]
            for directory in [paths.packages, paths.users] {
                for name in names(in: directory) { all.insert("\(directory)/\(name)") }
            }
            for path in all.union(known.keys).union(tabs.keys.map { "\(paths.users)/\($0)" }).sorted() { look(at: path, paths) }
            if links == before { return }
        } while rounds < 2
        watchNames(paths)
    }

    private func names(in directory: String) -> [String] {
        do throws(SystemError) {
            let names = try Directory.open(directory).list().map(\.name)
            unlisted.remove(directory)
            return names
        } catch {
            if error.isMissing {
                unlisted.remove(directory)
            } else {
                unlisted.insert(directory)
                service.keepCrontabs(in: directory)
                log.write(.error, "unreadable", at: service.now, ["file": directory, "error": "\(error)"])
            }
            return []
        }
    }

    private func watchNames(_ paths: CrontabPaths) {
        let all = [paths.system, paths.packages, paths.users] + links
        let names = all.map(WatchedNames.names).reduce(into: Set()) { $0.formUnion($1) }
        watched.replace(by: names, in: files, for: self) { [log, service] name, error in
            log.write(.warning, "not-watched", at: service.now, ["file": "\(name.directory)/\(name.name)", "error": "\(error)"])
        }
    }

    private func watchDirectories(_ paths: CrontabPaths) {
        var new: [Int32: String] = [:]
        for directory in [paths.packages, paths.users] {
            do throws(SystemError) { new[try files.watch(directory, .directoryChanges, for: self)] = directory } catch {
                // When the directory is missing, its name in its parent is one of the names.
                if error.isOutOfReach || files.isForLater(error) { continue }
                log.write(.warning, "not-watched", at: service.now, ["file": directory, "error": "\(error)"])
            }
        }
        for watch in directories.keys where new[watch] == nil { files.unwatch(watch, for: self) }
        directories = new
    }

    /// True for a path that cron(8) reads.
    private static func isCrontab(_ path: String, _ paths: CrontabPaths) -> Bool {
        let name = String(path.split(separator: "/").last ?? "")
        if path.hasPrefix("\(paths.users)/") { return CrontabPaths.isUser(name) }
        return path == paths.system || CrontabPaths.isPackage(name)
    }

    /// Looks at one path, and gives it to the service or reports its user if it has changed.
    private func look(at path: String, _ paths: CrontabPaths) {
        let name = String(path.split(separator: "/").last ?? "")
        let isOfUser = path.hasPrefix("\(paths.users)/")
        guard Self.isCrontab(path, paths) else { return }
        let isLink = (try? FileStatus.read(path))?.kind == .symbolicLink  // missing, or reported below
        if isLink { links.insert(path) } else { links.remove(path) }
        if isOfUser, name != "root" { return lookAtUser(name, path) }
        let user = isOfUser ? name : nil
        let place = isOfUser ? CrontabPlace.user(name: name, id: 0) : .system
        var attributes = known[path] ?? nil
        let content = Self.content(path, place, since: &attributes)
        if attributes?.file.isSettled(at: service.now) == false { attributes = nil }
        if case .gone? = content { known[path] = nil } else { known[path] = .some(attributes) }
        if case .busy? = content { pauses.repeatLook(path, at: .now()) }
        if let content { service.noticed(crontab: CrontabFile(path: path, user: user, content)) }
    }

    private func lookAtUser(_ name: String, _ path: String) {
        let status: FileStatus
        do throws(SystemError) { status = try FileStatus.read(path) } catch {
            if !error.isMissing {
                // The user's daemon reports the error.
                tabs[name] = .some(nil)
                onUserChange(name)
            } else if tabs.removeValue(forKey: name) != nil {
                onUserChange(name)
            }
            return
        }
        if let known = tabs[name], known == status { return }
        tabs[name] = .some(status.isSettled(at: service.now) ? status : nil)
        onUserChange(name)
    }

    /// Reads a crontab. Returns nil when it is as it was.
    private static func content(
        _ path: String, _ place: CrontabPlace, since attributes: inout OpenedCrontab.Attributes?
    ) -> CrontabFile.Content? {
        do throws(SystemError) {
            switch try OpenedCrontab.open(path, place, since: &attributes) {
            case .file(let file, let status): return try text(of: file, status)
            case .busy: return .busy
            case .refused(let why): return .refused(why)
            case .gone: return .gone
            case .unchanged: return nil
            }
        } catch {
            return .refused("\(error)")
        }
    }

    static func text(of file: borrowing FileDescriptor, _ status: FileStatus) throws(SystemError) -> CrontabFile.Content {
        .text(try file.readAll(limit: CrontabPlace.bytesMax), changedAt: Instant(milliseconds: status.modifiedNanoseconds / 1_000_000))
    }

    // MARK: Users

    /// The users who have a crontab, without root.
    var users: [String] { Array(tabs.keys) }

    func hasCrontab(of user: String) -> Bool { tabs[user] != nil }

    /// The crontab of a user, to be given to the user's daemon.
    func open(crontabOf user: User) throws(SystemError) -> OpenedCrontab {
        guard let paths, hasCrontab(of: user.name) || unlisted.contains(paths.users) else { return .gone }
        let path = path(of: user.name, paths)
        var attributes: OpenedCrontab.Attributes?
        let opened = try OpenedCrontab.open(path, .user(name: user.name, id: user.id), since: &attributes)
        if opened.isBusy {
            tabs[user.name] = .some(nil)
            pauses.repeatLook(path, at: .now())
        }
        return opened
    }

    func path(of user: String) -> String? { paths.map { path(of: user, $0) } }

    private func path(of user: String, _ paths: CrontabPaths) -> String { "\(paths.users)/\(user)" }
}

extension FileStatus {
    /// True when each later change of the file gives it other attributes.
    fileprivate func isSettled(at now: Instant) -> Bool { ContentStamp.settles(changedNanoseconds: changedNanoseconds) < now }
}
