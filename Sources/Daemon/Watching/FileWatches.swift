import Glibc
import Linux
import Scheduler

/// A part of the daemon that watches directories through ``FileWatches``.
protocol FileWatcher: AnyObject {
    /// Takes the events that were read together. Events of other parts' watches are among them.
    func take(_ events: [InotifyEvent]) throws(SystemError)

    /// Called when events were lost or something could not be watched. Watches what is not watched, and finds out what has changed.
    func lookAnew() throws(SystemError)

    /// Called when a file system was mounted or unmounted, which is no event of inotify(7). Watches what has the paths now, and finds out
    /// what has changed. Does nothing in a part that watches the spool alone: ``SpoolLocation`` notices another file system there.
    func mountsChanged() throws(SystemError)
}

/// The daemon's inotify(7) instance for the spool and for the few other files that the daemon depends on.
///
/// Invariants:
/// - The kernel has one watch for a directory, however many parts asked for it. The watch ends when no part needs it any more.
/// - While the kernel has no watches or instances left, everything is read every two seconds, until all watches can be added.
/// - After a mount, what may be at other files now is looked at, twice a second at most: on some machines there are mounts all the time.
final class FileWatches: Part {
    /// The interval at which everything is read while something cannot be watched.
    private static let retryMilliseconds: Int64 = 2000

    /// Made when the first directory is to be watched.
    private var watcher: InotifyInstance?
    /// The parts that need each watch.
    private var owners: [Int32: Set<ObjectIdentifier>] = [:]
    /// All parts that watch something. They take events in this order.
    private var parts: [any FileWatcher] = []
    /// The time at which everything is read again. Nil when everything is watched.
    private var retryAt: MonotonicInstant?
    private var mountPauses = LookPauses()
    private static let mounts = "mounts"
    private let loop: EventLoop
    private let service: SpoolService
    private let log: Log

    init(_ loop: EventLoop, _ service: SpoolService, _ log: Log) {
        self.loop = loop
        self.service = service
        self.log = log
    }

    /// Adds a part, which gets all later events.
    func add(_ part: any FileWatcher) { parts.append(part) }

    // MARK: Watching

    /// Watches a path for a part, and returns the number of the watch that its events have. Events that other parts watch for at the same
    /// file stay watched.
    func watch(_ path: String, _ mask: InotifyMask, for part: any FileWatcher) throws(SystemError) -> Int32 {
        let watch = try instance().inotify.add(path, mask.union(.addToMask))
        owners[watch, default: []].insert(ObjectIdentifier(part))
        return watch
    }

    /// Called when the part does not need the watch any more.
    func unwatch(_ watch: Int32, for part: any FileWatcher) {
        guard owners[watch]?.remove(ObjectIdentifier(part)) != nil, owners[watch]?.isEmpty == true else { return }
        owners[watch] = nil
        try? watcher?.inotify.remove(watch)  // fails when the directory is gone: the watch has ended with it
    }

    private func instance() throws(SystemError) -> InotifyInstance {
        if let watcher { return watcher }
        let new = try InotifyInstance()
        _ = try loop.add(new.inotify.descriptor.raw) { [unowned self] () throws(SystemError) in try takeEvents() }
        watcher = new
        return new
    }

    /// Reads the events and gives them to the parts.
    func takeEvents() throws(SystemError) {
        guard let watcher else { return }
        var events: [InotifyEvent] = []
        if try watcher.inotify.readEvents(into: &events) {
            log.write(.warning, "events-lost", at: service.now, ["effect": "the whole spool is read again"])
            for part in parts { try part.lookAnew() }
            return
        }
        if events.isEmpty { return }
        for part in parts { try part.take(events) }
        for event in events where event.mask.contains(.ignored) { owners[event.watch] = nil }
    }

    // MARK: Failed watches

    /// True when the kernel has no watches left. Plans to read everything and to try again.
    func isForLater(_ error: SystemError) -> Bool {
        guard error.isOutOfWatches else { return false }
        retryAt = .now().advanced(byMilliseconds: Self.retryMilliseconds)
        service.begin(
            .watches, error.whyNotWatched, effect: "the spool is read every \(Self.retryMilliseconds / 1000) seconds")
        return true
    }

    /// Has all parts read everything and watch it again, when that is due.
    func beforeTurn() throws(SystemError) {
        if !mountPauses.due(at: .now()).isEmpty { try mountsChanged() }
        guard let due = retryAt, .now() >= due else { return }
        retryAt = nil
        for part in parts { try part.lookAnew() }
        if retryAt == nil { service.end(.watches) }
    }

    /// Reads the events that the daemon itself has caused in this turn, so that they do not wake it for another one.
    func afterTurn() throws(SystemError) { if service.intake.takeMovedFiles() { try takeEvents() } }

    /// Called when something was mounted or unmounted.
    func mountsChanged() throws(SystemError) {
        guard mountPauses.admits(Self.mounts, at: .now()) else { return }
        for part in parts { try part.mountsChanged() }
    }

    var wakeAt: Wake { Wake(monotonic: [retryAt, mountPauses.wakeAt].compactMap(\.self).min()) }
    var isIdle: Bool { retryAt == nil && mountPauses.wakeAt == nil }
}
