import Glibc

/// The start times of processes that this process starts, mostly without a system call.
///
/// The kernel gives a process the tick of the boot clock at which it was made. When the clock showed the same tick before and after that,
/// this is the start time. Otherwise it is read from /proc. The first one is always read, and when the clock and /proc differ, as they may
/// in a sandbox, so are all others.
public struct StartTimes: Sendable {
    /// Nil until the first start time is read.
    private var isClockRight: Bool?

    private static let nanosecondsPerTick = 1_000_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))

    public init() {}

    /// The start time as ``Process/startTime(_:)`` returns it.
    public mutating func startTime(of process: Process.Started) throws(SystemError) -> UInt64 {
        let first = process.made.lowerBound / Self.nanosecondsPerTick
        let last = process.made.upperBound / Self.nanosecondsPerTick
        if isClockRight == true, first == last { return first }
        let read = try Process.startTime(process.pid)
        if isClockRight == nil { isClockRight = (first...last).contains(read) }
        return read
    }
}
