import Scheduler
import Store

/// The files of control/: requests, `NAME.request`, which are answered by `NAME.answer`, and pauses, which last as long as their
/// files exist.
///
/// Invariants:
/// - A request is carried out once, however often it is noticed. It is answered only when the journal contains its effects.
/// - Requests that were made together are carried out in one turn: no job starts between two of them that the second one cancels.
final class Requests<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// Names that were added, changed or removed since they were last read.
    private var noticedNames: [String] = []
    /// True when any file may have changed.
    private var mayAllHaveChanged = false
    /// Requests that have been carried out. They are answered when this is journaled.
    private var answers: [RequestAnswer] = []
    /// Requests for more time.
    private let extensions: TimeoutExtensions<FS, W>
    /// Requests to restart the program, which the owner of the service carries out.
    private(set) var restarts: [String] = []
    /// Files that could not be read. This has been logged.
    private var unreadable: Set<String> = []
    /// The version of this program, once the requests that existed at its start have been read: the answer to an earlier request
    /// to restart.
    private var versionAtStart: String?

    init(_ service: Service<FS, W>) {
        self.service = service
        extensions = TimeoutExtensions(service)
    }

    // MARK: Changes

    /// True when the next turn has work to do.
    var hasWork: Bool { hasNoticed || !answers.isEmpty }

    var hasNoticed: Bool { mayAllHaveChanged || !noticedNames.isEmpty }

    func noticed(_ name: String) { noticedNames.append(name) }

    func allNoticed() { mayAllHaveChanged = true }

    /// Reads the files that were added, changed or removed.
    func takeNoticed() {
        guard hasNoticed else { return }
        let (names, all) = (noticedNames, mayAllHaveChanged)
        (noticedNames, mayAllHaveChanged) = ([], false)
        for name in names { takeControl(name) }
        if all || names.contains(where: { $0.hasSuffix(".request") }) { scanControl() }
    }

    /// Reads the files that existed when this program started.
    func begin(version: String) {
        versionAtStart = version
        scanControl()
        versionAtStart = nil
    }

    // MARK: Reading

    /// Reads all files of control/ in one turn.
    func scanControl() {
        do throws(SystemError) {
            let names = Set(try spool.fs.list(Layout.control).map(\.name))
            // The names that spoolctl gives begin with an instant.
            for name in names.sorted() { takeControl(name) }
            for scope in scheduler.pauses.keys where !names.contains(scope.text) { takeControl(scope.text) }
        } catch {
            note(Layout.control, error)
        }
    }

    func takeControl(_ name: String) {
        let path = "\(Layout.control)/\(name)"
        do throws(SystemError) {
            if let scope = PauseScope(text: name) {
                switch try spool.fs.take(path, limit: 4096, ignoringWriters: true) {
                case .file(_, let note):
                    handle(.paused(scope, note: String(decoding: note, as: UTF8.self).trimmed))
                case .tooLarge: handle(.paused(scope, note: "(its note is too long)"))
                case .missing, .foreign: handle(.resumed(scope))
                case .refused(_, let why):
                    if spool.firstTimeIgnored(path) { log.write(.warning, "ignored", at: now, ["file": path, "why": why]) }
                case .busy, .other: break
                }
            } else if name.hasSuffix(".request"), !Name.isUnfinished(name),
                // Its creation and its closing are two events of one request.
                !answers.contains(where: { $0.request == name }), !extensions.hasRequest(name),
                !restarts.contains(name),
                case .file(_, let bytes) = try spool.fs.take(path, limit: RequestLimits.bytes)
            {
                if let answer = try perform(bytes, request: name) { answers.append(answer) }
            }
            unreadable.remove(path)
        } catch {
            note(path, error)
        }
    }

    /// A pause that somebody added or removed applies even if its file cannot be examined now.
    private func note(_ path: String, _ error: SystemError) {
        if unreadable.insert(path).inserted { logUnreadable(path, error) }
        if error.mayPass { service.intake.lookAgain(atPath: path) }
    }

    /// Carries out a request. Returns nil when the answer follows later.
    private func perform(_ bytes: [UInt8], request: String) throws(SystemError) -> RequestAnswer? {
        let asked: JobRequest
        do throws(DocumentError) {
            guard case .table(let table) = try JSON.parse(bytes, limits: RequestLimits.reading).kind else {
                return RequestAnswer(request, 4, "the request is not an object")
            }
            if case .string("restart")? = table["do"]?.kind {
                if let versionAtStart { return RequestAnswer(request, 0, versionAtStart) }
                restarts.append(request)
                return nil
            }
            if case .string("ping")? = table["do"]?.kind {
                // The published status then shows this turn, so that the next question within a minute needs no request.
                service.isPublishDue = true
                return RequestAnswer(request, 0, "")
            }
            do throws(RequestProblem) { asked = try JobRequest(table) } catch { return RequestAnswer(request, 4, error.sentence) }
        } catch {
            return RequestAnswer(request, 4, "the request cannot be read: \(error)")
        }
        if !asked.isForMany {
            return try perform(asked.action, for: asked.ids[0], request: request).map { RequestAnswer(request, $0.code, $0.message) }
        }
        var answers: [JobID: (code: Int, message: String)] = [:]
        // Cancel waiting jobs first, so that none of them takes the slot or the lock of a running job that ends.
        var running: [JobID] = []
        for id in asked.ids {
            try takeIfDropped(id)
            if scheduler.jobs[id]?.state == .running {
                running.append(id)
            } else {
                answers[id] = try perform(asked.action, for: id, request: request)
            }
        }
        for id in running { answers[id] = try perform(asked.action, for: id, request: request) }
        return RequestAnswer(request, jobs: asked.ids.compactMap { id in answers[id].map { (id, $0.code, $0.message) } })
    }

    /// A job that was submitted just before may not have been read yet. The author of the request knows its id, so its file is
    /// complete.
    private func takeIfDropped(_ id: JobID) throws(SystemError) {
        guard scheduler.jobs[id] == nil else { return }
        for name in Layout.waitingNames(of: id.text) { try service.intake.take(name, [.settled, .movedIn]) }
    }

    /// The answer is an exit code and a sentence. Nil when it follows later.
    private func perform(
        _ action: JobRequest.Action, for id: JobID, request: String
    ) throws(SystemError) -> (code: Int, message: String)? {
        try takeIfDropped(id)
        guard let job = scheduler.jobs[id] else {
            // A daemon carried this out and was killed before it could answer.
            if case .cancel = action, try isCanceled(id) { return (0, "canceled") }
            return (3, "no waiting or running job \(id)")
        }
        // A daemon began this and was killed before it could answer. It may not have finished.
        if job.requests.contains(request) { return alreadyDone(action, job) }
        switch action {
        case .cancel:
            let wasRunning = job.state == .running
            handle(.cancel(id))
            log.write(.notice, "cancel", at: now, ["id": id.text])
            return (0, wasRunning ? "asked to stop" : "canceled")
        case .kill(let signal):
            guard job.state == .running else { return (1, "is not running") }
            handle(.requested(id, name: request))
            handle(.kill(id, signal: signal))
            log.write(.notice, "kill", at: now, ["id": id.text, "signal": Signal.name(signal)])
            return (0, "\(Signal.name(signal)) sent")
        case .extend(let limit):
            // The job may have made its own file unreadable.
            do throws(SystemError) { return try extensions.add(job, to: limit, request: request) } catch { return (1, "\(error)") }
        case .update(let text): return try JobTextChange(service: service, job: job, text: text).carryOut()
        }
    }

    /// The answer to a request that was handled before.
    private func alreadyDone(_ action: JobRequest.Action, _ job: Job) -> (code: Int, message: String) {
        let why = "spoold was killed while it did this, and does not do it twice; it may have been done or not"
        guard case .extend = action, let limit = extensions.limit(of: job) else { return (1, why) }
        return (1, "\(why): the job may run until \(limit.rfc3339)")
    }

    private func isCanceled(_ id: JobID) throws(SystemError) -> Bool {
        let path = "\(Layout.directory(of: id, .failed))/\(Layout.statusFile)"
        guard case .file(_, let bytes) = try spool.fs.take(path, limit: Source.bytesMax, ignoringWriters: true),
            let table = JSON.readableTable(bytes, limits: .status)  // an unreadable one contains no information
        else { return false }
        return table.text("reason") == FailureReason.canceled.rawValue
    }

    /// The program could not be restarted.
    func refuseRestart(_ why: String) {
        answers += restarts.map { RequestAnswer($0, 1, why) }
        restarts.removeAll()
    }

    // MARK: Pauses

    /// Creates the file of a pause.
    func makePause(_ scope: PauseScope, note: String) throws(SystemError) {
        try persistently { () throws(SystemError) in
            let path = "\(Layout.control)/\(scope.text)"
            try self.spool.fs.replace(path, Array("\(note)\n".utf8))
            try self.spool.fs.sync(path)
            try self.spool.fs.sync(Layout.control)
        }
    }

    // MARK: Answering

    /// Carries out and answers the requests of this turn, once they are journaled.
    func answer() {
        answers += extensions.carryOut()
        for answer in answers { write(answer) }
        answers.removeAll()
    }

    private func write(_ answer: RequestAnswer) {
        let path = "\(Layout.control)/\(answer.request.dropLast(".request".count))"
        do throws(SystemError) {
            try persistently { () throws(SystemError) in try self.spool.fs.replace("\(path).answer", answer.json) }
            try spool.fs.removeFile("\(path).request")
        } catch {
            // The author of the request has ended and removed it.
            guard error.errno != SystemError.noSuchFile else { return }
            log.write(.error, "unanswered", at: now, ["request": answer.request, "error": "\(error)"])
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        while text.first?.isWhitespace == true { text.removeFirst() }
        return String(text)
    }
}
