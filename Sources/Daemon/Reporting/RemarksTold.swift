/// What the log has said of jobs that were begun otherwise than they say. A user's home that is not there is so for each of that user's
/// jobs, and is told of once.
struct RemarksTold {
    private var told: Set<String> = []

    /// Whether it has not been told of.
    mutating func isNew(_ remark: String) -> Bool { told.insert(remark).inserted }
}
