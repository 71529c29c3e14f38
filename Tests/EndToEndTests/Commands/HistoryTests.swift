import Documents
import Glibc
import Linux
import Testing

/// Ended jobs can be found and run again: E2, E7, E8, P10.
@Suite("History", .ownThreads)
struct HistoryTests {
    @Test("E2: status --json has every key of a job, with its timestamps in order")
    func keys() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", "--tag", "a", "--priority", "3", "--payload", "{\"x\": 1}", "true").id
        guard case .table(let status) = try spool.ctl("status", id, "--json").json.kind else { return #expect(Bool(false), "no object") }
        let keys = [
            "id", "name", "title", "description", "task", "schedule", "state", "reason", "error", "try", "tries", "priority", "queue",
            "tags", "payload", "due", "created_at", "scheduled_at", "started_at", "ended_at", "changed_at", "not_before", "deadline",
            "exit_code", "signal",
            "progress", "result",
            "usage", "delay_ms", "pid", "host", "retry_of", "parent", "waits_for", "earlier_tries", "moved", "paths", "keep_ms",
        ]
        #expect(status.entries.map(\.key) == keys)
        let times = ["due", "created_at", "started_at", "ended_at", "changed_at"].compactMap { status.text($0) }
        #expect(times.count == 5 && times == times.sorted())
    }

    /// Jobs of every kind, with their ids by the names that the rows below use.
    private static func history() throws -> (spool: SpoolUnderTest, gate: Gate, ids: [String: String]) {
        let spool = try SpoolUnderTest(configuration: "slots = 3")
        let gate = try spool.gate()
        try spool.acceptedTask("t", "command = \"exit $(cat)\"\n[[schedule]]\nid = \"s\"\nat = \"2199-01-01T00:00:00Z\"")
        var ids: [String: String] = [:]
        ids["ok"] = try spool.ctl(
            "submit", "-w", "--name", "report", "--tag", "x", "--tag", "y", "--description", "The Monthly Figures", "true").id
        ids["exit"] = try spool.ctl("run", "-w", "--payload", "3", "t").id
        ids["done"] = try spool.ctl("run", "-w", "--payload", "0", "t").id
        ids["slow"] = try spool.ctl("submit", "-w", "--name", "slow", "--tag", "x", "--timeout", "20ms", "sleep 60").id
        ids["late"] = try spool.ctl("submit", "--name", "report", "-Q", "night", "--in", "1h", "true").id
        ids["busy"] = try spool.ctl("submit", "--name", "busy", "-Q", "night", "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        return (spool, gate, ids)
    }

    static let choiceRows: [(options: [String], jobs: [String])] = [
        ([], ["ok", "exit", "done", "slow", "late", "busy"]), (["--state", "done"], ["ok", "done"]),
        (["--state", "failed,running"], ["exit", "slow", "busy"]),
        (["--state", "waiting"], ["late"]), (["--reason", "exit"], ["exit"]), (["--reason", "exit,timeout"], ["exit", "slow"]),
        (["--task", "t"], ["exit", "done"]), (["--task", "t", "--state", "failed"], ["exit"]), (["--schedule", "s"], []),
        (["--tag", "x"], ["ok", "slow"]),
        (["--tag", "x", "--tag", "y"], ["ok"]), (["--queue", "night"], ["late", "busy"]),
        (["--queue", "night", "--queue", "default", "--state", "done"], ["ok", "done"]),
        (["--name", "report"], ["ok", "late"]), (["-N", "slow", "-N", "busy"], ["slow", "busy"]), (["--text", "monthly"], ["ok"]),
        (["--text", "EXITED WITH 3"], ["exit"]), (["--text", "slo"], ["slow"]), (["--text", "monthly", "--text", "exited"], []),
        (["--text", "nowhere"], []),
        (["--since", "1h"], ["ok", "exit", "done", "slow", "late", "busy"]), (["--since", "2199-01-01"], []), (["--until", "1h"], []),
        (["--until", "2199-01-01", "--name", "slow"], ["slow"]),
        (["--since", "1d", "--until", "2199-01-01", "--tag", "x", "--reason", "timeout"], ["slow"]),
    ]

    @Test("E7: jobs are found by state, reason, task, schedule, tag, queue, name, text and time, in any combination")
    func choices() throws {
        let (spool, gate, ids) = try Self.history()
        for row in Self.choiceRows {
            let expected = Set(row.jobs.compactMap { ids[$0] })
            #expect(Set(try spool.ctl(list: ["jobs", "-q"] + row.options).lines) == expected, "\(row.options)")
            #expect(
                Set(try spool.ctl(list: ["jobs", "--json"] + row.options).objects.compactMap { $0.text("id") }) == expected,
                "\(row.options)")
            #expect(try spool.ctl(list: ["jobs", "--count"] + row.options).output == "\(expected.count)\n", "\(row.options)")
        }
        try gate.release()
    }

    @Test("E7: a schedule's runs are found by its id")
    func bySchedule() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask(
            "tick",
            """
            command = \"true\"\n[[schedule]]\nid = \"often\"\nevery = \"10ms\"\n[[schedule]]\nid = \"never\"\nat = \"2199-01-01T00:00:00Z\"
            """)
        try spool.ended("tick", count: 2)
        #expect(try spool.ctl("jobs", "-q", "--schedule", "often", "--state", "done").lines.count >= 2)
        #expect(try spool.ctl("jobs", "-q", "--schedule", "never").lines.isEmpty)
    }

    @Test("E7: columns, order, limit and count")
    func columns() throws {
        let (spool, gate, ids) = try Self.history()
        func name(_ id: String) -> String { ids.first { $0.value == id }?.key ?? id }
        #expect(
            try spool.ctl("jobs", "--columns", "name,outcome,exit_code", "--state", "failed").rows
                == [["t", "exit 3", "3"], ["slow", "timeout", "-"]])
        #expect(try spool.ctl("jobs", "--columns", "tags,description", "--text", "figures").rows == [["x,y", "The Monthly Figures"]])
        let longest = try spool.ctl("jobs", "--json", "--columns", "took", "--sort", "-took", "--state", "done,failed")
        let lengths = try longest.objects.compactMap { job -> Double? in
            if case .number(let seconds)? = job["took"]?.kind { return seconds.double }
            return nil
        }
        #expect(lengths.count == 4 && lengths == lengths.sorted(by: >), "\(lengths)")
        #expect(try spool.ctl("jobs", "-q", "--sort", "name").lines.map(name) == ["busy", "ok", "late", "slow", "exit", "done"])
        #expect(try spool.ctl("jobs", "-q", "--sort", "-name").lines.map(name) == ["exit", "done", "slow", "ok", "late", "busy"])
        // Jobs without a value are last, in either order.
        #expect(
            try spool.ctl("jobs", "--columns", "exit_code", "--sort", "exit_code", "--task", "t", "--task", "none").rows == [["0"], ["3"]])
        #expect(try spool.ctl("jobs", "-q", "--sort", "-exit_code", "--state", "new,failed", "--limit", "1").lines.map(name) == ["exit"])
        #expect(try spool.ctl("jobs", "-q", "--sort", "exit_code", "--state", "new,done", "--limit", "9").lines.map(name).last == "late")
        #expect(try spool.ctl("jobs", "-q", "--limit", "2").lines.map(name) == ["late", "busy"], "without an order the newest")
        let objects = try spool.ctl("jobs", "--json", "--columns", "id,took,outcome,payload", "--reason", "exit").objects
        #expect(objects.count == 1 && objects[0].entries.map(\.key) == ["id", "took", "outcome", "payload"])
        #expect(objects[0]["payload"].map { JSON.write($0) } == "3")
        #expect(try spool.ctl("jobs", "--json", "--count", "--tag", "x").output == "{\"count\":2}\n")
        let terminal = try Terminal()
        #expect(try spool.startCtl(["jobs", "--columns", "name,started_at,exit_code"], output: terminal.raw).end().code == 0)
        #expect(terminal.text.split { "\r\n".contains($0) }.first?.contains("EXIT CODE") == true)
        #expect(terminal.text.contains("STARTED") && terminal.text.contains("busy"))
        try gate.release()
    }

    static let mistakes: [(options: [String], says: String)] = [
        (["--state", "fialed"], "did you mean \"failed\"?"), (["--reason", "timeot"], "did you mean \"timeout\"?"),
        (["--columns", "id,stat"], "did you mean \"state\"?"),
        (["--sort", "-tooks"], "did you mean \"took\"?"), (["--columns", ""], "--columns needs names"),
        (["--limit", "few"], "--limit needs a whole number"),
        (["--colums", "id"], "did you mean --columns?"), (["--since", "yesteryear"], "--since"), (["here"], "takes no operands"),
    ]

    @Test("E7: a wrong name is an error that names the nearest right one", arguments: mistakes)
    func mistake(_ row: (options: [String], says: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: ["jobs"] + row.options)
        #expect(result.code == 2 || result.code == 4)
        #expect(result.errors.contains(row.says) && result.output.isEmpty, "\(result.errors)")
    }

    @Test("E8: retry runs a failed job with the same parameters, as a new one that names the old, which stays")
    func retry() throws {
        let spool = try SpoolUnderTest()
        let old = try spool.ctl(
            "submit", "-w", "--tag", "x", "--priority", "4", "--payload", "{\"n\": 7}", "-E", "WHO=me", "cat; echo $WHO; exit 3").id
        let retried = try spool.ctl("retry", "-w", old)
        #expect(retried.code == 3 && retried.id != old)
        #expect(try spool.ctl("logs", retried.id).output == "{\"n\":7}me\n")
        let rows = try spool.ctl("jobs", "--columns", "id,retry_of,tags,priority,payload,outcome").rows
        #expect(rows == [[old, "-", "x", "4", "{\"n\":7}", "exit 3"], [retried.id, old, "x", "4", "{\"n\":7}", "exit 3"]])
        #expect(try spool.ctl("status", retried.id).output.contains("retry of\t\(old)"))
        let again = try spool.ctl("retry", "-w", retried.id)
        #expect(try spool.ctl("jobs", "--columns", "retry_of", "--name", "cat").rows.last == [retried.id], "\(again)")
    }

    @Test("E8: xargs can take the output of jobs -q")
    func xargs() throws {
        let spool = try SpoolUnderTest()
        for code in 1...3 { _ = try spool.ctl("submit", "-w", "exit \(code)") }
        let ctl = "\(SpoolUnderTest.programs)/spoolctl"
        let line = "\(ctl) jobs -q --state failed | xargs \(ctl) retry -q | xargs \(ctl) wait"
        #expect(try Commands.run("sh", ["-c", line], environment: spool.environment).code == 123, "xargs' code for 1 to 125")
        #expect(try spool.ctl("jobs", "--count", "--state", "failed").output == "6\n")
    }

    @Test("P10: records stay 14 days by default")
    func keep() throws {
        let spool = try SpoolUnderTest(starting: false)
        func record(_ name: String, daysAgo: Int, keep: String = "null") throws -> String {
            let ended = Clock.now() - Int64(daysAgo) * 86_400_000
            var time = time_t(ended / 1000)
            var parts = tm()
            gmtime_r(&time, &parts)
            func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
            let (date, clock) = (
                ["\(parts.tm_year + 1900)", two(parts.tm_mon + 1), two(parts.tm_mday)],
                [two(parts.tm_hour), two(parts.tm_min), two(parts.tm_sec)])
            let id = "\(date.joined())T\(clock.joined()).000Z-\(name)-abcd"
            try Files.makeDirectory("\(spool.path)/done/\(id)")
            try Files.write("\(spool.path)/done/\(id)/job.toml", "command = [\"true\"]")
            let instant = "\(date.joined(separator: "-"))T\(clock.joined(separator: ":")).000Z"
            try Files.write(
                "\(spool.path)/done/\(id)/status.json",
                "{\"id\":\"\(id)\",\"state\":\"done\",\"due\":\"\(instant)\",\"created_at\":\"\(instant)\","
                    + "\"ended_at\":\"\(instant)\",\"keep_ms\":\(keep)}")
            return id
        }
        let gone = [try record("a", daysAgo: 15), try record("b", daysAgo: 3, keep: "172800000")]
        let stays = [try record("c", daysAgo: 13), try record("d", daysAgo: 300, keep: "31536000000")]
        try spool.start()
        for id in gone { try spool.logLine("event=forgotten", id) }
        #expect(try spool.runsOn())
        #expect(try spool.ctl("jobs", "-q", "--name", "c", "--name", "d").lines.sorted() == stays.sorted())
        #expect(gone.allSatisfy { !Files.exists("\(spool.path)/done/\($0)") })
    }
}
