import Linux
import Store

/// Waiting for jobs to end.
struct JobWait {
    /// What is shown meanwhile.
    enum Showing {
        case nothing
        /// What the job writes, each stream to its own.
        case output
        case progress
    }

    let session: Session
    private var records: JobRecords<DiskFileSystem>
    private let watch: JobWatch
    private let interrupt: Interrupt
    private let showing: Showing
    private var outputs: [JobOutput] = []
    private var display: ProgressDisplay?
    /// Directories of running jobs that are watched.
    private var watched: Set<String> = []
    private var hasCanceled = false

    init(_ session: Session, _ records: JobRecords<DiskFileSystem>, showing: Showing = .nothing) throws(Failure) {
        self.session = session
        self.records = records
        self.showing = showing
        watch = try JobWatch(spool: session.spoolPath)
        interrupt = try Interrupt()
        if case .output = showing {
            // Its end is waited for even when nobody reads any more.
            session.output.endsWithReader = false
            outputs = [
                JobOutput(session, Layout.outputFile, to: session.output), JobOutput(session, Layout.errorFile, to: session.errors),
            ]
        }
        if try session.daemon() == nil { session.complain("spoold is not running on \(session.spoolPath); waiting for it") }
    }

    /// Waits for all of these, or with `any` for the first of them. Returns what to exit with: the first code in the
    /// order of `ids` that is not 0.
    mutating func run(_ ids: [String], timeoutMilliseconds: Int64? = nil, any: Bool = false) throws(Failure) -> Int32 {
        let deadline = timeoutMilliseconds.map { Clock.monotonicMilliseconds() + $0 }
        var codes: [String: Int32] = [:]
        var names: Set<String> = []
        let count = Set(ids).count
        if case .progress = showing { display = ProgressDisplay(session, count: count) }
        defer { display?.clear() }
        let own = try OwnWait(session, ids, any: any, isLimited: timeoutMilliseconds != nil)
        while true {
            var isUnsettled = false
            for id in ids where codes[id] == nil {
                switch try look(id, &names) {
                case .ended(let code): codes[id] = code
                case .settling: isUnsettled = true
                case .open: break
                }
            }
            if codes.count == count || (any && !codes.isEmpty) {
                return ids.lazy.compactMap { codes[$0] }.first { $0 != 0 } ?? ExitCode.done
            }
            let rest = deadline.map { max(0, $0 - Clock.monotonicMilliseconds()) }
            if rest == 0 { return timedOut(timeoutMilliseconds!) }
            if let news = try own?.look() { complain(news) }
            let until = isUnsettled ? min(rest ?? .max, Self.settlingMilliseconds) : rest
            let nextLook = own?.nextLook.flatMap { next in until.map { next < $0 } ?? true ? next : nil }
            let isWoken = try watch.wait(for: names.union(ids), or: interrupt.raw, milliseconds: nextLook ?? until)
            if let signal = try interrupt.take() {
                if let code = try interrupted(signal, ids.filter { codes[$0] == nil }) { return code }
            } else if !isWoken, nextLook == nil {
                guard isUnsettled, rest.map({ $0 > Self.settlingMilliseconds }) ?? true else { return timedOut(timeoutMilliseconds ?? 0) }
                for id in ids where codes[id] == nil {
                    if case .settling = try look(id, &names) {
                        complain("\(id) has ended, and its status cannot be read")
                        codes[id] = ExitCode.neverRan
                    }
                }
            }
        }
    }

    /// How long a directory may stand in done/ or failed/ without a readable status before that is its state.
    private static let settlingMilliseconds: Int64 = 2000

    private func timedOut(_ milliseconds: Int64) -> Int32 {
        complain("still waiting after \(TimeText.length(milliseconds))")
        return ExitCode.timeout
    }

    private func complain(_ line: String) {
        display?.clear()
        session.complain(line)
    }

    // MARK: Looking

    private enum Look { case ended(Int32), settling, open }

    private mutating func look(_ id: String, _ names: inout Set<String>) throws(Failure) -> Look {
        guard let record = try watchedRecord(id) else {
            for output in outputs { try output.copy() }
            complain("\(id) was withdrawn, or its record removed")
            return .ended(ExitCode.neverRan)
        }
        for output in outputs { try output.follow(record, watch) }
        if let name = record.place.path.split(separator: "/").last { names.insert(String(name)) }
        guard record.place.state.isTerminal else {
            display?.take(record.status)
            return .open
        }
        guard record.isComplete, record.status.state.isTerminal else {
            watch.add(record.place.path)
            // It may have been written between reading it and watching it.
            guard let again = try self.record(id), again.isComplete, again.status.state.isTerminal else { return .settling }
            return .ended(told(again.status))
        }
        return .ended(told(record.status))
    }

    private mutating func record(_ id: String) throws(Failure) -> JobRecord? {
        do throws(JournalError) { return try records.record(of: id) } catch { throw Failure(error) }
    }

    /// The job, read after its directory is watched where what happens in there matters.
    private mutating func watchedRecord(_ id: String) throws(Failure) -> JobRecord? {
        let record = try record(id)
        if case .nothing = showing { return record }
        guard let record, record.place.state == .running, watched.insert(record.place.path).inserted else { return record }
        // Its output files are made there, and its progress is renamed into place.
        watch.add(record.place.path, [.created, .movedTo])
        return try self.record(id)
    }

    /// A failure that no exit code speaks of is said in words.
    private func told(_ status: JobStatus) -> Int32 {
        display?.take(status)
        let code = status.exitStatus
        let isOfExit = status.reason == .exit || status.reason == .signal
        if status.state == .failed, !isOfExit || code == ExitCode.neverRan || code == ExitCode.timeout {
            complain("\(status.id): \(status.summary)\(status.error.map { ": \($0)" } ?? "")")
        }
        return code
    }

    // MARK: Interrupted

    /// Leaves the jobs to themselves; with `--cancel-on-interrupt` cancels them, the first time. Returns what to exit with;
    /// nil: their end is waited for.
    private mutating func interrupted(_ signal: Int32, _ open: [String]) throws(Failure) -> Int32? {
        if session.arguments.flag(Option.cancelOnInterrupt.name), !hasCanceled {
            hasCanceled = true
            let answers = try ControlRequest(session).make(for: open) { $0.member("do", "cancel") }
            if answers == nil { complain("spoold is not running on \(session.spoolPath); \(open.joined(separator: ", ")) is canceled when it starts") }
            for id in open {
                // 3: it has just ended.
                guard let answer = answers?[id], answer.code != ExitCode.done, answer.code != ExitCode.notFound else { continue }
                complain("\(id): \(answer.message)")
            }
            return nil
        }
        let spool = session.arguments.value("spool").map { "--spool \($0) " } ?? ""
        let what = open.count == 1 ? "the job goes on; to end it" : "\(open.count) jobs go on; to end them"
        complain("\(what): spoolctl \(spool)cancel \(open.prefix(20).joined(separator: " "))\(open.count > 20 ? " …" : "")")
        return ExitCode.signalBase + signal
    }
}
