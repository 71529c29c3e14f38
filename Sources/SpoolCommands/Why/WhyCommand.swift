import Store

extension Command {
    static let why = Command(
        "why", "ID | NAME | NAME@TIME", "say why a job waits or failed, or what became of a task's due times",
        details: [
            "Of a job: what holds it, since when it runs, or how it ended. Of a task: what became of its last due times, when it is due next, and what stands in the way.",
            "Of a task at a TIME: what became of the due time nearest to it, within a day. TIME is any instant; \"02:30\" is the last time it was that late, and \"2h\" is two hours ago. Wall times are those of the task's schedule.",
            "It reads the tree and the journal, which goes back as far as records are kept, and needs no daemon. Exit code 3: there is no such job, task or due time.",
        ],
        options: [
            Option("count", "n", value: "N", "how many of a task's due times, past and coming (5)"),
            Option("timezone", value: "ZONE", "the zone of TIME, instead of the schedule's"),
        ],
        examples: [
            Example("spoolctl why backup@02:30", "it did not run last night"),
            Example("spoolctl why \"backup@yesterday 02:30\"", "nor the night before"),
            Example("spoolctl why k3f9ab", "what a job waits for, or how it ended"),
        ]
    ) { session throws(Failure) in
        let words = session.arguments.operands
        // A time with a blank, without quotes.
        let text = words.first?.contains("@") == true ? words.joined(separator: " ") : try session.operand("an ID, a NAME or NAME@TIME")
        if let at = text.firstIndex(of: "@") {
            let time = String(text[text.index(after: at)...])
            return try WhyTask(session, String(text[..<at]), around: time).tellDue(at: time)
        }
        let isTask = Name.isValid(text) ? try WhyTask.isKnown(session, text) : false
        if isTask { return try WhyTask(session, text).tellTask() }
        var records = try session.records()
        do throws(Failure) {
            return try WhyJob(session, try session.job(text, &records), &records).tell()
        } catch {
            guard error.code == ExitCode.notFound else { throw error }
            if let code = try WhyJob.tellGone(session, text) { return code }
            if Name.isValid(text), try WhyTask.wasKnown(session, text) { return try WhyTask(session, text).tellTask() }
            throw error.lines.first?.contains("several") == true ? error : .notFound("there is no job and no task \"\(text)\" in \(session.spoolPath)")
        }
    }
}

extension Session {
    /// An instant in a sentence: the viewer's clock on a terminal, UTC in a pipe.
    func spoken(_ instant: Instant) -> String {
        output.isTerminal
            ? "\(TimeText.wall(instant, viewerZone)) (\(TimeText.distance(instant, from: now)))" : TimeText.local(instant, .utc, asZulu: true)
    }

    /// `from A to B`, `since A`.
    func span(_ from: Instant, _ to: Instant?) -> String {
        to.map { "from \(spoken(from)) to \(spoken($0))" } ?? "since \(spoken(from))"
    }

    /// Why there was no daemon for a time: a subject and its predicate.
    func text(_ down: Downtime) -> String {
        if down.from.milliseconds == 0 { return "spoold has never run on this spool" }
        let from = spoken(down.from) + (down.wasStopped ? "" : " (its last sign)")
        return down.to.map { "spoold was not running from \(from) to \(spoken($0))" } ?? "spoold is not running since \(from)"
    }

    func text(_ scope: PauseScope, note: String) -> String {
        scope.spoken() + (note.isEmpty ? "" : " (\(note))")
    }

    /// Some of many ids, in a sentence.
    static func list(_ ids: [String]) -> String {
        ids.prefix(3).joined(separator: ", ") + (ids.count > 3 ? " and \(ids.count - 3) more" : "")
    }

    /// What the journal says, told of damage in it.
    func history(task: String? = nil, job: String? = nil, since: Instant, _ fs: DiskFileSystem) throws(Failure) -> History {
        var history = History(task: task, job: job, ReadingContext(now: now, zones: zones, zone: try configuration().zone))
        var read = history
        let damage = try attempt { () throws(SystemError) in try Journal<DiskFileSystem>.scan(fs, since: since, into: &read) }
        history = read
        for one in damage { complain("\(one)") }
        return history
    }
}

/// Whether a daemon serves the spool, and since when none does.
struct DaemonState {
    /// Nil: one does.
    let down: Downtime?
    /// What the daemon published last.
    let published: Table?

    init(_ session: Session, _ fs: DiskFileSystem) throws(Failure) {
        let isUp = try session.daemon() != nil
        let taken = try attempt { () throws(SystemError) in try fs.take(Layout.daemonStatus, limit: Source.bytesMax, ignoringWriters: true) }
        var table: Table?
        // Damaged or never written: the lock says whether a daemon is there.
        if case .file(_, let bytes) = taken, case .table(let content)? = (try? JSON.parse(bytes))?.kind { table = content }
        published = table
        if isUp {
            down = nil
        } else {
            down = Downtime(
                from: table?.instant("at") ?? Instant(milliseconds: 0), wasStopped: table?.text("state") == "stopped", to: nil)
        }
    }
}
