import Documents
import Glibc
import Linux
import Testing

/// Reports that a job makes about itself, and how they are shown: P6 to P9.
@Suite("From inside a job", .ownThreads)
struct InsideTests {
    static let ctl = "\(SpoolUnderTest.programs)/spoolctl"

    // MARK: Timeout

    /// Submits a job with a short timeout while its worker is stopped, so the job is assigned but has not begun. The job runs for
    /// `seconds`, longer than its timeout, waits at the gate, then exits with 7. The spool has one slot, and so one worker.
    private static func heldJob(_ spool: SpoolUnderTest, _ gate: Gate, seconds: String) throws -> (id: String, worker: pid_t) {
        while true {
            _ = try spool.ctl("submit", "-w", "--", "true")
            // An idle worker is ended after some seconds. If that was too soon, the job got another one, and the next job is held.
            guard let worker = Processes.workers(ofSpool: spool.path).first else { continue }
            kill(worker, SIGSTOP)
            let job = "sleep \(seconds); echo > \(spool.out)/alive; read x < \(gate.path); exit 7"
            let id = try spool.ctl("submit", "--timeout", "10ms", "--kill-after", "10ms", job).id
            try spool.wait(for: "the job to be taken up") { try spool.job(id, in: "running") ?? spool.job(id, in: "failed") != nil }
            // The daemon assigns the job to the worker in the turn that moved the job, and answers this command in a later turn.
            #expect(try spool.ctl("pause", "--queue", "another").code == 0)
            if Processes.workers(ofSpool: spool.path) == [worker] { return (id, worker) }
            kill(worker, SIGCONT)
            _ = try spool.ctl("wait", id)
            if Files.exists("\(spool.out)/alive") { try Files.remove("\(spool.out)/alive") }
        }
    }

    @Test("P6: the timeout of a job that runs can be moved, with the daemon up or down", arguments: [true, false])
    func extend(isUp: Bool) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        let (id, worker) = try Self.heldJob(spool, gate, seconds: "0.1")
        if !isUp { try spool.crash() }
        let answer = try spool.ctl("extend", "1h", id)
        #expect(answer.code == 0, "\(answer.errors)")
        #expect(answer.output.contains(isUp ? "may run until " : "spoold is not running"), "\(answer.output)")
        kill(worker, SIGCONT)
        try spool.output("alive")
        #expect(try spool.ctl("status", id).output.contains("extended by\t1h00m"))
        try gate.release()
        if !isUp { try spool.start() }
        #expect(try spool.ctl("wait", id).code == 7)
    }

    @Test("P6: without an extension, the same job ends at its timeout")
    func notExtended() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let (id, worker) = try Self.heldJob(spool, try spool.gate(), seconds: "1000")
        kill(worker, SIGCONT)
        #expect(try spool.ctl("wait", id).code == 124)
        #expect(!Files.exists("\(spool.out)/alive"))
    }

    @Test("P6: a job extends its own timeout; a line in its file and a request can do so too")
    func extendsItself() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl(
            "submit", "--timeout", "1h", "\(Self.ctl) extend '30 min' && echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        let job = try #require(try spool.job(id, in: "running"))
        #expect(try job.text("extend") == "1800\n")
        try Files.write("\(job.directory)/extend", "1800\n600\n")
        try spool.define("control/x.request", "{\"do\": \"extend\", \"id\": \"\(id)\", \"by\": \"20m\"}")
        let answer = try spool.wait(for: "the answer") {
            try Files.exists("\(spool.path)/control/x.answer") ? Files.text("\(spool.path)/control/x.answer") : nil
        }
        let started = try spool.second(try #require(job.string("started_at")))
        let until = try #require(answer.firstRange(of: "may run until ")).upperBound
        #expect(try spool.second(String(answer[until...])) - started == 7200, "\(answer)")
        #expect(try spool.ctl("status", id).output.contains("extended by\t1h00m"))
        try gate.release()
    }

    @Test("P6: extend of a job that cannot be extended reports why")
    func notExtendable() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let endless = try spool.ctl("submit", "echo > \(spool.out)/began; read x < \(gate.path)").id
        let later = try spool.ctl("submit", "--in", "1h", "true").id
        let ended = try spool.ctl("submit", "-w", "true").id
        try spool.output("began")
        let refusals: [(arguments: [String], code: Int32, says: String)] = [
            (["1m", later], 1, "is not running"), ([ended, "1m"], 1, "has already ended"),
            (["1m", "nosuch"], 3, "there is no job"), (["soon", endless], 4, "\"soon\": "), ([endless, "1q"], 4, "\"1q\": "),
            (["1m"], 2, "needs an ID"), ([], 2, "needs a DURATION"),
            (["0s", endless], 4, "must be more than 0"), (["--to", "0s", endless], 4, "must be more than 0"),
            (["--to", "1ms", endless], 1, "already; spoolctl cancel ends it"),
        ]
        for refusal in refusals {
            let result = try spool.ctl(list: ["extend"] + refusal.arguments)
            #expect(
                result.code == refusal.code && result.errors.contains(refusal.says),
                "\(refusal.arguments): \(result.code) \(result.errors)")
        }
        for (text, code) in [
            ("{\"do\": \"extend\", \"id\": \"\(endless)\"}", 4), ("{\"do\": \"extend\", \"id\": \"\(endless)\", \"by\": \"-1m\"}", 4),
        ]
        {
            try spool.define("control/x.request", text)
            let answer = try spool.wait(for: "the answer") {
                try Files.exists("\(spool.path)/control/x.answer") && !Files.exists("\(spool.path)/control/x.request")
                    ? Files.text("\(spool.path)/control/x.answer") : nil
            }
            #expect(answer.contains("\"code\":\(code),"), "\(answer)")
            try Files.remove("\(spool.path)/control/x.answer")
        }
        try gate.release()
    }

    // MARK: Progress

    private static func progress(_ spool: SpoolUnderTest, _ id: String) throws -> String? {
        guard case .table(let status) = try spool.ctl(
            "status", "--json", id).json.kind, case .table(let progress)? = status["progress"]?.kind
        else { return nil }
        return "\(progress["fraction"].map { JSON.write($0) } ?? "-") \(progress.text("message") ?? "-")"
    }

    @Test("P7: a job reports its progress, which is shown while it runs, with the daemon up or down, and kept in its record")
    func progress() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl(
            "submit",
            """
            \(Self.ctl) progress 25% a quarter; echo > \(spool.out)/one; read x < \(gate.path); \(Self.ctl) progress 0.5 'a \"half\"'; \
            echo > \(spool.out)/two; read x < \(gate.path); \(Self.ctl) progress 1
            """).id
        try spool.output("one")
        #expect(try Self.progress(spool, id) == "0.25 a quarter")
        #expect(try spool.ctl("status", id).output.contains("progress\t25% a quarter"))
        #expect(try spool.ctl("jobs", "--columns", "outcome,progress", "--name", "spoolctl").rows == [["25%", "25% a quarter"]])
        try spool.crash()
        try gate.release()
        try spool.output("two")
        #expect(try Self.progress(spool, id) == "0.5 a \"half\"")
        try gate.release()
        try spool.start()
        #expect(try spool.ctl("wait", id).code == 0)
        #expect(try Self.progress(spool, id) == "1.0 -")
        let kinds = try spool.journal().filter { $0.fields["id"] == id }.map(\.kind)
        #expect(kinds == ["accepted", "started", "ended"], "progress is no decision")
    }

    @Test("P7: wait --progress prints each step in a pipe, and draws a bar on a terminal")
    func waitProgress() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl(
            "submit",
            """
            \(Self.ctl) progress 0.25 'a\tquarter'; read x < \(gate.path); \(Self.ctl) progress 0.5 half; read x < \(gate.path); exit 3
            """).id
        let piped = try spool.startCtl(["wait", "--progress", id])
        let json = try spool.startCtl(["wait", "--progress", "--json", id])
        let terminal = try Terminal()
        let shown = try spool.startCtl(["wait", "--progress", id], output: terminal.raw)
        try piped.awaitOutput("\(id)\t0.25\ta\\tquarter\n")
        try json.awaitOutput("\"fraction\":0.25")
        try terminal.shows("[#######-----------------------]  25%  a\\tquarter")
        try gate.release()
        try piped.awaitOutput("\(id)\t0.5\thalf\n")
        try terminal.shows("[###############---------------]  50%  half")
        try gate.release()
        for waiter in [piped, json, shown] { #expect(try waiter.end().code == 3) }
        #expect(try piped.output.split(separator: "\n").count == 2)
        #expect(terminal.text.hasSuffix("\r\u{1B}[K"), "the bar is taken away")
    }

    @Test("P7: of several jobs wait --progress shows all together; without --any it waits for the last")
    func waitProgressOfSeveral() throws {
        let spool = try SpoolUnderTest()
        let gates = [try spool.gate("g0"), try spool.gate("g1")]
        let ids = try (0..<2).map { try spool.ctl("submit", "\(Self.ctl) progress 0.5 job\($0); read x < \(gates[$0].path)").id }
        let terminal = try Terminal()
        let shown = try spool.startCtl(["wait", "--all", "--progress"] + ids, output: terminal.raw)
        try terminal.shows(" 50%  0 of 2 ended  job")
        try gates[0].release()
        try terminal.shows(" 75%  1 of 2 ended  job")
        #expect(!shown.child.hasEnded)
        #expect(try spool.ctl(list: ["wait", "--any"] + ids).code == 0)
        try gates[1].release()
        #expect(try shown.end().code == 0)
        #expect(try spool.ctl("wait", "--any", "--all", ids[0]).code == 125)
    }

    static let badFractions: [(arguments: [String], code: Int32, says: String)] = [
        (["1.1"], 2, "not a fraction"), (["-0.1"], 2, "unknown option"), (["101%"], 2, "not a fraction"), (["nan"], 2, "not a fraction"),
        (["half"], 2, "not a fraction"),
        ([], 2, "needs a FRACTION"), (["0.5"], 2, "--job ID"), (["0.5", "--job", "nosuch"], 3, "there is no job"),
    ]

    @Test("P7: progress that makes no sense is refused", arguments: badFractions)
    func badProgress(_ row: (arguments: [String], code: Int32, says: String)) throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl(list: ["progress"] + row.arguments)
        #expect(result.code == row.code && result.errors.contains(row.says), "\(result.code) \(result.errors)")
    }

    @Test("P7: progress of a job that does not run is refused; a long message is cut between characters")
    func progressFromOutside() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl("submit", "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        #expect(try spool.ctl("progress", "--job", id, "0.75", String(repeating: "é", count: 2000)).code == 0)
        guard case .table(let status) = try spool.ctl(
            "status", "--json", id).json.kind, case .table(let progress)? = status["progress"]?.kind
        else { return #expect(Bool(false), "no progress") }
        #expect(progress.text("message") == String(repeating: "é", count: 498) + "…")
        try gate.release()
        #expect(try spool.ctl("wait", id).code == 0)
        let late = try spool.ctl("progress", "--job", id, "1")
        #expect(late.code == 1 && late.errors.contains("has ended"))
        #expect(try spool.ctl("result", "--job", id, "-").code == 1)
    }

    // MARK: Result

    static let resultCommands: [(command: String, result: String)] = [
        ("echo '{\"rows\": [1, 2.50]}' | \(ctl) result -", "{\"rows\":[1,2.50]}"), ("echo 42 > $SPOOL_RESULT", "42"),
        ("echo '[true]' > r; \(ctl) result r; rm r", "[true]"), ("echo plain | \(ctl) result -", "{\"file\":\"result\",\"bytes\":6}"),
        ("head -c 100000 /dev/zero | \(ctl) result -", "{\"file\":\"result\",\"bytes\":100000}"), ("true", "null"),
    ]

    @Test("P8: a job's result is in its status: JSON itself, else name and length of its file", arguments: resultCommands)
    func result(_ row: (command: String, result: String)) throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-C", spool.out, "-w", row.command).id
        guard case .table(let status) = try spool.ctl("status", "--json", id).json.kind, let result = status["result"] else {
            return #expect(Bool(false), "no status")
        }
        #expect(status.text("state") == "done")
        #expect(JSON.write(result) == row.result)
        if row.result != "null" {
            #expect(try spool.ctl("status", id).output.contains("result\t\(row.result)"))
            #expect(Files.exists("\(spool.path)/done/\(id)/result"))
        }
        try spool.restart()
        #expect(try spool.ctl("jobs", "--json", "--columns", "result").objects.map { $0["result"].map { JSON.write($0) } } == [row.result])
    }

    @Test("P8: a failed job has a result too, and each try its own")
    func resultOfTries() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = 'echo $SPOOL_TRY > $SPOOL_RESULT; exit 1'\ntries = 2\nbackoff = '1ms'")
        #expect(job.outcome == "failed exit 1" && job.integer("result") == 2)
        #expect(try job.text("result.1") == "1\n")
    }

    @Test("P8: a result is stored whole or not at all")
    func wholeResult() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = '\(Self.ctl) result /no/such/file; echo $?; cd; ls -a $SPOOL_JOB_DIR'")
        #expect(try job.stdout.hasPrefix("1\n"))
        #expect(job.isNull("result"))
        #expect(try job.files.allSatisfy { !$0.contains("result") })
    }

    // MARK: The state of any execution

    @Test("P9: status shows an execution by its id while it waits and runs, and when it has succeeded or failed")
    func states() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.acceptedTask(
            "t",
            """
            description = \"what it is for\"\ncommand = '\(Self.ctl) progress 0.5 half; echo 7 > $SPOOL_RESULT; echo > \(spool.out)/began; \
            read x < \(gate.path); exit $x'\npayload = {a = 1}\ntags = [\"x\"]\npriority = 5
            """)
        func status(_ id: String) throws -> Table {
            guard case .table(let table) = try spool.ctl("status", "--json", id).json.kind else { throw spool.failure("no object") }
            return table
        }
        func has(_ table: Table, _ keys: [String], _ nulls: [String]) {
            for key in keys { #expect(table[key].map { !$0.isNull } == true, "\(key)") }
            for key in nulls { #expect(table[key].map { $0.isNull } == true, "\(key)") }
        }
        let always = [
            "id", "name", "description", "task", "state", "try", "tries", "priority", "queue", "tags", "payload", "due", "created_at",
            "changed_at",
        ]
        let waiting = try status(try spool.ctl("run", "--in", "1h", "t").id)
        has(
            waiting, ["id", "task", "state", "payload", "tags"],
            ["reason", "error", "started_at", "ended_at", "exit_code", "progress", "result"])
        let id = try spool.ctl("run", "t").id
        try spool.output("began")
        let running = try status(id)
        #expect(running.text("state") == "running" && running.text("description") == "what it is for")
        has(
            running, always + ["scheduled_at", "started_at", "progress", "delay_ms"],
            ["reason", "error", "ended_at", "exit_code", "result"])
        try gate.release(1, "0")
        #expect(try spool.ctl("wait", id).code == 0)
        let done = try status(id)
        #expect(done.text("state") == "done")
        has(done, always + ["started_at", "ended_at", "exit_code", "progress", "result", "usage"], ["reason", "error", "signal"])
        let other = try spool.ctl("run", "t").id
        try gate.release(1, "4")
        #expect(try spool.ctl("wait", other).code == 4)
        let failed = try status(other)
        #expect(failed.text("state") == "failed" && failed.text("reason") == "exit" && failed.text("error") == "exited with 4")
        has(failed, always + ["started_at", "ended_at", "exit_code", "progress", "result", "usage", "error"], ["signal"])
    }
}

extension Value {
    fileprivate var isNull: Bool { if case .null = kind { true } else { false } }
}
