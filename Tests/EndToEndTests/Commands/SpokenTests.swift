// Remarks of spoolctl about ambiguous input: numbers without a unit, instants without a zone, options of other commands.

import Documents
import Glibc
import Linux
import Testing

@Suite("Remarks about input that may mean something else", .ownThreads)
struct SpokenTests {
    // MARK: Numbers without a unit

    static let refused: [(words: [String], spellings: String)] = [
        (["submit", "--keep", "30", "--", "true"], "write 30d for days, or 30s for seconds"),
        (["submit", "--keep={age = 30, count = 4}", "--", "true"], "write 30d for days, or 30s for seconds"),
        (["create", "x", "--keep", " 14 ", "--", "true"], "write 14d for days, or 14s for seconds"),
        (["create", "x", "--expect", "26", "--", "true"], "write 26d for days, or 26s for seconds"),
        (["update", "t", "--expect=1.5"], "write 1.5d for days, or 1.5s for seconds"),
        (["create", "x", "--every", "5", "--", "true"], "write 5m for minutes, or 5s for seconds"),
        (["schedule", "t", "--every", "+5"], "write 5m for minutes, or 5s for seconds"),
        (["next", "--every", "90"], "write 90m for minutes, or 90s for seconds"),
        (["prune", "--older-than", "7"], "write 7d for days, or 7s for seconds"),
        (["jobs", "--since", "2"], "write 2d for days, or 2s for seconds"),
        (["jobs", "--until", "2"], "write 2d for days, or 2s for seconds"),
        (["journal", "--since", "2"], "write 2d for days, or 2s for seconds"),
        (["backfill", "t", "--from", "2"], "write 2d for days, or 2s for seconds"),
    ]

    @Test("A number without a unit is refused where people mean days or minutes, with the two likely spellings", arguments: refused)
    func isRefused(_ row: (words: [String], spellings: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("t", "command = 'true'")
        let result = try spool.ctl(list: row.words)
        #expect(result.code == 4 && result.output.isEmpty && result.errors.contains(row.spellings), "\(result)")
        #expect(try Files.list("\(spool.path)/new").isEmpty)
    }

    static let taken: [[String]] = [
        ["submit", "--timeout", "30", "--kill-after", "5", "--backoff", "3", "--", "true"], ["submit", "--in", "3600", "--", "true"],
        ["submit", "--keep", "0", "--", "true"], ["submit", "--keep", "{count = 4}", "--", "true"], ["prune", "--older-than", "0"],
        ["jobs", "--since", "1790000000000"], ["jobs", "--since", "@1790000000"], ["jobs", "--since", "2026-01-01"],
    ]

    @Test("A number without a unit means seconds where Unix tools mean seconds", arguments: taken)
    func isTaken(_ words: [String]) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: words)
        #expect(result.code == 0, "\(result)")
        guard words.contains("--timeout"), let file = try Files.list("\(spool.path)/new").first else { return }
        let text = try Files.text("\(spool.path)/new/\(file)")
        #expect(text.contains("timeout = \"30\"") && text.contains("kill_after = \"5\"") && text.contains("backoff = \"3\""), "\(text)")
    }

    static let warned: [(file: String, text: String, warnings: [String])] = [
        (
            "tasks/t.toml", "command = 'true'\nkeep = 30\n",
            ["t.toml:2:8: warning: keep is 30 seconds; write 30d for days, or 30s for seconds"]),
        ("tasks/t.json", "{\"command\": \"true\", \"keep\": \"30\"}", ["warning: keep is 30 seconds; write 30d"]),
        (
            "tasks/t.toml", "command = 'true'\nkeep = {age = 7, count = 3}\nexpect = 26\n[[schedule]]\nevery = 5\n",
            ["keep.age is 7 seconds", "expect is 26 seconds", "t.toml:5:9: warning: every is 5 seconds; write 5m for minutes"]),
        ("schedules/s.toml", "task = 't'\nevery = '5'\n", ["s.toml:2:9: warning: every is 5 seconds"]),
        ("j.toml", "command = 'true'\nkeep = 3.5\n", ["keep is 3.5 seconds; write 3.5d"]),
        ("spoold.toml", "keep = 14\n", ["spoold.toml:1:8: warning: keep is 14 seconds; write 14d"]),
        (
            "tasks/t.toml",
            """
            command = 'true'\nkeep = '30d'\ntimeout = 30\nkill_after = 5\nbackoff = 3\ndeadline = 60\n[[schedule]]\nevery = '5m'\n\
            jitter = 30\n
            """, []),
    ]

    @Test("In a file a number without a unit means seconds, and check warns where people mean another unit", arguments: warned)
    func warnings(_ row: (file: String, text: String, warnings: [String])) throws {
        let spool = try SpoolUnderTest(starting: false)
        let path = row.file.contains("/") ? "\(spool.path)/\(row.file)" : "\(spool.base)/\(row.file)"
        try Files.write(path, row.text)
        let result = try spool.ctl("check", path)
        #expect(result.code == 0 && result.lines.count == row.warnings.count, "\(result)")
        for warning in row.warnings { #expect(result.output.contains(warning), "\(result)") }
    }

    // MARK: Instants without a zone

    static let edits: [(text: String, says: [String])] = [
        (
            "[[schedule]]\nat = \"2099-12-24 18:00\"\n",
            ["at \"2099-12-24 18:00\" has no zone and means 2099-12-24T18:00:00+01:00, by the spool's zone Europe/Berlin"]),
        ("[[schedule]]\nat = 2099-12-24T18:00:00\n", ["means 2099-12-24T18:00:00+01:00"]),
        ("timezone = \"Asia/Tokyo\"\n[[schedule]]\nat = \"2099-12-24\"\n", ["means 2099-12-24T00:00:00+09:00, by its timezone Asia/Tokyo"]),
        (
            "[[schedule]]\nat = \"2099-12-24\"\ntimezone = \"America/New_York\"\n",
            ["2099-12-24T00:00:00-05:00, by its timezone America/New_York"]),
        (
            "deadline = \"2099-01-01\"\n[[schedule]]\ncron = \"@daily\"\nnot_before = \"2098-01-01 10:00\"\n",
            ["deadline \"2099-01-01\"", "not_before \"2098-01-01 10:00\""]),
        ("[[schedule]]\nat = \"2099-12-24T18:00:00Z\"\n", []), ("deadline = \"2h\"\n[[schedule]]\nat = \"@4000000000\"\n", []),
        ("description = \"2099-12-24 18:00\"\n", []),
    ]

    @Test("When a task is created with an instant without a zone, spoolctl prints the zone that applies", arguments: edits)
    func edit(_ row: (text: String, says: [String])) throws {
        let spool = try SpoolUnderTest(configuration: "timezone = \"Europe/Berlin\"\n", starting: false)
        let text = "command = 'true'\n"
        try spool.task("t", text)
        try Files.write("\(spool.base)/wanted", text + row.text)
        func edit(_ editor: String) throws -> CtlResult {
            let call = ["EDITOR=\(editor)", "\(SpoolUnderTest.programs)/spoolctl", "--config", spool.configuration, "edit", "t"]
            let result = try Commands.run("env", call, environment: spool.environment)
            // The last line is the remark about the next due time.
            let errors = result.error.split(separator: "\n").filter { !$0.hasPrefix("spoolctl: next due ") }
            return CtlResult(code: result.code, output: result.output, errors: errors.joined(separator: "\n"))
        }
        let first = try edit("cp \(spool.base)/wanted")
        #expect(first.code == 0 && first.errors.split(separator: "\n").count == row.says.count, "\(first)")
        for line in row.says { #expect(first.errors.contains(line), "\(first)") }
        // An instant that the file had before causes no second remark.
        let second = try edit("sh -c 'echo \"# more\" >> \"$0\"'")
        #expect(second.code == 0 && second.errors.isEmpty, "\(second)")
    }

    // MARK: Answers as JSON

    @Test(
        "pause and resume print their result as JSON",
        arguments: [([], "pause"), (["--queue", "q"], "pause@q"), (["--task", "t"], "pause-t")]
    )
    func pauses(_ row: (options: [String], scope: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("t", "command = 'true'")
        #expect(
            try spool.ctl(list: ["pause", "--json", "--note", "a \"disk\""] + row.options).output
                == "{\"scope\":\"\(row.scope)\",\"note\":\"a \\\"disk\\\"\"}\n")
        #expect(try spool.ctl(list: ["resume", "--json"] + row.options).output == "{\"scope\":\"\(row.scope)\",\"was_paused\":true}\n")
        #expect(try spool.ctl(list: ["resume", "--json"] + row.options).output == "{\"scope\":\"\(row.scope)\",\"was_paused\":false}\n")
    }

    @Test("wait --json prints the result of each job, with the job's exit code")
    func waits() throws {
        let spool = try SpoolUnderTest()
        let ids = try ["exit 3", "true"].map { try spool.ctl("submit", $0).id }
        let result = try spool.ctl(list: ["wait", "--json"] + ids)
        #expect(result.code == 3 && result.lines.count == 2, "\(result)")
        for (line, id) in zip(result.lines, ids) {
            guard case .table(let table) = try JSON.parse(Array(line.utf8)).kind else { throw WaitFailed(description: line) }
            #expect(table.text("id") == id && ["done", "failed"].contains(table.text("state") ?? ""))
        }
    }

    // MARK: The manual

    @Test("submit and create have every option that the manual names for keys, except those that it excludes")
    func options() throws {
        let manual = try Files.text("\(ShippedTextTests.root)/man/spoolctl.1")
        let section = try #require(manual.components(between: ".Ss Options for keys\n", and: ".Ss "))
        let spool = try SpoolUnderTest(starting: false)
        let help = try ["submit", "create"].map { try spool.ctl($0, "--help").output }
        var count = 0
        for item in section.split(separator: ".It ").dropFirst() {
            for word in item.split(separator: "\n")[0].split(separator: " ") where word.hasPrefix("-") {
                let option = "--\(word.dropFirst())"
                count += 1
                let isKnown = help.map { $0.contains("\(option) ") || $0.contains("\(option), ") }
                #expect(isKnown[0] == !item.contains("tasks only"), "submit \(option)")
                #expect(isKnown[1] == !item.contains("not for tasks"), "create \(option)")
            }
        }
        #expect(count > 35)
    }
}

extension String {
    /// The text between two other texts.
    func components(between start: String, and end: String) -> String? {
        guard let first = firstRange(of: start)?.upperBound else { return nil }
        let rest = self[first...]
        guard let last = rest.firstRange(of: end)?.lowerBound else { return nil }
        return String(rest[..<last])
    }
}
