import TestSupport
import Testing

@testable import Store

/// Some days of a daemon's decisions, written to a journal as the daemon does.
private final class Days {
    let temporary: TemporarySpool
    let spool: Spool<DiskFileSystem>
    var scheduler = Scheduler(zones: zones)
    private var source: Source?

    init() throws {
        temporary = try TemporarySpool()
        spool = try temporary.spool()
        try spool.journal.rotate(snapshot: [], spool: "s", at: instant("2026-11-18T00:00:00.000Z"))
    }

    private func context(_ at: Instant) -> ReadingContext { ReadingContext(now: at, zones: zones) }

    func add(_ record: Record, _ at: String) { spool.journal.add(record, at: instant(at)) }

    func handle(_ event: Event, _ at: String) throws {
        scheduler.handle(event, at: instant(at))
        try turn(instant(at))
    }

    private func turn(_ at: Instant, mayStart: Bool = true) throws {
        for (at, record) in scheduler.takeTurn(at: at, mayStart: mayStart).records { spool.journal.add(record, at: at) }
        try spool.journal.commit()
    }

    func task(_ keys: String, _ at: String) throws {
        let definition = try TaskDefinition(name: "t", source: StoreTests.source("command = \":\"\n\(keys)"), context(instant(at)))
        source = definition.source
        try handle(.task(definition, since: instant(at)), at)
    }

    /// Lets time pass until `end`: due times are handled, and each run takes `seconds`.
    func pass(until end: String, seconds: Int64 = 10) throws {
        let end = instant(end)
        while true {
            let running = scheduler.jobs.values.filter { $0.state == .running }
            let ends = running.compactMap { job in job.startedAt.map { (at: $0.advanced(byMilliseconds: seconds * 1000), job: job) } }
            let first = ends.min { $0.at < $1.at }
            let next = [first?.at, scheduler.nextWake()].compactMap(\.self).min()
            guard let next, next <= end else { return }
            if let first, first.at <= next {
                let result = RunResult(outcome: .exited(0), startedAt: first.job.startedAt, endedAt: next)
                scheduler.handle(.ended(first.job.id, attempt: first.job.attempt, result), at: next)
            }
            try turn(next)
        }
    }

    /// The daemon ends or is killed, and starts again.
    func down(_ from: String, killed: Bool = false, until to: String) throws {
        if !killed {
            scheduler.handle(.stopped, at: instant(from))
            try turn(instant(from), mayStart: false)
        }
        scheduler = Scheduler(zones: zones)
        var last = Instant(milliseconds: 0)
        for segment in try Journal<DiskFileSystem>.segments(spool.fs).suffix(1) {
            try Journal<DiskFileSystem>.read(spool.fs, segment: segment) { line in
                last = max(last, line.at)
                if let record = line.record(context(line.at)) { scheduler.restore(record, at: line.at) }
            }
        }
        _ = scheduler.finishRestoring()
        add(.recovered(last: last), to)
        if let source {
            scheduler.handle(
                .task(try TaskDefinition(name: "t", source: source, context(instant(to))), since: instant(to)), at: instant(to))
        }
        try handle(.started(boot: "b", version: "v"), to)
    }

    func history(since: String = "2026-11-01T00:00:00.000Z") throws -> History {
        try spool.journal.commit()
        var history = History(task: "t", context(instant("2026-11-30T00:00:00.000Z")))
        #expect(try Journal<DiskFileSystem>.scan(spool.fs, since: instant(since), into: &history).isEmpty)
        return history
    }

    /// The result of a due time, as the journal shows it at the end of November.
    func verdict(_ due: String, down: Downtime? = nil, _ history: History? = nil) throws -> DueVerdict {
        let history = try history ?? self.history()
        let source = history.source(of: "tasks/t", at: instant(due))
        let schedule = try source.map { try TaskDefinition(name: "t", source: $0, context(instant(due))).schedules.first } ?? nil
        let id = schedule?.id ?? history.schedules.keys.first ?? "?"
        return history.verdict(on: instant(due), schedule: id, schedule, down: down, now: instant("2026-11-30T00:00:00.000Z"))
    }

    /// The result in short, such as `ran` or `skipped overlap`, with its details.
    func outcome(_ due: String, down: Downtime? = nil) throws -> String {
        let verdict = try verdict(due, down: down)
        var text = [verdict.outcome.rawValue, verdict.why?.rawValue].compactMap(\.self).joined(separator: " ")
        if let job = verdict.job { text += " \(job.due.rfc3339.prefix(16))" }
        if let down = verdict.downtime { text += ", down \(down.from.rfc3339.prefix(16)) to \(down.to?.rfc3339.prefix(16) ?? "now")" }
        if let pause = verdict.pause { text += ", \(pause.scope.text): \(pause.note)" }
        if let other = verdict.other { text += ", behind \(other.due.rfc3339.prefix(16))" }
        return text
    }
}

private let nightly = "[[schedule]]\nid = \"s\"\ncron = \"30 2 * * *\"\n"

@Suite("The results of due times") struct HistoryTests {
    @Test func inTimeLateAndMerged() throws {
        let days = try Days()
        try days.task(nightly, "2026-11-18T12:00:00.000Z")
        try days.pass(until: "2026-11-19T12:00:00.000Z")
        try days.down("2026-11-19T22:00:00.000Z", until: "2026-11-22T06:00:00.000Z")
        try days.pass(until: "2026-11-22T12:00:00.000Z")
        #expect(try days.outcome("2026-11-19T02:30:00.000Z") == "ran 2026-11-19T02:30")
        let down = ", down 2026-11-19T22:00 to 2026-11-22T06:00"
        #expect(try days.outcome("2026-11-20T02:30:00.000Z") == "merged 2026-11-22T02:30\(down)")
        #expect(try days.outcome("2026-11-21T02:30:00.000Z") == "merged 2026-11-22T02:30\(down)")
        #expect(try days.outcome("2026-11-22T02:30:00.000Z") == "late 2026-11-22T02:30\(down)")
        #expect(try days.verdict("2026-11-22T02:30:00.000Z").lateMilliseconds == 210 * 60_000)
        #expect(try days.verdict("2026-11-19T02:30:00.000Z").job?.ending?.1.state == .done)
    }

    @Test("A killed daemon counts as running until its last record, and as down from then on")
    func killed() throws {
        let days = try Days()
        try days.task(nightly + "catch_up = \"none\"", "2026-11-18T12:00:00.000Z")
        try days.pass(until: "2026-11-19T12:00:00.000Z")
        try days.down("", killed: true, until: "2026-11-20T06:00:00.000Z")
        let verdict = try days.verdict("2026-11-20T02:30:00.000Z")
        #expect(verdict.outcome == .skipped && verdict.why == .missed)
        #expect(
            verdict.downtime
                == Downtime(from: instant("2026-11-19T02:30:10.000Z"), wasStopped: false, to: instant("2026-11-20T06:00:00.000Z")))
    }

    @Test func skippedForARunThatHadNotEnded() throws {
        let days = try Days()
        try days.task("overlap = \"skip\"\n" + nightly, "2026-11-18T12:00:00.000Z")
        try days.pass(until: "2026-11-20T12:00:00.000Z", seconds: 30 * 3600)
        #expect(try days.outcome("2026-11-20T02:30:00.000Z") == "skipped overlap, behind 2026-11-19T02:30")
        #expect(try days.outcome("2026-11-19T02:30:00.000Z") == "ran 2026-11-19T02:30")
    }

    @Test func pausesAndDeadlines() throws {
        let days = try Days()
        try days.task("deadline = \"1h\"\n" + nightly, "2026-11-18T12:00:00.000Z")
        try days.handle(.paused(.task("t"), note: "tidying up"), "2026-11-18T13:00:00.000Z")
        try days.pass(until: "2026-11-19T12:00:00.000Z")
        try days.handle(.resumed(.task("t")), "2026-11-19T13:00:00.000Z")
        try days.handle(.paused(.all, note: "a new disk"), "2026-11-19T14:00:00.000Z")
        try days.pass(until: "2026-11-20T12:00:00.000Z")
        try days.handle(.resumed(.all), "2026-11-20T13:00:00.000Z")
        try days.handle(.paused(.queue("default"), note: "half an hour"), "2026-11-20T14:00:00.000Z")
        try days.pass(until: "2026-11-21T03:00:00.000Z")
        try days.handle(.resumed(.queue("default")), "2026-11-21T03:00:00.000Z")
        try days.pass(until: "2026-11-21T12:00:00.000Z")
        #expect(try days.outcome("2026-11-19T02:30:00.000Z") == "skipped paused, pause-t: tidying up")
        #expect(try days.outcome("2026-11-20T02:30:00.000Z") == "skipped deadline 2026-11-20T02:30, pause: a new disk")
        #expect(try days.outcome("2026-11-21T02:30:00.000Z") == "late 2026-11-21T02:30, pause@default: half an hour")
    }

    @Test func beforeTheScheduleWasAndAfterIt() throws {
        let days = try Days()
        try days.task(nightly + "not_after = \"2026-11-20T12:00:00Z\"", "2026-11-19T12:00:00.000Z")
        try days.pass(until: "2026-11-22T12:00:00.000Z")
        #expect(try days.outcome("2026-11-19T02:30:00.000Z") == "none scheduled-later")
        #expect(try days.outcome("2026-11-20T02:30:00.000Z") == "ran 2026-11-20T02:30")
        #expect(try days.outcome("2026-11-21T02:30:00.000Z") == "none not_after")
        try days.task(nightly + "enabled = false", "2026-11-22T13:00:00.000Z")
        try days.handle(.taskRemoved("t"), "2026-11-24T13:00:00.000Z")
        #expect(try days.outcome("2026-11-23T02:30:00.000Z") == "skipped disabled")
        #expect(try days.outcome("2026-11-25T02:30:00.000Z") == "none removed")
        #expect(try days.outcome("2026-11-01T02:30:00.000Z") == "none scheduled-later", "older than the journal, and than the schedule")
    }

    @Test func whatWaitsForADaemon() throws {
        let days = try Days()
        try days.task(nightly, "2026-11-18T12:00:00.000Z")
        try days.pass(until: "2026-11-20T12:00:00.000Z")
        let down = Downtime(from: instant("2026-11-20T18:00:00.000Z"), wasStopped: true)
        #expect(try days.outcome("2026-11-21T02:30:00.000Z", down: down) == "pending, down 2026-11-20T18:00 to now")
        #expect(try days.outcome("2026-11-20T02:30:00.000Z", down: down) == "ran 2026-11-20T02:30")
        #expect(try days.outcome("2026-12-01T02:30:00.000Z", down: down) == "coming, down 2026-11-20T18:00 to now")
    }

    @Test func aRunThatNobodyRecordedTheEndOf() throws {
        let days = try Days()
        try days.task(nightly, "2026-11-18T12:00:00.000Z")
        try days.pass(until: "2026-11-19T02:30:00.000Z")
        let job = try #require(days.scheduler.jobs.values.first)
        let lost = RunResult(outcome: .lost("gone"), startedAt: job.startedAt, endedAt: instant("2026-11-19T03:00:00.000Z"))
        try days.handle(.ended(job.id, attempt: 1, lost), "2026-11-19T03:00:00.000Z")
        #expect(try days.outcome("2026-11-19T02:30:00.000Z") == "lost 2026-11-19T02:30")
    }

    @Test("The history is read from two segments, and from the second alone, which begins with a snapshot")
    func segments() throws {
        let days = try Days()
        try days.task(nightly, "2026-11-18T12:00:00.000Z")
        try days.handle(.paused(.all, note: "long"), "2026-11-18T13:00:00.000Z")
        try days.pass(until: "2026-11-19T12:00:00.000Z")
        let at = instant("2026-11-19T12:00:00.000Z")
        try days.spool.journal.rotate(snapshot: days.scheduler.snapshot(at: at), spool: "s", at: at)
        try days.handle(.resumed(.all), "2026-11-19T13:00:00.000Z")
        try days.pass(until: "2026-11-20T12:00:00.000Z")
        let whole = try days.history()
        #expect(whole.jobs.count == 2 && whole.downtimes.isEmpty && whole.pauses.count == 1)
        #expect(try days.verdict("2026-11-19T02:30:00.000Z", whole).outcome == .late)
        #expect(whole.jobs.values.allSatisfy { $0.hasEnded })
        #expect(whole.since == instant("2026-11-18T00:00:00.000Z"))
        // The files were written today, so only an instant in the future leaves the first segment out.
        let second = try days.history(since: "2190-01-01T00:00:00.000Z")
        #expect(second.since == at)
        #expect(try days.verdict("2026-11-19T02:30:00.000Z", second).job?.acceptedAt == instant("2026-11-19T02:30:00.000Z"))
        #expect(try days.verdict("2026-11-20T02:30:00.000Z", second).outcome == .ran)
    }

    @Test func anEditThatDidNotCount() throws {
        let days = try Days()
        try days.task(nightly, "2026-11-18T12:00:00.000Z")
        days.add(.refused(file: "tasks/t", why: "tasks/t.toml:2:1: no"), "2026-11-19T12:00:00.000Z")
        let history = try days.history()
        #expect(history.refusal(of: "tasks/t", at: instant("2026-11-19T11:00:00.000Z")) == nil)
        #expect(history.refusal(of: "tasks/t", at: instant("2026-11-20T02:30:00.000Z"))?.why == "tasks/t.toml:2:1: no")
        try days.task(nightly + "jitter = 1", "2026-11-20T12:00:00.000Z")
        #expect(try days.history().refusal(of: "tasks/t", at: instant("2026-11-21T02:30:00.000Z")) == nil, "mended")
    }

    @Test("A run under another name is found by its task; its successor is the run that took its place")
    func replaced() throws {
        let days = try Days()
        try days.task("overlap = \"replace\"\n" + nightly, "2026-11-18T12:00:00.000Z")
        try days.pass(until: "2026-11-20T02:30:00.000Z", seconds: 30 * 3600)
        let history = try days.history()
        let first = try #require(history.order.first.flatMap { history.jobs[$0] })
        #expect(first.stopping?.why == .replaced)
        #expect(history.successor(of: first) == history.order.last && history.order.count == 2)
    }

    @Test("A damaged record of the task is reported with its line, and the others are read")
    func damage() throws {
        let days = try Days()
        try days.task(nightly, "2026-11-18T12:00:00.000Z")
        try days.pass(until: "2026-11-19T12:00:00.000Z")
        let file = "journal/\(days.spool.journal.segment)"
        var text = try #require(days.temporary.text(file))
        let range = try #require(text.firstRange(of: " accepted "))
        text.replaceSubrange(range, with: " accepteD ")
        try days.temporary.write(file, text)
        var history = History(task: "t", context)
        let damage = try Journal<DiskFileSystem>.scan(days.spool.fs, since: now, into: &history)
        #expect(damage.count == 1 && damage.first?.file == file)
        #expect(damage.first?.line == 1 + text[..<range.lowerBound].filter { $0 == "\n" }.count)
        #expect(history.jobs.isEmpty && !history.schedules.isEmpty)
    }
}
