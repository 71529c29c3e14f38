// `spoolctl summary` in a few lines, and `jobs --by` in sums.

import Documents
import Linux
import Testing

@Suite("Summary", .ownThreads)
struct SummaryTests {
    @Test("summary counts what ended, names what is due, and exits with 1 while something needs attention")
    func summary() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("backup", "command = 'true'\n[[schedule]]\ncron = '0 0 1 \(DistantTimes.month) *'")
        for _ in 0..<2 { _ = try spool.ctl("run", "backup", "-w") }
        let quiet = try spool.ctl("summary")
        #expect(quiet.code == 0 && quiet.lines.count == 3, "\(quiet)")
        #expect(quiet.lines[0].hasSuffix(": 2 done, 0 failed.") && quiet.lines[1].hasPrefix("Next: backup "), "\(quiet)")
        #expect(quiet.lines[2] == "Nothing wants a person.")

        for _ in 0..<2 { _ = try spool.ctl("submit", "-w", "--name", "report", "echo 'no route to db2' >&2; exit 3") }
        _ = try spool.ctl("cancel", try spool.ctl("submit", "--in", "1h", "--", "true").id)
        _ = try spool.ctl("submit", "--in", "1h", "--name", "later", "true")
        let failed = try spool.ctl("summary")
        #expect(failed.code == 1 && failed.lines.count == 3, "\(failed)")
        #expect(failed.lines[0].hasSuffix(": 2 done, 2 failed, 1 canceled; 1 waiting."), "\(failed)")
        #expect(failed.lines[2].hasPrefix("  report  2 times, last exit 3 at "), "\(failed)")
        #expect(try spool.ctl("summary", "-q").output == "report\n")

        // A later success settles the failures.
        _ = try spool.ctl("submit", "-w", "--name", "report", "true")
        let recovered = try spool.ctl("summary")
        #expect(recovered.code == 0 && recovered.lines[2].contains(", succeeded since"), "\(recovered)")

        #expect(try spool.ctl("pause", "backup", "--note", "moving house").code == 0)
        try spool.task("backup", "comand = 'true'")
        try spool.logLine("event=refused", "file=tasks/backup")
        let refused = try spool.ctl("summary")
        #expect(refused.code == 1 && refused.output.contains("  backup       edit refused"), "\(refused)")
        #expect(refused.output.contains("unknown key \"comand\"") && refused.output.contains("moving house"), "\(refused)")
        let json = try spool.ctl("summary", "--json").json
        guard case .table(let object) = json.kind, case .array(let items)? = object["items"]?.kind else { throw spool.failure("no object") }
        let kinds = items.map { item -> String? in if case .table(let one) = item.kind { one.text("kind") } else { nil } }
        #expect(kinds == ["refused", "recovered", "paused"], "\(kinds)")

        try spool.stop()
        let down = try spool.ctl("summary")
        #expect(down.code == 1 && down.output.contains("spoold       not running, last seen"), "\(down)")
        for command in ["summary", "jobs", "journal"] {
            let future = try spool.ctl(command, "--since", "2099-01-01")
            let remark = "spoolctl: --since \"2099-01-01\" means Thu 1 Jan 2099 00:00 UTC, in "
            #expect(future.errors.split(separator: "\n").count { $0.hasPrefix(remark) } == 1, "\(future)")
            #expect(future.errors.contains("nothing is from then yet"), "\(future)")
            #expect(command == "summary" ? future.lines[0].contains(": 0 done, 0 failed") : future.output.isEmpty, "\(future)")
        }
    }

    @Test("summary names due times that were missed and tasks that are overdue")
    func missedAndOverdue() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("late", "command = 'true'\n[[schedule]]\ncron = '* * * * * *'\ncatch_up = 'none'")
        try spool.acceptedTask("idle", "command = 'true'\nexpect = '1s'")
        try spool.logLine("event=overdue", "task=idle")
        try spool.stop()
        try awaitClock(Clock.now() + 3000)
        try spool.start()
        try spool.wait(for: "the missed due times") { try spool.journal().contains { $0.fields["why"] == "missed" } }
        try spool.wait(for: "the state") { try spool.ctl("list").output.contains("\toverdue\t") }
        #expect(try spool.ctl("pause").code == 0)
        try spool.logLine("event=paused")
        let missed = try spool.accounts(ofTask: "late").values.count { $0 == "missed" }
        let result = try spool.ctl("summary")
        #expect(result.code == 1 && result.lines[0].contains(", \(missed) missed"), "\(missed): \(result)")
        #expect(result.lines.contains { $0.hasPrefix("  late ") && $0.contains(" \(missed) missed, last due ") }, "\(result)")
        #expect(result.lines.contains { $0.hasPrefix("  idle ") && $0.contains(" no success since ") }, "\(result)")
        #expect(try spool.ctl("summary", "-q").lines == ["late", "idle"])
    }

    @Test("When root's daemon, which serves everybody, is down, summary reports that once", .enabled(if: TestUser.areHere, TestUser.reason))
    func everybody() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        for user in [TestUser.games, .daemon] { #expect(try spool.ctl(as: user, "submit", "-w", "true").code == 0) }
        #expect(try spool.ctl("summary").code == 0)
        try spool.stop()
        let roots = try spool.ctl("summary")
        #expect(roots.code == 1 && roots.lines.count == 3 && roots.lines[2].hasPrefix("  spoold  not running, last seen "), "\(roots)")
        let own = try spool.ctl(as: .games, "summary")
        #expect(own.code == 1 && own.output.contains("\n  spoold  not running, last seen "), "\(own)")
    }

    @Test("summary has ten lines at most")
    func many() throws {
        let spool = try SpoolUnderTest(starting: false)
        for number in 10..<30 { try spool.task("bad-\(number)", "comand = 'x'") }
        let result = try spool.ctl("summary")
        #expect(result.code == 1 && result.lines.count == 10, "\(result)")
        #expect(result.lines[9] == "  and 14 more; spoolctl summary --json has all", "\(result)")
    }

    @Test("jobs --by sums up the runs of each task, and sorts by the sums")
    func totals() throws {
        let spool = try SpoolUnderTest()
        try spool.task("often", "command = 'exit $(( SPOOL_TRY - 1 ))'")
        try spool.task("once", "command = 'exit 3'")
        for _ in 0..<3 { _ = try spool.ctl("run", "often", "-w") }
        _ = try spool.ctl("run", "once", "-w")
        _ = try spool.ctl("submit", "-w", "true")
        _ = try spool.ctl("submit", "--in", "1h", "--", "true")
        let rows = try spool.ctl("jobs", "--by", "task", "--sort", "-runs").rows
        #expect(rows.map { Array($0[..<3]) } == [["often", "3", "0"], ["-", "1", "0"], ["once", "1", "1"]], "\(rows)")
        #expect(rows.allSatisfy { $0.count == 7 }, "\(rows)")
        #expect(try spool.ctl("jobs", "--by", "task", "--sort", "-failures", "--limit", "1").rows.map { $0[0] } == ["once"])
        #expect(try spool.ctl("jobs", "--by", "task", "--sort", "task", "-q").lines == ["-", "often", "once"].sorted())
        let objects = try spool.ctl("jobs", "--by", "task", "--task", "often", "--json").objects
        #expect(objects.count == 1 && objects[0]["runs"].map { JSON.write($0) } == "3" && objects[0]["cpu_s"] != nil, "\(objects)")
        let queues = try spool.ctl("jobs", "--by", "queue").rows
        #expect(queues.count == 1 && queues[0][0] == "default" && queues[0][1] == "5")
        for words in [["task", "--count"], ["task", "--sort", "size"], ["day"]] {
            #expect(try spool.ctl(list: ["jobs", "--by"] + words).code == 2, "\(words)")
        }
    }
}
