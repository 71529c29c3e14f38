/// A set of the days of a year or a shorter period: the numbers 0 to 383, one bit each.
struct YearDays: Sendable, Hashable {
    // 32 bits each, so the days of a month touch at most two neighbours. The last words stay empty.
    private var words: SIMD16<UInt32> = .zero

    private static let end = 384

    init() {}

    var isEmpty: Bool { words == .zero }

    mutating func insert(_ day: Int) {
        precondition(day >= 0 && day < Self.end)
        words[day >> 5] |= 1 << UInt32(day & 31)
    }

    /// Inserts the days whose bits are set, counted from `first`.
    mutating func insert(_ days: UInt32, from first: Int) {
        precondition(first >= 0 && first <= Self.end - 32)
        let spread = UInt64(days) << UInt64(first & 31)
        words[first >> 5] |= UInt32(truncatingIfNeeded: spread)
        words[first >> 5 + 1] |= UInt32(truncatingIfNeeded: spread >> 32)
    }

    /// 32 days, beginning at `first`, as bits from 0.
    func days(from first: Int) -> UInt32 {
        precondition(first >= 0 && first < Self.end)
        let pair = UInt64(words[first >> 5]) | UInt64(words[first >> 5 + 1]) << 32
        return UInt32(truncatingIfNeeded: pair >> UInt64(first & 31))
    }

    var count: Int {
        var count = 0
        for place in 0..<(Self.end >> 5) { count += words[place].nonzeroBitCount }
        return count
    }

    /// The nth day of the set in order, from 0. n must be less than `count`.
    func member(_ n: Int) -> Int {
        var rest = n
        for place in 0..<(Self.end >> 5) {
            let here = words[place].nonzeroBitCount
            if rest < here { return place << 5 + UInt64(words[place]).member(rest) }
            rest -= here
        }
        preconditionFailure("fewer than \(n) days")
    }
}
