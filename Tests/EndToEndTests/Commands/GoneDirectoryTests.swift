import Glibc
import Linux
import Testing

/// The caller's directory has been removed. spoolctl must not take relative paths from the root directory instead.
@Suite("A current directory that was removed", .ownThreads)
struct GoneDirectoryTests {
    /// Calls spoolctl from a directory that was removed before.
    private func ctl(_ spool: SpoolUnderTest, _ arguments: [String], environment: [String] = []) throws -> CtlResult {
        let script = "mkdir \"$0/gone\" && cd \"$0/gone\" && rmdir \"$0/gone\" && exec \"$@\""
        let line = ["-c", script, spool.base, "\(SpoolUnderTest.programs)/spoolctl", "--config", spool.configuration] + arguments
        let result = try Commands.run("sh", line, environment: spool.environment + environment)
        return CtlResult(code: result.code, output: result.output, errors: result.error)
    }

    static let refused: [(arguments: [String], names: String)] = [
        (["submit", "--", "pwd"], "--directory (-C)"),
        (["submit", "-w", "--", "pwd"], "--directory (-C)"),
        (["submit", "--lines", "/dev/null"], "--directory (-C)"),
        (["submit", "-C", "sub", "--", "pwd"], "--directory (-C)"),
        (["submit", "-C", ".", "--", "pwd"], "--directory (-C)"),
        (["submit", "--stdin", "etc/hostname", "-C", "etc", "--", "cat"], "--directory (-C)"),
        (["create", "t", "-C", "etc", "--", "pwd"], "--directory (-C)"),
        (["create", "t", "--stdin", "etc/hostname", "--", "cat"], "--stdin"),
        (["run", "known", "-C", "etc"], "--directory (-C)"),
        (["jobs", "--spool", "tmp"], "the spool"),
        (["submit", "--spool", "tmp/made", "-C", "/", "--", "pwd"], "the spool"),
        (["check", "etc/passwd"], "the file"),
    ]

    @Test("Paths relative to it are refused, and the message says what to write instead", arguments: refused)
    func isRefused(_ row: (arguments: [String], names: String)) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("known", "command = 'pwd'")
        let result = try ctl(spool, row.arguments)
        #expect(result.code == (row.arguments.contains("-w") ? 125 : 1) && result.output.isEmpty, "\(result)")
        #expect(result.errors.contains("the current directory has no path") && result.errors.contains(row.names), "\(result.errors)")
        #expect(try Files.list("\(spool.path)/new").isEmpty && Files.list("\(spool.path)/tmp").isEmpty && !Files.exists("/tmp/made"))
    }

    @Test("A relative SPOOL_DIR is refused, too")
    func spoolDirectory() throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try ctl(spool, ["submit", "-C", "/", "--", "pwd"], environment: ["SPOOL_DIR=tmp/made"])
        #expect(result.code == 1 && result.errors.contains("the absolute path of the spool"), "\(result)")
        #expect(!Files.exists("/tmp/made"))
    }

    @Test("A directory that is not relative to it works", arguments: [["-C", "/usr"], ["-C", "~"], ["-C", "~/"]])
    func works(_ options: [String]) throws {
        let spool = try SpoolUnderTest()
        let result = try ctl(spool, ["submit", "-w"] + options + ["--", "pwd"])
        let home = try User.find(id: geteuid())?.home ?? ""
        #expect(result.code == 0 && result.output == (options[1] == "/usr" ? "/usr\n" : "\(home)\n"), "\(result)")
    }

    @Test("An empty --directory is a mistake, not a directory", arguments: ["submit", "create"])
    func empty(_ command: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: [command] + (command == "create" ? ["t"] : []) + ["-C", "", "--", "pwd"])
        #expect(result.code == 2 && result.errors.contains("--directory"), "\(result)")
    }

    static let homeless: [(directory: String, ran: Bool)] = [("sub", false), ("~", false), ("~/sub", false), ("etc", false), ("/etc", true)]

    @Test(
        "A path relative to the home of a user without one is not taken as a path below the root directory",
        .enabled(if: geteuid() == 0, "only root's jobs run as another user"), arguments: homeless)
    func isHomeless(_ row: (directory: String, ran: Bool)) throws {
        let spool = try UserTests.spool()
        try spool.drop("j.toml", "command = 'true'\nuser = '54321'\ngroup = '54321'\ndirectory = '\(row.directory)'\n")
        let job = try spool.end(of: "j")
        if row.ran {
            #expect(job.outcome == "done 0")
        } else {
            #expect(job.outcome == "failed spawn" && job.error.contains("who has none"))
        }
    }
}
