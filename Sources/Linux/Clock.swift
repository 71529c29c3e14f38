import Glibc

/// The system's clocks, clock_gettime(2).
public enum Clock {
    /// Wall time, milliseconds since the epoch, CLOCK_REALTIME.
    public static func now() -> Int64 { milliseconds(CLOCK_REALTIME) }

    /// Milliseconds since some moment in the past, never going back and not counting sleep, CLOCK_MONOTONIC.
    public static func monotonicMilliseconds() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    /// Nanoseconds by the same clock, for measurements.
    public static func monotonicNanoseconds() -> Int64 {
        let time = read(CLOCK_MONOTONIC)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        let time = read(clock)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "every Linux has these clocks")
        return time
    }
}
