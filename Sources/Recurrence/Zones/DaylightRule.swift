/// What becomes of wall times that daylight saving skips or repeats.
///
/// Unset options are Debian cron's rule, which tells *wildcard* schedules (minute or hour field begins with `*`) from
/// *fixed* ones. Wildcard: every real instant whose wall time matches. Fixed: each matching wall time once; skipped
/// ones run together at the first instant after the gap, repeated ones at the first pass.
public struct DaylightRule: Sendable, Hashable {
    /// A matching wall time inside a gap. A wildcard schedule has nothing to make up for and never runs for one.
    public enum Gap: UInt8, Sendable, Hashable { case run, skip }

    /// A matching wall time that occurs twice. When set, it holds for wildcard schedules too.
    public enum Repeated: UInt8, Sendable, Hashable { case first, both, last }

    public var gap: Gap?
    public var repeated: Repeated?

    public init(gap: Gap? = nil, repeated: Repeated? = nil) {
        self.gap = gap
        self.repeated = repeated
    }

    public static let standard = DaylightRule()

    /// A longer gap is a zone that skips a day, not daylight saving, and what it skips is not made up for (cron(8) of
    /// Debian: changes of up to 3 hours).
    static let longestGapSeconds: Int64 = 3 * 3600
}
