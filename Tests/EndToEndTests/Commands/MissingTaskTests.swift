import Documents
import Linux
import Testing

/// Other definitions may name tasks that do not exist yet. This is a warning, because the tasks may be created later.
@Suite("Tasks that are named", .ownThreads)
struct MissingTaskTests {
    static let text = """
        command = ["true"]
        expect = "1d"
        on_success = "reprt"
        on_failure = "no such line for the shell"
        on_end = ["nosuch", "argv"]
        on_overdue = "alarm"
        after = ["report", "gone"]
        """

    static let warnings = [
        "3:14: warning: on_success: there is no task \"reprt\"; did you mean \"report\"?",
        "6:14: warning: on_overdue: there is no task \"alarm\"",
        "7:20: warning: after: there is no task \"gone\"",
    ]

    @Test("check warns of a default on_failure in the configuration that names a missing task")
    func configuration() throws {
        let spool = try SpoolUnderTest(configuration: "mail = \"root\"\non_failure = \"alrm\"\n", starting: false)
        try spool.task("alarm", "command = ['true']")
        let warning = "\(spool.configuration):2:14: warning: on_failure: there is no task \"alrm\"; did you mean \"alarm\"?"
        let all = try spool.ctl("check")
        #expect(all.code == 0 && all.lines == [warning], "\(all)")
        try Files.write(spool.configuration, "on_failure = \"alarm\"\n")
        #expect(try spool.ctl("check").output.isEmpty)
    }

    @Test("check warns of keys that name a missing task, and its exit code stays the same")
    func check() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("report", "command = [\"true\"]\non_success = \"report\"")
        try spool.task("t", Self.text)
        let all = try spool.ctl("check")
        #expect(all.code == 0 && all.lines == Self.warnings.map { "tasks/t.toml:\($0)" }, "\(all.output)")
        let objects = try spool.ctl("check", "--json").objects
        #expect(
            objects.map { $0.text("severity") } == ["warning", "warning", "warning"]
                && objects[0].text("hint") == "did you mean \"report\"?")
        #expect(try spool.ctl("check", "\(spool.path)/tasks/t.toml").lines.count == 3, "a file of the spool")
        try spool.task("alarm", "command = [\"true\"]")
        #expect(try spool.ctl("check").lines.count == 2)
        try spool.drop("job.toml", "command = [\"true\"]\non_failure = \"none\"\nafter = {all = [\"report\"], when = \"end\"}")
        #expect(try spool.ctl("check").lines.last == "new/job.toml:2:14: warning: on_failure: there is no task \"none\"")
    }

    @Test("check of a file outside the spool warns of missing tasks only with --spool")
    func outside() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.task("report", "command = [\"true\"]")
        try Files.makeDirectory("\(spool.base)/tasks")
        let file = "\(spool.base)/tasks/t.toml"
        try Files.write(file, Self.text)
        let alone = try spool.ctl("check", file)
        #expect(alone.code == 0 && alone.output.isEmpty, "\(alone.output)")
        let meant = try spool.ctl("--spool", spool.path, "check", file)
        #expect(meant.code == 0 && meant.lines == Self.warnings.map { "\(file):\($0)" }, "\(meant.output)")
    }

    @Test("The log warns of a named task that is missing: when it is named, at the start, and when it is removed")
    func log() throws {
        let spool = try SpoolUnderTest(starting: false)
        // These tasks name each other. The order in which the daemon reads them does not matter.
        for (name, other) in [("a", "b"), ("b", "c"), ("c", "a")] {
            try spool.task(name, "command = [\"true\"]\non_failure = \"\(other)\"")
        }
        try spool.task("t", "command = [\"true\"]\non_success = \"gone\"")
        try spool.start()
        try spool.logLine("level=warning", "event=missing-task", "file=tasks/t", "key=on_success", "task=gone")
        #expect(spool.log.split(separator: "\n").count { $0.contains("missing-task") } == 1, "\(spool.log)")
        try spool.task("t", "command = [\"true\"]\nafter = \"elsewhere\"")
        try spool.logLine("event=missing-task", "file=tasks/t", "key=after", "task=elsewhere")
        try Files.remove("\(spool.path)/tasks/b.toml")
        try spool.logLine("event=missing-task", "file=tasks/a", "key=on_failure", "task=b")
        try spool.drop("job.toml", "command = [\"true\"]\non_end = \"nowhere\"")
        try spool.logLine("event=missing-task", "file=new/job.toml", "key=on_end", "task=nowhere")
    }
}
