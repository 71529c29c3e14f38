import Scheduler

/// A crontab, as the world has found it.
package struct CrontabFile: Sendable {
    package enum Content: Sendable {
        case text([UInt8], changedAt: Instant?)
        /// cron(8) would not read the file, or it cannot be read, for this reason.
        case refused(String)
        /// There is no such file, or crontabs are not read.
        case gone
        /// Somebody has the file open for writing. It is read when it is closed.
        case busy
        /// It is not known yet whether the file exists.
        case unknown
    }

    package var path: String
    /// The user whose crontab it is. Nil for the system's crontabs, whose lines name a user.
    package var user: String?
    package var content: Content
    /// True for the crontab of `--crontab`.
    package var isGiven = false

    package init(path: String, user: String? = nil, _ content: Content) {
        (self.path, self.user, self.content) = (path, user, content)
    }
}
