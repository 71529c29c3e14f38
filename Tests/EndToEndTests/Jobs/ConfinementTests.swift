import Glibc
import Testing

/// Limits, priorities and `output_limit`, as the job itself sees them: U9.
@Suite("Limits, priorities and output", .ownThreads)
struct ConfinementTests {
    static let seen: [(keys: String, command: String, output: String)] = [
        ("nice = 7", "nice", "7\n"), ("nice = 0", "nice", "0\n"), ("ionice = \"idle\"", "ionice", "idle\n"),
        ("ionice = \"best-effort:6\"", "ionice", "best-effort: prio 6\n"), ("ionice = \"best-effort\"", "ionice", "best-effort: prio 4\n"),
        ("limits = {nofile = 77}", "ulimit -n; ulimit -Hn", "77\n77\n"), ("limits = {nproc = 4000}", "bash -c 'ulimit -u'", "4000\n"),
        ("limits = {core = \"1M\"}", "ulimit -c", "2048\n"), ("limits = {core = \"unlimited\"}", "ulimit -c", "unlimited\n"),
        ("limits = {fsize = \"10 MiB\"}", "ulimit -f", "20480\n"), ("limits = {cpu = \"90s\"}", "ulimit -t", "90\n"),
        ("limits = {as = \"2G\"}", "ulimit -v", "2097152\n"),
        ("nice = 3\nlimits = {nofile = 99, core = 0}", "nice; ulimit -n; ulimit -c", "3\n99\n0\n"),
    ]

    @Test("U9: a job has the limits and priorities of its keys", arguments: seen)
    func limits(_ row: (keys: String, command: String, output: String)) throws {
        let job = try SpoolUnderTest().run("command = \"\(row.command)\"\n\(row.keys)")
        #expect(job.outcome == "done 0", "\(row.keys): \(job.error)")
        #expect(try job.stdout == row.output, "\(row.keys)")
    }

    @Test("U9: the kernel ends a job that exceeds a limit, and the reason is the signal")
    func exceeded() throws {
        let job = try SpoolUnderTest()
            .run("command = \"exec head -c 100000 /dev/zero\"\nlimits = {fsize = \"10K\"}\nstop_signal = \"TERM\"")
        #expect(job.outcome == "failed signal")
        #expect(job.integer("signal") == Int(SIGXFSZ))
    }

    static let refused: [(keys: String, error: String)] = [
        ("limits = {nofile = 10}\ndirectory = \"/nope\"", "directory \"/nope\": No such file or directory"),
    ]

    @Test("U9: a limit that cannot be set, or a command that cannot start under one, fails with spawn and says why", arguments: refused)
    func refuses(_ row: (keys: String, error: String)) throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = [\"true\"]\n\(row.keys)")
        #expect(job.outcome == "failed spawn" && job.error == row.error, "\(job.outcome) \(job.error)")
        let missing = try spool.run("command = [\"no-such-program\"]\nnice = 1", as: "missing")
        #expect(missing.outcome == "failed spawn 127")
        #expect(missing.error.hasPrefix("command not found: \"no-such-program\""), "\(missing.error)")
        let interpreter = try spool.run("script = \"#!/no/such/interpreter\\n\"\nnice = 1", as: "interpreter")
        #expect(interpreter.outcome == "failed spawn 127", "\(interpreter.outcome)")
    }

    /// The controllers that the daemon would find, read in the same way.
    static let controllers: Set<String> = {
        let mounts = (try? Files.text("/proc/self/mountinfo")) ?? ""  // no /proc, no cgroups
        guard let mount = mounts.split(separator: "\n").first(where: { $0.contains(" - cgroup2 ") })?.split(separator: " ")
            .dropFirst(4).first,
            let own = (try? Files.text("/proc/self/cgroup"))?.split(separator: "\n").first(where: { $0.hasPrefix("0::") })?.dropFirst(3)
        else { return [] }
        let text = (try? Files.text("\(mount)\(own == "/" ? "" : own)/cgroup.controllers")) ?? ""
        return Set(text.split(whereSeparator: \.isWhitespace).map(String.init))
    }()

    @Test("U9: without the controller, limits.memory fails with spawn and names it; with required = false it is left out",
        .enabled(if: !controllers.contains("memory"), "the memory controller of cgroup v2 is here"))
    func withoutCgroup() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = [\"true\"]\nlimits = {memory = \"64M\"}")
        #expect(job.outcome == "failed spawn")
        #expect(job.error.hasPrefix("limits"), "\(job.error)")
        #expect(job.error.contains("required = false"), "\(job.error)")
        let other = try spool.run("command = [\"true\"]\nlimits = {memory = \"64M\", required = false}", as: "other")
        #expect(other.outcome == "done 0")
    }

    @Test("U9: Attack 50: with the controller, a job past its memory limit is killed, and its cgroup is removed",
        .enabled(if: controllers.contains("memory") && geteuid() == 0, "the memory controller of cgroup v2 is not delegated here"))
    func withCgroup() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run(
            "command = 'cat /proc/self/cgroup; a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done'\nlimits = {memory = \"32M\", tasks = 20}")
        #expect(job.outcome == "failed signal" && job.integer("signal") == Int(SIGKILL), "\(job.outcome) \(job.error)")
        let group = try #require(try job.stdout.split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3))
        #expect(group.hasSuffix("/jobs/\(job.id)"))
        let mounts = try Files.text("/proc/self/mountinfo").split(separator: "\n")
        let mount = try #require(mounts.first { $0.contains(" - cgroup2 ") }?.split(separator: " ").dropFirst(4).first)
        #expect(Files.exists(String(mount)) && !Files.exists("\(mount)\(group)"))
        #expect(job.error.contains("want of memory"), "\(job.error)")
    }

    @Test("U9: spoolctl has options for limits and priorities")
    func options() throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl(
            "submit", "-w", "--nice", "5", "--ionice", "idle", "--limit", "nofile=88", "--limit", "core=1M", "--", "sh", "-c",
            "nice; ionice; ulimit -n; ulimit -c")
        #expect(result.code == 0, "\(result.errors)")
        #expect(try spool.ctl("logs", result.id).lines == ["5", "idle", "88", "2048"])
        let wrong = try spool.ctl("submit", "--limit", "nofiles=88", "--", "true")
        #expect(wrong.code == 4 && wrong.errors.contains("did you mean \"nofile\"?"), "\(wrong.errors)")
    }

    @Test("output_limit keeps the beginning and the end of each stream, and a line counts the missing bytes", arguments: [false, true])
    func outputLimit(isConfigured: Bool) throws {
        let spool = try SpoolUnderTest(configuration: isConfigured ? "output_limit = \"64K\"" : "")
        let job = try spool.run("command = \"seq 1 100000; seq 1 10 >&2\"\n\(isConfigured ? "" : "output_limit = \"64K\"")")
        #expect(job.outcome == "done 0")
        let lines = try job.stdout.split(separator: "\n")
        #expect(lines.first == "1" && lines.last == "100000")
        // seq writes 588,895 bytes in all.
        let notice = "[spoold: 523359 bytes are left out here; output_limit is 65536]"
        #expect(lines.contains(Substring(notice)))
        #expect(try Files.status("\(job.directory)/stdout").size == Int64(65536 + notice.utf8.count + 2))
        #expect(try job.stderr == (1...10).map { "\($0)\n" }.joined())
    }

    @Test("Attack 51: output_limit frees disk space while the job still runs, and the job can write on")
    func outputWhileRunning() throws {
        let spool = try SpoolUnderTest()
        // The job ends when its file takes less than 2 MiB of the disk.
        let job = try spool.run(
            """
            command = 'yes 12345678 | head -c 20M; until [ $(stat -c %b \"$SPOOL_JOB_DIR/stdout\") -lt 4096 ]; do :; done; echo the end'\n\
            output_limit = \"1M\"
            """)
        #expect(job.outcome == "done 0")
        #expect(try job.stdout.hasSuffix("\n12345678the end\n"))
        #expect(try job.stdout.hasPrefix("12345678\n"))
        #expect(try Files.status("\(job.directory)/stdout").size < 1 << 21)
    }

    @Test("N8: the effective environment is in a file beside the output, with secrets masked")
    func environmentFile() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run(
            "command = \"env | sort\"\nenv = {DB_PASSWORD = \"hunter2\", api_token = \"t0k\", LINES2 = \"a\\nb\", PLAIN = \"x\"}")
        let text = try Files.text("\(job.directory)/environment")
        let lines = Set(text.split(separator: "\n").map(String.init))
        #expect(lines.isSuperset(of: ["DB_PASSWORD=***", "api_token=***", "LINES2=a\\nb", "PLAIN=x", "SPOOL_JOB_ID=\(job.id)"]))
        #expect(!text.contains("hunter2") && !text.contains("t0k"))
        #expect(try job.stdout.contains("DB_PASSWORD=hunter2"))
        #expect(try Files.status("\(job.directory)/environment").mode & 0o777 == 0o600)
    }
}
