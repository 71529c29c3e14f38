/// The treatment of wall times that daylight saving skips or repeats.
///
/// Options that are not set follow Debian cron's rule, which distinguishes *wildcard* schedules (the minute or hour field begins
/// with `*`) from *fixed* ones. A wildcard schedule is due at every real instant whose wall time matches. A fixed schedule is due
/// once for each matching wall time: skipped ones are due together at the first instant after the gap, repeated ones at the first
/// pass.
public struct DaylightRule: Sendable, Hashable {
    /// A matching wall time inside a gap. A wildcard schedule misses nothing and never runs for a gap.
    public enum Gap: UInt8, Sendable, Hashable { case run, skip }

    /// A matching wall time that occurs twice. When set, this applies to wildcard schedules too.
    public enum Repeated: UInt8, Sendable, Hashable { case first, both, last }

    public var gap: Gap?
    public var repeated: Repeated?

    public init(gap: Gap? = nil, repeated: Repeated? = nil) {
        self.gap = gap
        self.repeated = repeated
    }

    public static let standard = DaylightRule()

    /// A longer gap means that a zone skips a day, which is not daylight saving. Skipped times are not made up for then (cron(8)
    /// of Debian: changes of up to 3 hours).
    static let longestGapSeconds: Int64 = 3 * 3600
}
