import Glibc
import Linux
import Store

/// Waits for jobs to end, and shows their output or progress meanwhile.
struct JobWait {
    /// The part of the jobs' state that the command prints until they end.
    enum Showing {
        case nothing
        /// The job's standard output and standard error, each on the same stream of spoolctl.
        case output
        case progress
    }

    let session: Session
    private var records: JobRecords<DiskFileSystem>
    private let watch: JobWatch
    private let interrupt: Interrupt
    private let showing: Showing
    private var outputs: [JobOutput] = []
    /// Present while output is shown and the job has not ended.
    private var bringer: OutputBringer?
    private var display: ProgressDisplay?
    /// The directories of running jobs that are watched.
    private var watched: Set<String> = []
    private var hasCanceled = false
    /// True after the reaction to output that cannot be written any more.
    private var hasLostOutput = false

    init(_ session: Session, _ records: JobRecords<DiskFileSystem>, showing: Showing = .nothing) throws(Failure) {
        self.session = session
        self.records = records
        self.showing = showing
        watch = try JobWatch(spool: session.spoolPath)
        interrupt = try Interrupt()
        switch showing {
        case .nothing: break
        // When the reader has ended, this type decides what becomes of the jobs.
        case .progress: session.output.leavesFailureToCaller = true
        case .output:
            session.output.leavesFailureToCaller = true
            outputs = [
                JobOutput(session, Layout.outputFile, for: .exact, to: session.output),
                JobOutput(session, Layout.errorFile, for: .exact, to: session.errors),
            ]
            bringer = OutputBringer(session)
        }
        if let awaited = session.awaited { try attempt { () throws(SystemError) in try awaited.start() } }
        if try session.daemon() == nil {
            session.complain("spoold is not running on \(session.spoolPath); waiting until it starts")
            session.remarkOnRootsSpool()
        }
    }

    /// Waits for all of these jobs, or with `any` for the first of them. Returns the exit code: the first code in the order of `ids` that
    /// is not 0.
    mutating func run(_ ids: [String], timeoutMilliseconds: Int64? = nil, any: Bool = false) throws(Failure) -> Int32 {
        let deadline = timeoutMilliseconds.map { MonotonicInstant.now().advanced(byMilliseconds: $0) }
        var codes: [String: Int32] = [:]
        var names: Set<String> = []
        let count = Set(ids).count
        try remarkOnStart(of: ids)
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
            // The own checks and the bringer may have something to do before the wait is over.
            let next = [own?.millisecondsToNextCheck, bringer?.millisecondsToNext].lazy.compactMap(\.self).min()
            let isForNext = next.map { $0 < until ?? .max } ?? false
            let isWoken = try watch.wait(
                for: names.union(ids), or: [interrupt.poll] + (watchesReader ? [session.output.poll] : []) + (bringer?.polls ?? []),
                milliseconds: isForNext ? next : until)
            if watchesReader { session.output.check() }
            if let signal = try interrupt.take() {
                if let code = try interrupted(ids.filter { codes[$0] == nil }, ExitCode.signalBase + signal) { return code }
            } else if !isWoken, !isForNext {
                guard isUnsettled, rest.map({ $0 > Self.settlingMilliseconds }) ?? true else { return timedOut(timeoutMilliseconds ?? 0) }
                for id in ids where codes[id] == nil {
                    if case .settling = try observe(id, &names) {
                        complain("\(id) has ended, but its status cannot be read")
                        codes[id] = ExitCode.neverRan
                    }
                }
            }
        }
    }

    /// The time for which a directory in done/ or failed/ may lack a readable status before the status counts as unreadable.
    private static let settlingMilliseconds: Int64 = 2000

    private func timedOut(_ milliseconds: Int64) -> Int32 {
        complain("still waiting after \(TimeText.length(milliseconds))")
        return ExitCode.timeout
    }

    private func complain(_ line: String) {
        display?.clear()
        session.complain(line)
    }

    /// The number of jobs that are examined for the remarks.
    private static let remarkedMax = 20

    /// Says what waiting jobs wait for, if it is a pause or a queue that nobody has named.
    private mutating func remarkOnStart(of ids: [String]) throws(Failure) {
        guard !session.isTerse else { return }
        var said = Set<String>()
        for id in ids.prefix(Self.remarkedMax) {
            guard let record = try record(id), record.place.state == .new else { continue }
            let status = record.status
            // A file that the daemon has not read yet has no queue of its own in its status.
            let queue = record.place.isFile && status.task != nil ? nil : status.queue
            for line in try session.startLines(queue: queue, task: status.task) where said.insert(line).inserted { complain(line) }
        }
    }

    // MARK: Observing

    private enum Observation { case ended(Int32), settling, open }

    private mutating func observe(_ id: String, _ names: inout Set<String>) throws(Failure) -> Observation {
        guard let record = try watchedRecord(id) else {
            for output in outputs { try output.copy() }
            complain("\(id) was withdrawn, or its record was removed")
            return .ended(ExitCode.neverRan)
        }
        // Both streams are opened before a slow reader of one can delay the other.
        for output in outputs { try output.begin(record, watch) }
        for output in outputs { try output.follow(record, watch) }
        if let name = record.place.path.split(separator: "/").last { names.insert(String(name)) }
        guard record.place.state.isTerminal else {
            display?.take(record.status)
            bringer?.bring(record)
            return .open
        }
        bringer = nil
        guard record.isComplete, record.status.state.isTerminal else {
            watch.add(record.place.path)
            // The status may have been written between reading it and watching it.
            guard let again = try self.record(id), again.isComplete else { return .settling }
            // A user may have moved the directory of a job that is not finished: its end will be written there.
            guard again.status.state.isTerminal else { return .open }
            return .ended(finished(again.status))
        }
        return .ended(finished(record.status))
    }

    private mutating func record(_ id: String) throws(Failure) -> JobRecord? {
        try session.reading { () throws(JournalError) in try records.record(of: id) }
    }

    /// The job's record. Where changes in its directory matter, the directory is watched before the record is read.
    private mutating func watchedRecord(_ id: String) throws(Failure) -> JobRecord? {
        let record = try record(id)
        if case .nothing = showing { return record }
        guard let record, record.place.state == .running, watched.insert(record.place.path).inserted else { return record }
        // Output files are created in this directory, and progress is renamed into it.
        watch.add(record.place.path, [.created, .movedTo])
        return try self.record(id)
    }

    /// Ends the waiting for a job: reports a failure that the exit code does not show.
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

    /// True when output is shown, so that the end of its reader matters.
    private var watchesReader: Bool { if case .nothing = showing { false } else { true } }

    /// Ends the waiting, as ctrl-C does, when the output cannot be written any more: the reader has ended, or the disk is full.
    private mutating func lostOutput(_ open: [String]) throws(Failure) -> Int32? {
        guard watchesReader, !hasLostOutput, let failure = session.output.failure else { return nil }
        hasLostOutput = true
        let code = failure == EPIPE ? ExitCode.signalBase + SIGPIPE : ExitCode.whileWaiting
        if failure != EPIPE { complain("write: \(SystemError.message(failure))") }
        return open.isEmpty ? code : try interrupted(open, code)
    }

    /// Reports how many bytes of the output were removed before they could be shown.
    private func missingOutput() -> Int32? {
        var isAnything = false
        for (name, output) in zip([Layout.outputFile, Layout.errorFile], outputs) where output.missingBytes > 0 {
            isAnything = true
            complain(
                "\(name): \(output.missingBytes) bytes of the job's output are missing here: "
                    + "output_limit removed them before they were read")
        }
        return isAnything ? ExitCode.neverRan : nil
    }

    /// True when one of these jobs would miss some of its input if this command ended now.
    private mutating func breaksOffInput(of open: [String]) throws(Failure) -> Bool {
        guard let awaited = session.awaited else { return false }
        // This comes first: input that has reached its end is stored.
        awaited.stopWaiting()
        var hasBegun = false
        for id in open where !hasBegun { hasBegun = try record(id)?.place.state != .new }
        return awaited.breaksOff(hasBegun: hasBegun)
    }

    /// Reacts to an interrupt: leaves the jobs running and returns the exit code; with `--cancel-on-interrupt`, the first time, cancels
    /// them and returns nil, and their end is waited for.
    private mutating func interrupted(_ open: [String], _ code: Int32) throws(Failure) -> Int32? {
        if session.arguments.flag(Option.cancelOnInterrupt.name), !hasCanceled {
            hasCanceled = true
            let answers = try ControlRequest(session).make(for: open) { $0.member("do", "cancel") }
            if answers == nil {
                complain("spoold is not running on \(session.spoolPath); \(open.joined(separator: ", ")) will be canceled when it starts")
            }
            for id in open {
                // `notFound`: the job has just ended.
                guard let answer = answers?[id], answer.code != ExitCode.done, answer.code != ExitCode.notFound else { continue }
                complain("\(id): \(answer.message)")
            }
            return nil
        }
        if try breaksOffInput(of: open) {
            complain("the job fails, now or when it begins, because its standard input is incomplete")
            return code
        }
        let spool = session.arguments.value("spool").map { "--spool \($0) " } ?? ""
        let what = open.count == 1 ? "the job continues; to end it" : "\(open.count) jobs continue; to end them"
        complain("\(what): spoolctl \(spool)cancel \(open.prefix(20).joined(separator: " "))\(open.count > 20 ? " …" : "")")
        return code
    }
}
