import Glibc
import Store

/// The table of `spoolctl jobs` on a terminal, which fits into 80 columns.
struct JobTable {
    private let session: Session
    private var table = TextTable(
        ["JOB", "NAME", "STATE", "STARTED", "TOOK", "NOTE"], right: [4],
        fitting: [.init(column: 5, least: 30), .init(column: 1, least: 20), .init(column: 5, least: 0)])

    init(_ session: Session) { self.session = session }

    /// - Parameter waits: why the job waits.
    mutating func add(_ record: JobRecord, waits: String?) {
        let status = record.status
        let started = record.place.state == .new ? nil : status.startedAt
        table.add([
            .init(Self.shortID(status.id)), .init(UserPart.split(status.name).name), .init(state(of: record), status.colour),
            .init(started == nil ? "-" : session.briefTime(started)), .init(took(record)), .init(waits ?? note(of: record)),
        ])
    }

    func write() { session.writeTimes(table) }

    /// The end of an id, which every command takes: `k3f9ab`, as root sees a user's job `alice/k3f9ab`. Another name is shown whole.
    static func shortID(_ id: String) -> String {
        let (owner, own) = UserPart.split(id)
        guard JobID(own) != nil, let dash = own.lastIndex(of: "-") else { return id }
        let end = String(own[own.index(after: dash)...])
        return owner.map { UserPart.qualified(end, of: $0) } ?? end
    }

    private func state(of record: JobRecord) -> String {
        switch record.place.state {
        case .new: record.place.state.word
        case .running: record.status.progress.map { "\($0.percent) %" } ?? record.place.state.word
        case .done, .failed: record.status.brief
        }
    }

    /// The time that the last try took or has been running; of a waiting job, the time that it could have been running already.
    private func took(_ record: JobRecord) -> String {
        let status = record.status
        if record.place.state == .new {
            let waited = session.now.milliseconds - max(status.createdAt, status.notBefore ?? status.due).milliseconds
            return waited < 1000 ? "-" : TimeText.clock(waited)
        }
        return status.tookMilliseconds(now: session.now).map { TimeText.short($0) } ?? "-"
    }

    private func note(of record: JobRecord) -> String {
        let status = record.status
        switch record.place.state {
        case .running:
            let attempt = status.attempt > 1 ? "try \(status.attempt) of \(status.tries)" : nil
            return [attempt, status.progress?.message ?? status.title].compactMap(\.self).joined(separator: ", ")
        case .failed: return record.lastErrorLine ?? status.failureText ?? status.title ?? ""
        case .new, .done: return status.title ?? ""
        }
    }
}

extension JobRecord {
    /// The last line that a failed job wrote to standard error, where the record has it.
    var lastErrorLine: String? {
        status.errorTailLines.last
    }
}

extension JobStatus {
    /// Why the job failed, where the reason alone does not say it.
    var failureText: String? { reason == .exit || reason == .signal ? nil : error }
}
