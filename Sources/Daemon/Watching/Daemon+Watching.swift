import Glibc
import Linux
import Scheduler
import Store

// The spool's directories are watched with inotify(7). Where the system has no more watches or instances for us, they are looked at
// again and again instead, until it has.

/// An inotify instance.
final class Watcher {
    let inotify: Inotify

    init() throws(SystemError) { inotify = try Inotify() }
}

/// Which inotify watch stands for which directory.
struct Watches {
    /// The spool itself, for directories of it that come and go.
    var spool: Int32 = -1
    var new: Int32 = -1
    var tasks: Int32 = -1
    var schedules: Int32 = -1
    var control: Int32 = -1
    var patterns: Int32 = -1
    /// For somebody who takes the journal away: what it writes itself is told by no event of these.
    var journal: Int32 = -1

    /// The directory that a watch is on, if it is one where users may have theirs.
    func shared(_ watch: Int32) -> String? {
        switch watch {
        case new: Layout.new
        case tasks: Layout.tasks
        case schedules: Layout.schedules
        case control: Layout.control
        default: nil
        }
    }

    var ofSpool: [Int32] { [spool, new, tasks, schedules, control, patterns, journal] }
}

extension Daemon {
    /// How often the spool is looked at when it cannot be watched.
    static let unwatchedMilliseconds: Int64 = 2000

    func watchSpool() throws(SystemError) {
        do throws(SystemError) { try addWatches() } catch {
            if error.isOutOfWatches {
                notWatched(error)
            } else if error.isMissing {
                // The look at the spool that follows reports what is missing.
                isSpoolSuspect = true
            } else {
                throw error
            }
        }
    }

    /// A watch for the instance there is, or the first one.
    func watch(_ path: String, _ mask: InotifyMask) throws(SystemError) -> Int32 {
        if let watcher { return try watcher.inotify.add(path, mask) }
        let new = try Watcher()
        _ = try loop.add(new.inotify.descriptor.raw) { [unowned self] () throws(SystemError) in try takeFileEvents() }
        watcher = new
        return try new.inotify.add(path, mask)
    }

    private func addWatches() throws(SystemError) {
        let itself: InotifyMask = [.selfMoved, .selfDeleted, .onlyDirectory]
        // What is there may also become one that can be used by chmod(1) or chown(1).
        let comings = itself.union([.closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .attributesChanged])
        // The configuration may stand there.
        watches.spool = try watch(options.spool, itself.union([.closedAfterWriting, .movedTo, .movedFrom, .created, .deleted]))
        watches.new = try watch("\(options.spool)/\(Layout.new)", comings)
        watches.tasks = try watch("\(options.spool)/\(Layout.tasks)", comings)
        watches.schedules = try watch("\(options.spool)/\(Layout.schedules)", comings)
        watches.control = try watch("\(options.spool)/\(Layout.control)", comings)
        watches.patterns = try watch("\(options.spool)/\(Layout.patterns)", comings)
        // The segment in use is closed by others alone.
        watches.journal = try watch(
            "\(options.spool)/\(Layout.journal)", itself.union([.movedTo, .movedFrom, .deleted, .closedAfterWriting]))
    }

    /// Watches what stands at the spool's paths now, not what stood there before.
    func watchAnew() throws(SystemError) {
        for watch in watches.ofSpool where watch >= 0 {
            // What it watched is gone, and the watch with it: then nothing is left to remove.
            try? watcher?.inotify.remove(watch)
        }
        watches = Watches()
        try watchSpool()
        // One of them may have been the configuration's too.
        loadConfiguration(isFirst: false, isChanged: false)
    }

    /// Something cannot be watched: all that is looked at again until it can be.
    func notWatched(_ error: SystemError) {
        unwatchedLookAt = Clock.monotonicMilliseconds() + Self.unwatchedMilliseconds
        service.begin(
            .watches, error.whyNotWatched, effect: "the spool is looked at every \(Self.unwatchedMilliseconds / 1000) seconds")
    }

    /// How long until the spool is looked at, watched or not; nil: there is no need.
    var millisecondsUntilLook: Int64? {
        guard let due = [unwatchedLookAt, spoolLookAt].compactMap(\.self).min() else { return nil }
        return max(0, due - Clock.monotonicMilliseconds())
    }

    /// Looks at what cannot be watched, when that is due, and tries once more to watch it.
    func lookAtUnwatched() throws(SystemError) {
        guard let due = unwatchedLookAt, Clock.monotonicMilliseconds() >= due else { return }
        unwatchedLookAt = nil
        isSpoolSuspect = true
        try watchSpool()
        reloadZones()
        loadConfiguration(isFirst: false, isChanged: false)
        if unwatchedLookAt == nil { service.end(.watches) }
        // Also when all is watched now: what came before was not told.
        try service.lookAtAll()
        lookAtUsers()
        wakeAll()
    }
}

extension SystemError {
    /// Why inotify would not watch, for a person who may change it.
    var whyNotWatched: String {
        switch (call, errno) {
        case ("inotify_add_watch", ENOSPC): "there are no more watches: sysctl fs.inotify.max_user_watches is too low"
        case ("inotify_init1", EMFILE): "there are no more inotify instances: sysctl fs.inotify.max_user_instances is too low, or descriptors have run out"
        default: "\(self)"
        }
    }
}
