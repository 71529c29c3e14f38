import Documents
import Glibc
import Linux
import Testing

@Suite("Tasks and schedules", .ownThreads)
struct TaskTests {
    static let eachSecond = "[[schedule]]\ncron = \"* * * * * *\"\n"

    // MARK: Adding, changing, removing

    @Test("A10: a task that is added while spoold runs runs at its due times, and each run gets its own due time")
    func takenUp() throws {
        let spool = try SpoolUnderTest()
        try spool.task(
            "tick",
            "command = 'echo $SPOOL_TASK $SPOOL_SCHEDULE $SPOOL_DUE; cat'\npayload = 1\n" + Self.eachSecond
                + "id = \"sec\"\npayload = {from = \"schedule\"}")
        let runs = try spool.ended("tick", count: 3)
        #expect(Set(runs.map(\.due)).count == runs.count)
        for run in runs {
            #expect(run.outcome == "done 0")
            #expect(run.due.hasSuffix(".000Z"), "a due time is a whole second")
            #expect(try run.stdout == "tick sec \(run.due)\n{\"from\":\"schedule\"}")
            #expect(run.string("task") == "tick" && run.string("schedule") == "sec")
            #expect(run.due <= run.string("started_at") ?? "", "never early")
            #expect(run.id.hasPrefix(run.due.filter { $0 != "-" && $0 != ":" } + "-tick-"), "the id follows from the due time")
        }
    }

    @Test("A10: a changed task runs with its new command, and a removed one runs no more, even while a run of it goes on")
    func changed() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.task("t", "command = 'echo old'\n" + Self.eachSecond)
        #expect(try spool.end(of: "t").stdout == "old\n")
        try spool.acceptedTask("t", "command = 'echo $SPOOL_JOB_ID > \(spool.out)/now; read x < \(gate.path)'\n" + Self.eachSecond)
        let running = try spool.lines("now", count: 1)[0]
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed", "file=tasks/t")
        // A run that waits for the present run still runs, because it was due while the task existed.
        let last = try spool.journal().last { $0.kind == "accepted" && $0.fields["task"] == "t" }?.fields["due"] ?? ""
        try gate.release(2)
        try spool.drop("clock.toml", "command = [\"true\"]\nstart = \"in 2 s\"")
        _ = try spool.end(of: "clock")
        try spool.wait(for: "all runs to end") { try spool.jobs(in: "new").isEmpty && spool.jobs(in: "running").isEmpty }
        let runs = try spool.ended("t")
        #expect(runs.last?.due == last)
        #expect(runs.allSatisfy { $0.outcome == "done 0" })
        #expect(runs.contains { $0.id == running })
    }

    @Test("A file that is written while spoold runs gets its stamp soon after, so that the next start does not read it")
    func stampedSoon() throws {
        let spool = try SpoolUnderTest()
        func hasStamp(_ file: String, after count: Int) throws -> Bool {
            try spool.journal().dropFirst(count).contains { $0.fields["file"] == file && $0.fields["stamp"] != nil }
        }
        try spool.acceptedTask("t", "command = [\"true\"]\n")
        try spool.wait(for: "the stamp of the new file") { try hasStamp("tasks/t", after: 0) }
        let count = try spool.journal().count
        try spool.acceptedTask("t", "command = [\"false\"]\n")
        try spool.wait(for: "the stamp of the edited file") { try hasStamp("tasks/t", after: count) }
    }

    @Test("Renaming a task's file renames the task")
    func renamed() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("before", "command = [\"true\"]\n" + Self.eachSecond)
        try Files.rename("\(spool.path)/tasks/before.toml", "\(spool.path)/tasks/after.toml")
        try spool.logLine("event=removed", "file=tasks/before")
        #expect(try spool.end(of: "after").outcome == "done 0")
        let change = try #require(try spool.journal().firstIndex { $0.kind == "undefined" })
        #expect(try spool.journal()[change...].allSatisfy { $0.fields["task"] != "before" || $0.kind != "accepted" })
    }

    @Test("A task with two files is an error on both, and the one that was accepted before stays in force")
    func twoFiles() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("a", "command = 'echo toml'")
        try spool.define("tasks/a.json", "{\"command\": \"echo json\"}")
        try spool.logLine("event=refused", "file=tasks/a", "a.json", "a.toml")
        try spool.wait(for: "the problem in status.json") { try Self.problems(spool).count == 1 }
        try spool.drop("one.toml", "task = \"a\"")
        #expect(try spool.end(of: "one").stdout == "toml\n")
        try Files.remove("\(spool.path)/tasks/a.toml")
        try spool.wait(for: "the problem to be gone") { try Self.problems(spool).isEmpty }
        try spool.drop("two.toml", "task = \"a\"")
        #expect(try spool.end(of: "two").stdout == "json\n")
    }

    @Test("When a task has two files at the start, neither is used")
    func twoFilesAtFirst() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.define("tasks/a.toml", "command = 'echo toml'")
        try spool.define("tasks/a.json", "{\"command\": \"echo json\"}")
        try spool.start()
        try spool.drop("one.toml", "task = \"a\"")
        #expect(try spool.end(of: "one").outcome == "failed rejected")
        try Files.remove("\(spool.path)/tasks/a.json")
        try spool.logLine("event=defined", "file=tasks/a")
        try spool.drop("two.toml", "task = \"a\"")
        #expect(try spool.end(of: "two").stdout == "toml\n")
    }

    static func problems(_ spool: SpoolUnderTest) throws -> [String] {
        guard case .array(let problems)? = try spool.daemonStatus()?["problems"]?.kind else { return [] }
        return problems.map { problem in
            guard case .table(let table) = problem.kind, case .string(let message)? = table["message"]?.kind else { return "" }
            return message
        }
    }

    static let badEdits: [(text: String, error: String)] = [
        ("command = 'echo new'\n[[schedule]]\ncron = \"61 * * * * *\"", "tasks/t.toml:3:9: "),
        ("command = 'echo new'\n[[schedule]]\ncorn = \"* * * * * *\"", "tasks/t.toml:3:1: "),
        ("command = 'echo new'\n[schedule]\ncron = \"* * * * *\"", "tasks/t.toml:2:"),
        ("comand = 'echo new'", "tasks/t.toml:1:1: unknown key \"comand\""),
        ("command = 'echo new'\ntask = \"t\"", "tasks/t.toml:2:8: "),
        ("command = ", "tasks/t.toml:1:"),
        ("", "tasks/t.toml:1:1: "),
    ]

    @Test("N5: a bad edit never stops a schedule: the definition accepted last stays in force, across a restart too", arguments: badEdits)
    func badEdit(_ row: (text: String, error: String)) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'echo old'\noverlap = \"allow\"\n" + Self.eachSecond)
        try spool.task("t", row.text)
        try spool.logLine("event=refused", "file=tasks/t", row.error.replacing("\"", with: "\\\""), "in_force=\"the last")
        try spool.wait(for: "the problem in status.json") { try Self.problems(spool).contains { $0.contains(row.error) } }
        let count = try spool.ended("t").count
        try spool.ended("t", count: count + 1)
        try spool.restart()
        try spool.wait(for: "the problem to be reported again") { try Self.problems(spool).contains { $0.contains(row.error) } }
        let after = try spool.ended("t").count
        for run in try spool.ended("t", count: after + 2) { #expect(try run.stdout == "old\n") }
        try spool.acceptedTask("t", "command = 'echo right'\n" + Self.eachSecond)
        try spool.wait(for: "a run as it is now") { try spool.ended("t").contains { try $0.stdout == "right\n" } }
        try spool.wait(for: "the problem to be gone") { try Self.problems(spool).isEmpty }
    }

    @Test("A task that was never valid is refused, reported once, and accepted when it is valid")
    func neverRight() throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = 1")
        try spool.logLine("event=refused", "tasks/t.toml:1:11: ", "in_force=none")
        try spool.acceptedTask("t", "command = 'echo right'")
        try spool.drop("j.toml", "task = \"t\"")
        #expect(try spool.end(of: "j").stdout == "right\n")
        #expect(spool.log.split(separator: "\n").filter { $0.contains("event=refused") }.count == 1)
    }

    @Test("N5: a definition that somebody is writing when the daemon starts stays in force as it was")
    func writtenAtStart() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'echo old'\n[[schedule]]\ncron = '0 1 * * *'")
        try Files.write("\(spool.path)/schedules/s.toml", "task = 't'\ncron = '0 2 * * *'\n")
        try spool.wait(for: "the schedule") { try spool.journal().contains { $0.kind == "defined" && $0.fields["file"] == "schedules/s" } }
        #expect(try spool.stop() == 0)
        let files = try ["tasks/t.toml", "schedules/s.toml"].map { path in
            try FileDescriptor.open("\(spool.path)/\(path)", O_WRONLY | O_TRUNC).release()
        }
        try spool.start()
        #expect(try spool.runsOn())
        #expect(try spool.journal().allSatisfy { $0.kind != "undefined" && $0.kind != "unscheduled" })
        #expect(try spool.ctl("run", "--wait", "t").output == "old\n")
        let status = spool.statusText
        #expect(status.contains("\"next_due\""), "\(status)")
        try spool.restart()
        #expect(try spool.ctl("run", "--wait", "t").output == "old\n")
        for (raw, text) in zip(files, ["command = 'echo new'\n", "task = 't'\ncron = '0 3 * * *'\n"]) {
            try FileDescriptor(owning: raw).write(Array(text.utf8))
        }
        try spool.wait(for: "the new texts") { try spool.journal().count { $0.kind == "defined" } >= 4 }
        #expect(try spool.ctl("run", "--wait", "t").output == "new\n")
    }

    @Test("A task that is written slowly in place is read when it is closed", arguments: ["new", "edit"])
    func slowTask(_ what: String) throws {
        let spool = try SpoolUnderTest()
        if what == "edit" { try spool.acceptedTask("t", "command = 'echo old'") }
        let open = try FileDescriptor.open("\(spool.path)/tasks/t.toml", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try open.write(Array("command = ".utf8))
        #expect(try spool.runsOn())
        try open.write(Array("'echo new'".utf8))
        let seen = spool.logLength
        close(open.release())
        try spool.logLine("event=defined", after: seen)
        try spool.drop("j.toml", "task = \"t\"")
        #expect(try spool.end(of: "j").stdout == "new\n")
        #expect(!spool.log.contains("event=refused"))
    }

    // MARK: Kinds of schedules

    static let schedules: [(what: String, text: String, count: Int)] = [
        ("cron with seconds", "cron = \"* * * * * *\"", 2),
        ("cron with a step", "cron = \"*/1 * * * * *\"", 2),
        ("@every", "cron = \"@every 1s\"", 2),
        ("calendar", "calendar = \"*:*:* UTC\"", 2),
        ("calendar with fractions of a second", "calendar = \"*:*:0/0.3\"", 3),
        ("rrule", "rrule = \"FREQ=SECONDLY;INTERVAL=1\"\ndtstart = \"20260101T000000Z\"", 2),
        ("every, from the end of the last run", "every = \"300ms\"", 3),
        ("every, on a grid", "every = \"300 ms\"\nfrom = \"start\"", 3),
        ("at, in a while", "at = \"in 1 s\"", 1),
        ("a pattern's interval", "pattern = \"1.second\"", 2),
    ]

    @Test("Each kind of schedule runs its task when it is due", arguments: schedules)
    func kinds(_ row: (what: String, text: String, count: Int)) throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\n\(row.text)")
        let runs = try spool.ended("t", count: row.count)
        #expect(runs.allSatisfy { $0.outcome == "done 0" && $0.due <= $0.string("started_at") ?? "" }, "\(row.what)")
        #expect(Set(runs.map(\.due)).count == runs.count)
    }

    @Test("every counts from the end of the last run")
    func everyFromEnd() throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\nevery = \"200ms\"")
        let runs = try spool.ended("t", count: 3)
        for (earlier, later) in zip(runs, runs.dropFirst()) {
            #expect(earlier.string("ended_at") ?? "z" < later.due, "the next is due after the last has ended")
        }
    }

    /// Defines a task that is due once, in some seconds, and returns this second of the clock.
    private func acceptedSoon(_ spool: SpoolUnderTest, _ name: String) throws -> Int64 {
        try spool.takenInTime { seconds in
            let second = Clock.now() / 1000 + seconds
            try spool.task(name, "command = [\"true\"]\n[[schedule]]\nat = \"@\(second)\"")
            return ("tasks/\(name)", second)
        }
    }

    @Test("An `at` runs once: not again after a restart, and not when it was past already")
    func once() throws {
        let spool = try SpoolUnderTest()
        _ = try acceptedSoon(spool, "once")
        try spool.task("past", "command = [\"true\"]\n[[schedule]]\nat = \"2020-01-01T00:00:00Z\"")
        try spool.logLine("event=refused", "file=tasks/past")
        _ = try spool.end(of: "once")
        try spool.restart()
        #expect(try spool.runsOn())
        #expect(try spool.ended("once").count == 1 && spool.ended("past").isEmpty)
    }

    @Test(
        "A relative `at` counts from the first reading of its text, also after a restart or a touch", arguments: ["tasks", "schedules"]
    )
    func relativeOnce(directory: String) throws {
        let spool = try SpoolUnderTest()
        let file = "\(directory)/t.toml"
        let at = "at = \"in 1 second\""
        if directory == "schedules" { try spool.define(file, "task = \"t\"\n\(at)") }
        try spool.task("t", "command = [\"true\"]" + (directory == "tasks" ? "\n[[schedule]]\n\(at)" : ""))
        _ = try spool.end(of: "t")
        // A new instant would be recorded as a new schedule.
        func schedules() throws -> Set<[String: String]> {
            Set(try spool.journal().filter { $0.kind.hasSuffix("scheduled") }.map(\.fields))
        }
        let before = try schedules()
        #expect(before.count == 1)
        try spool.restart()
        #expect(try spool.runsOn())
        try spool.stop()
        try Commands.succeed("touch", "\(spool.path)/\(file)")
        try spool.start()
        #expect(try spool.runsOn("another-good-job"))
        #expect(try schedules() == before)
        #expect(try spool.ended("t").count == 1)
    }

    @Test("M12: an `at` that passes while spoold is down runs once at the next start")
    func onceMissed() throws {
        let spool = try SpoolUnderTest()
        let second = try acceptedSoon(spool, "once")
        try spool.stop()
        try awaitClock((second + 1) * 1000)
        try spool.start()
        let run = try spool.end(of: "once")
        #expect(try spool.second(run.due) == Int(second))
        try spool.restart()
        #expect(try spool.runsOn())
        #expect(try spool.ended("once").count == 1)
    }

    @Test("Attack 80: @reboot runs once in a boot, however often spoold starts")
    func reboot() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("boot", "command = [\"true\"]\n[[schedule]]\ncron = \"@reboot\"")
        try spool.start()
        _ = try spool.end(of: "boot")
        try spool.restart()
        try spool.crash()
        try spool.start()
        #expect(try spool.runsOn())
        #expect(try spool.ended("boot").count == 1)
    }

    @Test("A schedule in a file of its own, written before or after its task, runs the task until it is removed", arguments: [true, false])
    func scheduleFiles(isFirst: Bool) throws {
        let spool = try SpoolUnderTest()
        let schedule = "task = \"t\"\ncron = \"* * * * * *\"\npayload = \"own\""
        if isFirst { try spool.define("schedules/sec.toml", schedule) }
        try spool.acceptedTask("t", "command = [\"cat\"]\npayload = \"task\"")
        if !isFirst { try spool.define("schedules/sec.toml", schedule) }
        let run = try spool.ended("t", count: 2)[1]
        #expect(try run.stdout == "\"own\"" && run.string("schedule") == "sec")
        try spool.define("schedules/sec.toml", "task = \"t\"\ncron = \"* * * *\"")
        try spool.logLine("event=refused", "schedules/sec.toml:2:")
        let count = try spool.ended("t").count
        try spool.ended("t", count: count + 1)
        try spool.restart()
        let more = try spool.ended("t").count
        try spool.ended("t", count: more + 2)
        try Files.remove("\(spool.path)/schedules/sec.toml")
        try spool.logLine("event=removed", "file=schedules/sec")
        let last = try spool.journal().last { $0.kind == "accepted" && $0.fields["task"] == "t" }?.fields["due"] ?? ""
        try spool.drop("clock.toml", "command = [\"true\"]\nstart = \"in 2 s\"")
        _ = try spool.end(of: "clock")
        try spool.wait(for: "the last run") { try spool.ended("t").last?.due == last }
    }

    // MARK: Overlap

    @Test("U8: overlap = \"wait\": one run waits for the present run, and the others are reported as skipped")
    func overlapWait() throws {
        let (spool, gate) = try overlapping("wait")
        try spool.logLine("event=skipped", "task=t", "why=overlap")
        #expect(try spool.jobs(in: "running", named: "t").count == 1)
        #expect(try spool.jobs(in: "new", named: "t").count == 1)
        try gate.release(2)
        #expect(try spool.ended("t", count: 2).allSatisfy { $0.outcome == "done 0" })
        try noneAtOnce(spool)
    }

    @Test("U8: overlap = \"queue\": every run waits its turn")
    func overlapQueue() throws {
        let (spool, gate) = try overlapping("queue")
        try spool.wait(for: "three waiting runs") { try spool.jobs(in: "new", named: "t").count >= 3 }
        #expect(try spool.jobs(in: "running", named: "t").count == 1)
        try gate.release(4)
        let runs = try spool.ended("t", count: 4)
        #expect(runs.map(\.due) == runs.map(\.due).sorted())
        #expect(!spool.log.contains("why=overlap"))
        try noneAtOnce(spool)
    }

    @Test("U8: overlap = \"skip\": no run waits")
    func overlapSkip() throws {
        let (spool, gate) = try overlapping("skip")
        try spool.logLine("event=skipped", "task=t", "why=overlap")
        #expect(try spool.jobs(in: "new", named: "t").isEmpty)
        try gate.release(1)
        _ = try spool.end(of: "t")
        try noneAtOnce(spool)
    }

    @Test("U8: overlap = \"allow\": runs overlap")
    func overlapAllow() throws {
        let (spool, gate) = try overlapping("allow")
        try spool.wait(for: "three at once") { try spool.jobs(in: "running", named: "t").count >= 3 }
        try gate.release(3)
        try spool.ended("t", count: 3)
    }

    @Test("U8: overlap = \"replace\": the new run ends the present one")
    func overlapReplace() throws {
        let (spool, _) = try overlapping("replace")
        let first = try spool.ended("t", count: 2)[0]
        #expect(first.outcome == "failed replaced")
        #expect(first.error.contains("replaced"))
        try noneAtOnce(spool)
    }

    private func overlapping(_ rule: String) throws -> (SpoolUnderTest, Gate) {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.task(
            "t",
            "command = 'echo + >> \(spool.out)/runs; read x < \(gate.path); echo - >> \(spool.out)/runs'\noverlap = \"\(rule)\"\n"
                + Self.eachSecond)
        _ = try spool.running("t")
        return (spool, gate)
    }

    /// Checks in the journal that no two runs overlapped.
    private func noneAtOnce(_ spool: SpoolUnderTest) throws {
        var running = 0
        for record in try spool.journal() {
            if record.kind == "started" { running += 1 }
            if record.kind == "ended", record.fields["try"] != "0" { running -= 1 }
            #expect(running <= 1)
        }
    }

    // MARK: Catching up

    enum End: String, CaseIterable { case stop, crash }

    @Test(
        "U4: after a downtime catch_up decides, and every due time is accounted for once", arguments: ["last", "all", "none"], End.allCases
    )
    func catchUp(_ rule: String, _ end: End) throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"true\"]\noverlap = \"allow\"\n" + Self.eachSecond + "catch_up = \"\(rule)\"")
        try spool.ended("t", count: 1)
        switch end {
        case .stop: try spool.stop()
        case .crash: try spool.crash()
        }
        let down = Int(Clock.now() / 1000)
        try awaitClock(Int64(down + 4) * 1000 + 10)
        try spool.start()
        let up = Int(Clock.now() / 1000)
        try spool.wait(for: "due times after the start") { try spool.accounts(ofTask: "t").keys.contains { $0 >= up + 1 } }
        // Without the task there are no more due times, so the accounts are complete.
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed", "file=tasks/t")
        try spool.wait(for: "all runs to end") { try spool.jobs(in: "new").isEmpty && spool.jobs(in: "running").isEmpty }
        let accounts = try spool.accounts(ofTask: "t")
        let (first, last) = (try #require(accounts.keys.min()), try #require(accounts.keys.max()))
        #expect((first...last).filter { accounts[$0] == nil } == [], "none is missing")
        #expect(try spool.ended("t").map { try spool.second($0.due) } == accounts.filter { $0.value == "run" }.keys.sorted())
        #expect(try spool.ended("t").allSatisfy { $0.outcome == "done 0" })
        // These due times surely fell into the downtime. The last second is left out, because a slow start may move it.
        let missed = (down + 1...down + 3).map { accounts[$0] }
        switch rule {
        case "all": #expect(missed == ["run", "run", "run"])
        case "last": #expect(missed == ["merged", "merged", "merged"])
        default: #expect(missed == ["missed", "missed", "missed"])
        }
    }

    @Test("U4: catch_up_limit keeps the latest of them")
    func catchUpLimit() throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"true\"]\noverlap = \"allow\"\n" + Self.eachSecond + "catch_up = \"all\"\ncatch_up_limit = 2")
        try spool.ended("t", count: 1)
        try spool.stop()
        let down = Int(Clock.now() / 1000)
        try awaitClock(Int64(down + 5) * 1000)
        try spool.start()
        let accounts = try spool.accounts(ofTask: "t").filter { $0.key > down }.sorted { $0.key < $1.key }
        #expect(accounts.filter { $0.value == "run" }.count >= 2)
        #expect(accounts.first?.value == "missed")
        // The daemon keeps the rule also when it stands still later.
        #expect(accounts.drop { $0.value == "missed" }.prefix(2).allSatisfy { $0.value == "run" })
    }

    // MARK: Pausing

    @Test("U8: a paused task's due times are skipped and reported so; the note is in status.json; after resume it runs again")
    func pausedTask() throws {
        let spool = try SpoolUnderTest()
        try spool.task("t", "command = [\"true\"]\n" + Self.eachSecond)
        _ = try spool.end(of: "t")
        try Files.write("\(spool.path)/control/pause-t", "moving the disks\n")
        try spool.logLine("event=paused", "scope=pause-t", "moving the disks")
        try spool.logLine("event=skipped", "why=paused")
        try spool.wait(for: "the note in status.json") {
            guard case .array(let paused)? = try spool.daemonStatus()?["paused"]?.kind else { return false }
            return paused.contains { JSON.write($0).contains("moving the disks") }
        }
        try spool.restart()
        #expect(try spool.runsOn(), "others go on")
        let before = try spool.ended("t").count
        try Files.remove("\(spool.path)/control/pause-t")
        try spool.logLine("event=resumed", "scope=pause-t")
        try spool.ended("t", count: before + 1)
    }
}
