import Glibc
import TestSupport
import Testing

@testable import Store

/// The files in which a run reports its progress and its result.
@Suite struct ReportTests {
    let temporary: TemporarySpool
    let spool: Spool<DiskFileSystem>
    let scheduler = Scheduler(zones: zones)

    init() throws {
        temporary = try TemporarySpool()
        spool = try temporary.spool()
    }

    /// A running job.
    private func run(_ text: String = "command = \":\"") throws -> Job {
        scheduler.handle(.dropped(try accepted("a", text)), at: now)
        try turn()
        return try #require(scheduler.jobs.values.first)
    }

    private func turn() throws { for job in scheduler.takeTurn(at: now).places { try spool.place(job) } }

    private func end(_ job: Job, _ code: Int) throws {
        scheduler.handle(
            .ended(job.id, attempt: job.attempt, RunResult(outcome: .exited(code), startedAt: now, endedAt: now)), at: now)
        try turn()
    }

    private func record(_ job: Job) throws -> JobStatus {
        var records = JobRecords(try temporary.disk(), context)
        return try #require(try records.record(of: job.id.text)).status
    }

    static let progressTexts: [(text: String, fraction: Double?)] = [
        (#"{"fraction": 0.25, "message": "m", "at": "2026-11-21T02:00:00.000Z"}"#, 0.25), (#"{"fraction": 1}"#, 1),
        (#"{"fraction": 1.5}"#, nil), (#"{"fraction": -1}"#, nil), (#"{"fraction": "x"}"#, nil), ("[1]", nil), ("", nil), ("{", nil),
        (#"{"fraction": 0, "message": ""# + String(repeating: "x", count: 20_000) + #""}"#, nil),
    ]

    @Test("Progress is read from its file if the values are valid", arguments: progressTexts)
    func progress(_ row: (text: String, fraction: Double?)) throws {
        let job = try run()
        try temporary.write("running/\(job.id)/progress", row.text)
        #expect(try record(job).progress?.fraction == row.fraction)
        try end(job, 0)
        #expect(try record(job).progress?.fraction == row.fraction, "and the record keeps it")
    }

    @Test("Progress that says no time has the one of its file")
    func progressWithoutTime() throws {
        let job = try run()
        let before = Clock.now()
        try temporary.write("running/\(job.id)/progress", #"{"fraction": 0.5}"#)
        // The clock of a file system is as coarse as the kernel's ticks.
        let at = try #require(try record(job).progress?.at)
        #expect((before - 1000...before + 600_000).contains(at.milliseconds), "\(at)")
    }

    static let resultTexts: [(text: String, json: String?)] = [
        ("{\"a\": [1, 2.5]}\n", #"{"a":[1,2.5]}"#), ("null", nil), ("3", "3"), ("hello", #"{"file":"result","bytes":5}"#),
        ("", #"{"file":"result","bytes":0}"#), ("\"" + String(repeating: "x", count: (64 << 10) - 2) + "\"", "whole"),
        ("\"" + String(repeating: "x", count: (64 << 10) - 1) + "\"", #"{"file":"result","bytes":65537}"#),
        (String(repeating: "[", count: 64) + String(repeating: "]", count: 64), #"{"file":"result","bytes":128}"#),
        (String(repeating: "[", count: 63) + String(repeating: "]", count: 63), "whole"),
    ]

    @Test("The status has a result of JSON up to 64 KiB, and name and length of any other result", arguments: resultTexts)
    func result(_ row: (text: String, json: String?)) throws {
        let job = try run()
        try temporary.write("running/\(job.id)/result", row.text)
        #expect(try record(job).result == nil, "not before it has ended")
        try end(job, 0)
        #expect(try record(job).result.map { String(decoding: $0, as: UTF8.self) } == (row.json == "whole" ? row.text : row.json))
        let text = try #require(temporary.text("done/\(job.id)/status.json"))
        #expect(text.contains(#""result":\#(row.json == "whole" ? row.text : row.json ?? "null"),"#))
        #expect(temporary.text("done/\(job.id)/result") == row.text)
    }

    @Test func aResultIsReadWithoutFollowingLinksAndWithoutWaiting() throws {
        let secret = temporary.path + "/state/format"
        let job = try run()
        try Directory.open(temporary.path).makeSymbolicLink("running/\(job.id)/result", to: secret)
        #expect(mkfifo("\(temporary.path)/running/\(job.id)/progress", 0o600) == 0)
        try end(job, 0)
        let status = try record(job)
        #expect(status.result == nil && status.progress == nil)
    }

    @Test func whatOneTrySaidIsNotTheNextOnes() throws {
        let job = try run("command = \":\"\ntries = 2\nbackoff = \"0s\"")
        for (name, text) in [("progress", #"{"fraction": 0.5}"#), ("result", "1"), ("extend", "60\n"), ("stdout", "out")] {
            try temporary.write("running/\(job.id)/\(name)", text)
        }
        #expect(try spool.fs.extended("running/\(job.id)") == 60_000)
        try end(job, 1)
        #expect(job.state == .running && job.attempt == 2)
        let files = try temporary.names("running/\(job.id)")
        #expect(files.filter { !$0.hasPrefix("job") } == ["result.1", "status.json", "stdout.1"])
        try end(job, 0)
        let status = try record(job)
        #expect(status.result == nil && status.progress == nil)
    }

    @Test func aJobBetweenTwoTriesTellsOfTheLastOne() throws {
        let job = try run("command = \":\"\ntries = 2\nbackoff = \"1h\"")
        try temporary.write("running/\(job.id)/result", "1")
        try end(job, 1)
        #expect(job.state == .new)
        #expect(try record(job).result == [UInt8(ascii: "1")])
    }

    @Test func whatARecordSaidIsNotTheNewJobs() throws {
        let disk = try temporary.disk()
        let old = "20261121T015900.000Z-x-abcd"
        let new = "20261121T015930.000Z-x-abce"
        try disk.makeDirectory("new/\(new)")
        for (name, text) in [
            ("job.toml", "command = \":\""), ("progress", #"{"fraction": 0.5}"#), ("result", "1"), ("extend", "60"), ("stdin", "in"),
        ] { try temporary.write("new/\(new)/\(name)", text) }
        try temporary.write("new/\(new)/status.json", JobStatus(id: old, name: "x", due: now, createdAt: now, host: "h").json())
        guard case .job(let accepted) = try spool.intake(new, isMovedIn: true, context, isTaken: { _ in nil }, task: { _ in nil }) else {
            Issue.record("no job")
            return
        }
        #expect(accepted.id.text == new && accepted.retryOf == old)
        scheduler.handle(.dropped(accepted), at: now)
        for job in scheduler.takeTurn(at: now, mayStart: false).places { try spool.place(job) }
        let job = try #require(scheduler.jobs.values.first)
        #expect(try record(job).progress == nil && record(job).result == nil)
        try turn()
        #expect(try temporary.names("running/\(new)") == ["job.toml", "result.1", "status.json", "status.json.1", "stdin"])
    }

    @Test func aJobThatCameAsADirectoryBringsAllOfItAlong() throws {
        let id = "20261121T015930.000Z-x-abce"
        try temporary.disk().makeDirectory("new/\(id)")
        try temporary.write("new/\(id)/job.toml", "command = \":\"")
        try temporary.write("new/\(id)/stdin", "in")
        guard case .job(let accepted) = try spool.intake(id, isMovedIn: true, context, isTaken: { _ in nil }, task: { _ in nil }) else {
            Issue.record("no job")
            return
        }
        // The job is accepted and started in one turn.
        scheduler.handle(.dropped(accepted), at: now)
        try turn()
        #expect(try temporary.names("new") == [])
        #expect(try temporary.names("running/\(id)") == ["job.toml", "status.json", "stdin"])
    }

    @Test func aStatusThatWasLostComesBackWithWhatTheFilesSay() throws {
        let job = try run()
        try temporary.write("running/\(job.id)/result", "[7]")
        try end(job, 0)
        try temporary.write("done/\(job.id)/status.json", "")
        _ = try spool.recover([job], isSameBoot: false)
        #expect(try record(job).result == Array("[7]".utf8))
    }
}
