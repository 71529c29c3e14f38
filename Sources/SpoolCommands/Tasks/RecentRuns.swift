import Store

/// The newest runs of each of some tasks, those that go on included. They are found by the tasks' names in their ids, without reading the
/// records of other jobs.
struct RecentRuns {
    private var records: [String: [JobRecord]] = [:]

    /// - Parameter count: the number of runs of each task.
    init(_ session: Session, of tasks: [String], count: Int) throws(Failure) {
        var wanted = Set(tasks)
        guard !wanted.isEmpty else { return }
        var reader = try session.records()
        let places = try session.reading { () throws(JournalError) in try reader.places(in: [.running, .done, .failed]) }
        for place in places {
            guard let name = JobID(place.id)?.name, wanted.contains(name), let record = try session.record(at: place, &reader),
                record.status.task == name
            else { continue }
            records[name, default: []].append(record)
            if records[name]?.count == count { wanted.remove(name) }
            if wanted.isEmpty { return }
        }
    }

    /// The newest first.
    func runs(of task: String) -> [JobRecord] { records[task] ?? [] }

    /// The mean and the longest time of the runs that have ended; nil when none has.
    func lengths(of task: String) -> (mean: Int64, longest: Int64)? {
        let lengths = runs(of: task).filter { $0.place.state.isTerminal && $0.status.reason != .lost }.compactMap(\.status.ranMilliseconds)
            .filter { $0 >= 0 }
        guard let longest = lengths.max() else { return nil }
        return (lengths.reduce(0, +) / Int64(lengths.count), longest)
    }
}
