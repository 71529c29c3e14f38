import Glibc
import Store

extension SpoolCommand {
    static let prune = SpoolCommand(
        "prune", "[options]", "remove old records of ended jobs",
        details: [
            """
            A record is kept as long as its job's keep says, else as configured, else 14 days. The daemon removes old records by itself; \
            this command removes them at once, and with --older-than by another age.
            """,
        ],
        options: [
            Option("older-than", value: "TIME", "remove records of jobs that ended longer ago, whatever keep says"),
            Option("state", value: "STATE", "only records in this state: done or failed"),
            Option("dry-run", formerShort: "n", "print the ids, and remove nothing"),
        ],
        examples: [
            Example("spoolctl prune --older-than 1d --state done", "keeps failed jobs"),
            Example("spoolctl prune -n", "prints what would be removed"),
        ]
    ) { session throws(Failure) in try Prune(session).run() }
}

private struct Prune {
    let session: Session
    let isDry: Bool
    let ageMilliseconds: Int64?
    let states: [JobState]

    init(_ session: Session) throws(Failure) {
        self.session = session
        try session.noOperands()
        isDry = session.arguments.flag("dry-run")
        ageMilliseconds = try session.arguments.value("older-than").map { text throws(Failure) in
            try session.milliseconds(text, option: "older-than")
        }
        switch session.arguments.value("state") {
        case nil: states = [.done, .failed]
        case "done": states = [.done]
        case "failed": states = [.failed]
        case let other?: throw .usage("--state \"\(other)\" is not done or failed; only records of ended jobs can be removed")
        }
    }

    func run() throws(Failure) -> Int32 {
        let fs = try session.openSpoolForWriting()
        var records = try session.records()
        let keep = try session.configuration().keepMilliseconds
        var places = try session.reading { () throws(JournalError) in try records.places(in: states) }
        // A job ends after the instant in its id, so an id within the age needs no reading.
        if let age = ageMilliseconds {
            places.removeAll { JobID($0.id)?.instant.map { $0.milliseconds > session.now.milliseconds - age } ?? false }
        }
        places.reverse()
        let glance = StayGlance(stayMilliseconds: ageMilliseconds ?? keep, ownCounts: ageMilliseconds == nil, now: session.now)
        var glances = StatusGlances(glance.mayBeOver)
        var removed: [String] = []
        for (index, place) in places.enumerated() {
            if index % 1000 == 999 { showProgress(index, of: places.count) }
            guard glances.mayBe(index, of: places, records.fs),
                let record = try session.reading({ () throws(JournalError) in try records.record(at: place) }),
                record.place.state.isTerminal, isOver(record, keep)
            else { continue }
            if !isDry {
                guard try attempt({ () throws(SystemError) in try fs.removeRecord(at: place) }) else { continue }
                session.output.noteChange("removed the record of \(place.id)")
            }
            removed.append(place.id)
            if session.isQuiet || (isDry && !session.isJSON) { session.output.line(place.id) }
        }
        showProgress(nil, of: places.count)
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("removed", isDry ? 0 : removed.count)
                writer.member("ids", texts: removed)
            }
        } else if !session.isQuiet {
            let count = "\(removed.count) record\(removed.count == 1 ? "" : "s")"
            if isDry { session.complain("would remove \(count)") } else { session.output.line("removed \(count)") }
        }
        return ExitCode.done
    }

    private func isOver(_ record: JobRecord, _ keep: Int64) -> Bool {
        // A record without a readable end has no known age, and is kept.
        guard record.isComplete, let ended = record.status.endedAt else { return false }
        let stay = ageMilliseconds ?? record.status.keepMilliseconds ?? keep
        // A job may have been canceled some time after its last try.
        var begins = max(ended, record.status.changedAt)
        if let id = JobID(record.place.id) { begins = PruneScan.stayBegins(begins, of: id, at: session.now) }
        return begins.advanced(byMilliseconds: stay) <= session.now
    }

    private func showProgress(_ index: Int?, of count: Int) {
        guard session.errors.isTerminal, count >= 1000 else { return }
        session.errors.control(index.map { "\r\($0 * 100 / count) %" } ?? "\r     \r")
        session.errors.flush()
    }
}
