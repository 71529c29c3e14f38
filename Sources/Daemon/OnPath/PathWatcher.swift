import Glibc
import Linux
import Scheduler

/// Watches for the files of `on_path` schedules: events of their directories become looks at paths, and looks become reports to the
/// scheduler.
///
/// Invariants:
/// - A directory is watched before it is listed, so a file is seen by the watch or by the listing.
/// - A file counts when nobody has it open for writing any more, and when its time of change has passed. Whoever changes it afterwards
///   gives it another time, and so another fingerprint.
/// - When something is lost (events, the daemon itself), a listing follows. A file that the scheduler has not seen is reported then.
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
    /// Reports to the scheduler that are not complete yet, for each schedule.
    private typealias Reports = [User: FileReport]

    private let watches: PathWatches
    private var looks = PathLooks()
    /// The schedules whose paths are to be listed.
    private var stale: Set<User> = []
    /// The error of the last listing, for each schedule whose paths could not be watched or listed.
    private var failures: [User: SystemError] = [:]
    /// The scheduler's count of changes of its `on_path` schedules, as of the last look.
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

    /// No schedule waits for files.
    var isIdle: Bool { watches.waiters.isEmpty && schedulesVersion == scheduler.fileSchedulesVersion }

    /// Does what is due: takes up new schedules, lists what may have changed unseen, and looks at paths. `isStart`: the daemon starts, and
    /// what it finds came while no daemon looked.
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
        // The scheduler must know the first files of a schedule before other files are reported: the next turn looks for these.
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

    /// Watches and lists all that a schedule's pattern can reach.
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
            // When none of the files exists, the file system may not be mounted yet, and nothing is known about its files.
            let gone = schedule.seenFiles.subtracting(listing.present)
            if !gone.isEmpty {
                service.submit(.files(FileReport(task: schedule.task, schedule: schedule.id, gone: gone.sorted())))
            }
        }
        reportFailures()
    }

    /// A directory has been created in a watched one, or moved there.
    private func enter(_ path: ExactPath, _ progress: PathGlob.Progress, _ user: User) {
        // Its first listing, which is still to come, lists this directory too.
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

    /// Reports once what cannot be watched, and once that it is over.
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

    /// Something was mounted or unmounted: other directories may be at the paths now, though nobody moved them.
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
            // For a directory below another watched one, that one has an event with its name too.
            let isUnmounted = event.mask.contains(.unmounted)
            stale.formUnion(directory.users.keys.filter { isUnmounted || watches.waiters[$0]?.glob.prefix == path.text })
            return
        }
        guard !event.name.isEmpty else { return }
        let child = path.appending(event.name)
        if event.mask.contains(.isDirectory) {
            // A directory that could not be read may be readable now.
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
        // A created file has one name and will be closed, which is an event. A file that was linked in may be closed already.
        var isNew = false
        if event.mask.contains(.created) {
            // An error is met again, and reported, by the look that follows.
            let status = try? PathStatus.read(child)
            isNew = (status?.links ?? 1) <= 1
        }
        looks.add(child, reason, after: isNew ? .writer : .none)
    }

    /// A directory was moved away or removed. `isEmpty`: it was empty, as rmdir(2) wants it.
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
        // An event will report its removal; or something is mounted above the file, which is still there.
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
                // Files that were missed and others are in separate reports.
                service.submit(.files(report))
                report = FileReport(task: schedule.task, schedule: schedule.id, isMissed: reason.isMissed)
            }
            report.came.append(ArrivedFile(path: path.text, fingerprint: fingerprint, changedAt: came))
            reports[user] = report
        }
    }
}
