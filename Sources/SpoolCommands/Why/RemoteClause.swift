import Store

/// Says how it stands with a run that an executor has.
struct RemoteClause {
    let status: JobStatus
    let wording: Wording

    /// A whole sentence. Nil for a job of this machine.
    var sentence: String? {
        guard status.isElsewhere, let name = status.executor.map(Output.oneLine) else { return nil }
        guard let remote = status.remote else { return "Executor \(name) is to run it." }
        let why = remote.why.map(Output.oneLine).map { ": \($0)" } ?? ""
        let handle = remote.handle.map { " as \(Output.oneLine($0))" } ?? ""
        let host = remote.host.map { " on \(Output.oneLine($0))" } ?? ""
        let since = " since \(wording.instant(remote.since))"
        switch remote.phase {
        case .submitting: return "Executor \(name) has not taken it yet\(why)."
        case .looking:
            return "Its submission to executor \(name) was not answered\(why). It is looked for\(since), and not submitted again before."
        case .pending:
            let position = remote.position.map { $0 == 0 ? ", next" : ", with \($0) before it" } ?? ""
            return "It waits at executor \(name)\(handle)\(since)\(why)\(position)."
        case .running: return "It runs at executor \(name)\(handle)\(host)\(since)."
        case .ending: return "Executor \(name) says\(since) that it has ended; what it says of its own end is awaited."
        case .undecided: return "Executor \(name) cannot say how it stands\(since)\(why). It stays open until that is known."
        }
    }
}
