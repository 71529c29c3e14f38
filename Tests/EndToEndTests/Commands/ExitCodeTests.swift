import Glibc
import TestSupport
import Testing

/// The codes that scripts and monitoring programs rely on.
@Suite("Exit codes", .ownThreads)
struct ExitCodeTests {
    @Test("A13: status and health exit with 3 when no daemon serves the spool, and with 0 when one does")
    func served() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("status").code == 3)
        #expect(try spool.ctl("status", "--json").code == 3)
        let down = try spool.ctl("health")
        #expect(down.code == 3 && down.output.isEmpty && down.errors.isEmpty, "\(down)")
        try spool.start()
        #expect(try spool.ctl("status").code == 0)
        let up = try spool.ctl("health")
        #expect(up.code == 0 && up.output.isEmpty && up.errors.isEmpty, "\(up)")
        let id = try spool.ctl("submit", "-w", "exit 1").id
        try spool.stop()
        #expect(try spool.ctl("health").code == 3)
        #expect(try spool.ctl("status", id).code == 0, "a job's status needs no daemon")
        let missing = try spool.ctl("--spool", "\(spool.base)/missing", "status")
        #expect(missing.code == 3 && missing.errors.contains("there is no spool"), "\(missing)")
    }

    @Test("A13: health exits with 1 when the daemon takes no turn")
    func hangs() throws {
        let spool = try SpoolUnderTest()
        let file = "\(spool.path)/state/status.json"
        try spool.pause()
        #expect(try spool.ctl("health").code == 0, "it has published its status within the last minute")
        let text = try Files.text(file)
        let parts = text.split(separator: "\"at\":\"", maxSplits: 1)
        try Files.write(file, "\(parts[0])\"at\":\"2020\(parts[1].dropFirst(4))")
        #expect(try spool.ctl("health", "--timeout", "100ms").code == 1)
        #expect(try Files.list("\(spool.path)/control").isEmpty)
        spool.signal(SIGCONT)
        #expect(try spool.ctl("health").code == 0)
        // The daemon answered in a turn. Each turn publishes the status.
        try spool.wait(for: "the status") { try !Files.text(file).contains("\"at\":\"2020") }
    }

    @Test(
        "An answer of the daemon counts that comes while spoolctl finds its time over",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func lateAnswer() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "--in", "1h", "--", "true").id
        // Each wait ends as if its time were over.
        let result = try Commands.run(
            "strace",
            ["-qq", "-o", "/dev/null", "-e", "trace=?poll,?ppoll", "-e", "inject=?poll,?ppoll:retval=0"]
                + [SubmitWaitTests.ctl, "--spool", spool.path, "cancel", id])
        #expect(result.code == 0 && result.output == "\(id): canceled\n", "\(result)")
    }

    static let unstartable: [(command: [String], code: Int32, says: String)] = [
        (["no-such-program", "x"], 127, "command not found"),
        (["/no/such/program"], 127, "command not found"),
        (["/etc/passwd", "x"], 126, "is not executable"),
        (["/", "x"], 126, "is not executable"),
    ]

    @Test("U6: submit -w exits with 127 for a missing command and with 126 for one that cannot be executed", arguments: unstartable)
    func unstarted(_ row: (command: [String], code: Int32, says: String)) throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl(list: ["submit", "-w", "--"] + row.command)
        #expect(result.code == row.code && result.errors.contains(row.says), "\(result)")
        #expect(try spool.ctl("wait", result.id).code == row.code)
        let job = try spool.job(result.id, in: "failed")
        #expect(job?.reason == "spawn" && job?.exitCode == Int(row.code), "\(result)")
    }

    static let own: [(arguments: [String], code: Int32)] = [
        (["wait", "nosuch"], 125), (["wait"], 125), (["wait", "--bogus", "x"], 125), (["submit", "-w"], 125),
        (["run", "-w", "nosuch"], 125),
        (["submit", "-w", "--timeout", "soon", "true"], 125), (["submit", "--bogus", "-w", "true"], 125), (["retry", "-w", "nosuch"], 125),
        (["submit", "-w", "--directory", "/no/such", "true"], 125), (["submit"], 2), (["run", "nosuch"], 3),
        (["submit", "--bogus", "--", "true", "-w"], 2),
    ]

    @Test("U6: A command that exits with a job's code exits with 125 when spoolctl itself fails", arguments: own)
    func ownFailure(_ row: (arguments: [String], code: Int32)) throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl(list: row.arguments)
        #expect(result.code == row.code && !result.errors.isEmpty, "\(row.arguments): \(result)")
    }
}
