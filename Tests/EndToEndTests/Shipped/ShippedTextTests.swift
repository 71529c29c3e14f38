import TestSupport
import Testing

/// The examples and the manual agree with the programs.
@Suite("Examples and manual")
struct ShippedTextTests {
    static let root = Package.root

    static func files(_ directory: String) throws -> [String] {
        try Files.list("\(root)/\(directory)").sorted().map { "\(directory)/\($0)" }
    }

    @Test(
        "Every example is read as the daemon would",
        arguments: try ["new", "tasks", "admin", "executors"].flatMap { try files("examples/\($0)") })
    func examples(_ file: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let check = try spool.ctl("check", "\(Self.root)/\(file)")
        if file.hasSuffix("typo.toml") {
            #expect(check.code == 4)
            #expect(check.output.contains("did you mean \"command\"?"), "\(check.output)\(check.errors)")
        } else {
            #expect(check.code == 0, "\(check.output)\(check.errors)")
        }
    }

    @Test("Every name in the tables of Tests/README.md runs at least one test: swift test --filter TARGET.SUITE")
    func promises() throws {
        let suites = try TestNames.suites()
        let rows = try Files.text("\(Self.root)/Tests/README.md").split(separator: "\n").filter { $0.hasPrefix("| ") }
        var named = 0
        for row in rows {
            for name in row.split(separator: "`") where name.hasSuffix("Tests") || name.contains("Tests/") {
                let parts = name.split(separator: "/").map(String.init)
                // A name is a whole target, a suite of a target or, in the table "What works", a suite of the end-to-end tests.
                let count: Int? =
                    switch parts.count {
                    case 1: suites[parts[0]].map { $0.values.reduce(0, +) } ?? suites["EndToEndTests"]?[parts[0]]
                    case 2: suites[parts[0]]?[parts[1]]
                    default: nil
                    }
                #expect(count ?? 0 > 0, "\(name) runs no test")
                named += 1
            }
        }
        #expect(named > 150)
    }

    /// The ids of rows that names of tests begin with, `M1` to `N10`, by file.
    private static func testedRows() throws -> [(id: String, file: String)] {
        try TestNames.all().compactMap { test in
            guard test.file.hasPrefix("EndToEndTests/"), let row = TestNames.row(of: test.name) else { return nil }
            return (row.id, String(test.file.dropFirst("EndToEndTests/".count)))
        }
    }

    @Test("Each row of \"What works\" in Tests/README.md names tests that bear its id, or a script, and each id of a test has its row")
    func rows() throws {
        let readme = try Files.text("\(Self.root)/Tests/README.md")
        let table = try #require(readme.firstRange(of: "\n## What works\n")).upperBound
        let tested = try Self.testedRows()
        var named: [String] = []
        for line in readme[table...].split(separator: "\n") where line.hasPrefix("| ") {
            // In a table `\|` stands for `|`.
            let cells = line.replacing("\\|", with: "/").split(separator: "|").map { $0.filter { !" `".contains($0) } }
            guard cells.count == 3, Int(cells[0].dropFirst()) != nil else { continue }
            named.append(cells[0])
            for file in cells[2].split(separator: ",") {
                let isScript = file.hasSuffix("/run") && Files.exists("\(Self.root)/Tests/\(file)")
                #expect(isScript || tested.contains { $0.id == cells[0] && $0.file == file }, "\(file) has no test \(cells[0])")
            }
        }
        #expect(Set(named).count == named.count, "each once")
        #expect(Set(tested.map(\.id)).subtracting(named) == [] && named.count > 60)
    }

    /// Every file below a directory of the project, as a path from the project's root.
    static func tree(_ directory: String) throws -> [String] {
        try files(directory).flatMap { path in
            try Files.status("\(root)/\(path)").kind == .directory ? [path] + tree(path) : [path]
        }
    }

    @Test("Every file, folder and name in Sources/README.md is in the sources")
    func map() throws {
        let paths = try Self.tree("Sources") + Self.tree("Tests")
        var words: Set<String> = []
        for path in paths where path.hasPrefix("Sources/") && path.hasSuffix(".swift") {
            let bytes = try Files.bytes("\(Self.root)/\(path)")
            for word in bytes.split(
                whereSeparator: { !(Character(UnicodeScalar($0)).isLetter || Character(UnicodeScalar($0)).isNumber || $0 == 0x5F) })
            {
                words.insert(String(decoding: word, as: UTF8.self))
            }
        }
        let map = try Files.text("\(Self.root)/Sources/README.md").split(separator: "```").enumerated().filter { $0.offset % 2 == 0 }
        var named = 0
        for part in map.flatMap({ $0.element.split(separator: "`", omittingEmptySubsequences: false).enumerated() })
            where part.offset % 2 == 1
        {
            let name = part.element
            named += 1
            let isPath = paths.contains {
                $0 == name || $0 == "Sources/\(name)" || $0.hasSuffix("/\(name)") || $0.hasSuffix("/\(name).swift")
            }
            // Leaves out the names of the spool's files and of shell commands.
            if isPath || name.contains(where: { "/ =[".contains($0) }) || name == "status.json" { continue }
            // Examples of such names: `Scheduler.takeTurn`, `next(after:)`.
            let members = name.prefix { $0 != "(" }.split(separator: ".").map(String.init)
            #expect(members.allSatisfy { words.contains($0) || paths.contains("Sources/\($0)") }, "\(name)")
        }
        #expect(named > 80)
    }

    /// The commands that `spoolctl --help` lists.
    static func commands(_ spool: SpoolUnderTest) throws -> [String] {
        try spool.ctl("--help").lines.compactMap { line in
            guard line.hasPrefix("  "), let word = line.split(separator: " ").first, word.allSatisfy(\.isLetter),
                line.dropFirst(2).first != " "
            else { return nil }
            return String(word)
        }
    }

    @Test("U13: every command and every option of it is in spoolctl(1)")
    func commandsAreInTheManual() throws {
        let spool = try SpoolUnderTest(starting: false)
        let manual = try Files.text("\(Self.root)/man/spoolctl.1")
        let commands = try Self.commands(spool)
        #expect(commands.count > 20)
        for command in commands {
            #expect(manual.contains(".It Ic \(command)"), "\(command)")
            let help = try spool.ctl(command, "--help")
            #expect(help.code == 0)
            #expect(help.output.contains("Examples:"), "\(command) --help shows no example")
            for line in help.lines where line.hasPrefix("  -") {
                for word in line.split(whereSeparator: { " ,".contains($0) }).prefix(while: { $0.hasPrefix("-") }) {
                    // mdoc names an option without its first dash: `.It Fl w , -wait`.
                    let name = word.dropFirst()
                    let isThere = manual.contains("Fl \(name)") || manual.contains(", \(name)")
                    #expect(isThere, "\(command) \(word)")
                }
            }
        }
    }

    @Test("The help of the commands with many options groups them as spoolctl(1) does", arguments: ["create", "update", "submit", "run"])
    func groups(_ command: String) throws {
        let manual = try Files.text("\(Self.root)/man/spoolctl.1").split(separator: "\n")
        var group = ""
        var groups: [String: Set<String>] = [:]
        for line in try SpoolUnderTest(starting: false).ctl(command, "--help").lines {
            if line.hasSuffix(":"), line.first?.isUppercase == true { group = line }
            guard line.hasPrefix("  -"), let name = line.split(separator: " ").first(where: { $0.hasPrefix("--") }) else { continue }
            groups[group, default: []].insert(name.dropFirst(2).filter { $0 != "," })
        }
        #expect(groups["Most used:"]?.count == 10)
        let titles = ["What runs, and where:", "Order:", "Limits, tries and ending:", "Records and notices:"]
        #expect(groups.keys.count { titles.contains($0) } == 4, "\(groups.keys)")
        for title in titles {
            let begin = try #require(manual.firstIndex(of: Substring(title)), "\(title)")
            let entries = manual[begin...].prefix { $0 != ".El" }.flatMap { $0.split(separator: " ") }.filter { $0.hasPrefix("-") }
            let named = Set(entries.map { $0.drop { $0 == "-" } })
            #expect(groups[title]?.subtracting(named.map(String.init)) == [], "\(title) \(named)")
        }
    }

    @Test("Every variable that a job gets, and that its follow-up gets, is in spool(5)")
    func variables() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = \"env; exit 1\"\non_failure = [\"env\"]\nexpect = \"300ms\"\non_overdue = [\"env\"]")
        _ = try spool.ctl("run", "-w", "t")
        let outputs = try [spool.ended("t", count: 1)[0], spool.end(of: "t.on_failure"), spool.end(of: "t.on_overdue")].map {
            try $0.stdout
        }
        let names = Set(outputs.joined(separator: "\n").split(separator: "\n").compactMap { $0.split(separator: "=").first })
            .subtracting(["PWD", "OLDPWD", "SHLVL", "_"])
        #expect(names.contains("SPOOL_PARENT_ID") && names.contains("SPOOL_OVERDUE_TASK") && names.contains("SPOOL_TRY"))
        let entries = try Files.text("\(Self.root)/man/spool.5").split(separator: "\n")
            .filter { $0.hasPrefix(".It Ev ") || $0.hasPrefix(".Ev ") }
        let documented = Set(entries.flatMap { $0.split(separator: " ").dropFirst() })
        #expect(names.subtracting(documented) == [])
    }

    @Test("Every exit code in the help is in spoolctl(1)", arguments: ["0", "1", "2", "3", "4", "5", "124", "125", "128+", "130"])
    func exitCodes(_ code: String) throws {
        let page = try Files.text("\(Self.root)/man/spoolctl.1")
        #expect(page.contains("\n.It \(code)\n") || page.contains("\n.It \(code) Ns "))
    }

    @Test("Every event of the log and every field of the daemon's status is in spoold(8)")
    func daemon() throws {
        let page = try Files.text("\(Self.root)/man/spoold.8")
        let words = Set(page.split { !($0.isLetter || $0 == "-" || $0 == "_") })
        let spool = try SpoolUnderTest()
        let status = try spool.wait(for: "the status") { try spool.daemonStatus() }
        #expect(status.entries.map(\.key).filter { !words.contains(Substring($0)) } == [])
        // Finds the events in the source: `write(.info, "accepted", at: …`.
        var events: Set<Substring> = []
        let folders = try ["Sources/Daemon"] + Self.files("Sources/Daemon").filter { !$0.hasSuffix(".swift") }
        for file in try folders.flatMap(Self.files).filter({ $0.hasSuffix(".swift") }) {
            let text = try Files.text("\(Self.root)/\(file)")
            for part in text.split(separator: "write(").dropFirst() {
                let head = part.prefix(120).drop { $0 == " " || $0 == "\n" }
                guard head.hasPrefix(".") else { continue }
                if let first = head.firstIndex(of: "\""), let last = head[head.index(after: first)...].firstIndex(of: "\"") {
                    events.insert(head[head.index(after: first)..<last])
                }
            }
        }
        #expect(events.count > 30)
        #expect(events.subtracting(words.map { $0.hasPrefix("oq") ? $0.dropFirst(2) : $0 }) == [])
    }

    /// The entries `.It Ql EXPRESSION` of a section of spool-schedule(7).
    static func examples(ofSection section: String) throws -> [String] {
        let lines = try Files.text("\(root)/man/spool-schedule.7").split(separator: "\n", omittingEmptySubsequences: false)
        let begin = lines.firstIndex(of: Substring(".Sh \(section)")) ?? 0
        return lines[(begin + 1)...].prefix { !$0.hasPrefix(".Sh ") }.filter { $0.hasPrefix(".It Ql ") }.map { String($0.dropFirst(7)) }
    }

    @Test("Every schedule that spool-schedule(7) shows is read as one")
    func schedules() throws {
        let spool = try SpoolUnderTest(starting: false)
        let calendars = try Self.examples(ofSection: "CALENDAR")
        #expect(calendars.count >= 5)
        for text in calendars { #expect(try spool.ctl("explain", "--calendar", text).code == 0, "\(text)") }
        let page = try Files.text("\(Self.root)/man/spool-schedule.7")
        for (key, text) in [
            ("pattern", "01|02.05|15.05.00.00"), ("pattern", "saturday|sunday.22.00.00"), ("calendar", "*-02~03"),
            ("calendar", "Mon *-05~07/1"), ("rrule", "FREQ=MONTHLY;BYDAY=2TU;BYHOUR=9;BYMINUTE=0;BYSECOND=0"),
            ("cron", "*/7 2 * * mon-fri"), ("cron", "30 2 * * *"), ("cron", "0 0-5 * * *"), ("cron", "0 */2 * * *"),
        ] {
            #expect(page.contains(text), "\(text) is not in the manual any more")
            #expect(try spool.ctl("explain", "--\(key)", text).code == 0, "\(text)")
        }
    }

    /// The literal blocks in the EXAMPLES of a page, without the markup.
    static func literalExamples(_ page: String) throws -> [String] {
        let lines = try Files.text("\(root)/man/\(page)").split(separator: "\n", omittingEmptySubsequences: false)
        let begin = try #require(lines.firstIndex(of: ".Sh EXAMPLES"))
        var blocks: [String] = []
        var isLiteral = false
        for line in lines[(begin + 1)...].prefix(while: { !$0.hasPrefix(".Sh ") }) {
            if line.hasPrefix(".Bd -literal") { blocks.append("") }
            if line.hasPrefix(".Bd") || line.hasPrefix(".Ed") {
                isLiteral = line.hasPrefix(".Bd -literal")
            } else if isLiteral {
                blocks[blocks.count - 1] += line.replacing("\\e", with: "\\") + "\n"
            }
        }
        return blocks
    }

    @Test(
        "Every file in the examples of the manual is read without a complaint", arguments: ["spool.5", "spool-schedule.7", "spoold.toml.5"]
    )
    func examplesOfTheManual(_ page: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        // Leaves out the shell examples, which have no keys.
        let files = try Self.literalExamples(page).filter {
            $0.split(separator: "\n").contains { $0.contains(" = ") && !$0.hasPrefix("spoolctl ") }
        }
        #expect(files.count >= (page == "spoold.toml.5" ? 1 : 5))
        for text in files where !text.contains("<<") {
            // An instant in an example must not have passed, so it is replaced by one that never passes.
            let (directory, name, prefix) =
                if page == "spoold.toml.5" { ("", "spoold.toml", "") }
                else if page == "spool-schedule.7" { ("tasks/", "example.toml", "command = \"true\"\n") }
                else if text.hasPrefix("#!") { ("new/", "example", "") }
                else if text.contains("[[schedule]]") { ("tasks/", "example.toml", "") }
                else if text.contains("\ncron = ") { ("schedules/", "example.toml", "") }
                else { ("new/", "example.toml", "") }
            let path = "\(spool.base)/\(directory)\(name)"
            if !directory.isEmpty { try Commands.succeed("mkdir", "-p", "\(spool.base)/\(directory)") }
            try Files.write(path, prefix + text.replacing("at = \"2027-", with: "at = \"2199-"), mode: text.hasPrefix("#!") ? 0o755 : 0o644)
            let check = try spool.ctl("check", path)
            #expect(check.code == 0 && check.output.isEmpty && check.errors.isEmpty, "\(check.output)\(check.errors) in:\n\(text)")
        }
    }

    @Test("Every command in the examples of spoolctl(1) and spool-schedule(7) succeeds", arguments: ["spoolctl.1", "spool-schedule.7"])
    func commandsOfTheManual(_ page: String) throws {
        let spool = try SpoolUnderTest()
        let blocks = try Self.literalExamples(page).filter { $0.contains("spoolctl ") }
        #expect(blocks.count >= (page == "spoolctl.1" ? 10 : 1))
        for block in blocks {
            let result = try Commands.run(
                "/bin/sh", ["-ec", block],
                environment: ["PATH=\(SpoolUnderTest.programs):/usr/bin:/bin", "SPOOL_DIR=\(spool.path)", "HOME=\(spool.base)"])
            #expect(result.code == 0, "\(result.error) in:\n\(block)")
        }
    }

    @Test("The installed demo runs all examples to their ends and leaves nothing running; without examples it says where they belong")
    func demo() throws {
        let spool = try SpoolUnderTest(starting: false)
        // Installs the programs and the examples as the README does.
        let (bin, share) = ("\(spool.base)/installed/bin", "\(spool.base)/installed/share/doc/spoold")
        try Commands.succeed("mkdir", "-p", bin, share)
        for program in ["spoold", "spoolctl", "spool-worker"] {
            try Commands.succeed("cp", "\(SpoolUnderTest.programs)/\(program)", "\(bin)/\(program)")
        }
        let refused = try Commands.run("\(bin)/spoolctl", "demo")
        #expect(refused.code == 1 && refused.error.contains("\(share)/examples does not exist"), "\(refused.error)")
        try Commands.succeed("cp", "-r", "\(Self.root)/examples", "\(share)/examples")
        let demo = try Commands.run("\(bin)/spoolctl", "demo")
        #expect(demo.code == 0, "\(demo.error)")
        for end in ["flaky\tdone\t3/3", "too-slow\tfailed\t1/1\ttimeout", "typo\tfailed\t0/1\trejected", "csv-report\tdone"] {
            #expect(demo.output.contains(end), "\(end) in:\n\(demo.output)")
        }
        let last = demo.output.split(separator: "\n").last { $0.contains("rm -r ") }
        let kept = try #require(last?.split(separator: " ").last.map(String.init))
        #expect(try spool.ctl("--spool", kept, "status").output.contains("not running"))
        try Files.removeTree(kept)
    }
}
