import Glibc

/// A moment of the clock that nobody can set, CLOCK_MONOTONIC, for deadlines and measurements. The clock stands still while the machine
/// sleeps. A moment has no meaning after a reboot or in another time namespace.
public struct MonotonicInstant: Comparable, Hashable, Sendable {
    /// The time since an unspecified moment in the past.
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public init(milliseconds: Int64) { nanoseconds = milliseconds * 1_000_000 }

    /// The present moment, clock_gettime(2).
    public static func now() -> MonotonicInstant {
        let time = Clock.read(CLOCK_MONOTONIC)
        return MonotonicInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    public static func < (a: MonotonicInstant, b: MonotonicInstant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Saturates, so that an endless wait stays endless.
    public func advanced(byNanoseconds count: Int64) -> MonotonicInstant {
        let (sum, isTooMuch) = nanoseconds.addingReportingOverflow(count)
        return MonotonicInstant(nanoseconds: isTooMuch ? (count < 0 ? .min : .max) : sum)
    }

    /// Saturates, as above.
    public func advanced(byMilliseconds count: Int64) -> MonotonicInstant {
        let (nanoseconds, isTooMuch) = count.multipliedReportingOverflow(by: 1_000_000)
        return advanced(byNanoseconds: isTooMuch ? (count < 0 ? .min : .max) : nanoseconds)
    }

    /// Negative when `start` is later.
    public func nanoseconds(since start: MonotonicInstant) -> Int64 { nanoseconds - start.nanoseconds }

    /// Whole milliseconds; negative when `start` is later.
    public func milliseconds(since start: MonotonicInstant) -> Int64 { nanoseconds(since: start) / 1_000_000 }

    /// The milliseconds left until this moment, or 0 when it is in the past. They are rounded up, so that a wait of this length is not too
    /// short.
    public func millisecondsLeft(at now: MonotonicInstant = .now()) -> Int64 {
        let left = nanoseconds(since: now)
        return left <= 0 ? 0 : left / 1_000_000 + (left % 1_000_000 == 0 ? 0 : 1)
    }

    /// ``millisecondsLeft(at:)`` as poll(2) takes it.
    public func pollTimeout(at now: MonotonicInstant = .now()) -> Int32 { Int32(clamping: millisecondsLeft(at: now)) }
}
