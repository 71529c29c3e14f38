import Scheduler
import Store

// Requests are files in control/, written by rename: `NAME.request`, answered by `NAME.answer`. Pauses are files too, whose
// being there is the pause.

extension Service {
    package func scanControl() {
        do throws(SystemError) {
            let names = Set(try spool.fs.list(Layout.control).map(\.name))
            for name in names { takeControl(name) }
            for scope in scheduler.pauses.keys where !names.contains(scope.text) { takeControl(scope.text) }
        } catch {
            unreadable(Layout.control, error)
        }
    }

    package func takeControl(_ name: String) {
        let path = "\(Layout.control)/\(name)"
        do throws(SystemError) {
            if let scope = PauseScope(text: name) {
                switch try spool.fs.take(path, limit: 4096, ignoringWriters: true) {
                case .file(_, let note):
                    scheduler.handle(.paused(scope, note: String(decoding: note, as: UTF8.self).trimmed), at: now)
                case .tooLarge: scheduler.handle(.paused(scope, note: "(its note is too long)"), at: now)
                case .missing, .foreign: scheduler.handle(.resumed(scope), at: now)
                case .refused(_, let why):
                    if spool.firstTimeIgnored(path) { log.write(.warning, "ignored", at: now, ["file": path, "why": why]) }
                case .busy, .other: break
                }
            } else if name.hasSuffix(".request"), !Name.isUnfinished(name),
                // Told of twice, by its creation and its closing, it is carried out once.
                !answers.contains(where: { $0.request == name }), !extensions.contains(where: { $0.request == name }), !restartRequests.contains(name),
                case .file(_, let bytes) = try spool.fs.take(path, limit: 1 << 16)
            {
                if let (code, message) = try perform(bytes, request: name) { answers.append((name, code, message)) }
                arrivals.nudge()
            }
            unreadable.remove(path)
        } catch {
            unreadable(path, error)
        }
    }

    /// A pause that somebody made or lifted counts, also when it cannot be looked at now.
    private func unreadable(_ path: String, _ error: SystemError) {
        if unreadable.insert(path).inserted { log.write(.error, "unreadable", at: now, ["file": path, "error": "\(error)"]) }
        if error.mayPass { lookAgain(atPath: path) }
    }

    /// Does what a request asks. The answer is an exit code and a sentence; nil: it comes later.
    private func perform(_ bytes: [UInt8], request: String) throws(SystemError) -> (Int, String)? {
        let table: Table
        do throws(DocumentError) {
            guard case .table(let content) = try JSON.parse(bytes).kind else { return (4, "the request is not an object") }
            table = content
        } catch {
            return (4, "the request cannot be read: \(error)")
        }
        if case .string("restart")? = table["do"]?.kind {
            // What was asked of the one before, this start is.
            if !hasBegun { return (0, version) }
            restartRequests.append(request)
            return nil
        }
        guard case .string(let what)? = table["do"]?.kind, case .string(let text)? = table["id"]?.kind, let id = JobID(text)
        else { return (4, "the request names no action or no id") }
        // A job that was submitted just before may still be among the names to look at.
        if scheduler.jobs[id] == nil {
            for ending in [".toml", ".json", ""] {
                let name = text + ending
                try takeArrival(name, arrivals.sighting(of: name)?.union(.settled) ?? .settled)
            }
        }
        guard let job = scheduler.jobs[id] else {
            // Carried out by a daemon that was killed before it could say so.
            if what == "cancel", try isCanceled(id) { return (0, "canceled") }
            return (3, "no waiting or running job \(text)")
        }
        // Begun by a daemon that was killed before it could say so; what it began it may not have come to do.
        if job.requests.contains(request) { return alreadyDone(what, job) }
        switch what {
        case "cancel":
            let wasRunning = job.state == .running
            scheduler.handle(.cancel(id), at: now)
            log.write(.notice, "cancel", at: now, ["id": text])
            return (0, wasRunning ? "asked to stop" : "canceled")
        case "kill":
            var signal: Int32 = 9
            if case .integer(let number)? = table["signal"]?.kind {
                guard (1...64).contains(number) else { return (4, "\(number) is not a signal") }
                signal = Int32(number)
            }
            guard job.state == .running else { return (1, "is not running") }
            scheduler.handle(.requested(id, name: request), at: now)
            scheduler.handle(.kill(id, signal: signal), at: now)
            log.write(.notice, "kill", at: now, ["id": text, "signal": Signal.name(signal)])
            return (0, "\(Signal.name(signal)) sent")
        case "extend": return extend(job, by: table["by"], request: request)
        default: return (4, "unknown action \"\(what)\"")
        }
    }

    /// The answer to a request that has been taken up before.
    private func alreadyDone(_ what: String, _ job: Job) -> (Int, String) {
        let why = "spoold was killed while it did this, and does not do it twice; it may have been done or not"
        guard what == "extend", let started = job.startedAt, let timeout = timeout(of: job),
            // What cannot be read says nothing.
            let moved = try? spool.fs.extended(Layout.directory(of: job.id, .running))
        else { return (1, why) }
        return (1, "\(why): the job may run until \(started.advanced(byMilliseconds: timeout).advanced(byMilliseconds: moved).rfc3339)")
    }

    private func isCanceled(_ id: JobID) throws(SystemError) -> Bool {
        let path = "\(Layout.directory(of: id, .failed))/\(Layout.statusFile)"
        guard case .file(_, let bytes) = try spool.fs.take(path, limit: Source.bytesMax, ignoringWriters: true),
            case .table(let table)? = (try? JSON.parse(bytes, limits: .status))?.kind  // unreadable: it says nothing
        else { return false }
        return table.text("reason") == FailureReason.canceled.rawValue
    }

    /// Answers those who asked for a restart that it cannot be.
    package func refuseRestart(_ why: String) {
        answers += restartRequests.map { ($0, 1, why) }
        restartRequests.removeAll()
        arrivals.nudge()
    }

    /// Moves the timeout of a job that runs. The worker, of this daemon or an earlier one, finds it in the job's directory.
    private func extend(_ job: Job, by value: Value?, request: String) -> (Int, String)? {
        let milliseconds: Int64
        do throws(RecurrenceError) {
            switch value?.kind {
            case .string(let text)?: milliseconds = try Span.parse(text).approximateMilliseconds
            case .integer(let seconds)?: milliseconds = try Span(seconds: Double(seconds)).approximateMilliseconds
            case .float(let seconds)?: milliseconds = try Span(seconds: seconds).approximateMilliseconds
            default: return (4, "the request says not by how much: by is a duration")
            }
        } catch {
            return (4, "by: \(error)")
        }
        guard milliseconds > 0 else { return (4, "by: a timeout can only be moved to later") }
        guard job.state == .running, let started = job.startedAt else { return (1, "is not running") }
        guard let timeout = timeout(of: job) else { return (1, "has no timeout") }
        scheduler.handle(.requested(job.id, name: request), at: now)
        extensions.append(TimeoutExtension(request: request, job: job, milliseconds: milliseconds, limit: started.advanced(byMilliseconds: timeout)))
        return nil
    }

    /// The timeout that the job's worker was given, in milliseconds; nil: none. The configured one may have changed since.
    private func timeout(of job: Job) -> Int64? {
        guard let timeout = job.definition.timeoutMilliseconds ?? world.configuration.defaultTimeoutMilliseconds, timeout > 0 else { return nil }
        return timeout
    }

    /// Once it is journaled that they are about to be done: a line added twice would count twice.
    func carryOutExtensions() {
        for one in extensions {
            let id = one.job.id
            do throws(SystemError) {
                let moved = try spool.fs.extend(Layout.directory(of: id, .running), milliseconds: one.milliseconds)
                let until = one.limit.advanced(byMilliseconds: moved)
                log.write(.notice, "extend", at: now, ["id": id.text, "by": "\(Span(milliseconds: one.milliseconds))", "until": until.rfc3339])
                answers.append((one.request, 0, "may run until \(until.rfc3339)"))
            } catch {
                answers.append((one.request, 1, "\(error)"))
            }
        }
        extensions.removeAll()
    }

    /// Answers a request that has been carried out and journaled, and removes it.
    func write(_ answer: (request: String, code: Int, message: String)) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("code", answer.code)
        writer.member("message", answer.message)
        writer.endObject()
        let path = "\(Layout.control)/\(answer.request.dropLast(".request".count))"
        do throws(SystemError) {
            try persistently { () throws(SystemError) in try self.spool.fs.replace("\(path).answer", writer.bytes) }
            try spool.fs.removeFile("\(path).request")
        } catch {
            // Whoever asked has gone and taken the request along.
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

/// What moves a job's timeout, when the turn is carried out.
struct TimeoutExtension {
    var request: String
    var job: Job
    var milliseconds: Int64
    /// When the timeout would strike if it had never been moved.
    var limit: Instant
}
