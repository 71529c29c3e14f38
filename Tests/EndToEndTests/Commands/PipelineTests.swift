import CLinux
import Glibc
import Linux
import Testing

/// spoolctl in the middle of a pipeline: it passes on all output of the job and all input for the job, and neither end blocks the
/// other.
@Suite("submit -w and logs -f in a pipeline", .ownThreads)
struct PipelineTests {
    static let ctl = "\(SpoolUnderTest.programs)/spoolctl"

    private static func shell(_ spool: SpoolUnderTest, _ line: String) throws -> Commands.Result {
        try Commands.run("sh", ["-c", "cd \(spool.out); \(line)"], environment: spool.environment)
    }

    // MARK: Output

    /// The commands of a job, its limit, and the command that reads its output.
    static let outputs: [(name: String, limit: String, tries: String, job: String, reader: String, expected: String)] = [
        ("a slow reader", "1M", "1", "seq 2000000", "{ sleep 1; cat; }", "seq 2000000"),
        (
            "a job that outlives several looks", "1K", "1", "seq 200000; sleep 2.5; seq 200000", "{ sleep 4; cat; }",
            "seq 200000; seq 200000"),
        ("a small limit and a fast job", "1K", "1", "seq 100000", "cat", "seq 100000"),
        ("an odd limit", "1025", "1", "seq 1000", "cat", "seq 1000"),
        ("every try", "1K", "3", "seq 5000; exit 1", "cat", "seq 5000; seq 5000; seq 5000"),
    ]

    @Test("A pipeline gets every byte of the job's output, past output_limit too", arguments: outputs.indices)
    func output(_ index: Int) throws {
        let row = Self.outputs[index]
        let spool = try SpoolUnderTest()
        let submit = "\(Self.ctl) submit -w --output-limit \(row.limit) --tries \(row.tries) --backoff 1ms '\(row.job)' < /dev/null"
        let result = try Self.shell(spool, "\(submit) | \(row.reader) > got; { \(row.expected); } > expected; cmp got expected")
        #expect(result.code == 0 && result.output.isEmpty, "\(row.name): \(result)")
    }

    @Test("A reader that is stopped and continued gets every byte; the record keeps the part that output_limit allows")
    func stoppedReader() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let waiter = try spool.startCtl(
            ["submit", "-w", "--name", "t", "--output-limit", "1K", "echo began; read x < \(gate.path); seq 100000; exit 5"])
        try waiter.awaitOutput("began\n")
        waiter.child.kill(SIGSTOP)
        let id = try spool.running("t").id
        try gate.release()
        let job = try spool.wait(for: "the end") { try spool.job(id, in: "failed") }
        #expect(try job.stdout.contains("[spoold: "))
        waiter.child.kill(SIGCONT)
        let result = try waiter.end()
        #expect(result.code == 5)
        #expect(result.output == "began\n" + (1...100000).map { "\($0)\n" }.joined())
    }

    @Test(
        "A reader that was stopped before it opened the output gets every byte, and its job's slot is free meanwhile",
        arguments: [[], ["--unique", "a key"]])
    func readerStoppedEarly(_ options: [String]) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        try Files.write("\(spool.path)/control/pause", "")
        try spool.logLine("event=paused")
        let waiter = try spool.startCtl(["submit", "-w", "--name", "t", "--output-limit", "1K"] + options + ["seq 100000"])
        try spool.wait(for: "the id") { try waiter.errors.contains("submitted ") }
        waiter.child.kill(SIGSTOP)
        try Files.remove("\(spool.path)/control/pause")
        let id = try spool.end(of: "t").id
        try spool.watch("done/\(id)")
        #expect(try spool.runsOn())
        let stdout = try spool.jobs(in: "done", named: "t").first?.stdout
        #expect(stdout?.contains("[spoold: ") == false, "the output is whole until the reader comes")
        waiter.child.kill(SIGCONT)
        let result = try waiter.end()
        #expect(result.code == 0 && result.output == (1...100000).map { "\($0)\n" }.joined(), "\(result.errors)")
        _ = try spool.wait(for: "the cut") { try spool.jobs(in: "done", named: "t").first?.stdout.contains("[spoold: ") == true }
    }

    @Test(
        "Output that the disk cannot hold for a slow reader is dropped, and submit -w (with 125) and logs report how much",
        .enabled(if: FullDiskTests.canMount, FullDiskTests.reason))
    func diskHasNoRoom() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 8 << 20)
        let gate = try spool.gate()
        let job = "echo began; read x < \(gate.path); head -c 6000000 /dev/zero | tr '\\0' a; read x < \(gate.path); exit 3"
        let waiter = try spool.startCtl(["submit", "-w", "--name", "t", "--output-limit", "64K", job])
        try waiter.awaitOutput("began\n")
        waiter.child.kill(SIGSTOP)
        let id = try spool.running("t").id
        try gate.release()
        try spool.watch("running/\(id)")
        let path = "\(spool.path)/running/\(id)/stdout.1.cut"
        try spool.wait(for: "what is too much to be given back") { Files.exists(path) }
        let written = "began\n".utf8.count + 6_000_000
        let missing = written - 65536
        // The first part may be given back before all is written.
        try spool.wait(for: "all that is too much to be given back") {
            let shown = try spool.ctl("logs", id)
            return shown.code == 0 && shown.output.contains("[spoolctl: \(missing) bytes are missing here; see output_limit in spool(5)]")
        }
        try gate.release()
        _ = try spool.end(of: "t")
        #expect(try spool.ctl("logs", id).output.contains("[spoold: \(missing) bytes are left out here"))
        waiter.child.kill(SIGCONT)
        let result = try waiter.end()
        #expect(result.code == 125)
        #expect(result.errors.contains("stdout: \(missing) bytes of the job's output are missing here"), "\(result.errors)")
        #expect(result.output.utf8.count == written - missing && !result.output.contains("\0"))
    }

    @Test("logs -f continues when the job truncates its output")
    func truncated() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let id = try spool.ctl(
            "submit", "echo a longer first line; read x < \(gate.path); : > $SPOOL_JOB_DIR/stdout; echo short; read x < \(gate.path)").id
        let follower = try spool.startCtl(["logs", "-f", id])
        try follower.awaitOutput("a longer first line\n")
        try gate.release()
        try follower.awaitOutput("short\n")
        try gate.release()
        let result = try follower.end()
        #expect(result.code == 0 && result.output == "a longer first line\nshort\n" && result.errors.contains("truncated"))
    }

    // MARK: Readers that end

    static let endless = "while :; do echo x; sleep 0.1; done"
    static let idle = "echo x; sleep 600"

    @Test("submit -w and run -w end with 141 when their reader ends, also while nothing is written", arguments: [endless, idle])
    func readerGoes(_ job: String) throws {
        let spool = try SpoolUnderTest()
        let line = "{ \(Self.ctl) submit -w --name t '\(job)' < /dev/null; echo $? > code; } | head -1; cat code"
        let result = try Self.shell(spool, line)
        #expect(result.output == "x\n141\n", "\(result)")
        #expect(result.error.contains("the job continues; to end it: spoolctl cancel "))
        #expect(try spool.ctl("cancel", try spool.running("t").id).code == 0)
    }

    @Test("With --cancel-on-interrupt the job is canceled when the reader ends")
    func readerGoesAndCancels() throws {
        let spool = try SpoolUnderTest()
        let line = "\(Self.ctl) submit -w --name t --cancel-on-interrupt '\(Self.idle)' < /dev/null | head -1"
        #expect(try Self.shell(spool, line).output == "x\n")
        #expect(try spool.jobs(in: "failed", named: "t").first?.reason == "canceled")
    }

    static let followers = ["logs -f $id", "journal -f", "wait --progress $id"]

    @Test("Commands that print for a long time end when their reader ends while nothing happens", arguments: followers)
    func followerEnds(_ command: String) throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "\(Self.ctl) progress 0.5; echo x; sleep 600").id
        let result = try Self.shell(spool, "id=\(id); \(Self.ctl) \(command) | head -1 | wc -l")
        #expect(result.code == 0 && result.output == "1\n", "\(result)")
        #expect(try spool.ctl("cancel", id).code == 0)
    }

    // MARK: Input

    static let jobs: [(line: String, output: String)] = [
        ("mkfifo f; exec 3<> f; CTL submit -w -- echo hi <&3", "hi\n"),
        ("{ echo a; sleep 0.5; echo b; } | CTL submit -w cat", "a\nb\n"),
        ("head -c 80000000 /dev/zero | CTL submit -w cat | wc -c", "80000000\n"),
        ("yes | CTL submit -w -- head -1", "y\n"),
        ("printf 'a\\nb\\n' | while read h; do CTL submit -w --no-stdin -- echo $h; done", "a\nb\n"),
        (": | CTL submit -w cat", ""),
        ("printf 'a\\0b' | CTL submit -w cat | od -An -c | tr -d ' '", "a\\0b\n"),
    ]

    @Test("submit -w submits at once and feeds its input while the job runs", arguments: jobs.indices)
    func input(_ index: Int) throws {
        let row = Self.jobs[index]
        let spool = try SpoolUnderTest()
        let result = try Self.shell(spool, row.line.replacing("CTL", with: Self.ctl))
        #expect(result.code == 0 && result.output == row.output, "\(result)")
    }

    @Test("A job whose input breaks off fails, whether it has begun or not, and nothing of it is run again", arguments: [true, false])
    func brokenInput(hasBegun: Bool) throws {
        let spool = try SpoolUnderTest(starting: hasBegun)
        let (reading, writing) = try Pipe().release()
        defer { close(writing) }
        var words = Array("some\n".utf8)
        try #require(write(writing, &words, words.count) == words.count)
        let output = try FileDescriptor.open("\(spool.base)/got", O_WRONLY | O_CREAT, mode: 0o600)
        let caller = try Child(
            Self.ctl, ["submit", "-w", "cat"], environment: spool.environment, input: reading, output: output.raw, error: output.raw)
        close(reading)
        let place = hasBegun ? "running" : "new"
        let id = try spool.wait(for: "the job") { try Files.list("\(spool.path)/\(place)").first }
        if hasBegun { try spool.wait(for: "its output") { try Files.text("\(spool.base)/got").contains("some\n") } }
        caller.kill(SIGKILL)
        _ = caller.exitCode()
        if !hasBegun { try spool.start() }
        let job = try spool.wait(for: "the failure") { try spool.job(id, in: "failed") }
        #expect(job.outcome == (hasBegun ? "failed signal" : "failed spawn"))
        #expect(job.error.contains("standard input"), "\(job.error)")
        let retried = try spool.ctl("retry", id)
        #expect(retried.code == 1 && retried.errors.contains("was not stored"), "\(retried)")
        try Files.rename("\(spool.path)/failed/\(id)", "\(spool.path)/new/again")
        let again = try spool.wait(for: "the second") { try spool.jobs(in: "failed", named: "again").first }
        #expect(again.error.contains("is not kept"), "\(again.error)")
    }

    @Test("A job that is fed outlives kill -9 of the daemon, and gets the rest of its input")
    func daemonDies() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let line = "{ echo a; read x < \(gate.path); echo b; } | \(Self.ctl) submit -w cat"
        let running = try Commands.Running("sh", ["-c", line], environment: spool.environment)
        _ = try spool.wait(for: "the beginning") { try Files.list("\(spool.path)/running").first }
        try spool.crash()
        try spool.start()
        try gate.release()
        let result = try running.end()
        #expect(result.code == 0 && result.output == "a\nb\n", "\(result)")
    }

    // MARK: Input that is kept

    /// The first run reads what `reads` says, waits until all input is stored, and fails. The second run copies all input.
    private static func twice(_ spool: SpoolUnderTest, reads: String = ":") -> String {
        "if mkdir \(spool.out)/first; then \(reads); until [ -f $SPOOL_JOB_DIR/stdin ]; do sleep 0.01; done; exit 3; fi; cat"
    }

    static let keptInputs: [(name: String, input: String, reads: String)] = [
        ("nothing was read", "printf 'a\\0b\\n'", ":"),
        ("all was read", "seq 1000", "cat > /dev/null"),
        ("a part was read, of more than a pipe holds", "seq 1000000", "head -c 10 > /dev/null"),
        ("it is empty", ":", ":"),
        ("it comes slowly", "{ echo a; sleep 0.3; echo b; }", "cat > /dev/null"),
    ]

    @Test("A retry gives the job the same piped input again", arguments: keptInputs.indices)
    func keptInput(_ index: Int) throws {
        let row = Self.keptInputs[index]
        let spool = try SpoolUnderTest()
        let submit = "\(Self.ctl) submit -w --name t '\(Self.twice(spool, reads: row.reads))'"
        #expect(try Self.shell(spool, "\(row.input) | tee expected | \(submit)").code == 3)
        let id = try spool.end(of: "t").id
        let retry = "id=$(\(Self.ctl) retry \(id)) && \(Self.ctl) wait $id"
        let result = try Self.shell(spool, "\(retry) && cmp \(spool.path)/done/$id/stdout expected")
        #expect(result.code == 0 && result.output.isEmpty, "\(row.name): \(result)")
    }

    @Test("More than 64 MiB of input reach the job but are not kept, and retry reports that")
    func inputTooLargeToKeep() throws {
        let spool = try SpoolUnderTest()
        let result = try Self.shell(spool, "head -c 67108865 /dev/zero | \(Self.ctl) submit -w --name t 'wc -c; exit 3'")
        #expect(result.code == 3 && result.output == "67108865\n", "\(result)")
        let retried = try spool.ctl("retry", try spool.end(of: "t").id)
        #expect(retried.code == 1)
        #expect(retried.errors.contains("was not stored: it had not reached its end, or was larger than 64 MiB"), "\(retried)")
        #expect(try Files.list("\(spool.path)/tmp") == [])
    }

    @Test("A job that has not begun when all of its input was given does not need its submitter any more", arguments: [SIGKILL, SIGINT])
    func storedBeforeTheBeginning(_ signal: Int32) throws {
        let spool = try SpoolUnderTest(starting: false)
        // The input is larger than the buffer of a FIFO.
        try Commands.succeed("sh", "-c", "seq 100000 > \(spool.base)/input")
        let errors = "\(spool.base)/errors"
        let line = "exec \(Self.ctl) submit -w --name t cat < \(spool.base)/pipe 2> \(errors)"
        try Commands.succeed("mkfifo", "\(spool.base)/pipe")
        let nothing = try FileDescriptor.open("/dev/null", O_WRONLY)
        let submitter = try Child("/bin/sh", ["-c", line], environment: spool.environment, output: nothing.raw, error: nothing.raw)
        try Commands.succeed("cp", "\(spool.base)/input", "\(spool.base)/pipe")
        let id = try spool.wait(for: "the job") { try Files.list("\(spool.path)/new").first }
        try spool.watch("new/\(id)")
        try spool.wait(for: "its whole input") { (try? FileStatus.read("\(spool.path)/new/\(id)/stdin"))?.kind == .file }
        submitter.kill(signal)
        #expect(submitter.exitCode() == (signal == SIGKILL ? 128 + SIGKILL : 130))
        if signal == SIGINT { #expect(try Files.text(errors).contains("the job continues; to end it: spoolctl cancel ")) }
        try spool.start()
        #expect(try spool.end(of: "t").outcome == "done 0")
        #expect(try Files.text("\(spool.path)/done/\(id)/stdout") == Files.text("\(spool.base)/input"))
    }

    @Test("ctrl-C during the input ends the job and says so, and the job cannot be retried")
    func interruptedInput() throws {
        let spool = try SpoolUnderTest()
        let (reading, writing) = try Pipe().release()
        defer { close(writing) }
        var words = Array("some\n".utf8)
        try #require(write(writing, &words, words.count) == words.count)
        let output = try FileDescriptor.open("\(spool.base)/got", O_WRONLY | O_CREAT, mode: 0o600)
        let errors = try FileDescriptor.open("\(spool.base)/said", O_WRONLY | O_CREAT, mode: 0o600)
        let caller = try Child(
            Self.ctl, ["submit", "-w", "--name", "t", "--kill-after", "1h", "trap 'exit 0' TERM; cat; sleep 600"],
            environment: spool.environment, input: reading, output: output.raw, error: errors.raw)
        close(reading)
        try spool.wait(for: "its output") { try Files.text("\(spool.base)/got").contains("some\n") }
        caller.kill(SIGINT)
        #expect(caller.exitCode() == 130)
        #expect(try Files.text("\(spool.base)/said").contains("the job fails, now or when it begins"))
        let job = try spool.wait(for: "the failure") { try spool.jobs(in: "failed", named: "t").first }
        #expect(job.outcome == "failed exit 0", "whatever the exit code")
        #expect(job.error.contains("its standard input broke off"), "\(job.error)")
        #expect(try spool.ctl("retry", job.id).errors.contains("was not stored"))
    }
}
