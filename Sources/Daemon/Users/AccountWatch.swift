import Linux
import Scheduler

/// When users of the system may have become others: the files that say who they are, as they are watched, and the next day on which an
/// account expires.
struct AccountWatch {
    /// getpwnam(3), getgrouplist(3) and getspnam(3) read these. Of a database that is on another machine nothing tells: it is asked again
    /// before slots are given.
    static let paths = ["/etc/passwd", "/etc/group", "/etc/shadow"]

    var watched = WatchedNames()
    private(set) var lookAt: Instant?

    private static let dayMilliseconds: Int64 = 86_400_000

    /// The day, from the beginning of 1970 and by UTC, as shadow(5) counts.
    static func day(of instant: Instant) -> Int { Int(instant.milliseconds / dayMilliseconds) }

    /// On this day some account is another; nil: never.
    mutating func noteChange(onDay day: Int?) {
        // Past that many days nobody is there to look.
        guard let day, day < 1_000_000 else { return }
        let instant = Instant(milliseconds: Int64(day) * Self.dayMilliseconds)
        lookAt = min(lookAt ?? instant, instant)
    }

    /// True when that day has come, once.
    mutating func isDue(at now: Instant) -> Bool {
        guard let lookAt, lookAt <= now else { return false }
        self.lookAt = nil
        return true
    }
}

extension Daemon {
    func watchAccounts() {
        guard isForEverybody else { return }
        let names = AccountWatch.paths.map(WatchedNames.names).reduce(into: Set()) { $0.formUnion($1) }
        let watched = watch(names, insteadOf: accounts.watched)
        accounts.watched = watched
    }

    /// Users have come, gone or become others.
    func accountsChanged() {
        // One of the files may be another one now, or behind another link.
        watchAccounts()
        lookAtUsers()
    }

    func lookAtAccounts() {
        if accounts.isDue(at: now) { lookAtUsers() }
    }
}
