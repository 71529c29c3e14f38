/// A time beside a recurrence rule (`dtstart`, `exdate`): the wall time as written, and the instant that it means.
public struct RRuleTime: Sendable, Hashable {
    /// The zone's wall time in seconds since 1970-01-01 00:00, as if it were UTC. A wall time that the clock skips is kept as
    /// written.
    let wall: Int64
    /// One second, or the whole day when a date was written.
    let instants: Range<Instant>
    /// True when the text counts from now, so that each reading gives another time.
    public let isRelative: Bool
    /// RFC 3339 with the zone's offset, or without an offset when none was written.
    public let description: String

    /// Reads the forms of `Instant.parse`, and `19970902T090000[Z]` and `19970902` of RFC 5545, between the years 1 and 2199. A
    /// text without an offset is a wall time of `zone`. Fractions of a second are dropped. The offsets of `zone` before 1970 are
    /// unknown, so its offset at the beginning of 1970 is used.
    public static func parse(_ text: String, zone: Zone, now: Instant) throws(RecurrenceError) -> RRuleTime {
        if let basic = try BasicTime.parse(text) {
            let written = Instant(seconds: basic.wall)
            let instant = basic.form == .utc ? written : zone.resolve(wall: written).first
            return try RRuleTime(
                text, instant, wall: basic.form == .utc ? nil : basic.wall, isDate: basic.form == .date, isRelative: false, zone)
        }
        var parser = InstantParser(text, zone: zone, now: now)
        let instant = try parser.parse()
        return try RRuleTime(
            text, instant, wall: parser.wall.map { Civil.floorDivide($0, 1000) }, isDate: parser.isDate,
            isRelative: parser.isRelative, zone)
    }

    private static let firstWall = Civil.days(year: 1, month: 1, day: 1) * Civil.secondsPerDay

    private init(
        _ text: String, _ instant: Instant, wall: Int64?, isDate: Bool, isRelative: Bool, _ zone: Zone
    ) throws(RecurrenceError) {
        let second = Civil.floorDivide(instant.milliseconds, 1000)
        let first = Instant(seconds: second)
        let shown = wall ?? second + Int64(zone.offsetSeconds(at: first))
        guard shown >= Self.firstWall, instant.milliseconds < Civil.endSeconds * 1000 else {
            throw RecurrenceError("\(quoted(text)) is not between the years 1 and 2199")
        }
        self.wall = shown
        self.isRelative = isRelative
        if let wall, isDate {
            let midnight = Instant(seconds: wall + Civil.secondsPerDay)
            instants = first..<max(zone.resolve(wall: midnight).first, Instant(seconds: second + 1))
            description = String(Instant(seconds: wall).rfc3339.prefix(10))
        } else {
            instants = first..<Instant(seconds: second + 1)
            description = wall.map { String(Instant(seconds: $0).rfc3339.prefix(19)) } ?? first.rfc3339(in: zone)
        }
    }
}
