/// `spoold.toml`: every key has a default, and none is needed.
public struct Configuration: Sendable {
    /// How many jobs run at once, over all queues.
    public var slots = 8
    /// How many of them one user's jobs may have in a spool that serves everybody; nil: all but one.
    public var userSlots: Int?
    /// The slots of queues that have fewer than all.
    public var queueSlots: [String: Int] = [:]
    public var zone = Zone.utc
    public var defaultTimeoutMilliseconds: Int64?
    public var keepMilliseconds: Int64 = 14 * 86_400_000
    /// Of each output stream of a job.
    public var outputLimitBytes: Int64 = 64 << 20

    /// While the load average of the last minute is this or more, nothing starts.
    public var maxLoad: Double?
    /// While the spool's file system has less room than this, nothing starts.
    public var minFreeBytes: Int64?
    /// What mails are given to on standard input, with their header.
    public var mailCommand = ["/usr/sbin/sendmail", "-i", "-t"]

    /// In a spool that serves everybody: the users who may use it, besides root; nil: all but those of `deny`.
    public var allow: [String]?
    /// Without `allow`: the users who may not use it.
    public var deny: [String] = []

    public static let slotsMax = 4096

    /// Whether a user may use a spool that serves everybody, as at(1) decides by at.allow and at.deny.
    public func admits(user: String) -> Bool { allow?.contains(user) ?? !deny.contains(user) }

    /// How many slots one user's jobs may have: one is left for others, where there are more.
    public var slotsOfOneUser: Int { min(userSlots ?? max(1, slots - 1), slots) }

    /// All keys, in the order of the manual.
    public static let keys = [
        "slots", "user_slots", "timezone", "default_timeout", "keep", "output_limit", "max_load", "min_free_space", "mail_command",
        "queues",
        "allow", "deny",
    ]

    public init() {}

    public init(_ bytes: [UInt8], zones: ZoneDatabase, now: Instant) throws(Problems) {
        let table = try Source(format: .toml, bytes: bytes).table()
        var reader = TableReader(table, ReadingContext(now: now, zones: zones))
        slots = reader.integer("slots", in: 1...Self.slotsMax) ?? slots
        userSlots = reader.integer("user_slots", in: 1...Self.slotsMax)
        zone = reader.zone("timezone") ?? zone
        defaultTimeoutMilliseconds = reader.milliseconds("default_timeout")
        keepMilliseconds = reader.milliseconds("keep") ?? keepMilliseconds
        outputLimitBytes = reader.outputLimit("output_limit") ?? outputLimitBytes
        maxLoad = reader.number("max_load", in: 0...1_000_000)
        minFreeBytes = reader.size("min_free_space")
        if let value = reader.value("mail_command"), let words = reader.strings(value, "mail_command") {
            if words.first?.hasPrefix("/") == true {
                mailCommand = words
            } else {
                reader.fail(value.position, "mail_command must begin with an absolute path")
            }
        }
        allow = reader.strings("allow")
        deny = reader.strings("deny") ?? deny
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
                    inner.finish()
                    reader.absorb(inner)
                }
            } else {
                reader.fail(value, "queues", expected: "a table of queues")
            }
        }
        reader.finish()
        guard reader.problems.isEmpty else { throw Problems(reader.problems) }
    }
}
