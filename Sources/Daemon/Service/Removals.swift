import Store

/// Hidden directories that are removed in parts, one part in each turn: the number of files in a directory is up to its job.
struct Removals {
    private var paths: ArraySlice<String> = []
    private var raised = 0

    /// The maximum number of names that are removed in one turn.
    private static let namesPerTurn = 2048
    /// The number of names that is assumed for a path that was removed completely.
    private static let namesOfOne = 32

    var isEmpty: Bool { paths.isEmpty }

    mutating func add(_ path: String) { paths.append(path) }

    /// Continues the removal. Returns the paths that could not be removed, with the errors.
    mutating func step(_ fs: some FileSystem) -> [(path: String, error: SystemError)] {
        var failed: [(path: String, error: SystemError)] = []
        var left = Self.namesPerTurn
        while left > 0, let path = paths.first {
            left -= Self.namesOfOne
            do throws(SystemError) {
                guard try fs.removeTree(path, atMost: left, &raised) else { break }
            } catch {
                if error.errno != SystemError.noSuchFile { failed.append((path, error)) }
            }
            paths.removeFirst()
            raised = 0
        }
        return failed
    }
}
