import Store

extension Command {
    static let jobs = Command(
        "jobs", "[options]", "list jobs: waiting, running and ended",
        details: [
            "Sorted by id, which is by time, the newest last. On a terminal the newest 50 that match are shown, in a pipe all.",
            "--state takes new (waiting), running, done, failed; several are separated by commas.",
        ],
        options: [
            Option("state", value: "STATE", "only these"),
            Option("reason", value: "REASON", "only failed ones of this reason: exit, signal, timeout, canceled, rejected, lost, …"),
            Option("task", value: "NAME", "only runs of this task"),
            Option("name", "n", value: "NAME", "only jobs of this name"),
            Option("tag", value: "NAME", "only jobs with this tag; may be repeated, all must hold"),
            Option("queue", "Q", value: "NAME", "only jobs of this queue"),
            Option("since", value: "TIME", "only jobs due or submitted since: an instant, or a duration ago"),
            Option("limit", value: "N", "the newest N that match; 0 is all"),
        ],
        examples: [
            Example("spoolctl jobs --state failed --since 1d", "what went wrong since yesterday"),
            Example("spoolctl jobs --task backup --limit 1 --json", "the latest run of a task"),
            Example("spoolctl jobs -q --state new | xargs spoolctl cancel", "cancels all that waits"),
        ]
    ) { session throws(Failure) in try JobList(session).run() }
}

private struct JobList {
    let session: Session
    private var states = JobState.allCases
    private let reason: FailureReason?
    private let tags: [String]
    private let since: Instant?
    private let limit: Int

    init(_ session: Session) throws(Failure) {
        self.session = session
        try session.noOperands()
        let arguments = session.arguments
        if let text = arguments.value("state") { states = try Self.states(text) }
        if let text = arguments.value("reason") {
            guard let reason = FailureReason(rawValue: text) else {
                let words = FailureReason.allCases.map(\.rawValue)
                throw .usage("--reason \"\(text)\" is none of \(words.joined(separator: ", "))")
            }
            self.reason = reason
            if arguments.value("state") == nil { states = [.failed, .new] }
        } else {
            reason = nil
        }
        tags = arguments.values("tag")
        since = try arguments.value("since").map { text throws(Failure) in try Self.since(text, session) }
        limit = try session.count("limit", default: session.output.isTerminal ? 50 : 0)
    }

    static func states(_ text: String) throws(Failure) -> [JobState] {
        var states: [JobState] = []
        for word in text.split(separator: ",") {
            let name = word == "waiting" ? "new" : String(word)
            guard let state = JobState(rawValue: name) else {
                let words = JobState.allCases.map(\.rawValue)
                let near = nearest(to: name, among: words)
                throw .usage("--state \"\(word)\" is none of \(words.joined(separator: ", "))" + (near.map { "; did you mean \"\($0)\"?" } ?? ""))
            }
            states.append(state)
        }
        return states
    }

    /// `1d` is a day ago; everything else is an instant.
    private static func since(_ text: String, _ session: Session) throws(Failure) -> Instant {
        if let span = try? Span.parse(text) { return session.now - span }  // no duration: an instant, below
        return try session.instant(text, option: "since")
    }

    func run() throws(Failure) -> Int32 {
        var records = try session.records()
        let places = try session.reading { () throws(JournalError) in try records.places(in: states) }
        let earliest = since?.compact
        var found: [JobRecord] = []
        var seen: Set<String> = []
        // Ids alone, by nothing but what names say: no file need be read, and they can be told oldest first.
        let asked: Set<String> = ["quiet", "state", "since", "name", "limit", "spool", "config"]
        let needsNoStatus = session.isQuiet && !session.isJSON && limit == 0 && session.arguments.given.allSatisfy { asked.contains($0.name) }
        for place in needsNoStatus ? places.reversed() : places {
            // Ids sort by time, so what follows is older still; a name that is no id says nothing.
            if let earliest, JobID(place.id) != nil, place.id < earliest {
                if needsNoStatus { continue }
                break
            }
            guard seen.insert(place.id).inserted else { continue }
            // A name can be told from an id without reading anything.
            if let name = session.arguments.value("name"), let id = JobID(place.id), id.name != name { continue }
            if needsNoStatus {
                session.output.line(place.id)
                continue
            }
            let record = try session.reading { () throws(JournalError) -> JobRecord? in
                if let record = try records.record(at: place) { return record }
                // It moved on since the names were read.
                return try records.record(of: place.id)
            }
            guard let record, matches(record) else { continue }
            found.append(record)
            if limit > 0, found.count == limit { break }
        }
        write(found.reversed())
        return ExitCode.done
    }

    private func matches(_ record: JobRecord) -> Bool {
        let status = record.status
        let arguments = session.arguments
        if !states.contains(record.place.state) { return false }
        if let reason, status.reason != reason { return false }
        if let task = arguments.value("task"), status.task != task { return false }
        if let name = arguments.value("name"), status.name != name { return false }
        if let queue = arguments.value("queue"), status.queue != queue { return false }
        if let since, max(status.due, status.createdAt) < since { return false }
        return tags.allSatisfy { status.tags.contains($0) }
    }

    private func write(_ records: [JobRecord]) {
        let output = session.output
        if session.isQuiet {
            for record in records { output.line(record.status.id) }
            return
        }
        if session.isJSON {
            output.write("[")
            for (index, record) in records.enumerated() {
                output.write(index == 0 ? "\n" : ",\n")
                var json = record.json[...]
                while json.last == UInt8(ascii: "\n") { json.removeLast() }
                output.write(bytes: json)
            }
            output.write(records.isEmpty ? "]\n" : "\n]\n")
            return
        }
        var table = TextTable(["ID", "STATE", "RESULT", "QUEUE", "DUE", "STARTED", "TOOK", "TASK"])
        for record in records {
            let status = record.status
            let took =
                status.usage?.wallMilliseconds
                ?? (record.place.state == .running ? status.startedAt.map { session.now.milliseconds - $0.milliseconds } : nil)
            table.add([
                .init(status.id), .init(record.place.state.rawValue, status.colour),
                .init(status.state.isTerminal ? status.summary : "-", status.state == .failed ? .red : nil),
                .init(status.queue), .init(session.time(status.due)), .init(session.time(status.startedAt)),
                .init(took.map { TimeText.length($0) } ?? "-"), .init(status.task ?? "-"),
            ])
        }
        table.write(to: output)
    }
}
