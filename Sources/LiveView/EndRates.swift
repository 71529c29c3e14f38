import Store

/// Counts the jobs that have ended in each second of the last hour.
public struct EndRates: Sendable {
    public struct Count: Equatable, Sendable {
        public var ended = 0
        public var failed = 0

        public init(ended: Int = 0, failed: Int = 0) {
            self.ended = ended
            self.failed = failed
        }
    }

    private var bySecond: [Int64: Count] = [:]

    public static let minuteSeconds: Int64 = 60
    public static let hourSeconds: Int64 = 3600

    public init() {}

    public mutating func add(at instant: Instant, isFailure: Bool) {
        let second = instant.milliseconds / 1000
        if bySecond[second] == nil, bySecond.count > 2 * Int(Self.hourSeconds) {
            bySecond = bySecond.filter { $0.key > second - Self.hourSeconds }
        }
        bySecond[second, default: Count()].ended += 1
        if isFailure { bySecond[second, default: Count()].failed += 1 }
    }

    public mutating func add(_ other: EndRates) {
        for (second, count) in other.bySecond {
            bySecond[second, default: Count()].ended += count.ended
            bySecond[second, default: Count()].failed += count.failed
        }
    }

    /// The number of jobs that ended in the last so many seconds, the current second included.
    public func count(seconds: Int64, now: Instant) -> Count {
        let second = now.milliseconds / 1000
        var sum = Count()
        for (key, count) in bySecond where key > second - seconds && key <= second {
            sum.ended += count.ended
            sum.failed += count.failed
        }
        return sum
    }

    /// The time at which the minute's or the hour's count next decreases, if no other job ends.
    public func changes(after now: Instant) -> Instant? {
        let second = now.milliseconds / 1000
        var next: Int64?
        for key in bySecond.keys where key <= second {
            for length in [Self.minuteSeconds, Self.hourSeconds] where key + length > second {
                next = min(next ?? .max, key + length)
            }
        }
        return next.map { Instant(milliseconds: $0 * 1000) }
    }
}
