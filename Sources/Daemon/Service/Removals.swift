import Store

/// What was put aside to be removed, some of it in each turn: how much a job has left in its directory is up to the job.
struct Removals {
    private var paths: ArraySlice<String> = []
    private var raised = 0

    /// How many names go in one turn.
    private static let namesPerTurn = 2048
    /// So many are taken for those of a path of which all went.
    private static let namesOfOne = 32

    var isEmpty: Bool { paths.isEmpty }

    mutating func add(_ path: String) { paths.append(path) }

    /// Goes on, and returns what could not be removed and why.
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
