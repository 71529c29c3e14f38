extension Int64 {
    /// The sum of two numbers of others, or the greatest number there is: a file can have a size of 2^63 - 1 bytes, see ftruncate(2), and
    /// there may be two of them. Neither number is negative.
    public func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, isTooLarge) = addingReportingOverflow(other)
        return isTooLarge ? .max : sum
    }
}
