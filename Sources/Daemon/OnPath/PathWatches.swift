import Glibc
import Linux
import Scheduler

/// The directories that are watched for `on_path` schedules, and the files that were seen in them.
///
/// Invariants:
/// - For each schedule, every directory in which its pattern can match is watched. Each name on the way there is watched too, because
///   somebody may move or remove a directory or change a link. While a directory on the way is missing, the one before it is watched.
/// - One inotify watch serves all schedules and all paths that lead to the same directory.
final class PathWatches {
    /// `TASK/ID` of a schedule.
    typealias User = String

    /// The purpose of a watch.
    enum Target: Hashable {
        /// A name on the way to a pattern's directory. A link is watched itself, not its target.
        case way(ExactPath)
        /// The last directory that exists on the way to a pattern's directory.
        case end(ExactPath)
        /// A directory in which a pattern can match.
        case directory(ExactPath)
    }

    struct Waiter {
        var schedule: ScheduleState
        var glob: PathGlob
        var way: Set<ExactPath> = []
        /// The last directory that exists on the way, and the name that is missing in it. Nil when the whole way exists.
        var end: (directory: ExactPath, name: ExactPath)?
        /// The directories in which its pattern can match.
        var directories: Set<ExactPath> = []
        /// True when something was mounted over one of these directories, or unmounted. A file that is not found may then still exist.
        var mayBeHidden = false
    }

    struct Known {
        var fingerprint: UInt64
        var changedNanoseconds: Int64
    }

    final class Watched {
        /// The directory's identity, which changes when something is mounted over it.
        var identity: DirectoryIdentity?
        /// The progress of each schedule's pattern at this directory.
        var users: [User: PathGlob.Progress] = [:]
        /// The files in it that match some schedule's pattern, as they were when they were last examined.
        var files: [ExactPath: Known] = [:]
    }

    /// Made when the first path is to be watched.
    private var watcher: InotifyInstance?
    private(set) var targets: [Int32: Set<Target>] = [:]
    private var watchOf: [Target: Int32] = [:]
    private(set) var directories: [ExactPath: Watched] = [:]
    private(set) var waiters: [User: Waiter] = [:]
    private let loop: EventLoop
    /// Called when inotify has events to read.
    var takeEvents: EventLoop.Handler = {}

    init(_ loop: EventLoop) { self.loop = loop }

    // MARK: Watches

    private static func mask(_ target: Target) -> InotifyMask {
        switch target {
        case .way: [.selfMoved, .selfDeleted, .dontFollow, .addToMask]
        case .end: [.created, .movedTo, .onlyDirectory, .addToMask]
        case .directory: .directoryChanges.union([.excludeUnlinked, .addToMask])
        }
    }

    /// Watches the file or directory to which the path leads now. With `isLink` the last name is not followed if it is a link.
    func watch(_ target: Target, _ path: ExactPath, isLink: Bool = false) throws(SystemError) {
        var mask = Self.mask(target)
        if isLink { mask.insert(.dontFollow) }
        let watch = try instance().inotify.add(path.text, mask)
        if let old = watchOf[target], old != watch { unwatch(target) }
        watchOf[target] = watch
        targets[watch, default: []].insert(target)
    }

    private func instance() throws(SystemError) -> InotifyInstance {
        if let watcher { return watcher }
        let new = try InotifyInstance()
        _ = try loop.add(new.inotify.descriptor.raw) { [unowned self] () throws(SystemError) in try takeEvents() }
        watcher = new
        return new
    }

    /// True when events were lost.
    func readEvents(into events: inout [InotifyEvent]) throws(SystemError) -> Bool {
        try watcher?.inotify.readEvents(into: &events) ?? false
    }

    func unwatch(_ target: Target) {
        guard let watch = watchOf.removeValue(forKey: target) else { return }
        targets[watch]?.remove(target)
        guard targets[watch]?.isEmpty ?? false else { return }
        targets[watch] = nil
        try? watcher?.inotify.remove(watch)  // fails when the directory is gone: the watch has ended with it
    }

    /// Forgets a watch that the kernel has ended.
    func forget(_ watch: Int32) {
        for target in targets.removeValue(forKey: watch) ?? [] { watchOf[target] = nil }
    }

    // MARK: Schedules

    /// Adds a schedule, or replaces its state. The caller lists its paths afterwards.
    func wait(for glob: PathGlob, _ schedule: ScheduleState, _ user: User) {
        if waiters[user] == nil { waiters[user] = Waiter(schedule: schedule, glob: glob) } else { waiters[user]?.schedule = schedule }
    }

    /// The schedules that have this path on the way to their directory.
    func users(onWay path: ExactPath) -> [User] { waiters.filter { $0.value.way.contains(path) }.map(\.key) }

    /// The schedules that wait for this missing name in this directory.
    func users(endingAt directory: ExactPath, for name: ExactPath) -> [User] {
        waiters.filter { $0.value.end.map { $0.directory == directory && $0.name == name } ?? false }.map(\.key)
    }

    /// The schedules whose pattern matches a file of this name in this directory.
    func users(takingFile name: ExactPath, in directory: Watched) -> [User] {
        directory.users.filter { waiters[$0.key]?.glob.takes(name.text, from: $0.value) ?? false }.map(\.key)
    }

    /// Replaces a schedule's way, and ends the watches that no schedule needs any more.
    func setWay(_ way: Set<ExactPath>, _ end: (directory: ExactPath, name: ExactPath)?, of user: User) {
        guard let old = waiters[user] else { return }
        waiters[user]?.way = way
        waiters[user]?.end = end
        for path in old.way where !way.contains(path) && users(onWay: path).isEmpty { unwatch(.way(path)) }
        if let directory = old.end?.directory { unwatchUnused(end: directory) }
    }

    func unwatchUnused(end directory: ExactPath) {
        if !waiters.values.contains(where: { $0.end?.directory == directory }) { unwatch(.end(directory)) }
    }

    /// Notes that the schedule's pattern can match in the directory.
    func join(_ path: ExactPath, _ directory: Watched, _ user: User, _ progress: PathGlob.Progress) {
        directory.users[user] = progress
        directories[path] = directory
        waiters[user]?.directories.insert(path)
    }

    /// Notes that the schedule does not need the directory any more.
    func leave(_ path: ExactPath, _ user: User) {
        waiters[user]?.directories.remove(path)
        guard let directory = directories[path], directory.users.removeValue(forKey: user) != nil, directory.users.isEmpty else { return }
        remove(path)
    }

    /// Forgets a directory that does not exist any more.
    func remove(_ path: ExactPath) {
        guard let directory = directories.removeValue(forKey: path) else { return }
        for user in directory.users.keys { waiters[user]?.directories.remove(path) }
        unwatch(.directory(path))
    }

    func remove(_ user: User) {
        setWay([], nil, of: user)
        for path in waiters[user]?.directories ?? [] { leave(path, user) }
        waiters[user] = nil
    }

    /// Notes the identity of the directory that is at the path now, nil when it cannot be read. When it is another directory, something was
    /// mounted or unmounted, and files that are not found may still exist.
    func identify(_ directory: Watched, _ identity: DirectoryIdentity?) {
        if let known = directory.identity, identity.map({ $0.isElsewhere(than: known) }) ?? true {
            for user in directory.users.keys { waiters[user]?.mayBeHidden = true }
        }
        directory.identity = identity
    }
}
