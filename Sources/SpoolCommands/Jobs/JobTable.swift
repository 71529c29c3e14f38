import Glibc
import Store

/// The table of `spoolctl jobs` on a terminal, which fits into 80 columns. A wide terminal shows whole ids, and titles in their own column.
struct JobTable {
    private let session: Session
    private var rows: [Row] = []

    private struct Row {
        var id: String
        var name: String
        var title: String
        var state: TextTable.Cell
        /// When the job started, or will start.
        var start: String?
        var isWaiting: Bool
        var took: String
        /// Why the job waits or failed, or what its progress is.
        var note: String
    }

    init(_ session: Session) { self.session = session }

    /// - Parameter waits: why the job waits.
    mutating func add(_ record: JobRecord, waits: String?) {
        let status = record.status
        let isWaiting = record.place.state == .new
        let start = isWaiting ? status.notBefore.flatMap { $0 > session.now ? $0 : nil } : status.startedAt
        rows.append(
            Row(
                id: status.id, name: UserPart.split(status.name).name, title: status.title ?? "",
                state: .init(state(of: record), status.colour),
                start: start.map { session.briefTime($0) }, isWaiting: isWaiting, took: took(record), note: waits ?? note(of: record)))
    }

    func write() {
        let whole = table(isWide: true)
        session.writeTimes(whole.fits(into: session.output.columns) ? whole : table(isWide: false))
    }

    private func table(isWide: Bool) -> TextTable {
        let starts = !rows.isEmpty && rows.allSatisfy(\.isWaiting)
        let hasTitles = isWide && rows.contains { !$0.title.isEmpty }
        var table = TextTable(
            ["JOB", "NAME", "STATE", starts ? "STARTS" : "STARTED", "TOOK", "NOTE"] + (hasTitles ? ["TITLE"] : []), right: [4],
            fitting: isWide ? [] : [.init(column: 5, least: 30), .init(column: 1, least: 20), .init(column: 5, least: 0)])
        for row in rows {
            let note = hasTitles || !row.note.isEmpty ? row.note : row.title
            table.add(
                [
                    .init(isWide ? row.id : Self.shortID(row.id)), .init(row.name), row.state, .init(row.start ?? "-"),
                    .init(row.took), .init(note),
                ] + (hasTitles ? [.init(row.title)] : []))
        }
        return table
    }

    /// The last six characters of an id, which every command takes: `k3f9ab`, as root sees a user's job `alice/k3f9ab`. Another name is
    /// shown whole.
    static func shortID(_ id: String) -> String {
        let (owner, own) = UserPart.split(id)
        guard JobID(own) != nil, let dash = own.lastIndex(of: "-") else { return id }
        let end = String(own[own.index(after: dash)...].suffix(6))
        return owner.map { UserPart.qualified(end, of: $0) } ?? end
    }

    private func state(of record: JobRecord) -> String {
        switch record.place.state {
        case .new: record.place.state.word
        case .running: record.status.progress.map { "\($0.percent) %" } ?? record.status.stateWord
        case .done, .failed: record.status.brief
        }
    }

    /// The time that the last try took or has been running; of a waiting job, the time that it could have been running already.
    private func took(_ record: JobRecord) -> String {
        let status = record.status
        if record.place.state == .new {
            let waited = session.now.milliseconds - status.waitsSince.milliseconds
            return waited < 1000 ? "-" : TimeText.clock(waited)
        }
        return status.tookMilliseconds(now: session.now).map { TimeText.short($0) } ?? "-"
    }

    private func note(of record: JobRecord) -> String {
        let status = record.status
        switch record.place.state {
        case .running:
            let attempt = status.attempt > 1 ? "try \(status.attempt) of \(status.tries)" : nil
            return [attempt, status.progress?.message, status.elsewhere].compactMap(\.self).joined(separator: ", ")
        case .failed: return record.lastErrorLine ?? status.failureText ?? ""
        case .new, .done: return ""
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
