import Linux
import Store
import WorkerProtocol

/// The answer of `spoolctl why ID`: what a job waits for, since when it runs, or how it ended.
struct WhyJob {
    private let session: Session
    private let fs: DiskFileSystem
    private let record: JobRecord
    private let definition: JobDefinition?
    private var holds: [Hold] = []
    private var sentence = ""
    private var successor: String?
    /// The jobs that wait for one another in a ring, so that this job waits for ever.
    private var ring: [WaitRing.Step]?
    private var worker: WorkerRecord.Running?

    private var status: JobStatus { record.status }
    private var wording: Wording { session.wording }
    private var clauses: HoldClauses { HoldClauses(status: status, wording: wording) }

    init(_ session: Session, _ record: JobRecord, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) {
        self.session = session
        self.record = record
        fs = records.fs
        let found = records
        definition = try attempt { () throws(SystemError) in try found.definition(at: record.place) }
        switch record.place.state {
        case .new: try explainWaiting(&records)
        case .running: try explainRunning()
        case .done, .failed: try explainEnd()
        }
        if let moved = status.moved { sentence += " \(moved.capitalizedFirst)." }
    }

    /// The whole answer as text.
    var text: String { sentence }

    func print() -> Int32 {
        let output = session.output
        if session.isQuiet {
            output.line(status.id)
        } else if session.isJSON {
            writeJSON()
        } else {
            if let title = status.title { output.paragraph("\(status.name): \(title)") }
            output.paragraph(sentence)
            for line in status.errorTailLines { output.line("  \(Output.oneLine(line))") }
        }
        return ExitCode.done
    }

    // MARK: Waiting

    private mutating func explainWaiting(_ records: inout JobRecords<DiskFileSystem>) throws(Failure) {
        let surroundings = try surroundings(&records)
        if let error = status.error, record.place.isFile || !record.isComplete {
            var hold = Hold(.file)
            hold.note = error
            holds = [hold]
        } else if !record.isComplete, record.place.isFile {
            var hold = Hold(.file)
            hold.note = "it cannot be read, or is still being written"
            holds = [hold]
        }
        holds += surroundings.holds(on: status, overlap: definition?.overlap ?? .wait, now: session.now)
        var graph = try WaitRing(session)
        ring = try graph.ring(of: status.id)
        sentence = clauses.sentence(holds)
        if let deadline = status.deadline, status.attempt == 0 {
            sentence += " If it has not started by \(wording.instant(deadline)), it fails with deadline."
        }
        addRing()
    }

    private func surroundings(_ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> WaitingSurroundings {
        var surroundings = try session.surroundings(fs, &records)
        if definition?.after != nil {
            surroundings.waitsFor = try session.reading { () throws(JournalError) in try records.waitsFor(of: status.id) }
        }
        if let locks = definition?.locks, !locks.isEmpty {
            let found = records
            for other in surroundings.running {
                let place = JobPlace(id: other.id, state: .running, path: "\(Layout.running)/\(other.id)", isFile: false)
                let definition = try attempt { () throws(SystemError) in try found.definition(at: place) }
                for lock in locks where definition?.locks.contains(lock) == true { surroundings.heldLocks.append((lock, other.id)) }
            }
        }
        // Only jobs with the task's name are read: a hundred thousand jobs may wait.
        if let task = status.task, status.attempt == 0 {
            let waiting = try session.reading { () throws(JournalError) in try records.places(in: [.new]) }
            for place in waiting.lazy.filter({ !$0.isFile && $0.id != status.id && JobID($0.id)?.name == task }).prefix(1000) {
                let other = try session.reading { () throws(JournalError) in try records.record(at: place) }
                if let other, other.status.task == task, other.status.attempt > 0 { surroundings.betweenTries.append(place.id) }
            }
        }
        return surroundings
    }

    // MARK: Running

    private mutating func explainRunning() throws(Failure) {
        if let elsewhere = RemoteClause(status: status, wording: wording).sentence { return try explain(elsewhere: elsewhere) }
        let fs = fs
        let id = status.id
        var isAlive = true
        worker = try attempt { () throws(SystemError) -> WorkerRecord.Running? in
            for entry in try fs.list(Layout.workers) {
                guard case .file(_, let bytes) = try fs.take("\(Layout.workers)/\(entry.name)", limit: 1 << 16, ignoringWriters: true),
                    case .running(let run)? = WorkerRecord.parse(bytes), run.jobID == id
                else { continue }
                isAlive = try WorkerLock.isHeld(record: entry.name, spool: session.spoolPath)
                return run
            }
            return nil
        }
        let started = worker.map { Instant(milliseconds: $0.startedAt) } ?? status.startedAt
        sentence = "It runs"
        if let started { sentence += " since \(wording.instant(started))" }
        if status.tries > 1 { sentence += ", try \(status.attempt) of \(status.tries)" }
        if let worker {
            if worker.jobPID != 0 { sentence += ", as process \(worker.jobPID)" }
            sentence += " under worker \(worker.workerPID)"
            if !isAlive { sentence += ", which has died: its end cannot be recorded, and it becomes lost" }
        }
        let history = try session.history(job: id, since: started ?? status.createdAt, fs)
        if let stopping = history.jobs[id]?.stopping {
            sentence += "; it was asked to end (\(stopping.why.rawValue)) at \(wording.instant(stopping.at))"
        }
        if let limit = try timeout(), let started {
            sentence += "; its timeout of \(length(limit)) ends at \(wording.instant(started.advanced(byMilliseconds: limit)))"
        }
        sentence += "."
        if let started { sentence += try slowness(session.now.milliseconds - started.milliseconds) }
        var graph = try WaitRing(session)
        ring = try graph.ring(of: id)
        addRing()
        if let down = try DaemonState(session, fs).down {
            sentence += " The worker records how it ends, though \(wording.downtime(down))."
        }
    }

    /// A run that an executor has. Its time counts from its submission.
    private mutating func explain(elsewhere: String) throws(Failure) {
        sentence = elsewhere
        if status.tries > 1 { sentence += " This is try \(status.attempt) of \(status.tries)." }
        let history = try session.history(job: status.id, since: status.startedAt ?? status.createdAt, fs)
        if let stopping = history.jobs[status.id]?.stopping {
            sentence += " It was asked to end (\(stopping.why.rawValue)) at \(wording.instant(stopping.at))."
        }
        if let limit = try timeout() { sentence += " Its timeout of \(length(limit)) counts from its beginning there." }
        var graph = try WaitRing(session)
        ring = try graph.ring(of: status.id)
        addRing()
        if let down = try DaemonState(session, fs).down {
            sentence += " It goes on, though \(wording.downtime(down)), and its end is recorded later."
        }
    }

    /// The number of runs from which the usual length of a task's runs is known, and how much longer a run must take.
    private static let usualRunsMin = 3
    private static let slowFactor: Int64 = 2
    private static let slowMillisecondsMin: Int64 = 1000

    /// Says that the run takes longer than `slow`, or much longer than the task's runs usually take.
    private func slowness(_ ran: Int64) throws(Failure) -> String {
        var usual: String?
        if let task = status.task, let length = try UsualRuns(session, of: [task]).length(of: task), length.runs >= Self.usualRunsMin,
            ran > max(Self.slowMillisecondsMin, length.milliseconds * Self.slowFactor)
        {
            usual = "its last \(length.runs) runs usually took \(TimeText.length(length.milliseconds))"
        }
        let limit = definition?.notices?.slowMilliseconds.flatMap { ran >= $0 ? "it is slow after \(TimeText.length($0))" : nil }
        let reasons = [limit, usual].compactMap(\.self)
        return reasons.isEmpty ? "" : " It has run for \(TimeText.length(ran)), longer than usual: \(reasons.joined(separator: "; "))."
    }

    private mutating func addRing() {
        guard let ring else { return }
        sentence += " It waits for ever: \(WaitRing.text(ring)). Cancel one of these jobs, or configure more slots."
    }

    /// The job's timeout in milliseconds, with its extensions.
    private func timeout() throws(Failure) -> Int64? {
        let configured = try session.configuration().defaultTimeoutMilliseconds
        let fs = fs
        let place = record.place
        let limit = definition?.timeoutMilliseconds ?? configured ?? 0
        let moved = place.isFile ? 0 : try attempt { () throws(SystemError) in try fs.extended(place.path) }
        let length = limit.addingReportingOverflow(moved).overflow ? .max : limit + moved
        // Without a timeout in the definition, extend may have begun one.
        return length > 0 ? length : nil
    }

    /// `1h`, or `1h (extended by 30m)`.
    private func length(_ limit: Int64) -> String {
        // The extension was read a moment ago without an error.
        guard let moved = try? fs.extended(record.place.path), moved > 0 else { return TimeText.length(limit) }
        return "\(TimeText.length(limit)) (extended by \(TimeText.length(moved)))"
    }

    // MARK: Ended

    private mutating func explainEnd() throws(Failure) {
        let after = status.ranMilliseconds.map { " after \(TimeText.length($0))" } ?? ""
        var text: String
        switch status.reason {
        case nil:
            text = status.state == .done ? "It succeeded\(after)" : "It failed"
            if let code = status.exitCode, code != 0 { text += " with exit code \(code), which counts as success" }
        case .exit: text = "It failed: its command exited with \(status.exitCode.map(String.init) ?? "an unknown code")\(after)"
        case .short: text = "It failed: \(status.error ?? "it ended before its min_run")"
        case .signal:
            text = "It failed: its command was ended by \(status.signal.map { Signal.name($0) } ?? "a signal")\(after)"
            let history = try session.history(job: status.id, since: status.createdAt, fs)
            if history.jobs[status.id]?.stopping?.why == .killed { text += ", as spoolctl kill asked" }
        case .timeout:
            text = "It failed: it ran longer than its timeout\(try timeout().map { " of \(length($0))" } ?? "")"
            let exited = status.exitCode.map { ", and then exited with \($0)" } ?? ""
            text += status.signal.map { ", and was ended by \(Signal.name($0))" } ?? exited
        case .deadline:
            text = "It failed: it had not started by its deadline\(status.deadline.map { ", \(wording.instant($0))" } ?? "")"
            let history = try session.history(job: status.id, since: status.createdAt, fs)
            if let down = history.downtime(at: status.deadline ?? status.changedAt) { text += "; \(wording.downtime(down))" }
        case .canceled: text = "It was \(status.error ?? "canceled")"
        case .rejected: text = "Its file could not be used: \(status.error ?? "unknown reason")"
        case .lost:
            let started = status.startedAt.map { " at \(wording.instant($0))" } ?? ""
            text = "It is lost: it was started\(started), and \(status.error ?? "how it ended was not recorded")"
        case .spawn: text = "It failed: its command could not be started: \(status.error ?? "unknown reason")"
        case .dependency: text = "It did not run: \(status.error ?? "a job in its `after` did not end as required")"
        case .replaced:
            text = "A newer run of its task took its place"
            let history = try session.history(task: status.task, job: status.id, since: status.createdAt, fs)
            successor = history.jobs[status.id].flatMap { history.successor(of: $0) }
            if let successor { text += ": \(successor)" }
        }
        // A job that was canceled between two tries ended later than its last try.
        let end = [.canceled, .replaced].contains(status.reason) ? status.changedAt : status.endedAt
        text += end.map { ", at \(wording.instant($0))" } ?? ""
        if status.tries > 1, status.attempt > 0 { text += "; it was try \(status.attempt) of \(status.tries)" }
        sentence = text + "."
        if let remark = status.remark { sentence += " It did not start as its definition says: \(remark)." }
    }

    // MARK: Removed

    /// Prints what the journal says about a job without a record. Nil when the journal does not know the job either.
    static func printGone(_ session: Session, _ text: String) throws(Failure) -> Int32? {
        guard let id = JobID(text) else { return nil }
        let wording = session.wording
        let fs = try session.openSpool()
        let history = try session.history(job: id.text, since: Instant(milliseconds: 0), fs)
        guard let job = history.jobs[id.text] else { return nil }
        var sentence = "Its record was removed."
        if let withdrawn = job.withdrawnAt {
            sentence = "It was withdrawn at \(wording.instant(withdrawn)): its file was removed from new/."
        } else if let (at, ending) = job.ending {
            sentence = "It \(VerdictText.outcome(ending)) at \(wording.instant(at)); its record was removed."
        }
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("kind", "job")
                writer.member("id", id.text)
                writer.member("state", job.withdrawnAt == nil ? "gone" : "withdrawn")
                writer.member("reason", job.ending?.1.reason?.rawValue)
                writer.member("sentence", sentence)
            }
        } else {
            session.output.paragraph(session.isQuiet ? id.text : sentence)
        }
        return ExitCode.done
    }

    // MARK: JSON

    private func writeJSON() {
        session.output.jsonObject { writer in
            writer.member("kind", "job")
            writer.member("id", status.id)
            writer.member("title", status.title)
            writer.member("state", record.place.state.rawValue)
            writer.member("reason", status.reason?.rawValue)
            writer.member("sentence", sentence)
            writer.member("error", status.error)
            writer.member("error_tail", status.errorTail)
            writer.member("exit_code", status.exitCode)
            writer.member("signal", status.signal.map(Int.init))
            writer.member("try", status.attempt)
            writer.member("tries", status.tries)
            writer.member("deadline", status.deadline)
            writer.member("pid", worker.flatMap { $0.jobPID == 0 ? nil : Int($0.jobPID) })
            writer.member("worker", worker.map { Int($0.workerPID) })
            if let executor = status.executor { writer.member("executor", executor) }
            if let remote = status.remote {
                writer.key("remote")
                remote.write(to: &writer)
            }
            writer.member("replaced_by", successor)
            writer.member("moved", status.moved)
            if let ring { writer.member("ring", texts: ring.map(\.job)) }
            writer.member("holds", objects: holds) { writer, hold in
                writer.member("kind", hold.kind.rawValue)
                writer.member("text", clauses.text(hold))
                writer.member("at", hold.instant)
                writer.member("scope", hold.scope?.text)
                writer.member("note", hold.note)
                writer.member("slots", hold.slots)
                writer.member("jobs", texts: hold.jobs)
            }
        }
    }
}
