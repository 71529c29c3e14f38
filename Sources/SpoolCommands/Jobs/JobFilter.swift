import Store
import TextSearch

/// The filters of `spoolctl jobs`: which jobs match.
struct JobFilter {
    private(set) var states = JobState.allCases
    private let saysState: Bool
    private let reasons: [FailureReason]
    private let tasks: [String]
    private let schedules: [String]
    private let queues: [String]
    private let names: [String]
    private let tags: [String]
    private let texts: [String]
    private let since: Instant?
    private let until: Instant?
    /// Texts that the status of every matching job contains.
    let needles: StatusNeedles

    static let options = Option.group(.filters, [
        Option("state", value: "STATE", "only jobs in this state: new, running, done, failed; several with commas"),
        Option("reason", value: "REASON", "only jobs that failed for this reason: exit, signal, timeout, …; several with commas"),
        Option("task", value: "NAME", "only runs of this task; can be repeated, one must match").ofUsers,
        Option("schedule", value: "ID", "only runs of this schedule; can be repeated, one must match").ofUsers,
        Option("name", "N", formerShort: "n", value: "NAME", "only jobs of this name; can be repeated, one must match").ofUsers,
        Option("tag", value: "NAME", "only jobs with this tag; can be repeated, all must match"),
        Option("queue", "Q", value: "NAME", "only jobs of this queue; can be repeated, one must match"),
        Option("text", value: "TEXT", "only jobs with TEXT in name, title, description or error; can be repeated, all must match"),
        Option("since", value: "TIME", "only jobs due or submitted since TIME, such as 2h, yesterday or monday 09:00"),
        Option("until", value: "TIME", "only jobs due or submitted until TIME"),
    ])

    init(_ session: Session) throws(Failure) {
        let arguments = session.arguments
        // An empty value, as of an unset variable in a script, would match every job, or none.
        for option in Self.options where arguments.values(option.name).contains(where: { $0.allSatisfy { $0 == "," || $0 == " " } }) {
            throw .usage("\(arguments.spelling(of: option.name)) needs a value; an empty one was given")
        }
        reasons = try Self.choices("reason", arguments)
        let states: [JobState] = try Self.choices("state", arguments, aliases: ["waiting": "new"])
        saysState = !states.isEmpty
        if saysState {
            self.states = states
        } else if !reasons.isEmpty {
            // A job that waits for another try has a reason too.
            self.states = [.failed, .new]
        }
        tasks = arguments.values("task")
        schedules = arguments.values("schedule")
        queues = arguments.values("queue")
        names = arguments.values("name")
        tags = arguments.values("tag")
        texts = arguments.values("text").map { $0.lowercased() }
        since = try session.instant(option: "since", as: .past)
        until = try session.instant(option: "until", as: .past)
        var needles = StatusNeedles()
        for values in [reasons.map(\.rawValue), tasks, schedules, queues, names] + tags.map({ [$0] }) { needles.add(anyOf: values) }
        self.needles = needles
    }

    /// The words of an option, separated by commas. An unknown word is an error that suggests the nearest one.
    private static func choices<Choice: CaseIterable & RawRepresentable<String>>(
        _ option: String, _ arguments: Arguments, aliases: [String: String] = [:]
    ) throws(Failure) -> [Choice] {
        var chosen: [Choice] = []
        for word in arguments.values(option).flatMap({ $0.split(separator: ",") }).map(String.init) {
            guard let choice = Choice(rawValue: aliases[word] ?? word) else {
                throw .unknown(word, of: option, among: Choice.allCases.map(\.rawValue))
            }
            chosen.append(choice)
        }
        return chosen
    }

    /// Limits the filter to the states that a command can act on; without `--state`, to the states that it acts on by default.
    mutating func restrict(to possible: [JobState], usually: [JobState], of command: String) throws(Failure) {
        if !saysState {
            states = reasons.isEmpty ? usually : states.filter(possible.contains)
        } else if let other = states.first(where: { !possible.contains($0) }) {
            let states = possible.map(\.rawValue).joined(separator: " and ")
            throw .usage("\(command) acts on jobs in \(states), and --state names \(other.rawValue)")
        }
    }

    /// True when the filter names tasks, schedules or jobs: then it means follow-ups too.
    var namesJobs: Bool { !tasks.isEmpty || !schedules.isEmpty || !names.isEmpty }

    /// True when `--reason` names this reason.
    func asksFor(_ reason: FailureReason) -> Bool { reasons.contains(reason) }

    // MARK: By the id

    /// True when the id alone decides whether a job matches.
    var needsNoStatus: Bool { reasons.isEmpty && tasks.isEmpty && schedules.isEmpty && queues.isEmpty && tags.isEmpty && texts.isEmpty }

    enum Judgement { case matches, no, olderThanAll }

    /// Decides by the id alone. A name that is not an id always matches.
    func judge(_ id: String) -> Judgement {
        // Nothing about the id is asked, and there may be very many.
        if since == nil, until == nil, names.isEmpty { return .matches }
        guard let job = JobID(id), let instant = job.instant else { return .matches }
        // Ids sort by time, so all following ids are older.
        if let since, instant < since { return .olderThanAll }
        if let until, instant > until { return .no }
        return names.isEmpty || names.contains(job.name) ? .matches : .no
    }

    // MARK: By the status

    func matches(_ record: JobRecord) -> Bool {
        let status = record.status
        func isAmong(_ value: String?, _ wanted: [String]) -> Bool { wanted.isEmpty || value.map(wanted.contains) ?? false }
        guard states.contains(record.place.state), isAmong(status.task, tasks), isAmong(status.schedule, schedules),
            isAmong(status.queue, queues), isAmong(status.name, names), tags.allSatisfy(status.tags.contains)
        else { return false }
        if !reasons.isEmpty, !(status.reason.map(reasons.contains) ?? false) { return false }
        let came = max(status.due, status.createdAt)
        if let since, came < since { return false }
        // The earlier of the two instants counts: a job may be accepted later than it was submitted.
        if let until, min(status.due, status.createdAt) > until { return false }
        let shown = [status.name, status.title, status.description, status.error].compactMap { $0?.lowercased() }
        return texts.allSatisfy { text in shown.contains { $0.firstRange(of: text) != nil } }
    }
}

extension Failure {
    /// An option's value that is not one of the possible words.
    static func unknown(_ word: String, of option: String, among words: [String]) -> Failure {
        .usage("--\(option) \"\(word)\" is not one of \(words.joined(separator: ", "))".suggesting(word, among: words))
    }
}
