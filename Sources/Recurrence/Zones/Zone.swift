/// A time zone: the ranges of constant UTC offset from 1970 to 2200, and the conversion between wall time and instants.
///
/// A `ZoneDatabase` makes zones. Share one instance among all users of the zone. Lookups take constant time and no lock.
public final class Zone: Sendable, CustomStringConvertible {
    /// The requested name, such as `Europe/Berlin`. For the machine's own zone, its IANA name if known.
    public let name: String

    /// A period during which the zone's offset and abbreviation stay the same.
    struct Range: Sendable, Hashable {
        /// UTC seconds, `start` inclusive, `end` exclusive. The first and last range reach beyond all instants in use.
        var start: Int64
        var end: Int64
        /// The seconds to add to UTC for wall time.
        var offset: Int32
        var isDaylight: Bool
        /// Index into `abbreviations`.
        var abbreviation: UInt16

        /// `start` and `end` as wall time of this range.
        @inline(__always) var localStart: Int64 { start &+ Int64(offset) }
        @inline(__always) var localEnd: Int64 { end &+ Int64(offset) }
    }

    /// Contiguous, ascending, never empty.
    let ranges: [Range]
    private let abbreviations: [String]
    /// For each stretch of 2^24 s (194 days) since 1970, the range that contains its beginning. No zone changes so often that a
    /// search from there needs more than a few steps.
    private let index: [Int32]

    private static let stretchBits: Int64 = 24
    static let beforeAll: Int64 = -(1 << 50)
    static let afterAll: Int64 = 1 << 50
    /// RFC 8536 §3.2 expects no offsets outside -25 to 26 hours. One bound is used for both signs.
    static let largestOffset: Int32 = 26 * 3600

    public static let utc = Zone(
        name: "UTC",
        ranges: [Range(start: beforeAll, end: afterAll, offset: 0, isDaylight: false, abbreviation: 0)],
        abbreviations: ["UTC"])

    /// A zone with the same offset at all times.
    convenience init(offsetSeconds: Int64) {
        let range = Range(start: Self.beforeAll, end: Self.afterAll, offset: Int32(offsetSeconds), isDaylight: false, abbreviation: 0)
        self.init(name: "offset", ranges: [range], abbreviations: ["offset"])
    }

    /// `ranges` must be ascending and contiguous from `beforeAll` to `afterAll`.
    init(name: String, ranges: [Range], abbreviations: [String]) {
        precondition(ranges.first?.start == Self.beforeAll && ranges.last?.end == Self.afterAll)
        self.name = name
        self.ranges = ranges
        self.abbreviations = abbreviations
        var index: [Int32] = []
        if ranges.count > 1 {
            let stretches = Int(Civil.endSeconds >> Self.stretchBits) + 1
            index.reserveCapacity(stretches)
            var range = 0
            for stretch in 0..<stretches {
                while ranges[range].end <= Int64(stretch) << Self.stretchBits { range += 1 }
                index.append(Int32(range))
            }
        }
        self.index = index
    }

    public var description: String { name }

    /// True when the other zone has the same name and the same times.
    func isAlike(_ other: Zone) -> Bool {
        name == other.name && ranges == other.ranges && abbreviations == other.abbreviations
    }

    // MARK: From instants to wall time

    /// The wall clock of the zone at an instant.
    public struct Offset: Hashable, Sendable {
        /// The seconds to add to UTC for wall time.
        public var seconds: Int
        /// The value of the database. It does not show the direction of a change: Dublin's winter is its "daylight saving", with
        /// the clock one hour back.
        public var isDaylight: Bool
        public var abbreviation: String
    }

    public func offset(at instant: Instant) -> Offset {
        let range = ranges[rangeIndex(at: Civil.floorDivide(instant.milliseconds, 1000))]
        return Offset(
            seconds: Int(range.offset), isDaylight: range.isDaylight, abbreviation: abbreviations[Int(range.abbreviation)])
    }

    public func offsetSeconds(at instant: Instant) -> Int {
        Int(ranges[rangeIndex(at: Civil.floorDivide(instant.milliseconds, 1000))].offset)
    }

    /// The range that contains the instant. Before 1970, the range of 1970.
    @inline(__always)
    func rangeIndex(at seconds: Int64) -> Int {
        if index.isEmpty { return 0 }
        let stretch = min(max(seconds, 0) >> Self.stretchBits, Int64(index.count &- 1))
        var range = Int(index[Int(stretch)])
        while range < ranges.count &- 1, ranges[range].end <= seconds { range &+= 1 }
        return range
    }

    // MARK: From wall time to instants

    /// The instants that a wall time can mean.
    public enum Resolution: Hashable, Sendable {
        case unique(Instant)
        /// The clock skips this wall time. `transition` is the first instant after the gap.
        case gap(transition: Instant)
        /// The clock shows this wall time twice. If it shows the time more often, these are the first and the last instant.
        case repeated(first: Instant, second: Instant)

        /// The first instant at or after the wall time.
        public var first: Instant {
            switch self {
            case .unique(let instant): instant
            case .gap(let transition): transition
            case .repeated(let first, _): first
            }
        }
    }

    /// `wall` is the wall time written as if it were UTC: 02:30 on 2026-03-29 as the instant 2026-03-29T02:30Z.
    public func resolve(wall: Instant) -> Resolution {
        let local = Civil.floorDivide(wall.milliseconds, 1000)
        let widest = Int64(Self.largestOffset)
        var range = rangeIndex(at: local &- widest)
        var first: Int64?
        var last: Int64?
        var gap: Int64?
        while range < ranges.count {
            let candidate = ranges[range]
            if candidate.start > local &+ widest { break }
            if local < candidate.localEnd {
                if local >= candidate.localStart || range == 0 {
                    let shift = Int64(candidate.offset)
                    if first == nil { first = shift }
                    last = shift
                } else if gap == nil, first == nil {
                    gap = candidate.start
                }
            }
            range += 1
        }
        func instant(_ shift: Int64) -> Instant { wall + Span(milliseconds: -shift * 1000) }
        if let first, let last {
            return first == last ? .unique(instant(first)) : .repeated(first: instant(first), second: instant(last))
        }
        return .gap(transition: Instant(seconds: gap ?? local))
    }

    /// The wall times in seconds that the clock skips when it is set forward at an instant. Nil when it is not set forward then.
    func gap(endingAt instant: Instant) -> Swift.Range<Int64>? {
        let second = Civil.floorDivide(instant.milliseconds, 1000)
        let number = rangeIndex(at: second)
        guard number > 0, instant == Instant(seconds: ranges[number].start) else { return nil }
        let (from, to) = (ranges[number - 1].localEnd, ranges[number].localStart)
        return from < to ? from..<to : nil
    }

    /// The first instant after `instant` at which the clock is set forward.
    func nextGapEnd(after instant: Instant) -> Instant? {
        var number = rangeIndex(at: Civil.floorDivide(instant.milliseconds, 1000)) + 1
        while number < ranges.count {
            if ranges[number].offset > ranges[number - 1].offset { return Instant(seconds: ranges[number].start) }
            number += 1
        }
        return nil
    }

    /// The times at which the clock shows a wall time of `walls`, in order. A repeated hour may give two of them, a gap none.
    func stretches(wall walls: Swift.Range<Instant>) -> [Swift.Range<Instant>] {
        var stretches: [Swift.Range<Instant>] = []
        let widest = Int64(Self.largestOffset)
        var range = rangeIndex(at: Civil.floorDivide(walls.lowerBound.milliseconds, 1000) &- widest)
        while range < ranges.count, ranges[range].start <= Civil.floorDivide(walls.upperBound.milliseconds, 1000) &+ widest {
            let shift = Int64(ranges[range].offset) * 1000
            let start = max(walls.lowerBound.milliseconds - shift, ranges[range].start * 1000)
            let end = min(walls.upperBound.milliseconds - shift, ranges[range].end * 1000)
            if start < end { stretches.append(Instant(milliseconds: start)..<Instant(milliseconds: end)) }
            range += 1
        }
        return stretches
    }
}
