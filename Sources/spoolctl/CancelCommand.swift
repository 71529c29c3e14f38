import Store

extension Command {
    static let cancel = Command(
        "cancel", "ID…", "cancel jobs",
        details: [
            "One that waits never runs; one that runs is told to stop, with its stop_signal and later with SIGKILL. It ends in failed/ with the reason canceled. Without a daemon the request is kept in control/ until one starts.",
        ],
        examples: [Example("spoolctl cancel \"$id\"", "exits with 1 when the job has ended already")]
    ) { session throws(Failure) in
        try session.request(for: try session.operands("a job's ID"), pastTense: "canceled") { id, writer in
            writer.member("do", "cancel")
            writer.member("id", id)
        }
    }

    static let kill = Command(
        "kill", "ID… [-s SIGNAL]", "send a signal to running jobs",
        details: ["To the whole process group of the job. SIGKILL unless another is named."],
        options: [Option("signal", "s", value: "SIGNAL", "a name or number, such as TERM, USR1 or 10")],
        examples: [Example("spoolctl kill -s HUP \"$id\"", "what the job does then is its own affair")]
    ) { session throws(Failure) in
        var signal: Int32 = 9
        if let text = session.arguments.value("signal") {
            guard let number = Signal.number(text) else {
                let near = nearest(to: text.uppercased(), among: Signal.names.map(\.name))
                throw .usage("--signal: \"\(text)\" is not a signal" + (near.map { "; did you mean \"\($0)\"?" } ?? ""))
            }
            signal = number
        }
        return try session.request(for: try session.operands("a job's ID"), pastTense: "sent \(Signal.name(signal))") { id, writer in
            writer.member("do", "kill")
            writer.member("id", id)
            writer.member("signal", Int(signal))
        }
    }
}

extension Session {
    /// Asks for the end of a job. Nil: no daemon runs, and the request is kept for the next one.
    func cancel(_ id: String) throws(Failure) -> ControlRequest.Answer? {
        try ControlRequest(self).make { writer in
            writer.member("do", "cancel")
            writer.member("id", id)
        }
    }

    /// Makes a request for each of these jobs, and exits with the first failure. `withoutDaemon` does what can be done when no
    /// daemon runs; without it the request is kept.
    func request(
        for texts: [String], pastTense: String, _ write: (String, inout JSONWriter) -> Void,
        withoutDaemon: ((JobRecord) throws(Failure) -> ControlRequest.Answer)? = nil
    ) throws(Failure) -> Int32 {
        var code = ExitCode.done
        func fail(_ failure: Int32, _ line: String) {
            complain(line)
            if code == ExitCode.done { code = failure }
        }
        for text in texts {
            var records = try records()
            let record: JobRecord
            do throws(Failure) { record = try job(text, &records) } catch {
                for line in error.lines { fail(error.code, line) }
                continue
            }
            let id = record.status.id
            guard !record.place.state.isTerminal else {
                fail(ExitCode.failed, "\(id) has already ended: \(record.status.summary)")
                continue
            }
            guard JobID(id) != nil else {
                fail(ExitCode.failed, "\(id) has not been taken up; remove \(spoolPath)/\(record.place.path) to withdraw it")
                continue
            }
            var answer: ControlRequest.Answer?
            if let withoutDaemon, try daemon() == nil {
                answer = try withoutDaemon(record)
            } else {
                answer = try ControlRequest(self).make { write(id, &$0) }
            }
            guard let answer else {
                complain("spoold is not running on \(spoolPath); the request is kept and will be carried out when it starts")
                continue
            }
            if answer.code != 0 {
                fail(answer.code, "\(id): \(answer.message)")
            } else if isQuiet {
                output.line(id)
            } else if isJSON {
                var writer = JSONWriter(reserving: 128)
                writer.beginObject()
                writer.member("id", id)
                writer.member("message", answer.message)
                writer.endObject()
                output.line(String(decoding: writer.bytes, as: UTF8.self))
            } else {
                output.line("\(id): \(answer.message.isEmpty ? pastTense : answer.message)")
            }
        }
        return code
    }
}
