import Store

/// The newest run of each of some tasks that runs or has ended. A run is found by the task's name in its id, without reading the records of
/// other jobs.
struct LastRuns {
    private var records: [String: JobRecord] = [:]

    init(_ session: Session, of tasks: [String]) throws(Failure) {
        var wanted = Set(tasks)
        guard !wanted.isEmpty else { return }
        var reader = try session.records()
        let places = try session.reading { () throws(JournalError) in try reader.places(in: [.running, .done, .failed]) }
        for place in places {
            guard let name = JobID(place.id)?.name, wanted.contains(name), let record = try session.record(at: place, &reader),
                record.status.task == name
            else { continue }
            records[name] = record
            wanted.remove(name)
            if wanted.isEmpty { return }
        }
    }

    func run(of task: String) -> JobRecord? { records[task] }
}

extension JobRecord {
    /// `exit 3`, `done`, `running`.
    var outcome: String { place.state.isTerminal ? status.brief : place.state.word }
    /// When the run began or, when it never did, when it was due.
    var ranAt: Instant { status.startedAt ?? status.due }

    /// Writes the members of the object `last_run` of `list --json`.
    func writeAsLastRun(_ writer: inout JSONWriter) {
        writer.member("id", status.id)
        writer.member("state", place.state.rawValue)
        writer.member("outcome", outcome)
        writer.member("reason", status.reason?.rawValue)
        writer.member("exit_code", status.exitCode)
        writer.member("due", status.due)
        writer.member("started_at", status.startedAt)
        writer.member("ended_at", status.endedAt)
        writer.key("took_s")
        if let took = status.ranMilliseconds, took >= 0 { writer.seconds(took) } else { writer.null() }
    }
}
