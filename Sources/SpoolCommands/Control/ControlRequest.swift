import Glibc
import Linux
import Store

/// A request to the daemon: a file in `control/`, which the daemon removes when it has carried out the request, and its answer.
struct ControlRequest {
    private let session: Session
    private let fs: DiskFileSystem

    init(_ session: Session) throws(Failure) {
        self.session = session
        fs = try session.openSpoolForWriting()
    }

    struct Answer {
        var code: Int32
        var message: String
        /// The time until which the job may run, for `extend`.
        var until: Instant?
        /// For a request about many jobs: the answer for each, by the job's id.
        var jobs: [String: JobAnswer] = [:]
    }

    struct JobAnswer {
        var code: Int32
        var message: String
        var until: Instant?
    }

    /// The time that a daemon has to answer.
    static let patienceMilliseconds: Int64 = 10_000

    /// Makes the request and waits for the answer. Returns nil when no daemon runs: the request is kept for the next one. With `isComing` a
    /// daemon is about to start, and its answer is waited for.
    func make(
        patienceMilliseconds: Int64 = Self.patienceMilliseconds, isComing: Bool = false, _ write: (inout JSONWriter) -> Void
    ) throws(Failure) -> Answer? {
        let inotify = try watchForAnswers()
        let name = try send(write)
        // This check follows the request: a daemon that starts afterwards finds the request.
        let holder = try session.daemon()
        guard isComing || holder != nil else { return nil }
        if let answer = try awaitAnswer(to: name, inotify, patienceMilliseconds: patienceMilliseconds) { return answer }
        throw Failure(
            ExitCode.failed, "spoold has not answered within \(TimeText.length(patienceMilliseconds)); the request stays in control/")
    }

    /// Makes the request, and withdraws it when the daemon does not answer. Returns false then.
    func isAnswered(patienceMilliseconds: Int64, _ write: (inout JSONWriter) -> Void) throws(Failure) -> Bool {
        let inotify = try watchForAnswers()
        let name = try send(write)
        if try awaitAnswer(to: name, inotify, patienceMilliseconds: patienceMilliseconds) != nil { return true }
        try? fs.removeFile("\(Layout.control)/\(name).request")  // missing: it is being answered
        return false
    }

    private func watchForAnswers() throws(Failure) -> Inotify {
        try attempt { () throws(SystemError) -> Inotify in
            let inotify = try Inotify()
            _ = try inotify.add("\(session.spoolPath)/\(Layout.control)", [.movedTo, .closedAfterWriting])
            return inotify
        }
    }

    /// The answer; nil when there is none in this time.
    private func awaitAnswer(to name: String, _ inotify: borrowing Inotify, patienceMilliseconds: Int64) throws(Failure) -> Answer? {
        let deadline = MonotonicInstant.now().advanced(byMilliseconds: patienceMilliseconds)
        while true {
            // An answer that has come counts, also when this process stood still until the time was over.
            let isOver = MonotonicInstant.now() >= deadline
            if let answer = try takeAnswer(to: name) { return answer }
            if isOver { return nil }
            var poll = pollfd(fd: inotify.descriptor.raw, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&poll, 1, deadline.pollTimeout())
            var events: [InotifyEvent] = []
            _ = try attempt { () throws(SystemError) in try inotify.readEvents(into: &events) }
        }
    }

    /// Makes one request for many jobs, or several when there are too many for one, and waits for an answer for each job. Returns nil when
    /// no daemon runs: the requests are kept for the next one.
    func make(for ids: [String], _ write: (inout JSONWriter) -> Void) throws(Failure) -> [String: JobAnswer]? {
        var answers: [String: JobAnswer]? = [:]
        for start in stride(from: 0, to: ids.count, by: RequestLimits.jobs) {
            let some = ids[start..<min(start + RequestLimits.jobs, ids.count)]
            // The daemon moves each job that waits to `failed/` before it answers. A disk that turns needs several turns for each.
            let patience = Self.patienceMilliseconds + 100 * Int64(some.count)
            let answer = try make(patienceMilliseconds: patience) { writer in
                write(&writer)
                // An older daemon knows only requests for one job.
                if ids.count == 1 { return writer.member("id", ids[0]) }
                writer.member("ids", texts: some)
            }
            guard let answer else {
                answers = nil
                continue
            }
            // An answer to the request as a whole applies to each job.
            for id in some { answers?[id] = answer.jobs[id] ?? JobAnswer(code: answer.code, message: answer.message, until: answer.until) }
        }
        return answers
    }

    /// Writes the request durably and returns its name.
    func send(_ write: (inout JSONWriter) -> Void) throws(Failure) -> String {
        var writer = JSONWriter(reserving: 128)
        writer.object(write)
        let bytes = writer.bytes
        let random = Base32.encode(.random(in: 0...(.max)), characters: 8)
        let name = "\(session.now.compact)-\(getpid())-\(random)"
        try attempt { () throws(SystemError) in
            let temporary = "\(Layout.temporary)/\(name).request"
            try fs.create(temporary, bytes, mode: 0o600)
            try fs.sync(temporary)
            try fs.renameNoReplace(temporary, to: "\(Layout.control)/\(name).request")
            try fs.sync(Layout.control)
        }
        return name
    }

    /// Reads and removes the answer; nil when there is none yet.
    func takeAnswer(to name: String) throws(Failure) -> Answer? {
        let path = "\(Layout.control)/\(name).answer"
        let taken = try attempt { () throws(SystemError) in try fs.take(path, limit: RequestLimits.answerBytes, ignoringWriters: true) }
        guard case .file(_, let bytes) = taken else { return nil }
        // The answer is not complete yet; an event follows when it is.
        guard let table = JSON.readableTable(bytes, limits: RequestLimits.readingAnswer),
            let code = table.whole("code")
        else { return nil }
        try attempt { () throws(SystemError) in
            do throws(SystemError) { try fs.removeFile(path) } catch { if error.errno != SystemError.noSuchFile { throw error } }
        }
        var answer = Answer(code: Int32(truncatingIfNeeded: code), message: table.text("message") ?? "")
        answer.until = table.instant("until")
        if case .array(let jobs)? = table["jobs"]?.kind {
            for job in jobs {
                guard case .table(let job) = job.kind, let id = job.text("id"), let code = job.whole("code") else { continue }
                answer.jobs[id] = JobAnswer(code: Int32(truncatingIfNeeded: code), message: job.text("message") ?? "")
            }
        }
        return answer
    }
}
