import Glibc
import Testing

@Suite("Output of jobs", .ownThreads)
struct LogsTests {
    private static let both = "echo out; printf half; echo err >&2; echo more >&2; exit 3"

    static let looks: [(options: [String], output: String)] = [
        ([], "out\nhalf\nstderr| err\nstderr| more\n"), (["-f"], "out\nhalf\nstderr| err\nstderr| more\n"),
        (["--stdout"], "out\nhalf"), (["-o", "-e"], "out\nhalf\nstderr| err\nstderr| more\n"), (["--stderr"], "err\nmore\n"),
        (["-n", "1"], "half\nstderr| more\n"), (["-e", "-n", "1"], "more\n"), (["-n", "0"], ""), (["-n", "99", "-o"], "out\nhalf"),
    ]

    @Test("U6: logs shows both outputs, standard error marked, or one of them unchanged", arguments: looks)
    func both(_ look: (options: [String], output: String)) throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", Self.both).id
        let result = try spool.ctl(list: ["logs", id] + look.options)
        #expect(result.code == 0 && result.output == look.output, "\(result)")
    }

    @Test("U6: logs marks nothing when a job has written to one output alone", arguments: ["echo x", "echo x >&2", "echo x; exec 2>&-"])
    func one(_ command: String) throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", command).id
        #expect(try spool.ctl("logs", id).output == "x\n")
    }

    @Test(
        "U6: output that cannot be read is not quoted, and does not keep the failed job from its place",
        .enabled(if: TestUser.areHere, TestUser.reason))
    func unreadable() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let command = "echo seen; echo hidden >&2; chmod 000 $SPOOL_JOB_DIR/stderr; exit 3"
        // With -q the command does not read standard error itself, so it cannot read it before the job forbids that.
        let result = try spool.ctl(as: .games, "submit", "-w", "-q", command)
        #expect(result.code == 3, "\(result)")
        let status = try spool.ctl("jobs", "--json", "--state", "failed").output
        #expect(status.contains("\"error_tail\":\"seen\""), "\(status)")
    }

    @Test("U6: --since-try shows a try and all later ones")
    func sinceTry() throws {
        let spool = try SpoolUnderTest()
        let id = try spool.ctl("submit", "-w", "--tries", "3", "--backoff", "1ms", "echo $SPOOL_TRY; exit 1").id
        for options in [[], ["-f"]] {
            #expect(try spool.ctl(list: ["logs", "--since-try", "2", id] + options).output == "==> try 2 <==\n2\n==> try 3 <==\n3\n")
        }
        #expect(try spool.ctl("logs", "--since-try", "4", id).code == 3)
        #expect(try spool.ctl("logs", "--since-try", "2", "--try", "2", id).code == 2)
        let never = try spool.ctl("submit", "--in", "1h", "true").id
        _ = try spool.ctl("cancel", never)
        let json = try spool.ctl("logs", "--json", "--since-try", "2", id)
        #expect(json.lines.count == 2 && json.lines[1].hasSuffix("\"stream\":\"stdout\",\"try\":3,\"text\":\"3\\n\"}"), "\(json)")
    }

    @Test("U6: logs of a job without a start says so: exit code 1 while it waits, 3 when it has ended; -f waits for the start")
    func neverStarted() throws {
        let spool = try SpoolUnderTest()
        let waits = try spool.ctl("submit", "--in", "1h", "echo out").id
        let ended = try spool.ctl("submit", "-w", "echo ended").id
        for options in [[], ["--try", "1"], ["--since-try", "1"], ["--json"], ["--stderr"]] {
            let result = try spool.ctl(list: ["logs", waits] + options)
            #expect(result.code == 1 && result.output.isEmpty, "\(options): \(result)")
            #expect(result.errors.hasPrefix("spoolctl: \(waits) has not started; spoolctl logs -f waits for its start"), "\(result)")
        }
        let both = try spool.ctl("logs", waits, ended)
        #expect(both.code == 1 && both.output.hasSuffix("==> \(ended) <==\nended\n"), "\(both)")
        for options in [[], ["--try", "1"]] {
            let follower = try spool.startCtl(["logs", "-f", waits] + options)
            try spool.wait(for: "the remark") { try follower.errors == "spoolctl: \(waits) has not started; waiting for it\n" }
            follower.child.kill(SIGTERM)
            _ = try follower.end()
        }
        let follower = try spool.startCtl(["logs", "-f", waits])
        try spool.wait(for: "the remark") { try follower.errors.contains("waiting for it") }
        _ = try spool.ctl("cancel", waits)
        let canceled = try follower.end()
        #expect(canceled.code == 3 && canceled.errors.hasSuffix("spoolctl: \(waits) was never started: canceled\n"), "\(canceled)")
        for options in [[], ["-f"], ["--try", "1"], ["--json"], ["--since-try", "1"]] {
            let result = try spool.ctl(list: ["logs", waits] + options)
            #expect(result.code == 3 && result.errors == "spoolctl: \(waits) was never started: canceled\n", "\(options): \(result)")
        }
        #expect(try spool.ctl("logs", "-f", "--try", "2", ended).code == 3)
    }

    @Test("U6: combine_output makes one file, in the order in which the command writes")
    func combined() throws {
        let spool = try SpoolUnderTest()
        let command = "echo a; echo b >&2; echo c; echo d >&2; exit 3"
        let result = try spool.ctl("submit", "-w", "--combine-output", command)
        #expect(result.code == 3 && result.output == "a\nb\nc\nd\n", "\(result)")
        #expect(try spool.ctl("logs", result.id).output == "a\nb\nc\nd\n")
        let job = try #require(try spool.job(result.id, in: "failed"))
        #expect(try !job.files.contains("stderr") && job.string("error_tail") == "b\nc\nd")
        let dropped = try spool.run("command = 'echo b >&2; echo c'\ncombine_output = true", as: "dropped")
        #expect(try dropped.stdout == "b\nc\n")
    }

    @Test("N7: why and status quote the last lines of a run that failed")
    func quotes() throws {
        let spool = try SpoolUnderTest()
        let failed = try spool.ctl("submit", "-w", "echo out; for x in 1 2 3 4; do echo line $x >&2; done; exit 3").id
        let job = try #require(try spool.job(failed, in: "failed"))
        #expect(job.string("error_tail") == "line 2\nline 3\nline 4")
        #expect(try spool.ctl("why", failed).output.hasSuffix(".\n  line 2\n  line 3\n  line 4\n"))
        #expect(try spool.ctl("status", failed).output.contains("last output\tline 4\n"))
        #expect(try spool.ctl("why", "--json", failed).output.contains("\"error_tail\":\"line 2\\nline 3\\nline 4\""))
        let silent = try spool.ctl("submit", "-w", "echo out; exit 3").id
        #expect(try spool.job(silent, in: "failed")?.string("error_tail") == "out", "standard output, because standard error is empty")
        let well = try spool.ctl("submit", "-w", "echo err >&2").id
        #expect(try !Files.text("\(spool.path)/done/\(well)/status.json").contains("error_tail"))
    }

    @Test("M9: list --json --full has each definition")
    func definitions() throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("create", "t", "--cron", "@daily", "--", "echo", "hello").code == 0)
        let full = try spool.ctl("list", "--json", "--full")
        #expect(full.output.contains("\"definition\":{\"command\":[\"echo\",\"hello\"]}"), "\(full)")
        #expect(try !spool.ctl("list", "--json").output.contains("\"definition\""))
        #expect(try spool.ctl("list", "--full").code == 2)
    }
}
