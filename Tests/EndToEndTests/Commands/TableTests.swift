// The tables of jobs and tasks on a terminal of 80 columns.

import Documents
import Linux
import Testing

@Suite("Tables", .ownThreads)
struct TableTests {
    /// The lines that a command writes on a terminal of 80 columns without colours.
    private func lines(
        _ spool: SpoolUnderTest, _ words: String, untilItShows part: String, colours: Bool = false, columns: Int = 80
    ) throws -> [String] {
        let screen = try TmuxScreen(
            spool, columns: columns, rows: 40, environment: colours ? ["TERM=screen", "TZ=UTC"] : ["TERM=screen", "NO_COLOR=1", "TZ=UTC"],
            "spoolctl \(words); echo end of table; cat")
        try screen.shows(part, "end of table")
        let text = try colours ? screen.styled : screen.text
        // The zone of the times may be on a line of its own.
        return text.split(separator: "\n").map(String.init).prefix { !$0.contains("end of table") }.filter { !$0.hasPrefix("  ") }
    }

    @Test("jobs fits into 80 columns, says why jobs wait and failed, and leaves follow-ups out")
    func jobs() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 4\n[queues.video]\nslots = 1")
        let gate = try spool.gate()
        let failed = try spool.ctl("submit", "-w", "--name", "report", "--on-failure", "echo followed", "--", "sh", "-c", "exit 3").id
        try spool.ended(count: 2)
        let name = String(repeating: "long-name-", count: 6)
        let runs = try spool.ctl("submit", "--queue", "video", "--name", name, "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        let waits = try spool.ctl("submit", "--queue", "video", "--name", "next", "true").id
        let later = try spool.ctl("submit", "--in", "3h", "--name", "later", "true").id
        func line(_ id: String, in lines: [String]) -> String { lines.first { $0.hasPrefix(id.suffix(6)) } ?? "" }

        let table = try lines(spool, "jobs", untilItShows: "JOB")
        #expect(table.allSatisfy { $0.count <= 80 }, "\(table)")
        let header = table.first { $0.hasPrefix("JOB") } ?? ""
        for column in ["JOB", "NAME", "STATE", "STARTED", "TOOK", "NOTE"] { #expect(header.contains(column), "\(table)") }
        #expect(line(failed, in: table).contains(" report ") && line(failed, in: table).contains(" exit 3 "), "\(table)")
        #expect(line(runs, in: table).contains("long-name-") && line(runs, in: table).contains(" running "), "\(table)")
        #expect(line(waits, in: table).contains(" waiting ") && line(waits, in: table).contains("queue"), "\(table)")
        #expect(line(later, in: table).contains("starts in 2h5"), "less than three hours, by minutes: \(table)")
        let start = try #require(try spool.ctl("jobs", "--state", "new", "--json").objects.last?.text("not_before"))
        #expect(line(later, in: table).contains(start.dropFirst(11).prefix(5)), "\(table)")
        #expect(try lines(spool, "jobs --state new", untilItShows: "JOB").contains { $0.contains("STARTS") })
        #expect(table.last == "1 follow-up job not shown; --all shows it" && table.count == 6, "\(table)")
        #expect(try lines(spool, "jobs --all", untilItShows: "JOB").count == 6, "a header and five jobs")
        let wide = try lines(spool, "jobs", untilItShows: "JOB", columns: 250)
        #expect(wide.contains { $0.hasPrefix(runs) } && wide.contains { $0.hasPrefix(later) }, "a wide one whole ids: \(wide)")
        #expect(try spool.ctl("jobs", "-q").lines.count == 5, "a pipe gets all")
        #expect(try spool.ctl("jobs").rows.map { $0[0] }.contains(failed), "and whole ids")

        let coloured = try lines(spool, "jobs --state failed", untilItShows: "exit 3", colours: true)
        #expect(coloured.contains { $0.contains("\u{1B}[31mexit 3") }, "\(coloured)")
        try gate.release()
    }

    @Test("jobs --sort says how many more there are, with --columns too; the title is in the note")
    func sorted() throws {
        let spool = try SpoolUnderTest()
        for _ in 0..<3 { _ = try spool.ctl("submit", "-w", "--title", "The report", "--name", "report", "true") }
        for (words, more) in [("jobs --sort -took --limit 2", 1), ("jobs --sort id --limit 1 --columns id", 2)] {
            let table = try lines(spool, words, untilItShows: "more not shown")
            #expect(table.last == "\(more) more not shown; --limit 0 shows all", "\(table)")
        }
        #expect(try lines(spool, "jobs --limit 1 --columns id", untilItShows: "older jobs").count == 3)
        #expect(try lines(spool, "jobs --limit 1", untilItShows: "older jobs").contains { $0.hasSuffix("  The report") })
    }

    @Test("list shows a due time after the last run that was skipped")
    func skips() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("late", "command = 'true'\n[[schedule]]\ncron = '* * * * * *'\ncatch_up = 'none'")
        try spool.wait(for: "a run") { try spool.journal().contains { $0.kind == "ended" } }
        try spool.stop()
        try awaitClock(Clock.now() + 2000)
        // No run follows, so the last result stays.
        try Files.write("\(spool.path)/control/pause-late", "")
        try spool.start()
        try spool.wait(for: "the skipped due times") { try spool.journal().contains { $0.kind == "skipped" } }
        let table = try lines(spool, "list", untilItShows: "late")
        #expect(table.contains { $0.hasPrefix("late ") && $0.contains(" skipped ") }, "\(table)")
    }

    @Test("list shows a due time that was missed while no daemon was running")
    func missed() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let task = "command = 'true'\noverlap = 'queue'\n[[schedule]]\ncron = '* * * * * *'\ncatch_up = 'none'"
        try spool.acceptedTask("late", task)
        try spool.wait(for: "a run") { try spool.journal().contains { $0.kind == "ended" } }
        // This job has the only slot, so that no run follows.
        let gate = try spool.gate()
        _ = try spool.ctl("submit", "--priority", "1000", "echo > \(spool.out)/began; read x < \(gate.path)")
        try spool.output("began")
        try spool.stop()
        try awaitClock(Clock.now() + 2000)
        try spool.start()
        try spool.wait(for: "the missed due times") { try spool.journal().contains { $0.fields["why"] == "missed" } }
        let table = try lines(spool, "list", untilItShows: "late")
        #expect(table.contains { $0.hasPrefix("late ") && $0.contains("  missed  ") }, "\(table)")
        // The runs that wait for the slot are not needed any more.
        _ = try spool.ctl("delete", "-f", "late")
    }

    @Test("list shows when tasks are due and how they ended, and what is wrong with them below")
    func list() throws {
        let spool = try SpoolUnderTest()
        let (minute, hour) = (DistantTimes.minute, DistantTimes.hour)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        try spool.acceptedTask("report", "title = 'The report'\ncommand = 'exit 3'\n[[schedule]]\ncron = '\(minute) * * * *'")
        try spool.acceptedTask("idle", "command = 'true'")
        try spool.acceptedTask("paused", "command = 'true'\n[[schedule]]\ncron = '0 \(hour) * * *'")
        let run = try spool.ctl("run", "report", "-w").id
        #expect(try spool.ctl("pause", "paused", "--note", "until the disk is there").code == 0)
        try spool.task("report", "comand = 'exit 4'")
        try spool.logLine("event=refused", "tasks/report")

        let table = try lines(spool, "list", untilItShows: "NAME")
        #expect(table.allSatisfy { $0.count <= 80 }, "\(table)")
        let header = table.first { $0.hasPrefix("NAME") } ?? ""
        for column in ["NAME", "WHEN", "NEXT", "LAST", "RESULT", "TOOK"] { #expect(header.contains(column), "\(table)") }
        let report = table.first { $0.hasPrefix("report !") } ?? ""
        #expect(report.contains("hourly at :\(two(minute))") && report.contains("exit 3"), "\(table)")
        #expect(table.contains { $0.hasPrefix("paused ") && $0.contains("daily \(two(hour)):00") && $0.contains("  paused  ") }, "\(table)")
        #expect(table.contains { $0.contains("! report: edit refused: tasks/report.toml:1:1: unknown key \"comand\"") }, "\(table)")
        #expect(table.contains("paused: paused: until the disk is there"), "\(table)")

        let rows = try spool.ctl("list").rows
        #expect(rows.map { $0[0] } == ["idle", "paused", "report"] && rows[2][6] == "exit 3" && rows[0][5...] == ["-", "-", "-"], "\(rows)")
        let objects = try spool.ctl("list", "--json").objects
        guard case .table(let last)? = objects.last?["last_run"]?.kind else { throw spool.failure("no last run") }
        #expect(last.text("id") == run && last.text("outcome") == "exit 3" && last.text("reason") == "exit")
        #expect(objects[0]["last_run"].map { JSON.write($0) } == "null")
    }
}
