import CLinux
import Glibc
import Linux
import Testing

/// submit refuses with exit code 4, before it writes anything, every job that the daemon would reject. Both use one function;
/// these tests ask both programs.
@Suite("Refused submissions", .ownThreads)
struct RefusedSubmitTests {
    @Test(
        "A file that the daemon rejects is refused by submit, and nothing is written",
        arguments: BadInputTests.texts.filter { !$0.text.contains("task = ") }
    )
    func texts(_ row: (file: String, text: String, errors: [String])) throws {
        let spool = try SpoolUnderTest(starting: false)
        let path = "\(spool.base)/\(row.file)"
        try Files.write(path, row.text, mode: row.file.hasSuffix(".sh") || row.file == "bad" ? 0o755 : 0o644)
        let result = try spool.ctl("submit", "--file", path)
        #expect(result.code == 4 && result.output.isEmpty, "\(result)")
        try expectNothing(spool)
    }

    @Test("A submission that fails leaves nothing in tmp/")
    func failing() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("submit", "true").code == 0)
        try Files.rename("\(spool.path)/new", "\(spool.path)/new.away")
        try Files.write("\(spool.path)/new", "")
        for call in [["submit", "true"], ["submit", "-w", "true"], ["submit", "--unique", "k", "true"]] {
            #expect(try spool.ctl(list: call).code != 0, "\(call)")
            #expect(try Files.list("\(spool.path)/tmp") == [], "\(call)")
        }
    }

    private func expectNothing(_ spool: SpoolUnderTest) throws {
        #expect(try Files.list("\(spool.path)/new").isEmpty && Files.list("\(spool.path)/tmp").isEmpty)
    }

    /// Large files by name, because test names would show their whole text.
    static let large: [String: (String, String)] = [
        "more values than are read": ("toml", "command = [\"true\"\(String(repeating: ",\"\"", count: 100_001))]"),
        "an argument too long": ("toml", "command = [\"true\", \"\(StartText.of(131_072))\"]"),
        "a line too long": ("json", "{\"command\": \"true #\(StartText.of(131_072))\"}"),
        "a variable too long": ("toml", "command = \"true\"\nenv = {A = \"\(StartText.of(131_072))\"}"),
        "tags too long": ("toml", "command = \"true\"\ntags = [\(String(repeating: "\"\(StartText.of(64))\",", count: 2100))]"),
        "a path too long": ("toml", "command = \"true\"\ndirectory = \"\(String(repeating: "/a", count: 2100))\""),
        "a name too long": ("toml", "command = \"true\"\nstdin = \"/\(StartText.of(300))\""),
        "a payload too large": ("toml", "command = \"true\"\npayload = \"\(StartText.of(256 << 10))\""),
        "a file too large": ("toml", "command = \"true\"\n#\(StartText.of(1 << 20))"),
        "nested too deep": (
            "json", "{\"command\": \"true\", \"payload\": \(String(repeating: "[", count: 70))\(String(repeating: "]", count: 70))}"),
        "more files than the kernel lets": ("toml", "command = \"true\"\nlimits = {nofile = 1000000000}"),
        "a task that is not there": ("toml", "task = \"nosuch\""),
        "a task and a command": ("toml", "task = \"t\"\ncommand = \"true\""),
        "a task and a script": ("json", "{\"task\": \"t\", \"script\": \"true\"}"),
        "a task with a key that is wrong": ("toml", "task = \"t\"\npriority = 5000"),
        "a task of which an argument is too long": ("toml", "task = \"long\""),
        "after a job that is not there": ("toml", "command = \"true\"\nafter = [\"20261121T020000.000Z-nosuch-aaaaaa\"]"),
        "after a task that is not there": ("toml", "command = \"true\"\nafter = [\"nosuch\"]"),
        "after a task that has not run": ("toml", "command = \"true\"\nafter = [\"t\"]"),
    ]

    @Test(
        "A file that exceeds a limit or names something missing is rejected if dropped, and refused by submit",
        arguments: large.keys.sorted()
    )
    func both(_ what: String) throws {
        let (kind, text) = try #require(Self.large[what])
        // Some kernels allow this many open files.
        if what.hasPrefix("more files"), DescriptorLimit.kernelMax ?? .max >= 1_000_000_000 { return }
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"true\"]")
        try spool.acceptedTask("long", "command = [\"true\", \"\(StartText.of(131_072))\"]")
        let path = "\(spool.base)/bad.\(kind)"
        try Files.write(path, text)
        let result = try spool.ctl("submit", "--file", path)
        #expect(
            [1, 3, 4].contains(result.code) && result.output.isEmpty && !result.errors.isEmpty,
            "\(what): \(result.code) \(result.errors.prefix(500))")
        #expect(
            result.code == (what == "a task that is not there" ? 3 : what == "a file too large" ? result.code : 4),
            "\(what): \(result.code)")
        try expectNothing(spool)
        try spool.drop("bad.\(kind)", text)
        #expect(try spool.end(of: "bad").outcome == "failed rejected")
    }


    @Test("A command line that no file of a job can hold is refused by submit, run and create")
    func manyArguments() throws {
        let spool = try SpoolUnderTest(starting: false)
        let script = "exec \"$0\" --config \"$1\" submit -- sh -c : x $(seq 100000)"
        let result = try Commands.run("sh", ["-c", script, SubmitWaitTests.ctl, spool.configuration], environment: spool.environment)
        #expect(result.code == 4 && result.error.contains("cannot be submitted"), "\(result.code) \(result.error.prefix(300))")
        try expectNothing(spool)
        let create = "exec \"$0\" --config \"$1\" create t -- sh -c : x $(seq 100000)"
        #expect(try Commands.run("sh", ["-c", create, SubmitWaitTests.ctl, spool.configuration], environment: spool.environment).code == 4)
        #expect(try Files.list("\(spool.path)/tasks").isEmpty)
    }

    @Test("A line of submit --lines that is too long is named, and the lines before it are jobs")
    func longLine() throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: ["submit", "--lines"], input: "true\ntrue \(StartText.of(131_072))\ntrue\n")
        #expect(
            result.code == 4 && result.lines.count == 1 && result.errors.contains("stdin:2:1: the line is"),
            "\(result.code) \(result.errors.prefix(300))")
        #expect(try Files.list("\(spool.path)/new").count == 1)
    }

    static let missing: [(options: [String], isRefused: Bool)] = [
        (["-C", "/no/such"], true), (["-C", "/etc/passwd"], true), (["--stdin", "/no/such"], true), (["--env-file", "/no/such"], true),
        (["-C", "/etc", "--stdin", "no-such"], true), (["-C", "/etc", "--stdin", "passwd"], false),
        (["-C", "/no/such", "--in", "1h"], false), (["--stdin", "/no/such", "--start", "2099-01-01"], false),
    ]

    @Test("A missing directory or file is refused, unless the job starts later", arguments: missing)
    func missingFiles(_ row: (options: [String], isRefused: Bool)) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: ["submit"] + row.options + ["--", "true"])
        #expect(result.code == (row.isRefused ? 4 : 0), "\(result)")
        if row.isRefused {
            #expect(row.options.contains { result.errors.contains($0) } || result.errors.contains("--directory"), "\(result)")
            try expectNothing(spool)
        }
    }

    @Test("retry refuses a job that would be rejected because its task was removed")
    func retried() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = [\"false\"]")
        let id = try spool.ctl("run", "-w", "-q", "t").id
        try Files.remove("\(spool.path)/tasks/t.toml")
        try spool.logLine("event=removed")
        let result = try spool.ctl("retry", id)
        #expect(result.code == 4 && result.errors.contains("t"), "\(result)")
        #expect(try Files.list("\(spool.path)/new").isEmpty)
    }
}

enum StartText {
    static func of(_ count: Int) -> String { String(repeating: "x", count: count) }
}
