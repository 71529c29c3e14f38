/// The arguments with which a daemon was started.
public struct DaemonOptions: Sendable {
    public var spool: String
    public var configuration: String?
    public var worker: String
    public var version: String
    /// True for a daemon that waits while another one serves the spool.
    public var isStandby: Bool
    /// The user whose part of root's spool is served. Root's daemon has started this one, which becomes the user before anything else.
    public var user: String?
    /// True for a user's daemon whose predecessor rested until now.
    public var isAfterRest: Bool
    /// The crontab whose lines are tasks. Nil when none was given.
    public var crontab: String?
    /// Directories with more definitions of tasks, which are only read.
    public var taskDirectories: [String] = []
    /// The form in which the output of jobs is written to standard output. Nil when it is in files alone.
    public var output: OutputForm?
    /// The rule by which the daemon ends.
    public var drain = DrainRule.none

    public init(
        spool: String, configuration: String?, worker: String, version: String, isStandby: Bool, user: String? = nil,
        isAfterRest: Bool = false
    ) {
        self.spool = spool
        self.configuration = configuration
        self.worker = worker
        self.version = version
        self.isStandby = isStandby || user != nil
        self.user = user
        self.isAfterRest = isAfterRest
    }
}

/// The reason why the daemon must end, for standard error and exit code 1.
public struct DaemonFailure: Error, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}
