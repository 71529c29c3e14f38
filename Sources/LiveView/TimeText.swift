import Store

/// Times and lengths of time in the forms that people read.
public enum TimeText {
    /// `2026-11-21 03:00:00` in a zone.
    public static func wall(_ instant: Instant, _ zone: Zone) -> String {
        var text = Array(instant.rfc3339(in: zone).utf8.prefix(19))
        text[10] = UInt8(ascii: " ")
        return String(decoding: text, as: UTF8.self)
    }

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

    /// The same in whole seconds, for a time that is still running: `3s`, `5m12s`.
    public static func clock(_ milliseconds: Int64) -> String {
        abs(milliseconds) < 60_000 ? "\(milliseconds / 1000)s" : length(milliseconds)
    }

    /// `in 5m12s`, `3h02m ago`.
    public static func distance(_ instant: Instant, from now: Instant) -> String {
        let difference = instant.milliseconds - now.milliseconds
        if abs(difference) < 1000 { return "now" }
        return difference > 0 ? "in \(length(difference))" : "\(length(-difference)) ago"
    }

    public static func bytes(_ count: Int64) -> String {
        if count < 1 << 10 { return "\(count) B" }
        if count < 1 << 20 { return "\(count >> 10) KiB" }
        if count < 1 << 30 { return "\(count >> 20) MiB" }
        return "\(count >> 30) GiB"
    }

    private static func padded(_ number: UInt64, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
