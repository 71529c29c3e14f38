// The reasons that `spoolctl why` gives: why something waits, failed, or did not run.

import Documents
import Glibc
import Linux
import Testing

@Suite("Why", .ownThreads)
struct WhyTests {
    static let eachSecond = "[[schedule]]\nid = \"s\"\ncron = \"* * * * * *\"\n"

    private func why(_ spool: SpoolUnderTest, _ words: String...) throws -> String {
        let result = try spool.ctl(list: ["why"] + words)
        #expect(result.code == 0, "\(result.errors)")
        return result.output
    }

    private func json(_ spool: SpoolUnderTest, _ words: String...) throws -> Table {
        guard case .table(let table) = try spool.ctl(list: ["why", "--json"] + words).json.kind else { throw spool.failure("no object") }
        return table
    }

    private func objects(_ table: Table, _ key: String) -> [Table] {
        guard case .array(let elements)? = table[key]?.kind else { return [] }
        return elements.compactMap { if case .table(let object) = $0.kind { object } else { nil } }
    }

    @Test("N7: why names the title, and says of a running job that it takes longer than usual")
    func slow() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let wait = "[ -e \(spool.out)/quick ] || read x < \(gate.path)"
        try spool.acceptedTask("t", "title = 'Nightly dump'\nslow = '1s'\ncommand = '\(wait)'")
        try Files.write("\(spool.out)/quick", "")
        for _ in 0..<3 { #expect(try spool.ctl("run", "t", "-w").code == 0) }
        try Files.remove("\(spool.out)/quick")
        let id = try spool.ctl("run", "t").id
        // The runs before may have taken longer than `slow`, too.
        let text = try spool.wait(for: "it to take longer than usual") { () throws -> String? in
            let text = try why(spool, id)
            return text.contains("; its last 3 runs usually took ") ? text : nil
        }
        #expect(text.hasPrefix("t: Nightly dump\nIt runs since ") && text.contains(" It has run for "), "\(text)")
        #expect(text.contains(", longer than usual: it is slow after 1.0s; its last 3 runs usually took "), "\(text)")
        #expect(try why(spool, "t").hasPrefix("t: Nightly dump\n") && json(spool, id).text("title") == "Nightly dump")
        try gate.release()
    }

    // MARK: Jobs that wait

    @Test("N7: why ID of a waiting job gives the reason, and names the jobs that hold it")
    func waiting() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 2\n[queues.q]\nslots = 1\n")
        let gate = try spool.gate()
        let first = try spool.ctl("submit", "-Q", "q", "read x < \(gate.path)").id
        try spool.wait(for: "the first to run") { try spool.job(first, in: "running") != nil }
        let second = try spool.ctl("submit", "-Q", "q", "--deadline", "1h", "true").id
        #expect(
            try why(spool, second).hasPrefix("It waits: queue q is full: its only slot is taken by \(first). If it has not started by "))
        try spool.acceptedTask("t", "command = 'read x < \(gate.path)'")
        let run = try spool.ctl("run", "t").id
        try spool.wait(for: "the run") { try spool.job(run, in: "running") != nil }
        let third = try spool.ctl("submit", "true").id
        #expect(
            try why(spool, third) == "It waits: all 2 slots are taken, by \(first), \(run).\n"
                || why(spool, third) == "It waits: all 2 slots are taken, by \(run), \(first).\n")
        let again = try spool.ctl("run", "t").id
        #expect(try why(spool, again).contains("a run of its task has not ended yet: \(run); all 2 slots are taken"))
        let later = try spool.ctl("submit", "--at", "2099-01-02T03:04:05Z", "true").id
        #expect(try why(spool, later).contains("it starts at 2099-01-02T03:04:05Z"))
        let holds = objects(try json(spool, again), "holds")
        #expect(holds.map { $0.text("kind") } == ["overlap", "slots"])
        try gate.release(2)
        try spool.wait(for: "the rest to run") { try spool.job(again, in: "running") != nil }
        try gate.release()
    }

    @Test("N7: why ID reports a pause with its note, the wait between tries, and a daemon that does not run")
    func held() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("pause", "--queue", "q", "--note", "the disk is being replaced").code == 0)
        try spool.logLine("event=paused")
        let paused = try spool.ctl("submit", "-Q", "q", "true").id
        #expect(try why(spool, paused) == "It waits: queue q (the disk is being replaced) is paused.\n")
        let tries = try spool.ctl("submit", "--tries", "3", "--backoff", "1h", "exit 7").id
        try spool.wait(for: "the first try to fail") { try spool.job(tries, in: "new")?.attempt == 1 }
        #expect(try why(spool, tries).hasPrefix("It waits: try 2 of 3 starts at "))
        #expect(try why(spool, tries).hasSuffix(", after the last one exited with 7.\n"))
        try spool.stop()
        let text = try why(spool, paused)
        #expect(text.hasPrefix("It waits: spoold is not running; it was last seen at ") && text.contains("queue q (the disk"), "\(text)")
        let fresh = try SpoolUnderTest(starting: false)
        let job = try fresh.ctl("submit", "true").id
        #expect(try why(fresh, job) == "It waits: no spoold has ever run on this spool.\n")
        try fresh.drop("bad.toml", "comand = 'true'")
        #expect(try why(fresh, "bad.toml").contains("its file cannot be accepted: bad.toml:1:1: unknown key \"comand\""))
    }

    // MARK: Running and ended jobs

    @Test("N7: why ID of a running job prints its start, its process and its time limit")
    func running() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl("submit", "--timeout", "1h", "echo $$ > \(spool.out)/pid; read x < \(gate.path)").id
        let pid = try spool.lines("pid", count: 1)[0]
        let text = try spool.wait(for: "its process") { () throws -> String? in
            let text = try why(spool, id)
            return text.contains(", as process ") ? text : nil
        }
        #expect(text.hasPrefix("It runs since ") && text.contains(", as process \(pid) under worker "), "\(text)")
        #expect(text.contains("its timeout of 1h00m ends at "))
        try spool.crash()
        #expect(try why(spool, id).contains("The worker records how it ends, though spoold has not been running since "))
        try gate.release()
        try spool.start()
        #expect(try spool.ctl("wait", id).code == 0)
        #expect(try why(spool, id).hasPrefix("It succeeded after "))
    }

    static let ends: [(keys: String, says: String)] = [
        ("command = 'exit 3'", "It failed: its command exited with 3 after "),
        ("command = 'kill -9 $$'", "It failed: its command was ended by SIGKILL after "),
        (
            "command = 'exec sleep 600'\ntimeout = '300ms'\nkill_after = '1h'",
            "It failed: it ran longer than its timeout of 300ms, and was ended by SIGTERM, at "),
        ("command = ['/no/such/program']", "It failed: its command could not be started: "),
        ("comand = 'true'", "Its file could not be used: x.toml:1:1: unknown key \"comand\"; did you mean \"command\"?, at "),
        ("command = 'exit 1'\ntries = 2\nbackoff = 0", "; it was try 2 of 2.\n"),
        ("command = 'true'\nstart = 'in 1h'\ndeadline = 'in 1ms'", "It failed: it had not started by its deadline, "),
    ]

    @Test("N7: why ID of an ended job prints its result in a sentence", arguments: ends)
    func ended(_ row: (keys: String, says: String)) throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run(row.keys, as: "x")
        #expect(try why(spool, job.id).contains(row.says))
        #expect(try json(spool, job.id).text("reason") == job.reason)
    }

    @Test("N7: why ID knows who killed, canceled or replaced a job, and of one that was withdrawn or forgotten")
    func othersDid() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let killed = try spool.ctl("submit", "read x < \(gate.path)").id
        try spool.wait(for: "it to run") { try spool.job(killed, in: "running") != nil }
        #expect(try spool.ctl("kill", killed).code == 0)
        _ = try spool.ctl("wait", killed)
        #expect(try why(spool, killed).contains("ended by SIGKILL") && why(spool, killed).contains(", as spoolctl kill asked"))
        let canceled = try spool.ctl("submit", "--in", "1h", "true").id
        #expect(try spool.ctl("cancel", canceled).code == 0)
        #expect(try why(spool, canceled).hasPrefix("It was canceled before it ran, at "))
        try spool.acceptedTask("t", "command = 'read x < \(gate.path)'\noverlap = 'replace'")
        let old = try spool.ctl("run", "t").id
        try spool.wait(for: "the old run") { try spool.job(old, in: "running") != nil }
        let new = try spool.ctl("run", "t").id
        _ = try spool.ctl("wait", old)
        #expect(try why(spool, old).hasPrefix("A newer run of its task took its place: \(new), at "))
        #expect(try json(spool, old).text("replaced_by") == new)
        try gate.release()
        _ = try spool.ctl("wait", new)
        let withdrawn = try spool.ctl("submit", "--in", "1h", "true").id
        try spool.logLine("event=accepted", withdrawn)
        try Files.remove("\(spool.path)/new/\(withdrawn).toml")
        try spool.logLine("event=withdrawn", withdrawn)
        #expect(try why(spool, withdrawn).hasPrefix("It was withdrawn at "))
        try Files.removeTree("\(spool.path)/done/\(new)")
        #expect(try why(spool, new).contains("succeeded after "))
        #expect(try spool.ctl("why", "20260101T000000.000Z-none-000000").code == 3)
        #expect(try spool.ctl("why", "none").code == 3)
    }

    // MARK: Tasks

    @Test("N7: why NAME prints the result of each due time: ran, paused, missed after a kill of the daemon, waiting for it")
    func task() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]\n" + Self.eachSecond)
        // The last due times are shown, which are others each second.
        try spool.wait(for: "a run that is shown") {
            let text = try why(spool, "t")
            return try spool.ended("t").contains { text.contains("ran\ts\tran as job \($0.id); it succeeded after ") }
        }
        #expect(try spool.ctl("pause", "--task", "t", "--note", "tidying up").code == 0)
        try spool.wait(for: "a skipped due time") { try spool.journal().contains { $0.fields["why"] == "paused" } }
        #expect(try why(spool, "t").contains("Task t (tidying up) is paused: its due times are skipped until the pause ends."))
        try spool.wait(for: "one that is shown") {
            try why(spool, "t").contains("skipped\ts\twas skipped: task t (tidying up) was paused since ")
        }
        #expect(try spool.ctl("resume", "--task", "t").code == 0)
        try spool.logLine("event=resumed")
        try spool.crash()
        let killedAt = Clock.now()
        // Two due times pass, so that one is merged into the other.
        try awaitClock((killedAt / 1000 + 4) * 1000 + 100)
        let down = try why(spool, "t")
        #expect(down.contains("spoold has not been running since ") && down.contains(" due times of the task wait for it."), "\(down)")
        #expect(down.contains("pending\ts\thas not been handled"))
        let missed = "@\(killedAt / 1000 + 2)"
        #expect(objects(try json(spool, "t@\(missed)"), "due_times").map { $0.text("outcome") } == ["pending"])
        try spool.start()
        try spool.logLine("event=skipped", "why=merged")
        let due = objects(try json(spool, "t@\(missed)"), "due_times")
        #expect(due.map { $0.text("outcome") } == ["merged"])
        #expect(due.first?.text("down_from") != nil && due.first?.text("down_to") != nil && due.first?.text("job") != nil)
        let text = try why(spool, "t@\(missed)")
        #expect(
            text.contains(" was missed, as spoold was not running from ") && text.contains(" (its last sign of life) to ")
                && text.contains(", made up for it."),
            "\(text)")
    }

    @Test("N7: why NAME@TIME names the run for which a due time was skipped, and the start of that run")
    func overlap() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.acceptedTask("t", "command = 'read x < \(gate.path)'\noverlap = 'skip'\n" + Self.eachSecond)
        let running = try spool.running("t")
        let record = try spool.wait(for: "a skipped due time") { try spool.journal().first { $0.fields["why"] == "overlap" } }
        let due = try #require(record.fields["from"])
        let text = try why(spool, "t@\(due)")
        #expect(text.contains(" was skipped: run \(running.id), running since ") && text.contains(", had not ended."), "\(text)")
        #expect(objects(try json(spool, "t@\(due)"), "due_times").first?.text("why") == "overlap")
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed", "file=tasks/t")
        try gate.release()
        #expect(try why(spool, "t").contains("There is no task t since "))
        #expect(try why(spool, "t@\(due)").contains("was skipped"), "also of a task that is gone")
    }

    @Test("N7: why NAME and due times after a bad edit report the edit; the definition in force still determines the due times")
    func badEdit() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\nid = \"s\"\ncron = \"30 2 * * *\"\n")
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\nid = \"s\"\ncron = \"30 25 * * *\"\n")
        try spool.logLine("event=refused", "file=tasks/t")
        try spool.wait(for: "the refusal in the journal") { try spool.journal().contains { $0.kind == "refused" } }
        // The same holds without a daemon.
        for isUp in [true, false] {
            if !isUp { try spool.stop() }
            let text = try why(spool, "t")
            #expect(text.contains("Its file is refused: tasks/t.toml:4:") && text.contains("stays in force."), "\(text)")
            #expect(text.contains("It is due next at ") && text.contains("T02:30:00Z"))
            let tomorrow = try why(spool, "t@tomorrow 02:30")
            #expect(
                tomorrow.contains(isUp ? " is to come." : " is to come, but spoold has not been running since ")
                    && tomorrow.contains("refused: tasks/t.toml:4:"),
                "\(tomorrow)")
        }
    }

    @Test("N7: why NAME@TIME says why a time is not a due time, and exits with 3")
    func none() throws {
        let spool = try SpoolUnderTest()
        spool.zone = "Europe/Berlin"
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\nid = \"s\"\ncron = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\n")
        let gap = try spool.ctl("why", "t@2025-03-30 02:30")
        #expect(gap.code == 3)
        #expect(gap.output.contains("t was not due at 2025-03-30T01:00:00Z: the schedule counts from "), "\(gap.output)")
        #expect(gap.output.contains("Daylight saving: moved: the clock skips this time."))
        let other = try spool.ctl("why", "t@2025-03-29 06:00")
        #expect(
            other.code == 3 && other.output.hasPrefix("t was not due at 2025-03-29T05:00:00Z; the nearest due time:\n"), "\(other.output)")
        #expect(try spool.ctl("why", "u@2025-03-29").code == 3)
        #expect(try spool.ctl("why", "t@nonsense").code == 4)
        try spool.acceptedTask("never", "command = [\"true\"]\n")
        let never = try spool.ctl("why", "never@1h")
        #expect(never.code == 3 && never.output.contains(", nor within a day before or after."), "\(never.output)")
        #expect(try why(spool, "never").contains("It has no schedule: it runs only by spoolctl run never."))
        try spool.acceptedTask("off", "command = [\"true\"]\n[[schedule]]\nid = \"s\"\ncron = \"* * * * *\"\nenabled = false\n")
        #expect(try why(spool, "off").contains("Its schedule s is disabled."))
    }

    // MARK: Backfill

    @Test("N4: backfill gives each due time of a period its job, with its id and due time, and none a second one")
    func backfill() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask(
            "t",
            """
            command = 'echo $SPOOL_SCHEDULE $SPOOL_DUE; cat'\noverlap = 'replace'\ndeadline = '1h'\n[[schedule]]\nid = \"s\"\n\
            cron = \"30 2 * * *\"\npayload = {a = 1}\n
            """)
        let period = ["backfill", "t", "--from", "2025-01-01T02:30:00Z", "--to", "2025-01-04T02:30:00Z"]
        let dry = try spool.ctl(list: period + ["--dry-run"])
        #expect(
            dry.rows.map { $0.dropFirst().first } == ["2025-01-01T02:30:00.000Z", "2025-01-02T02:30:00.000Z", "2025-01-03T02:30:00.000Z"])
        #expect(try Files.list("\(spool.path)/new").isEmpty)
        let result = try spool.ctl(list: period)
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines == dry.rows.map { $0[0] })
        let jobs = try spool.ended("t", count: 3)
        #expect(jobs.map(\.id) == result.lines && jobs.allSatisfy { $0.outcome == "done 0" })
        for job in jobs {
            #expect(try job.stdout == "s \(job.due)\n{\"a\":1}" && job.id.hasPrefix(job.due.filter { $0 != "-" && $0 != ":" }))
        }
        let again = try spool.ctl(list: period)
        #expect(again.code == 0 && again.lines.isEmpty && again.errors.contains("3 of 3 due times already have a job"))
        try Files.removeTree("\(spool.path)/done/\(jobs[0].id)")
        #expect(try spool.ctl(list: period).lines.isEmpty, "the journal remembers it")
        #expect(try spool.ctl("backfill", "t", "--from", "2020-01-01").code == 1, "too many")
        #expect(
            try spool.ctl(
                "backfill", "t", "--from", "2025-01-01", "--to", "2025-01-03", "--limit", "1").errors.contains("--limit N allows more"))
        #expect(try spool.ctl("backfill", "t", "--from", "2d", "--schedule", "x").code == 3)
        #expect(try spool.ctl("backfill", "none", "--from", "2d").code == 3)
        #expect(try why(spool, "t@2025-01-02T02:30:00Z").contains("late as job \(jobs[1].id), asked for at "))
        #expect(try spool.ctl("backfill", "t").code == 2)
    }

    @Test("N4: a run of one due time that two programs drop is one job")
    func dueTwice() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.acceptedTask("t", "command = 'read x < \(gate.path)'\n" + Self.eachSecond)
        let scheduled = try spool.running("t")
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed", "file=tasks/t")
        try spool.drop("\(scheduled.id).toml", "task = \"t\"\npriority = 5")
        try spool.logLine("event=submitted-again", scheduled.id)
        #expect(!Files.exists("\(spool.path)/new/\(scheduled.id).toml"))
        try gate.release(2)
        try spool.wait(for: "its end") { try spool.job(scheduled.id, in: "done") != nil }
        let seen = spool.logLength
        try spool.drop("\(scheduled.id).toml", "task = \"t\"\npriority = 6")
        try spool.logLine("event=submitted-again", scheduled.id, after: seen)
        #expect(try spool.jobs(in: "failed").isEmpty)
    }

    // MARK: Simulation

    @Test("N9: simulate plays all schedules forward, with the run times on record and the configured slots, and touches nothing")
    func simulate() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 2\n[queues.q]\nslots = 1\n[executors.slurm]\nslots = 1\n", starting: false)
        try spool.task("far", "command = [\"true\"]\nexecutor = \"slurm\"\n[[schedule]]\ncron = \"0 * * * *\"\n")
        try spool.task("a", "command = [\"true\"]\nqueue = \"q\"\n[[schedule]]\ncron = \"0 * * * *\"\n")
        try spool.task("b", "command = [\"true\"]\nqueue = \"q\"\noverlap = \"skip\"\n[[schedule]]\ncron = \"0 * * * *\"\n")
        try spool.task("c", "command = [\"true\"]\n")
        try spool.define("schedules/k.toml", "task = \"c\"\ncron = \"*/30 * * * *\"\n")
        for (index, seconds) in [1, 5400, 60].enumerated() {
            let id = "2026010\(index + 1)T000000.000Z-a-000000"
            try Files.makeDirectory("\(spool.path)/done/\(id)")
            try Files.write(
                "\(spool.path)/done/\(id)/status.json",
                "{\"id\":\"\(id)\",\"name\":\"a\",\"task\":\"a\",\"state\":\"done\",\"usage\":{\"wall_s\":\(seconds)}}")
        }
        let before = Files.tree(spool.path)
        let options = [
            "simulate", "--from", "2026-11-21T00:30:00Z", "--to", "2026-11-22T00:30:00Z", "--run-time", "5s", "--run-time", "b=90m",
        ]
        let result = try spool.ctl(list: options)
        #expect(result.code == 0, "\(result.errors)")
        let rows = result.rows
        // b occupies the queue for an hour and a half, so every other run of a waits until half past. The last run would start
        // after the end.
        #expect(rows[0].prefix(3) == ["a", "23", "1m00s"], "\(result.output)")
        #expect(rows[1].prefix(3) == ["b", "12", "1h30m (assumed)"] && rows[1].last == "12 overlap", "\(result.output)")
        #expect(rows[2].prefix(4) == ["c", "47", "5.0s (assumed)", "0ms"], "\(result.output)")
        #expect(rows[3].prefix(4) == ["far", "24", "5.0s (assumed)", "0ms"], "\(result.output)")
        for slots in ["queue q", "executor slurm"] { #expect(result.output.contains("\(slots), 1 slots: full for ")) }
        guard case .table(let report) = try spool.ctl(list: options + ["--json"]).json.kind else { throw spool.failure("no object") }
        #expect(objects(report, "tasks").map { $0.text("name") } == ["a", "b", "c", "far"])
        #expect(objects(report, "full").contains { $0.text("queue") == "q" })
        #expect(objects(report, "full").contains { $0.text("executor") == "slurm" })
        #expect(Files.tree(spool.path) == before)
        #expect(try spool.ctl("simulate", "--run-time", "none=5s").code == 3)
        #expect(try spool.ctl("simulate", "--from", "tomorrow", "--to", "now").code == 2)
    }

    @Test("N9: days of schedules that are due each minute are simulated at once")
    func manyRuns() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\ncron = \"* * * * *\"\n")
        let result = try spool.ctl("simulate", "--from", "2026-11-21", "--to", "2026-11-25", "--json")
        guard case .table(let report) = try result.json.kind, case .integer(let runs)? = objects(report, "tasks").first?["runs"]?.kind
        else { throw spool.failure("no report") }
        #expect(runs == 4 * 1440 - 1)
    }
}
