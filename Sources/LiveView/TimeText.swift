import Store

/// Times and lengths of time in the forms that people read.
public enum TimeText {
    /// `2026-11-21 03:00:00` in a zone.
    public static func wall(_ instant: Instant, _ zone: Zone) -> String {
        var text = Array(instant.rfc3339(in: zone).utf8.prefix(19))
        text[10] = UInt8(ascii: " ")
        return String(decoding: text, as: UTF8.self)
    }

    /// The shortest text that the nearest days allow: `13:30` today, `Mon 02:30` within six days, `24 Dec 18:00` within ten
    /// months, else `2027-12-24`.
    public static func brief(_ instant: Instant, _ zone: Zone, now: Instant) -> String {
        let (wall, today) = (WallTime(instant, zone), WallTime(now, zone))
        let days = wall.day - today.day
        if days == 0 { return wall.clock }
        if abs(days) <= 6 { return "\(wall.weekday) \(wall.clock)" }
        if abs(days) <= 300 { return "\(wall.date) \(wall.clock)" }
        return String(Self.wall(instant, zone).prefix(10))
    }

    /// Within a sentence or a wide column: `Sun 29 Nov 18:00`, with the year when it is not this one, and with seconds when there are some.
    public static func dated(_ instant: Instant, _ zone: Zone, now: Instant) -> String {
        let wall = WallTime(instant, zone)
        let year = wall.year == WallTime(now, zone).year ? "" : " \(wall.year)"
        return "\(wall.weekday) \(wall.date)\(year) \(wall.second == "00" ? wall.clock : "\(wall.clock):\(wall.second)")"
    }

    /// `dated`, with the zone: `Sun 29 Nov 18:00 CET`.
    public static func spoken(_ instant: Instant, _ zone: Zone, now: Instant) -> String {
        "\(dated(instant, zone, now: now)) \(abbreviation(instant, zone))"
    }

    /// Another clock's time beside one that was written: `03:30 CET`, with the day when it is another one, `Tue 03:30 CET`.
    public static func beside(_ instant: Instant, _ zone: Zone, _ written: Zone) -> String {
        let wall = WallTime(instant, zone)
        let day = wall.day == WallTime(instant, written).day ? "" : "\(wall.weekday) "
        return "\(day)\(wall.clock) \(abbreviation(instant, zone))"
    }

    /// `CET`; the offset, such as `+03`, for a zone that has no letters.
    public static func abbreviation(_ instant: Instant, _ zone: Zone) -> String { zone.offset(at: instant).abbreviation }

    /// `2026-11-21T03:00:00+01:00`, or `…Z` with `asZulu`. Milliseconds are left out when they are zero.
    public static func local(_ instant: Instant, _ zone: Zone, asZulu: Bool = false) -> String {
        let text = Array((asZulu ? instant.rfc3339 : instant.rfc3339(in: zone)).utf8)
        let shown = instant.milliseconds % 1000 == 0 ? text.prefix(19) + text.suffix(asZulu ? 1 : 6) : text[...]
        return String(decoding: shown, as: UTF8.self)
    }

    /// A length in at most two units: `3d4h`, `5m12s`, `1.250s`.
    public static func length(_ milliseconds: Int64) -> String {
        let size = milliseconds.magnitude
        let sign = milliseconds < 0 ? "-" : ""
        let seconds = size / 1000
        if size < 1000 { return "\(sign)\(size)ms" }
        if seconds < 60 { return "\(sign)\(seconds).\(padded(size % 1000 / 100, 1))s" }
        if seconds < 3600 { return "\(sign)\(seconds / 60)m\(padded(seconds % 60, 2))s" }
        if seconds < 86_400 { return "\(sign)\(seconds / 3600)h\(padded(seconds / 60 % 60, 2))m" }
        return "\(sign)\(seconds / 86_400)d\(padded(seconds / 3600 % 24, 2))h"
    }

    /// The same for a narrow column: in whole seconds from ten seconds on, `41s`.
    public static func short(_ milliseconds: Int64) -> String { abs(milliseconds) < 10_000 ? length(milliseconds) : clock(milliseconds) }

    /// The same in whole seconds, for a time that is still running: `3s`, `5m12s`.
    public static func clock(_ milliseconds: Int64) -> String {
        abs(milliseconds) < 60_000 ? "\(milliseconds / 1000)s" : length(milliseconds)
    }

    /// `in 20s`, `in 5m12s`, `3h02m ago`.
    public static func distance(_ instant: Instant, from now: Instant) -> String {
        let difference = instant.milliseconds - now.milliseconds
        if abs(difference) < 1000 { return "now" }
        return difference > 0 ? "in \(clock(difference))" : "\(clock(-difference)) ago"
    }

    public static func bytes(_ count: Int64) -> String {
        if count < 1 << 10 { return "\(count) B" }
        if count < 1 << 20 { return "\(count >> 10) KiB" }
        if count < 1 << 30 { return "\(count >> 20) MiB" }
        return "\(count >> 30) GiB"
    }

    /// The parts of a wall time as text.
    private struct WallTime {
        let year: String
        /// `24 Dec`.
        let date: String
        /// `Mon`.
        let weekday: String
        /// `18:00`.
        let clock: String
        let second: String
        /// The days since 1970.
        let day: Int64

        private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

        init(_ instant: Instant, _ zone: Zone) {
            let text = TimeText.wall(instant, zone)
            let parts = text.split(whereSeparator: { "- :".contains($0) }).map(String.init)
            year = parts[0]
            date = "\(parts[2].hasPrefix("0") ? String(parts[2].dropFirst()) : parts[2]) \(Self.months[(Int(parts[1]) ?? 1) - 1])"
            clock = "\(parts[3]):\(parts[4])"
            second = parts[5]
            let milliseconds = instant.milliseconds + Int64(zone.offsetSeconds(at: instant)) * 1000
            day = milliseconds >= 0 ? milliseconds / 86_400_000 : (milliseconds + 1) / 86_400_000 - 1
            // 1970-01-01 was a Thursday.
            weekday = Self.weekdays[Int((day % 7 + 7) % 7)]
        }
    }

    private static func padded(_ number: UInt64, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
