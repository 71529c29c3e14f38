/// A set of the numbers 0 to 255, with one bit for each.
struct Bits256: Sendable, Hashable {
    private var words: SIMD4<UInt64> = .zero

    init() {}

    /// The numbers 0 to 63.
    var low: UInt64 { words[0] }

    var isEmpty: Bool { words == .zero }

    func contains(_ number: Int) -> Bool {
        number >= 0 && number < 256 && words[number >> 6] & (1 << UInt64(number & 63)) != 0
    }

    mutating func insert(_ number: Int) {
        precondition(number >= 0 && number < 256)
        words[number >> 6] |= 1 << UInt64(number & 63)
    }

    /// The smallest member at or above `number`.
    func first(atOrAbove number: Int) -> Int? {
        var place = max(number, 0)
        while place < 256 {
            let left = words[place >> 6] >> UInt64(place & 63)
            if left != 0 { return place + left.trailingZeroBitCount }
            place = (place | 63) + 1
        }
        return nil
    }

    /// The members as maximal ranges, ascending.
    var runs: [ClosedRange<Int>] {
        var runs: [ClosedRange<Int>] = []
        var place = first(atOrAbove: 0)
        while let begin = place {
            var end = begin
            while contains(end + 1) { end += 1 }
            runs.append(begin...end)
            place = first(atOrAbove: end + 1)
        }
        return runs
    }
}
