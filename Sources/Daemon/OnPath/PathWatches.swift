// Which directories are watched for schedules that wait for files, and what was seen in them.
//
// - A schedule's watches are on all directories in which its pattern can match, on the way there (a directory on it may be
//   moved, removed, or be a link that is changed), and, while that way ends too soon, on the last directory of it.
// - One inotify watch serves all schedules, and all paths, that lead to the same directory.

import Glibc
import Linux
import Scheduler

final class PathWatches {
    /// `TASK/ID` of a schedule.
    typealias User = String

    /// What a watch is for.
    enum Target: Hashable {
        /// A name on the way to a pattern's files, a link itself.
        case way(ExactPath)
        /// The end of a way that does not go far enough yet.
        case end(ExactPath)
        case directory(ExactPath)
    }

    struct Waiter {
        var schedule: ScheduleState
        var glob: PathGlob
        var way: Set<ExactPath> = []
        /// Where its way ends too soon, and the name that it waits for.
        var end: (directory: ExactPath, name: ExactPath)?
        /// Those in which its pattern can match.
        var directories: Set<ExactPath> = []
        /// Something was mounted in place of one of them, or unmounted: a file that is not found is not one that has gone.
        var mayBeHidden = false
    }

    struct Known {
        var fingerprint: UInt64
        var changedNanoseconds: Int64
    }

    final class Watched {
        /// To tell when something else was mounted in its place.
        var identity: DirectoryIdentity?
        /// How far each schedule's pattern has come with it.
        var users: [User: PathGlob.Progress] = [:]
        /// The files in it that a user waits for, as they looked last.
        var files: [ExactPath: Known] = [:]
    }

    /// Nil: there is nothing to watch, or the system has none for us now.
    private(set) var watcher: Watcher?
    /// Waits for an instance's events.
    private let added: (borrowing Inotify) throws(SystemError) -> Void
    private(set) var targets: [Int32: Set<Target>] = [:]
    private var watchOf: [Target: Int32] = [:]
    var directories: [ExactPath: Watched] = [:]
    var waiters: [User: Waiter] = [:]
    var looks = PathLooks()
    /// Schedules whose paths are to be listed.
    var stale: Set<User> = []
    /// What could not be watched or listed in the last look at each schedule's paths.
    var failures: [User: SystemError] = [:]

    init(added: @escaping (borrowing Inotify) throws(SystemError) -> Void) { self.added = added }

    // MARK: Watches

    private static func mask(_ target: Target) -> InotifyMask {
        switch target {
        case .way: [.selfMoved, .selfDeleted, .dontFollow, .addToMask]
        case .end: [.created, .movedTo, .onlyDirectory, .addToMask]
        case .directory:
            [
                .closedAfterWriting, .attributesChanged, .created, .movedTo, .movedFrom, .deleted, .selfMoved, .selfDeleted, .onlyDirectory, .excludeUnlinked,
                .addToMask,
            ]
        }
    }

    /// Watches what the path leads to now. `isLink`: a link there is not followed.
    func watch(_ target: Target, _ path: ExactPath, isLink: Bool = false) throws(SystemError) {
        var mask = Self.mask(target)
        if isLink { mask.insert(.dontFollow) }
        let watch = try instance().inotify.add(path.text, mask)
        if let old = watchOf[target], old != watch { unwatch(target) }
        watchOf[target] = watch
        targets[watch, default: []].insert(target)
    }

    private func instance() throws(SystemError) -> Watcher {
        if let watcher { return watcher }
        let new = try Watcher()
        try added(new.inotify)
        watcher = new
        return new
    }

    func unwatch(_ target: Target) {
        guard let watch = watchOf.removeValue(forKey: target) else { return }
        targets[watch]?.remove(target)
        guard targets[watch]?.isEmpty ?? false else { return }
        targets[watch] = nil
        // What it watched is gone, and the watch with it: then nothing is left to remove.
        try? watcher?.inotify.remove(watch)
    }

    /// The kernel has ended a watch.
    func forget(_ watch: Int32) {
        for target in targets.removeValue(forKey: watch) ?? [] { watchOf[target] = nil }
    }

    // MARK: Schedules

    /// Schedules on whose way the path is.
    func users(onWay path: ExactPath) -> [User] { waiters.filter { $0.value.way.contains(path) }.map(\.key) }

    func users(endingAt directory: ExactPath, for name: ExactPath) -> [User] {
        waiters.filter { $0.value.end.map { $0.directory == directory && $0.name == name } ?? false }.map(\.key)
    }

    /// The schedules that wait for a file at a path.
    func users(takingFile name: ExactPath, in directory: Watched) -> [User] {
        directory.users.filter { waiters[$0.key]?.glob.takes(name.text, from: $0.value) ?? false }.map(\.key)
    }

    /// A schedule's way is another now: watches that nobody has any more end.
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

    /// The schedule's pattern can match in the directory.
    func join(_ path: ExactPath, _ directory: Watched, _ user: User, _ progress: PathGlob.Progress) {
        directory.users[user] = progress
        directories[path] = directory
        waiters[user]?.directories.insert(path)
    }

    /// The schedule has nothing to do with the directory any more.
    func leave(_ path: ExactPath, _ user: User) {
        waiters[user]?.directories.remove(path)
        guard let directory = directories[path], directory.users.removeValue(forKey: user) != nil, directory.users.isEmpty else { return }
        remove(path)
    }

    /// The directory is there no more.
    func remove(_ path: ExactPath) {
        guard let directory = directories.removeValue(forKey: path) else { return }
        for user in directory.users.keys { waiters[user]?.directories.remove(path) }
        unwatch(.directory(path))
    }

    func remove(_ user: User) {
        setWay([], nil, of: user)
        for path in waiters[user]?.directories ?? [] { leave(path, user) }
        waiters[user] = nil
        stale.remove(user)
        failures[user] = nil
    }

    /// What stands in the directory's place now; nil: nothing that can be seen. What was there has not gone when that is for a mount.
    func identify(_ directory: Watched, _ identity: DirectoryIdentity?) {
        if let known = directory.identity, identity.map({ $0.isElsewhere(than: known) }) ?? true {
            for user in directory.users.keys { waiters[user]?.mayBeHidden = true }
        }
        directory.identity = identity
    }
}

/// What stands at a path.
enum PathStatus {
    /// Nil when nothing does.
    static func read(_ path: ExactPath) throws(SystemError) -> FileStatus? {
        do throws(SystemError) { return try FileStatus.read(path.text) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
            throw error
        }
    }
}
