/// Times as sorted ranges without overlaps. A question costs one binary search.
struct InstantRanges: Sendable {
    /// Ascending. Ranges that touch are one.
    let ranges: [Range<Instant>]

    init(_ unsorted: [Range<Instant>]) {
        var merged: [Range<Instant>] = []
        for range in unsorted.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        ranges = merged
    }

    /// The range that contains an instant.
    func range(containing instant: Instant) -> Range<Instant>? {
        range(endingAfter: instant).flatMap { $0.lowerBound <= instant ? $0 : nil }
    }

    /// The first range that ends after an instant.
    func range(endingAfter instant: Instant) -> Range<Instant>? {
        let place = ranges.partitioningIndex { $0.upperBound > instant }
        return place < ranges.count ? ranges[place] : nil
    }

    /// The first range that begins after an instant.
    func range(beginningAfter instant: Instant) -> Range<Instant>? {
        let place = ranges.partitioningIndex { $0.lowerBound > instant }
        return place < ranges.count ? ranges[place] : nil
    }

    /// The last range that ends at or before an instant.
    func range(endingBy instant: Instant) -> Range<Instant>? {
        let place = ranges.partitioningIndex { $0.upperBound > instant }
        return place > 0 ? ranges[place - 1] : nil
    }

    func contains(_ instant: Instant) -> Bool { range(containing: instant) != nil }
}

extension Array {
    /// The index of the first element for which `isAfter` is true. It is true for all elements after that one.
    func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
