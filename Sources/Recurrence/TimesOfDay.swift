/// Seconds of the day: each combination of a matching hour, minute and second.
struct TimesOfDay: Sendable, Hashable {
    /// Bits 0 to 23.
    var hours: UInt32
    /// Bits 0 to 59.
    var minutes: UInt64
    var seconds: UInt64

    static let none = UInt32.max

    /// The first time of day. No set may be empty.
    @inline(__always)
    var first: UInt32 {
        UInt32(
            truncatingIfNeeded: hours.trailingZeroBitCount &* 3600 &+ minutes.trailingZeroBitCount &* 60
                &+ seconds.trailingZeroBitCount)
    }

    /// The first time at or after a second of the day, or `none`.
    @inline(__always)
    func first(atOrAfter time: UInt32) -> UInt32 {
        let hour = time / 3600
        let rest = time &- hour &* 3600
        let minute = rest / 60
        let second = rest &- minute &* 60
        if hours & (1 &<< hour) != 0 {
            if minutes & (1 &<< UInt64(minute)) != 0 {
                let left = seconds &>> UInt64(second)
                if left != 0 { return time &+ UInt32(truncatingIfNeeded: left.trailingZeroBitCount) }
            }
            let left = minutes & ~((UInt64(2) &<< UInt64(minute)) &- 1)
            if left != 0 {
                return UInt32(
                    truncatingIfNeeded: Int(hour) &* 3600 &+ left.trailingZeroBitCount &* 60
                        &+ seconds.trailingZeroBitCount)
            }
        }
        let left = hours & ~((UInt32(2) &<< hour) &- 1)
        if left == 0 { return Self.none }
        return UInt32(
            truncatingIfNeeded: left.trailingZeroBitCount &* 3600 &+ minutes.trailingZeroBitCount &* 60
                &+ seconds.trailingZeroBitCount)
    }

    /// The number of times, at most 86,400.
    var count: Int { hours.nonzeroBitCount * minutes.nonzeroBitCount * seconds.nonzeroBitCount }

    /// The nth time in order, from 0. n must be less than `count`.
    subscript(n: Int) -> UInt32 {
        let perMinute = seconds.nonzeroBitCount
        let perHour = minutes.nonzeroBitCount * perMinute
        let hour = UInt64(hours).member(n / perHour)
        let minute = minutes.member(n % perHour / perMinute)
        return UInt32(truncatingIfNeeded: (hour * 60 + minute) * 60 + seconds.member(n % perMinute))
    }
}

extension UInt64 {
    /// The bits of the numbers below 64.
    init(members: [Int]) {
        self = members.reduce(0) { $0 | 1 << UInt64($1) }
    }

    /// The position of the nth set bit, from 0. 64 when there are fewer.
    func member(_ n: Int) -> Int {
        var rest = self
        for _ in 0..<n { rest &= rest &- 1 }
        return rest.trailingZeroBitCount
    }
}
