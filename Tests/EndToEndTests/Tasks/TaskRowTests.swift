import Documents
import Glibc
import Linux
import Testing

/// Tasks with stored schedules, as users work with them: rows M.
@Suite("Tasks that are kept", .ownThreads)
struct TaskRowTests {
    static let longest = String(repeating: "n", count: 64)

    @Test("M1: a task has a unique name of letters, digits, dot, dash and underscore; one that is taken or is no name is an error")
    func names() throws {
        let spool = try SpoolUnderTest(starting: false)
        for name in ["a", "Backup.2026-x_9", "9", Self.longest] {
            let result = try spool.ctl("create", name, "--", "echo", "first")
            #expect(result.code == 0, "\(result.errors)")
        }
        let again = try spool.ctl("create", "a", "--", "echo", "second")
        #expect(again.code == 1 && again.errors == "spoolctl: task \"a\" exists; spoolctl update changes it\n", "\(again.errors)")
        #expect(try Files.text("\(spool.path)/tasks/a.toml").contains("first"))
        for name in ["", ".a", "-a", "a b", "a/b", "ä", Self.longest + "n"] {
            let result = try spool.ctl("create", "--", name, "true")
            #expect(result.code == 4 && result.errors.contains("is not a"), "\(name): \(result.code) \(result.errors)")
        }
        #expect(try Files.list("\(spool.path)/tasks").count == 4)
    }

    @Test("M2: a task may have a description, which is shown with it and with its runs")
    func description() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--description", "Cleans the \"attic\", daily", "--", "true").code == 0)
        #expect(try spool.ctl("create", "bare", "--", "true").code == 0)
        #expect(try spool.ctl("show", "t").rows.contains(["description", "Cleans the \"attic\", daily"]))
        #expect(try spool.ctl("list", "--json").objects.map { $0.text("description") } == [nil, "Cleans the \"attic\", daily"])
        let run = try spool.ctl("run", "-w", "t")
        #expect(try spool.ctl("status", run.id).rows.contains(["description", "Cleans the \"attic\", daily"]), "\(run.errors)")
    }

    @Test("A task or job may have a title with blanks, which is shown with it and with its runs")
    func title() throws {
        let spool = try SpoolUnderTest()
        let title = "Nightly dump, “всё”"
        #expect(try spool.ctl("create", "t", "--title", title, "--", "true").code == 0)
        #expect(try spool.ctl("show", "t").rows.contains(["title", title]))
        #expect(try spool.ctl("list", "--json").objects.map { $0.text("title") } == [title])
        let run = try spool.ctl("run", "-w", "t")
        #expect(try spool.ctl("status", run.id).rows.contains(["title", title]), "\(run.errors)")
        #expect(try spool.ctl("jobs", "--text", "nightly D", "--json").objects.map { $0.text("title") } == [title])
        let job = try spool.ctl("submit", "-w", "--title", "One off", "--", "true")
        #expect(try spool.ctl("status", job.id).rows.contains(["title", "One off"]))
        let bad = try spool.ctl("create", "u", "--title", "a\u{202E}b", "--", "true")
        #expect(bad.code == 4 && bad.errors.contains("--title"), "\(bad.errors)")
        let blank = try spool.ctl("create", "Nightly dump", "--", "true")
        #expect(blank.code == 4 && blank.errors.contains("--title \"Nightly dump\""), "\(blank.errors)")
    }

    @Test("M3: any number of due dates and repetitions are given at creation, at once")
    func manySchedules() throws {
        let spool = try SpoolUnderTest(starting: false)
        let options = [
            "--at", "2099-01-01T10:00:00Z", "--at", "2099-02-01T10:00:00Z", "--every", "5 minutes", "--every", "1h", "--cron", "0 5 * * *",
            "--cron", "@weekly",
            "--calendar", "Mon 09:00", "--pattern", "50.seconds", "--pattern", "**.01.05.00.00", "--rrule", "FREQ=YEARLY",
            "--dtstart", "2026-01-01",
        ]
        let created = try spool.ctl(list: ["create", "t"] + options + ["--", "true"])
        #expect(created.code == 0, "\(created.errors)")
        guard case .table(let task) = try spool.ctl("show", "t", "--json").json.kind, case .array(let schedules)? = task["schedules"]?.kind
        else {
            return #expect(Bool(false), "no schedules")
        }
        #expect(schedules.count == 10)
        #expect(Set(try spool.ctl("show", "t", "-q").lines).count == 10, "each has an id of its own")
        let due = try spool.ctl("next", "t", "-n", "200", "--json").objects.compactMap { $0.text("schedule") }
        #expect(Set(due).isSubset(of: Set(try spool.ctl("show", "t", "-q").lines)) && Set(due).count > 1)
    }

    @Test("M4: update changes the body and the description, and leaves the schedules as they are")
    func update() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--description", "old", "--every", "1h", "--at", "2099-01-01", "--", "echo", "old").code == 0)
        let file = try spool.ctl("schedule", "t", "--every", "2h").id
        try spool.logLine("event=defined", "file=schedules/\(file)")
        let before = try spool.ctl("show", "t", "--schedules")
        let seen = spool.logLength
        #expect(try spool.ctl("update", "t", "--description", "new", "--", "echo", "new").code == 0)
        try spool.logLine("event=defined", "file=tasks/t", after: seen)
        #expect(try spool.ctl("show", "t", "--schedules").output == before.output, "ids, and when each is due next")
        #expect(try spool.ctl("show", "t").rows.contains(["description", "new"]))
        let run = try spool.ctl("run", "-w", "t")
        #expect(try spool.ctl("logs", run.id).output == "new\n")
    }

    @Test("M5: an existing task gets schedules, for one time or repeated, and the unique id of each is printed")
    func schedule() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--overlap", "allow", "--", "true").code == 0)
        let once = try spool.takenInTime(from: 1) { seconds in
            let once = try spool.ctl("schedule", "t", "--at", "in \(seconds) s")
            return ("schedules/\(once.id)", once)
        }
        let often = try spool.ctl("schedule", "t", "--every", "1 second")
        let other = try spool.ctl("schedule", "t", "--every", "1 second", "--payload", "2")
        let ids = [once, often, other].map(\.id)
        #expect([once, often, other].allSatisfy { $0.code == 0 && $0.lines.count == 1 } && Set(ids).count == 3)
        for id in ids { try spool.wait(for: "a run by \(id)") { try spool.ended("t").contains { $0.string("schedule") == id } } }
        #expect(try spool.ctl("jobs", "--count", "--schedule", once.id).output == "1\n")
        #expect(try spool.ctl("schedule", "nosuch", "--every", "1h").code == 3)
    }

    @Test("M6: one schedule is removed by its id, in a file of its own or the task's, and the others stay")
    func unschedule() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--cron", "0 5 * * *", "--every", "1h", "--", "true").code == 0)
        let own = try spool.ctl("schedule", "t", "--at", "2099-01-01").id
        let ids = try spool.ctl("show", "t", "-q").lines
        #expect(ids.count == 3 && ids.contains(own))
        for (index, id) in ids.enumerated() {
            #expect(try spool.ctl("unschedule", id).code == 0)
            #expect(try spool.ctl("show", "t", "-q").lines == Array(ids[(index + 1)...]))
            #expect(try spool.ctl("unschedule", id).code == 3)
        }
        #expect(try spool.ctl("run", "-w", "t").code == 0)
    }

    @Test("M7: run starts a task at once by its name; an unknown one is an error")
    func run() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--cron", "0 0 1 1 *", "--", "sh", "-c", "echo $SPOOL_TASK; exit 3").code == 0)
        let run = try spool.ctl("run", "t")
        #expect(run.code == 0 && SpoolUnderTest.name(inID: run.id) == "t")
        #expect(try spool.ctl("wait", run.id).code == 3)
        #expect(try spool.ctl("logs", run.id).output == "t\n")
        let unknown = try spool.ctl("run", "tt")
        #expect(unknown.code == 3 && unknown.errors.hasPrefix("spoolctl: there is no task \"tt\""), "\(unknown.errors)")
    }

    @Test("M8: delete removes a task with all its schedules, and nothing of it is due any more")
    func delete() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--cron", "* * * * * *", "--", "true").code == 0)
        let schedules = try ["1s", "1h"].map { try spool.ctl("schedule", "t", "--every", $0).id }
        #expect(try spool.ctl("create", "other", "--every", "1h", "--", "true").code == 0)
        for id in schedules { try spool.logLine("event=defined", "file=schedules/\(id)") }
        _ = try spool.end(of: "t")
        #expect(try spool.ctl("delete", "t", "-f").code == 0)
        try spool.logLine("event=removed", "file=tasks/t")
        for id in schedules { try spool.logLine("event=removed", "file=schedules/\(id)") }
        #expect(try Files.list("\(spool.path)/schedules").isEmpty && Files.list("\(spool.path)/tasks") == ["other.toml"])
        #expect(try spool.ctl("next", "--json").objects.allSatisfy { $0.text("task") == "other" })
        try spool.wait(for: "the end of the jobs that had been due") {
            try spool.jobs(in: "new").isEmpty && spool.jobs(in: "running").isEmpty
        }
        let count = try spool.ended("t").count
        try spool.drop("clock.toml", "command = [\"true\"]\nstart = \"in 2 s\"")
        _ = try spool.end(of: "clock")
        #expect(try spool.ended("t").count == count)
    }

    @Test("M9: show gives a task's body and description, and its schedules on request")
    func show() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(
            try spool.ctl(
                "create", "t", "--description", "what for", "--payload", "{\"a\": 1}", "--cron", "0 5 * * *", "--", "cat", "-n").code
                == 0)
        let rows = try spool.ctl("show", "t").rows
        for row in [["name", "t"], ["description", "what for"], ["command", "[\"cat\",\"-n\"]"], ["payload", "{\"a\":1}"]] {
            #expect(rows.contains(row), "\(row)")
        }
        let schedules = try spool.ctl("show", "t", "--schedules").rows
        #expect(schedules.count == 1 && schedules[0][1...2] == ["cron \"0 5 * * *\"", "UTC"])
        guard case .table(let task) = try spool.ctl("show", "t", "--json").json.kind,
            case .table(let definition)? = task["definition"]?.kind
        else {
            return #expect(Bool(false), "no definition")
        }
        #expect(task.text("name") == "t" && definition.text("description") == "what for" && task.text("changed_at") != nil)
        #expect(try spool.ctl("show", "none").code == 3)
    }

    @Test("show says when a task was created: later definitions and restarts keep the time, and it goes with the task")
    func created() throws {
        let spool = try SpoolUnderTest()
        func created() throws -> String? {
            guard case .table(let task) = try spool.ctl("show", "t", "--json").json.kind else { return nil }
            return task.text("created_at")
        }
        let before = Clock.now()
        try spool.acceptedTask("t", "command = 'true'")
        let first = try #require(try created())
        #expect(try spool.second(first) >= Int(before / 1000))
        #expect(try spool.ctl("show", "t").rows.contains { $0[0] == "created" && $0[1].hasPrefix(first.prefix(10)) })
        try spool.acceptedTask("t", "command = 'true'\ntitle = 'other'")
        #expect(try created() == first)
        // The next daemon reads it from the journal.
        try spool.restart()
        #expect(try created() == first)
        let seen = spool.logLength
        #expect(try spool.ctl("delete", "-f", "t").code == 0)
        try spool.logLine("event=removed", "file=tasks/t", after: seen)
        // A name that is defined again is a new task.
        try spool.acceptedTask("t", "command = 'true'")
        #expect(try #require(try created()) > first)
        // A file that no daemon has taken up has no such time.
        try spool.stop()
        try spool.task("u", "command = 'true'")
        let rows = try spool.ctl("show", "u").rows
        #expect(!rows.contains { $0[0] == "created" } && rows.contains { $0[0] == "changed" })
    }

    @Test("M11: a copy of the directory is a full backup, next due dates included")
    func backup() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'echo kept'\n[[schedule]]\nevery = \"1h\"\n[[schedule]]\nat = \"2099-01-01\"")
        #expect(try spool.ctl("schedule", "t", "--every", "90 minutes", "--id", "own").code == 0)
        try spool.logLine("event=defined", "file=schedules/own")
        let ended = try spool.ctl("run", "-w", "t").id
        let waiting = try spool.ctl("submit", "--in", "2h", "--name", "later", "--", "true").id
        try spool.logLine("event=accepted", waiting)
        let due = try spool.ctl("next", "-n", "3", "-q")
        let copy = try SpoolUnderTest(starting: false)
        // The daemon keeps running, but has nothing to do.
        try Commands.succeed("cp", "-a", "\(spool.path)/.", copy.path)
        try copy.start()
        #expect(due.lines.count == 3)
        #expect(try copy.ctl("next", "-n", "3", "-q").output == due.output)
        #expect(try copy.ctl("jobs", "-q").lines.sorted() == [ended, waiting].sorted())
        #expect(try copy.ctl("logs", ended).output == "kept\n")
        #expect(try copy.ctl("run", "-w", "t").code == 0)
    }

    @Test("M13: a due date in the past is refused when it is given; dates are UTC unless they say otherwise")
    func past() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]")
        for arguments in [
            ["create", "p", "--at", "2020-01-01", "--", "true"], ["schedule", "t", "--at", "2025-12-31T23:59:59Z"],
            ["schedule", "t", "--at", "@0"],
        ]
        {
            let result = try spool.ctl(list: arguments)
            #expect(result.code == 4 && result.errors.contains("in the past"), "\(arguments): \(result.errors)")
        }
        #expect(try Files.list("\(spool.path)/schedules").isEmpty && Files.list("\(spool.path)/tasks") == ["t.toml"])
        try spool.define("schedules/s.toml", "task = \"t\"\nat = \"2020-01-01\"")
        try spool.logLine("event=refused", "file=schedules/s", "past")
        try spool.define("schedules/s.toml", "task = \"t\"\nat = \"2099-01-01\"")
        try spool.wait(for: "the problem to be gone") { try TaskTests.problems(spool).isEmpty }
        let dates = [
            ("2099-06-01 12:00", "2099-06-01T12:00:00.000Z"), ("2099-06-01T12:00:00+02:00", "2099-06-01T10:00:00.000Z"),
            ("2099-06-01", "2099-06-01T00:00:00.000Z"),
        ]
        for (text, utc) in dates { #expect(try spool.ctl("next", "--at", text, "-q").lines == [utc]) }
        #expect(try spool.ctl("next", "--at", "2099-06-01 12:00", "--timezone", "Asia/Tokyo", "-q").lines == ["2099-06-01T03:00:00.000Z"])
    }

    static let patterns: [(pattern: String, due: [String])] = [
        ("50.seconds", ["2026-01-31T00:00:50", "2026-01-31T00:01:40"]), ("1.second", ["2026-01-31T00:00:01", "2026-01-31T00:00:02"]),
        ("3.minutes", ["2026-01-31T00:03:00", "2026-01-31T00:06:00"]), ("25.hours", ["2026-02-01T01:00:00", "2026-02-02T02:00:00"]),
        ("2.days", ["2026-02-02T00:00:00", "2026-02-04T00:00:00"]), ("12.weeks", ["2026-04-25T00:00:00", "2026-07-18T00:00:00"]),
        ("1.month", ["2026-02-28T00:00:00", "2026-03-31T00:00:00"]), ("1000.months", ["2109-05-31T00:00:00", "2192-09-30T00:00:00"]),
        ("1000000000.seconds", ["2057-10-09T01:46:40", "2089-06-17T03:33:20"]),
    ]

    @Test("M14: interval patterns of seconds, minutes, hours, days, weeks and months, of any size", arguments: patterns)
    func intervals(_ row: (pattern: String, due: [String])) throws {
        let spool = try SpoolUnderTest(starting: false)
        let next = try spool.ctl("next", "--pattern", row.pattern, "--from", "2026-01-31T00:00:00Z", "-n", "2", "-q")
        #expect(next.lines == row.due.map { "\($0).000Z" }, "\(next.errors)")
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\npattern = \"\(row.pattern)\"")
        try spool.start()
        try spool.logLine("event=defined", "file=tasks/t")
        #expect(!spool.log.contains("event=refused"))
    }

    static let wallPatterns: [(pattern: String, due: [String])] = [
        ("**.01.05.00.00", ["2026-02-01T05:00:00", "2026-03-01T05:00:00", "2026-04-01T05:00:00"]),
        ("01|02.05|15.05.00.00", ["2026-02-05T05:00:00", "2026-02-15T05:00:00", "2027-01-05T05:00:00"]),
        ("**.**.10.30.59", ["2026-01-31T10:30:59", "2026-02-01T10:30:59", "2026-02-02T10:30:59"]),
        ("02.29.00.00.00", ["2028-02-29T00:00:00", "2032-02-29T00:00:00", "2036-02-29T00:00:00"]),
    ]

    @Test("M15: month patterns MM.dd.HH.mm.ss, with ** for any month or day and lists with |", arguments: wallPatterns)
    func monthPatterns(_ row: (pattern: String, due: [String])) throws { try isDue(row.pattern, row.due) }

    static let weekdayPatterns: [(pattern: String, due: [String])] = [
        ("saturday|sunday.22.00.00", ["2026-01-31T22:00:00", "2026-02-01T22:00:00", "2026-02-07T22:00:00"]),
        ("SatURday.22.00.00", ["2026-01-31T22:00:00", "2026-02-07T22:00:00", "2026-02-14T22:00:00"]),
        ("**.22.00.00", ["2026-01-31T22:00:00", "2026-02-01T22:00:00", "2026-02-02T22:00:00"]),
        ("Monday|WEDNESDAY|friday.00.00.01", ["2026-02-02T00:00:01", "2026-02-04T00:00:01", "2026-02-06T00:00:01"]),
    ]

    @Test("M16: weekday patterns, in any case, with ** for every day", arguments: weekdayPatterns)
    func weekdays(_ row: (pattern: String, due: [String])) throws { try isDue(row.pattern, row.due) }

    /// Checks that `next` prints the same due times for the pattern alone and for a task in the spool.
    private func isDue(_ pattern: String, _ due: [String]) throws {
        let spool = try SpoolUnderTest(starting: false)
        let expected = due.map { "\($0).000Z" }
        let asked = try spool.ctl("next", "--pattern", pattern, "--from", "2026-01-31T00:00:00Z", "-n", "3", "-q")
        #expect(asked.lines == expected, "\(asked.errors)")
        #expect(try spool.ctl("create", "t", "--pattern", pattern, "--", "true").code == 0)
        #expect(
            try spool.ctl("next", "t", "--from", "2026-01-31T00:00:00Z", "-n", "3", "--json").objects.map { $0.text("due") } == expected)
    }

    @Test(
        "M18: the next due date is computed when the run has ended: a slow task neither overlaps itself nor floods",
        arguments: ["every = \"100ms\"", "pattern = \"1.seconds\""]
    )
    func slowTask(_ schedule: String) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.task(
            "slow", "command = 'echo x >> \(spool.out)/began; read x < \(gate.path)'\noverlap = \"allow\"\n[[schedule]]\n\(schedule)")
        try spool.lines("began", count: 1)
        // The wait is many intervals long by the daemon's own clock.
        try spool.drop("clock.toml", "command = [\"true\"]\nstart = \"in 3 s\"")
        _ = try spool.end(of: "clock")
        #expect(try spool.jobs(in: "running", named: "slow").count == 1 && spool.jobs(in: "new", named: "slow").isEmpty)
        #expect(try spool.linesNow("began").count == 1)
        try gate.release(2)
        let runs = try spool.ended("slow", count: 2)
        #expect(runs[0].string("ended_at") ?? "z" < runs[1].due, "due after the run before has ended")
        #expect(!spool.log.contains("event=skipped"))
    }

    static let slots: [(configuration: String, count: Int)] = [("slots = 3", 3), ("", 8)]

    @Test("M19: no more jobs run at once than there are slots, 8 by default; the rest wait their turn", arguments: slots)
    func atOnce(_ row: (configuration: String, count: Int)) throws {
        let spool = try SpoolUnderTest(configuration: row.configuration)
        let gate = try spool.gate()
        let all = row.count + 4
        for index in 0..<all { try spool.drop("job-\(index).toml", "command = 'echo x >> \(spool.out)/began; read x < \(gate.path)'") }
        try spool.lines("began", count: row.count)
        for done in 1...all {
            #expect(try spool.jobs(in: "running").count <= row.count)
            #expect(try spool.linesNow("began").count == min(all, row.count - 1 + done))
            try gate.release()
            try spool.ended(count: done)
            try spool.lines("began", count: min(all, row.count + done))
        }
    }

    @Test("M20: thousands of schedules have one timer, and each due task runs")
    func manyTasks() throws {
        let spool = try SpoolUnderTest(starting: false)
        for index in 0..<3000 {
            try Files.write(
                "\(spool.path)/tasks/t\(index).toml",
                "command = [\"true\"]\n[[schedule]]\ncron = \"\(index % 60) \(index % 24) 1 1 *\"\n[[schedule]]\nat = 2099-01-01T00:00:00Z")
        }
        try spool.task("tick", "command = [\"true\"]\n" + TaskTests.eachSecond)
        try spool.start()
        #expect(try spool.ended("tick", count: 2).allSatisfy { $0.outcome == "done 0" })
        #expect(try spool.ctl("list", "--names").lines.count == 3001)
        let descriptors = "/proc/\(spool.daemon?.pid ?? 0)/fd"
        let timers = try Files.list(descriptors).filter { name in
            // A descriptor that was closed meanwhile cannot be read, and is not counted.
            (try? Directory.open(descriptors).readSymbolicLink(name))?.contains("timerfd") == true
        }
        #expect(timers.count == 1)
    }

    @Test("M21: a stored invocation is run later because something happened elsewhere: a file was dropped, a job has ended")
    func happenings() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.acceptedTask("stored", "command = [\"cat\"]\npayload = \"its own\"")
        try spool.drop("elsewhere.toml", "task = \"stored\"\npayload = {from = \"a file\"}")
        let dropped = try spool.end(of: "elsewhere")
        #expect(try dropped.string("task") == "stored" && dropped.stdout == "{\"from\":\"a file\"}")
        try spool.drop("first.toml", "command = 'read x < \(gate.path)'")
        let first = try spool.running("first").id
        try spool.drop("second.toml", "task = \"stored\"\nafter = [\"\(first)\"]")
        #expect(try spool.runsOn())
        #expect(try spool.ended("second").isEmpty)
        try gate.release()
        let second = try spool.end(of: "second")
        #expect(try second.stdout == "\"its own\"")
        #expect(try second.string("started_at") ?? "" >= spool.end(of: "first").string("ended_at") ?? "z")
    }
}
