/// Finds fewer steps that still fail.
package enum Shrinking {
    package struct Failure: CustomStringConvertible {
        package var steps: [Step]
        package var violation: String

        package var description: String {
            "\(violation)\nin \(steps.count) steps:\n" + steps.map { "  \($0)" }.joined(separator: "\n")
        }
    }

    /// Removes ever smaller parts of the steps while the rest still fails in the same way. Nil when the steps do not fail.
    package static func shrink(_ steps: [Step], bug: SimulatedDisk.Bug? = nil) -> Failure? {
        var way: [Substring]?
        func failure(_ steps: [Step]) -> Failure? {
            guard let violation = Run(steps, bug: bug).perform().violation else { return nil }
            if let way, self.way(violation) != way { return nil }
            return Failure(steps: steps, violation: violation)
        }
        guard var best = failure(steps) else { return nil }
        way = self.way(best.violation)
        var size = max(1, best.steps.count / 2)
        while true {
            var start = 0
            var isSmaller = false
            while start < best.steps.count {
                var fewer = best.steps
                fewer.removeSubrange(start..<min(start + size, fewer.count))
                if let failure = failure(fewer) {
                    best = failure
                    isSmaller = true
                } else {
                    start += size
                }
            }
            if size == 1, !isSmaller { return best }
            size = max(1, size / 2)
        }
    }

    /// The first words of a failure, without names of jobs.
    private static func way(_ violation: String) -> [Substring] {
        Array(violation.split(separator: " ").filter { !$0.contains(where: \.isNumber) }.prefix(3))
    }
}
