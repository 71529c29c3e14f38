import Store

/// The records of one part of the spool that `retry` runs again.
///
/// - A job that was retried already is left out. Retries of retries are followed.
/// - The oldest comes first, so that a job that starts after another finds the other's retry.
struct RetryPlan {
    private(set) var records: [JobRecord]
    /// The numbers of jobs that were left out.
    private(set) var superseded = 0
    private(set) var canceled = 0
    private let session: Session

    init(_ session: Session, _ records: [JobRecord]) {
        self.session = session
        self.records = records
    }

    /// Leaves out jobs that were retried already and, unless the filter names the reason, canceled and replaced jobs. Reads the records of
    /// all jobs that are newer than the oldest selected one.
    mutating func leaveOut(_ filter: JobFilter) throws(Failure) {
        guard let oldest = records.first?.place.id else { return }
        var retried: Set<String> = []
        try each(in: JobState.allCases, after: oldest) { record in
            if let original = record.status.retryOf { retried.insert(original) }
        }
        records.removeAll { record in
            if retried.contains(record.place.id) {
                superseded += 1
                return true
            }
            guard let reason = record.status.reason, [.canceled, .replaced].contains(reason), !filter.asksFor(reason) else { return false }
            canceled += 1
            return true
        }
    }

    /// Adds the jobs that failed with `dependency` because of these jobs, directly or through others. Reads all records.
    mutating func addDependents() throws(Failure) {
        guard !records.isEmpty else { return }
        var failed: [JobRecord] = []
        var originals: [String: String] = [:]
        try each(in: JobState.allCases) { record in
            originals[record.place.id] = record.status.retryOf
            if record.place.state == .failed, record.status.reason == .dependency { failed.append(record) }
        }
        let retried = Set(originals.values)
        // The selected jobs, and the jobs that they are retries of: another job may have failed because of any of them.
        var causes: Set<String> = []
        func add(_ id: String) {
            var next: String? = id
            while let one = next, causes.insert(one).inserted { next = originals[one] }
        }
        for record in records { add(record.place.id) }
        var rest = failed.filter { record in !retried.contains(record.place.id) && !records.contains { $0.place.id == record.place.id } }
        while true {
            var found: [JobRecord] = []
            for record in rest where try waitsFor(record).contains(where: causes.contains) { found.append(record) }
            if found.isEmpty { break }
            records += found
            for record in found { add(record.place.id) }
            rest.removeAll { record in found.contains { $0.place.id == record.place.id } }
        }
        records.sort { $0.place.id < $1.place.id }
    }

    /// The jobs that a job with reason `dependency` waited for. Records of earlier versions lack them; then the job's `after` counts.
    private func waitsFor(_ record: JobRecord) throws(Failure) -> [String] {
        if !record.status.waitsFor.isEmpty { return record.status.waitsFor }
        let records = try session.records()
        return try attempt { () throws(SystemError) in try records.definition(at: record.place) }?.after?.all ?? []
    }

    /// Calls `body` for the records in these states with later ids than `oldest`, the newest first.
    private func each(in states: [JobState], after oldest: String? = nil, _ body: (JobRecord) -> Void) throws(Failure) {
        var records = try session.records()
        let places = try session.reading { () throws(JournalError) in try records.places(in: states) }
        for place in places where !place.isFile {
            if let oldest, place.id <= oldest { break }
            if let record = try session.reading({ () throws(JournalError) in try records.record(at: place) }) { body(record) }
        }
    }
}
