import Glibc
import Store

/// The jobs that a command acts on: those that operands name, or those that the filters of `spoolctl jobs` match. No command acts on all
/// jobs because nothing was given: an option without a value is refused by the filter.
struct JobSelection {
    static let options = JobFilter.options + [
        Option("dry-run", "print the ids of the matching jobs, and change nothing"),
        Option("yes", "y", "act on more than ten matching jobs without asking"),
    ]

    /// The filters; nil when operands name the jobs.
    private(set) var filter: JobFilter?
    let isDry: Bool
    private let isSure: Bool
    /// A terminal is asked before filters make a command act on more jobs.
    private static let unaskedMax = 10
    /// The states that the command acts on unless `--state` names others.
    let usualStates: [JobState]

    /// - Parameters:
    ///   - states: the states that the command can act on.
    ///   - usually: the states that it acts on without `--state`.
    ///   - flag: an option of the command that selects jobs by itself, such as `--failed`.
    init(_ session: Session, states: [JobState], usually: [JobState], flag: String? = nil) throws(Failure) {
        let arguments = session.arguments
        isDry = arguments.flag("dry-run")
        isSure = arguments.flag("yes")
        usualStates = usually
        let filters = Set(JobFilter.options.map(\.name))
        let given = arguments.given.first { filters.contains($0.name) }?.spelling
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

    /// Chooses jobs in each part of the spool, and then acts on them part by part. Asks before acting on many, when a person can answer.
    /// Returns the exit code.
    func act(
        _ session: Session, _ verb: String, on choose: (Session) throws(Failure) -> [JobRecord],
        _ body: (Session, [JobRecord]) throws(Failure) -> Void
    ) throws(Failure) -> Int32 {
        var parts: [(session: Session, records: [JobRecord])] = []
        var code = try EverybodysSpool.each(session) { part throws(Failure) in parts.append((part, try choose(part))) }
        let count = parts.reduce(0) { $0 + $1.records.count }
        if count > Self.unaskedMax, !isSure, !isDry, isatty(STDIN_FILENO) == 1, session.errors.isTerminal {
            guard session.asks("\(verb.capitalizedFirst) \(count) jobs?") else {
                session.complain("nothing was changed")
                return ExitCode.failed
            }
        }
        for part in parts where !part.records.isEmpty {
            if try !session.tolerating(part.session, { () throws(Failure) in try body(part.session, part.records) }) {
                code = ExitCode.failed
            }
        }
        return code
    }

    /// Reports on standard error how many jobs the filters chose: `12 jobs canceled`.
    func summarize(_ session: Session, _ count: Int, _ pastTense: String) {
        guard !session.isQuiet, !session.isJSON else { return }
        guard count > 0 else { return session.complain("no job matches the filters") }
        session.complain("\(count) job\(count == 1 ? "" : "s") \(isDry ? "would be " : "")\(pastTense)")
    }
}
