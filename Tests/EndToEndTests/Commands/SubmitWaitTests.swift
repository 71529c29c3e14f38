import CLinux
import Glibc
import Linux
import Testing

/// A submitted job behaves like a command of the terminal: its input, output, exit code and ctrl-C. U6.
@Suite("submit -w, run -w and wait", .ownThreads)
struct SubmitWaitTests {
    static let ctl = "\(SpoolUnderTest.programs)/spoolctl"

    @Test("U6: a command is queued with its directory and environment, can be watched and waited for, and its exit code is returned")
    func queued() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let submit = """
            cd \(spool.out); OWN=mine exec \(Self.ctl) submit --env 'pwd; echo $OWN; echo > began; read x < \(gate.path); echo end; exit 9'
            """
        let submitted = try Commands.run("sh", ["-c", submit], environment: spool.environment)
        #expect(submitted.code == 0, "\(submitted.error)")
        let id = String(submitted.output.dropLast())
        let follower = try spool.startCtl(["logs", "-f", id])
        let waiter = try spool.startCtl(["wait", id])
        try follower.awaitOutput("\(spool.out)\nmine\n")
        #expect(!waiter.child.hasEnded)
        try gate.release()
        #expect(try waiter.end().code == 9)
        let followed = try follower.end()
        #expect(followed.code == 0 && followed.output == "\(spool.out)\nmine\nend\n", "logs -f ends when the job ends")
    }

    @Test("U6: submit -w and run -w show both streams as they are written, and exit as the job does", arguments: ["submit", "run"])
    func streams(_ command: String) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let line = "echo one; echo err >&2; read x < \(gate.path); echo two; exit 4"
        try spool.acceptedTask("t", "command = '\(line)'")
        let waiter = try spool.startCtl(command == "run" ? ["run", "-w", "t"] : ["submit", "-w", line])
        try waiter.awaitOutput("one\n")
        try spool.wait(for: "standard error") { try waiter.errors.contains("err\n") }
        #expect(!waiter.child.hasEnded)
        try gate.release()
        let result = try waiter.end()
        #expect(result.code == 4 && result.output == "one\ntwo\n")
        #expect(result.errors == "spoolctl: submitted \(result.id)\nerr\n")
    }

    @Test("U6: with -q or --json the id is all that submit -w prints")
    func quiet() throws {
        let spool = try SpoolUnderTest()
        let quiet = try spool.ctl("submit", "-w", "-q", "echo out; exit 2")
        #expect(quiet.code == 2 && quiet.errors.isEmpty && quiet.lines.count == 1)
        #expect(try spool.ctl("logs", quiet.output.dropLast().description).output == "out\n")
        #expect(try spool.ctl("submit", "-w", "--json", "echo out").output.hasPrefix("{\"id\":\""))
    }

    @Test("U6: submit -w shows every try, and reports a job that never ran")
    func tries() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let waiter = try spool.startCtl(
            ["submit", "-w", "--tries", "2", "--backoff", "1ms", "echo try $SPOOL_TRY; read x < \(gate.path); exit $x"])
        try waiter.awaitOutput("try 1\n")
        try gate.release(1, "1")
        try waiter.awaitOutput("try 2\n")
        try gate.release(1, "0")
        let result = try waiter.end()
        #expect(result.code == 0 && result.output == "try 1\ntry 2\n")
        let never = try spool.ctl("submit", "-w", "--", "/no/such/program")
        #expect(never.code == 127 && never.errors.contains("command not found"))
    }

    // MARK: Standard input

    static let inputs: [(options: [String], command: [String], output: String)] = [
        ([], ["cat"], "b\na\n"), ([], ["sort"], "a\nb\n"), (["--payload", "1"], ["cat"], "1"), (["--stdin", "/dev/null"], ["cat"], ""),
        (["--tries", "2", "--backoff", "1ms"], ["cat; test $SPOOL_TRY = 2"], "b\na\nb\na\n"),
    ]

    @Test("U6: submit -w gives its standard input to the job, unless something else is", arguments: inputs)
    func input(_ row: (options: [String], command: [String], output: String)) throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl(list: ["submit", "-w"] + row.options + ["--"] + row.command, input: "b\na\n")
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output == row.output, "\(result.output)")
        let place = "\(spool.path)/done/\(result.id)"
        #expect(Files.exists("\(place)/stdin") == row.options.allSatisfy { !["--payload", "--stdin"].contains($0) })
    }

    @Test("U6: a job with input survives a restart while it waits, and retry gives the same input to the new one")
    func inputIsKept() throws {
        let spool = try SpoolUnderTest(starting: false)
        let waiter = try spool.startCtl(["submit", "-w", "cat; exit 3"], input: "what it reads")
        let id = try spool.wait(for: "the job in new/") { try Files.list("\(spool.path)/new").first }
        // The stored input has a hidden name for a moment.
        let names = try Files.list("\(spool.path)/new/\(id)").filter { !$0.hasPrefix(".") }
        #expect(names == ["job.toml", "stdin", "waiter"])
        try spool.start()
        let result = try waiter.end()
        #expect(result.code == 3 && result.output == "what it reads" && result.id == id)
        let retried = try spool.ctl("retry", "-w", id)
        #expect(retried.code == 3)
        #expect(try spool.ctl("logs", retried.id).output == "what it reads")
        #expect(try spool.job(retried.id, in: "failed")?.string("retry_of") == id)
        // Moving the record into new/ gives the job the same input, too.
        try Files.rename("\(spool.path)/failed/\(id)", "\(spool.path)/new/again")
        let again = try spool.wait(for: "the third") { try spool.jobs(in: "failed", named: "again").first }
        #expect(try again.stdout == "what it reads" && again.string("retry_of") == id)
    }

    @Test("U6: a waiting job with input is canceled, or withdrawn by rm -r, with the daemon up or down")
    func inputWithdrawn() throws {
        let spool = try SpoolUnderTest()
        func submit() throws -> String {
            let caller = try spool.startCtl(["submit", "-w", "--in", "1h", "cat"], input: "x")
            let id = try spool.wait(for: "the job in new/") {
                try Files.list("\(spool.path)/new").first { Files.exists("\(spool.path)/new/\($0)/status.json") }
            }
            caller.child.kill(SIGKILL)
            return id
        }
        let canceled = try submit()
        #expect(try spool.ctl("cancel", canceled).code == 0)
        #expect(try spool.job(canceled, in: "failed")?.outcome == "failed canceled")
        let removed = try submit()
        try Files.removeTree("\(spool.path)/new/\(removed)")
        try spool.logLine("event=withdrawn", removed)
        let later = try submit()
        try spool.stop()
        try Files.removeTree("\(spool.path)/new/\(later)")
        try spool.start()
        try spool.logLine("event=withdrawn", later)
        #expect(try spool.ctl("status", later).code == 3)
    }

    @Test("U6: too much input for a job whose input must be stored is refused, and nothing is submitted")
    func tooMuchInput() throws {
        let spool = try SpoolUnderTest()
        let line = "head -c 67108865 /dev/zero | \(Self.ctl) submit -w --tries 2 cat"
        let result = try Commands.run("sh", ["-c", line], environment: spool.environment)
        #expect(result.code == 125 && result.error.contains("more than 64 MiB"), "\(result.error)")
        #expect(try Files.list("\(spool.path)/tmp").isEmpty && spool.ended().isEmpty)
    }

    // MARK: ctrl-C

    static let waits: [[String]] = [["submit", "-w"], ["run", "-w"], ["wait", "--progress"]]

    /// Starts a command that waits for a running job. Returns when the command has shown output of the job.
    private static func waiter(_ command: [String], _ more: [String] = []) throws -> (SpoolUnderTest, Gate, RunningCtl, String) {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let line = "trap 'exit 8' TERM; echo began; \(ctl) progress 0.5 began; (read x < \(gate.path); exit $x) & wait $!; exit $?"
        try spool.acceptedTask("t", "kill_after = '1h'\ncommand = \"\"\"\(line)\"\"\"")
        var arguments = command + more
        switch command[0] {
        case "submit": arguments += ["--name", "t", "--kill-after", "1h", line]
        case "run": arguments += ["t"]
        default: arguments += [try spool.ctl("run", "t").id]
        }
        let waiter = try spool.startCtl(arguments)
        try waiter.awaitOutput("began")
        return (spool, gate, waiter, try spool.running("t").id)
    }

    @Test("U6: ctrl-C leaves the job running, prints how to cancel it, and exits with 130", arguments: waits)
    func interrupt(_ command: [String]) throws {
        let (spool, gate, waiter, id) = try Self.waiter(command)
        waiter.child.kill(SIGINT)
        let result = try waiter.end()
        #expect(result.code == 130)
        #expect(result.errors.hasSuffix("spoolctl: the job continues; to end it: spoolctl cancel \(id)\n"), "\(result.errors)")
        try gate.release(1, "5")
        #expect(try spool.ctl("wait", id).code == 5)
    }

    @Test("U6: with --cancel-on-interrupt ctrl-C cancels the job and waits for its end", arguments: waits)
    func cancelOnInterrupt(_ command: [String]) throws {
        let (spool, _, waiter, id) = try Self.waiter(command, ["--cancel-on-interrupt"])
        waiter.child.kill(SIGINT)
        #expect(try waiter.end().code == 8)
        let job = try #require(try spool.job(id, in: "failed"))
        #expect(job.reason == "canceled" && job.exitCode == 8)
    }

    @Test("U6: a second ctrl-C does not wait for a job that does not end")
    func secondInterrupt() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let waiter = try spool.startCtl(
            [
                "submit", "-w", "--cancel-on-interrupt", "--kill-after", "1h",
                gate.waiting(trap: "TERM", "echo told", ready: "echo began"),
            ])
        try waiter.awaitOutput("began")
        waiter.child.kill(SIGINT)
        try waiter.awaitOutput("told")
        waiter.child.kill(SIGINT)
        let result = try waiter.end()
        #expect(result.code == 130 && result.errors.contains("spoolctl cancel \(result.id)"))
    }

    // MARK: Closed pipes and missing environments

    @Test("A reader that has ended is not an error", arguments: [["jobs"], ["jobs", "--json"], ["list"], ["journal"], ["status"], ["help"]])
    func brokenPipe(_ arguments: [String]) throws {
        let spool = try SpoolUnderTest()
        _ = try spool.ctl("submit", "-w", "true")
        var ends: [Int32] = [-1, -1]
        try #require(linux_pipe2(&ends, O_CLOEXEC) == 0)
        close(ends[0])
        let result = try spool.startCtl(arguments, output: ends[1]).end()
        close(ends[1])
        #expect(result.code == 0 && result.errors.isEmpty, "\(result.code) \(result.errors)")
    }

    @Test("submit -w whose output nobody reads ends with 141, as a program that SIGPIPE ended")
    func brokenPipeOfWait() throws {
        let spool = try SpoolUnderTest()
        var ends: [Int32] = [-1, -1]
        try #require(linux_pipe2(&ends, O_CLOEXEC) == 0)
        close(ends[0])
        let result = try spool.startCtl(["submit", "-w", "echo out; exit 6"], output: ends[1]).end()
        close(ends[1])
        #expect(result.code == 141)
    }

    @Test("Without HOME and other variables, commands that need no spool work", arguments: [
        ["version"], ["explain", "@daily"], ["next", "--cron", "@daily"], ["completion", "bash"], ["--help"],
    ])
    func withoutHome(_ arguments: [String]) throws {
        let result = try Commands.run("env", ["-i", Self.ctl] + arguments)
        #expect(result.code == 0 && result.error.isEmpty, "\(result.error)")
        let closed = try Commands.run("sh", ["-c", "exec env -i \(Self.ctl) \(arguments.joined(separator: " ")) <&- 2>&-"])
        #expect(closed.code == 0)
    }

    @Test("Without a standard input submit -w gives the job none")
    func withoutInput() throws {
        let spool = try SpoolUnderTest()
        let result = try Commands.run("sh", ["-c", "exec \(Self.ctl) submit -w 'cat; echo end' <&-"], environment: spool.environment)
        #expect(result.code == 0 && result.output == "end\n", "\(result.error)")
    }
}
