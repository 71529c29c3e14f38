import Linux

/// Paths in the spool that were not ready or could not be read, with the time at which they are read again. No event occurs when
/// the writer of a file that was linked in closes it under another name, or when descriptors are available again.
struct UnreadyPaths {
    /// The time after which a file that was not ready is read again.
    static let milliseconds: Int64 = 500

    private var paths: Set<String> = []
    private(set) var lookAt: MonotonicInstant?

    var isEmpty: Bool { paths.isEmpty }

    func contains(_ path: String) -> Bool { paths.contains(path) }

    mutating func add(_ path: String, at due: MonotonicInstant) {
        lookAt = min(lookAt ?? due, due)
        paths.insert(path)
    }

    /// All paths, once the first of them is due.
    mutating func takeDue(at now: MonotonicInstant) -> [String] {
        guard let lookAt, now >= lookAt else { return [] }
        defer { self = UnreadyPaths() }
        return paths.sorted()
    }
}
