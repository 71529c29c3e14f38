import Glibc

/// A moment by the clock that is never set, CLOCK_MONOTONIC: for deadlines and measurements. It does not count the time that the machine
/// sleeps, and means nothing after a reboot or in another process's time namespace.
public struct MonotonicInstant: Comparable, Hashable, Sendable {
    /// Since some moment in the past.
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

    /// The time left until this moment, rounded up, so that the moment has come when such a wait is over; 0 when it is in the past.
    public func millisecondsLeft(at now: MonotonicInstant = .now()) -> Int64 {
        let left = nanoseconds(since: now)
        return left <= 0 ? 0 : left / 1_000_000 + (left % 1_000_000 == 0 ? 0 : 1)
    }

    /// ``millisecondsLeft(at:)`` as poll(2) takes it.
    public func pollTimeout(at now: MonotonicInstant = .now()) -> Int32 { Int32(clamping: millisecondsLeft(at: now)) }
}
