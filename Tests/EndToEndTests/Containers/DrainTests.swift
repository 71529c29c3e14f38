import Documents
import Glibc
import Linux
import Testing

/// A daemon that waits for its jobs when it is told to end.
@Suite("Ends that wait for the running jobs", .ownThreads)
struct DrainTests {
    private func spool(_ drain: String, ofEverybody: Bool = false) throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: false)
        if ofEverybody { try spool.letUsersIn() }
        try serve(spool, drain)
        return spool
    }

    private func serve(_ spool: SpoolUnderTest, _ drain: String) throws {
        try spool.launch(arguments: [drain])
        try spool.notification("READY=1")
    }

    private func draining(_ spool: SpoolUnderTest) throws -> Table {
        try spool.wait(for: "the status to say that spoold waits") { () throws -> Table? in
            guard case .table(let table)? = try spool.daemonStatus()?["draining"]?.kind else { return nil }
            return table
        }
    }

    @Test("W5: Told to end, spoold --drain starts nothing more and ends with 0 when the running jobs have ended",
        arguments: [SIGTERM, SIGINT])
    func waits(_ signal: Int32) throws {
        let spool = try spool("--drain")
        let gate = try spool.jobAtGate()
        spool.signal(signal)
        try spool.logLine("event=draining", "running=1")
        let status = try draining(spool)
        if case .null? = status["stop_at"]?.kind {} else { Issue.record("\(status)") }
        let told = try spool.ctl("status").output
        #expect(told.contains("nothing starts: spoold was told to end; it waits for its running jobs"), "\(told)")
        #expect(try spool.ctl("health").code == 0)
        // A job that arrives meanwhile is taken in and waits.
        let late = try spool.ctl("submit", "--", "true").id
        #expect(try spool.ctl("why", late).output.contains("told to end"))
        #expect(try spool.ctl("restart").code != 0, "a daemon that ends becomes no new program")
        try gate.release()
        #expect(try spool.exitCode() == 0)
        #expect(try spool.end(of: "early").outcome == "failed exit 3")
        #expect(try Files.list("\(spool.path)/new").contains { $0.hasPrefix(late) })
        #expect(try spool.ctl("health").code == 3)
        try spool.start()
        #expect(try spool.ended("true", count: 1)[0].outcome == "done 0")
    }

    @Test("W5: Without running jobs, spoold --drain ends at once; without --drain, spoold ends and leaves them to their workers")
    func atOnce() throws {
        let idle = try spool("--drain=1h")
        #expect(try idle.runsOn())
        #expect(try idle.stop() == 0)
        #expect(!idle.log.contains("event=draining"))
        let plain = try spool("--no-drain")
        let gate = try plain.jobAtGate()
        #expect(try plain.stop() == 0)
        try plain.start()
        try gate.release()
        #expect(try plain.end(of: "early").outcome == "failed exit 3")
    }

    @Test("W5: Each due time of the wait has one run after the next start, and none during the wait, whatever overlap says",
        arguments: ["queue", "replace"])
    func dueTimes(_ overlap: String) throws {
        let spool = try spool("--drain")
        let gate = try spool.gate()
        // With "replace", a due time that counted during the wait would end the job.
        try spool.acceptedTask(
            "tick",
            """
            command = '[ -e \(spool.out)/again ] || { echo > \(spool.out)/began; read x < \(gate.path); sleep 2.2; }'
            overlap = "\(overlap)"
            [[schedule]]
            cron = "* * * * * *"
            catch_up = "all"
            """)
        try spool.output("began")
        spool.signal(SIGTERM)
        try spool.logLine("event=draining")
        let waiting = try Set(spool.jobs(in: "new").map(\.id))
        // On a slow machine a second due time came before the end was told, and has replaced the run: try again.
        let made = try ["new", "running", "done", "failed"].flatMap { try Files.list("\(spool.path)/\($0)") }
        if overlap == "replace", Set(made).count > 1 { return try dueTimes(overlap) }
        try gate.release()
        #expect(try spool.exitCode() == 0)
        let first = try #require(try spool.jobs(in: "done", named: "tick").first)
        #expect(try Set(spool.jobs(in: "new").map(\.id)) == waiting, "no due time of the wait has become a job yet")
        try Files.write("\(spool.out)/again", "")
        try spool.start()
        let runs = try spool.ended("tick", count: 4).filter { $0.place == "done" }
        let dues = runs.map(\.due)
        #expect(Set(dues).count == dues.count, "\(dues)")
        if overlap == "queue" {
            let seconds = try dues.map { try #require(Int($0.dropFirst(17).prefix(2))) }
            for (one, next) in zip(seconds, seconds.dropFirst()) { #expect((next + 60 - one) % 60 == 1, "\(dues)") }
        }
        #expect(first.outcome == "done 0")
    }

    @Test("W5: After the time of --drain, jobs get their stop signals, then kill_after counts; each run is recorded as it ended")
    func limited() throws {
        let spool = try spool("--drain=300ms")
        let gate = try spool.gate()
        let polite = gate.waiting(trap: "TERM", "echo > \(spool.out)/told; exit 0", ready: "echo > \(spool.out)/polite")
        try spool.drop("polite.toml", "command = '''\(polite)'''")
        let deaf = "trap '' TERM; echo > \(spool.out)/deaf; while :; do read x < \(gate.path); done"
        try spool.drop("deaf.toml", "command = \"\"\"\(deaf)\"\"\"\nkill_after = \"200ms\"\ntries = 2\nbackoff = \"0s\"")
        try spool.output("polite")
        try spool.output("deaf")
        spool.signal(SIGTERM)
        try spool.logLine("event=stopping-all", "time that spoold waits for its jobs is over")
        #expect(try spool.exitCode() == 0)
        #expect(Files.exists("\(spool.out)/told"))
        let ended = try spool.end(of: "polite")
        #expect(ended.outcome == "done 0")
        #expect(try spool.ctl("why", ended.id).output.contains("told to end") || ended.string("remark")?.contains("time") == true)
        // Another try is left to the next start.
        let waiting = try #require(try spool.jobs(in: "new", named: "deaf").first)
        #expect(waiting.integer("signal") == 9 && waiting.attempt == 1, "\(waiting.status)")
    }

    @Test("W5: A second SIGTERM stops the jobs, another one and SIGQUIT end spoold and leave them to their workers")
    func impatience() throws {
        let spool = try spool("--drain")
        let gate = try spool.gate()
        let line = gate.waiting(trap: "TERM", "echo told >> \(spool.out)/told", ready: "echo > \(spool.out)/ready")
        try spool.drop("slow.toml", "command = '''\(line)'''\nkill_after = \"1h\"")
        try spool.output("ready")
        spool.signal(SIGTERM)
        try spool.logLine("event=draining")
        #expect(!Files.exists("\(spool.out)/told"))
        spool.signal(SIGTERM)
        try spool.logLine("event=stopping-all", "second time")
        try spool.lines("told", count: 1)
        spool.signal(SIGTERM)
        #expect(try spool.exitCode() == 0)
        #expect(try spool.jobs(in: "running", named: "slow").count == 1)
        try serve(spool, "--drain")
        spool.signal(SIGQUIT)
        #expect(try spool.exitCode() == 0)
        try spool.start()
        try gate.release()
        #expect(try spool.end(of: "slow").place == "done")
    }

    @Test("W5: After the time of --drain, the next signal ends spoold and leaves the jobs to their workers",
        arguments: [SIGTERM, SIGINT, SIGQUIT])
    func impatienceAfterTheTime(_ signal: Int32) throws {
        let spool = try spool("--drain=100ms")
        let gate = try spool.gate()
        let line = gate.waiting(trap: "TERM", "echo told >> \(spool.out)/told", ready: "echo > \(spool.out)/ready")
        try spool.drop("slow.toml", "command = '''\(line)'''\nkill_after = \"1h\"")
        try spool.output("ready")
        spool.signal(SIGTERM)
        try spool.logLine("event=stopping-all", "time that spoold waits for its jobs is over")
        try spool.lines("told", count: 1)
        spool.signal(signal)
        #expect(try spool.exitCode() == 0)
        #expect(try spool.jobs(in: "running", named: "slow").count == 1)
        try spool.start()
        try gate.release()
        #expect(try spool.end(of: "slow").place == "done")
    }

    @Test("W5: Root's daemon waits for the jobs of users too, and stops them with its own",
        .enabled(if: TestUser.areHere, TestUser.reason), arguments: [false, true])
    func users(isStopped: Bool) throws {
        let spool = try spool("--drain", ofEverybody: true)
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let line = gate.waiting(trap: "TERM", "echo > \(spool.out)/told; exit 7", ready: "echo > \(spool.out)/ready")
        try spool.drop(as: .games, "slow.toml", "command = '''\(line)'''\ndirectory = \"/\"")
        try spool.output("ready")
        _ = try spool.wait(for: "root's daemon to know of the job") {
            spool.statusText.contains("\"running\":1,\"waiting\":0,\"slots\"") ? true : nil
        }
        spool.signal(SIGTERM)
        try spool.logLine("event=draining", "running=1")
        if isStopped { spool.signal(SIGTERM) } else { try gate.release() }
        #expect(try spool.exitCode() == 0)
        let part = "\(spool.path)/users/games"
        let ended = try Files.list("\(part)/done") + Files.list("\(part)/failed")
        #expect(ended.count == 1, "\(Files.tree(part))")
        #expect(Files.exists("\(spool.out)/told") == isStopped)
    }

    @Test("W5: While root's daemon waits for its jobs, a user's daemon that rests is not started, and what the user submits waits",
        .enabled(if: TestUser.areHere, TestUser.reason))
    func restingUser() throws {
        let spool = try spool("--drain", ofEverybody: true)
        try spool.drop(as: .games, "early.toml", "command = 'echo > \(spool.out)/early'\ndirectory = \"/\"")
        try spool.output("early")
        try spool.logLine("event=user-rests", "user=games")
        let gate = try spool.jobAtGate()
        spool.signal(SIGTERM)
        try spool.logLine("event=draining", "running=1")
        let starts = servingCount(spool)
        try spool.drop(as: .games, "late.toml", "command = 'echo > \(spool.out)/late'\ndirectory = \"/\"")
        // Root's daemon answers after it has heard of the user's file, for which it would have started the user's daemon.
        #expect(try spool.ctl("restart").code != 0, "a daemon that ends becomes no new program")
        try gate.release()
        #expect(try spool.exitCode() == 0)
        #expect(servingCount(spool) == starts)
        #expect(!Files.exists("\(spool.out)/late") && Files.exists("\(spool.path)/new/games/late.toml"))
        try spool.start()
        try spool.output("late")
    }

    private func servingCount(_ spool: SpoolUnderTest) -> Int {
        spool.log.split(separator: "\n").count { $0.contains("event=serving-user") }
    }

    @Test("W5: A user who stops the own daemon by a signal does not hold up the end of root's daemon, and the job runs on",
        .enabled(if: TestUser.areHere, TestUser.reason))
    func stoppedUser() throws {
        let spool = try spool("--drain", ofEverybody: true)
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        try spool.drop(as: .games, "slow.toml", "command = 'echo $$ > \(spool.out)/pid; read x < \(gate.path)'\ndirectory = \"/\"")
        let job = try #require(pid_t(try spool.lines("pid", count: 1)[0]))
        let line = try spool.logLine("event=serving-user", "user=games")
        let pid = try #require(line.split(separator: " ").first { $0.hasPrefix("pid=") }.flatMap { pid_t($0.dropFirst(4)) })
        spool.signal(SIGTERM)
        // The daemon of the user has been told to wait, and has answered.
        try spool.logLine("user=games", "event=draining")
        kill(pid, SIGSTOP)
        #expect(try spool.exitCode() == 0)
        #expect(spool.log.contains("event=user-daemon-silent"))
        try Processes.awaitEnd(of: pid)
        #expect(Processes.isAlive(job))
        try gate.release()
        try Processes.awaitEnd(of: job)
    }
}
