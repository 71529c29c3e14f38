import Scheduler

/// A clock that has jumped ahead may be wrong, as one is that has lost its battery until the network has told the time: all records would
/// seem to be old. So none goes for an hour after it moved by more than two days from one look to the next.
struct ClockTrial {
    private(set) var seenAt: Instant?
    private(set) var endsAt: Instant?

    private static let jumpMilliseconds: Int64 = 2 * 86_400_000
    private static let milliseconds: Int64 = 3_600_000

    /// True when it has jumped since it was last seen.
    @discardableResult
    mutating func see(_ instant: Instant) -> Bool {
        defer { seenAt = instant }
        guard let seenAt, instant.milliseconds - seenAt.milliseconds > Self.jumpMilliseconds else { return false }
        endsAt = instant.advanced(byMilliseconds: Self.milliseconds)
        return true
    }

    /// Not any more either when the clock was set back to before the jump: then that is what was wrong.
    func isUnderWay(at now: Instant) -> Bool {
        guard let endsAt else { return false }
        return now < endsAt && endsAt.milliseconds - now.milliseconds <= Self.milliseconds
    }
}
