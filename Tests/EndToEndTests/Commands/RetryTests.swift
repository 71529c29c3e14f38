import Glibc
import Linux
import Testing

/// Ended jobs are run again: one job, the chain that depended on it, or all jobs that failed.
@Suite("Retries", .ownThreads)
struct RetryTests {
    /// A command that fails until the file `base/mended` exists.
    private static let broken = "test -e ../mended"

    private func mend(_ spool: SpoolUnderTest) throws { try Files.write("\(spool.base)/mended", "") }

    private func submit(
        _ spool: SpoolUnderTest, _ name: String, after: String? = nil, _ command: String, when: String? = nil
    ) throws -> String {
        let ordering = (after.map { ["--after", $0] } ?? []) + (when.map { ["--after-when", $0] } ?? [])
        return try spool.ctl(list: ["submit", "-N", name, "-C", spool.out] + ordering + ["--", "sh", "-c", command]).id
    }

    enum Way: String, CaseIterable { case command, fileManager, whileDown, overACrash }

    @Test(
        "A retry replaces its job for the jobs that wait for it, also when it is retried again or its record is removed",
        arguments: Way.allCases)
    func chain(_ way: Way) throws {
        let spool = try SpoolUnderTest()
        let b = try submit(spool, "b", Self.broken)
        let c = try submit(spool, "c", after: b, "true")
        #expect(try spool.ctl("wait", c).code == 125)
        #expect(try spool.end(of: "c").text("status.json").contains("\"waits_for\":[\"\(b)\"]"))
        func again(_ id: String) throws -> String {
            switch way {
            case .command, .overACrash: return try spool.ctl("retry", id).id
            case .fileManager:
                let before = Set(try spool.ctl("jobs", "-q").lines)
                try Files.rename("\(spool.path)/failed/\(id)", "\(spool.path)/new/\(id)")
                return try spool.wait(for: "the new id") { try spool.ctl("jobs", "-q").lines.first { !before.contains($0) && $0 != id } }
            case .whileDown:
                try spool.stop()
                let id = try spool.ctl("retry", id).id
                try spool.start()
                return id
            }
        }
        // The first retry fails, too.
        let first = try again(b)
        #expect(try spool.ctl("wait", first).code == 1)
        try mend(spool)
        let second = try again(first)
        #expect(try spool.ctl("wait", second).code == 0)
        if way == .overACrash {
            try spool.crash()
            try spool.start()
        }
        // The record of a retried job is removed. Its retry still takes its place.
        for id in [b, first] where Files.exists("\(spool.path)/failed/\(id)") { try Files.removeTree("\(spool.path)/failed/\(id)") }
        let mended = try again(c)
        let result = try spool.ctl("wait", mended)
        #expect(result.code == 0, "\(result.errors)")
    }

    @Test("retry --with-dependents also retries the whole chain, each job after the retries before it", arguments: [false, true])
    func dependents(isRetriedInVain: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let a = try submit(spool, "a", "true")
        let b = try submit(spool, "b", after: a, "read x < \(gate.path); \(Self.broken)")
        let c = try submit(spool, "c", after: b, "echo c >> ran")
        let d = try submit(spool, "d", after: c, "echo d >> ran")
        let rescue = try submit(spool, "rescue", after: b, "echo rescue >> rescued", when: "failure")
        try gate.release()
        #expect(try spool.ctl("wait", d).code == 125)
        #expect(try spool.ctl("wait", rescue).code == 0)
        var last = b
        if isRetriedInVain {
            let ids = try spool.ctl("retry", "--with-dependents", b).lines
            #expect(ids.map { SpoolUnderTest.name(inID: $0) } == ["b", "c", "d"])
            try gate.release()
            #expect(try spool.ctl("wait", ids[2]).code == 125)
            last = ids[0]
        }
        try mend(spool)
        let dry = try spool.ctl("retry", "--with-dependents", "--dry-run", last)
        #expect(dry.lines.count == 3)
        let ids = try spool.ctl("retry", "--with-dependents", last).lines
        #expect(ids.map { SpoolUnderTest.name(inID: $0) } == ["b", "c", "d"])
        try spool.logLine("event=started", "id=\(ids[0])")
        try spool.wait(for: "the dependents to be taken up") {
            try spool.ctl("why", ids[2]).output == "It waits: it starts after \(ids[1]).\n"
        }
        #expect(try spool.ctl("why", ids[1]).output == "It waits: it starts after \(ids[0]).\n")
        try gate.release()
        #expect(try spool.ctl("wait", ids[2]).code == 0)
        #expect(try spool.linesNow("ran") == ["c", "d"] && spool.linesNow("rescued") == ["rescue"])
        // All jobs have been retried, so none is left to retry.
        #expect(try spool.ctl("retry", "--failed", "--reason", "dependency").errors.contains("no job to retry matches"))
    }

    @Test("A job with after = {when = end} also waits for a running retry of the other job")
    func end() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let b = try submit(spool, "b", "false")
        #expect(try spool.ctl("wait", b).code == 1)
        let again = try spool.ctl("retry", b).id
        #expect(try spool.ctl("wait", again).code == 1)
        let slow = try submit(spool, "slow", "read x < \(gate.path)")
        try Files.makeDirectory("\(spool.path)/tmp/edited")
        try Files.write("\(spool.path)/tmp/edited/job.toml", "command = 'read x < \(gate.path)'")
        try Files.write("\(spool.path)/tmp/edited/status.json", "{\"id\": \"\(again)\"}")
        try Files.rename("\(spool.path)/tmp/edited", "\(spool.path)/new/edited")
        let edited = try spool.wait(for: "the edited retry") { try spool.jobs(in: "running", named: "edited").first?.id }
        let last = try submit(spool, "last", after: b, "true", when: "end")
        try spool.logLine("event=accepted", last)
        #expect(try spool.ctl("why", last).output == "It waits: it starts after \(edited).\n")
        try gate.release(2)
        #expect(try spool.ctl("wait", last, slow).code == 0)
    }

    @Test("A retry of a task's run is a run of that task")
    func taskRun() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'test -e \(spool.base)/mended'\n[[schedule]]\nat = \"in 1s\"")
        let old = try spool.end(of: "t")
        #expect(old.outcome == "failed exit 1")
        try mend(spool)
        let again = try spool.ctl("retry", old.id).id
        #expect(try spool.ctl("wait", again).code == 0)
        #expect(try spool.jobs(in: "done", named: "t").first?.string("task") == "t")
        // The task's name means the latest run.
        #expect(try spool.ctl("submit", "-w", "--after", "t", "--", "true").code == 0)
    }

    // MARK: Many

    @Test("retry --failed leaves out jobs that were canceled or retried already, and reports that")
    func failed() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 2")
        try spool.acceptedTask("t", "command = 'exit 3'")
        let one = try submit(spool, "one", "exit 1")
        let two = try submit(spool, "two", "exit 2")
        #expect(try spool.ctl("run", "-w", "t").code == 3)
        #expect(try spool.ctl("wait", one, two).code == 1)
        try Files.write("\(spool.path)/control/pause", "")
        try spool.logLine("event=paused")
        let waiting = try submit(spool, "waiting", "true")
        try spool.logLine("event=accepted", waiting)
        #expect(try spool.ctl("cancel", "--name", "waiting").output == "\(waiting): canceled\n")
        try Files.remove("\(spool.path)/control/pause")
        let again = try spool.ctl("retry", one).id
        #expect(try spool.ctl("wait", again).code == 1)

        func names(_ ids: [String]) -> [String] { ids.compactMap { SpoolUnderTest.name(inID: $0) }.sorted() }
        let dry = try spool.ctl("retry", "--failed", "--since", "1d", "--dry-run")
        #expect(Set(dry.lines) == Set([again, two, try spool.end(of: "t").id]))
        #expect(dry.errors.contains("would retry 3 jobs; left out 1 that has been retried and 1 that was canceled or replaced"))
        #expect(try names(spool.ctl("retry", "--failed", "--task", "t", "--since", "1d", "-q", "--dry-run").lines) == ["t"])
        #expect(try names(spool.ctl("retry", "--reason", "canceled", "--dry-run").lines) == ["waiting"])
        #expect(try names(spool.ctl("retry", "--state", "failed", "--name", "two", "--dry-run").lines) == ["two"])

        let all = try spool.ctl("retry", "--failed", "--since", "1d", "--wait")
        #expect(all.code == 1 || all.code == 2 || all.code == 3)
        #expect(names(all.lines) == ["one", "t", "two"])
        #expect(all.errors.contains("retried 3 jobs"))
        // The retries failed. Each job is still listed once.
        #expect(try names(spool.ctl("retry", "--failed", "--dry-run").lines) == ["one", "t", "two"])
        let none = try spool.ctl("retry", "--failed", "--name", "nobody")
        #expect(none.code == 0 && none.output == "" && none.errors.contains("no job to retry matches"))
    }

    static let refused: [(words: [String], error: String)] = [
        (["retry"], "retry needs a job's ID, or filters (see spoolctl jobs --help)"),
        (["retry", "--failed", "x"], "retry takes IDs or filters, not both \"x\" and --failed"),
        (["retry", "--state", "new"], "retry acts on jobs in done and failed, and --state names new"),
        (["cancel"], "cancel needs a job's ID, or filters (see spoolctl jobs --help)"),
        (["cancel", "--state", "done"], "cancel acts on jobs in new and running, and --state names done"),
        (["kill", "--task", "t", "x"], "kill takes IDs or filters, not both \"x\" and --task"),
    ]

    @Test("A call that names no jobs, or jobs in two ways, is refused", arguments: refused)
    func refuses(_ row: (words: [String], error: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: row.words)
        #expect(result.code == 2 && result.errors.contains(row.error), "\(result.errors)")
    }

    @Test("cancel and kill take the filters of jobs, and none that waits starts because of it")
    func filters() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 2")
        let gate = try spool.gate()
        for name in ["a", "b"] {
            let tag = name == "a" ? ["--tag", "x"] : []
            _ = try spool.ctl(
                list: ["submit", "-N", name] + tag + ["--", "sh", "-c", "echo \(name) >> \(spool.out)/ran; read x < \(gate.path)"])
        }
        _ = try spool.lines("ran", count: 2)
        for name in ["c", "d"] {
            try spool.logLine("event=accepted", try submit(spool, name, "echo \(name) >> ran; read x < \(gate.path)"))
        }
        #expect(try spool.ctl("cancel", "--tag", "x", "--dry-run").output == "\(spool.running("a").id): would be canceled\n")
        #expect(try spool.ctl("kill", "--name", "a", "-s", "KILL").code == 0)
        _ = try spool.end(of: "a")
        #expect(try spool.ctl("cancel", "--state", "new,running", "-q").code == 0)
        #expect(try spool.end(of: "b").outcome.hasPrefix("failed canceled"))
        #expect(try spool.runsOn())
        let none = try spool.ctl("cancel", "--task", "nobody")
        #expect(none.code == 0 && none.output == "" && none.errors.contains("no job matches"))
    }

    // MARK: Between two tries

    @Test("A job that is canceled between two tries keeps the results of its tries", arguments: [false, true])
    func canceledBetweenTries(isRestarted: Bool) throws {
        let spool = try SpoolUnderTest()
        try spool.drop("job.toml", "command = 'echo out; exit 3'\ntries = 3\nbackoff = \"1h\"")
        try spool.logLine("event=ended", "state=new")
        let waiting = try spool.wait(for: "the first try") { try spool.jobs(in: "new", named: "job").first { $0.attempt == 1 } }
        if isRestarted { try spool.restart() }
        #expect(try spool.ctl("cancel", waiting.id).code == 0)
        let result = try spool.ctl("wait", waiting.id)
        #expect(result.code == 3)
        #expect(result.errors.contains("canceled after try 1 of 3 (exited with 3)"))
        let job = try spool.end(of: "job")
        #expect(job.outcome == "failed canceled 3" && job.attempt == 1)
        #expect(job.error == "canceled after try 1 of 3 (exited with 3)")
        #expect(job.string("started_at") == waiting.string("started_at") && job.string("ended_at") == waiting.string("ended_at"))
        #expect(job.string("changed_at") ?? "" > job.string("ended_at") ?? "-")
        #expect(!job.isNull("usage") && !job.isNull("pid"))
        #expect(try spool.ctl("why", job.id).output.hasPrefix("It was canceled after try 1 of 3 (exited with 3), at "))
        #expect(try spool.ctl("logs", job.id).output == "out\n")
    }
}
