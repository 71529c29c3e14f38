import Linux
import Scheduler

/// Notices when accounts of the system may have changed: it watches the files that say who they are, and wakes up on the next day on which
/// an account expires.
///
/// Nothing reports changes of a database on another machine. Such an account is looked up again before slots are granted to its user.
final class AccountWatch: Part, FileWatcher {
    /// getpwnam(3), getgrouplist(3) and getspnam(3) read these.
    private static let paths = ["/etc/passwd", "/etc/group", "/etc/shadow"]
    private static let dayMilliseconds: Int64 = 86_400_000
    /// An account that expires later than so many days after 1970 never does.
    private static let dayMax = 1_000_000

    private var watched = WatchedNames()
    private var lookAt: Instant?
    private let files: FileWatches
    private let service: SpoolService
    private let log: Log
    /// Called when accounts may have changed.
    var onChange: () -> Void = {}

    init(_ files: FileWatches, _ service: SpoolService, _ log: Log) {
        self.files = files
        self.service = service
        self.log = log
    }

    // MARK: Files

    func watch() {
        let names = Self.paths.map(WatchedNames.names).reduce(into: Set()) { $0.formUnion($1) }
        watched.replace(by: names, in: files, for: self) { [log, service] name, error in
            log.write(.warning, "not-watched", at: service.now, ["file": "\(name.directory)/\(name.name)", "error": "\(error)"])
        }
    }

    func take(_ events: [InotifyEvent]) {
        guard events.contains(where: watched.concerns) else { return }
        // One of the names may lead to another file now.
        watch()
        onChange()
    }

    /// The look at all users that follows covers what may have changed meanwhile.
    func lookAnew() { watch() }

    // MARK: Days

    /// The day, from the beginning of 1970 and by UTC, as shadow(5) counts.
    static func day(of instant: Instant) -> Int { Int(instant.milliseconds / dayMilliseconds) }

    /// Some account changes on this day. Nil means never.
    func noteChange(onDay day: Int?) {
        guard let day, day < Self.dayMax else { return }
        let instant = Instant(milliseconds: Int64(day) * Self.dayMilliseconds)
        lookAt = min(lookAt ?? instant, instant)
    }

    func beforeTurn() {
        guard let lookAt, lookAt <= service.now else { return }
        self.lookAt = nil
        onChange()
    }

    var wakeAt: Wake { Wake(wall: lookAt) }
}
