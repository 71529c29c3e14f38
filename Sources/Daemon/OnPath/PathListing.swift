import Glibc
import Linux
import Scheduler

/// One listing of all directories and files that a schedule's pattern can match. It is made when the schedule is new, when the daemon
/// starts, and whenever events may have been lost. It watches each directory before it lists it, and collects the paths to examine.
struct PathListing {
    /// True for the first listing of a schedule: files that are older than the schedule are noted, and do not start it.
    let isFirst: Bool
    /// True when the files that the listing finds arrived while no daemon watched.
    let isMissed: Bool
    private let user: PathWatches.User
    private let watches: PathWatches

    /// The directories that could be listed.
    private(set) var visited: Set<ExactPath> = []
    /// Fingerprints of all files that match.
    private(set) var present: Set<UInt64> = []
    /// Fingerprints of the files that are older than the schedule.
    private(set) var first: [UInt64] = []
    private(set) var looks: [(path: ExactPath, reason: PathLooks.Reason, wait: PathLooks.Wait)] = []
    /// The error of the last directory that could not be watched or listed.
    private(set) var failure: SystemError?

    init(_ user: PathWatches.User, _ watches: PathWatches, isFirst: Bool, isMissed: Bool) {
        self.user = user
        self.watches = watches
        self.isFirst = isFirst
        self.isMissed = isMissed
    }

    /// Lists everything from the pattern's directory on, and watches the way to that directory.
    mutating func listAll() {
        guard let glob = watches.waiters[user]?.glob, findWay(glob) else { return }
        let prefix = ExactPath(glob.prefix)
        list(from: prefix, glob.start)
        // The pattern's directory is a broken link or a file.
        if !visited.contains(prefix), failure == nil { failure = SystemError(call: "open", path: prefix.text, errno: ENOTDIR) }
    }

    /// Lists one directory, and those below it that can match. `progress` is the pattern's progress at this directory.
    mutating func list(from start: ExactPath, _ progress: PathGlob.Progress) {
        guard let glob = watches.waiters[user]?.glob else { return }
        var rest = [(start, progress)]
        while let (path, progress) = rest.popLast() {
            let directory = watches.directories[path] ?? PathWatches.Watched()
            // The way to a pattern's directory may lead over links. Below it, links are not followed.
            let isLink = path.text != glob.prefix
            do throws(SystemError) {
                do throws(SystemError) { try watches.watch(.directory(path), path, isLink: isLink) } catch {
                    guard !error.isOutOfReach else { throw error }
                    failure = error
                }
                let opened = Directory(owning: try FileDescriptor.open(path.text, O_RDONLY | O_DIRECTORY | (isLink ? O_NOFOLLOW : 0)))
                watches.identify(directory, try opened.identity())
                watches.join(path, directory, user, progress)
                visited.insert(path)
                for entry in try opened.list() {
                    if entry.kind == .directory, let next = glob.enter(entry.name, from: progress) {
                        rest.append((path.appending(entry.name), next))
                    } else if entry.kind == .file, glob.takes(entry.name, from: progress) {
                        guard let status = try? opened.status(entry.name), status.kind == .file else { continue }  // an event follows
                        found(ExactPath(entry.name), status, path, directory)
                    }
                }
            } catch {
                // The directory was removed meanwhile, or replaced by a link.
                if error.isMissing || error.errno == ELOOP { continue }
                // We cannot see into unreadable directories until their mode changes.
                if isLink, error.errno == EACCES { continue }
                failure = error
            }
        }
    }

    private mutating func found(
        _ name: ExactPath, _ status: FileStatus, _ parent: ExactPath, _ directory: PathWatches.Watched
    ) {
        guard let schedule = watches.waiters[user]?.schedule else { return }
        let path = parent.appending(name.text)
        let fingerprint = PathStatus.fingerprint(path, status)
        present.insert(fingerprint)
        let changed = status.changedNanoseconds / 1_000_000
        if isFirst, let since = schedule.filesSince, changed <= since.milliseconds {
            // A file that is still being written arrives when its writer closes it.
            if case .written = PathStatus.readiness(path, fingerprint) {
                looks.append((path, PathLooks.Reason(), .writer))
            } else {
                first.append(fingerprint)
            }
        } else if !schedule.hasSeen(fingerprint) {
            var reason = PathLooks.Reason()
            reason.isMissed = isMissed
            looks.append((path, reason, .none))
            return
        }
        if directory.files[name] == nil {
            directory.files[name] = PathWatches.Known(fingerprint: fingerprint, changedNanoseconds: status.changedNanoseconds)
        }
    }

    // MARK: The way there

    /// Watches each directory on the way to the pattern's directory. Returns false when one of them is missing or cannot be reached.
    private mutating func findWay(_ glob: PathGlob) -> Bool {
        var way: Set<ExactPath> = []
        var here = ExactPath("/")
        for name in glob.prefix.split(separator: "/") {
            let next = here.appending(String(name))
            do throws(SystemError) {
                guard try watchStep(to: next, from: here, &way) else {
                    watches.setWay(way, (here, ExactPath(String(name))), of: user)
                    return false
                }
            } catch {
                watches.setWay(way, nil, of: user)
                // A file is in the place of a directory. It is watched, so its removal is an event.
                if error.errno != ENOTDIR { failure = error }
                return error.isOutOfWatches
            }
            here = next
        }
        watches.setWay(way, nil, of: user)
        return true
    }

    /// Watches one name on the way. When the name is missing, watches its directory instead and returns false.
    private func watchStep(to next: ExactPath, from here: ExactPath, _ way: inout Set<ExactPath>) throws(SystemError) -> Bool {
        // The name may be created just before its directory is watched. So it is tried once more after that.
        for isLast in [false, true] {
            do throws(SystemError) {
                try watches.watch(.way(next), next)
                way.insert(next)
                if isLast { watches.unwatchUnused(end: here) }
                return true
            } catch {
                switch error.errno {
                case ENOENT: if !isLast { try watches.watch(.end(here), here) }
                // This process may enter the directory and not read it, so it cannot be watched.
                case EACCES: return true
                default: throw error
                }
            }
        }
        return false
    }
}
