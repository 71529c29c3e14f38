/// The records of tasks that limit their number, as `keep = {count = N}` does. The latest ones stay, and the older ones are put aside.
///
/// Invariants:
/// - The records of a task are found once, and then remembered. One walk over the names in done/ and failed/, some at a time, finds those
///   of all tasks of which a job had ended before the walk began.
/// - A record counts once, and only while it is there: somebody may remove or move it.
public struct CountedRecords {
    private typealias Entry = (id: JobID, state: JobState)

    /// The records of each task that are known, oldest first.
    private var known: [String: [Entry]] = [:]
    /// The tasks whose records are still to be found, each with the number that its latest job keeps.
    private var unknown: [String: Int] = [:]
    private var walk: Walk?

    private struct Walk {
        var names: [(state: JobState, name: String)] = []
        /// The tasks whose records are being found, each with the number that its latest job keeps.
        var counts: [String: Int]
        var found: [String: [Entry]] = [:]
    }

    /// The number of names and of files that are read in one step.
    private static let namesPerStep = 4096
    private static let filesPerStep = 32

    public init() {}

    /// True when ``step(_:remove:)`` has work to do.
    public var hasWork: Bool { walk != nil || !unknown.isEmpty }

    /// Counts the record of a job of a task, which keeps the latest `count` records. `remove` is called with each record that is put
    /// aside.
    public mutating func add(
        _ id: JobID, _ state: JobState, of task: String, keeping count: Int, _ fs: some FileSystem, remove: (String) -> Void
    ) throws(SystemError) {
        if let records = known[task] {
            known[task] = records.filter { $0.id != id } + [(id, state)]
            try putAside(of: task, keeping: count, fs, remove)
        } else if walk?.counts[task] != nil {
            // The walk may have passed this record's name, or have begun before the job ended.
            walk?.counts[task] = count
            walk?.found[task, default: []].append((id, state))
        } else {
            unknown[task] = count
        }
    }

    /// Continues the walk. `remove` is called with each record that is put aside. Returns the tasks of which one could not be put aside.
    public mutating func step(
        _ fs: some FileSystem, remove: (String) -> Void
    ) throws(SystemError) -> [(task: String, error: SystemError)] {
        if walk == nil, !unknown.isEmpty {
            var begun = Walk(counts: unknown)
            for state in [JobState.done, .failed] { begun.names += try fs.list(Layout.directory(state)).map { (state, $0.name) } }
            (walk, unknown) = (begun, [:])
        }
        guard var walk else { return [] }
        // Taken out of `self` while it changes, so that its lists are not copied.
        self.walk = nil
        var files = 0
        for _ in 0..<Self.namesPerStep {
            guard files < Self.filesPerStep, let (state, name) = walk.names.popLast() else { break }
            guard let id = JobID(name), walk.counts[id.name] != nil else { continue }
            files += 1
            do throws(SystemError) {
                if try Self.isRun(id, state, fs) { walk.found[id.name, default: []].append((id, state)) }
            } catch {
                // A record that cannot be read is not counted, and stays.
                guard error.isOfOnePath else {
                    walk.names.append((state, name))
                    self.walk = walk
                    throw error
                }
            }
        }
        guard walk.names.isEmpty else {
            self.walk = walk
            return []
        }
        var failed: [(task: String, error: SystemError)] = []
        for (task, count) in walk.counts {
            var seen: Set<JobID> = []
            known[task] = walk.found[task, default: []].filter { seen.insert($0.id).inserted }.sorted { $0.id < $1.id }
            do throws(SystemError) { try putAside(of: task, keeping: count, fs, remove) } catch {
                guard error.isOfOnePath else { throw error }
                failed.append((task, error))
            }
        }
        return failed
    }

    private mutating func putAside(
        of task: String, keeping count: Int, _ fs: some FileSystem, _ remove: (String) -> Void
    ) throws(SystemError) {
        guard var records = known[task], records.count > count else { return }
        var present: [Entry] = []
        for record in records where try fs.status(Layout.directory(of: record.id, record.state)) != nil { present.append(record) }
        records = present
        while records.count > count {
            let oldest = records.removeFirst()
            if let aside = try fs.setAside(recordOf: oldest.id, oldest.state) { remove(aside) }
        }
        known[task] = records
    }

    /// True when a record is a run of the task of its name, and does not just have the same name.
    private static func isRun(_ id: JobID, _ state: JobState, _ fs: some FileSystem) throws(SystemError) -> Bool {
        let path = "\(Layout.directory(of: id, state))/\(Layout.statusFile)"
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true),
            // Not readable as JSON: its task is unknown, so it stays.
            let status = JSON.readableTable(bytes, limits: .status), case .string(let owner)? = status["task"]?.kind
        else { return false }
        return owner == id.name
    }
}
