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
    static let blindListingMilliseconds: Int64 = 10_000

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
            paths = PathWatches { [unowned self] inotify throws(SystemError) in
                _ = try loop.add(inotify.descriptor.raw) { [unowned self] () throws(SystemError) in try takePathEvents() }
            }
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
        guard let paths, let watcher = paths.watcher else { return }
        var events: [InotifyEvent] = []
        if try watcher.inotify.readEvents(into: &events) {
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
        // Its removal will be told, or something is mounted above it and it has not gone.
        if status == nil, !reason.wasRemoved { return }
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

    static func fingerprint(_ path: ExactPath, _ status: FileStatus) -> UInt64 {
        stableHash("\(path.text)\u{0}\(status.inode)\u{0}\(status.size)\u{0}\(status.modifiedNanoseconds)")
    }

    /// Whether who changes it now may give it the same time again.
    private func isFresh(_ status: FileStatus) -> Bool {
        let time = Clock.now() * 1_000_000
        let tick = PathLooks.Wait.tick.nanoseconds
        return status.modifiedNanoseconds > time - tick && status.modifiedNanoseconds < time + tick
    }

    enum Readiness { case whole, written, another }

    static func readiness(_ path: ExactPath, _ fingerprint: UInt64) -> Readiness {
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
}
