import Store

/// The jobs that a command acts on: those that operands name, or those that the filters of `spoolctl jobs` match.
struct JobSelection {
    static let options = JobFilter.options + [
        Option("dry-run", "print the ids of the matching jobs, and change nothing"),
    ]

    /// The filters; nil when operands name the jobs.
    private(set) var filter: JobFilter?
    let isDry: Bool
    /// The states that the command acts on unless `--state` names others.
    let usualStates: [JobState]

    /// - Parameters:
    ///   - states: the states that the command can act on.
    ///   - usually: the states that it acts on without `--state`.
    ///   - flag: an option of the command that selects jobs by itself, such as `--failed`.
    init(_ session: Session, states: [JobState], usually: [JobState], flag: String? = nil) throws(Failure) {
        let arguments = session.arguments
        isDry = arguments.flag("dry-run")
        usualStates = usually
        let given = JobFilter.options.first { !arguments.values($0.name).isEmpty }.map { "--\($0.name)" }
        let chosen = given ?? flag.flatMap { arguments.flag($0) ? "--\($0)" : nil }
        guard let chosen else {
            _ = try session.operands("a job's ID, or filters (see spoolctl jobs --help)")
            return
        }
        if let first = arguments.operands.first {
            throw .usage("\(session.command.name) takes IDs or filters, not both \"\(first)\" and \(chosen)")
        }
        var filter = try JobFilter(session)
        try filter.restrict(to: states, usually: usually, of: session.command.name)
        self.filter = filter
    }

    /// The records of one part of the spool that the filters match, the oldest first.
    func matches(in part: Session) throws(Failure) -> [JobRecord] {
        guard let filter else { return [] }
        var records = try part.records()
        var found: [JobRecord] = []
        var seen: Set<String> = []
        let places = try part.reading { () throws(JournalError) in try records.places(in: filter.states) }
        search: for place in places {
            guard seen.insert(place.id).inserted else { continue }
            switch filter.judge(place.id) {
            case .matches: break
            case .no: continue
            case .olderThanAll: break search
            }
            if let record = try part.record(at: place, &records), filter.matches(record) { found.append(record) }
        }
        return found.reversed()
    }
}
