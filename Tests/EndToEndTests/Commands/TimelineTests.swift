// `spoolctl timeline`: the runs of a period beside each other.

import Documents
import Linux
import Testing

@Suite("Timeline", .ownThreads)
struct TimelineTests {
    /// The lanes of `timeline --json`, by name.
    private func lanes(_ spool: SpoolUnderTest, _ arguments: String...) throws -> (whole: Table, lanes: [String: Table]) {
        guard case .table(let whole) = try spool.ctl(list: ["timeline", "--json"] + arguments).json.kind,
            case .array(let values)? = whole["lanes"]?.kind
        else { throw spool.failure("no lanes") }
        var lanes: [String: Table] = [:]
        for case .table(let lane) in values.map(\.kind) { lanes[lane.text("name") ?? ""] = lane }
        return (whole, lanes)
    }

    private func objects(_ lane: Table?, _ key: String) -> [Table] {
        guard case .array(let values)? = lane?[key]?.kind else { return [] }
        return values.compactMap { if case .table(let table) = $0.kind { table } else { nil } }
    }

    @Test("N13: timeline shows each try, what runs, what was skipped and what comes, and names the runs that overlapped")
    func lanes() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 3")
        try spool.acceptedTask("backup", "command = 'true'\n[[schedule]]\nevery = \"1h\"\nfrom = \"start\"")
        try spool.acceptedTask("late", "command = 'true'\n[[schedule]]\ncron = '* * * * * *'\ncatch_up = 'none'")
        try spool.wait(for: "a run") { try spool.journal().contains { $0.kind == "ended" } }
        #expect(try spool.ctl("pause", "--task", "late").code == 0)
        try spool.logLine("event=paused")
        try spool.wait(for: "the end of the last run") { try Files.list("\(spool.path)/running").isEmpty }
        let gate = try spool.gate()
        let first = try spool.ctl("submit", "--name", "holder", "echo > \(spool.out)/began; read x < \(gate.path)").id
        try spool.output("began")
        let failed = try spool.ctl("submit", "-w", "--name", "flaky", "--tries", "2", "--backoff", "0", "--", "sh", "-c", "exit 3").id
        _ = try spool.ctl("run", "-w", "backup")
        try spool.wait(for: "a skipped due time") { try spool.journal().contains { $0.fields["why"] == "paused" } }

        let shown = try lanes(spool)
        let tries = objects(shown.lanes["flaky"], "runs")
        #expect(tries.map { $0.text("outcome") } == ["exit 3", "exit 3"] && tries.allSatisfy { $0.text("id") == failed }, "\(tries)")
        let running = objects(shown.lanes["holder"], "runs")
        #expect(running.map { $0.text("state") } == ["running"] && running[0].text("ended_at") == nil, "\(running)")
        #expect(objects(shown.lanes["backup"], "coming").count >= 5, "six hours, each with one")
        #expect(objects(shown.lanes["late"], "not_run").contains { $0.text("why") == "paused" })
        guard case .table(let most)? = shown.whole["most_at_once"]?.kind, case .array(let ids)? = most["ids"]?.kind else {
            throw spool.failure("nothing overlapped")
        }
        #expect(ids.count == 2 && "\(ids)".contains(first), "\(ids)")

        // A pipe gets lines, and -q ids.
        let rows = try spool.ctl("timeline", "flaky", "backup").rows
        #expect(rows.filter { $0[3] == "flaky" }.map { $0[2] } == ["exit 3", "exit 3"] && rows.contains { $0[2] == "due" }, "\(rows)")
        #expect(!rows.contains { $0[3] == "holder" }, "only the names that were asked for")
        #expect(try spool.ctl("timeline", "holder", "-q").lines == [first])

        // What runs now ends, and stays in the past as done.
        try gate.release()
        try spool.ended("holder", count: 1)
        #expect(try objects(lanes(spool).lanes["holder"], "runs").map { $0.text("state") } == ["done"])
        let early = try spool.ctl("timeline", "--from", "2 days ago", "--to", "1 day ago")
        #expect(early.code == 0 && early.output.isEmpty, "\(early)")
        let wrong = try spool.ctl("timeline", "--from", "1h", "--to", "2020-01-01")
        #expect(wrong.code == 2 && wrong.errors.contains("is not before --to"), "\(wrong)")
    }

    @Test("W3: timeline draws a picture that fits into the terminal, with and without colours, and the same as SVG")
    func picture() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("backup", "command = 'true'\n[[schedule]]\nevery = \"1h\"\nfrom = \"start\"")
        _ = try spool.ctl("run", "-w", "backup")
        _ = try spool.ctl("submit", "-w", "--name", "a-b", "--", "false")
        let screen = try TmuxScreen(
            spool, columns: 80, rows: 24, environment: ["TERM=screen", "NO_COLOR=1"], "spoolctl timeline; echo end of picture; cat")
        let text = try screen.shows("backup", "end of picture")
        let lines = text.split(separator: "\n").map(String.init)
        let lane = lines.first { $0.hasPrefix("backup ") } ?? ""
        #expect(lane.contains("█") && lane.contains("·") && lane.count <= 80, "\(text)")
        #expect(lines.contains { $0.hasPrefix("a-b ") && $0.contains("x") }, "\(text)")
        #expect(lines.contains { $0.contains(" now") && $0.contains("00") }, "\(text)")
        #expect(text.contains("█ done") && text.contains("x failed") && text.contains("No two runs overlapped."), "\(text)")
        #expect(try !screen.styled.contains("\u{1B}["), "NO_COLOR")
        // With colours, and in a wider terminal: the same signs.
        let wide = try TmuxScreen(
            spool, columns: 132, rows: 24, environment: ["TERM=screen-256color"], "spoolctl timeline; echo end of picture; cat")
        try wide.shows("backup", "end of picture")
        let coloured = try wide.styled.split(separator: "\n").map(String.init)
        #expect(coloured.contains { $0.contains("backup ") && $0.contains("\u{1B}[32m█") }, "\(coloured)")
        #expect(coloured.contains { $0.contains("a-b ") && $0.contains("\u{1B}[31mx") }, "\(coloured)")

        #expect(try spool.ctl("timeline", "--svg", "\(spool.base)/picture.svg").code == 0)
        let picture = try Files.text("\(spool.base)/picture.svg")
        #expect(picture.hasPrefix("<svg ") && picture.hasSuffix("</svg>\n") && picture.contains("class=\"done\""), "\(picture)")
        #expect(picture.contains("prefers-color-scheme: dark") && picture.contains(">backup</text>"), "\(picture)")
        #expect(try spool.ctl("timeline", "--svg", "-").output.hasPrefix("<svg "))
        // Every time of the picture is in the reader's zone, as those of the axis are.
        let there = try Commands.run(
            "\(SpoolUnderTest.programs)/spoolctl", ["--spool", spool.path, "timeline", "--svg", "-"],
            environment: spool.environment.filter { !$0.hasPrefix("TZ=") } + ["TZ=Asia/Tokyo"])
        let titles = there.output.split(separator: "<title>").dropFirst().map { $0.prefix { $0 != "<" } }
        let times = titles.filter { $0.contains(":") }
        #expect(times.count > 3 && times.allSatisfy { $0.contains("JST") }, "\(titles)")
        // A failure is told from what is done by its shape too.
        func height(_ shape: String) -> String? {
            picture.split(separator: "\n").first { $0.contains("<rect class=\"\(shape)\"") }
                .flatMap { $0.split(separator: "height=\"").last }.map { String($0.prefix { $0 != "\"" }) }
        }
        #expect(height("done") != nil && height("failed") != nil && height("done") != height("failed"), "\(picture)")
        #expect(try spool.ctl("timeline", "--svg", "\(spool.base)/none/picture.svg").errors.contains("none/picture.svg"))
    }
}
