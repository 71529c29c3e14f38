import Documents
import Glibc
import Testing

/// `spoolctl top` on a terminal with typed keys, and in a pipe.
@Suite("spoolctl top", .ownThreads, .enabled(if: Commands.has("tmux"), "tmux is not installed"))
struct TopTests {
    static let ctl = "\(SpoolUnderTest.programs)/spoolctl"

    /// Runs top in a terminal that afterwards shows the exit code and the terminal's settings.
    private func top(_ spool: SpoolUnderTest, columns: Int = 80, rows: Int = 24, environment: [String] = []) throws -> TmuxScreen {
        try TmuxScreen(
            spool, columns: columns, rows: rows, environment: environment,
            """
            trap : INT QUIT; echo before; sh -c 'echo $$ > \(spool.out)/top.pid; exec \(Self.ctl) top'; echo ended $?; stty -a; echo end \
            of settings; cat
            """)
    }

    private func pid(_ spool: SpoolUnderTest) throws -> pid_t {
        let text = try spool.lines("top.pid", count: 1)[0]
        return try #require(pid_t(text))
    }

    /// Submits a job that waits at a gate. `short` is the end of its id, which top shows.
    private func submit(
        _ spool: SpoolUnderTest, _ name: String, _ arguments: String..., line: String
    ) throws -> (id: String, short: String) {
        let id = try spool.ctl(list: ["submit", "-N", name] + arguments + [line]).id
        return (id, String(id.dropFirst(21)))
    }

    /// Checks that the terminal is as it was before, and that top exited with this code.
    private func isRestored(_ screen: TmuxScreen, code: Int32) throws {
        let text = try screen.shows("ended \(code)", "end of settings")
        #expect(text.contains("before"), "the screen is what it was")
        #expect(text.contains(" echo ") && !text.contains("-echo ") && text.contains(" icanon") && !text.contains("-icanon"))
        #expect(try !screen.isAlternate && screen.hasCursor)
    }

    // MARK: Contents of the screen

    @Test("P7: top shows running jobs with their progress, and each step as it is reported")
    func progress() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let job = try submit(
            spool, "copy", "--timeout", "2h",
            line: "\(Self.ctl) progress 0.25 'a quarter'; read x < \(gate.path); \(Self.ctl) progress 50% half; read x < \(gate.path)")
        let screen = try top(spool)
        try screen.shows(
            "spoold up since", "slots 1/8, 7 free", "waiting 0", "1 Running 1", ">\(job.short)", "2h00m  [##--------]  25% a quarter")
        try gate.release()
        try screen.shows("[#####-----]  50% half")
        try gate.release()
        try screen.shows("1 Running 0", "nothing runs", "\(job.short)", " done", "ended 1/min 1/h, failed 0/min 0/h")
    }

    @Test("U7: top shows a job that is dropped later, its reason to wait, and its start")
    func waiting() throws {
        let spool = try SpoolUnderTest(configuration: "[queues.disk]\nslots = 1\n")
        let gate = try spool.gate()
        let screen = try top(spool, columns: 120, rows: 40)
        try screen.shows("queue disk 0/1, 1 free", "nothing runs", "nothing waits", "no task is due", "nothing has ended")
        let holder = try submit(spool, "holder", "--queue", "disk", "--lock", "db", line: "read x < \(gate.path)")
        try screen.shows("queue disk 1/1, 0 free", holder.short)
        try spool.drop("full.toml", "command = 'read x < \(gate.path)'\nqueue = 'disk'")
        try spool.drop("locked.toml", "command = 'true'\nlocks = ['db']")
        try spool.drop("late.toml", "command = 'true'\nstart = 'in 2 hours'")
        try spool.drop("after.toml", "command = 'true'\nafter = ['\(holder.id)']")
        try screen.shows("waiting 4", "queue is full, 1/1", "lock db: \(holder.short)", "starts in 1h5", "after \(holder.short)")
        #expect(try spool.ctl("pause", "--queue", "disk", "--note", "a new disk").code == 0)
        try screen.shows("paused: queue disk, a new disk", "queue paused: a new disk")
        try gate.release()
        try screen.shows("waiting 2", "1 Running 0", "queue disk 0/1, 1 free")
        #expect(try spool.ctl("resume", "--queue", "disk").code == 0)
        try screen.shows("waiting 1", "1 Running 1")
        try screen.showsNoMore("a new disk")
        try gate.release()
    }

    @Test("U7: top shows what holds a retry back as soon as the daemon has taken it up")
    func retryTakenUp() throws {
        let spool = try SpoolUnderTest()
        let job = try submit(spool, "once", "--queue", "q", line: "true")
        _ = try spool.end(of: "once")
        #expect(try spool.ctl("pause", "--queue", "q").code == 0)
        try spool.crash()
        #expect(try spool.ctl("retry", job.id).code == 0)
        let screen = try top(spool)
        // Nothing but the place of the retry is known yet, so its queue is not.
        try screen.shows("waiting 1", "spoold is not running\n")
        try spool.start()
        try screen.shows("waiting 1", "queue is paused")
    }

    @Test("A13: top shows when the daemon ends and starts again, and what is due, paused or overdue")
    func overview() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("yearly", "command = 'true'\n[[schedule]]\ncron = '@yearly'\n")
        let screen = try top(spool)
        try screen.shows("spoold up since", "yearly")
        try spool.acceptedTask("soon", "command = 'true'\n[[schedule]]\nat = 'in 2 hours'\n")
        try screen.shows("soon", "1h5")
        try spool.crash()
        try screen.shows("spoold is not running, last seen")
        try spool.drop("job.toml", "command = 'true'")
        try screen.shows("waiting 1", "spoold is not running\n")
        try spool.start()
        try screen.shows("spoold up since", "waiting 0", "4 Ended")
        try Files.remove("\(spool.path)/tasks/soon.toml")
        try screen.showsNoMore("soon")
    }

    @Test("E7: top filters by name, id and tag, sorts, and switches between its lists")
    func filter() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let alpha = try submit(spool, "alpha", "--tag", "monthly", line: "read x < \(gate.path)")
        let beta = try submit(spool, "beta", line: "\(Self.ctl) progress 90%; read x < \(gate.path)")
        let screen = try top(spool)
        try screen.shows(">\(alpha.short)", " \(beta.short)", "90%")
        try screen.press("s")
        try screen.shows("1 Running 2 by progress", ">\(beta.short)")
        try screen.press("j")
        try screen.shows(">\(alpha.short)")
        try screen.press("/", "B", "E", "t")
        try screen.shows("filter: BEt_", ">\(beta.short)")
        try screen.showsNoMore(alpha.short)
        try screen.press("Escape")
        try screen.shows(alpha.short, beta.short)
        try screen.press("/", "m", "o", "n", "t", "h", "Enter")
        try screen.shows("filter: month ", ">\(alpha.short)")
        try screen.showsNoMore(beta.short)
        try screen.press("Escape", "Tab")
        try screen.shows(" \(alpha.short)", " \(beta.short)")
        try screen.press("?")
        try screen.shows("spoolctl top", "cancel a job that waits or runs")
        try screen.press("x")
        try screen.shows("1 Running 2")
        try gate.release(2)
    }

    // MARK: Keys

    @Test("E5: keys of top cancel a job, after asking")
    func cancel() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let job = try submit(spool, "victim", line: "read x < \(gate.path)")
        let screen = try top(spool)
        try screen.shows(">\(job.short)")
        try screen.press("c")
        try screen.shows("Cancel \(job.id)? y/n")
        try screen.press("n")
        try screen.showsNoMore("y/n")
        #expect(try spool.jobs(in: "running").count == 1)
        try screen.press("c", "y")
        try screen.shows("1 Running 0", "canceled canceled", "failed 1/min 1/h")
        #expect(try spool.end(of: "victim").reason == "canceled")
    }

    @Test("E8: keys of top kill and retry, and pause and resume")
    func killRetryPause() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let job = try submit(spool, "victim", "--queue", "q", line: "read x < \(gate.path)")
        let screen = try top(spool)
        try screen.shows(">\(job.short)")
        try screen.press("K")
        try screen.shows("Kill \(job.id)? y/n")
        try screen.press("y")
        try screen.shows("1 Running 0", "KILL")
        try screen.press("4", "p")
        try screen.shows("a pause everything, u pause queue q, n nothing")
        try screen.press("u")
        try screen.shows("paused: queue q")
        #expect(Files.exists("\(spool.path)/control/pause@q"))
        try screen.press("r")
        try screen.shows("submitted ", "waiting 1", "queue is paused")
        try screen.press("p")
        try screen.shows("u resume queue q")
        try screen.press("u")
        try screen.shows("resumed queue q", "1 Running 1", "waiting 0")
        try gate.release()
        #expect(try spool.ended("victim", count: 2).last?.string("retry_of") == job.id)
    }

    @Test("U6: top follows a job's output on the full screen, and returns to its lists")
    func log() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let job = try submit(
            spool, "writer",
            line: "seq 1 100; printf 'a\\033[2Jb\\tc'; echo oops >&2; read x < \(gate.path); echo; echo last words; read x < \(gate.path)")
        let screen = try top(spool)
        try screen.shows(">\(job.short)")
        try screen.press("Enter")
        let text = try screen.shows("\(job.id)  stdout  running", "100", "a\\x1b[2Jb       c")
        #expect(!text.contains("\n50\n") && !text.contains("1 Running"))
        try screen.press("g")
        try screen.shows("\n1\n2\n3\n")
        try screen.press("G", "e")
        try screen.shows("\(job.id)  stderr", "\noops\n")
        try screen.press("e")
        try screen.shows("a\\x1b[2Jb")
        try gate.release()
        try screen.shows("last words")
        try gate.release()
        try screen.shows("stdout  done")
        try screen.press("q")
        try screen.shows("4 Ended", "nothing runs")
    }

    // MARK: The terminal

    @Test("U7: top fits whatever size the terminal gets")
    func resize() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let job = try submit(spool, "a-job-with-a-rather-long-name", line: "\(Self.ctl) progress 0.5 half; read x < \(gate.path)")
        let screen = try top(spool)
        try screen.shows("4 Ended", "?:help")
        try screen.resize(columns: 20, rows: 5)
        try screen.shows(what: "a small screen") { text in
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            return lines.first?.hasPrefix("up since") == true && lines[1] == " 1 Running 1" && lines[2].hasPrefix(">a-job-wi")
                && lines[4].hasPrefix("?:help  q:quit")
        }
        try screen.resize(columns: 200, rows: 50)
        try screen.shows(job.short, "[#####-----]  50% half", "2 Waiting 0", "4 Ended", "/:filter")
        try screen.resize(columns: 3, rows: 2)
        try screen.shows(what: "hardly anything") { !$0.contains("Running") }
        try screen.resize(columns: 80, rows: 24)
        try screen.shows("1 Running 1", "4 Ended")
        try gate.release()
    }

    @Test("U7: top gives the terminal back as it was, however it ends", arguments: ["q", "C-c", "TERM", "HUP", "C-\\"])
    func restores(_ how: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let screen = try top(spool)
        try screen.shows("spoold is not running", "nothing has ended")
        #expect(try screen.isAlternate && !screen.hasCursor)
        let signals = ["TERM": SIGTERM, "HUP": SIGHUP]
        if let signal = signals[how] { kill(try pid(spool), signal) } else { try screen.press(how) }
        try isRestored(screen, code: how == "C-\\" ? 128 + SIGQUIT : signals[how].map { 128 + $0 } ?? 0)
    }

    @Test("U7: top ends when its terminal is gone")
    func hangUp() throws {
        let spool = try SpoolUnderTest(starting: false)
        let screen = try top(spool)
        try screen.shows("nothing has ended")
        let top = try pid(spool)
        try screen.close()
        try Processes.awaitEnd(of: top)
    }

    @Test("U7: ctrl-Z stops top and gives the shell its terminal; fg brings it back")
    func stops() throws {
        let spool = try SpoolUnderTest(starting: false)
        let screen = try TmuxScreen(spool, environment: ["PS1=prompt> ", "ENV="], "exec sh -i")
        try screen.shows("prompt>")
        try screen.press("\(Self.ctl) top", "Enter")
        try screen.shows("spoold is not running", "nothing runs")
        try screen.press("C-z")
        // The shell has the terminal again when it asks for the next command.
        try screen.shows(what: "another prompt") { $0.split(separator: "prompt>", omittingEmptySubsequences: false).count > 2 }
        #expect(try !screen.isAlternate && screen.hasCursor)
        try screen.press("fg", "Enter")
        try screen.shows("spoold is not running", "nothing runs")
        #expect(try screen.isAlternate)
        try spool.drop("job.toml", "command = 'true'")
        try screen.shows("waiting 1")
        try screen.press("q")
        try screen.shows("prompt>")
    }

    @Test("U7: top shows no colours with NO_COLOR, and some without", arguments: [true, false])
    func colours(_ hasColours: Bool) throws {
        let spool = try SpoolUnderTest(starting: false)
        let screen = try top(spool, environment: hasColours ? [] : ["NO_COLOR=1"])
        try screen.shows("spoold is not running", "?:help")
        #expect(try screen.styled.contains("\u{1B}[") == hasColours)
    }

    // MARK: Without a screen

    @Test("A13: in a pipe top prints the present state once, in lines of fields, with the daemon up or down")
    func piped() throws {
        let spool = try SpoolUnderTest(configuration: "[queues.disk]\nslots = 1\n")
        let gate = try spool.gate()
        try spool.acceptedTask("yearly", "command = 'true'\n[[schedule]]\ncron = '@yearly'\n")
        #expect(try spool.run("command = 'exit 3'", as: "bad").outcome == "failed exit 3")
        let running = try submit(
            spool, "copy", "--queue", "disk", "--timeout", "2h",
            line: "\(Self.ctl) progress 0.25 'a quarter'; echo > \(spool.out)/began; read x < \(gate.path)")
        try spool.output("began")
        let waiting = try submit(spool, "next", "--queue", "disk", line: "true")
        #expect(try spool.ctl("pause", "--task", "yearly", "--note", "not\tnow").code == 0)
        let result = try spool.ctl("top")
        #expect(result.code == 0 && result.errors == "")
        #expect(!result.output.contains("\u{1B}"))
        let rows = result.rows
        func row(_ fields: String...) -> [String]? { rows.first { $0.starts(with: fields) } }
        #expect(row("spoold", "up") != nil)
        #expect(row("slots", "all", "1 of 8", "7 free") != nil)
        #expect(row("queue", "disk", "1 of 1", "0 free") != nil)
        #expect(row("count", "waiting", "1") != nil)
        #expect(row("rate", "hour", "1 ended", "1 failed") != nil)
        #expect(row("paused", "task yearly", "not\\tnow") != nil)
        #expect(row("running", running.id).map { Array($0[3...]) } == ["2h00m", "25%", "a quarter"])
        #expect(row("waiting", waiting.id) == ["waiting", waiting.id, "disk", "0", "queue is full, 1/1"])
        #expect(row("due", "yearly")?.last == "paused")
        #expect(rows.first { $0[0] == "ended" }.map { Array($0[4...]) } == ["exit 3", "exited with 3"])
        try gate.release()
        try spool.ended("next", count: 1)
        try spool.stop()
        #expect(try spool.ctl("top").rows.first?.prefix(2) == ["spoold", "is not running"])
    }

    @Test("A13: top --json is one object, on a terminal too")
    func json() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        #expect(try spool.run("command = 'true'", as: "good").outcome == "done 0")
        let running = try submit(spool, "copy", line: "\(Self.ctl) progress 0.25; echo > \(spool.out)/began; read x < \(gate.path)")
        try spool.output("began")
        let waiting = try submit(spool, "later", "--in", "1h", line: "true")
        guard case .table(let top) = try spool.ctl("top", "--json").json.kind else { throw spool.failure("no object") }
        func tables(_ key: String) -> [Table] {
            guard case .array(let values)? = top[key]?.kind else { return [] }
            return values.compactMap { if case .table(let table) = $0.kind { table } else { nil } }
        }
        guard case .table(let daemon)? = top["daemon"]?.kind, case .table(let hour)? = top["last_hour"]?.kind
        else { throw spool.failure("no daemon") }
        func text(_ value: Value?) -> String? { value.map { JSON.write($0) } }
        #expect(text(daemon["is_running"]) == "true")
        #expect(text(hour["ended"]) == "1")
        #expect(tables("slots").map { text($0["used"]) } == ["1"])
        #expect(tables("running").map { $0.text("id") } == [running.id])
        #expect(tables("waiting").map { $0.text("id") } == [waiting.id])
        #expect(tables("ended").map { $0.text("id").map { SpoolUnderTest.name(inID: $0) } } == ["good"])
        guard case .array(let holds)? = tables("waiting").first?["holds"]?.kind, case .table(let hold)? = holds.first?.kind,
            case .table(let status)? = tables("running").first?["status"]?.kind, case .table(let progress)? = status["progress"]?.kind
        else { throw spool.failure("no holds, or no progress") }
        #expect(hold.text("kind") == "start" && text(progress["fraction"]) == "0.25")
        #expect(try spool.ctl("top", "-q").lines == [running.id, waiting.id])
        let screen = try TmuxScreen(spool, columns: 300, rows: 50, "\(Self.ctl) top --json; cat")
        try screen.shows("{\"at\":", "running_count")
        try gate.release()
    }

    @Test("A13: top shows the latest of many records, and reports a missing spool and operands")
    func many() throws {
        let spool = try SpoolUnderTest(starting: false)
        for number in 1...300 {
            func digits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
            let id = "20261121T01\(digits(number / 60))\(digits(number % 60)).000Z-job-\(1000 + number)"
            try Files.makeDirectory("\(spool.path)/done/\(id)")
            try Files.write(
                "\(spool.path)/done/\(id)/status.json",
                "{\"id\": \"\(id)\", \"state\": \"done\", \"ended_at\": \"2026-11-21T01:00:00.\(number + 100)Z\"}")
        }
        let rows = try spool.ctl("top").rows.filter { $0[0] == "ended" }
        #expect(rows.count == 200)
        #expect(rows.first?[1].hasSuffix("-job-1300") == true)
        #expect(try spool.ctl("top", "x").code == 2)
        #expect(try spool.ctl("--spool", "\(spool.base)/none", "top").errors.contains("there is no spool"))
    }
}
