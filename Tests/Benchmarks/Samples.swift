/// Measured values.
struct Samples {
    private(set) var values: [Double]

    init(_ values: [Double] = []) { self.values = values }

    var count: Int { values.count }

    mutating func add(_ value: Double) { values.append(value) }

    var median: Double { percentile(50) }

    var largest: Double { values.max() ?? .nan }

    /// The smallest value that is not exceeded by `per` per cent of all values (nearest rank).
    func percentile(_ per: Int) -> Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        return sorted[max(0, (sorted.count * per + 99) / 100 - 1)]
    }
}
