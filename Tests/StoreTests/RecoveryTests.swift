import Glibc
import TestSupport
import Testing

@testable import Store

/// The parts of a daemon that take a dropped file to its place. They can stop at any change of the disk.
private final class Node<FS: FileSystem> {
    let spool: Spool<FS>
    let scheduler = Scheduler(limits: SchedulerLimits(slots: 3), zones: zones)
    var now: Instant
    private(set) var recovery = Spool<FS>.Recovery()
    /// The jobs of the journal, including finished ones.
    private(set) var journaled: [Job] = []
    private var waiting: [String: JobID] = [:]

    init(_ fs: FS, at now: Instant, isSameBoot: Bool = true) throws {
        self.now = now
        spool = Spool(fs, host: "h")
        let torn = try spool.journal.open { fields in
            if let record = fields.record(ReadingContext(now: fields.at, zones: zones)) { scheduler.restore(record, at: fields.at) }
        }
        if torn == nil {
            try spool.journal.rotate(snapshot: [], spool: "x", at: now)
            return
        }
        var seen = Set<JobID>()
        journaled = (scheduler.finishRestoring().places + scheduler.jobs.values.filter { $0.file != nil && $0.state == .new })
            .filter { seen.insert($0.id).inserted }.sorted { $0.id < $1.id }
        recovery = try spool.recover(journaled, isSameBoot: isSameBoot)
        for job in recovery.withdrawn { scheduler.handle(.withdrawn(job.id), at: now) }
        for job in scheduler.jobs.values { if case .file(let name) = spool.places[job], job.state == .new { waiting[name] = job.id } }
    }

    var context: ReadingContext { ReadingContext(now: now, zones: zones) }

    /// Examines every name in new/.
    func look() throws {
        for entry in try spool.fs.list("new").sorted(by: { $0.name < $1.name }) {
            let known = waiting[entry.name]
            if let known, let stamp = scheduler.jobs[known]?.file, let status = try spool.fs.status("new/\(entry.name)"),
                stamp.inode == status.inode, stamp.size == status.size
            {
                continue
            }
            if let id = JobID(entry.name), scheduler.jobs[id].map({ spool.places[$0] }) == .directory(.new) { continue }
            switch try spool.intake(
                entry.name, known: known, context, isTaken: { self.scheduler.jobs[$0] }, task: { self.scheduler.tasks[$0]?.definition })
            {
            case .job(let job):
                if let file = job.file { waiting[file.name] = job.id }
                scheduler.handle(.dropped(job), at: now)
            case .rejected(let file): scheduler.handle(.rejected(file), at: now)
            case .notYet, .soon, .again, .strayed, .ignored, .foreign, .missing: break
            }
        }
    }

    func turn() throws {
        let turn = scheduler.takeTurn(at: now)
        for (at, record) in turn.records { spool.journal.add(record, at: at) }
        try spool.journal.commit()
        for job in turn.places {
            if case .file(let name) = spool.places[job] { waiting[name] = nil }
            try spool.place(job)
        }
    }

    func end(_ name: String, _ outcome: RunResult.Outcome) {
        guard let job = scheduler.jobs.values.first(where: { $0.name == name && $0.state == .running }) else { return }
        scheduler.handle(.ended(job.id, attempt: job.attempt, RunResult(outcome: outcome, startedAt: now, endedAt: now)), at: now)
    }
}

/// Marks in the texts that the scenario drops. Each text is found by its own mark.
private let marks = ["mark-a", "mark-b", "mark-s", "mark-x", "mark-w"]

private let scheduled = """
    command = ":"
    description = "mark-t"
    overlap = "allow"
    [[schedule]]
    cron = "* * * * *"
    not_after = "2026-11-21T02:01:00Z"
    """

/// Drops, accepts, runs, ends, retries, rejects and cancels jobs, repeats a record, handles a due time and begins a new segment,
/// until a change of the disk fails.
private func scenario<FS: FileSystem>(_ temporary: TemporarySpool, _ fs: FS) throws {
    let node = try Node(fs, at: now)
    node.scheduler.handle(.started(boot: "b1", version: "1"), at: now)
    let task = try TaskDefinition(name: "t", source: source(scheduled), context)
    node.scheduler.handle(.task(task, since: now), at: now)
    try node.turn()
    try node.look()
    try node.turn()

    // The first tries of a and b run.
    for job in node.scheduler.jobs.values where job.state == .running { try temporary.write("running/\(job.id)/stdout", job.name) }
    node.end("a", .exited(1))
    node.end("b", .exited(0))
    if let id = node.scheduler.jobs.values.first(where: { $0.name == "w" })?.id { node.scheduler.handle(.cancel(id), at: now) }
    try node.turn()

    // a runs again, the record of b is moved back into new/, and the task is due.
    if let done = try temporary.names("done").first { try temporary.move("done/\(done)", to: "new/\(done)") }
    node.now = now.advanced(byMilliseconds: 60_000)
    try node.look()
    try node.turn()
    node.end("s", .signaled(9, coreDumped: false))
    try node.turn()
    try node.spool.journal.rotate(snapshot: node.scheduler.snapshot(at: node.now), spool: "x", at: node.now)
    node.end("a", .exited(0))
    node.end("b", .exited(0))
    node.end("t", .exited(0))
    try node.turn()
    node.scheduler.handle(.stopped, at: node.now)
    try node.turn()
}

private func dropped() throws -> TemporarySpool {
    let temporary = try TemporarySpool()
    try temporary.write("new/a.toml", "command = \":\"\ndescription = \"mark-a\"\ntries = 2\nbackoff = 5\npayload = 1")
    try temporary.write("new/b.json", #"{"script": "echo", "description": "mark-b"}"#)
    try temporary.write("new/s", "#!/bin/sh\n# mark-s\n", mode: 0o700)
    try temporary.write("new/bad.toml", "# mark-x\ncomand = 1")
    try temporary.write("new/w.toml", "command = \":\"\ndescription = \"mark-w\"\nstart = \"2026-11-21T04:00:00Z\"")
    return temporary
}

extension TemporarySpool {
    /// The paths of the files that hold the text with this mark.
    fileprivate func places(of mark: String) throws -> [String] {
        try tree().filter { line in
            guard let equals = line.firstIndex(of: "="), line.contains(mark) else { return false }
            let path = line[..<equals]
            return path.hasSuffix("/job.toml") || path.hasSuffix("/job.json") || path.hasSuffix("/job")
                || path.hasPrefix("new/") && path.split(separator: "/").count == 2
        }.map { String($0.prefix { $0 != "=" }) }
    }

    /// The same without the record that was moved into new/ to run again. After a power cut the journal restores that record.
    fileprivate func currentPlaces(of mark: String) throws -> [String] {
        let places = try places(of: mark)
        guard mark == "mark-b", places.count == 2 else { return places }
        return places.filter { !$0.hasPrefix("done/20261121T020000") }
    }
}

@Suite struct RecoveryTests {
    /// The machine stops before any change of the disk or in the middle of it, or only the daemon stops.
    @Test(
        "Attack 70: after a stop at any change, each job is in one place and ends", arguments: [FaultyFileSystem.Fault.stop, .stopWithin],
        [true, false]
    )
    func whereverItIsCutEverythingIsInOnePlaceAndEnds(fault: FaultyFileSystem.Fault, isSameBoot: Bool) throws {
        var failing = 0
        while true {
            failing += 1
            let temporary = try dropped()
            let fs = FaultyFileSystem(try temporary.disk(), fault, at: failing)
            do { try scenario(temporary, fs) } catch { #expect(fs.isStopped, "change \(failing): \(error)") }
            let cut = "cut at change \(failing)"
            let later = now.advanced(byMilliseconds: 120_000)

            let node: Node<DiskFileSystem>
            do { node = try Node(try temporary.disk(), at: later, isSameBoot: isSameBoot) } catch {
                Issue.record("\(cut): \(error)")
                return
            }
            #expect(node.recovery.withdrawn.isEmpty, "\(cut)")
            for job in node.journaled { try check(job, node.spool, temporary, cut) }
            for mark in marks {
                let places = try temporary.currentPlaces(of: mark)
                #expect(places.count == 1, "\(mark) \(places), \(cut)")
            }

            // A second start changes nothing.
            let tree = try temporary.tree()
            let second = try Node(try temporary.disk(), at: later, isSameBoot: isSameBoot)
            #expect(second.recovery.mended == [], "\(cut)")
            #expect(try temporary.tree() == tree, "\(cut)")

            try finish(second, temporary, cut)
            if !fs.isStopped { break }
        }
        #expect(failing > 60)
    }

    /// Checks that a job of the journal is in the directory of its state and nowhere else.
    private func check(_ job: Job, _ spool: Spool<DiskFileSystem>, _ temporary: TemporarySpool, _ cut: String) throws {
        var found: [String] = []
        for state in JobState.allCases {
            let directory = "\(state.rawValue)/\(job.id)"
            let hasFile = Source.fileNames.contains { temporary.exists("\(directory)/\($0)") }
            if hasFile { found.append(state.rawValue) }
        }
        // The record of b was moved into new/, and belongs to another job now.
        if job.name == "b", job.state == .done, found == [] { return }
        if !job.state.isTerminal, case .file(let name) = spool.places[job] {
            #expect(found == [] && temporary.exists("new/\(name)") && job.state == .new, "\(job.id), \(cut)")
            return
        }
        #expect(found == [job.state.rawValue], "\(job.id) \(job.state), \(cut)")
        let text = try #require(temporary.text("\(job.state.rawValue)/\(job.id)/status.json"), "\(job.id), \(cut)")
        guard let status = JSON.readableTable(Array(text.utf8)), case .string(let state)? = status["state"]?.kind,
            case .integer(let attempt)? = status["try"]?.kind
        else {
            Issue.record("\(job.id) has the status \(text), \(cut)")
            return
        }
        #expect(state == job.state.rawValue && attempt == job.attempt, "\(job.id), \(cut)")
    }

    /// Continues after the restart until nothing is left to do. Each dropped job has ended once.
    private func finish(_ node: Node<DiskFileSystem>, _ temporary: TemporarySpool, _ cut: String) throws {
        let task = try TaskDefinition(name: "t", source: source(scheduled), context)
        node.scheduler.handle(.task(task, since: now), at: node.now)
        node.scheduler.handle(.started(boot: "b1", version: "1"), at: node.now)
        for _ in 0..<20 {
            try node.look()
            try node.turn()
            for name in ["a", "b", "s", "t", "w"] { node.end(name, .lost("it was cut")) }
            try node.turn()
            if let wake = node.scheduler.nextWake() { node.now = max(node.now, wake) }
        }
        #expect(node.scheduler.jobs.isEmpty, "\(cut)")
        for mark in marks {
            let places = try temporary.currentPlaces(of: mark)
            #expect(places.count == 1 && (places[0].hasPrefix("done/") || places[0].hasPrefix("failed/")), "\(mark) \(places), \(cut)")
        }
        // The due time has one record, or none if the stop came before the task was known.
        #expect(try temporary.places(of: "mark-t").count <= 1, "\(cut)")
        #expect(try temporary.names("new") == [] && temporary.names("running") == [], "\(cut)")
    }

    // MARK: Single cases

    private func restarted(_ temporary: TemporarySpool, isSameBoot: Bool = true) throws -> Node<DiskFileSystem> {
        try Node(try temporary.disk(), at: now.advanced(byMilliseconds: 1000), isSameBoot: isSameBoot)
    }

    @Test func aWaitingFileThatIsGoneWasWithdrawn() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/w.toml", "command = \":\"\nstart = \"2030-01-01\"")
        let node = try Node(try temporary.disk(), at: now)
        try node.look()
        try node.turn()
        try temporary.remove("new/w.toml")
        let next = try restarted(temporary)
        #expect(next.recovery.withdrawn.map(\.name) == ["w"] && next.scheduler.jobs.isEmpty)
        #expect(try temporary.tree() == [])
        // After a power cut the file's name may never have reached the disk, so the journal restores the file.
        let powerCut = try restarted(temporary, isSameBoot: false)
        #expect(powerCut.recovery.withdrawn.isEmpty)
        #expect(try temporary.shape().map { String($0.suffix(8)) }.contains("job.toml"))
    }

    @Test func aWaitingFileThatIsAnotherWasEdited() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/w.toml", "command = \":\"\nstart = \"2030-01-01\"")
        let node = try Node(try temporary.disk(), at: now)
        try node.look()
        try node.turn()
        try temporary.write("new/w.toml", "command = \"other\"\nstart = \"2030-01-01\"")
        let next = try restarted(temporary)
        try next.look()
        #expect(next.scheduler.jobs.values.map { $0.source.bytes } == [Array("command = \"other\"\nstart = \"2030-01-01\"".utf8)])
    }

    private func finished(_ temporary: TemporarySpool, bad: Bool = false) throws -> JobID {
        try temporary.write("new/a.toml", bad ? "comand = 1" : "command = \":\"")
        let node = try Node(try temporary.disk(), at: now)
        try node.look()
        try node.turn()
        node.end("a", .exited(0))
        try node.turn()
        let name = try #require(try temporary.names(bad ? "failed" : "done").first)
        return try #require(JobID(name))
    }

    @Test(arguments: [false, true])
    func aRecordThatWasRemovedIsForgotten(isRejected: Bool) throws {
        let temporary = try TemporarySpool()
        let id = try finished(temporary, bad: isRejected)
        try temporary.remove("\(isRejected ? "failed" : "done")/\(id)")
        #expect(try restarted(temporary).recovery.mended == [])
        #expect(try temporary.tree() == [])
    }

    @Test(arguments: ["", "{", "{\"state\": \"running\"}", "[]"])
    func aStatusThatCameBackDamagedIsWrittenAnew(text: String) throws {
        let temporary = try TemporarySpool()
        let id = try finished(temporary)
        let whole = temporary.text("done/\(id)/status.json")
        try temporary.write("done/\(id)/status.json", text)
        #expect(try restarted(temporary).recovery.mended == ["rewrote done/\(id)/status.json from the journal"])
        #expect(temporary.text("done/\(id)/status.json") == whole)
    }

    @Test func aStatusBetweenTwoTriesIsWrittenAnewToo() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a.toml", "command = \":\"\ntries = 2")
        let node = try Node(try temporary.disk(), at: now)
        try node.look()
        try node.turn()
        node.end("a", .exited(1))
        try node.turn()
        let id = try #require(try temporary.names("new").first)
        try temporary.write("new/\(id)/status.json", "")
        #expect(try restarted(temporary).recovery.mended == ["rewrote new/\(id)/status.json from the journal"])
    }

    @Test("Attack 73: of two copies of a job's directory the journal decides which one stays") func ofTwoCopiesTheJournalDecides() throws {
        let temporary = try TemporarySpool()
        let id = try finished(temporary)
        try temporary.disk().makeDirectory("running/\(id)")
        try temporary.write("running/\(id)/job.toml", "command = \":\"")
        #expect(try restarted(temporary, isSameBoot: false).recovery.mended == ["removed running/\(id), a second copy of done/\(id)"])
        #expect(try temporary.names("running") == [])
    }

    @Test func anEmptyDirectoryIsNotAJob() throws {
        let temporary = try TemporarySpool()
        try temporary.write("new/a.toml", "command = \":\"")
        let node = try Node(try temporary.disk(), at: now)
        try node.look()
        let turn = node.scheduler.takeTurn(at: now)
        for (at, record) in turn.records { node.spool.journal.add(record, at: at) }
        try node.spool.journal.commit()
        // The daemon stopped after it made the directory and before it renamed the file.
        let id = turn.starts[0].id
        try temporary.disk().makeDirectory("running/\(id)")
        let next = try restarted(temporary)
        #expect(next.recovery.mended == ["moved new/a.toml to running/\(id)"])
        #expect(try temporary.shape() == ["running/\(id)/", "running/\(id)/job.toml", "running/\(id)/status.json running 1"])
    }
}
