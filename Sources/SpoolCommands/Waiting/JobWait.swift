import Glibc
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
    /// Whether it was acted on that the output cannot be written any more.
    private var hasLostOutput = false

    init(_ session: Session, _ records: JobRecords<DiskFileSystem>, showing: Showing = .nothing) throws(Failure) {
        self.session = session
        self.records = records
        self.showing = showing
        watch = try JobWatch(spool: session.spoolPath)
        interrupt = try Interrupt()
        switch showing {
        case .nothing: break
        // What becomes of the jobs then is said here.
        case .progress: session.output.leavesFailureToCaller = true
        case .output:
            session.output.leavesFailureToCaller = true
            outputs = [
                JobOutput(session, Layout.outputFile, for: .exact, to: session.output),
                JobOutput(session, Layout.errorFile, for: .exact, to: session.errors),
            ]
        }
        if let awaited = session.awaited { try attempt { () throws(SystemError) in try awaited.start() } }
        if try session.daemon() == nil { session.complain("spoold is not running on \(session.spoolPath); waiting for it") }
    }

    /// Waits for all of these, or with `any` for the first of them. Returns what to exit with: the first code in the
    /// order of `ids` that is not 0.
    mutating func run(_ ids: [String], timeoutMilliseconds: Int64? = nil, any: Bool = false) throws(Failure) -> Int32 {
        let deadline = timeoutMilliseconds.map { MonotonicInstant.now().advanced(byMilliseconds: $0) }
        var codes: [String: Int32] = [:]
        var names: Set<String> = []
        let count = Set(ids).count
        if case .progress = showing { display = ProgressDisplay(session, count: count) }
        defer { display?.clear() }
        let own = try OwnWait(session, ids, any: any, isLimited: timeoutMilliseconds != nil)
        while true {
            var isUnsettled = false
            for id in ids where codes[id] == nil {
                switch try observe(id, &names) {
                case .ended(let code): codes[id] = code
                case .settling: isUnsettled = true
                case .open: break
                }
            }
            if let code = try lostOutput(ids.filter { codes[$0] == nil }) { return code }
            if codes.count == count || (any && !codes.isEmpty) {
                if let code = missingOutput() { return code }
                return ids.lazy.compactMap { codes[$0] }.first { $0 != 0 } ?? ExitCode.done
            }
            let rest = deadline.map { $0.millisecondsLeft() }
            if rest == 0 { return timedOut(timeoutMilliseconds!) }
            if let news = try own?.checkForRing() { complain(news) }
            let until = isUnsettled ? min(rest ?? .max, Self.settlingMilliseconds) : rest
            let nextCheck = own?.millisecondsToNextCheck.flatMap { next in until.map { next < $0 } ?? true ? next : nil }
            let isWoken = try watch.wait(
                for: names.union(ids), or: [interrupt.poll] + (watchesReader ? [session.output.poll] : []), milliseconds: nextCheck ?? until)
            if watchesReader { session.output.check() }
            if let signal = try interrupt.take() {
                if let code = try interrupted(ids.filter { codes[$0] == nil }, ExitCode.signalBase + signal) { return code }
            } else if !isWoken, nextCheck == nil {
                guard isUnsettled, rest.map({ $0 > Self.settlingMilliseconds }) ?? true else { return timedOut(timeoutMilliseconds ?? 0) }
                for id in ids where codes[id] == nil {
                    if case .settling = try observe(id, &names) {
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

    // MARK: Observing

    private enum Observation { case ended(Int32), settling, open }

    private mutating func observe(_ id: String, _ names: inout Set<String>) throws(Failure) -> Observation {
        guard let record = try watchedRecord(id) else {
            for output in outputs { try output.copy() }
            complain("\(id) was withdrawn, or its record removed")
            return .ended(ExitCode.neverRan)
        }
        // Both are open before a slow reader of the one holds up the other.
        for output in outputs { try output.begin(record, watch) }
        for output in outputs { try output.follow(record, watch) }
        if let name = record.place.path.split(separator: "/").last { names.insert(String(name)) }
        guard record.place.state.isTerminal else {
            display?.take(record.status)
            return .open
        }
        guard record.isComplete, record.status.state.isTerminal else {
            watch.add(record.place.path)
            // It may have been written between reading it and watching it.
            guard let again = try self.record(id), again.isComplete else { return .settling }
            // A job that is in use is not at its end because somebody has moved its directory: its end will be written there.
            guard again.status.state.isTerminal else { return .open }
            return .ended(finished(again.status))
        }
        return .ended(finished(record.status))
    }

    private mutating func record(_ id: String) throws(Failure) -> JobRecord? {
        try session.reading { () throws(JournalError) in try records.record(of: id) }
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
    private func finished(_ status: JobStatus) -> Int32 {
        display?.take(status)
        let code = status.exitStatus
        let isOfExit = status.reason == .exit || status.reason == .signal
        if status.state == .failed, !isOfExit || code == ExitCode.neverRan || code == ExitCode.timeout {
            complain("\(status.id): \(status.brief)\(status.error.map { ": \($0)" } ?? "")")
        }
        return code
    }

    // MARK: Interrupted

    /// Whether somebody who reads what is shown can go: who shows nothing writes nothing to them.
    private var watchesReader: Bool { if case .nothing = showing { false } else { true } }

    /// What is shown cannot be written any more: the reader is gone, or the disk full. That ends the waiting as ctrl-C does.
    private mutating func lostOutput(_ open: [String]) throws(Failure) -> Int32? {
        guard watchesReader, !hasLostOutput, let failure = session.output.failure else { return nil }
        hasLostOutput = true
        let code = failure == EPIPE ? ExitCode.signalBase + SIGPIPE : ExitCode.failed
        if failure != EPIPE { complain("write: \(SystemError.message(failure))") }
        return open.isEmpty ? code : try interrupted(open, code)
    }

    /// Says how much of the output could not be shown, because it was gone before it was read.
    private func missingOutput() -> Int32? {
        var isAnything = false
        for (name, output) in zip([Layout.outputFile, Layout.errorFile], outputs) where output.missingBytes > 0 {
            isAnything = true
            complain("\(name): \(output.missingBytes) bytes of the job's output are missing here: output_limit took them before they were read")
        }
        return isAnything ? ExitCode.neverRan : nil
    }

    /// Whether a job that goes on misses some of the input that this command gives it.
    private mutating func breaksOffInput(of open: [String]) throws(Failure) -> Bool {
        guard let awaited = session.awaited else { return false }
        // First, so that what has come to its end by now is stored.
        awaited.stopWaiting()
        var hasBegun = false
        for id in open where !hasBegun { hasBegun = try record(id)?.place.state != .new }
        return awaited.breaksOff(hasBegun: hasBegun)
    }

    /// Leaves the jobs to themselves; with `--cancel-on-interrupt` cancels them, the first time. Returns what to exit with, which is `code`;
    /// nil: their end is waited for.
    private mutating func interrupted(_ open: [String], _ code: Int32) throws(Failure) -> Int32? {
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
        if try breaksOffInput(of: open) {
            complain("the job ends if it has begun, and fails when it begins, for its standard input breaks off")
            return code
        }
        let spool = session.arguments.value("spool").map { "--spool \($0) " } ?? ""
        let what = open.count == 1 ? "the job goes on; to end it" : "\(open.count) jobs go on; to end them"
        complain("\(what): spoolctl \(spool)cancel \(open.prefix(20).joined(separator: " "))\(open.count > 20 ? " …" : "")")
        return code
    }
}
