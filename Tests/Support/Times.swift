import Model

/// The machine's time zones, which are read once for all tests of a process.
package let zones = ZoneDatabase()

/// The present time of all tests that name no other: a Saturday.
package let now = instant("2026-11-21T02:00:00.000Z")

/// The context of all files: read at ``now``, in UTC.
package let context = ReadingContext(now: now, zones: zones)

/// Reads an instant of the form `2026-11-21T02:00:00.000Z`.
package func instant(_ text: String) -> Instant { Instant(fixed: text.utf8)! }

/// The instant that is this many seconds after ``now``.
package func after(_ seconds: Int64) -> Instant { Instant(milliseconds: now.milliseconds + seconds * 1000) }
