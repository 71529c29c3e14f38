/// The content of `spoold.toml`. Every key has a default, and the file itself is optional.
public struct Configuration: Sendable {
    /// The maximum number of jobs that run at once, in all queues together.
    public var slots = 8
    /// The maximum number of slots for one user's jobs in a shared spool. Nil means all but one.
    public var userSlots: Int?
    /// The slots of the queues that have fewer than all.
    public var queueSlots: [String: Int] = [:]
    /// The executors of the queues whose jobs run elsewhere, unless a job names another.
    public var queueExecutors: [String: String] = [:]
    /// The executors that have keys of their own, by name.
    public var executors: [String: ExecutorSettings] = [:]
    public var zone = Zone.utc
    public var defaultTimeoutMilliseconds: Int64?
    public var keepMilliseconds: Int64 = 14 * 86_400_000
    /// The limit of all segments of a journal together.
    public var journalMaxBytes: Int64 = 1 << 30
    /// The limit of each output stream of a job.
    public var outputLimitBytes: Int64 = 64 << 20

    /// Nothing starts while the load average of the last minute is at least this.
    public var maxLoad: Double?
    /// Nothing starts while the spool's file system has less free space than this.
    public var minFreeBytes: Int64?
    /// The command that receives mails on standard input, including their header.
    public var mailCommand = ["/usr/sbin/sendmail", "-i", "-t"]

    /// The PAM service in whose sessions root's daemon starts workers and the daemons of users. Nil means none.
    public var pamService: String?

    /// True when the machine's crontabs are tasks too.
    public var hasCrontabs = false
    /// The directory below which the crontabs are: `etc/crontab` and the others.
    public var crontabRoot = "/"
    public var crontabCatchUp = CrontabCatchUp.none

    /// The number of runs of a crontab's line that make up for missed due times.
    public enum CrontabCatchUp: String, Sendable {
        case none, last
    }

    /// The keys `mail` and `on_failure`, for all runs of tasks that say nothing else.
    public var taskDefaults = TaskDefaults()

    /// The variables of spoold's environment that jobs of its own user get. Nil when the file does not say.
    public var inheritedVariables: InheritedVariables?

    /// The number of tasks that have metrics of their own.
    public var metricsTasks = 1000

    /// In a shared spool, the users besides root who may use it. Nil means all users except those of `deny`.
    public var allow: [String]?
    /// The users who may not use the spool, when `allow` is not set.
    public var deny: [String] = []

    /// The calendars as the file gives them, and with the files that they name.
    public var calendarEntries: [Calendars.Entry] = []
    public var calendars = Calendars()

    public static let slotsMax = 4096
    public static let metricsTasksMax = 100_000
    /// The least limit of a journal: two of its segments.
    static let journalMaxLeast: Int64 = 16 << 20

    /// True when a user may use a shared spool. The rules are those of at(1) with at.allow and at.deny.
    public func admits(user: String) -> Bool { allow?.contains(user) ?? !deny.contains(user) }

    /// The slots that one user's jobs may use: all but one, which is left for other users.
    public var slotsOfOneUser: Int { min(userSlots ?? max(1, slots - 1), slots) }

    /// All keys, in the order of the manual.
    public static let keys = [
        "slots", "user_slots", "timezone", "default_timeout", "keep", "journal_max", "output_limit", "max_load", "min_free_space",
        "mail_command", "pam_service", "crontabs", "crontab_root", "crontab_catch_up",
        "mail", "on_failure", "inherit_env", "queues", "executors", "calendars", "metrics_tasks",
        "allow", "deny",
    ]

    public init() {}

    /// Reads the files of the calendars.
    public mutating func readCalendars(_ zones: ZoneDatabase, read: (String) throws(RecurrenceError) -> [UInt8]) {
        calendars = Calendars(calendarEntries, zone: zone, zones: zones, read: read)
    }

    /// The file of defaults for a configuration file: `defaults.toml` beside it. It has the same keys, and each key of the configuration
    /// file itself counts more. Packages set keys there without changing the administrator's file.
    public static func defaultsPath(for path: String) -> String {
        "\(path[..<(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)])defaults.toml"
    }

    /// - Parameter defaults: the values of the keys that the text does not set.
    public init(_ bytes: [UInt8], over defaults: Configuration = Configuration(), zones: ZoneDatabase, now: Instant) throws(Problems) {
        self = defaults
        let table = try Source(format: .toml, bytes: bytes).table()
        var reader = TableReader(table, ReadingContext(now: now, zones: zones))
        slots = reader.integer("slots", in: 1...Self.slotsMax) ?? slots
        userSlots = reader.integer("user_slots", in: 1...Self.slotsMax) ?? userSlots
        zone = reader.zone("timezone") ?? zone
        defaultTimeoutMilliseconds = reader.milliseconds("default_timeout") ?? defaultTimeoutMilliseconds
        keepMilliseconds = reader.milliseconds("keep") ?? keepMilliseconds
        if let bytes = reader.size("journal_max") {
            if bytes < Self.journalMaxLeast, let value = table["journal_max"] {
                reader.fail(value.position, "journal_max must be at least 16M")
            }
            journalMaxBytes = bytes
        }
        outputLimitBytes = reader.outputLimit("output_limit") ?? outputLimitBytes
        maxLoad = reader.number("max_load", in: 0...1_000_000) ?? maxLoad
        minFreeBytes = reader.size("min_free_space") ?? minFreeBytes
        if let value = reader.value("mail_command"), let words = reader.strings(value, "mail_command") {
            if words.first?.hasPrefix("/") == true {
                mailCommand = words
            } else {
                reader.fail(value.position, "mail_command must begin with an absolute path")
            }
        }
        pamService = reader.name("pam_service") ?? pamService
        hasCrontabs = reader.boolean("crontabs") ?? hasCrontabs
        if let root = reader.string("crontab_root") {
            crontabRoot = root
            if !root.hasPrefix("/"), let value = table["crontab_root"] {
                reader.fail(value.position, "crontab_root must be an absolute path")
            }
        }
        if let word = reader.string("crontab_catch_up") {
            if let catchUp = CrontabCatchUp(rawValue: word) {
                crontabCatchUp = catchUp
            } else if let value = table["crontab_catch_up"] {
                reader.fail(value.position, "crontab_catch_up must be \"none\" or \"last\", not \"\(word)\"")
            }
        }
        if reader.mail("mail") != nil { taskDefaults.mail = table["mail"] }
        if reader.followUp("on_failure", .failure) != nil { taskDefaults.onFailure = table["on_failure"] }
        inheritedVariables = reader.inheritedVariables("inherit_env") ?? inheritedVariables
        metricsTasks = reader.integer("metrics_tasks", in: 0...Self.metricsTasksMax) ?? metricsTasks
        allow = reader.strings("allow") ?? allow
        deny = reader.strings("deny") ?? deny
        if table["calendars"] != nil { calendarEntries = reader.calendars("calendars") }
        if let value = reader.value("queues") {
            if case .table(let queues) = value.kind {
                for entry in queues.entries {
                    if !Name.isValid(entry.key) { reader.fail(entry.keyPosition, "queue \"\(entry.key)\" is not a name") }
                    guard case .table(let queue) = entry.value.kind else {
                        reader.fail(entry.value, "queues.\(entry.key)", expected: "a table with slots")
                        continue
                    }
                    var inner = TableReader(queue, reader.context)
                    if let slots = inner.integer("slots", in: 1...Self.slotsMax) { queueSlots[entry.key] = slots }
                    if let executor = inner.name("executor") { queueExecutors[entry.key] = executor }
                    inner.finish()
                    reader.absorb(inner)
                }
            } else {
                reader.fail(value, "queues", expected: "a table of queues")
            }
        }
        if reader.table["executors"] != nil { executors = reader.executors("executors", over: executors) }
        reader.finish()
        guard reader.problems.isEmpty else { throw Problems(reader.problems) }
    }
}
