import Documents
import Glibc
import Linux
import Testing

/// Jobs from their coming to their end: the rows E, A and P, as users meet them.
@Suite("Jobs and their rows", .ownThreads)
struct JobRowTests {
    private func status(_ spool: SpoolUnderTest, _ id: String) throws -> Table {
        guard case .table(let table) = try spool.ctl("status", "--json", id).json.kind else { throw spool.failure("no status of \(id)") }
        return table
    }

    // MARK: E

    @Test("E1: a one-off job has a command, data, tags, a priority and a start time, from a file in new/ or by submit")
    func oneOff() throws {
        let spool = try SpoolUnderTest()
        try spool.drop("file.toml", "command = [\"cat\"]\npayload = {n = 1}\ntags = [\"a\", \"b\"]\npriority = 7\nstart = \"in 1 s\"")
        let submitted = try spool.ctl("submit", "-n", "option", "--payload", "{\"n\": 1}", "--tag", "a", "--tag", "b", "-p", "7", "--in", "1s", "--", "cat")
        #expect(submitted.code == 0, "\(submitted.errors)")
        for name in ["file", "option"] {
            let job = try spool.end(of: name)
            #expect(try job.outcome == "done 0" && job.stdout == "{\"n\":1}")
            #expect(job.status["tags"].map { JSON.write($0) } == "[\"a\",\"b\"]" && job.integer("priority") == 7)
            #expect(job.string("scheduled_at") ?? "z" <= job.string("started_at") ?? "", "not before its start")
            #expect(job.string("created_at") ?? "z" < job.string("scheduled_at") ?? "")
        }
    }

    @Test("E3: a job is new, running, done, failed or canceled, and says which")
    func statuses() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        let first = try spool.ctl("submit", "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        let second = try spool.ctl("submit", "exit 3").id
        let third = try spool.ctl("submit", "true").id
        #expect(try [first, second, third].map { try status(spool, $0).text("state") } == ["running", "new", "new"])
        #expect(try spool.ctl("cancel", third).code == 0)
        try gate.release()
        #expect(try spool.ctl("wait", first).code == 0)
        #expect(try spool.ctl("wait", second).code == 3)
        let ends = try [first, second, third].map { try status(spool, $0) }
        #expect(ends.map { $0.text("state") } == ["done", "failed", "failed"])
        #expect(ends.map { $0.text("reason") } == [nil, "exit", "canceled"])
        #expect(ends.allSatisfy { $0.text("changed_at") ?? "" >= $0.text("created_at") ?? "z" })
    }

    @Test("E4: jobs wait in the order of their start times; a higher priority goes first whatever its start time")
    func order() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        for (name, start, priority) in [("c", "03", 0), ("a", "01", 0), ("urgent-late", "09", 5), ("b", "02", 0), ("urgent", "08", 5), ("idle", "00", -5)] {
            let seen = spool.logLength
            try spool.drop("\(name).toml", "command = 'echo $SPOOL_NAME >> \(spool.out)/order'\npriority = \(priority)\nstart = \"2020-01-\(start == "00" ? "01" : start)T00:00:00Z\"")
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
        let end = try status(spool, id)
        #expect(end.text("state") == "failed" && end.text("reason") == "canceled" && end.text("started_at") == nil)
        #expect(try spool.ctl("wait", id).code == 125)
        #expect(try spool.runsOn() && !Files.exists("\(spool.out)/ran"))
    }

    @Test("E6: a job that says nothing within its timeout fails with that reason; one that reports in time goes on")
    func timeouts() throws {
        let spool = try SpoolUnderTest(configuration: "default_timeout = \"300ms\"")
        let gate = try spool.gate()
        let silent = try spool.run("command = [\"sleep\", \"1000\"]", as: "silent")
        #expect(silent.outcome == "failed timeout" && silent.error.contains("longer than its timeout"), "\(silent.error)")
        // It asks for more in the file, as a start that is late by more than its timeout would be no test of that.
        try spool.drop("reports.toml", "command = '\(SpoolUnderTest.programs)/spoolctl extend 1h; echo > \(spool.out)/told; read x < \(gate.path)'\ntimeout = \"60s\"")
        try spool.output("told")
        #expect(try spool.ctl("status", try spool.running("reports").id).output.contains("extended by\t1h00m"))
        try gate.release()
        #expect(try spool.end(of: "reports").outcome == "done 0")
    }

    // MARK: A

    static let words: [(word: String, due: String)] = [
        ("yearly", "2027-01-01T00:00:00.000Z"), ("annually", "2027-01-01T00:00:00.000Z"), ("monthly", "2026-02-01T00:00:00.000Z"), ("weekly", "2026-01-04T00:00:00.000Z"),
        ("daily", "2026-01-02T00:00:00.000Z"), ("midnight", "2026-01-02T00:00:00.000Z"), ("hourly", "2026-01-01T01:00:00.000Z"),
    ]

    @Test("A2: @yearly and its like, also without the @ on the command line", arguments: words)
    func word(_ row: (word: String, due: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        for text in ["@\(row.word)", row.word] {
            #expect(try spool.ctl("next", "--cron", text, "--from", "2026-01-01T00:00:01Z", "-n", "1", "-q").lines == [row.due])
            #expect(try spool.ctl("create", "t", "--cron", text, "--", "true").code == 0)
            #expect(try spool.ctl("next", "t", "--from", "2026-01-01T00:00:01Z", "-n", "1", "--json").objects.map { $0.text("due") } == [row.due])
            #expect(try spool.ctl("delete", "-f", "t").code == 0)
        }
        try spool.task("file", "command = [\"true\"]\n[[schedule]]\ncron = \"@\(row.word)\"")
        #expect(try spool.ctl("check").code == 0)
    }

    static let durations: [(duration: String, due: String)] = [
        ("10m", "2026-01-01T00:10:00.000Z"), ("1h30m", "2026-01-01T01:30:00.000Z"), ("250ms", "2026-01-01T00:00:00.250Z"), ("1h15m30.5s", "2026-01-01T01:15:30.500Z"),
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
        for (key, value) in [("name", "t"), ("task", "t"), ("schedule", "soon"), ("queue", "mail"), ("description", "mails what is new")] { #expect(run.string(key) == value) }
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
        #expect(asked.code == 2 && asked.errors == "spoolctl: delete asks on a terminal; off one it needs -f\n", "\(asked.errors)")
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
        #expect(table.first?.contains("NAME") == true && table.first?.contains("NEXT") == true && table.count == 3, "\(terminal.text)")
        #expect(try spool.ctl("list").rows.map { [$0[0], $0[2], $0[4]] } == [["a", "1", "is a"], ["b", "1", "is b"]])
        #expect(try spool.ctl("list", "--names").lines == ["a", "b"])
        #expect(try spool.ctl("list", "--names", "--json").output == "[\"a\",\"b\"]\n")
        #expect(try spool.ctl("list", "--json").objects.map { $0.text("name") } == ["a", "b"])
        #expect(try spool.ctl("show", "b").rows.contains(["description", "is b"]))
    }

    @Test("A12: the log has a line as each task comes, changes, fires, ends and goes")
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

    // MARK: P

    static let rates: [(rate: String, due: String)] = [
        ("1 minute", "2026-01-31T00:01:00.000Z"), ("5 minutes", "2026-01-31T00:05:00.000Z"), ("1 hour", "2026-01-31T01:00:00.000Z"), ("2 hours", "2026-01-31T02:00:00.000Z"),
        ("1 day", "2026-02-01T00:00:00.000Z"), ("30 days", "2026-03-02T00:00:00.000Z"),
    ]

    @Test("P1: every takes a rate in words, with a body", arguments: rates)
    func everyRate(_ row: (rate: String, due: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("next", "--every", row.rate, "--from", "2026-01-31", "-n", "1", "-q").lines == [row.due])
        #expect(try spool.ctl("create", "t", "--every", row.rate, "--payload", "{\"body\": [1]}", "--", "cat").code == 0)
        try spool.start()
        try spool.logLine("event=defined", "file=tasks/t")
        let run = try spool.ctl("run", "-w", "t")
        #expect(run.output == "{\"body\":[1]}")
        let spoken = try spool.ctl("explain", row.rate)
        #expect(spoken.lines.contains("syntax\tan interval"))
    }

    /// Minutes, hours, day of month, month, day of week, year; Sunday is 1. From 2026-01-01T00:00:00Z.
    static let six: [(cron: String, due: [String])] = [
        ("0 10 * * ? *", ["2026-01-01T10:00", "2026-01-02T10:00"]), ("15 12 * * ? *", ["2026-01-01T12:15", "2026-01-02T12:15"]),
        ("0 18 ? * MON-FRI *", ["2026-01-01T18:00", "2026-01-02T18:00", "2026-01-05T18:00"]), ("0 8 1 * ? *", ["2026-01-01T08:00", "2026-02-01T08:00"]),
        ("0/15 * * * ? *", ["2026-01-01T00:15", "2026-01-01T00:30"]), ("0/10 * ? * MON-FRI *", ["2026-01-01T00:10", "2026-01-01T00:20"]),
        ("0 0 L * ? *", ["2026-01-31T00:00", "2026-02-28T00:00"]), ("0 0 3W * ? *", ["2026-01-02T00:00", "2026-02-03T00:00"]), ("0 0 ? * 6#3 *", ["2026-01-16T00:00", "2026-02-20T00:00"]),
        ("0 0 ? * 6L *", ["2026-01-30T00:00", "2026-02-27T00:00"]), ("0 0 1 JAN,jul ? *", ["2026-07-01T00:00", "2027-01-01T00:00"]), ("0 0 1 1 ? 2199", ["2199-01-01T00:00"]),
        ("0 0 1 1 ? 2028-2030/2", ["2028-01-01T00:00", "2030-01-01T00:00"]), ("0 0 ? 1 SUN 1970-2199", ["2026-01-04T00:00", "2026-01-11T00:00"]), ("0 0 29 2 ? 2026-2027", []),
    ]

    @Test("P2: cron of six fields, minutes to year, with , - * / ? L W # and names", arguments: six)
    func sixFields(_ row: (cron: String, due: [String])) throws {
        let spool = try SpoolUnderTest(starting: false)
        let next = try spool.ctl("next", "--cron", row.cron, "--from", "2026-01-01T00:00:00Z", "-n", "\(max(1, row.due.count))", "-q")
        #expect(next.code == 0 && next.lines == row.due.map { "\($0):00.000Z" }, "\(next.output)\(next.errors)")
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\ncron = \"\(row.cron)\"")
        #expect(try spool.ctl("check").code == 0)
    }

    @Test("P2: what such a cron cannot mean is refused with its field", arguments: [
        "0 0 1 1 ? 1969", "0 0 1 1 ? 2200", "60 0 1 1 ? *", "0 24 1 1 ? *", "0 0 32 1 ? *", "0 0 1 13 ? *", "0 0 ? 1 8 *", "0 0 ? 1 6#6 *",
    ])
    func sixFieldsRefused(_ cron: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl("create", "t", "--cron", cron, "--", "true")
        #expect(result.code == 4 && result.errors.hasPrefix("spoolctl: --cron: cron \"\(cron)\": "), "\(result.errors)")
    }

    /// By how much later than its submission a job is to start, in seconds.
    static let laters: [(when: String, seconds: Int)] = [
        ("1 second", 1), ("90 seconds", 90), ("1 minute", 60), ("2 minutes", 120), ("1 hour", 3600), ("3 hours", 10800), ("1 day", 86400), ("2 days", 172_800),
        ("1 week", 604_800), ("2 weeks", 1_209_600), ("90000ms", 90), ("5000", 5000),
    ]

    @Test("P3: a job runs now, or later by a duration in words or a number", arguments: laters)
    func later(_ row: (when: String, seconds: Int)) throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("t", "command = [\"true\"]")
        for command in [["submit", "--in", row.when, "--", "true"], ["run", "--in", row.when, "t"]] {
            let before = Clock.now()
            let submitted = try spool.ctl(list: command)
            let after = Clock.now()
            #expect(submitted.code == 0, "\(submitted.errors)")
            let start = try spool.second(try #require(try status(spool, submitted.id).text("scheduled_at")))
            #expect((Int(before / 1000) + row.seconds...Int(after / 1000) + row.seconds).contains(start), "\(command)")
        }
    }

    static let instants: [(at: String, scheduled: String)] = [
        ("2099-06-01T12:00:00.250Z", "2099-06-01T12:00:00.250Z"), ("2099-06-01T12:00:00+02:00", "2099-06-01T10:00:00.000Z"), ("4083955200000", "2099-06-01T00:00:00.000Z"),
        ("@4083955200", "2099-06-01T00:00:00.000Z"),
    ]

    @Test("P3: a job runs at an instant: ISO, epoch milliseconds or seconds, by option and by file", arguments: instants)
    func instant(_ row: (at: String, scheduled: String)) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]")
        let ids = [try spool.ctl("submit", "--at", row.at, "--", "true").id, try spool.ctl("run", "--at", row.at, "t").id]
        try spool.drop("file.toml", "command = [\"true\"]\nstart = \(row.at.allSatisfy(\.isNumber) ? row.at : "\"\(row.at)\"")")
        try spool.logLine("event=accepted", "file=file.toml")
        for id in ids { #expect(try status(spool, id).text("scheduled_at") == row.scheduled) }
        #expect(try spool.ctl("jobs", "--name", "file", "--columns", "scheduled_at").rows == [[row.scheduled]])
    }

    @Test("P3: months and years are counted by the calendar, and what is over runs now")
    func calendarSpans() throws {
        let spool = try SpoolUnderTest()
        for (text, days) in [("1 month", 28...31), ("2 months", 59...62), ("1 year", 365...366), ("3 years", 1095...1097)] {
            let id = try spool.ctl("submit", "--in", text, "--", "true").id
            let job = try status(spool, id)
            let start = try spool.second(try #require(job.text("scheduled_at")))
            #expect(days.contains((start - Int(Clock.now() / 1000) + 43_200) / 86_400), "\(text)")
        }
        #expect(try spool.ctl("submit", "-w", "--at", "2020-01-01", "--", "true").code == 0)
    }

    @Test("P4: a body is any JSON up to 256 KiB, and not a byte more")
    func payload() throws {
        let spool = try SpoolUnderTest()
        for body in ["null", "true", "-1.5", "\"text\"", "[1,[2,{\"a\":null}]]", "{\"ä\":{}}"] {
            let job = try spool.ctl("submit", "-w", "--payload", body, "--", "cat")
            #expect(job.code == 0 && job.output == body, "\(body): \(job.output)\(job.errors)")
        }
        // With its quotation marks exactly as many bytes as are allowed.
        let most = String(repeating: "x", count: (256 << 10) - 2)
        let whole = try spool.run("command = [\"wc\", \"-c\"]\npayload = \"\(most)\"", as: "whole")
        #expect(try whole.stdout == "262144\n", "\(whole.error)")
        let more = try spool.run("command = [\"wc\", \"-c\"]\npayload = \"\(most)x\"", as: "more")
        #expect(more.outcome == "failed rejected" && more.error.contains("262145") && more.error.contains("262144"), "\(more.error)")
    }

    @Test("P5: a job is told its id, name, body, due time and the delay between that and its start")
    func told() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        _ = try spool.running("first")
        try spool.task("t", "command = 'echo $SPOOL_JOB_ID $SPOOL_NAME $SPOOL_DUE $SPOOL_DELAY_MS; cat; cat $SPOOL_PAYLOAD'\npayload = [7]\n[[schedule]]\nat = \"in 1 s\"")
        try spool.logLine("event=accepted", "task=t")
        // The only slot is taken until two seconds after the due time at least.
        try awaitClock(Clock.now() + 2000)
        try gate.release()
        let run = try spool.end(of: "t")
        let words = try run.stdout.split { " \n".contains($0) }
        #expect(words.count == 5 && words[..<3] == [Substring(run.id), "t", Substring(run.due)] && words.last == "[7][7]", "\(words)")
        let (told, delay) = (try #require(Int(words[3])), try #require(run.integer("delay_ms")))
        #expect(2000 <= told && told <= delay, "\(told), \(delay)")
    }

    @Test("P8: a result is kept up to 64 KiB, and left out when it is a byte larger")
    func result() throws {
        let spool = try SpoolUnderTest()
        let script = "printf '\"%*s\"' $(($(cat) - 2)) '' > $SPOOL_RESULT"
        let whole = try status(spool, try spool.ctl("submit", "-w", "--payload", "65536", script).id)
        #expect(whole.text("result")?.utf8.count == 65534)
        let more = try status(spool, try spool.ctl("submit", "-w", "--payload", "65537", script).id)
        #expect(more["result"].map { JSON.write($0) } == "{\"file\":\"result\",\"bytes\":65537}")
    }

    @Test("P11: names are unique and have 64 characters at most")
    func names() throws {
        let spool = try SpoolUnderTest()
        let longest = String(repeating: "n", count: 64)
        #expect(try spool.ctl("create", longest, "--", "true").code == 0)
        #expect(try spool.ctl("create", longest, "--", "true").code == 1)
        #expect(try spool.ctl("run", "-w", longest).code == 0)
        #expect(try spool.ctl("create", longest + "n", "--", "true").code == 4)
        #expect(try spool.ctl("submit", "-n", longest + "n", "--", "true").code == 4)
        #expect(try spool.ctl("submit", "-w", "-n", longest, "--", "true").code == 0)
        try spool.task(longest + "n", "command = [\"true\"]")
        try spool.logLine("event=refused", "file=tasks/\(longest)n")
    }
}
