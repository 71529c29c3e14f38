import Glibc
import Testing

/// Waiting jobs, schedules and limits can be changed.
@Suite("Changes of jobs, schedules and limits", .ownThreads)
struct ChangeTests {
    // MARK: Waiting jobs

    @Test("E4: update changes a waiting job, with the daemon up or down", arguments: [true, false])
    func waiting(_ isUp: Bool) throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "--in", "1h", "--", "echo", "old").id
        try spool.wait(for: "the job to be taken up") { try Files.text("\(spool.path)/state/status.json").contains("\"waiting\":1,") }
        if !isUp { try spool.stop() }
        let result = try spool.ctl("update", id, "--priority", "10", "--start", "@1", "--timeout", "1h", "--", "echo", "new")
        #expect(result.code == 0 && result.id == id, "\(result)")
        if !isUp { try spool.start() }
        #expect(try spool.ctl("wait", id).code == 0)
        let job = try #require(try spool.job(id, in: "done"))
        #expect(try job.stdout == "new\n" && job.integer("priority") == 10)
    }

    @Test("E4: an update of a job that has started meanwhile, has ended, waits for a try or is bad changes nothing, and says why")
    func refused() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let running = try spool.ctl("submit", "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        let ended = try spool.ctl("submit", "-w", "true").id
        let later = try spool.ctl("submit", "--in", "1h", "true").id
        let again = try spool.ctl("submit", "--tries", "2", "--backoff", "1h", "false").id
        try spool.wait(for: "the wait for a try") { Files.exists("\(spool.path)/new/\(again)/status.json") }
        let rows: [(words: [String], code: Int32, says: String)] = [
            ([running, "--priority", "1"], 1, "runs already"), ([ended, "--priority", "1"], 1, "has already ended: done"),
            ([again, "--priority", "1"], 1, "waits for its next try"), ([later, "--priority", "9999"], 4, "priority"),
            ([later, "--cron", "@daily"], 2, "--cron is for tasks"), ([later], 2, "needs an option"),
        ]
        let before = try Files.text("\(spool.path)/new/\(later).toml")
        for row in rows {
            let result = try spool.ctl(list: ["update"] + row.words)
            #expect(result.code == row.code && result.errors.contains(row.says), "\(row.words): \(result)")
        }
        #expect(try Files.text("\(spool.path)/new/\(later).toml") == before && Files.list("\(spool.path)/tmp").isEmpty)
        try gate.release()
    }

    @Test("E4: the daemon refuses a new text of a job whose file was changed or taken since it was read")
    func stale() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "--in", "1h", "true").id
        try Files.write("\(spool.path)/tmp/text.toml", "command = 'true'\nstart = '2099-01-01'\n")
        try spool.define("control/x.request", "{\"do\": \"update\", \"id\": \"\(id)\", \"file\": \"text.toml\", \"inode\": \"1\"}")
        let answer = try spool.wait(for: "the answer") { () throws -> String? in
            Files.exists("\(spool.path)/control/x.answer") ? try Files.text("\(spool.path)/control/x.answer") : nil
        }
        #expect(answer.contains("\"code\":1") && answer.contains("was changed by another program"), "\(answer)")
    }

    @Test("E4: a new text that the daemon could not take up changes nothing", arguments: [
        ("unique = 'k'", "unique \\\"k\\\" is taken by "), ("after = ['nothing']", "there is no job or task of that name"),
    ])
    func untakable(_ row: (key: String, says: String)) throws {
        let spool = try SpoolUnderTest()
        _ = try spool.ctl("submit", "--in", "1h", "--unique", "k", "true")
        let id = try spool.ctl("submit", "--in", "1h", "true").id
        let inode = try Commands.run("stat", ["-c", "%i", "\(spool.path)/new/\(id).toml"]).output.filter(\.isNumber)
        try Files.write("\(spool.path)/tmp/text.toml", "command = 'true'\nstart = '2099-01-01'\n\(row.key)\n")
        try spool.define("control/x.request", "{\"do\": \"update\", \"id\": \"\(id)\", \"file\": \"text.toml\", \"inode\": \"\(inode)\"}")
        let answer = try spool.wait(for: "the answer") { () throws -> String? in
            Files.exists("\(spool.path)/control/x.answer") ? try Files.text("\(spool.path)/control/x.answer") : nil
        }
        #expect(answer.contains("\"code\":4") && answer.contains(row.says), "\(answer)")
        #expect(try spool.ctl("jobs", "-q", "--state", "new").lines.contains(id))
    }

    @Test("E4: a job that submit -w waits for can be changed")
    func awaited() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("pause").code == 0)
        let waiter = try spool.startCtl(["submit", "-w", "-n", "awaited", "echo old"])
        try spool.wait(for: "the job") { try Files.text("\(spool.path)/state/status.json").contains("\"waiting\":1,") }
        #expect(try spool.ctl("update", "awaited", "--", "echo", "new").code == 0)
        #expect(try spool.ctl("resume").code == 0)
        let result = try waiter.end()
        #expect(result.code == 0 && result.output == "new\n", "\(result)")
    }

    @Test("E4: a changed job keeps its age, its due time and its place in the queue, over a restart too")
    func keepsItsAge() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        #expect(try spool.ctl("pause").code == 0)
        var ids: [String] = []
        for name in ["a", "b", "c"] {
            ids.append(try spool.ctl("submit", "-q", "--start", "2020-01-01", "--name", name, "echo \(name) >> \(spool.out)/order").id)
        }
        try spool.drop("plain.toml", "command = 'echo plain >> \(spool.out)/order'\nstart = '2020-01-01'")
        try spool.wait(for: "the jobs") { try Files.text("\(spool.path)/state/status.json").contains("\"waiting\":4,") }
        let plain = try spool.ctl("jobs", "-q", "--name", "plain").lines[0]
        func age(_ id: String) throws -> [String?] {
            let job = try #require(try spool.ctl("jobs", "--json").objects.first { $0.text("id") == id })
            return [job.text("created_at"), job.text("due"), job.text("scheduled_at")]
        }
        let before = try [ids[0], plain].map(age)
        for id in [ids[0], plain] { #expect(try spool.ctl("update", id, "--timeout", "1h").code == 0) }
        let changed = try [ids[0], plain].map(age)
        #expect(changed == before)
        try spool.restart()
        let restarted = try [ids[0], plain].map(age)
        #expect(restarted == before)
        let accepted = try spool.ctl("journal", "--json").lineObjects.filter { $0.text("kind") == "accepted" }
        for id in [ids[0], plain] {
            let created = accepted.filter { $0.text("id") == id }.map { $0.text("created") }
            #expect(created.count >= 2 && Set(created).count == 1, "\(created)")
        }
        #expect(try spool.ctl("resume").code == 0)
        #expect(try spool.lines("order", count: 4) == ["a", "b", "c", "plain"])
    }

    @Test("E4: update and edit of a waiting job print the remarks that submit prints for a new one")
    func remarks() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("pause").code == 0)
        let id = try spool.ctl("submit", "-q", "true").id
        let paused = "spoolctl: the spool is paused: no job starts until spoolctl resume\n"
        let later = try spool.ctl("update", id, "--in", "1h")
        #expect(later.errors.hasPrefix("spoolctl: starts ") && later.errors.hasSuffix(paused), "\(later)")
        #expect(try spool.ctl("update", id, "--priority", "3").errors == paused)
        let past = try spool.ctl("update", id, "--start", "2020-01-01 00:00", "-Q", "vidoe")
        #expect(past.errors.contains("2020 00:00 UTC is in the past: the job starts at once"), "\(past)")
        #expect(past.errors.contains("queue \"vidoe\" is in neither the configuration nor a task"), "\(past)")
        #expect(try spool.ctl("update", id, "--in", "2h", "--quiet").errors.isEmpty)
        let edited = try Commands.run(
            SubmitWaitTests.ctl, ["edit", id], environment: spool.environment + ["EDITOR=sed -i s/^queue.*//"])
        #expect(edited.error == paused, "\(edited)")
        try spool.stop()
        #expect(try spool.ctl("update", id, "--priority", "4").errors.hasPrefix("spoolctl: spoold is not running"))
    }

    @Test("E4: edit opens a waiting job's file, and refuses a job that starts meanwhile")
    func edited() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "--in", "1h", "true").id
        let editor = "\(spool.base)/editor"
        func edit(_ word: String, _ script: String) throws -> Commands.Result {
            try Files.write(editor, "#!/bin/sh\n\(script)\n", mode: 0o755)
            return try Commands.run(SubmitWaitTests.ctl, ["edit", word], environment: spool.environment + ["EDITOR=\(editor)"])
        }
        let changed = try edit(id, "sed -i 's/^command.*/command = \"echo edited\"/; s/^start.*//' \"$1\"")
        #expect(changed.code == 0 && changed.output == "\(id)\n", "\(changed)")
        #expect(try spool.ctl("wait", id).code == 0)
        #expect(try spool.ctl("logs", id).output == "edited\n")
        let gate = try spool.gate()
        #expect(try spool.ctl("pause").code == 0)
        let late = try spool.ctl("submit", "-q", "echo > \(spool.out)/began; read x < \(gate.path)").lines[0]
        let script = "\(SubmitWaitTests.ctl) resume; while ! [ -e \(spool.out)/began ]; do :; done; echo '# more' >> \"$1\""
        let refused = try edit(late, script)
        #expect(refused.code == 1 && refused.error.contains("has started meanwhile, with its old text"), "\(refused)")
        try gate.release()
    }

    // MARK: Tasks

    @Test("M4: update --cron replaces a task's only schedule, in its file or beside it, and keeps the other keys")
    func schedule() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--cron", "0 2 * * *", "--timezone", "Europe/Berlin", "--", "true").code == 0)
        #expect(try spool.ctl("update", "t", "--cron", "0 3 * * *", "--priority", "2").code == 0)
        let text = try Files.text("\(spool.path)/tasks/t.toml")
        #expect(text.contains("cron = \"0 3 * * *\"") && text.contains("Europe/Berlin") && text.contains("priority = 2"), "\(text)")
        #expect(!text.contains("0 2 * * *") && !text.contains("\n\n\n"), "\(text)")
        #expect(try spool.ctl("create", "u", "--", "true").code == 0)
        #expect(try spool.ctl("update", "u", "--every", "5m").code == 0, "a task without a schedule gets one")
        #expect(try Files.text("\(spool.path)/tasks/u.toml").contains("every = \"5m\""))
        #expect(try spool.ctl("create", "v", "--", "true").code == 0)
        let id = try spool.ctl("schedule", "v", "--cron", "@daily", "--timezone", "Europe/Berlin").id
        #expect(try spool.ctl("update", "v", "--cron", "@weekly").code == 0)
        let file = try Files.text("\(spool.path)/schedules/\(id).toml")
        #expect(file.contains("@weekly") && file.contains("Europe/Berlin") && !file.contains("@daily"), "\(file)")
        let other = try spool.ctl("schedule", "v", "--cron", "@hourly").id
        let several = try spool.ctl("update", "v", "--cron", "@monthly")
        #expect(several.code == 2 && several.errors.contains("spoolctl unschedule \(other)"), "\(several)")
    }

    @Test("M4: update checks the task's and the schedule's file before it writes either, and keeps the schedule's id")
    func bothChecked() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "t", "--", "true").code == 0)
        #expect(try spool.ctl("schedule", "t", "--cron", "0 2 * * *", "--dst-gap", "skip", "--id", "k").code == 0)
        let (task, schedule) = ("\(spool.path)/tasks/t.toml", "\(spool.path)/schedules/k.toml")
        let before = try [Files.text(task), Files.text(schedule)]
        let rows: [(words: [String], code: Int32, says: String)] = [
            (["--on-path", "/srv/*"], 4, "schedules/k.toml:2:1: dst_gap has no meaning with on_path"),
            (["--cron", "0 3 * * *", "--unset", "command"], 4, "tasks/t.toml:"),
            (["--cron", "0 3 * * *", "--id", "other"], 2, "the id of this schedule is the name of its file"),
        ]
        for row in rows {
            let result = try spool.ctl(list: ["update", "t", "--priority", "4"] + row.words)
            #expect(result.code == row.code && result.errors.contains(row.says), "\(row.words): \(result)")
            #expect(try [Files.text(task), Files.text(schedule)] == before && Files.list("\(spool.path)/tmp").isEmpty)
        }
        #expect(try spool.ctl("update", "t", "--cron", "0 3 * * *", "--id", "k").code == 0)
        #expect(try Files.text(schedule).contains("0 3 * * *"))
    }

    @Test("M4: When the second of two files cannot be written, update says which one is changed",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func secondFails() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "t", "--", "true").code == 0)
        #expect(try spool.ctl("schedule", "t", "--cron", "0 2 * * *", "--id", "k").code == 0)
        let trace = "\(spool.base)/trace"
        let result = try Commands.run(
            "strace",
            ["-qq", "-y", "-o", trace, "-e", "trace=renameat,renameat2,fsync", "-e", "inject=renameat,renameat2:error=EIO:when=2"]
                + [SubmitWaitTests.ctl, "--spool", spool.path, "update", "t", "--priority", "4", "--cron", "0 3 * * *"])
        #expect(result.code == 1 && result.error.contains("changed already: tasks/t.toml; not changed: schedules/k.toml"), "\(result)")
        #expect(try Files.text("\(spool.path)/tasks/t.toml").contains("priority = 4"))
        #expect(try Files.text("\(spool.path)/schedules/k.toml").contains("0 2 * * *") && Files.list("\(spool.path)/tmp").isEmpty)
        let calls = try Files.text(trace)
        #expect(calls.contains("/tasks>) "), "the directory of the changed file is synced: \(calls)")
    }

    @Test("M8: delete removes what it has asked about: a task that is changed before the answer stays")
    func changedWhileAsked() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'first'")
        try spool.define("schedules/s.toml", "task = 't'\nevery = '1 day'")
        let screen = try TmuxScreen(spool, columns: 120, environment: ["PS1=prompt> ", "ENV="], "exec sh -i")
        try screen.shows("prompt>")
        try screen.press("spoolctl delete t", "Enter")
        try screen.shows("Delete task t and its schedule?")
        try spool.acceptedTask("t", "command = 'second'")
        try screen.press("y", "Enter")
        try screen.shows("tasks/t.toml was changed by another program meanwhile and is left as it is")
        #expect(try Files.text("\(spool.path)/tasks/t.toml") == "command = 'second'")
        #expect(Files.exists("\(spool.path)/schedules/s.toml"), "its schedule stays too")
        try screen.press("clear; spoolctl delete t", "Enter")
        try screen.shows("Delete task t and its schedule?")
        try screen.press("y", "Enter")
        try spool.logLine("event=removed", "file=tasks/t")
        try spool.wait(for: "no file to be left") {
            try Files.list("\(spool.path)/tasks").isEmpty && Files.list("\(spool.path)/tmp").isEmpty
        }
    }

    @Test("M6: unschedule leaves a file that another program changes at this instant, and puts it back",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func changedWhileRemoved() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "t", "--", "true").code == 0)
        #expect(try spool.ctl("schedule", "t", "--every", "1h", "--id", "k").code == 0)
        let file = "\(spool.path)/schedules/k.toml"
        let edited = try Files.text(file) + "# edited\n"
        // spoolctl stops when the file is aside, before it compares the text.
        let command = try Commands.Running(
            "strace",
            ["-D", "-o", "\(spool.out)/trace", "-e", "trace=renameat", "-e", "inject=renameat:signal=STOP:when=1"]
                + [SubmitWaitTests.ctl, "unschedule", "k"], environment: spool.environment)
        try spool.wait(for: "the file to be aside") { try spool.linesNow("trace").contains { $0.contains("stopped by SIGSTOP") } }
        #expect(!Files.exists(file))
        let aside = try #require(try Files.list("\(spool.path)/tmp").first)
        try Files.write("\(spool.path)/tmp/\(aside)", edited)
        command.child.kill(SIGCONT)
        let end = try command.end()
        #expect(end.code == 1 && end.error.contains("schedules/k.toml was changed by another program meanwhile"), "\(end)")
        #expect(try Files.text(file) == edited && Files.list("\(spool.path)/tmp").isEmpty)
        #expect(try spool.ctl("unschedule", "k").code == 0)
        #expect(!Files.exists(file))
    }

    @Test("M4: Of updates at the same time, each that succeeds is in the task's file")
    func atOnce() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--", "true").code == 0)
        var expected: [String] = []
        for round in 0..<10 {
            let updates = try (0..<4).map { number in
                let name = "V\(round)_\(number)"
                let words = ["update", "t", "-E", "\(name)=1"]
                return (name, try Commands.Running(SubmitWaitTests.ctl, words, environment: spool.environment))
            }
            for (name, update) in updates {
                let end = try update.end()
                if end.code == 0 { expected.append(name) } else { #expect(end.error.contains("by another program meanwhile"), "\(end)") }
            }
            let text = try Files.text("\(spool.path)/tasks/t.toml")
            let lost = expected.filter { !text.contains("\($0) = ") }
            #expect(lost.isEmpty, "\(lost) of \(expected): \(text)")
        }
        #expect(try Files.list("\(spool.path)/tmp").isEmpty)
        // The daemon has read the last text.
        try spool.wait(for: "the last text") { try spool.ctl("show", "t").output.contains(expected.last ?? "") }
    }

    @Test("M4: A file system that cannot exchange two files has the new text all the same",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func withoutExchange() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "t", "--", "true").code == 0)
        let result = try Commands.run(
            "strace",
            ["-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL"]
                + [SubmitWaitTests.ctl, "--spool", spool.path, "update", "t", "--priority", "4"])
        #expect(result.code == 0, "\(result)")
        #expect(try Files.text("\(spool.path)/tasks/t.toml").contains("priority = 4") && Files.list("\(spool.path)/tmp").isEmpty)
    }

    @Test("When the disk is full, a change leaves nothing in tmp/", .enabled(if: Commands.has("strace"), "strace is not installed"))
    func fullDisk() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "t", "--", "true").code == 0)
        let id = try spool.ctl("submit", "--in", "1h", "--", "true").id
        for words in [["update", "t", "--priority", "4"], ["update", id, "--priority", "4"], ["create", "u", "--", "true"]] {
            let result = try Commands.run(
                "strace",
                ["-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=ENOSPC:when=1"]
                    + [SubmitWaitTests.ctl, "--spool", spool.path] + words)
            #expect(result.code == 1 && result.error.contains("No space left"), "\(words): \(result)")
            #expect(try Files.list("\(spool.path)/tmp").isEmpty, "\(words)")
        }
    }

    @Test("M4: edit of a task that does not exist begins one from a template; one that is left unchanged creates nothing")
    func template() throws {
        let spool = try SpoolUnderTest()
        func edit(_ editor: String) throws -> Commands.Result {
            try Commands.run(SubmitWaitTests.ctl, ["edit", "fresh"], environment: spool.environment + ["EDITOR=\(editor)"])
        }
        let unchanged = try edit("true")
        #expect(unchanged.code == 0 && unchanged.error.contains("nothing was changed"), "\(unchanged)")
        #expect(try Files.list("\(spool.path)/tasks").isEmpty && Files.list("\(spool.path)/tmp").isEmpty)
        let created = try edit("sed -i 's/^command.*/command = \"true\"/; s/^# \\[\\[/[[/; s/^# cron/cron/'")
        #expect(created.code == 0, "\(created)")
        #expect(try spool.ctl("show", "fresh").output.contains("30 2 * * *"))
    }

    // MARK: Limits

    @Test("P6: extend --to makes a limit shorter, and extend adds one to a job without a limit")
    func limits() throws {
        let spool = try SpoolUnderTest()
        let long = try spool.ctl("submit", "--timeout", "1h", "echo > \(spool.out)/long; sleep 600").id
        try spool.output("long")
        let limit = try spool.shortenTimeout(of: long)
        #expect(try spool.ctl("wait", long).code == 124)
        let why = try spool.ctl("why", long).output
        #expect(why.contains("it ran longer than its timeout of \(limit)"), "\(limit): \(why)")
        let hour = try spool.ctl("submit", "echo > \(spool.out)/hour; sleep 100000").id
        try spool.output("hour")
        #expect(try spool.ctl("extend", "--to", "0", hour).errors.contains("--to must be more than 0; spoolctl cancel ends"))
        // Without a unit both mean seconds, and the same limit twice is no error.
        for words in [["--to", "3600"], ["--to", "1h"], ["3600"], ["--to", "7200s"]] {
            let result = try spool.ctl(list: ["extend"] + words + [hour])
            #expect(result.code == 0 && result.output.contains("may run until 20"), "\(words): \(result)")
        }
        spool.zone = "Asia/Tokyo"
        // Less than 40 minutes have passed since the job's start.
        let screen = try TmuxScreen(spool, columns: 160, "spoolctl extend 2400 \(hour); read x")
        let shown = try screen.shows("may run until ")
        #expect(shown.contains(" JST, in 2h"), "\(shown)")
        spool.zone = "UTC"
        _ = try spool.ctl("cancel", hour)
        let endless = try spool.ctl("submit", "echo > \(spool.out)/endless; sleep 600").id
        try spool.output("endless")
        #expect(try spool.ctl("extend", "100ms", endless).output.contains("may run until"))
        #expect(try spool.ctl("wait", endless).code == 124)
    }
}

extension SpoolUnderTest {
    /// Makes the timeout of a running job as short as the time for which it has run allows: a job that has run for longer cannot get the
    /// limit. Returns the limit as commands write it. The job ends by it soon.
    func shortenTimeout(of id: String) throws -> String {
        let limits = [
            (1, "1.0s"), (2, "2.0s"), (4, "4.0s"), (8, "8.0s"), (16, "16.0s"), (32, "32.0s"), (64, "1m04s"), (128, "2m08s"), (256, "4m16s"),
        ]
        for (seconds, text) in limits {
            let result = try ctl("extend", "--to", "\(seconds)s", id)
            if result.code == 0 { return text }
            guard result.errors.contains("already; spoolctl cancel ends it") else { throw failure("extend: \(result)") }
        }
        throw failure("\(id) has run for more than four minutes")
    }
}
