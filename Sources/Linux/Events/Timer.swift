import CLinux
import Glibc

/// One alarm by the wall clock, timerfd_create(2) with CLOCK_REALTIME. It also reports when that clock is set.
public struct Timer: ~Copyable {
    /// Readable when the alarm has gone off or the clock was set; non-blocking.
    public let descriptor: FileDescriptor

    /// The reason why the timer's descriptor is readable.
    public enum Event: Sendable {
        case fired
        /// A person or NTP has set the clock. The alarm is still set for the same wall time.
        case clockChanged
    }

    public init() throws(SystemError) {
        descriptor = FileDescriptor(
            owning: try attempt("timerfd_create") { timerfd_create(CLOCK_REALTIME, Int32(TFD_CLOEXEC | TFD_NONBLOCK)) })
    }

    /// Sets the alarm to a time in milliseconds since the epoch, timerfd_settime(2). An alarm in the past goes off at once. Returns true
    /// when the clock was set since the timer was last read; the alarm is set in this case too.
    @discardableResult
    public borrowing func set(milliseconds: Int64) throws(SystemError) -> Bool {
        // Zero would cancel the alarm. The clock is never before 1970.
        let instant = max(milliseconds, 1)
        return try set(timespec(tv_sec: time_t(instant / 1000), tv_nsec: Int(instant % 1000) * 1_000_000))
    }

    /// Cancels the alarm. Changes of the clock are not reported any more either.
    public borrowing func disarm() throws(SystemError) { _ = try set(timespec()) }

    private borrowing func set(_ instant: timespec) throws(SystemError) -> Bool {
        let raw = descriptor.raw
        var value = itimerspec(it_interval: timespec(), it_value: instant)
        do throws(SystemError) {
            try attempt("timerfd_settime") { timerfd_settime(raw, Timer.flags, &value, nil) }
            return false
        } catch where error.errno == ECANCELED {
            return true
        }
    }

    private static let flags = Int32(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)

    /// The event since the last call. Nil when there was none.
    public borrowing func read() throws(SystemError) -> Event? {
        let raw = descriptor.raw
        var expirations: UInt64 = 0
        do throws(SystemError) {
            try attempt("read") { Glibc.read(raw, &expirations, 8) }
            return .fired
        } catch where error.errno == EAGAIN {
            return nil
        } catch where error.errno == ECANCELED {
            return .clockChanged
        }
    }
}
