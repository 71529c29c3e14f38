import Model

/// The machine's time zones, read once for all tests of a process.
package let zones = ZoneDatabase()

/// The instant at which everything happens unless a test says otherwise: a Saturday.
package let now = instant("2026-11-21T02:00:00.000Z")

/// Files are read at ``now``, in UTC.
package let context = ReadingContext(now: now, zones: zones)

/// An instant in the form that machines write, `2026-11-21T02:00:00.000Z`.
package func instant(_ text: String) -> Instant { Instant(fixed: text.utf8)! }

/// So many seconds after ``now``.
package func after(_ seconds: Int64) -> Instant { Instant(milliseconds: now.milliseconds + seconds * 1000) }
