import Glibc
import Linux
import Testing

/// The output and the exit code of one call of spoolctl.
struct CtlResult {
    var code: Int32
    var output: String
    var errors: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }
    /// The id that the command printed. With `-w`, standard output belongs to the job, so the id is taken from standard error.
    var id: String {
        let said = errors.split(separator: "\n").first { $0.hasPrefix("spoolctl: submitted ") }
        return said.map { String($0.dropFirst("spoolctl: submitted ".count)) } ?? lines.first ?? ""
    }
}

extension SpoolUnderTest {
    func ctl(_ arguments: String...) throws -> CtlResult { try ctl(list: arguments) }

    func ctl(list arguments: [String], input: String? = nil) throws -> CtlResult {
        try startCtl(arguments, input: input).end()
    }

    /// Starts spoolctl without waiting. Its output goes to files in `base`, so that `wait` can wait for a text. Its input is
    /// /dev/null or the file `input`.
    func startCtl(_ arguments: [String], input: String? = nil, output: Int32? = nil) throws -> RunningCtl {
        try RunningCtl(self, arguments, input: input, output: output)
    }
}

final class RunningCtl {
    let child: Child
    private let spool: SpoolUnderTest
    private let stem: String
    private let arguments: [String]

    init(_ spool: SpoolUnderTest, _ arguments: [String], input: String?, output: Int32?) throws {
        self.spool = spool
        self.arguments = arguments
        stem = "\(spool.base)/ctl-\(UInt64.random(in: 0...(.max)))"
        try Files.write("\(stem).in", input ?? "")
        let inputFile = try FileDescriptor.open(input == nil ? "/dev/null" : "\(stem).in", O_RDONLY)
        let outputFile = try FileDescriptor.open("\(stem).out", O_RDWR | O_CREAT, mode: 0o600)
        let errorFile = try FileDescriptor.open("\(stem).err", O_RDWR | O_CREAT, mode: 0o600)
        child = try Child(
            "\(SpoolUnderTest.programs)/spoolctl", (spool.namesConfiguration ? ["--config", spool.configuration] : []) + arguments,
            environment: spool.environment,
            input: inputFile.raw, output: output ?? outputFile.raw, error: errorFile.raw)
    }

    var output: String { get throws { try Files.text("\(stem).out") } }
    var errors: String { get throws { try Files.text("\(stem).err") } }

    /// Waits until the command has written this text.
    func awaitOutput(_ text: String) throws {
        try spool.wait(for: "spoolctl to write \"\(text)\"") { try self.output.contains(text) }
    }

    func end() throws -> CtlResult {
        guard let code = child.exitCode() else { throw spool.failure("spoolctl \(arguments) does not end") }
        return CtlResult(code: code, output: try output, errors: try errors)
    }
}

@Suite("spoolctl", .ownThreads)
struct CtlTests {
    static let ends: [(command: String, code: Int32)] = [
        ("true", 0), ("exit 3", 3), ("kill -9 $$", 137), ("/no/such/program; exit 127", 127),
    ]

    @Test("submit -w exits as the job does", arguments: ends)
    func waits(_ end: (command: String, code: Int32)) throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("submit", "-w", end.command).code == end.code)
    }

    @Test("The exit code of a timeout is 124, and that of a job that never ran is 125")
    func neverRan() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("submit", "-w", "--timeout", "100ms", "--", "sleep", "60").code == 124)
        #expect(try spool.ctl("submit", "-w", "--deadline", "1ms", "--in", "20ms", "--", "true").code == 125)
        let late = try spool.ctl("submit", "--in", "1h", "--", "true").id
        #expect(try spool.ctl("wait", "--timeout", "10ms", late).code == 124)
        #expect(try spool.ctl("cancel", late).code == 0)
        #expect(try spool.ctl("wait", late).code == 125)
        #expect(try spool.ctl("cancel", late).code == 1, "it has ended already")
    }

    @Test("A job that was submitted without a daemon waits, and runs when a daemon starts")
    func withoutDaemon() throws {
        let spool = try SpoolUnderTest(starting: false)
        let id = try spool.ctl("submit", "-E", "GREETING=hello", "echo $GREETING").id
        #expect(Files.exists("\(spool.path)/new/\(id).toml"))
        try spool.start()
        #expect(try spool.ctl("wait", id).code == 0)
        #expect(try spool.ctl("logs", id).output == "hello\n")
    }

    @Test("logs -f follows a job from before its start to its end")
    func follows() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "--in", "200ms", "echo one; echo two").id
        #expect(try spool.ctl("logs", "-f", id).output == "one\ntwo\n")
    }

    @Test("retry runs an ended job again, linked to the old one")
    func retries() throws {
        let spool = try SpoolUnderTest()
        let old = try spool.ctl("submit", "-w", "exit 3")
        let new = try spool.ctl("retry", "-w", old.id)
        #expect(new.code == 3)
        #expect(try spool.ctl("status", "--json", new.id).output.contains("\"retry_of\":\"\(old.id)\""))
    }

    static let mistakes: [(arguments: [String], code: Int32, says: String)] = [
        (["sbmit"], 2, "did you mean \"submit\"?"),
        (["submit", "--timout", "5m", "true"], 2, "did you mean --timeout?"),
        (["submit", "--timeout", "soon", "true"], 4, "--timeout: "),
        (["run", "nosuch"], 3, "there is no task \"nosuch\""),
        (["status", "nosuch"], 3, "there is no job \"nosuch\""),
        (["create", "a", "--cron", "61 * * * *", "true"], 4, "minute 61"),
        (["create", "a", "--calendar", "*-*-* 25:00", "true"], 4, "hour 25 is out of range 0-23"),
        (["create", "a", "--calendar", "daily UTC", "--timezone", "Asia/Tokyo", "true"], 4, "names the zone UTC; leave one of them away"),
        (
            ["create", "a", "--rrule", "FREQ=DAILY;BYHUOR=1", "true"], 4,
            "--rrule: rrule \"FREQ=DAILY;BYHUOR=1\": unknown part \"BYHUOR\"; did you mean BYHOUR?"),
        (["create", "a", "--rrule", "FREQ=DAILY;INTERVAL=2", "true"], 4, "INTERVAL=2 counts from dtstart, which is missing"),
        (["next", "--rrule", "FREQ=DAILY", "--dtstart", "soon"], 4, "--dtstart: can't read the instant"),
        (["create", "a", "--dtstart", "2026-01-01", "true"], 2, "--dtstart needs one of --cron, --calendar, --rrule"),
        (["next", "--cron", "@daily", "--dtstart", "2026-01-01"], 2, "--dtstart needs --rrule"),
        (["next", "--calendar", "daily", "--cron", "@daily"], 2, "--calendar and --cron both say when"),
        (["create", "a", "--at", "2020-01-01", "true"], 4, "in the past"),
        (["unschedule", "nosuch"], 3, "there is no schedule \"nosuch\""),
    ]

    @Test("A mistake is reported in one line, with the exit code of its kind", arguments: mistakes)
    func mistake(_ mistake: (arguments: [String], code: Int32, says: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: mistake.arguments)
        #expect(result.code == mistake.code)
        #expect(result.errors.hasPrefix("spoolctl: ") && result.errors.contains(mistake.says), "\(result.errors)")
        #expect(result.output.isEmpty)
    }

    @Test("update changes a key and keeps comments and schedules")
    func update() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.path)/tasks/a.toml", "# why\ncommand = [\"true\"]  # what\n\n# when\n[[schedule]]\ncron = \"0 5 * * *\"\n")
        #expect(try spool.ctl("update", "a", "--timeout", "5m").code == 0)
        #expect(
            try Files.text("\(spool.path)/tasks/a.toml")
                == "# why\ncommand = [\"true\"]  # what\ntimeout = \"5m\"\n\n# when\n[[schedule]]\ncron = \"0 5 * * *\"\n")
    }

    @Test("Ids of submit --lines sort as the lines")
    func lines() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/lines", (0..<300).map { "echo \($0)\n" }.joined())
        let ids = try spool.ctl("submit", "--lines", "\(spool.base)/lines").lines
        #expect(ids.count == 300)
        #expect(ids == ids.sorted())
        #expect(try spool.ctl("jobs", "-q").lines == ids)
        #expect(try Files.text("\(spool.path)/new/\(ids[299]).toml").hasPrefix("command = \"echo 299\"\n"))
    }
}
