@testable import Recurrence

/// The machine's time-zone database, which is read once for all tests.
let database = ZoneDatabase()

/// An instant of RFC 3339, or a wall time of a zone. TestSupport has a function of the same name that reads only one form, so the
/// files here import other names of TestSupport one by one.
func instant(_ text: String, _ zone: Zone = .utc) throws -> Instant {
    try Instant.parse(text, zone: zone, now: Instant(milliseconds: 0))
}

func cron(_ text: String, _ zone: Zone = .utc, daylight: DaylightRule = .standard) throws -> Recurrence {
    try Recurrence.cron(text, zone: zone, zones: database, stableSeed: 1, daylight: daylight)
}

extension Recurrence {
    /// Due instants in `(start, end)`, at most `limit` of them.
    func due(after start: Instant, before end: Instant? = nil, limit: Int = 10_000) -> [Instant] {
        var found: [Instant] = []
        var last = start
        while found.count < limit, let due = next(after: last, origin: start) {
            if let end, due >= end { break }
            found.append(due)
            last = due
        }
        return found
    }
}

/// `2026-03-29T03:00+02:00`: the wall time to the minute, as in the tables.
func minuteText(_ instant: Instant, in zone: Zone) -> String {
    let text = instant.rfc3339(in: zone)
    return String(text.prefix(16)) + text.suffix(6)
}
