import Store

/// How long the runs of some tasks usually take: the median of each task's last runs. They are found by their names, so that of a hundred
/// thousand records only few are read.
struct UsualRuns {
    struct Length {
        var milliseconds: Int64
        /// The number of runs that it is known from.
        var runs: Int
    }

    /// The number of runs of each task that are read.
    private static let sample = 25

    private var lengths: [String: Length] = [:]

    init(_ session: Session, of tasks: Set<String>) throws(Failure) {
        var records = try session.records()
        var latest: [String: [JobPlace]] = [:]
        for place in try session.reading({ () throws(JournalError) in try records.places(in: [.done, .failed]) }) {
            guard let name = JobID(place.id)?.name, tasks.contains(name), latest[name, default: []].count < Self.sample else { continue }
            latest[name, default: []].append(place)
        }
        for (name, places) in latest {
            var lengths: [Int64] = []
            for place in places {
                guard let status = try session.reading({ () throws(JournalError) in try records.record(at: place) })?.status,
                    status.task == name, let length = Self.length(status)
                else { continue }
                lengths.append(length)
            }
            lengths.sort()
            if !lengths.isEmpty { self.lengths[name] = Length(milliseconds: lengths[lengths.count / 2], runs: lengths.count) }
        }
    }

    /// Nil when no run of the task is known.
    func length(of task: String) -> Length? { lengths[task] }

    /// The time of a recorded run; nil when it never began, or when its end is unknown.
    private static func length(_ status: JobStatus) -> Int64? {
        if status.reason == .lost { return nil }
        return status.ranMilliseconds.flatMap { $0 >= 0 ? $0 : nil }
    }
}
