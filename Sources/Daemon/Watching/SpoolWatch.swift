import Linux
import Scheduler
import Store

/// Watches the directories of the spool, and gives their events to the service.
final class SpoolWatch: FileWatcher {
    /// The watch on each directory, or -1 while there is none.
    private struct Watches {
        /// The watch on the spool itself reports when one of its directories is moved, removed or created.
        var spool: Int32 = -1
        var new: Int32 = -1
        var tasks: Int32 = -1
        var schedules: Int32 = -1
        var control: Int32 = -1
        var patterns: Int32 = -1
        /// The watch on the journal reports when somebody else takes a segment away or writes to it. The daemon's own writes cause none of
        /// the events that are watched for.
        var journal: Int32 = -1

        var all: [Int32] { [spool, new, tasks, schedules, control, patterns, journal] }
    }

    private var watches = Watches()
    private let path: String
    private let files: FileWatches
    private let service: SpoolService

    /// Called when a directory of the spool may be missing, or when somebody else may have changed the journal.
    var onSuspicion: () -> Void = {}
    /// Called when the spool or a directory of it was moved, removed, unmounted or created.
    var onMove: () throws(SystemError) -> Void = {}

    init(path: String, _ files: FileWatches, _ service: SpoolService) {
        self.path = path
        self.files = files
        self.service = service
    }

    /// The directory of this watch, if it is one in which users have directories of their own. Nil for other watches.
    func shared(_ watch: Int32) -> String? {
        switch watch {
        case watches.new: Layout.new
        case watches.tasks: Layout.tasks
        case watches.schedules: Layout.schedules
        case watches.control: Layout.control
        default: nil
        }
    }

    // MARK: Watching

    /// Watches all directories.
    func watch() throws(SystemError) {
        do throws(SystemError) { try addWatches() } catch {
            if files.isForLater(error) { return }
            guard error.isMissing else { throw error }
            onSuspicion()
        }
    }

    /// Ends all watches, and watches the directories that are at the spool's paths now.
    func watchAnew() throws(SystemError) {
        for watch in watches.all { files.unwatch(watch, for: self) }
        watches = Watches()
        try watch()
    }

    private func addWatches() throws(SystemError) {
        let itself: InotifyMask = [.selfMoved, .selfDeleted, .onlyDirectory]
        // A file that could not be used may become usable by chmod(1) or chown(1).
        let changes = itself.union([.closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .attributesChanged])
        watches.spool = try files.watch(path, itself.union([.movedTo, .movedFrom, .created, .deleted]), for: self)
        watches.new = try files.watch("\(path)/\(Layout.new)", changes, for: self)
        watches.tasks = try files.watch("\(path)/\(Layout.tasks)", changes, for: self)
        watches.schedules = try files.watch("\(path)/\(Layout.schedules)", changes, for: self)
        watches.control = try files.watch("\(path)/\(Layout.control)", changes, for: self)
        watches.patterns = try files.watch("\(path)/\(Layout.patterns)", changes, for: self)
        // The daemon keeps the current segment open, so only others close it after writing.
        watches.journal = try files.watch(
            "\(path)/\(Layout.journal)", itself.union([.movedTo, .movedFrom, .deleted, .closedAfterWriting]), for: self)
    }

    // MARK: Events

    func lookAnew() throws(SystemError) {
        onSuspicion()
        try watch()
        try service.lookAtAll()
    }

    func mountsChanged() {}

    func take(_ events: [InotifyEvent]) throws(SystemError) {
        if events.contains(where: isOfPlace) { try onMove() }
        for event in events {
            // An event without a name concerns the directory itself.
            if event.mask.contains(.attributesChanged), event.name.isEmpty { continue }
            switch event.watch {
            case watches.new:
                let isComing: InotifyMask = [.created, .movedTo, .closedAfterWriting, .attributesChanged]
                // A file that was only created, or whose mode or owner changed, may not be complete yet.
                service.noticed(
                    event.name, isGone: event.mask.isDisjoint(with: isComing),
                    isCreated: !event.mask.isDisjoint(with: [.created, .attributesChanged]), isMovedIn: event.mask.contains(.movedTo))
            case watches.tasks:
                if !Name.isUnfinished(event.name) { service.noticed(task: Layout.stem(of: event.name)) }
            case watches.schedules:
                if !Name.isUnfinished(event.name) { service.noticed(schedule: Layout.stem(of: event.name)) }
            case watches.patterns: service.submit(.programChanged(event.name))
            case watches.control: service.noticed(control: event.name)
            case watches.journal: if event.name == service.spool.journal.segment { onSuspicion() }
            default: break
            }
        }
    }

    /// True when the event reports that a directory of the spool was moved, removed, unmounted or created.
    private func isOfPlace(_ event: InotifyEvent) -> Bool {
        if event.watch == watches.spool { return event.name.isEmpty || Layout.directories.contains(event.name) }
        return watches.all.contains(event.watch) && !event.mask.isDisjoint(with: [.selfMoved, .selfDeleted, .unmounted, .ignored])
    }
}
