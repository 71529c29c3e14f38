import Glibc
import TestSupport
import Testing

@testable import Store

/// Moves a job through the directories, one step at a time.
private final class Way {
    let temporary: TemporarySpool
    let spool: Spool<DiskFileSystem>
    let scheduler = Scheduler(zones: zones)
    var now = TestSupport.now

    init() throws {
        temporary = try TemporarySpool()
        spool = try temporary.spool()
    }

    /// Drops a file and accepts it.
    func drop(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> Job {
        try temporary.write("new/\(name)", text, mode: mode)
        let context = ReadingContext(now: now, zones: zones)
        switch try spool.intake(name, context, isTaken: { self.scheduler.jobs[$0] }, task: { _ in nil }) {
        case .job(let job): scheduler.handle(.dropped(job), at: now)
        case .rejected(let file): scheduler.handle(.rejected(file), at: now)
        default: break
        }
        let turn = scheduler.takeTurn(at: now, mayStart: false)
        return try #require(turn.places.first ?? scheduler.jobs.values.first)
    }

    /// Takes a turn and moves every job to its place. A second move must change nothing.
    func turn() throws {
        for job in scheduler.takeTurn(at: now).places {
            let before = spool.places[job]
            try spool.place(job)
            let tree = try temporary.tree()
            try spool.place(job)
            #expect(try temporary.tree() == tree, "\(job.id) from \(before), a second time")
        }
    }

    func end(_ job: Job, _ outcome: RunResult.Outcome = .exited(0)) {
        scheduler.handle(.ended(job.id, attempt: job.attempt, RunResult(outcome: outcome, startedAt: now, endedAt: now)), at: now)
    }

    /// The paths below the spool, with ID in place of the job's id.
    func shape(_ job: Job) throws -> [String] { try temporary.shape().map { $0.replacing(job.id.text, with: "ID") } }
}

extension String {
    fileprivate func replacing(_ part: String, with other: String) -> String {
        var text = self
        while let range = text.firstRange(of: part) { text.replaceSubrange(range, with: other) }
        return text
    }
}

@Suite struct PlaceTests {
    @Test func aFileBecomesADirectoryThatRunsAndIsDone() throws {
        let way = try Way()
        let job = try way.drop("a.toml", "command = \":\"\npayload = {x = 1}")
        #expect(try way.shape(job) == ["new/a.toml"])
        try way.turn()
        #expect(try way.shape(job) == ["running/ID/", "running/ID/job.toml", "running/ID/payload", "running/ID/status.json running 1"])
        #expect(way.temporary.text("running/\(job.id)/payload") == #"{"x":1}"#)
        #expect(way.temporary.text("running/\(job.id)/job.toml") == "command = \":\"\npayload = {x = 1}")
        way.end(job)
        try way.turn()
        #expect(try way.shape(job) == ["done/ID/", "done/ID/job.toml", "done/ID/payload", "done/ID/status.json done 1"])
    }

    @Test func aScriptIsItsOwnProgramAndKeepsItsMode() throws {
        let way = try Way()
        let job = try way.drop("s", "#!/bin/sh\necho", mode: 0o755)
        try way.turn()
        #expect(try way.shape(job) == ["running/ID/", "running/ID/job", "running/ID/status.json running 1"])
        #expect(try way.temporary.disk().status("running/\(job.id)/job")?.mode == 0o755)
    }

    @Test func theTextOfAScriptBecomesAFileThatCanRun() throws {
        let way = try Way()
        let job = try way.drop("a.json", #"{"script": "echo\n"}"#)
        try way.turn()
        #expect(try way.shape(job) == ["running/ID/", "running/ID/job.json", "running/ID/script", "running/ID/status.json running 1"])
        #expect(try way.temporary.disk().status("running/\(job.id)/script")?.mode == 0o700)
    }

    @Test func whatCannotBeUsedGoesToFailedAsItIs() throws {
        let way = try Way()
        let job = try way.drop("a.toml", "comand = 5")
        try way.spool.place(job)
        #expect(try way.shape(job) == ["failed/ID/", "failed/ID/job.toml", "failed/ID/status.json failed 0"])
        #expect(way.temporary.text("failed/\(job.id)/job.toml") == "comand = 5")
        let status = try #require(way.temporary.text("failed/\(job.id)/status.json"))
        #expect(
            status.contains(#""reason":"rejected""#) && status.contains(#"a.toml:1:1: unknown key \"comand\"; did you mean \"command\"?"#))
    }

    @Test func aLinkAndAFIFOGoToFailedAsTheyAre() throws {
        let way = try Way()
        symlink("/etc/passwd", "\(way.temporary.path)/tmp/l")
        mkfifo("\(way.temporary.path)/tmp/f", 0o600)
        for (name, kind) in [("l", FileKind.symbolicLink), ("f", .fifo)] {
            try way.temporary.move("tmp/\(name)", to: "new/\(name).toml")
            guard case .rejected(let file) = try way.spool.intake("\(name).toml", context, isTaken: { _ in nil }, task: { _ in nil }) else {
                Issue.record("\(name) is not rejected")
                continue
            }
            way.scheduler.handle(.rejected(file), at: now)
            try way.turn()
            #expect(try way.temporary.disk().status("failed/\(file.id)/job.toml")?.kind == kind)
        }
        #expect(try way.temporary.names("new") == [])
    }

    @Test func aWaitingFileThatIsCanceledGoesToFailed() throws {
        let way = try Way()
        let job = try way.drop("a.toml", "command = \":\"\nstart = \"in 1h\"")
        way.scheduler.handle(.cancel(job.id), at: now)
        try way.turn()
        #expect(try way.shape(job) == ["failed/ID/", "failed/ID/job.toml", "failed/ID/status.json failed 0"])
    }

    @Test func betweenTwoTriesAJobIsADirectoryInNew() throws {
        let way = try Way()
        let job = try way.drop("a.toml", "command = \":\"\ntries = 3\nbackoff = 5")
        try way.turn()
        try way.temporary.write("running/\(job.id)/stdout", "one")
        try way.temporary.write("running/\(job.id)/stderr", "")
        way.end(job, .exited(1))
        try way.turn()
        #expect(try way.shape(job) == ["new/ID/", "new/ID/job.toml", "new/ID/status.json new 1", "new/ID/stderr", "new/ID/stdout"])
        way.now = way.now.advanced(byMilliseconds: 5000)
        try way.turn()
        #expect(
            try way.shape(job)
                == ["running/ID/", "running/ID/job.toml", "running/ID/status.json running 2", "running/ID/stderr.1", "running/ID/stdout.1"])
        try way.temporary.write("running/\(job.id)/stdout", "two")
        way.end(job, .exited(1))
        try way.turn()
        way.now = way.now.advanced(byMilliseconds: 5000)
        try way.turn()
        #expect(way.temporary.text("running/\(job.id)/stdout.1") == "one" && way.temporary.text("running/\(job.id)/stdout.2") == "two")
    }

    @Test func aScheduledRunStartsFromNowhere() throws {
        let way = try Way()
        let task = try TaskDefinition(name: "t", source: source("command = \":\"\n[[schedule]]\nevery = \"1m\""), context)
        way.scheduler.handle(.task(task, since: now), at: now)
        way.now = way.now.advanced(byMilliseconds: 60_000)
        try way.turn()
        let job = try #require(way.scheduler.jobs.values.first)
        #expect(try way.shape(job) == ["running/ID/", "running/ID/job.json", "running/ID/status.json running 1"])
        let text = try #require(way.temporary.text("running/\(job.id)/job.json"))
        #expect(try JobDefinition.read(try source(text, .json).table(), context).action == .line(":"))
    }

    @Test func aScheduledRunThatWaitsIsADirectoryInNew() throws {
        let way = try Way()
        way.scheduler.handle(.limits(SchedulerLimits(slots: 1)), at: now)
        _ = try way.drop("a.toml", "command = \":\"")
        let task = try TaskDefinition(name: "t", source: source("command = \":\"\n[[schedule]]\nevery = \"1m\""), context)
        way.scheduler.handle(.task(task, since: now), at: now)
        try way.turn()
        way.now = way.now.advanced(byMilliseconds: 60_000)
        try way.turn()
        let job = try #require(way.scheduler.jobs.values.first { $0.task == "t" })
        #expect(try way.shape(job).contains("new/ID/status.json new 0"))
        way.end(try #require(way.scheduler.jobs.values.first { $0.task == nil }))
        try way.turn()
        #expect(try way.shape(job).contains("running/ID/status.json running 1"))
    }

    // MARK: Changes by other people

    @Test(
        "Attack 25: a file that is missing when its job starts is restored from the text that was read"
    ) func aFileThatIsGoneWhenItsJobStartsIsPutBackFromWhatWasRead() throws {
        let way = try Way()
        let job = try way.drop("a.toml", "command = \"x\"")
        try way.temporary.remove("new/a.toml")
        try way.turn()
        #expect(way.temporary.text("running/\(job.id)/job.toml") == "command = \"x\"")
    }

    /// A file that takes the name of an accepted file is a drop of its own. The first job must not run its text and must not
    /// remove it.
    @Test(arguments: [("a.toml", "command = \"x\"", "command = \"y\""), ("s", "#!/bin/sh\nx", "#!/bin/sh\ny")])
    func aFileThatTookTheNameMeanwhileStaysInNew(name: String, text: String, other: String) throws {
        let way = try Way()
        let job = try way.drop(name, text, mode: 0o700)
        try way.temporary.write("tmp/x", other, mode: 0o700)
        try way.temporary.move("tmp/x", to: "new/\(name)")
        let turn = way.scheduler.takeTurn(at: now)
        for job in turn.places { try way.spool.place(job) }
        #expect(way.temporary.text("new/\(name)") == other)
        #expect(way.temporary.text("running/\(job.id)/\(job.source.fileName)") == text)
    }

    @Test func aDirectoryThatSomebodyRemovedIsPutBack() throws {
        let way = try Way()
        let job = try way.drop("a.toml", "command = \":\"")
        try way.turn()
        try way.temporary.remove("running/\(job.id)")
        way.end(job)
        try way.turn()
        #expect(try way.shape(job) == ["done/ID/", "done/ID/job.toml", "done/ID/status.json done 1"])
    }
}
