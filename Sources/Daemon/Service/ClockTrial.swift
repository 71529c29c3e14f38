import Scheduler

/// A clock that has jumped ahead may be wrong: a clock without a battery is, until the network sets it. All records would seem to
/// be old. So no record is removed for an hour after the clock moved by more than two days between two checks.
struct ClockTrial {
    private(set) var seenAt: Instant?
    private(set) var endsAt: Instant?

    private static let jumpMilliseconds: Int64 = 2 * 86_400_000
    private static let milliseconds: Int64 = 3_600_000

    /// True when the clock has jumped since the last check.
    @discardableResult
    mutating func see(_ instant: Instant) -> Bool {
        defer { seenAt = instant }
        guard let seenAt, instant.milliseconds - seenAt.milliseconds > Self.jumpMilliseconds else { return false }
        endsAt = instant.advanced(byMilliseconds: Self.milliseconds)
        return true
    }

    /// The trial also ends when the clock is set back to before the jump: then the jump was the error.
    func isUnderWay(at now: Instant) -> Bool {
        guard let endsAt else { return false }
        return now < endsAt && endsAt.milliseconds - now.milliseconds <= Self.milliseconds
    }
}
