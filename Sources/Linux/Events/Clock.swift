import Glibc

/// The system's wall clock, clock_gettime(2). For deadlines and measurements see ``MonotonicInstant``.
public enum Clock {
    /// Wall time, milliseconds since the epoch, CLOCK_REALTIME.
    public static func now() -> Int64 {
        let time = read(CLOCK_REALTIME)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "every Linux has these clocks")
        return time
    }
}
