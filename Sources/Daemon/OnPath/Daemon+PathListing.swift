// What a schedule's pattern can reach is watched and listed: when the schedule comes, when the daemon starts, and whenever
// something was not told.

import Glibc
import Linux
import Scheduler

extension Daemon {
    // MARK: Listing

    /// Watches and lists all that a schedule's pattern can reach.
    func list(_ user: PathWatches.User, _ paths: PathWatches, isMissed: Bool) {
        paths.stale.remove(user)
        guard let waiter = paths.waiters[user] else { return }
        paths.failures[user] = nil
        let isFirst = waiter.schedule.wantsFirstFiles
        var listing = Listing(isFirst: isFirst, isMissed: isMissed)
        if findWay(user, waiter.glob, paths) {
            let prefix = ExactPath(waiter.glob.prefix)
            walk(from: prefix, waiter.glob.start, user, paths, &listing)
            // A link that leads nowhere, or a file.
            if !listing.visited.contains(prefix), paths.failures[user] == nil {
                paths.failures[user] = SystemError(call: "open", path: prefix.text, errno: ENOTDIR)
            }
        }
        for path in paths.waiters[user]?.directories ?? [] where !listing.visited.contains(path) { paths.leave(path, user) }
        if isFirst {
            log.write(
                .info, "waits-for-files", at: now,
                ["task": waiter.schedule.task, "schedule": waiter.schedule.id, "on_path": waiter.glob.text, "there": "\(listing.first.count)"])
            scheduler.handle(.firstFiles(task: waiter.schedule.task, schedule: waiter.schedule.id, listing.first), at: now)
        } else if paths.failures[user] == nil, paths.waiters[user]?.mayBeHidden == false, !listing.present.isDisjoint(with: waiter.schedule.seenFiles) {
            // Where there is none at all of them, the file system may not be mounted yet: that says nothing of its files.
            let gone = waiter.schedule.seenFiles.subtracting(listing.present)
            if !gone.isEmpty {
                scheduler.handle(
                    .files(FileReport(task: waiter.schedule.task, schedule: waiter.schedule.id, gone: gone.sorted())), at: now)
            }
        }
        tellOfFailures(paths)
    }

    /// A directory has come in a watched one.
    func enter(_ path: ExactPath, _ progress: PathGlob.Progress, _ user: PathWatches.User, _ paths: PathWatches) {
        // What stands in it has been looked at with the rest, or will be.
        guard let schedule = paths.waiters[user]?.schedule, !schedule.wantsFirstFiles else { return }
        var listing = Listing(isFirst: false, isMissed: false)
        walk(from: path, progress, user, paths, &listing)
        tellOfFailures(paths)
    }

    private struct Listing {
        var isFirst: Bool
        var isMissed: Bool
        var visited: Set<ExactPath> = []
        /// Fingerprints of all files that are meant.
        var present: Set<UInt64> = []
        /// Those of them that count as having been there before.
        var first: [UInt64] = []
    }

    /// Watches what leads to the pattern's directory. False when that is not there.
    private func findWay(_ user: PathWatches.User, _ glob: PathGlob, _ paths: PathWatches) -> Bool {
        var way: Set<ExactPath> = []
        var here = ExactPath("/")
        for name in glob.prefix.split(separator: "/") {
            let next = here.appending(String(name))
            do throws(SystemError) {
                guard try watchStep(to: next, from: here, &way, paths) else {
                    paths.setWay(way, (here, ExactPath(String(name))), of: user)
                    return false
                }
            } catch {
                paths.setWay(way, nil, of: user)
                // A file in the way is watched itself.
                if error.errno != ENOTDIR { paths.failures[user] = error }
                return error.isOutOfWatches
            }
            here = next
        }
        paths.setWay(way, nil, of: user)
        return true
    }

    /// Watches one name on the way. False when it is not there; then its coming is watched for.
    private func watchStep(
        to next: ExactPath, from here: ExactPath, _ way: inout Set<ExactPath>, _ paths: PathWatches
    ) throws(SystemError) -> Bool {
        // Twice, so that it does not come unseen between looking for it and watching for it.
        for isLast in [false, true] {
            do throws(SystemError) {
                try paths.watch(.way(next), next)
                way.insert(next)
                if isLast { paths.unwatchUnused(end: here) }
                return true
            } catch {
                switch error.errno {
                case ENOENT: if !isLast { try paths.watch(.end(here), here) }
                // A directory that may be passed and not be looked at.
                case EACCES: return true
                default: throw error
                }
            }
        }
        return false
    }

    private func walk(
        from start: ExactPath, _ progress: PathGlob.Progress, _ user: PathWatches.User, _ paths: PathWatches, _ listing: inout Listing
    ) {
        guard let glob = paths.waiters[user]?.glob else { return }
        var rest = [(start, progress)]
        while let (path, progress) = rest.popLast() {
            let directory = paths.directories[path] ?? PathWatches.Watched()
            // Links lead to a pattern's directory, not on from there.
            let isLink = path.text != glob.prefix
            do throws(SystemError) {
                do throws(SystemError) { try paths.watch(.directory(path), path, isLink: isLink) } catch {
                    guard !error.isOutOfReach else { throw error }
                    paths.failures[user] = error
                }
                let opened = Directory(owning: try FileDescriptor.open(path.text, O_RDONLY | O_DIRECTORY | (isLink ? O_NOFOLLOW : 0)))
                paths.identify(directory, try opened.identity())
                paths.join(path, directory, user, progress)
                listing.visited.insert(path)
                for entry in try opened.list() {
                    if entry.kind == .directory, let next = glob.enter(entry.name, from: progress) {
                        rest.append((path.appending(entry.name), next))
                    } else if entry.kind == .file, glob.takes(entry.name, from: progress) {
                        // Gone meanwhile: then its removal is told.
                        guard let status = try? opened.status(entry.name), status.kind == .file else { continue }
                        found(ExactPath(entry.name), status, path, directory, user, paths, &listing)
                    }
                }
            } catch {
                // Gone meanwhile, or no directory any more.
                // Those in which nobody lets us look hold nothing that could be told, until their mode changes.
                if ![ENOENT, ENOTDIR, ELOOP].contains(error.errno), !isLink || error.errno != EACCES { paths.failures[user] = error }
            }
        }
    }

    private func found(
        _ name: ExactPath, _ status: FileStatus, _ parent: ExactPath, _ directory: PathWatches.Watched, _ user: PathWatches.User,
        _ paths: PathWatches, _ listing: inout Listing
    ) {
        guard let schedule = paths.waiters[user]?.schedule else { return }
        let path = parent.appending(name.text)
        let fingerprint = Self.fingerprint(path, status)
        listing.present.insert(fingerprint)
        let changed = status.changedNanoseconds / 1_000_000
        if listing.isFirst, let since = schedule.filesSince, changed <= since.milliseconds {
            // Whoever still writes it makes it come.
            if case .written = Self.readiness(path, fingerprint) {
                paths.looks.add(path, after: .writer)
            } else {
                listing.first.append(fingerprint)
            }
            if directory.files[name] == nil {
                directory.files[name] = PathWatches.Known(fingerprint: fingerprint, changedNanoseconds: status.changedNanoseconds)
            }
        } else if !schedule.hasSeen(fingerprint) {
            var reason = PathLooks.Reason()
            reason.isMissed = listing.isMissed
            paths.looks.add(path, reason)
        } else if directory.files[name] == nil {
            directory.files[name] = PathWatches.Known(fingerprint: fingerprint, changedNanoseconds: status.changedNanoseconds)
        }
    }

    // MARK: Trouble

    /// Something was mounted or unmounted: directories may be others now, though nobody moved them.
    func mountsChanged() {
        isSpoolSuspect = true
        guard let paths else { return }
        for (path, directory) in paths.directories {
            let identity = DirectoryIdentity.read(path.text)
            guard identity == nil || identity != directory.identity else { continue }
            paths.identify(directory, identity)
            paths.stale.formUnion(directory.users.keys)
            paths.remove(path)
        }
        let users = Set(paths.directories.values.flatMap(\.users.keys))
        paths.stale.formUnion(paths.waiters.keys.filter { !users.contains($0) })
    }

    /// Says once what cannot be watched, and once that it is over.
    func tellOfFailures(_ paths: PathWatches) {
        if paths.failures.isEmpty {
            if service.problems.removeValue(forKey: Self.pathProblem) != nil {
                service.isPublishDue = true
                log.write(.notice, "paths-watched", at: now)
            }
            return
        }
        if service.problems[Self.pathProblem] == nil { blindListingAt = Clock.monotonicMilliseconds() + Self.blindListingMilliseconds }
        var lines: [String] = []
        for (user, error) in paths.failures.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "\(user) waits for files that cannot be watched: \(error.whyNotWatched); its paths are listed every \(Self.blindListingMilliseconds / 1000) seconds")
        }
        guard service.problems[Self.pathProblem] != lines else { return }
        service.problems[Self.pathProblem] = lines
        service.isPublishDue = true
        for line in lines { log.write(.error, "paths-not-watched", at: now, ["error": line]) }
    }

    private static let pathProblem = "on_path"
}
