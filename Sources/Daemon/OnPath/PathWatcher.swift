import Glibc
import Linux
import Scheduler

/// Watches for the files of `on_path` schedules. An event of a directory makes it examine a path, and the result is reported to the
/// scheduler.
///
/// Invariants:
/// - A directory is watched before it is listed, so no new file is missed between the two.
/// - A file is reported when nobody has it open for writing any more and the clock has passed its time of modification. A later change
///   therefore gives it another time, and so another fingerprint.
/// - After a loss of events, and after a time without a daemon, a listing follows. It reports the files that the scheduler has not seen.
final class PathWatcher: Part {
    /// The number of paths that are examined in one turn.
    private static let looksPerTurn = 256
    /// The interval at which paths that cannot be watched are listed.
    private static let blindListingMilliseconds: Int64 = 10_000
    /// The number of checks of a file that somebody has open for writing, before the checks become rare. Usually an event reports
    /// the close.
    private static let writerLooksMax = 20
    /// The name of the problem in `state/status.json`.
    private static let problem = "on_path"

    private typealias User = PathWatches.User
    /// Reports that are being gathered for the scheduler, by schedule.
    private typealias Reports = [User: FileReport]

    private let watches: PathWatches
    private var looks = PathLooks()
    /// The schedules whose paths are to be listed.
    private var stale: Set<User> = []
    /// The error of the last listing, for each schedule whose paths could not be watched or listed.
    private var failures: [User: SystemError] = [:]
    /// The scheduler's count of changes of its `on_path` schedules, when they were last taken from it.
    private var schedulesVersion = 0
    /// The next time at which paths that cannot be watched are listed.
    private var blindListingAt = MonotonicInstant(nanoseconds: 0)

    private let service: SpoolService
    private let log: Log

    init(_ loop: EventLoop, _ service: SpoolService, _ log: Log) {
        self.service = service
        self.log = log
        watches = PathWatches(loop)
        watches.takeEvents = { [unowned self] () throws(SystemError) in try takeEvents() }
    }

    private var scheduler: Scheduler { service.scheduler }
    private var now: Instant { service.now }

    /// True when no schedule waits for files.
    var isIdle: Bool { watches.waiters.isEmpty && schedulesVersion == scheduler.fileSchedulesVersion }

    /// Takes up new schedules, lists directories in which changes may have been missed, and examines the paths that are due. `isStart` is
    /// true when the daemon starts: the files that it finds arrived while no daemon watched.
    func look(isStart: Bool = false) {
        if schedulesVersion != scheduler.fileSchedulesVersion { takeSchedules() }
        guard !watches.waiters.isEmpty else { return }
        if !failures.isEmpty, .now() >= blindListingAt {
            blindListingAt = .now().advanced(byMilliseconds: Self.blindListingMilliseconds)
            stale.formUnion(failures.keys)
        }
        let listed = stale.sorted()
        let isAnyFirst = listed.contains { watches.waiters[$0]?.schedule.wantsFirstFiles ?? false }
        for user in listed { list(user, isMissed: isStart) }
        // The scheduler must know the first files of a schedule before other files are reported. The next turn examines those.
        if isAnyFirst { return }
        let time = MonotonicInstant.now()
        var reports: Reports = [:]
        var count = 0
        while count < Self.looksPerTurn, let (path, reason) = looks.next(at: time) {
            count += 1
            look(at: path, reason, &reports)
        }
        send(reports)
    }

    private func send(_ reports: Reports) {
        for (_, report) in reports.sorted(by: { $0.key < $1.key }) { service.submit(.files(report)) }
    }

    var wakeAt: Wake {
        var wake = Wake(monotonic: looks.nextTime())
        if !failures.isEmpty { wake.include(Wake(monotonic: blindListingAt)) }
        return wake
    }

    // MARK: Schedules

    private func takeSchedules() {
        schedulesVersion = scheduler.fileSchedulesVersion
        let schedules = scheduler.takeFileSchedules()
        var users: Set<User> = []
        for (schedule, isNew) in schedules {
            guard let glob = schedule.definition?.onPath?.glob else { continue }
            let user = "\(schedule.task)/\(schedule.id)"
            users.insert(user)
            let known = watches.waiters[user]
            if let known, known.schedule === schedule, known.glob.text == glob.text, !isNew { continue }
            if let known, known.glob.text != glob.text { remove(user) }
            watches.wait(for: glob, schedule, user)
            stale.insert(user)
        }
        for user in watches.waiters.keys where !users.contains(user) { remove(user) }
        reportFailures()
    }

    private func remove(_ user: User) {
        watches.remove(user)
        stale.remove(user)
        failures[user] = nil
    }

    // MARK: Listing

    /// Watches and lists everything that a schedule's pattern can match.
    private func list(_ user: User, isMissed: Bool) {
        stale.remove(user)
        guard let waiter = watches.waiters[user] else { return }
        let schedule = waiter.schedule
        var listing = PathListing(user, watches, isFirst: schedule.wantsFirstFiles, isMissed: isMissed)
        listing.listAll()
        failures[user] = nil
        take(listing, of: user)
        for path in watches.waiters[user]?.directories ?? [] where !listing.visited.contains(path) { watches.leave(path, user) }
        if listing.isFirst {
            log.write(
                .info, "waits-for-files", at: now,
                ["task": schedule.task, "schedule": schedule.id, "on_path": waiter.glob.text, "there": "\(listing.first.count)"])
            service.submit(.firstFiles(task: schedule.task, schedule: schedule.id, listing.first))
        } else if listing.failure == nil, watches.waiters[user]?.mayBeHidden == false,
            !listing.present.isDisjoint(with: schedule.seenFiles)
        {
            // When none of the files exists, their file system may not be mounted. So files count as gone only when another is present.
            let gone = schedule.seenFiles.subtracting(listing.present)
            if !gone.isEmpty {
                service.submit(.files(FileReport(task: schedule.task, schedule: schedule.id, gone: gone.sorted())))
            }
        }
        reportFailures()
    }

    /// Lists a directory that was created in a watched one, or moved there.
    private func enter(_ path: ExactPath, _ progress: PathGlob.Progress, _ user: User) {
        // The first listing of the schedule is still to come and lists this directory too.
        guard let schedule = watches.waiters[user]?.schedule, !schedule.wantsFirstFiles else { return }
        var listing = PathListing(user, watches, isFirst: false, isMissed: false)
        listing.list(from: path, progress)
        take(listing, of: user)
        reportFailures()
    }

    private func take(_ listing: PathListing, of user: User) {
        for (path, reason, wait) in listing.looks { looks.add(path, reason, after: wait) }
        if let failure = listing.failure { failures[user] = failure }
    }

    /// Reports paths that cannot be watched once, and reports once when all are watched again.
    private func reportFailures() {
        if failures.isEmpty {
            if service.problems.removeValue(forKey: Self.problem) != nil {
                service.isPublishDue = true
                log.write(.notice, "paths-watched", at: now)
            }
            return
        }
        if service.problems[Self.problem] == nil { blindListingAt = .now().advanced(byMilliseconds: Self.blindListingMilliseconds) }
        let seconds = Self.blindListingMilliseconds / 1000
        let lines = failures.sorted { $0.key < $1.key }.map { user, error in
            "\(user) waits for files that cannot be watched: \(error.whyNotWatched); its paths are listed every \(seconds) seconds"
        }
        guard service.problems[Self.problem] != lines else { return }
        service.problems[Self.problem] = lines
        service.isPublishDue = true
        for line in lines { log.write(.error, "paths-not-watched", at: now, ["error": line]) }
    }

    // MARK: Events

    /// Called when something was mounted or unmounted. Lists the paths at which another directory is now: no inotify event reports that.
    func mountsChanged() {
        for (path, directory) in watches.directories {
            let identity = DirectoryIdentity.read(path.text)
            guard identity == nil || identity != directory.identity else { continue }
            watches.identify(directory, identity)
            stale.formUnion(directory.users.keys)
            watches.remove(path)
        }
        let users = Set(watches.directories.values.flatMap(\.users.keys))
        stale.formUnion(watches.waiters.keys.filter { !users.contains($0) })
    }

    private func takeEvents() throws(SystemError) {
        var events: [InotifyEvent] = []
        if try watches.readEvents(into: &events) {
            log.write(.warning, "events-lost", at: now, ["effect": "all paths of schedules are listed"])
            stale.formUnion(watches.waiters.keys)
        }
        var reports: Reports = [:]
        for event in events {
            for target in watches.targets[event.watch] ?? [] {
                switch target {
                case .way(let path):
                    if !event.mask.isDisjoint(with: [.selfMoved, .selfDeleted, .unmounted]) { stale.formUnion(watches.users(onWay: path)) }
                case .end(let path): stale.formUnion(watches.users(endingAt: path, for: ExactPath(event.name)))
                case .directory(let path): take(event, in: path, &reports)
                }
            }
            if event.mask.contains(.ignored) { watches.forget(event.watch) }
        }
        send(reports)
    }

    private func take(_ event: InotifyEvent, in path: ExactPath, _ reports: inout Reports) {
        guard let directory = watches.directories[path] else { return }
        if !event.mask.isDisjoint(with: [.selfMoved, .selfDeleted, .unmounted]) {
            // When the directory is inside another watched one, that one gets an event with its name too.
            let isUnmounted = event.mask.contains(.unmounted)
            stale.formUnion(directory.users.keys.filter { isUnmounted || watches.waiters[$0]?.glob.prefix == path.text })
            return
        }
        guard !event.name.isEmpty else { return }
        let child = path.appending(event.name)
        if event.mask.contains(.isDirectory) {
            // The mode of a directory has changed: if it was unreadable, it may be readable now.
            if event.mask.contains(.attributesChanged), watches.directories[child] != nil { return }
            if event.mask.isDisjoint(with: [.created, .attributesChanged]) {
                removeTree(child, isEmpty: event.mask.contains(.deleted), &reports)
            }
            guard event.mask.isDisjoint(with: [.deleted, .movedFrom]) else { return }
            for (user, progress) in directory.users {
                guard let next = watches.waiters[user]?.glob.enter(event.name, from: progress) else { continue }
                enter(child, next, user)
            }
            return
        }
        if event.mask.contains(.attributesChanged) { return }
        guard !watches.users(takingFile: ExactPath(event.name), in: directory).isEmpty else { return }
        var reason = PathLooks.Reason()
        reason.isEvent = true
        reason.wasRemoved = !event.mask.isDisjoint(with: [.deleted, .movedFrom])
        // A file with one name was just created. Its writer will close it, and an event will report that. A file with several names was
        // linked in and may be closed already.
        var isNew = false
        if event.mask.contains(.created) {
            let status = try? PathStatus.read(child)  // the examination that follows meets the error again and reports it
            isNew = (status?.links ?? 1) <= 1
        }
        looks.add(child, reason, after: isNew ? .writer : .none)
    }

    /// Forgets a directory that was moved away or removed, and all below it. `isEmpty` is true for a removed directory, because rmdir(2)
    /// removes only empty ones.
    private func removeTree(_ path: ExactPath, isEmpty: Bool, _ reports: inout Reports) {
        var removed = [path]
        if !isEmpty { removed += watches.directories.keys.filter { $0.lies(below: path) } }
        for path in removed {
            guard let directory = watches.directories[path] else { continue }
            for (name, known) in directory.files {
                for user in watches.users(takingFile: name, in: directory) { gone(known.fingerprint, user, &reports) }
            }
            watches.remove(path)
        }
    }

    private func gone(_ fingerprint: UInt64, _ user: User, _ reports: inout Reports) {
        guard let schedule = watches.waiters[user]?.schedule else { return }
        reports[user, default: FileReport(task: schedule.task, schedule: schedule.id)].gone.append(fingerprint)
    }

    // MARK: One path

    private func look(at path: ExactPath, _ reason: PathLooks.Reason, _ reports: inout Reports) {
        let (parent, name) = path.split
        guard let directory = watches.directories[parent] else { return }
        let users = watches.users(takingFile: name, in: directory)
        guard !users.isEmpty else { return }
        let known = directory.files[name]
        let status: FileStatus?
        do throws(SystemError) { status = try PathStatus.read(path) } catch {
            log.write(.warning, "unreadable", at: now, ["file": path.text, "error": "\(error)"])
            return
        }
        // Nothing is at the path. Either an event will report the removal, or something was mounted over the file, which still exists.
        if status == nil, !reason.wasRemoved { return }
        guard let status, status.kind == .file else {
            directory.files[name] = nil
            if let known { for user in users { gone(known.fingerprint, user, &reports) } }
            return
        }
        var reason = reason
        let fingerprint = PathStatus.fingerprint(path, status)
        if let known {
            if known.fingerprint != fingerprint {
                for user in users { gone(known.fingerprint, user, &reports) }
            } else if reason.wasRemoved, known.changedNanoseconds != status.changedNanoseconds {
                reason.isReplaced = true
            }
        } else if reason.isEvent {
            reason.isReplaced = true
        }
        reason.wasRemoved = false
        directory.files[name] = PathWatches.Known(fingerprint: fingerprint, changedNanoseconds: status.changedNanoseconds)
        let waiting = users.filter { user in
            guard let schedule = watches.waiters[user]?.schedule, !schedule.wantsFirstFiles else { return false }
            return reason.isReplaced || !schedule.hasSeen(fingerprint)
        }
        guard !waiting.isEmpty else { return }
        if reason.settled != fingerprint, PathStatus.isFresh(status) {
            reason.settled = fingerprint
            looks.add(path, reason, after: .tick)
            return
        }
        switch PathStatus.readiness(path, fingerprint) {
        case .whole: break
        case .written:
            reason.writerLooks += 1
            return looks.add(path, reason, after: reason.writerLooks < Self.writerLooksMax ? .writer : .longWriter)
        case .another: return looks.add(path, reason)
        }
        let came = Instant(milliseconds: status.changedNanoseconds / 1_000_000)
        for user in waiting {
            guard let schedule = watches.waiters[user]?.schedule else { continue }
            if reason.isReplaced, schedule.hasSeen(fingerprint) { gone(fingerprint, user, &reports) }
            var report = reports[user] ?? FileReport(task: schedule.task, schedule: schedule.id)
            if report.came.isEmpty { report.isMissed = reason.isMissed } else if report.isMissed != reason.isMissed {
                // Files that arrived while no daemon watched have a report of their own.
                service.submit(.files(report))
                report = FileReport(task: schedule.task, schedule: schedule.id, isMissed: reason.isMissed)
            }
            report.came.append(ArrivedFile(path: path.text, fingerprint: fingerprint, changedAt: came))
            reports[user] = report
        }
    }
}
