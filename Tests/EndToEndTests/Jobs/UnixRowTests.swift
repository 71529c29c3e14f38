import Documents
import Glibc
import Linux
import Testing

/// Rows of U (habits from Unix tools) and N (things that none of them can do) without a suite of their own.
@Suite("Rows of the Unix tools", .ownThreads)
struct UnixRowTests {
    // MARK: U

    @Test(
        "U2: a calendar expression's missed run is made up for at the next start, with the same delay each time, at its exact time"
    )
    func timers() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask(
            "t", "command = [\"true\"]\noverlap = \"allow\"\n[[schedule]]\ncalendar = \"*-*-* *:*:* UTC\"\njitter = \"900ms\"")
        let first = try spool.end(of: "t")
        try spool.crash()
        let down = Clock.now() / 1000
        try awaitClock((down + 3) * 1000)
        try spool.start()
        let made = try spool.wait(for: "the run for the missed due times") {
            try spool.ended("t").last { try spool.second($0.due) > Int(down) }
        }
        for run in [first, made] {
            // Each run starts at its due time plus the delay. The delay depends only on the task and the due time.
            let (due, scheduled) = (run.due, try #require(run.string("scheduled_at")))
            #expect(due.hasSuffix(".000Z") && due <= scheduled && scheduled.prefix(19) == due.prefix(19), "\(due) \(scheduled)")
            #expect(scheduled <= run.string("started_at") ?? "", "never early")
        }
        #expect(try spool.accounts(ofTask: "t").keys.contains(Int(down + 1)), "what was merged is accounted for")
        // Two spools delay the same run of the same task by the same time.
        let later = try (0..<2).map { _ in
            let other = try SpoolUnderTest()
            try other.task("t", "command = [\"true\"]\n[[schedule]]\nid = \"s\"\nat = 2099-01-01T00:00:00Z\njitter = \"1h\"")
            try other.logLine("event=defined")
            return try other.ctl("next", "t", "--json").output
        }
        #expect(later[0] == later[1] && later[0].contains("2099-01-01"))
    }

    @Test("U13: there is a manual page for every program and file format, and it is sound", arguments: [
        "spoold.8", "spoolctl.1", "spool.5", "spoold.toml.5", "spool-schedule.7", "spoold-container.7", "spoold-metrics.7",
        "spool-executor.7",
    ])
    func manual(_ page: String) throws {
        let file = "\(ShippedTextTests.root)/man/\(page)"
        let text = try Files.text(file)
        for section in ["NAME", "DESCRIPTION", "SEE ALSO"] { #expect(text.contains("\n.Sh \(section)\n"), "\(section)") }
        guard Commands.has("mandoc") else { return }
        let lint = try Commands.run("mandoc", "-Tlint", "-W", "warning", file)
        #expect(lint.code == 0 && lint.output.isEmpty, "\(lint.output)")
    }

    // MARK: N

    @Test("N2: a running job survives kill -9 of the daemon and an upgrade to another program's file, and its exit code is recorded")
    func upgrade() throws {
        let spool = try SpoolUnderTest(starting: false)
        let gate = try spool.gate()
        // The old daemon has programs of its own, which are removed when the new one is installed, as packages do.
        let old = "\(spool.base)/old"
        try Files.makeDirectory(old)
        for program in ["spoold", "spool-worker"] {
            try Commands.succeed("cp", "\(SpoolUnderTest.programs)/\(program)", "\(old)/\(program)")
        }
        try spool.start(programs: old)
        try spool.drop("job.toml", "command = 'echo $$ > \(spool.out)/pid; read x < \(gate.path); exit 7'")
        let pid = try #require(pid_t(try spool.lines("pid", count: 1)[0]))
        let id = try spool.running("job").id
        try spool.crash()
        try Files.removeTree(old)
        try spool.start()
        #expect(Processes.isAlive(pid))
        #expect(try spool.ctl("status", id).output.contains("running"))
        try gate.release()
        let job = try spool.end(of: "job")
        #expect(job.id == id && job.outcome == "failed exit 7" && job.attempt == 1)
        #expect(try spool.linesNow("pid").count == 1)
    }

    /// Due times in Berlin around both changes of the clock.
    static let oddities: [(options: [String], from: String, local: String, note: String)] = [
        (["--cron", "30 2 * * *"], "2026-03-28T12:00:00Z", "2026-03-29T03:00:00.000+02:00", "skip"),
        (["--calendar", "*-*-* 02:30"], "2026-03-28T12:00:00Z", "2026-03-29T03:00:00.000+02:00", "skip"),
        (["--rrule", "FREQ=DAILY", "--dtstart", "20260101T023000"], "2026-03-28T12:00:00Z", "2026-03-29T03:00:00.000+02:00", "skip"),
        (["--pattern", "**.02.30.00"], "2026-03-28T12:00:00Z", "2026-03-29T03:00:00.000+02:00", "skip"),
        (["--cron", "0 30 2 * * ?"], "2026-10-24T12:00:00Z", "2026-10-25T02:30:00.000+02:00", "repeats"),
    ]

    @Test(
        "N3: next shows due times of any syntax with daylight saving's oddities marked, without a spool and a daemon", arguments: oddities
    )
    func oddity(_ row: (options: [String], from: String, local: String, note: String)) throws {
        let words = ["--spool", "/nonexistent/spool", "next"] + row.options
            + ["--timezone", "Europe/Berlin", "--from", row.from, "-n", "1", "--json"]
        let result = try Commands.run("\(SpoolUnderTest.programs)/spoolctl", words)
        #expect(result.code == 0 && result.output.contains("\"local\":\"\(row.local)\""), "\(result.output)\(result.error)")
        #expect(result.output.contains(row.note), "\(result.output)")
        let said = try Commands.run(
            "\(SpoolUnderTest.programs)/spoolctl",
            ["--spool", "/nonexistent/spool", "explain"] + row.options + ["--timezone", "Europe/Berlin"])
        #expect(said.code == 0 && said.output.contains("meaning\t"), "\(said.error)")
    }

    @Test("N4: mv, cp, touch, rm and cat do what spoolctl does: jobs")
    func jobsByFiles() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let run = FileCommands(spool)
        // submit, logs, status, wait
        try run("printf 'command = \"echo hello; exit 3\"\\n' > tmp/greet.toml; mv tmp/greet.toml new/")
        let job = try spool.end(of: "greet")
        #expect(
            try run("cat failed/\(job.id)/stdout") == "hello\n" && run("cat failed/\(job.id)/stdout") == spool.ctl("logs", job.id).output)
        #expect(try run("cat failed/\(job.id)/status.json") == spool.ctl("status", "--json", job.id).output)
        // retry
        try spool.copyIntoNew("\(spool.path)/failed/\(job.id)")
        #expect(try spool.ended("greet", count: 2)[1].string("retry_of") == job.id)
        // jobs, prune
        #expect(try Set(run("ls failed").split(separator: "\n").map(String.init)) == Set(spool.ctl("jobs", "-q").lines))
        try run("rm -r failed/\(job.id)")
        #expect(try spool.ctl("status", job.id).code == 3)
        // pause, resume, cancel of a waiting job
        try run("echo 'by hand' > control/pause")
        try spool.logLine("event=paused", "by hand")
        try run("printf 'command = [\"touch\", \"\(spool.out)/never\"]\\n' > tmp/no.toml; mv tmp/no.toml new/")
        try spool.logLine("event=accepted", "file=no.toml")
        try run("rm new/no.toml")
        try spool.logLine("event=withdrawn")
        try run("rm control/pause")
        #expect(try spool.runsOn() && !Files.exists("\(spool.out)/never"))
        // progress, result, extend, kill
        try run(
            """
            printf 'command = \"echo > \(spool.out)/began; read x < \(gate.path)\"\\ntimeout = \"1h\"\\n' > tmp/long.toml; mv \
            tmp/long.toml new/
            """)
        try spool.output("began")
        let long = try spool.running("long").id
        try run(
            """
            cd running/\(long); echo '{\"fraction\": 0.5, \"message\": \"half\", \"at\": \"2026-01-01T00:00:00Z\"}' > p; mv p progress; \
            echo '[1]' > result; echo 600 > extend
            """)
        let shown = try spool.ctl("status", long).output
        #expect(shown.contains("progress\t50% half") && shown.contains("extended by\t10m"), "\(shown)")
        try run("echo '{\"do\": \"kill\", \"id\": \"\(long)\", \"signal\": 9}' > tmp/k; mv tmp/k control/k.request")
        let killed = try spool.end(of: "long")
        #expect(killed.outcome == "failed signal" && killed.integer("signal") == 9)
        #expect(killed.status["result"].map { JSON.write($0) } == "[1]")
    }

    @Test("N4: mv, cp, touch, rm and cat do what spoolctl does: tasks")
    func tasksByFiles() throws {
        let spool = try SpoolUnderTest()
        let run = FileCommands(spool)
        // create, edit, update, show
        try run("printf 'command = \"echo one\"\\n' > tmp/t; mv tmp/t tasks/t.toml")
        try spool.logLine("event=defined", "file=tasks/t")
        #expect(try spool.ctl("show", "t").rows.contains(["command", "echo one"]))
        // run
        try run("echo 'task = \"t\"' > tmp/r; mv tmp/r new/r.toml")
        #expect(try spool.end(of: "r").stdout == "one\n")
        // schedule, next, unschedule
        let seen = spool.logLength
        try run("printf 'task = \"t\"\\nat = 2099-01-01T00:00:00Z\\n' > tmp/s; mv tmp/s schedules/own.toml")
        try spool.logLine("event=defined", "file=schedules/own", after: seen)
        #expect(try spool.ctl("next", "--json").objects.map { $0.text("schedule") } == ["own"])
        try run("rm schedules/own.toml")
        try spool.logLine("event=removed", "file=schedules/own")
        // pause and resume of one task
        try run("touch control/pause-t")
        try spool.logLine("event=paused", "scope=pause-t")
        #expect(try spool.ctl("list", "--json").objects.map { $0.text("state") } == ["paused"])
        try run("rm control/pause-t")
        try spool.logLine("event=resumed", "scope=pause-t")
        // delete
        try run("mv tasks/t.toml tasks/other.toml")
        try spool.logLine("event=defined", "file=tasks/other")
        #expect(try spool.ctl("list", "--names").output == run("ls tasks | sed 's/[.]toml$//'"))
        try run("rm tasks/other.toml")
        try spool.logLine("event=removed", "file=tasks/other")
        #expect(try spool.ctl("run", "other").code == 3)
        // journal
        let told = try spool.ctl("journal").lines.count
        #expect(try run("cat journal/*.log").split(separator: "\n").count >= told)
    }

    @Test("N4: spoolctl writes plain files, and needs no daemon for that")
    func withoutDaemon() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "t", "--every", "1h", "--", "true").code == 0)
        #expect(try spool.ctl("schedule", "t", "--at", "2099-01-01", "--id", "s").code == 0)
        #expect(try spool.ctl("pause", "--note", "later").code == 0)
        let id = try spool.ctl("submit", "--", "true").id
        let files = try FileCommands(spool)("cat control/pause; ls tasks schedules new")
        #expect(files == "later\nnew:\n\(id).toml\n\nschedules:\ns.toml\n\ntasks:\nt.toml\n", "\(files)")
    }
}

/// A shell in the spool's directory.
struct FileCommands {
    private let spool: SpoolUnderTest

    init(_ spool: SpoolUnderTest) { self.spool = spool }

    /// Runs a script, which must succeed, and returns what it printed.
    @discardableResult
    func callAsFunction(_ script: String) throws -> String {
        let result = try Commands.run("sh", ["-euc", "cd \(spool.path); \(script)"])
        guard result.code == 0 else { throw spool.failure("\(script): \(result.error)") }
        return result.output
    }
}
