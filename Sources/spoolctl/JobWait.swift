import Linux
import Store

/// Waiting for jobs to end.
struct JobWait {
    let session: Session
    private var records: JobRecords<DiskFileSystem>
    private let watch: JobWatch

    init(_ session: Session, _ records: JobRecords<DiskFileSystem>) throws(Failure) {
        self.session = session
        self.records = records
        watch = try JobWatch(spool: session.spoolPath)
        if try session.daemon() == nil { session.complain("spoold is not running on \(session.spoolPath); waiting for it") }
    }

    /// Waits for all of these, or with `any` for the first of them. Returns what to exit with: the first code in the
    /// order of `ids` that is not 0.
    mutating func run(_ ids: [String], timeoutMilliseconds: Int64? = nil, any: Bool = false) throws(Failure) -> Int32 {
        let deadline = timeoutMilliseconds.map { Clock.monotonicMilliseconds() + $0 }
        var codes: [String: Int32] = [:]
        var names: Set<String> = []
        while true {
            var isUnsettled = false
            for id in ids where codes[id] == nil {
                switch try look(id, &names) {
                case .ended(let code): codes[id] = code
                case .settling: isUnsettled = true
                case .open: break
                }
            }
            if codes.count == Set(ids).count || (any && !codes.isEmpty) {
                return ids.lazy.compactMap { codes[$0] }.first { $0 != 0 } ?? ExitCode.done
            }
            let rest = deadline.map { max(0, $0 - Clock.monotonicMilliseconds()) }
            if rest == 0 { return timedOut(timeoutMilliseconds!) }
            let isWoken = try watch.wait(
                for: names.union(ids), milliseconds: isUnsettled ? min(rest ?? .max, Self.settlingMilliseconds) : rest)
            if !isWoken {
                guard isUnsettled, rest.map({ $0 > Self.settlingMilliseconds }) ?? true else { return timedOut(timeoutMilliseconds ?? 0) }
                for id in ids where codes[id] == nil {
                    if case .settling = try look(id, &names) {
                        session.complain("\(id) has ended, and its status cannot be read")
                        codes[id] = ExitCode.neverRan
                    }
                }
            }
        }
    }

    /// How long a directory may stand in done/ or failed/ without a readable status before that is its state.
    private static let settlingMilliseconds: Int64 = 2000

    private func timedOut(_ milliseconds: Int64) -> Int32 {
        session.complain("still waiting after \(TimeText.length(milliseconds))")
        return ExitCode.timeout
    }

    private enum Look { case ended(Int32), settling, open }

    private mutating func look(_ id: String, _ names: inout Set<String>) throws(Failure) -> Look {
        do throws(JournalError) {
            guard let record = try records.record(of: id) else {
                session.complain("\(id) was withdrawn, or its record removed")
                return .ended(ExitCode.neverRan)
            }
            if let name = record.place.path.split(separator: "/").last { names.insert(String(name)) }
            guard record.place.state.isTerminal else { return .open }
            guard record.isComplete, record.status.state.isTerminal else {
                watch.add(record.place.path)
                // It may have been written between reading it and watching it.
                guard let again = try records.record(of: id), again.isComplete, again.status.state.isTerminal else {
                    return .settling
                }
                return .ended(told(again.status))
            }
            return .ended(told(record.status))
        } catch {
            throw Failure(error)
        }
    }

    /// A failure that no exit code speaks of is said in words.
    private func told(_ status: JobStatus) -> Int32 {
        let code = status.exitStatus
        if status.state == .failed, code == ExitCode.neverRan || code == ExitCode.timeout {
            session.complain("\(status.id): \(status.summary)\(status.error.map { ": \($0)" } ?? "")")
        }
        return code
    }
}
