// Schedules that wait for files: events of their directories become looks at paths, and looks become reports to the scheduler.
//
// What holds:
// - A directory is watched before it is listed, so a file is seen by one or the other.
// - A file counts when nobody has it open for writing any more, and when its time of change is over, so that whoever changes
//   it once more gives it another one: then its fingerprint tells.
// - Whatever is lost (events, the daemon itself) costs a listing, not a file: what the scheduler has not seen has come.

import Glibc
import Linux
import Scheduler

extension Daemon {
    /// How many paths are looked at in a turn.
    private static let looksPerTurn = 256
    /// How often paths that cannot be watched are listed.
    static let blindListingMilliseconds: Int64 = 60_000

    /// How often a file that somebody writes is looked at before that is done but seldom: its closing is told, as a rule.
    private static let writerLooksMax = 20

    /// What is to be told of a schedule's files.
    private typealias Reports = [PathWatches.User: FileReport]

    /// Looks at what is to be looked at now. `isStart`: what is found came while no daemon looked.
    func lookAtPaths(isStart: Bool = false) throws(SystemError) {
        if pathSchedulesVersion != scheduler.fileSchedulesVersion { try takePathSchedules() }
        guard let paths else { return }
        if !paths.failures.isEmpty, Clock.monotonicMilliseconds() >= blindListingAt {
            blindListingAt = Clock.monotonicMilliseconds() + Self.blindListingMilliseconds
            paths.stale.formUnion(paths.failures.keys)
        }
        for user in paths.stale.sorted() { list(user, paths, isMissed: isStart) }
        let time = Clock.monotonicNanoseconds()
        var reports: Reports = [:]
        var count = 0
        while count < Self.looksPerTurn, let (path, reason) = paths.looks.next(at: time) {
            count += 1
            look(at: path, reason, paths, &reports)
        }
        tell(reports)
    }

    private func tell(_ reports: Reports) {
        for (_, report) in reports.sorted(by: { $0.key < $1.key }) { scheduler.handle(.files(report), at: now) }
    }

    /// How long until there is something to look at; nil: nothing is planned.
    var millisecondsUntilPathLook: Int64? {
        guard let paths else { return nil }
        var wait = paths.looks.nextTime().map { max(0, ($0 - Clock.monotonicNanoseconds() + 999_999) / 1_000_000) }
        if !paths.failures.isEmpty {
            let blind = max(0, blindListingAt - Clock.monotonicMilliseconds())
            wait = min(wait ?? blind, blind)
        }
        return wait
    }

    // MARK: Schedules

    private func takePathSchedules() throws(SystemError) {
        pathSchedulesVersion = scheduler.fileSchedulesVersion
        let schedules = scheduler.takeFileSchedules()
        if paths == nil {
            guard !schedules.isEmpty else { return }
            let new = try PathWatches()
            try poll.add(new.inotify.descriptor.raw, token: Token.paths)
            // A /proc that cannot be waited for: mounts are not noticed then.
            if let mounts = new.mounts { try? poll.add(mounts, .priority, token: Token.mounts) }
            paths = new
        }
        guard let paths else { return }
        var users: Set<PathWatches.User> = []
        for (schedule, isNew) in schedules {
            guard let glob = schedule.definition?.onPath?.glob else { continue }
            let user = "\(schedule.task)/\(schedule.id)"
            users.insert(user)
            if let known = paths.waiters[user], known.schedule === schedule, known.glob.text == glob.text, !isNew { continue }
            if paths.waiters[user] != nil, paths.waiters[user]?.glob.text != glob.text { paths.remove(user) }
            var waiter = paths.waiters[user] ?? PathWatches.Waiter(schedule: schedule, glob: glob)
            waiter.schedule = schedule
            paths.waiters[user] = waiter
            paths.stale.insert(user)
        }
        for user in paths.waiters.keys where !users.contains(user) { paths.remove(user) }
        tellOfFailures(paths)
    }

    // MARK: Events

    func takePathEvents() throws(SystemError) {
        guard let paths else { return }
        var events: [InotifyEvent] = []
        if try paths.inotify.readEvents(into: &events) {
            log.write(.warning, "events-lost", at: now, ["effect": "all paths of schedules are listed"])
            paths.stale.formUnion(paths.waiters.keys)
        }
        var reports: Reports = [:]
        for event in events {
            for target in paths.targets[event.watch] ?? [] {
                switch target {
                case .way(let path):
                    if !event.mask.isDisjoint(with: [.selfMoved, .selfDeleted, .unmounted]) { paths.stale.formUnion(paths.users(onWay: path)) }
                case .end(let path):
                    paths.stale.formUnion(paths.users(endingAt: path, for: ExactPath(event.name)))
                case .directory(let path): take(event, in: path, paths, &reports)
                }
            }
            if event.mask.contains(.ignored) { paths.forget(event.watch) }
        }
        tell(reports)
    }

    private func take(_ event: InotifyEvent, in path: ExactPath, _ paths: PathWatches, _ reports: inout Reports) {
        guard let directory = paths.directories[path] else { return }
        if !event.mask.isDisjoint(with: [.selfMoved, .selfDeleted, .unmounted]) {
            // One below another is told of by that one too, by its name.
            let isUnmounted = event.mask.contains(.unmounted)
            paths.stale.formUnion(directory.users.keys.filter { isUnmounted || paths.waiters[$0]?.glob.prefix == path.text })
            return
        }
        guard !event.name.isEmpty else { return }
        let child = path.appending(event.name)
        if event.mask.contains(.isDirectory) {
            // What could not be looked into may be open now.
            if event.mask.contains(.attributesChanged), paths.directories[child] != nil { return }
            if event.mask.isDisjoint(with: [.created, .attributesChanged]) { removeTree(child, isEmpty: event.mask.contains(.deleted), paths, &reports) }
            guard event.mask.isDisjoint(with: [.deleted, .movedFrom]) else { return }
            for (user, progress) in directory.users {
                guard let next = paths.waiters[user]?.glob.enter(event.name, from: progress) else { continue }
                enter(child, next, user, paths)
            }
            return
        }
        guard !event.mask.contains(.attributesChanged), !paths.users(takingFile: ExactPath(event.name), in: directory).isEmpty else { return }
        var reason = PathLooks.Reason()
        reason.isEvent = true
        reason.wasRemoved = !event.mask.isDisjoint(with: [.deleted, .movedFrom])
        // What was created is written and closed, which is told; what was linked in may be closed already.
        var isNew = false
        if event.mask.contains(.created) {
            // Not to be looked at now: its look will tell.
            let status = try? PathStatus.read(child)
            isNew = (status?.links ?? 1) <= 1
        }
        paths.looks.add(child, reason, after: isNew ? .writer : .none)
    }

    /// A directory was moved away or removed. `isEmpty`: nothing was left in it.
    private func removeTree(_ path: ExactPath, isEmpty: Bool, _ paths: PathWatches, _ reports: inout Reports) {
        var removed = [path]
        if !isEmpty { removed += paths.directories.keys.filter { $0.lies(below: path) } }
        for path in removed {
            guard let directory = paths.directories[path] else { continue }
            for (name, known) in directory.files {
                for user in paths.users(takingFile: name, in: directory) { gone(known.fingerprint, user, paths, &reports) }
            }
            paths.remove(path)
        }
    }

    private func gone(_ fingerprint: UInt64, _ user: PathWatches.User, _ paths: PathWatches, _ reports: inout Reports) {
        guard let schedule = paths.waiters[user]?.schedule else { return }
        reports[user, default: FileReport(task: schedule.task, schedule: schedule.id)].gone.append(fingerprint)
    }

    // MARK: One path

    private func look(at path: ExactPath, _ reason: PathLooks.Reason, _ paths: PathWatches, _ reports: inout Reports) {
        let (parent, name) = path.split
        guard let directory = paths.directories[parent] else { return }
        let users = paths.users(takingFile: name, in: directory)
        guard !users.isEmpty else { return }
        let known = directory.files[name]
        let status: FileStatus?
        do throws(SystemError) { status = try PathStatus.read(path) } catch {
            log.write(.warning, "unreadable", at: now, ["file": path.text, "error": "\(error)"])
            return
        }
        guard let status, status.kind == .file else {
            directory.files[name] = nil
            if let known { for user in users { gone(known.fingerprint, user, paths, &reports) } }
            return
        }
        var reason = reason
        let fingerprint = Self.fingerprint(path, status)
        if let known {
            if known.fingerprint != fingerprint {
                for user in users { gone(known.fingerprint, user, paths, &reports) }
            } else if reason.wasRemoved, known.changedNanoseconds != status.changedNanoseconds {
                reason.isReplaced = true
            }
        } else if reason.isEvent {
            reason.isReplaced = true
        }
        reason.wasRemoved = false
        directory.files[name] = PathWatches.Known(fingerprint: fingerprint, changedNanoseconds: status.changedNanoseconds)
        let waiting = users.filter { user in
            guard let schedule = paths.waiters[user]?.schedule, !schedule.wantsFirstFiles else { return false }
            return reason.isReplaced || !schedule.hasSeen(fingerprint)
        }
        guard !waiting.isEmpty else { return }
        if reason.settled != fingerprint, isFresh(status) {
            reason.settled = fingerprint
            paths.looks.add(path, reason, after: .tick)
            return
        }
        switch Self.readiness(path, fingerprint) {
        case .whole: break
        case .written:
            reason.writerLooks += 1
            return paths.looks.add(path, reason, after: reason.writerLooks < Self.writerLooksMax ? .writer : .longWriter)
        case .another: return paths.looks.add(path, reason)
        }
        let came = Instant(milliseconds: status.changedNanoseconds / 1_000_000)
        for user in waiting {
            guard let schedule = paths.waiters[user]?.schedule else { continue }
            if reason.isReplaced, schedule.hasSeen(fingerprint) { gone(fingerprint, user, paths, &reports) }
            var report = reports[user] ?? FileReport(task: schedule.task, schedule: schedule.id)
            if report.came.isEmpty { report.isMissed = reason.isMissed } else if report.isMissed != reason.isMissed {
                // Each in a report of its own.
                scheduler.handle(.files(report), at: now)
                report = FileReport(task: schedule.task, schedule: schedule.id, isMissed: reason.isMissed)
            }
            report.came.append(ArrivedFile(path: path.text, fingerprint: fingerprint, changedAt: came))
            reports[user] = report
        }
    }

    private static func fingerprint(_ path: ExactPath, _ status: FileStatus) -> UInt64 {
        stableHash("\(path.text)\u{0}\(status.inode)\u{0}\(status.size)\u{0}\(status.modifiedNanoseconds)")
    }

    /// Whether who changes it now may give it the same time again.
    private func isFresh(_ status: FileStatus) -> Bool {
        let time = Clock.now() * 1_000_000
        let tick = PathLooks.Wait.tick.nanoseconds
        return status.modifiedNanoseconds > time - tick && status.modifiedNanoseconds < time + tick
    }

    private enum Readiness { case whole, written, another }

    private static func readiness(_ path: ExactPath, _ fingerprint: UInt64) -> Readiness {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
            if !file.excludeWriters() { return .written }
            let status = try file.status()
            return status.kind == .file && Self.fingerprint(path, status) == fingerprint ? .whole : .another
        } catch {
            switch error.errno {
            case ENOENT, ENOTDIR, ELOOP: return .another
            case EAGAIN, EMFILE, ENFILE, ENOMEM, EINTR: return .written
            // Not ours to read: whether somebody writes it cannot be told.
            default: return .whole
            }
        }
    }

    // MARK: Listing

    /// Watches and lists all that a schedule's pattern can reach.
    private func list(_ user: PathWatches.User, _ paths: PathWatches, isMissed: Bool) {
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
        } else if !listing.present.isEmpty, paths.failures[user] == nil {
            // Where there is nothing at all, the file system may not be mounted: that says nothing of its files.
            let gone = waiter.schedule.seenFiles.subtracting(listing.present)
            if !gone.isEmpty {
                scheduler.handle(
                    .files(FileReport(task: waiter.schedule.task, schedule: waiter.schedule.id, gone: gone.sorted())), at: now)
            }
        }
        tellOfFailures(paths)
    }

    /// A directory has come in a watched one.
    private func enter(_ path: ExactPath, _ progress: PathGlob.Progress, _ user: PathWatches.User, _ paths: PathWatches) {
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
                return error.errno == ENOSPC || error.errno == ENOMEM
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
                    guard ![ENOENT, ENOTDIR, EACCES].contains(error.errno) else { throw error }
                    paths.failures[user] = error
                }
                let opened = Directory(owning: try FileDescriptor.open(path.text, O_RDONLY | O_DIRECTORY | (isLink ? O_NOFOLLOW : 0)))
                let own = try opened.descriptor.status()
                directory.identity = (own.device, own.inode)
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
        guard let paths else { return }
        for path in paths.replacedDirectories() {
            if let directory = paths.directories[path] { paths.stale.formUnion(directory.users.keys) }
            paths.remove(path)
        }
        let users = Set(paths.directories.values.flatMap(\.users.keys))
        paths.stale.formUnion(paths.waiters.keys.filter { !users.contains($0) })
    }

    /// Says once what cannot be watched, and once that it is over.
    private func tellOfFailures(_ paths: PathWatches) {
        if paths.failures.isEmpty {
            if problems.removeValue(forKey: Self.pathProblem) != nil {
                isPublishDue = true
                log.write(.notice, "paths-watched", at: now)
            }
            return
        }
        if problems[Self.pathProblem] == nil { blindListingAt = Clock.monotonicMilliseconds() + Self.blindListingMilliseconds }
        var lines: [String] = []
        for (user, error) in paths.failures.sorted(by: { $0.key < $1.key }) {
            let why = error.errno == ENOSPC && error.call == "inotify_add_watch"
                ? "there are no more watches: sysctl fs.inotify.max_user_watches is too low" : "\(error)"
            lines.append("\(user) waits for files that cannot be watched: \(why); its paths are listed once a minute")
        }
        guard problems[Self.pathProblem] != lines else { return }
        problems[Self.pathProblem] = lines
        isPublishDue = true
        for line in lines { log.write(.error, "paths-not-watched", at: now, ["error": line]) }
    }

    private static let pathProblem = "on_path"
}
