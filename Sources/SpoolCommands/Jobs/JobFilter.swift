import Store

/// Which jobs `spoolctl jobs` is asked for.
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
    /// What the status of a job that matches holds.
    let needles: StatusNeedles

    static let options = [
        Option("state", value: "STATE", "only these: new, running, done, failed; several with commas"),
        Option("reason", value: "REASON", "only failed ones of this reason: exit, signal, timeout, …; several with commas"),
        Option("task", value: "NAME", "only runs of this task; may be repeated, one must hold"),
        Option("schedule", value: "ID", "only runs of this schedule; may be repeated, one must hold"),
        Option("name", "n", value: "NAME", "only jobs of this name; may be repeated, one must hold"),
        Option("tag", value: "NAME", "only jobs with this tag; may be repeated, all must hold"),
        Option("queue", "Q", value: "NAME", "only jobs of this queue; may be repeated, one must hold"),
        Option("text", value: "TEXT", "only jobs with this in name, description or error, in any case; may be repeated, all must hold"),
        Option("since", value: "TIME", "only jobs due or submitted since: an instant, or a duration ago"),
        Option("until", value: "TIME", "only jobs due or submitted until then"),
    ]

    init(_ session: Session) throws(Failure) {
        let arguments = session.arguments
        reasons = try Self.choices("reason", arguments)
        let states: [JobState] = try Self.choices("state", arguments, aliases: ["waiting": "new"])
        saysState = !states.isEmpty
        if saysState {
            self.states = states
        } else if !reasons.isEmpty {
            // What waits for another try has a reason too.
            self.states = [.failed, .new]
        }
        tasks = arguments.values("task")
        schedules = arguments.values("schedule")
        queues = arguments.values("queue")
        names = arguments.values("name")
        tags = arguments.values("tag")
        texts = arguments.values("text").map { $0.lowercased() }
        since = try arguments.value("since").map { text throws(Failure) in try session.past(text, option: "since") }
        until = try arguments.value("until").map { text throws(Failure) in try session.past(text, option: "until") }
        var needles = StatusNeedles()
        for values in [reasons.map(\.rawValue), tasks, schedules, queues, names] + tags.map({ [$0] }) { needles.add(anyOf: values) }
        self.needles = needles
    }

    /// The words of an option, separated by commas; one that is unknown is an error that names the nearest.
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

    /// Keeps to the states that a command can act on; without `--state` to those that it usually acts on.
    mutating func restrict(to possible: [JobState], usually: [JobState], of command: String) throws(Failure) {
        if !saysState {
            states = reasons.isEmpty ? usually : states.filter(possible.contains)
        } else if let other = states.first(where: { !possible.contains($0) }) {
            throw .usage("\(command) acts on jobs in \(possible.map(\.rawValue).joined(separator: " and ")), and --state names \(other.rawValue)")
        }
    }

    /// Whether `--reason` names it.
    func asksFor(_ reason: FailureReason) -> Bool { reasons.contains(reason) }

    // MARK: By the id alone

    /// Whether ids say all that is asked.
    var needsNoStatus: Bool { reasons.isEmpty && tasks.isEmpty && schedules.isEmpty && queues.isEmpty && tags.isEmpty && texts.isEmpty }

    enum Judgement { case matches, no, olderThanAll }

    /// What the id says, without reading anything. A name that is no id says nothing.
    func judge(_ id: String) -> Judgement {
        guard let job = JobID(id), let instant = job.instant else { return .matches }
        // Ids sort by time, so what follows is older still.
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
        // Taken up later than it was submitted, it was there before.
        if let until, min(status.due, status.createdAt) > until { return false }
        let told = [status.name, status.description, status.error].compactMap { $0?.lowercased() }
        return texts.allSatisfy { text in told.contains { $0.firstRange(of: text) != nil } }
    }
}

extension Failure {
    /// A word that is none of a few.
    static func unknown(_ word: String, of option: String, among words: [String]) -> Failure {
        .usage("--\(option) \"\(word)\" is none of \(words.joined(separator: ", "))".suggesting(word, among: words))
    }
}
