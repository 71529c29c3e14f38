import Documents
import Glibc
import Linux
import Testing

/// The daemon executes its newly installed program: the process and the lock stay the same.
@Suite("Upgrade", .ownThreads)
struct UpgradeTests {
    /// A spool that is served by a program in `base`. The test may replace the program.
    private static func spool(_ task: String? = nil) throws -> (spool: SpoolUnderTest, program: String, daemon: Child) {
        let spool = try SpoolUnderTest(starting: false)
        let program = "\(spool.base)/spoold"
        try install(program)
        let daemon = try spool.spoold(program: program)
        spool.lead(daemon)
        try spool.notification("READY=1")
        return (spool, program, daemon)
    }

    /// Installs the program as a package manager does: a new file is renamed over the old one.
    private static func install(_ program: String) throws {
        try Commands.succeed("cp", "\(SpoolUnderTest.programs)/spoold", "\(program).new")
        try Files.rename("\(program).new", program)
    }

    private static func install(_ text: String, at program: String, mode: mode_t = 0o755) throws {
        try Files.write("\(program).new", text, mode: mode)
        try Files.rename("\(program).new", program)
    }

    @Test("N2: a job continues across spoolctl restart, and its exit code is recorded")
    func runs() throws {
        let (spool, program, daemon) = try Self.spool()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path); exit 7'")
        let pid = try spool.lines("began", count: 1)
        let before = try spool.daemonStatus()?.entry("started_at")
        try Self.install(program)
        let restart = try spool.ctl("restart", "--json")
        #expect(restart.code == 0, "\(restart.errors)")
        guard case .table(let answer) = try JSON.parse(Array(restart.output.utf8)).kind
        else { return #expect(Bool(false), "\(restart.output)") }
        guard case .integer(Int64(daemon.pid))? = answer["pid"]?.kind, case .string(let version)? = answer["version"]?.kind,
            case .string(version)? = answer["old_version"]?.kind, case .string(let started)? = answer["started_at"]?.kind
        else { return #expect(Bool(false), "\(restart.output)") }
        if case .string(started)? = before?.value.kind { Issue.record("the status is that of the one before") }
        #expect(!daemon.hasEnded)
        #expect(try Directory.open("/proc/\(daemon.pid)").readSymbolicLink("exe") == program, "the new file, not the deleted one")
        try spool.logLine("event=adopted")
        try gate.release()
        #expect(try spool.end(of: "job").outcome == "failed exit 7")
        #expect(try spool.linesNow("began") == pid)
        #expect(try Files.list("\(spool.path)/control").isEmpty)
        #expect(try spool.ctl("restart").output == "restarted spoold, pid \(daemon.pid): version \(version), before \(version)\n")
    }

    @Test("N2: 20 restarts in a row under a schedule each second: none lost or doubled, the process stays, no standby takes over")
    func twenty() throws {
        let (spool, _, daemon) = try Self.spool()
        try spool.acceptedTask(
            "tick", "command = 'echo $SPOOL_DUE >> \(spool.out)/dues'\noverlap = \"allow\"\n\(StandbyTests.eachSecond)")
        let standby = try spool.standby()
        try spool.lines("dues", count: 1)
        for index in 1...20 {
            if index.isMultiple(of: 4) { try spool.lines("dues", count: spool.linesNow("dues").count + 1) }
            let restart = try spool.ctl("restart")
            #expect(restart.code == 0, "\(restart.errors)")
            // The daemon would wait for a service manager whose socket is full.
            try spool.notification("RELOADING=1")
            try spool.notification("READY=1")
        }
        try spool.lines("dues", count: spool.linesNow("dues").count + 1)
        #expect(!daemon.hasEnded && !standby.hasEnded)
        #expect(spool.log.split(separator: "\n").count { $0.contains("event=started spool=") && $0.contains(" pid=\(daemon.pid) ") } == 21)
        #expect(!spool.log.contains("event=takes-over"))
        try spool.expectEachSecondOnce(task: "tick")
        // A standby still gets the lock when its holder dies.
        try spool.crash()
        spool.lead(standby)
        #expect(try spool.runsOn())
    }

    static let broken: [(text: String, mode: mode_t, says: String)] = [
        ("", 0o755, "Exec format error"), ("not a program", 0o644, "Permission denied"),
        ("#!/no/such/interpreter\n", 0o755, "No such file"),
        ("#!/bin/sh\necho 'spoold: the spool is too old' >&2; exit 1\n", 0o755, "exited with 1: spoold: the spool is too old"),
        ("#!/bin/sh\nexit 0\n", 0o755, "is not a spoold that can be checked"), ("#!/bin/sh\nkill -9 $$\n", 0o755, "SIGKILL"),
        ("#!/bin/sh\nexec sleep 1000\n", 0o755, "has not ended within 30 s"),
    ]

    @Test("N2: a program that cannot take over is refused, and the present one continues", arguments: broken)
    func refused(_ row: (text: String, mode: mode_t, says: String)) throws {
        let (spool, program, daemon) = try Self.spool()
        try Self.install(row.text, at: program, mode: row.mode)
        let restart = try spool.ctl("restart")
        #expect(restart.code == 1)
        #expect(restart.errors.contains(row.says) && restart.errors.contains("continues"), "\(restart.errors)")
        try spool.logLine("event=not-restarted", row.says)
        #expect(!daemon.hasEnded)
        #expect(try spool.runsOn())
        // A repaired program is accepted.
        try Self.install(program)
        #expect(try spool.ctl("restart").code == 0)
        #expect(!daemon.hasEnded)
        #expect(try spool.runsOn("another"))
    }

    @Test("N2: when a program passes its check and is then removed, the present one continues, and the journal has that")
    func gone() throws {
        let (spool, program, daemon) = try Self.spool()
        try Self.install("#!/bin/sh\nrm -f '\(program)'; echo spoold 99\n", at: program)
        let restart = try spool.ctl("restart")
        #expect(restart.code == 1 && restart.errors.contains("No such file"), "\(restart.errors)")
        #expect(!daemon.hasEnded)
        #expect(try spool.runsOn())
        #expect(
            try spool.journal().filter { $0.kind.hasPrefix("daemon-") }.map(\.kind)
                == ["daemon-started", "daemon-stopped", "daemon-started"])
        let second = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration)
        #expect(second.code == 1, "the lock is still held")
        #expect(try spool.stop() == 0)
    }

    @Test("N2: a restart is refused while the configuration file is invalid, because the one in force would be lost")
    func configuration() throws {
        let (spool, _, daemon) = try Self.spool()
        try Files.write(spool.configuration, "slts = 3")
        let restart = try spool.ctl("restart")
        #expect(restart.code == 1 && restart.errors.contains("spoold.toml:1:1: "), "\(restart.errors)")
        #expect(!daemon.hasEnded)
    }

    @Test("N2: SIGUSR2 restarts too, and the same process reports that to the service manager")
    func signal() throws {
        let (spool, _, daemon) = try Self.spool()
        spool.signal(SIGUSR2)
        #expect(try spool.notification("RELOADING=1").contains("\nMONOTONIC_USEC="))
        try spool.notification("READY=1")
        #expect(try spool.runsOn())
        #expect(!daemon.hasEnded)
        #expect(try spool.stop() == 0)
    }

    @Test("N2: on SIGUSR2 a standby executes its new program and waits on; if that fails, nothing changes")
    func standby() throws {
        let spool = try SpoolUnderTest()
        let program = "\(spool.base)/spoold"
        try Self.install(program)
        let standby = try spool.spoold("--standby", program: program)
        try spool.logLine("event=standby ", "pid=\(standby.pid) ")
        try Self.install("", at: program, mode: 0o644)
        standby.kill(SIGUSR2)
        try spool.logLine("event=not-restarted", "Permission denied")
        try Self.install(program)
        let seen = spool.logLength
        standby.kill(SIGUSR2)
        try spool.logLine("event=standby ", "pid=\(standby.pid) ", after: seen)
        #expect(try Files.list("\(spool.path)/state/standby").count == 1)
        try spool.crash()
        spool.lead(standby)
        #expect(try spool.runsOn())
    }

    @Test("N2: a restart that was requested before the daemon ended is done once, by the start of the next one")
    func askedBefore() throws {
        let spool = try SpoolUnderTest()
        try spool.stop()
        try spool.define("control/x.request", "{\"do\": \"restart\"}")
        try spool.start()
        try spool.wait(for: "the answer") { Files.exists("\(spool.path)/control/x.answer") }
        #expect(try spool.runsOn())
        #expect(spool.log.split(separator: "\n").count { $0.contains("event=started spool=") } == 2)
        try spool.stop()
        let restart = try spool.ctl("restart")
        #expect(restart.code == 1 && restart.errors.contains("spoold is not running"))
        #expect(try Files.list("\(spool.path)/control") == ["x.answer"])
    }

    @Test("N2: a variable that claims an inherited lock is checked and does not give a stranger the spool")
    func stranger() throws {
        let spool = try SpoolUnderTest(starting: false)
        for value in ["1", "-1", "99999999999", "900", "x", ""] {
            try spool.start(environment: ["SPOOLD_LOCK=\(value)"])
            let second = try Commands.run("\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration)
            #expect(second.code == 1 && second.error.contains("is held by spoold, pid \(spool.daemon?.pid ?? 0) "))
            try spool.stop()
        }
    }
}
