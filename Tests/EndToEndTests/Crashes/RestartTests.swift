// spoold ends, is killed, and starts again. Running jobs continue.

import CLinux
import Documents
import Glibc
import Linux
import Testing

@Suite("Restarts", .ownThreads)
struct RestartTests {
    // MARK: Running jobs outlive the daemon

    static let ends: [(command: String, outcome: String, signal: Int?)] = [
        ("exit 0", "done 0", nil), ("exit 3", "failed exit 3", nil), ("kill -USR2 $$", "failed signal", Int(SIGUSR2)),
    ]

    enum Order: String, CaseIterable { case endsAfterStart, endsWhileDown }
    enum Way: String, CaseIterable { case kill, term }

    @Test("A requested signal reaches a job that an earlier daemon started")
    func signalsAdopted() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let command = gate.waiting(trap: "USR1", "exit 3", ready: "echo began >> \(spool.out)/began")
        try spool.drop("trap.toml", "command = '\(command)'")
        try spool.lines("began", count: 1)
        try spool.crash()
        let seen = spool.logLength
        try spool.start()
        try spool.logLine("event=adopted", after: seen)
        let killed = try spool.ctl("kill", "-s", "USR1", spool.running("trap").id)
        #expect(killed.code == 0, "\(killed)")
        #expect(try spool.end(of: "trap").outcome == "failed exit 3")
    }

    @Test(
        "N2: Attack 67: jobs that run while spoold is killed or stopped end with their true exit codes", arguments: Way.allCases,
        Order.allCases
    )
    func trueCodes(_ way: Way, _ order: Order) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        for (index, end) in Self.ends.enumerated() {
            try spool.drop(
                "job-\(index).toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path); echo said; \(end.command)'")
        }
        let pids = try spool.lines("began", count: 3).compactMap { pid_t($0) }
        switch way {
        case .kill: try spool.crash()
        case .term: #expect(try spool.stop() == 0)
        }
        #expect(pids.allSatisfy { Processes.isAlive($0) }, "jobs are left to their workers")
        #expect(try spool.jobs(in: "running").count == 3)
        if order == .endsWhileDown {
            try gate.release(3)
            for pid in pids { try Processes.awaitEnd(of: pid) }
            for pid in Processes.workers(ofSpool: spool.path) { try Processes.awaitEnd(of: pid) }
            try spool.start()
        } else {
            try spool.start()
            #expect(try spool.runsOn(), "there is room for others")
            #expect(try spool.jobs(in: "running").count == 3)
            try gate.release(3)
        }
        for (index, end) in Self.ends.enumerated() {
            let job = try spool.end(of: "job-\(index)")
            #expect(job.outcome == end.outcome, "\(job.error)")
            #expect(job.integer("signal") == end.signal)
            #expect(try job.stdout == "said\n")
            #expect(job.attempt == 1)
            guard case .table? = job.status["usage"]?.kind else { return #expect(Bool(false), "no usage") }
        }
        #expect(try spool.linesNow("began").count == 3, "none ran twice")
    }

    @Test("The slots of running jobs stay taken across a restart")
    func slots() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 2")
        let gate = try spool.gate()
        for index in 0..<3 { try spool.drop("job-\(index).toml", "command = 'echo x >> \(spool.out)/began; read x < \(gate.path)'") }
        try spool.lines("began", count: 2)
        try spool.crash()
        try spool.start()
        try spool.restart()
        #expect(try spool.linesNow("began").count == 2)
        #expect(try spool.jobs(in: "running").count == 2)
        try gate.release(3)
        #expect(try spool.ended(count: 3).map { "\($0.outcome) \($0.error)" } == ["done 0 ", "done 0 ", "done 0 "])
        #expect(try spool.linesNow("began").count == 3)
    }

    @Test("A timeout holds across the daemon's death")
    func timeout() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'read x < \(gate.path)'\ntimeout = \"2s\"")
        // On a busy machine the time may be over before.
        let pid = try spool.wait(for: "the job's process to be known") {
            try (spool.jobs(in: "running") + spool.ended()).first?.integer("pid")
        }
        try spool.crash()
        try Processes.awaitEnd(of: pid_t(pid))
        try spool.start()
        #expect(try spool.end(of: "job").outcome == "failed timeout")
    }

    @Test("A job that an earlier spoold started is stopped by its cancel request")
    func cancelAdopted() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo > \(spool.out)/began; read x < \(gate.path)'")
        try spool.output("began")
        try spool.crash()
        try spool.start()
        let id = try spool.running("job").id
        try spool.define("control/1.request", "{\"do\": \"cancel\", \"id\": \"\(id)\"}")
        let job = try spool.end(of: "job")
        #expect(job.outcome == "failed canceled")
        let answer = try spool.wait(for: "the answer") {
            try Files.exists("\(spool.path)/control/1.answer") ? Files.text("\(spool.path)/control/1.answer") : nil
        }
        #expect(answer.contains("\"code\":0"))
        try spool.wait(for: "the request to be gone") { !Files.exists("\(spool.path)/control/1.request") }
    }

    // MARK: Workers that die

    @Test("Attack 68: a run whose worker is killed is lost and its processes are killed; other runs continue", arguments: [true, false])
    func workerKilled(daemonIsUp: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop(
            "job.toml",
            """
            command = 'sh -c \"echo \\$\\$ >> \(spool.out)/pids; read x < \(gate.path)\" & echo $$ >> \(spool.out)/pids; read x < \
            \(gate.path); true'\ntries = 3\nbackoff = \"1ms\"
            """)
        let pids = try spool.lines("pids", count: 2).compactMap { pid_t($0) }
        let worker = try #require(Processes.workers(ofSpool: spool.path).first)
        if !daemonIsUp { try spool.crash() }
        kill(worker, SIGKILL)
        try Processes.awaitEnd(of: worker)
        if !daemonIsUp { try spool.start() }
        let job = try spool.end(of: "job")
        #expect(job.outcome == "failed lost", "lost is not run again unless it is asked for")
        #expect(job.error.contains("worker"))
        for pid in pids { try Processes.awaitEnd(of: pid) }
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("pids").count == 2)
    }

    @Test(
        "on_crash = \"retry\", or retry_on = \"lost\", runs a lost job again",
        arguments: ["on_crash = \"retry\"", "retry_on = [\"lost\"]\ntries = 2"]
    )
    func retriesLost(_ keys: String) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop(
            "job.toml",
            "command = 'echo $SPOOL_TRY >> \(spool.out)/tries; test $SPOOL_TRY = 2 || read x < \(gate.path)'\nbackoff = \"1ms\"\n\(keys)")
        try spool.lines("tries", count: 1)
        kill(try #require(Processes.workers(ofSpool: spool.path).first), SIGKILL)
        #expect(try spool.end(of: "job").outcome == "done 0")
        #expect(try spool.linesNow("tries") == ["1", "2"])
    }

    /// The signal that ends the run (a machine that stops sends SIGTERM and SIGKILL to all processes), the job's keys, its
    /// outcome, and the tries that began.
    static let unserved: [(signal: Int32, keys: String, outcome: String, tries: [String])] = [
        (SIGTERM, "", "failed lost", ["1"]), (SIGKILL, "", "failed lost", ["1"]), (SIGHUP, "", "failed lost", ["1"]),
        (SIGTERM, "on_crash = 'retry'", "done 0", ["1", "2"]), (SIGKILL, "on_crash = 'retry'", "done 0", ["1", "2"]),
        // A machine that stops does not send these signals, so the job itself has failed.
        (SIGSEGV, "on_crash = 'retry'", "failed signal", ["1"]), (SIGABRT, "on_crash = 'retry'", "failed signal", ["1"]),
    ]

    @Test("A run that a signal ended while no daemon served is lost, as after a power cut", arguments: unserved.indices)
    func endedUnserved(_ index: Int) throws {
        let row = Self.unserved[index]
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let command = "echo $$ > \(spool.out)/pid; echo $SPOOL_TRY >> \(spool.out)/tries; test $SPOOL_TRY = 2 || read x < \(gate.path)"
        try spool.drop("job.toml", "command = '\(command)'\nlimits = {core = 0}\n\(row.keys)")
        try spool.lines("tries", count: 1)
        let pid = try #require(pid_t(try spool.lines("pid", count: 1)[0]))
        let worker = try #require(Processes.workers(ofSpool: spool.path).first)
        try spool.crash()
        kill(pid, row.signal)
        try Processes.awaitEnd(of: worker)
        try spool.start()
        let job = try spool.end(of: "job")
        #expect(job.outcome == row.outcome, "\(job.error)")
        if row.outcome == "failed lost" { #expect(job.error.contains("while no spoold served"), "\(job.error)") }
        #expect(try spool.linesNow("tries") == row.tries)
    }

    @Test(
        "A command does not start after its worker was killed, even if the way into its directory hung until then",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func lateStart() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        // The worker of a running job gets the next one. An idle worker would be kept for some seconds only.
        let gate = try spool.jobAtGate()
        let worker = try #require(Processes.workers(ofSpool: spool.path).first)
        let (trace, said) = ("\(spool.base)/trace", "\(spool.base)/strace")
        // strace holds up chdir(2) for an hour, or until it ends.
        let filter = "-e trace=setsid,chdir -e inject=chdir:delay_enter=3600s"
        let strace = try Commands.Running("sh", ["-c", "exec strace -f -p \(worker) -o \(trace) \(filter) 2> \(said)"])
        try spool.wait(for: "strace to watch the worker") { Files.exists(said) ? try Files.text(said).contains("attached") : false }
        try spool.drop("late.toml", "command = 'echo > \(spool.out)/ran'\ndirectory = '\(spool.out)'")
        try spool.logLine("event=accepted", "file=late.toml")
        try gate.release()
        let text = try spool.wait(for: "the new process of the worker") { () throws -> String? in
            let text = try Files.text(trace)
            return text.contains("setsid()") ? text : nil
        }
        let pid = try #require(text.split(separator: "\n").first { $0.contains("setsid()") }?.split(separator: " ").first)
        kill(worker, SIGKILL)
        try Processes.awaitEnd(of: worker)
        strace.child.kill(SIGTERM)
        _ = try strace.end()
        try Processes.awaitEnd(of: try #require(pid_t(String(pid))))
        #expect(try spool.end(of: "late").outcome == "failed lost")
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("When spoold and the worker are killed together, the run is recorded as lost")
    func bothKilled() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo $$ > \(spool.out)/pid; read x < \(gate.path)'")
        let pid = try #require(pid_t(try spool.lines("pid", count: 1)[0]))
        let workers = Processes.workers(ofSpool: spool.path)
        spool.signal(SIGSTOP)
        for worker in workers { kill(worker, SIGKILL) }
        try spool.crash()
        try spool.start()
        #expect(try spool.end(of: "job").outcome == "failed lost")
        try Processes.awaitEnd(of: pid)
    }

    @Test(
        "When the workers' records are removed over a restart, their runs are lost and do not begin a second time",
        arguments: ["state/workers", "state/workers/1"]
    )
    func recordsTaken(_ path: String) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1\n")
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path)'\ntries = 3\nbackoff = '1ms'")
        let pid = try #require(pid_t(try spool.lines("began", count: 1)[0]))
        try spool.crash()
        try Files.removeTree("\(spool.path)/\(path)")
        try spool.start()
        let job = try spool.end(of: "job")
        #expect(job.outcome == "failed lost" && job.error.contains("no worker's record"), "\(job.error)")
        #expect(kill(pid, 0) == 0, "what runs is left alone")
        try gate.release()
        try Processes.awaitEnd(of: pid)
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("began").count == 1)
    }

    // MARK: A stream of jobs and a daemon that is killed again and again

    @Test("Killed ten times under a stream of jobs, every dropped job has run exactly once")
    func stream() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 4")
        let count = 240
        // The writer goes on by itself. The number of jobs dropped so far determines the moments of death, so that they do not
        // depend on the machine's speed.
        let script = """
            i=0
            while [ $i -lt \(count) ]; do
              printf 'command = "echo job-%s >> %s/ran"\\n' $i "$2" > "$1/../tmp/s$i"
              case $((i % 2)) in 0) mv "$1/../tmp/s$i" "$1/s$i.toml";; 1) cp "$1/../tmp/s$i" "$1/s$i.toml"; rm "$1/../tmp/s$i";; esac
              i=$((i + 1)); echo $i >> "$2/dropped"
            done
            """
        let stream = try Commands.Running("sh", ["-c", script, "sh", "\(spool.path)/new", spool.out])
        var random = SystemRandomNumberGenerator()
        for death in 1...10 {
            let jobs = Int.random(in: (death - 1) * 20...death * 20, using: &random)
            try spool.wait(for: "\(jobs) jobs") {
                try spool.linesNow("ran").count >= jobs || (stream.child.hasEnded && Files.list("\(spool.path)/new").isEmpty)
            }
            try spool.crash()
            try spool.start()
        }
        #expect(try stream.end().code == 0)
        try spool.ended(count: count)
        try spool.wait(for: "nothing to be left") {
            try Files.list("\(spool.path)/new").isEmpty && Files.list("\(spool.path)/running").isEmpty
        }
        let ran = try spool.linesNow("ran")
        #expect(ran.sorted() == (0..<count).map { "job-\($0)" }.sorted())
        let ended = try spool.ended()
        #expect(ended.count == count)
        #expect(ended.filter { $0.outcome != "done 0" }.map(\.outcome) == [])
    }

    @Test("Attack 79: killed again and again at its start, spoold then starts without a loss")
    func killedWhileStarting() throws {
        let spool = try SpoolUnderTest(starting: false)
        for index in 0..<40 { try spool.drop("job-\(index).toml", "command = 'echo \(index) >> \(spool.out)/ran'") }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<8 {
            let seen = spool.logLength
            try spool.launch()
            // Kills the daemon during its first steps, after the log was read a random number of times.
            for _ in 0..<Int.random(in: 0...60, using: &random) where spool.logLength == seen {}
            try spool.crash()
        }
        try spool.start()
        try spool.ended(count: 40)
        #expect(try spool.linesNow("ran").sorted() == (0..<40).map(String.init).sorted())
        #expect(try spool.ended().allSatisfy { $0.outcome == "done 0" })
    }

    // MARK: The journal

    @Test("Attack 71: a torn last line of the journal is cut off and reported; nothing before it is lost", arguments: [true, false])
    func tornTail(isHalfRecord: Bool) throws {
        let spool = try SpoolUnderTest()
        _ = try spool.run("command = [\"true\"]", as: "before")
        try spool.drop("later.toml", "command = [\"true\"]\nstart = 2099-01-01T00:00:00Z")
        try spool.logLine("event=accepted", "file=later.toml")
        try spool.crash()
        let journal = try #require(try spool.journalFiles.last)
        let bytes = try Files.bytes(journal)
        try Files.append(journal, isHalfRecord ? "1234abcd 99 2026-01-01T00:00:00.000Z acc" : "\u{0}\u{0}\u{0}\u{0}")
        try spool.start()
        try spool.logLine("event=journal-tail-cut", "bytes=\(isHalfRecord ? 40 : 4)")
        #expect(try Array(Files.bytes(journal).prefix(bytes.count)) == bytes)
        #expect(try spool.runsOn())
        #expect(try Files.list("\(spool.path)/new") == ["later.toml"])
        #expect(try spool.ended("before").count == 1)
        try spool.restart()
        #expect(try spool.runsOn("after-another"))
    }

    @Test("Attack 72: a flipped byte in the middle stops spoold with file and line, and it changes nothing")
    func flippedByte() throws {
        let spool = try SpoolUnderTest()
        for index in 0..<3 { _ = try spool.run("command = [\"true\"]", as: "job-\(index)") }
        try spool.acceptedTask("t", "command = 'true'\n[[schedule]]\ncron = \"@yearly\"\nnot_before = \"2090-01-01T00:00:00Z\"")
        try spool.stop()
        let journal = try #require(try spool.journalFiles.last)
        let text = try Files.text(journal)
        let line = 4
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let start = lines[..<(line - 1)].reduce(0) { $0 + $1.utf8.count + 1 }
        do {
            let file = try FileDescriptor.open(journal, O_RDWR)
            let byte = try file.read(count: 1, at: Int64(start + 30))
            try file.write([byte[0] ^ 1], at: Int64(start + 30))
        }
        let before = (try Files.bytes(journal), Files.tree(spool.path + "/done"))
        try spool.launch()
        #expect(try spool.exitCode() == 1)
        let name = journal.split(separator: "/").last ?? ""
        #expect(spool.log.contains("journal/\(name):\(line): "))
        let next = try spool.ctl("next", "t")
        #expect(next.code == 0 && next.errors.contains("may be missing: journal/\(name):\(line): "), "\(next)")
        #expect(try Files.bytes(journal) == before.0)
        #expect(Files.tree(spool.path + "/done") == before.1)
        // An operator restores the line, and the daemon serves the spool again.
        lines.removeAll()
        try Files.write(journal, text, mode: 0o600)
        try spool.start()
        #expect(try spool.runsOn())
    }

    @Test("A missing record in the middle of the journal counts as damage")
    func missingRecord() throws {
        let spool = try SpoolUnderTest()
        _ = try spool.run("command = [\"true\"]")
        try spool.stop()
        let journal = try #require(try spool.journalFiles.last)
        var lines = try Files.text(journal).split(separator: "\n").map { "\($0)\n" }
        lines.remove(at: 2)
        try Files.write(journal, lines.joined(), mode: 0o600)
        try spool.launch()
        #expect(try spool.exitCode() == 1)
        #expect(spool.log.contains(":3: "))
    }

    @Test("A spool of another format is refused and not changed")
    func otherFormat() throws {
        let spool = try SpoolUnderTest()
        try spool.stop()
        try Files.write("\(spool.path)/state/format", "spoold spool format 99\n")
        try spool.drop("job.toml", "command = [\"true\"]")
        try spool.launch()
        #expect(try spool.exitCode() == 1)
        #expect(spool.log.contains("spoold spool format 99"))
        #expect(try Files.list("\(spool.path)/new") == ["job.toml"])
    }

    // MARK: One at a time

    @Test("Attack 76: a second spoold reports the pid of the one that has the spool, and exits with 1")
    func second() throws {
        let spool = try SpoolUnderTest()
        let result = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration)
        #expect(result.code == 1)
        #expect(result.error.contains("\(spool.daemon?.pid ?? 0)") && result.error.contains(spool.path))
        #expect(try spool.runsOn())
        try spool.crash()
        try spool.start()
        #expect(try spool.runsOn("another"), "the lock of one that was killed is free")
    }

    static let wrongUses: [(arguments: [String], code: Int32, says: [String])] = [
        (["--spol", "x"], 2, ["\"--spol\"", "\"--spool\""]),
        (["--spool"], 2, ["--spool"]),
        (["extra"], 2, ["extra"]),
        (["--config", "/no/such/file", "--spool", "/tmp/x"], 1, ["/no/such/file"]),
        (["--worker", "/no/such/worker", "--spool", "/tmp/x"], 1, ["/no/such/worker"]),
        (["--spool", "/proc/nowhere/spool"], 1, ["/proc/nowhere"]),
    ]

    @Test("Wrong arguments are reported on standard error, with an exit code", arguments: wrongUses)
    func wrongUse(_ row: (arguments: [String], code: Int32, says: [String])) throws {
        let result = try Commands.run("\(SpoolUnderTest.programs)/spoold", row.arguments)
        #expect(result.code == row.code)
        #expect(result.error.hasPrefix("spoold: ") && result.error.hasSuffix("\n"))
        for part in row.says { #expect(result.error.contains(part)) }
    }

    // MARK: Signals and the service manager

    @Test("SIGTERM and SIGINT: exit code 0, no new job starts, waiting jobs stay", arguments: [SIGTERM, SIGINT])
    func term(_ signal: Int32) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        try spool.drop("first.toml", "command = 'echo > \(spool.out)/began; read x < \(gate.path)'")
        try spool.output("began")
        try spool.drop("second.toml", "command = [\"true\"]")
        try spool.logLine("event=accepted", "file=second.toml")
        spool.signal(signal)
        try spool.notification("STOPPING=1")
        #expect(try spool.exitCode() == 0)
        #expect(try spool.jobs(in: "running").count == 1)
        #expect(try Files.list("\(spool.path)/new") == ["second.toml"])
        guard case .string("stopped")? = try spool.daemonStatus()?["state"]?.kind
        else { return #expect(Bool(false), "status.json does not say stopped") }
        try gate.release()
        try spool.start()
        #expect(try spool.ended(count: 2).allSatisfy { $0.outcome == "done 0" })
    }

    @Test(
        "SIGHUP, or a change of the file, puts a new configuration in force; an invalid one is refused and the old stays",
        arguments: [true, false]
    )
    func reload(bySignal: Bool) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        for index in 0..<4 { try spool.drop("job-\(index).toml", "command = 'echo x >> \(spool.out)/began; read x < \(gate.path)'") }
        try spool.lines("began", count: 1)
        try configure(spool, "slots = 0\nslts = 3", bySignal: bySignal)
        try spool.logLine("event=refused", "spoold.toml:1:9: ")
        try spool.logLine("event=refused", "spoold.toml:2:1: ", "slots")
        #expect(try spool.linesNow("began").count == 1)
        try configure(spool, "slots = 3", bySignal: bySignal)
        try spool.lines("began", count: 3)
        let running = try spool.jobs(in: "running").map(\.id)
        #expect(running.count == 3, "\(running)\n\(spool.log)\n\(Files.tree(spool.path))")
        try gate.release(4)
        try spool.ended(count: 4)
        if bySignal { #expect(spool.log.contains("event=configured")) }
    }

    /// Changes the configuration: by a write in place and SIGHUP, or by a rename.
    private func configure(_ spool: SpoolUnderTest, _ text: String, bySignal: Bool) throws {
        if bySignal {
            try Files.write(spool.configuration, text)
            spool.signal(SIGHUP)
        } else {
            try Files.write("\(spool.base)/next", text)
            try Files.rename("\(spool.base)/next", spool.configuration)
        }
    }

    @Test("A configuration that is written in place counts when its writer closes it, not before")
    func halfConfiguration() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1")
        let gate = try spool.gate()
        for index in 0..<3 { try spool.drop("job-\(index).toml", "command = 'echo x >> \(spool.out)/began; read x < \(gate.path)'") }
        try spool.lines("began", count: 1)
        let open = try FileDescriptor.open(spool.configuration, O_WRONLY | O_TRUNC)
        spool.signal(SIGHUP)
        // The empty file would mean eight slots. An answered request shows that the daemon has handled the signal.
        try spool.define("control/x.request", "{}")
        try spool.wait(for: "the answer") { Files.exists("\(spool.path)/control/x.answer") }
        try open.write(Array("slots = 2".utf8))
        close(open.release())
        try spool.lines("began", count: 2)
        try spool.logLine("event=configured")
        #expect(try spool.jobs(in: "running").count == 2)
        try gate.release(3)
        try spool.ended(count: 3)
    }

    @Test("The service manager gets READY, a status, and the watchdog's sign of life in time")
    func notify() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.launch(environment: ["WATCHDOG_USEC=400000"])
        #expect(try spool.notification("READY=1").contains("STATUS="))
        for _ in 0..<3 { try spool.notification("WATCHDOG=1") }
        #expect(try spool.runsOn())
        try spool.notification("WATCHDOG=1")
        spool.signal(SIGTERM)
        try spool.notification("STOPPING=1")
        #expect(try spool.exitCode() == 0)
    }

    @Test("Under the service manager, log lines carry their priority and no time where nobody reads the journal's socket")
    func journald() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.start(environment: [spool.journalStream(), "SPOOLD_JOURNAL_SOCKET=\(spool.base)/nobody"])
        try spool.drop("bad.toml", "x")
        try spool.logLine("event=rejected")
        let lines = spool.log.split(separator: "\n")
        #expect(lines.allSatisfy { $0.hasPrefix("<") && $0.dropFirst(2).hasPrefix(">event=") })
        #expect(lines.contains { $0.hasPrefix("<4>event=rejected ") } && lines.contains { $0.hasPrefix("<5>event=started ") })
    }

    @Test("A daemon without work neither wakes up nor writes")
    func idle() throws {
        let spool = try SpoolUnderTest(starting: false)
        // A daemon wakes up when other tests mount file systems, so this daemon has a mount namespace of its own.
        try spool.launch(tracer: isRoot && Commands.has("unshare") ? ["/usr/bin/unshare", "--mount"] : [])
        try spool.notification("READY=1")
        #expect(try spool.runsOn())
        let pid = try #require(spool.daemon?.pid)
        // Waits until the idle worker has ended.
        for worker in Processes.workers(ofSpool: spool.path) { try Processes.awaitEnd(of: worker) }
        func switches() throws -> Substring? {
            try Files.text("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches") }
        }
        // On a busy machine the daemon's last work may take some time. A daemon that wakes up each second never passes.
        var isStill = false
        for _ in 0..<10 where !isStill {
            let before = try switches()
            try awaitClock(Clock.now() + 2500)
            isStill = try switches() == before
        }
        #expect(isStill)
    }
}
