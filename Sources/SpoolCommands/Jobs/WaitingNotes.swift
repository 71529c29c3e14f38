import Linux
import Store

/// Why waiting jobs of one part of the spool wait, in a few words each: the short form of the answer of `spoolctl why`.
struct WaitingNotes {
    private let session: Session
    private var snapshot: Snapshot

    /// Reads what holds these jobs. Jobs that do not wait are ignored.
    init(_ session: Session, _ jobs: [JobRecord]) throws(Failure) {
        self.session = session
        snapshot = Snapshot(now: session.now, zone: .utc, spool: session.spoolPath)
        let waiting = jobs.filter { $0.place.state == .new }
        guard !waiting.isEmpty else { return }
        let fs = try session.openSpool()
        var records = try session.records()
        snapshot.surroundings = try session.surroundings(fs, &records)
        let found = records
        snapshot.running = try snapshot.surroundings.running.map { status throws(Failure) in
            let place = JobPlace(id: status.id, state: .running, path: "\(Layout.running)/\(status.id)", isFile: false)
            let definition = try attempt { () throws(SystemError) in try found.definition(at: place) }
            return Snapshot.Running(status: status, locks: definition?.locks ?? [])
        }
        var after: Set<String> = []
        for record in waiting {
            let definition = try attempt { () throws(SystemError) in try found.definition(at: record.place) }
            var one = Snapshot.Waiting(status: record.status, overlap: definition?.overlap ?? .wait, locks: definition?.locks ?? [])
            if record.place.isFile || !record.isComplete {
                one.fileProblem = record.status.error ?? (record.isComplete ? nil : "it cannot be read, or is still being written")
            }
            if definition?.after != nil { after.insert(record.place.id) }
            snapshot.waiting.append(one)
        }
        guard !after.isEmpty else { return }
        let dependencies = try session.reading { () throws(JournalError) in try records.dependencies(of: after) }
        for index in snapshot.waiting.indices {
            guard let ids = dependencies[snapshot.waiting[index].status.id] else { continue }
            snapshot.waiting[index].waitsFor = try session.reading { () throws(JournalError) in try records.open(ids) }
        }
    }

    /// The notes, by the jobs' ids.
    func all() -> [String: String] {
        var notes: [String: String] = [:]
        for one in snapshot.waiting {
            let holds = snapshot.holds(on: one).map { hold in
                guard hold.kind == .start, let at = hold.instant else { return hold.brief(one.status, now: session.now) }
                return "starts \(TimeText.distance(at, from: session.now))"
            }
            notes[one.status.id] = holds.isEmpty ? "about to start" : holds.joined(separator: "; ")
        }
        return notes
    }
}
