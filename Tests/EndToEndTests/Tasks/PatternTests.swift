import Glibc
import Linux
import Testing

/// Patterns whose due times a program of the user computes: `ext:KEY:ARGS`.
@Suite("Programs of patterns", .ownThreads)
struct PatternTests {
    static let schedule = "[[schedule]]\nid = \"s\"\npattern = \"ext:k:some args\"\n"

    /// A spool with a task `t` that asks the program `k`, and a task that is due each second independently of it.
    func spool(_ program: String?, mode: mode_t = 0o755, starting: Bool = true) throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: starting)
        if let program { try spool.program("k", program, mode: mode) }
        try spool.task("clock", "command = [\"true\"]\n\(TaskTests.eachSecond)")
        try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
        return spool
    }

    func problems(_ spool: SpoolUnderTest) throws -> [String] { try TaskTests.problems(spool) }

    // MARK: Answers

    @Test("M17: the program is asked when the last run has ended, with its argument and the variables that it needs")
    func asked() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.program(
            "k",
            """
            #!/bin/sh\necho \"$1|$2|$#|$SPOOL_TASK|$SPOOL_SCHEDULE|$SPOOL_LAST|$SPOOL_NOW|$SPOOL_DIR|$PWD\" >> \(spool.out)/asked\n\
            echo 'in 1 s'
            """)
        try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
        try spool.start()
        let runs = try spool.ended("t", count: 2)
        let asked = try spool.lines("asked", count: 3)
        var last = ""
        for (number, line) in asked.prefix(3).enumerated() {
            let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            #expect(Array(fields[..<5]) == ["some args", "", "1", "t", "s"] && fields[5] == last)
            #expect(fields[7] == spool.path && fields[8] == "\(spool.path)/patterns")
            if number > 0 { #expect(fields[6] >= runs[number - 1].string("ended_at") ?? "z", "not before the run has ended") }
            if number < 2 {
                #expect(runs[number].outcome == "done 0" && fields[6] < runs[number].due, "the answer is later than SPOOL_NOW")
                last = runs[number].due
            }
        }
    }

    @Test("A program that prints nothing is not asked again until it is replaced")
    func never() throws {
        let spool = try spool("#!/bin/sh\necho asked >> \"$SPOOL_DIR/../out/asked\"")
        try spool.lines("asked", count: 1)
        try spool.ended("clock", count: 2)
        #expect(try spool.linesNow("asked").count == 1 && problems(spool).isEmpty)
        try spool.program("k", "#!/bin/sh\n[ -n \"$SPOOL_LAST\" ] || echo 'in 1 s'")
        #expect(try spool.end(of: "t").outcome == "done 0")
    }

    @Test("A due time that passes while spoold is down runs once at the next start; a later one is kept")
    func restart() throws {
        let (spool, second) = try withEnoughSeconds { seconds in
            let spool = try SpoolUnderTest(starting: false)
            let second = Clock.now() / 1000 + seconds
            try spool.program(
                "k", "#!/bin/sh\necho asked >> \(spool.out)/asked\n[ -n \"$SPOOL_LAST\" ] && echo '2199-01-01' || echo @\(second)")
            try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
            try spool.start()
            // An answer that has passed already is none.
            try spool.wait(for: "the answer") { spool.log.contains("event=answered") || spool.log.contains("event=unanswered") }
            try spool.restart()
            let count = try spool.runsOn() ? spool.linesNow("asked").count : 0
            try spool.crash()
            // The program may also have had no answer in its ten seconds.
            if Clock.now() >= second * 1000 || spool.log.contains("event=unanswered") { return nil as (SpoolUnderTest, Int64)? }
            #expect(count == 1)
            try spool.logLine("event=answered", "task=t", "schedule=s")
            return (spool, second)
        }
        try awaitClock((second + 1) * 1000)
        try spool.start()
        let run = try spool.end(of: "t")
        #expect(try spool.second(run.due) == Int(second))
        try spool.lines("asked", count: 2)
        try spool.logLine("event=answered", "due=2199-01-01T00:00:00.000Z")
        try spool.restart()
        #expect(try spool.runsOn("second-good-job"))
        #expect(try spool.ended("t").count == 1 && spool.linesNow("asked").count == 2)
        let next = try spool.ctl("next", "t")
        #expect(next.output.contains("2199-01-01T00:00:00Z") && next.errors.isEmpty, "\(next.output)\(next.errors)")
    }

    // MARK: Failures

    /// A program, and the error that is reported for it.
    static let failures: [(program: String, mode: mode_t, says: String)] = [
        ("#!/bin/sh\necho tomorrowish", 0o755, "printed what is no instant: can't read the instant \"tomorrowish\""),
        ("#!/bin/sh\necho '2027-01-01'; echo '2027-01-02'", 0o755, "printed what is no instant: "),
        ("#!/bin/sh\nprintf '\\377\\001\\033[31m'", 0o755, "printed what is no instant: "),
        ("#!/bin/sh\necho 2020-01-01T00:00:00Z", 0o755, "printed \"2020-01-01T00:00:00Z\", which is not later than "),
        ("#!/bin/sh\necho no such calendar >&2; echo 2099-01-01; exit 3", 0o755, "exited with 3: no such calendar"),
        ("#!/bin/sh\nkill -SEGV $$", 0o755, "was ended by SIGSEGV"),
        ("#!/bin/sh\nexec yes 2099-01-01", 0o755, "printed more than 4096 bytes"),
        ("#!/bin/sh\nexec yes >&2", 0o755, "wrote more than 65536 bytes to standard error"),
        ("#!/bin/sh\necho 2099-01-01", 0o644, "is not executable; chmod +x it"),
        ("#!/bin/sh\necho 2099-01-01", 0o775, "can be written by its group or others; chmod go-w it"),
        ("echo 2099-01-01", 0o755, "is not a program; a script must begin with a line like #!/bin/sh"),
        ("#!/no/such/interpreter\n", 0o755, "names an interpreter in its first line that is not there"),
    ]

    @Test("A program that fails is reported, blocks nothing, and is asked again as soon as it is replaced", arguments: failures)
    func failing(_ row: (program: String, mode: mode_t, says: String)) throws {
        let spool = try spool(row.program, mode: row.mode)
        try fails(spool, row.says)
        try recovers(spool)
    }

    @Test("Only a regular file in patterns/ itself is run as a program", arguments: ["nothing", "link", "directory", "fifo"])
    func notAFile(_ what: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let path = "\(spool.path)/patterns/k"
        var says = "a directory, not a regular file"
        switch what {
        case "link":
            try spool.program("other", "#!/bin/sh\necho 2099-01-01")
            try Files.symlink("other", path)
            says = "a symbolic link, not a regular file"
        case "directory": try Files.makeDirectory(path)
        case "fifo":
            mkfifo(path, 0o700)
            says = "a FIFO, not a regular file"
        default: says = "is not there"
        }
        try spool.task("clock", "command = [\"true\"]\n\(TaskTests.eachSecond)")
        try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
        try spool.start()
        try fails(spool, says)
        let check = try spool.ctl("check")
        #expect(check.code == 4 && check.output.contains("tasks/t.toml: patterns/k is ") && check.output.contains(says), "\(check.output)")
        if what == "directory" { #expect(rmdir(path) == 0) }
        try recovers(spool)
        #expect(try spool.ctl("check").code == 0)
    }

    /// Checks that the failure is in the log, in the daemon's status and in the output of `next`, and that the other schedule
    /// goes on.
    private func fails(_ spool: SpoolUnderTest, _ says: String) throws {
        try spool.logLine("event=unanswered", "task=t", says.replacing("\"", with: "\\\""))
        try spool.wait(for: "the problem in status.json") {
            try problems(spool).contains { $0.contains("patterns/k ") && $0.contains(says) }
        }
        let next = try spool.ctl("next", "t")
        #expect(
            next.code == 0 && next.errors.contains("patterns/k decides when schedule s of t is due; it has not answered yet"),
            "\(next.errors)")
        let count = try spool.ended("clock").count
        try spool.ended("clock", count: count + 2)
        // It is asked again after a minute, which the test takes on a slow machine.
        let times = try spool.log.split(separator: "\n").filter { $0.contains("event=unanswered") }.map {
            try spool.second(String($0.dropFirst("time=".count)))
        }
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 >= 59 }, "asked once a minute; \(spool.log)")
    }

    private func recovers(_ spool: SpoolUnderTest) throws {
        try spool.program("k", "#!/bin/sh\n[ -n \"$SPOOL_LAST\" ] || echo 'in 1 s'")
        #expect(try spool.end(of: "t").outcome == "done 0")
        try spool.wait(for: "the problem to be gone") { try problems(spool).isEmpty }
    }

    @Test("A program is asked again when chmod makes it executable, and when its task is edited")
    func changes() throws {
        let spool = try spool(
            "#!/bin/sh\n[ -e \"$SPOOL_DIR/../out/ready\" ] || exit 7\n[ -n \"$SPOOL_LAST\" ] || echo 'in 1 s'", mode: 0o644)
        try spool.logLine("event=unanswered", "is not executable")
        #expect(chmod("\(spool.path)/patterns/k", 0o755) == 0)
        try spool.logLine("event=unanswered", "exited with 7")
        try Files.write("\(spool.out)/ready", "")
        try spool.task("t", "command = [\"true\"]\ntimeout = 5\n\(Self.schedule)")
        #expect(try spool.end(of: "t").outcome == "done 0")
    }

    // MARK: Programs that do not end

    @Test("A program that hangs is killed with its process group after 10 s; the jobs go on meanwhile")
    func hanging() throws {
        let spool = try SpoolUnderTest(starting: false)
        let gate = try spool.gate()
        try spool.program("k", "#!/bin/sh\n(echo $$; sh -c 'echo $$; read x < \(gate.path)') >> \(spool.out)/pids\necho 2099-01-01")
        try spool.task("clock", "command = [\"true\"]\n\(TaskTests.eachSecond)")
        try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
        try spool.start()
        let pids = try spool.lines("pids", count: 2).compactMap { pid_t($0) }
        let before = try spool.ended("clock").count
        try spool.logLine("event=unanswered", "has not answered within 10 s")
        // Each second is a run, or is reported as skipped because the machine has not ended the last run yet.
        let meanwhile = spool.log.split(separator: "\n").prefix { !$0.contains("event=unanswered") }
        #expect(
            meanwhile.count { $0.contains("event=accepted") && $0.contains("task=clock") || $0.contains("event=skipped") } >= 5,
            "the daemon has waited for the program: \(meanwhile)")
        try spool.ended("clock", count: before + 5)
        for pid in pids { try Processes.awaitEnd(of: pid) }
        try recovers(spool)
    }

    @Test("A program that is replaced while it runs is killed, and the new one is asked")
    func replaced() throws {
        let spool = try SpoolUnderTest(starting: false)
        let gate = try spool.gate()
        try spool.program("k", "#!/bin/sh\necho $$ >> \(spool.out)/pids\nread x < \(gate.path)\necho 2099-01-01")
        try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
        try spool.start()
        let pid = try #require(pid_t(try spool.lines("pids", count: 1)[0]))
        try recovers(spool)
        try Processes.awaitEnd(of: pid)
        #expect(!spool.log.contains("event=unanswered") && !spool.log.contains("2099"))
    }

    @Test("A program's answer counts when it ends; processes that it leaves running are killed")
    func leavesSomething() throws {
        let spool = try SpoolUnderTest(starting: false)
        let gate = try spool.gate()
        try spool.program(
            "k",
            """
            #!/bin/sh\n[ -n \"$SPOOL_LAST\" ] && exit\nsh -c 'echo $$ > \(spool.out)/pid; read x < \(gate.path)' &\n\
            until [ -s \(spool.out)/pid ]; do :; done\necho 'in 1 s'
            """)
        try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
        try spool.start()
        #expect(try spool.end(of: "t").outcome == "done 0")
        try Processes.awaitEnd(of: try #require(pid_t(try spool.lines("pid", count: 1)[0])))
    }

    @Test("spoold ends at once while a program hangs, and kills the program")
    func stopping() throws {
        let spool = try SpoolUnderTest(starting: false)
        let gate = try spool.gate()
        try spool.program("k", "#!/bin/sh\necho $$ >> \(spool.out)/pids\nread x < \(gate.path)")
        try spool.task("t", "command = [\"true\"]\n\(Self.schedule)")
        try spool.start()
        let pid = try #require(pid_t(try spool.lines("pids", count: 1)[0]))
        #expect(try spool.stop() == 0)
        try Processes.awaitEnd(of: pid)
    }

    // MARK: The other forms

    @Test("A wall-clock pattern is due when the clock shows it, and the next due time is computed when the run has ended")
    func wallClock() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let second = try withEnoughSeconds(from: 2) { seconds in
            let second = Clock.now() / 1000 + seconds
            let time = [second / 3600 % 24, second / 60 % 60, second % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ".")
            try spool.task(
                "t", "command = 'echo > \(spool.out)/began; read x < \(gate.path)'\n[[schedule]]\npattern = \"**.**.\(time)\"")
            // When the daemon reads the task after this second, the next one is tomorrow's.
            return try spool.wait(for: "the run") { () throws -> Bool? in
                if Files.exists("\(spool.out)/began") { return true }
                let next = try spool.daemonStatus()?.text("next_due")
                return try next.map { try spool.second($0) } == Int(second + 86_400) ? false : nil
            } ? second : nil
        }
        #expect(try spool.second(spool.running("t").due) == Int(second))
        try gate.release()
        #expect(try spool.end(of: "t").outcome == "done 0")
        let next = try spool.ctl("next", "t", "-n", "1", "--json")
        #expect(try spool.second(String(next.output.dropFirst(9).prefix(24))) == Int(second + 86_400), "\(next.output)")
    }

    @Test("spoolctl takes and shows patterns")
    func commands() throws {
        let spool = try SpoolUnderTest(starting: false)
        #expect(try spool.ctl("create", "a", "--pattern", "50.seconds", "--", "true").code == 0)
        #expect(try spool.ctl("schedule", "a", "--pattern", "sat|sun.22.00.00", "--timezone", "Europe/Berlin", "--id", "w").output == "w\n")
        #expect(try spool.ctl("schedule", "a", "--pattern", "ext:k:x").code == 0)
        #expect(try spool.ctl("show", "a", "--schedules").output.contains("pattern \"sat|sun.22.00.00\"\tEurope/Berlin"))
        let next = try spool.ctl("next", "--pattern", "**.01.05.00.00", "--from", "2026-11-21", "-n", "2", "-q")
        #expect(next.output == "2026-12-01T05:00:00.000Z\n2027-01-01T05:00:00.000Z\n")
        let ext = try spool.ctl("next", "--pattern", "ext:k:x")
        #expect(ext.code == 0 && ext.errors.contains("patterns/k decides"))
        let wrong = try spool.ctl("create", "b", "--pattern", "**.22.60.00", "--", "true")
        #expect(wrong.code == 4 && wrong.errors.contains("minute 60 is out of range 0-59"), "\(wrong.errors)")
    }
}

extension SpoolUnderTest {
    /// Puts a program in `patterns/`, by rename.
    func program(_ key: String, _ text: String, mode: mode_t = 0o755) throws {
        try Files.write("\(path)/tmp/program", text, mode: mode)
        try Files.rename("\(path)/tmp/program", "\(path)/patterns/\(key)")
    }
}
