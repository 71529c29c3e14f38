import CLinux
import Documents
import Glibc
import Linux
import Testing

/// Several spoolds on one spool: one leads, and the others wait. When the leader ends, one of them takes over.
@Suite("Standby", .ownThreads)
struct StandbyTests {
    static let eachSecond = "[[schedule]]\ncron = \"* * * * * *\"\ncatch_up = \"all\""

    /// The number of forced takeovers. `SPOOLD_TAKEOVERS` sets it for a long test.
    static let takeovers = getenv("SPOOLD_TAKEOVERS").flatMap { Int(String(cString: $0)) } ?? 20

    @Test("A11: 20 times the leader is killed and a standby takes over, and each due second has run exactly once")
    func takeovers() throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("tick", "command = 'echo $SPOOL_DUE >> \(spool.out)/dues'\noverlap = \"allow\"\n\(Self.eachSecond)")
        try spool.lines("dues", count: 1)
        for index in 1...Self.takeovers {
            let standby = try spool.standby()
            let seen = spool.logLength
            // Every second kill waits for another run, so that some kills fall before due times and some after.
            if index.isMultiple(of: 2) { try spool.lines("dues", count: spool.linesNow("dues").count + 1) }
            try spool.crash()
            spool.lead(standby)
            try spool.logLine("event=takes-over", "pid=\(standby.pid)", after: seen)
            try spool.logLine("event=started", "spool=", "pid=\(standby.pid)", after: seen)
        }
        try spool.lines("dues", count: spool.linesNow("dues").count + 1)
        try spool.expectEachSecondOnce(task: "tick")
        if Self.takeovers > 20 { print("\(Self.takeovers) takeovers, \(try spool.linesNow("dues").count) due times, each run once") }
    }

    @Test("A11: when the leader is killed its running job continues, and the standby that takes over records its end")
    func adopts() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let standby = try spool.standby()
        try spool.drop("job.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path); exit 7'")
        let pid = try spool.lines("began", count: 1)
        try spool.crash()
        spool.lead(standby)
        try spool.logLine("event=adopted")
        try gate.release()
        #expect(try spool.end(of: "job").outcome == "failed exit 7")
        #expect(try spool.linesNow("began") == pid)
    }

    @Test("A11: a standby also takes over when a signal ends the leader")
    func politely() throws {
        let spool = try SpoolUnderTest()
        let standby = try spool.standby()
        #expect(try spool.stop() == 0)
        spool.lead(standby)
        try spool.logLine("event=started", "pid=\(standby.pid)")
        #expect(try spool.runsOn())
        #expect(try Files.list("\(spool.path)/state/standby").isEmpty)
        #expect(try spool.stop() == 0)
    }

    @Test("A11: of two standbys one takes over and the other waits on")
    func two() throws {
        let spool = try SpoolUnderTest()
        let standbys = [try spool.standby(), try spool.standby()]
        try spool.crash()
        let line = try spool.logLine("event=takes-over")
        let winner = try #require(standbys.firstIndex { line.hasSuffix("pid=\($0.pid)") })
        spool.lead(standbys[winner])
        #expect(try spool.runsOn())
        let other = standbys[1 - winner]
        #expect(!other.hasEnded && !spool.log.contains("event=started spool=\(spool.path) pid=\(other.pid)"))
        try spool.crash()
        spool.lead(other)
        #expect(try spool.runsOn("another"))
    }

    @Test("A11: status shows the leader and its standbys; a killed one is not shown, and the next standby removes its file")
    func status() throws {
        let spool = try SpoolUnderTest()
        let leader = try #require(spool.daemon?.pid)
        func standbys() throws -> [Int] {
            let status = try spool.ctl("status", "--json")
            guard case .table(let table) = try JSON.parse(Array(status.output.utf8)).kind, case .array(let all)? = table["standbys"]?.kind,
                case .integer(Int64(leader))? = table["pid"]?.kind
            else { throw spool.failure("no standbys and leader in \(status.output)") }
            return all.compactMap { one in
                guard case .table(let one) = one.kind, case .integer(let pid)? = one["pid"]?.kind else { return nil }
                return Int(pid)
            }
        }
        #expect(try standbys() == [])
        let first = try spool.standby()
        #expect(try standbys() == [Int(first.pid)])
        let second = try spool.standby()
        #expect(try standbys().sorted() == [Int(first.pid), Int(second.pid)].sorted())
        let text = try spool.ctl("status").output
        #expect(text.contains("pid \(leader) on ") && text.contains("pid \(first.pid) on ") && text.contains("pid \(second.pid) on "))
        first.kill(SIGKILL)
        #expect(first.exitCode() == 128 + SIGKILL)
        #expect(try standbys() == [Int(second.pid)])
        #expect(try Files.list("\(spool.path)/state/standby").count == 2)
        let third = try spool.standby()
        #expect(try Files.list("\(spool.path)/state/standby").count == 2)
        #expect(try standbys().sorted() == [Int(second.pid), Int(third.pid)].sorted())
    }

    @Test("A11: SIGTERM and SIGINT end a standby at once, with exit code 0, and its file is gone", arguments: [SIGTERM, SIGINT])
    func ends(_ signal: Int32) throws {
        let spool = try SpoolUnderTest()
        let standby = try spool.standby()
        standby.kill(signal)
        #expect(standby.exitCode() == 0)
        #expect(try Files.list("\(spool.path)/state/standby").isEmpty)
        #expect(try spool.runsOn())
    }

    @Test("A11: a standby is not woken up while it waits, and SIGHUP does not end it")
    func sleeps() throws {
        let spool = try SpoolUnderTest()
        let standby = try spool.standby()
        standby.kill(SIGHUP)
        #expect(try spool.runsOn())
        func switches() throws -> [Substring] {
            try Files.list("/proc/\(standby.pid)/task").map { thread in
                try Files.text("/proc/\(standby.pid)/task/\(thread)/status").split(separator: "\n")
                    .first { $0.hasPrefix("voluntary_ctxt_switches") } ?? ""
            }
        }
        // Waits until the standby has handled the signal and sleeps again. A standby that wakes up by itself never passes.
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        var before: [Substring]
        repeat {
            before = try switches()
            #expect(before.count == 2)
            try awaitClock(Clock.now() + 1500)
        } while try switches() != before && .now() < end
        #expect(MonotonicInstant.now() < end)
        #expect(!standby.hasEnded)
    }

    @Test(
        "A11: with --standby a free spool is served at once; without it, a served spool is refused with a hint at --standby"
    )
    func alone() throws {
        let spool = try SpoolUnderTest(starting: false)
        let daemon = try spool.spoold("--standby")
        spool.lead(daemon)
        _ = try spool.notification("READY=1")
        #expect(try spool.runsOn())
        #expect(!spool.log.contains("event=standby"))
        let second = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration)
        #expect(second.code == 1 && second.error.contains("pid \(daemon.pid) ") && second.error.contains("--standby"))
    }

    @Test("A11: removing the lock's file gives the spool to nobody else, and the standby still takes over")
    func lockIsRemoved() throws {
        let spool = try SpoolUnderTest()
        let pid = try #require(spool.daemon?.pid)
        let standby = try spool.standby()
        try Files.remove("\(spool.path)/state/lock")
        let other = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration)
        #expect(other.code == 1 && other.error.contains("is held by spoold, pid \(pid)"), "\(other.code) \(other.error)")
        #expect(!standby.hasEnded)
        let seen = spool.logLength
        try spool.crash()
        spool.lead(standby)
        try spool.logLine("event=started", "pid=\(standby.pid)", after: seen)
        #expect(try spool.runsOn())
    }

    @Test(
        """
        A11: where root's spoold serves everybody, a standby of root's takes over with the users' daemons: jobs go on, each due second \
        runs once
        """,
        .enabled(if: TestUser.areHere, TestUser.reason))
    func everybodys() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let standby = try spool.standby()
        try spool.drop(as: .games, "job.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path); exit 7'\ndirectory = '/'")
        try TestUser.games.shell(
            """
            umask 077; mkdir -p \(spool.path)/tasks/games; cat > \(spool.path)/tasks/games/tick.toml <<'END'\n\
            command = 'echo $SPOOL_DUE >> \(spool.out)/dues'\ndirectory = '/'\noverlap = 'allow'\n\(Self.eachSecond)\nEND
            """)
        let began = try spool.lines("began", count: 1)
        try spool.lines("dues", count: 2)
        let before = Processes.userDaemons(ofSpool: spool.path)
        let seen = spool.logLength
        try spool.crash()
        spool.lead(standby)
        try spool.logLine("event=takes-over", "pid=\(standby.pid)", after: seen)
        try spool.logLine("event=serving-user", "user=games", after: seen)
        for pid in before { try Processes.awaitEnd(of: pid) }
        try spool.logLine("event=adopted", "user=games", after: seen)
        try gate.release()
        try spool.logLine("event=ended", "user=games", "exit_code=7", after: seen)
        #expect(try spool.linesNow("began") == began)
        try spool.lines("dues", count: spool.linesNow("dues").count + 2)
        let dues = try spool.writtenDues()
        #expect(dues == Array(dues[0]...dues[dues.count - 1]), "\(dues)")
        #expect(try spool.stop() == 0)
        // It waits a limited time for them.
        for pid in Processes.userDaemons(ofSpool: spool.path) { try Processes.awaitEnd(of: pid) }
    }
}

extension SpoolUnderTest {
    /// Starts another spoold on this spool, with the same log.
    func spoold(_ arguments: String..., program: String? = nil) throws -> Child {
        let log = try FileDescriptor.open("\(base)/log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        return try Child(
            program ?? "\(installed)/spoold",
            ["--spool", whole, "--config", configuration, "--worker", "\(installed)/spool-worker"] + arguments,
            environment: environment + ["NOTIFY_SOCKET=\(base)/notify"], output: log.raw, error: log.raw)
    }

    /// Starts a standby, and returns when it waits for the leader's end.
    func standby() throws -> Child {
        let standby = try spoold("--standby")
        try logLine("event=standby ", "pid=\(standby.pid) ")
        try notification("READY=1\nSTATUS=Standby")
        return standby
    }

    /// The due seconds in out/dues up to the one that is the last now, sorted. Returns when none between is missing: of two jobs the later
    /// one may write first.
    func writtenDues() throws -> [Int] {
        func now() throws -> [Int] { try linesNow("dues").map { try second($0) }.sorted() }
        let last = try #require(try now().last)
        return try wait(for: "each due second up to \(last) in out/dues") { () throws -> [Int]? in
            let dues = try now().filter { $0 <= last }
            return Set(dues).count == last - dues[0] + 1 ? dues : nil
        }
    }

    /// Checks that each second from the first to the last due time ran once: each is in out/dues once, and the journal accounts
    /// for each once.
    func expectEachSecondOnce(task: String) throws {
        let dues = try writtenDues()
        let first = try #require(dues.first)
        let last = try #require(dues.last)
        #expect(dues == Array(first...last), "\(failure("each second once"))")
        let accounts = try accounts(ofTask: task)
        #expect((first...last).allSatisfy { accounts[$0] == "run" }, "\(accounts)")
    }
}
