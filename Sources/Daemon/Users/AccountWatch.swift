import Linux
import Scheduler

/// Notices when accounts of the system may have changed. It watches the files of the user database, and wakes up on the next day on which
/// an account changes by its date, as when it expires.
///
/// Changes of a user database on another machine cannot be noticed. Therefore each account is also looked up again before its user gets
/// slots.
final class AccountWatch: Part, FileWatcher {
    /// The files that getpwnam(3), getgrouplist(3) and getspnam(3) read.
    private static let paths = ["/etc/passwd", "/etc/group", "/etc/shadow"]
    private static let dayMilliseconds: Int64 = 86_400_000
    /// An account whose date is more than this number of days after 1970 counts as never changing.
    private static let dayMax = 1_000_000

    private var watched = WatchedNames()
    /// The next day on which an account changes by its date.
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
        // One of the names may be a link to another file now.
        watch()
        onChange()
    }

    /// Only watches again. `UserDaemons`, which comes after this part, examines all users.
    func lookAnew() { watch() }

    func mountsChanged() {
        let before = watched
        watch()
        // To ask for all users costs much where they are in a directory of the network.
        if watched != before { onChange() }
    }

    // MARK: Days

    /// The number of days since the beginning of 1970 in UTC, as shadow(5) counts them.
    static func day(of instant: Instant) -> Int { Int(instant.milliseconds / dayMilliseconds) }

    /// Notes the day on which an account changes. Nil means that it never does.
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
