import Linux
import Recurrence

/// The rate at which due times are found, one after the other.
extension Suite {
    func measureRecurrence(_ name: String) throws {
        let rows = [("*/5 * * * *", "UTC", 5.0), ("0 9 * * 1-5", "Europe/Berlin", 2.0), ("0 0 29 2 *", "UTC", 1.0),
            ("15 2 * * 0", "Europe/Berlin", 1.0), ("0 0 12 ? * 6#3", "Europe/Berlin", 1.0),
            ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "Europe/Berlin", 1.0),
            ("FREQ=MONTHLY;BYDAY=-1FR", "Europe/Berlin", 1.0),
        ]
        let zones = ZoneDatabase()
        for (expression, zoneName, bar) in rows {
            let zone = try zones.zone(zoneName)
            let recurrence =
                expression.hasPrefix("FREQ=")
                ? try Recurrence.rrule(expression, zone: zone)
                : try Recurrence.cron(expression, zone: zone, zones: zones, stableSeed: 0)
            _ = Self.walk(recurrence, count: 10_000)  // loads the zone
            let count = options.isSmoke ? 100_000 : 5_000_000
            let seconds = System.seconds { _ = Self.walk(recurrence, count: count) }
            let millions = Double(count) / seconds / 1e6
            report.add(
                Row(
                    measure: "\(name), \(expression)", ours: "\(decimal(millions)) million/s, \(zoneName)",
                    bar: "at least \(decimal(bar, 0)) million/s", isMet: millions >= bar))
        }
    }

    /// Goes from due time to due time, from 2026 to the last one, and again. Returns the last one, so that the compiler cannot
    /// leave out any step.
    @inline(never)
    private static func walk(_ recurrence: Recurrence, count: Int) -> Instant {
        let origin = Instant(seconds: 1_767_225_600)  // 2026-01-01T00:00:00Z
        var instant = origin
        for _ in 0..<count { instant = recurrence.next(after: instant, origin: origin) ?? origin }
        return instant
    }
}
