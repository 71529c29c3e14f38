import Documents
import Glibc
import Linux
import Testing

/// Jobs from their submission to their end, and tasks as templates of jobs: rows E and A.
@Suite("Jobs from their drop to their end", .ownThreads)
struct JobRowTests {
    // MARK: E

    @Test("E1: a one-off job has a command, data, tags, a priority and a start time, from a file in new/ or by submit")
    func oneOff() throws {
        let spool = try SpoolUnderTest()
        try spool.drop("file.toml", "command = [\"cat\"]\npayload = {n = 1}\ntags = [\"a\", \"b\"]\npriority = 7\nstart = \"in 1 s\"")
        let before = Clock.now()
        let submitted = try spool.ctl(
            "submit", "-N", "option", "--payload", "{\"n\": 1}", "--tag", "a", "--tag", "b", "-p", "7", "--in", "1s", "--", "cat")
        #expect(submitted.code == 0, "\(submitted.errors)")
        for name in ["file", "option"] {
            let job = try spool.end(of: name)
            #expect(try job.outcome == "done 0" && job.stdout == "{\"n\":1}")
            #expect(job.status["tags"].map { JSON.write($0) } == "[\"a\",\"b\"]" && job.integer("priority") == 7)
            #expect(job.string("scheduled_at") ?? "z" <= job.string("started_at") ?? "", "not before its start")
            #expect(try spool.second(try #require(job.string("scheduled_at"))) >= Int((before + 1000) / 1000) || name == "file")
            // The daemon may read the file of spoolctl after the second that spoolctl has counted.
            #expect(job.string("created_at") ?? "z" < job.string("scheduled_at") ?? "" || name == "option")
        }
    }

    @Test("E3: a job's state is new, running, done, failed or canceled")
    func statuses() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        let first = try spool.ctl("submit", "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        let second = try spool.ctl("submit", "exit 3").id
        let third = try spool.ctl("submit", "true").id
        #expect(try [first, second, third].map { try spool.status($0).text("state") } == ["running", "new", "new"])
        #expect(try spool.ctl("cancel", third).code == 0)
        try gate.release()
        #expect(try spool.ctl("wait", first).code == 0)
        #expect(try spool.ctl("wait", second).code == 3)
        let ends = try [first, second, third].map { try spool.status($0) }
        #expect(ends.map { $0.text("state") } == ["done", "failed", "failed"])
        #expect(ends.map { $0.text("reason") } == [nil, "exit", "canceled"])
        #expect(ends.allSatisfy { $0.text("changed_at") ?? "" >= $0.text("created_at") ?? "z" })
    }

    @Test("E4: jobs wait in the order of their start times; a higher priority is first whatever its start time")
    func order() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        for (name, start, priority) in [
            ("c", "03", 0), ("a", "01", 0), ("urgent-late", "09", 5), ("b", "02", 0), ("urgent", "08", 5), ("idle", "00", -5),
        ]
        {
            let seen = spool.logLength
            try spool.drop(
                "\(name).toml",
                """
                command = 'echo $SPOOL_NAME >> \(spool.out)/order'\npriority = \(priority)\n\
                start = \"2020-01-\(start == "00" ? "01" : start)T00:00:00Z\"
                """)
            try spool.logLine("event=accepted", "file=\(name).toml", after: seen)
        }
        try gate.release()
        #expect(try spool.lines("order", count: 6) == ["urgent", "urgent-late", "a", "b", "c", "idle"])
    }

    @Test("E5: cancel ends a job that has not started: it never runs, and its record says canceled")
    func cancel() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "--in", "1h", "touch \(spool.out)/ran").id
        try spool.logLine("event=accepted", id)
        #expect(try spool.ctl("cancel", id).code == 0)
        let end = try spool.status(id)
        #expect(end.text("state") == "failed" && end.text("reason") == "canceled" && end.text("started_at") == nil)
        #expect(try spool.ctl("wait", id).code == 125)
        #expect(try spool.runsOn() && !Files.exists("\(spool.out)/ran"))
    }

    @Test("E6: a job that is not extended within its timeout fails with that reason; one that is extended in time continues")
    func timeouts() throws {
        let spool = try SpoolUnderTest(configuration: "default_timeout = \"300ms\"")
        let gate = try spool.gate()
        let silent = try spool.run("command = [\"sleep\", \"1000\"]", as: "silent")
        #expect(silent.outcome == "failed timeout" && silent.error.contains("longer than its timeout"), "\(silent.error)")
        // The job itself asks for more time. A test that asked from outside would fail on a machine that starts the job late.
        try spool.drop(
            "reports.toml",
            "command = '\(SpoolUnderTest.programs)/spoolctl extend 1h; echo > \(spool.out)/told; read x < \(gate.path)'\ntimeout = \"30m\"")
        try spool.output("told")
        #expect(try spool.ctl("status", try spool.running("reports").id).output.contains("extended by\t1h00m"))
        try gate.release()
        #expect(try spool.end(of: "reports").outcome == "done 0")
    }

    // MARK: A

    static let words: [(word: String, due: String)] = [
        ("yearly", "2027-01-01T00:00:00.000Z"), ("annually", "2027-01-01T00:00:00.000Z"), ("monthly", "2026-02-01T00:00:00.000Z"),
        ("weekly", "2026-01-04T00:00:00.000Z"),
        ("daily", "2026-01-02T00:00:00.000Z"), ("midnight", "2026-01-02T00:00:00.000Z"), ("hourly", "2026-01-01T01:00:00.000Z"),
    ]

    @Test("A2: @yearly and its like, also without the @ on the command line", arguments: words)
    func word(_ row: (word: String, due: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        for text in ["@\(row.word)", row.word] {
            #expect(try spool.ctl("next", "--cron", text, "--from", "2026-01-01T00:00:01Z", "-n", "1", "-q").lines == [row.due])
            #expect(try spool.ctl("create", "t", "--cron", text, "--", "true").code == 0)
            #expect(
                try spool.ctl("next", "t", "--from", "2026-01-01T00:00:01Z", "-n", "1", "--json").objects.map { $0.text("due") }
                    == [row.due])
            #expect(try spool.ctl("delete", "-f", "t").code == 0)
        }
        try spool.task("file", "command = [\"true\"]\n[[schedule]]\ncron = \"@\(row.word)\"")
        #expect(try spool.ctl("check").code == 0)
    }

    static let durations: [(duration: String, due: String)] = [
        ("10m", "2026-01-01T00:10:00.000Z"), ("1h30m", "2026-01-01T01:30:00.000Z"), ("250ms", "2026-01-01T00:00:00.250Z"),
        ("1h15m30.5s", "2026-01-01T01:15:30.500Z"),
        ("1.5h", "2026-01-01T01:30:00.000Z"), ("36h", "2026-01-02T12:00:00.000Z"), ("2500000us", "2026-01-01T00:00:02.500Z"),
    ]

    @Test("A3: @every and every take Go's durations", arguments: durations)
    func goDurations(_ row: (duration: String, due: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        for option in [["--cron", "@every \(row.duration)"], ["--every", row.duration]] {
            let next = try spool.ctl(list: ["next"] + option + ["--from", "2026-01-01T00:00:00Z", "-n", "1", "-q"])
            #expect(next.lines == [row.due], "\(option): \(next.errors)")
            #expect(try spool.ctl(list: ["create", "t\(option.count)\(option[0].count)"] + option + ["--", "true"]).code == 0)
        }
        #expect(try spool.ctl("check").code == 0)
    }

    @Test("A4: a task is a template of schedule, queue, command, payload, deadline and tries, which each run has")
    func template() throws {
        let spool = try SpoolUnderTest()
        let text = """
            description = "mails what is new"
            command = "cat; exit 1"
            queue = "mail"
            payload = {to = "all"}
            deadline = "1h"
            tries = 2
            backoff = "1ms"
            [[schedule]]
            id = "soon"
            at = "in 1 s"
            """
        try spool.acceptedTask("t", text)
        let run = try spool.end(of: "t")
        #expect(run.outcome == "failed exit 1" && run.attempt == 2 && run.integer("tries") == 2)
        #expect(try run.stdout == "{\"to\":\"all\"}")
        for (key, value) in [("name", "t"), ("task", "t"), ("schedule", "soon"), ("queue", "mail"), ("description", "mails what is new")] {
            #expect(run.string(key) == value)
        }
        #expect(try spool.second(try #require(run.string("deadline"))) - spool.second(run.due) == 3600)
        #expect(run.string("created_at")?.isEmpty == false)
        guard case .table(let task) = try spool.ctl("show", "t", "--json").json.kind else { return #expect(Bool(false), "no object") }
        #expect(task.text("changed_at")?.isEmpty == false)
    }

    @Test("A8: a task is added, loaded by its name and removed; delete asks, and with -f does not")
    func addLoadRemove() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "t", "--every", "1h", "--", "true").code == 0)
        #expect(try spool.ctl("show", "t").rows.first == ["name", "t"])
        let asked = try spool.ctl("delete", "t")
        #expect(
            asked.code == 2 && asked.errors == "spoolctl: delete asks for confirmation, which needs a terminal; use -f\n",
            "\(asked.errors)")
        #expect(try Files.list("\(spool.path)/tasks") == ["t.toml"])
        #expect(try spool.ctl("delete", "-f", "t").code == 0)
        #expect(try Files.list("\(spool.path)/tasks").isEmpty)
        #expect(try spool.ctl("show", "t").code == 3)
    }

    @Test("A9: tasks are listed as a table, as names alone and as JSON, and one is viewed")
    func listing() throws {
        let spool = try SpoolUnderTest(starting: false)
        for (name, cron) in [("a", "0 5 1 1 *"), ("b", "@daily")] {
            #expect(try spool.ctl("create", name, "--description", "is \(name)", "--cron", cron, "--", "true").code == 0)
        }
        let terminal = try Terminal()
        #expect(try spool.startCtl(["list"], output: terminal.raw).end().code == 0)
        let table = terminal.text.split { "\r\n".contains($0) }
        #expect(table.count == 4 && table[0].contains("times in UTC"), "\(terminal.text)")
        #expect(table[1].contains("NAME") && table[1].contains("NEXT"), "\(terminal.text)")
        #expect(try spool.ctl("list").rows.map { [$0[0], $0[2], $0[4]] } == [["a", "1", "is a"], ["b", "1", "is b"]])
        #expect(try spool.ctl("list", "--names").lines == ["a", "b"])
        #expect(try spool.ctl("list", "--names", "--json").output == "[\"a\",\"b\"]\n")
        #expect(try spool.ctl("list", "--json").objects.map { $0.text("name") } == ["a", "b"])
        #expect(try spool.ctl("show", "b").rows.contains(["description", "is b"]))
    }

    @Test("A12: the log has a line when a task is added, changed, due, ended and removed")
    func log() throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = \"exit 3\"\n[[schedule]]\nat = \"in 1 s\"")
        try spool.logLine("event=defined", "file=tasks/t")
        let run = try spool.end(of: "t")
        try spool.logLine("event=accepted", "id=\(run.id)", "task=t")
        try spool.logLine("event=started", "id=\(run.id)", "try=1")
        try spool.logLine("event=ended", "id=\(run.id)", "state=failed", "reason=exit", "exit_code=3")
        let seen = spool.logLength
        try spool.task("t", "command = [\"true\"]")
        try spool.logLine("event=defined", "file=tasks/t", after: seen)
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed", "file=tasks/t")
        #expect(spool.log.split(separator: "\n").allSatisfy { $0.hasPrefix("time=") })
    }
}
