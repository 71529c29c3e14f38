import Store

/// What one call of spoolctl asks the daemon to do with jobs, and what it prints of that: a line for each job, and an exit code.
struct JobRequests {
    private let session: Session
    /// What is said of a job for which the answer has no words.
    private let pastTense: String
    /// The first failure.
    private(set) var code = ExitCode.done

    init(_ session: Session, pastTense: String) {
        self.session = session
        self.pastTense = pastTense
    }

    /// The jobs that these operands mean, each once, as far as they wait or run. The others are complained of.
    mutating func open(_ texts: [String]) throws(Failure) -> [JobRecord] {
        var open: [JobRecord] = []
        var seen = Set<String>()
        var records = try session.records()
        for text in texts {
            let record: JobRecord
            do throws(Failure) { record = try session.job(text, &records) } catch {
                for line in error.lines { fail(error.code, line) }
                continue
            }
            let id = record.status.id
            if record.place.state.isTerminal {
                fail(ExitCode.failed, "\(id) has already ended: \(record.status.summary)")
            } else if JobID(id) == nil {
                fail(ExitCode.failed, "\(id) has not been taken up; remove \(session.spoolPath)/\(record.place.path) to withdraw it")
            } else if seen.insert(id).inserted {
                open.append(record)
            }
        }
        return open
    }

    /// Asks for the same for all of these jobs, which the daemon does for all of them in one turn. `write` writes what is asked for.
    mutating func ask(for records: [JobRecord], _ write: (inout JSONWriter) -> Void) throws(Failure) {
        guard !records.isEmpty else { return }
        // What waits is in the first of several requests, and none of it starts because a later one has ended something.
        let ids = (records.filter { $0.place.state != .running } + records.filter { $0.place.state == .running }).map(\.status.id)
        guard let answers = try ControlRequest(session).make(for: ids, write) else {
            session.complain("spoold is not running on \(session.spoolPath); the request is kept and will be carried out when it starts")
            return
        }
        for record in records {
            guard let answer = answers[record.status.id] else { continue }
            tell(record.status.id, answer.code, answer.message)
        }
    }

    /// Prints the answer for a job.
    mutating func tell(_ id: String, _ answer: Int32, _ message: String) {
        if answer != 0 { return fail(answer, "\(id): \(message)") }
        if session.isQuiet {
            session.output.line(id)
        } else if session.isJSON {
            var writer = JSONWriter(reserving: 128)
            writer.beginObject()
            writer.member("id", id)
            writer.member("message", message)
            writer.endObject()
            session.output.line(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            session.output.line("\(id): \(message.isEmpty ? pastTense : message)")
        }
    }

    private mutating func fail(_ failure: Int32, _ line: String) {
        session.complain(line)
        if code == ExitCode.done { code = failure }
    }
}
