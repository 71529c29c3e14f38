import Documents
import Glibc
import Testing

/// Tasks and mails that follow the end of a job, and alarms of tasks that do not succeed in time.
@Suite("Follow-ups", .ownThreads)
struct FollowTests {
    @Test("U11: on_failure, on_success and on_end start tasks and commands, which get the status of the job")
    func followUps() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask(
            "alert", "command = 'echo \"$SPOOL_PARENT_ID $SPOOL_PARENT_REASON $SPOOL_PARENT_EXIT_CODE\"; cat \"$SPOOL_PARENT_DIR/stdout\"'")
        let keys = """
            on_failure = \"alert\"\non_success = [\"touch\", \"\(spool.out)/never\"]\non_end = 'cat > \(spool.out)/status; echo $OWN'\n\
            env = {OWN = \"own\"}
            """
        let job = try spool.run("command = 'echo output; exit 3'\n\(keys)")
        #expect(job.outcome == "failed exit 3")
        let alert = try spool.end(of: "alert")
        #expect(try alert.stdout == "\(job.id) exit 3\noutput\n")
        #expect(alert.string("parent") == job.id && alert.string("task") == "alert")
        #expect(try spool.end(of: "job.on_end").stdout == "own\n")
        #expect(try Files.text("\(spool.out)/status").contains("\"id\":\"\(job.id)\""))
        #expect(!Files.exists("\(spool.out)/never"))
        #expect(try spool.ctl("status", alert.id).output.contains("follows\t\(job.id)"))
    }

    @Test("U11: the payload of on_failure has the last lines of the failed run, escaped, or no error_tail when there are none")
    func errorTail() throws {
        let spool = try SpoolUnderTest()
        let loud = try spool.run("command = 'printf \"a\\\\nb\\\\033]0;x\\\\007\\\\nc\\\\nd\\\\n\" >&2; exit 3'\non_failure = 'cat;'")
        let told = try spool.end(of: "job.on_failure").stdout
        #expect(loud.string("error_tail").map { told.contains("\"error_tail\":\(JSON.write(Value(.string($0))))") } == true, "\(told)")
        #expect(!told.contains("\u{1B}"), "\(told)")
        let silent = try spool.run("command = 'exit 3'\non_end = 'cat;'")
        let nothing = try spool.end(of: "job.on_end").stdout
        #expect(silent.reason == "exit" && nothing.contains("\"reason\":\"exit\"") && !nothing.contains("error_tail"), "\(nothing)")
        _ = try spool.run("command = 'echo fine'\non_success = 'cat;'")
        #expect(try !spool.end(of: "job.on_success").stdout.contains("error_tail"))
    }

    @Test("U11: a follow-up is started once, whenever the daemon dies", arguments: [false, true])
    func once(isStopped: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop(
            "job.toml",
            """
            command = 'echo > \(spool.out)/began; read x < \(gate.path); echo over > \(spool.out)/over'\n\
            on_end = 'echo $SPOOL_PARENT_ID >> \(spool.out)/followed'
            """)
        // Waits for the command itself. A job that is only in running/ would not be started while the daemon is down.
        try spool.output("began")
        try isStopped ? _ = spool.stop() : spool.crash()
        // The job ends while no daemon runs.
        try gate.release()
        try spool.output("over")
        try spool.start()
        let id = try spool.end(of: "job").id
        #expect(try spool.end(of: "job.on_end").outcome == "done 0")
        for _ in 0..<2 {
            try spool.crash()
            try spool.start()
        }
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("followed") == [id])
    }

    @Test("U11: a task that follows itself stops after some runs, and the last one has the reason")
    func endless() throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"true\"]\non_success = \"t\"")
        try spool.logLine("event=defined", "file=tasks/t")
        #expect(try spool.ctl("run", "-w", "t").code == 0)
        let last = try spool.wait(for: "the end of the chain") { try spool.jobs(in: "failed", named: "t").first }
        #expect(last.reason == "rejected" && last.error.contains("in a row"), "\(last.error)")
        #expect(try spool.jobs(in: "done", named: "t").count == 17)
    }

    // MARK: Mail

    /// A sendmail that stores its arguments and its input.
    private func mailing(_ keys: String = "") throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/sendmail", "#!/bin/sh\necho \"$@\" > \(spool.out)/arguments\ncat > \(spool.out)/mail\n", mode: 0o755)
        try Files.write(spool.configuration, "mail_command = [\"\(spool.base)/sendmail\", \"-i\", \"-t\"]\n\(keys)")
        try spool.start()
        return spool
    }

    @Test("U11: a job that fails is mailed with its outcome and the last lines of its output")
    func mail() throws {
        let spool = try mailing()
        let job = try spool.run(
            "command = \"seq 1 3000; printf 'Bcc: a@b\\\\n\\\\000caf\\\\303\\\\251' >&2; exit 4\"\nmail = \"ops@example.com, root\"")
        #expect(try spool.end(of: "job.mail").outcome == "done 0")
        #expect(try Files.text("\(spool.out)/arguments") == "-i -t\n")
        let mail = try Files.text("\(spool.out)/mail")
        let lines = mail.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let header = lines.prefix { !$0.isEmpty }
        #expect(header.first == "To: ops@example.com, root")
        #expect(header[1].hasPrefix("Subject: [") && header[1].hasSuffix("] job: exit 4"))
        for line in ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Auto-Submitted: auto-generated"] {
            #expect(header.contains(line))
        }
        #expect(
            header.contains { $0.hasPrefix("Date: ") && $0.contains("20") }
                && header.contains { $0.hasPrefix("Message-ID: <") && $0.hasSuffix(">") })
        #expect(!header.contains { $0.hasPrefix("Bcc") })
        let body = lines.dropFirst(header.count + 1).joined(separator: "\n")
        #expect(body.hasPrefix("job on ") && body.contains("exited with 4") && body.contains("failed/\(job.id)"))
        #expect(body.contains("\n2901\n2902\n") && body.contains("\n3000\n") && !body.contains("\n2900\n"))
        #expect(body.contains("Bcc: a@b\ncafé"))
    }

    static let defaults: [(keys: String, follows: [String])] = [
        ("", ["mail", "on_failure"]), ("mail = false", ["on_failure"]), ("on_failure = false", ["mail"]),
        ("mail = {to = \"her\", when = \"always\"}\non_failure = [\"true\"]", ["mail", "on_failure"]),
        ("mail = false\non_failure = false", []),
    ]

    @Test("U11: mail and on_failure of the configuration count for each task that has none and does not decline them", arguments: defaults)
    func configured(_ row: (keys: String, follows: [String])) throws {
        let spool = try mailing("mail = \"root\"\non_failure = \"alarm\"\n")
        // The alarm's own failure does not start the alarm again, but is mailed.
        try spool.acceptedTask("alarm", "command = \"exit 3\"")
        try spool.acceptedTask("t", "command = \"exit 1\"\non_end = \"last\"\n\(row.keys)")
        try spool.acceptedTask("last", "command = [\"true\"]\nmail = false")
        #expect(try spool.ctl("run", "t", "-w").code == 1)
        #expect(try spool.ended("last", count: 1)[0].outcome == "done 0")
        let shown = try spool.ctl("show", "t").output
        #expect(shown.contains("root, from the configuration") == !row.keys.contains("mail"), "\(shown)")
        #expect(shown.contains("alarm, from the configuration") == !row.keys.contains("on_failure"), "\(shown)")
        let alarmIsMailed = row.follows.contains("on_failure") && !row.keys.contains("on_failure")
        if alarmIsMailed { #expect(try spool.end(of: "alarm.mail").outcome == "done 0") }
        let names = try spool.journal().filter { $0.kind == "accepted" }.compactMap { $0.fields["name"] }
        #expect(names.contains("t.mail") == row.follows.contains("mail"), "\(names)")
        #expect(names.count { $0 == "alarm" } == (alarmIsMailed ? 1 : 0), "\(names)")
    }

    @Test("U11: a changed mail of the configuration counts for the runs after it; a job without a task has none")
    func configuredLater() throws {
        let spool = try mailing()
        try spool.acceptedTask("t", "command = \"exit 1\"")
        func jobs(_ name: String) throws -> Int {
            try spool.journal().count { $0.kind == "accepted" && $0.fields["name"] == name }
        }
        #expect(try spool.ctl("run", "t", "-w").code == 1)
        #expect(!JSON.write(try spool.ctl("show", "t", "--json").json).contains("from_configuration"))
        try Files.write(spool.configuration, try Files.text(spool.configuration) + "mail = \"root\"\n")
        try spool.wait(for: "the configuration") {
            try spool.daemonStatus()?["configuration"].map { JSON.write($0).contains("\"mail\":\"root\"") } ?? false
        }
        #expect(try spool.ctl("submit", "-w", "--name", "alone", "exit 1").code == 1)
        // A restart reads the end of the first run again. No mail was due then, and none is sent now.
        try spool.stop()
        try spool.start()
        #expect(try spool.ctl("run", "t", "-w").code == 1)
        #expect(try spool.end(of: "t.mail").outcome == "done 0")
        #expect(try jobs("t.mail") == 1 && jobs("alone.mail") == 0)
        #expect(try Files.text("\(spool.out)/mail").hasPrefix("To: root\n"))
        #expect(JSON.write(try spool.ctl("show", "t", "--json").json).contains("\"from_configuration\":{\"mail\":\"root\"}"))
    }

    @Test("C3: nothing in a job can add a line to the header of a mail in cron's form")
    func cronMailHeader() throws {
        let spool = try mailing()
        _ = try spool.run(
            """
            command = "echo it\\nBcc: a@b"
            mail = {to = "root", when = "output", form = "cron"}
            env = {"A B" = "x\\nBcc: c@d"}
            """)
        #expect(try spool.end(of: "job.mail").outcome == "done 0")
        let lines = try Files.text("\(spool.out)/mail").split(separator: "\n", omittingEmptySubsequences: false)
        let header = lines.prefix { !$0.isEmpty }
        #expect(header.contains { $0.hasSuffix("> echo it Bcc: a@b") } && header.contains("X-Cron-Env: <A B=x Bcc: c@d>"), "\(header)")
        #expect(!header.contains { $0.hasPrefix("Bcc") })
    }

    @Test("C3: where no program sends mails, output in cron's form is not mailed, nothing fails, and the log says so once")
    func withoutMailProgram() throws {
        let spool = try mailing()
        try Files.remove("\(spool.base)/sendmail")
        let job = "mail = {to = \"root\", when = \"output\", form = \"cron\"}\non_end = [\"true\"]\ncommand = \"echo x\""
        for name in ["one", "two"] {
            try spool.drop("\(name).toml", job)
            _ = try spool.end(of: "\(name).on_end")
        }
        #expect(spool.log.ranges(of: "event=no-mail-program").count == 1)
        #expect(try Files.list("\(spool.path)/failed").isEmpty)
        #expect(try !spool.journal().contains { $0.fields["name"]?.hasSuffix(".mail") == true })
        try Files.write("\(spool.base)/sendmail", "#!/bin/sh\ncat > \(spool.out)/mail\n", mode: 0o755)
        try spool.drop("three.toml", job)
        #expect(try spool.end(of: "three.mail").outcome == "done 0")
    }

    static let rules: [(when: String, command: String, isMailed: Bool)] = [
        ("failure", "echo x", false), ("failure", "exit 1", true), ("output", "echo x", true), ("output", "true", false),
        ("output", "echo x >&2", true),
        ("always", "true", true),
    ]

    @Test("U11: mail is sent when its rule says", arguments: rules)
    func mailRule(_ row: (when: String, command: String, isMailed: Bool)) throws {
        let spool = try mailing()
        _ = try spool.run("command = \"\(row.command)\"\nmail = {to = \"root\", when = \"\(row.when)\"}\non_end = [\"true\"]")
        // Follow-ups are accepted at once, the mail before on_end.
        _ = try spool.end(of: "job.on_end")
        let mails = try spool.journal().filter { $0.kind == "accepted" && $0.fields["name"] == "job.mail" }
        #expect(mails.count == (row.isMailed ? 1 : 0))
    }

    @Test(
        "U11: an address that would be more than one line is refused (CVE-1999-0769)",
        arguments: ["a@b\\nBcc: c", "a\\r", "\\u0000", "é@b", "", " "]
    )
    func address(_ address: String) throws {
        let job = try SpoolUnderTest().run("command = [\"true\"]\nmail = \"\(address)\"")
        #expect(job.outcome == "failed rejected" && job.error.contains("job.toml:2:8: mail must be an address"), "\(job.error)")
    }

    // MARK: Tasks

    @Test("A task with pause_on_failure is paused when its last try fails, by a file that names the job, also after a crash")
    func pauses() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"false\"]\npause_on_failure = true\n" + TaskTests.eachSecond)
        let job = try spool.end(of: "t")
        #expect(
            try spool.wait(for: "the pause") {
                Files.exists("\(spool.path)/control/pause-t") ? try Files.text("\(spool.path)/control/pause-t") : nil
            }
                == "\(job.id)\n")
        try spool.logLine("event=skipped", "task=t", "why=paused")
        #expect(try spool.ctl("list").output.contains("paused"))
        try spool.crash()
        try spool.start()
        #expect(Files.exists("\(spool.path)/control/pause-t"))
        #expect(try spool.ended("t").count == 1)
        #expect(try spool.ctl("resume", "--task", "t").code == 0)
        #expect(try spool.ended("t", count: 2).count == 2)
    }

    @Test("N10: a task that has not succeeded in time calls for help once, over a restart too, until it succeeds")
    func expects() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask(
            "t", "command = 'test -e \(spool.out)/good'\nexpect = \"1s\"\non_overdue = 'echo $SPOOL_OVERDUE_TASK >> \(spool.out)/help'")
        #expect(try spool.lines("help", count: 1) == ["t"])
        try spool.logLine("event=overdue", "task=t")
        try spool.wait(for: "the state") { try spool.ctl("list").output.contains("\toverdue\t") }
        #expect(try spool.ctl("status").output.contains("overdue\tt has not succeeded since "))
        #expect(try spool.ctl("run", "-w", "t").code == 1)
        try spool.restart()
        #expect(try spool.ctl("list").output.contains("\toverdue\t"))
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("help") == ["t"])
        try Files.write("\(spool.out)/good", "")
        #expect(try spool.ctl("run", "-w", "t").code == 0)
        // After the success a new lapse is reported once more.
        #expect(try spool.lines("help", count: 2) == ["t", "t"])
    }

    // MARK: Gates

    static let closed = [("max_load = 0", "the load average is "), ("min_free_space = \"4000000T\"", "bytes are free")]

    @Test(
        "U9: while the machine is loaded or its disk full no job starts, status shows why, and jobs start when it is over",
        arguments: closed
    )
    func gates(_ row: (key: String, why: String)) throws {
        let spool = try SpoolUnderTest(configuration: row.key)
        try spool.drop("job.toml", "command = [\"true\"]\ndeadline = \"1h\"")
        try spool.logLine("event=held", row.why)
        try spool.wait(for: "the reason in the status") { try spool.ctl("status").output.contains("held\tnothing starts: ") }
        let id = try #require(try spool.ctl("jobs", "-q").lines.first)
        #expect(try spool.ctl("why", id).output.contains("It waits: \(row.why.hasPrefix("the") ? row.why : "")"))
        try spool.drop("late.toml", "command = [\"true\"]\ndeadline = \"10ms\"")
        #expect(try spool.end(of: "late").outcome == "failed deadline")
        #expect(try spool.jobs(in: "done").isEmpty)
        try Files.write("\(spool.base)/new.toml", "")
        try Files.rename("\(spool.base)/new.toml", spool.configuration)
        #expect(try spool.end(of: "job").outcome == "done 0")
        try spool.logLine("event=released")
        #expect(spool.log.split(separator: "\n").filter { $0.contains("event=held") }.count == 1)
    }
}
