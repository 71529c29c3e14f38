import Glibc
import Linux
import Testing

/// Jobs that wait for other jobs: `locks`, `after`, `unique`.
@Suite("Locks, dependencies and keys", .ownThreads)
struct DependencyTests {
    @Test("U7: jobs with the same lock run one at a time, over a crash too, while other jobs run")
    func locks() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let job = "command = 'echo $SPOOL_NAME >> \(spool.out)/began; read x < \(gate.path)'\nlocks = [\"disk\"]"
        try spool.drop("a.toml", job)
        _ = try spool.lines("began", count: 1)
        try spool.drop("b.toml", job)
        try spool.drop("c.toml", "command = [\"true\"]\nlocks = [\"disk\", \"net\"]")
        #expect(try spool.runsOn())
        let waiting = try spool.wait(for: "b to be taken up") {
            try spool.ctl("jobs", "-q", "--state", "new", "--name", "b").lines.first { $0.contains("-b-") }
        }
        #expect(try spool.ctl("why", waiting).output == "It waits: \(spool.running("a").id) holds lock disk.\n")
        #expect(try spool.run("command = [\"true\"]\nlocks = \"net\"", as: "net").outcome == "done 0")
        try spool.crash()
        try spool.start()
        #expect(try spool.run("command = [\"true\"]", as: "after-crash").outcome == "done 0")
        #expect(try spool.linesNow("began") == ["a"])
        try gate.release()
        #expect(try spool.lines("began", count: 2) == ["a", "b"])
        try gate.release()
        #expect(try spool.end(of: "c").outcome == "done 0")
        #expect(try spool.end(of: "b").string("ended_at") ?? "" <= spool.end(of: "c").string("started_at") ?? "-")
    }

    @Test("U7: a job starts when the jobs that it names have succeeded, long ago or not, over a crash too")
    func after() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let old = try spool.ctl("submit", "-w", "--", "true").id
        let slow = try spool.ctl("submit", "read x < \(gate.path)").id
        // The end of an id is enough here, too.
        let last = try spool.ctl("submit", "--after", String(old.suffix(6)), "--after", slow, "-N", "last", "--", "true")
        #expect(last.code == 0, "\(last.errors)")
        try spool.logLine("event=accepted", last.id)
        #expect(try spool.ctl("why", last.id).output == "It waits: it starts after \(slow).\n")
        try spool.crash()
        try spool.start()
        #expect(try spool.runsOn())
        #expect(try spool.jobs(in: "done", named: "last").isEmpty)
        try gate.release()
        #expect(try spool.ctl("wait", last.id).code == 0)
        #expect(try spool.ctl("submit", "-w", "--after", last.id, "--", "true").code == 0)
    }

    @Test("U7: jobs that wait for a failed job fail with dependency, down the chain, and name it")
    func broken() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let first = try spool.ctl("submit", "read x < \(gate.path); exit 3").id
        let second = try spool.ctl("submit", "--after", first, "-N", "second", "--", "true").id
        let third = try spool.ctl("submit", "--after", second, "-N", "third", "--", "true").id
        let rescue = try spool.ctl("submit", "--after", first, "--after-when", "failure", "-N", "rescue", "--", "true").id
        try gate.release()
        #expect(try spool.ctl("wait", third).code == 125)
        #expect(try spool.end(of: "second").outcome == "failed dependency")
        #expect(try spool.end(of: "second").error == "it was to start after the success of \(first), which failed (exit)")
        #expect(try spool.end(of: "third").error.contains(second))
        #expect(try spool.ctl("wait", rescue).code == 0)
        // A job that names the failed job long after its end fails in the same way.
        #expect(try spool.run("command = [\"true\"]\nafter = \"\(first)\"", as: "late").outcome == "failed dependency")
    }

    static let refused: [(after: String, error: String)] = [
        ("[\"20200101T000000.000Z-x-k3f9ab\"]", "job.toml:2:10: after \"20200101T000000.000Z-x-k3f9ab\": there is no such job"),
        ("\"nobody\"", "job.toml:2:9: after \"nobody\": there is no job or task of that name"),
        ("{when = \"end\", all = [\"nobody\", \"idle\"]}", "job.toml:2:31: after \"nobody\": there is no job or task of that name"),
        ("[\"a b\"]", "job.toml:2:10: after must hold a job's id or a task's name; \"a b\" is not one"),
        ("{when = \"failure\"}", "job.toml:2:9: after names nothing to wait for"),
        ("\"idle\"", "job.toml:2:9: after \"idle\": the task has not run yet"),
    ]

    @Test("U7: an unknown job or task in after is refused with the reason", arguments: refused)
    func unknown(_ row: (after: String, error: String)) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("idle", "command = [\"true\"]")
        let job = try spool.run("command = [\"true\"]\nafter = \(row.after)")
        #expect(job.outcome == "failed rejected" && job.error.contains(row.error), "\(job.error)")
        #expect(try spool.ctl("submit", "--after", "nobody", "--", "true").code == 3)
    }

    @Test("U7: jobs that would wait for each other are refused, and nothing hangs")
    func cycle() throws {
        let spool = try SpoolUnderTest(starting: false)
        let ids = ["20261121T020000.000Z-a-k3f9ab", "20261121T020000.000Z-b-k3f9ab"]
        for (id, other) in [(ids[0], ids[1]), (ids[1], ids[0])] {
            try spool.drop("\(id).toml", "command = [\"true\"]\nafter = \"\(other)\"")
        }
        try spool.start()
        let ended = try spool.ended(count: 2)
        #expect(Set(ended.map(\.outcome)) == ["failed rejected", "failed dependency"])
    }

    @Test("U7: a chain that was dropped in the wrong order runs in the right one")
    func wrongOrder() throws {
        let spool = try SpoolUnderTest(starting: false)
        func id(_ number: Int) -> String { "20261121T020000.\(100 + number)Z-j-k3f9ab" }
        for number in 0..<150 {
            let after = number < 149 ? "after = \"\(id(number + 1))\"" : ""
            try spool.drop("\(id(number)).toml", "command = 'echo \(number) >> \(spool.out)/order'\n\(after)")
        }
        try spool.start()
        #expect(try spool.lines("order", count: 150) == (0..<150).reversed().map(String.init))
    }

    @Test("U7: a task's name means its latest run when the job was submitted, ended or not")
    func task() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.acceptedTask("t", "command = 'read x < \(gate.path); exit $x'")
        let run = try spool.ctl("run", "t").id
        _ = try spool.running("t")
        let waiter = try spool.ctl("submit", "--after", "t", "--", "true").id
        try gate.release(1, "0")
        #expect(try spool.ctl("wait", waiter).code == 0)
        try spool.restart()
        #expect(try spool.ctl("submit", "-w", "--after", "t", "--", "true").code == 0)
        try gate.release(1, "1")
        #expect(try spool.ctl("run", "-w", "t").code == 1)
        #expect(try spool.ctl("submit", "-w", "--after", "t", "--", "true").code == 125)
        #expect(!run.isEmpty)
    }

    // MARK: Keys

    @Test("U7: a job with a key that is taken is not submitted: the first one's id is printed", arguments: [false, true])
    func unique(isRunning: Bool) throws {
        let spool = try SpoolUnderTest(starting: isRunning)
        let submit = "\(SpoolUnderTest.programs)/spoolctl submit --unique 'https://example.com/a?b=%2F' --in 1h -- true"
        let all = "for i in 1 2 3 4 5 6 7 8; do \(submit) >> \(spool.out)/ids 2>> \(spool.base)/said & done; wait"
        let errors = try FileDescriptor.open("\(spool.base)/errors", O_RDWR | O_CREAT, mode: 0o600)
        let shell = try Child("/bin/sh", ["-c", all], environment: spool.environment, output: errors.raw, error: errors.raw)
        #expect(shell.exitCode() == 0)
        let ids = try spool.linesNow("ids")
        #expect(ids.count == 8 && Set(ids).count == 1, "\(ids)")
        let said = try Files.text("\(spool.base)/said").split(separator: "\n")
        #expect(said.count { $0.contains("\(ids[0]) exists already") } == 7, "\(said)")
        #expect(said.count { $0.contains("starts ") && $0.contains("in 1h") } == 1, "\(said)")
        #expect(try spool.ctl("submit", "--unique", "other", "--in", "1h", "--", "true").id != ids[0])
        if !isRunning { try spool.start() }
        try spool.logLine("event=accepted", ids[0])
        #expect(try spool.ctl("jobs", "-q").lines.count == 2)
    }

    @Test("U7: a dropped file with a taken key fails and names the holder; the key is free when the holder's record is removed")
    func uniqueFile() throws {
        let spool = try SpoolUnderTest()
        let first = try spool.run("command = [\"false\"]\nunique = \"k\"", as: "first")
        let second = try spool.run("command = [\"true\"]\nunique = \"k\"", as: "second")
        #expect(
            second.outcome == "failed rejected" && second.error == "second.toml:2:10: unique \"k\" is taken by \(first.id)",
            "\(second.error)")
        #expect(try second.text("job.toml").contains("unique"))
        try spool.logLine("event=ended", second.id, "is taken by \(first.id)")
        #expect(try spool.ctl("submit", "--unique", "k", "--", "true").id == first.id)
        try spool.restart()
        #expect(try spool.ctl("submit", "--unique", "k", "--", "true").id == first.id)
        // A retry is not a second job of that key.
        let again = try spool.ctl("retry", first.id).id
        #expect(try spool.ctl("wait", again).code == 1)
        #expect(try spool.ctl("submit", "--unique", "k", "--", "true").id == again)
        try Files.removeTree("\(spool.path)/failed/\(again)")
        let next = try spool.ctl("submit", "-w", "--unique", "k", "--", "true")
        #expect(next.code == 0 && next.id != again)
    }

    @Test(
        "A directory in the place of a key's file stops no daemon; after a start a waiting job holds its key again"
    )
    func obstructedKey() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        for (name, key) in [("one", "a"), ("two", "b")] {
            try spool.drop("\(name).toml", "command = 'read x < \(gate.path)'\nunique = \"\(key)\"")
        }
        let (one, two) = (try spool.running("one").id, try spool.running("two").id)
        try spool.crash()
        let keys = "\(spool.path)/state/unique"
        try Files.remove("\(keys)/a.id")
        try Files.makeDirectory("\(keys)/a.id")
        try Files.write("\(keys)/b.id", "20200101T000000.000Z-gone-abcdef\n")
        try spool.start()
        try spool.logLine("event=unreadable", "state/unique/a.id")
        #expect(try Files.text("\(keys)/b.id") == "\(two)\n")
        try gate.release(2)
        #expect(try spool.end(of: "one").id == one && spool.end(of: "two").id == two)
        #expect(try spool.ctl("submit", "--unique", "b", "--", "true").id == two)
    }

    @Test("U7: spoolctl has options for these keys, and its errors name the option")
    func options() throws {
        let spool = try SpoolUnderTest(starting: false)
        let created = try spool.ctl(
            "create", "t", "--lock", "a", "--lock", "b", "--on-failure", "alert", "--on-end", "echo done", "--mail", "root", "--mail-when",
            "output",
            "--pause-on-failure", "--expect", "26h", "--on-overdue", "alert", "--", "true")
        #expect(created.code == 0, "\(created.errors)")
        let text = try Files.text("\(spool.path)/tasks/t.toml")
        for line in [
            "locks = [\"a\", \"b\"]", "on_failure = \"alert\"", "on_end = \"echo done\"", "to = \"root\"", "when = \"output\"",
            "pause_on_failure = true", "expect = \"26h\"", "on_overdue = \"alert\"",
        ]
        {
            #expect(text.contains(line), "\(line) in \(text)")
        }
        let wrong: [([String], String)] = [
            (["submit", "--lock", "a b", "--", "true"], "--lock: locks must hold a name"),
            (["submit", "--mail", "a\nb", "--", "true"], "--mail: mail must be an address"),
            (["submit", "--mail-when", "always", "--", "true"], "--mail-when"),
            (["submit", "--unique", "", "--", "true"], "--unique: unique is empty"),
            (["create", "u", "--on-overdue", "x", "--", "true"], "on_overdue without expect"),
            (["submit", "--after-when", "end", "--", "true"], "--after-when"),
        ]
        for (arguments, error) in wrong {
            let result = try spool.ctl(list: arguments)
            #expect(result.code == 4 || result.code == 2, "\(arguments)")
            #expect(result.errors.contains(error), "\(result.errors)")
        }
    }
}
