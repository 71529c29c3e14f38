import Store

/// The changes that keys of `top` make to the spool. Nothing is waited for: a daemon's answer is shown when it arrives.
struct TopRequests {
    private let session: Session
    /// The message for each open request, shown when the daemon has carried it out.
    private var open: [String: String] = [:]

    init(_ session: Session) { self.session = session }

    // Each function makes a request, and returns the message about it.

    mutating func cancel(_ id: String) throws(Failure) -> String { try ask("cancel", id, done: "canceled") }

    mutating func kill(_ id: String) throws(Failure) -> String { try ask("kill", id, done: "killed") }

    func retry(_ id: String) throws(Failure) -> String {
        let fs = try session.openSpoolForWriting()
        var records = try session.records()
        var drop = JobDrop(fs)
        return "submitted \(session.qualified(try session.retry(try session.job(id, &records), fs, &drop).text))"
    }

    private mutating func ask(_ what: String, _ text: String, done: String) throws(Failure) -> String {
        var records = try session.records()
        let record = try session.job(text, &records)
        let id = record.status.id
        let shown = session.qualified(id)
        if let why = session.refusal(ofRequestFor: record) { return why }
        let name = try ControlRequest(session).send { writer in
            writer.member("do", what)
            writer.member("id", id)
            if what == "kill" { writer.member("signal", 9) }
        }
        open[name] = "\(done) \(shown)"
        if try session.daemon() == nil { return "spoold is not running; it carries out the request when it starts" }
        return "asked spoold to \(what) \(shown)"
    }

    /// Reads an answer that has arrived, and returns its message.
    mutating func take(answer name: String) throws(Failure) -> String? {
        guard let done = open[name], let answer = try ControlRequest(session).takeAnswer(to: name) else { return nil }
        open[name] = nil
        return answer.code == ExitCode.done || answer.message.isEmpty ? done : answer.message
    }
}
