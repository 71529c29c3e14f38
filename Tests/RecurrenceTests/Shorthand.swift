@testable import Recurrence

/// The machine's database, read once for all tests.
let database = ZoneDatabase()

/// An instant as RFC 3339, or a wall time of a zone. TestSupport has a function of the same name that reads one form only,
/// so the files here import from TestSupport by name.
func instant(_ text: String, _ zone: Zone = .utc) throws -> Instant {
    try Instant.parse(text, zone: zone, now: Instant(milliseconds: 0))
}

func cron(_ text: String, _ zone: Zone = .utc, daylight: DaylightRule = .standard) throws -> Recurrence {
    try Recurrence.cron(text, zone: zone, zones: database, stableSeed: 1, daylight: daylight)
}

extension Recurrence {
    /// Due instants in `(start, end)`, at most so many.
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

/// `2026-03-29T03:00+02:00`: wall time to the minute, as the tables write it.
func minuteText(_ instant: Instant, in zone: Zone) -> String {
    let text = instant.rfc3339(in: zone)
    return String(text.prefix(16)) + text.suffix(6)
}
