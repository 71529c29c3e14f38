// The daemon, a worker or a job gets no memory, or a job multiplies its processes.

import Glibc
import Linux
import Testing

@Suite("Memory and processes that run out", .ownThreads)
struct MemoryAttackTests {
    @Test("Attack 50: a daemon that gets no more memory ends, and the next one has everything")
    func daemonWithoutMemory() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.jobAtGate()
        let pid = try #require(spool.daemon?.pid)
        // The limit is the daemon's present size and 4 MiB more.
        let pages = try #require(Int(try Files.text("/proc/\(pid)/statm").split(separator: " ")[0]))
        try Commands.succeed("prlimit", "--pid", "\(pid)", "--as=\(pages * Int(sysconf(Int32(_SC_PAGESIZE))) + (4 << 20)):")
        // The daemon keeps the whole text of each waiting job in memory.
        let text = "start = \"2090-01-01T00:00:00Z\"\ncommand = [\"true\"]\n#" + String(repeating: "x", count: 900_000)
        for index in 0..<16 {
            try Files.write("\(spool.path)/tmp/large-\(index).toml", text)
            try Files.rename("\(spool.path)/tmp/large-\(index).toml", "\(spool.path)/new/large-\(index).toml")
        }
        #expect(try spool.exitCode() != 0)
        try gate.release()
        try spool.start()
        #expect(try spool.end(of: "early").outcome == "failed exit 3")
        #expect(try spool.runsOn())
        #expect(try Files.list("\(spool.path)/new").count == 16, "all wait")
        #expect(try spool.ctl("jobs", "--state", "new", "-q").lines.count == 16)
        #expect(try spool.ended().count == 2)
        #expect(try spool.ctl("fsck").code == 0)
    }

    @Test("Attack 50: a job that wants more memory than it may have fails alone")
    func greedyJob() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = \"head -c 500M /dev/zero | tail -c 500M > /dev/null\"\nlimits = {as = \"100M\"}", as: "greedy")
        #expect(job.outcome.hasPrefix("failed"), "\(job.outcome)")
        #expect(try job.stderr.contains("memory"))
        #expect(try spool.runsOn())
    }

    @Test("Attack 50: when the kernel kills a job or a worker for memory, that is recorded, and the daemon continues",
        .enabled(if: MemoryGroup.isThere, MemoryGroup.reason), arguments: [false, true])
    func outOfMemory(isWorkers: Bool) throws {
        let spool = try SpoolUnderTest()
        let group = try MemoryGroup(bytes: 24 << 20)
        // The job moves itself, or its worker too, into a group with little memory. The shell then grows until the kernel kills
        // one of them.
        let members = isWorkers
            ? "echo $PPID > \(group.path)/cgroup.procs; echo 1000 > /proc/$PPID/oom_score_adj; echo -900 > /proc/$$/oom_score_adj" : ":"
        let job = try spool.run(
            "command = '\(members); echo $$ > \(group.path)/cgroup.procs; a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done'", as: "greedy")
        #expect(job.outcome == (isWorkers ? "failed lost" : "failed signal"), "\(job.error)")
        if !isWorkers { #expect(job.integer("signal") == Int(SIGKILL)) }
        #expect(try spool.runsOn())
        #expect(spool.daemon?.hasEnded == false)
        withExtendedLifetime(group) {}
    }

    // MARK: Jobs that multiply

    /// The function starts itself twice, again and again. Before that the job starts one process, for which there is room, and
    /// waits.
    private static func bomb(_ gate: Gate) -> String { "b() { b | b & }; b & read x < \(gate.path)" }

    @Test(
        "Attack 53: a fork bomb is held by the limit of its user's processes, and at its timeout nothing of it remains",
        .enabled(if: isRoot, "only root's jobs run as another user")
    )
    func forkBomb() throws {
        let spool = try UserTests.spool()
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        try spool.drop("other.toml", "command = 'read x < \(gate.path); exit 4'\nuser = \"nobody\"\ndirectory = \"/\"")
        _ = try spool.running("other")
        // The limit counts all processes of a user, so the test takes a user id that nobody else has.
        let never = try spool.gate("never")
        chmod(never.path, 0o666)
        let bomb = Self.bomb(never)
        let job = try spool.run(
            """
            command = '\(bomb)'\nuser = 64118\ngroup = 64118\ndirectory = \"/\"\nlimits = {nproc = 40}\ntimeout = \"1s\"\n\
            kill_after = \"100ms\"
            """, as: "bomb")
        #expect(job.outcome == "failed timeout", "\(job.outcome) \(job.error)")
        let left = try Files.list("/proc").compactMap { pid_t($0) }.filter { pid in
            // The worker runs as the same user, but does not belong to the bomb.
            guard (try? FileStatus.read("/proc/\(pid)"))?.owner == 64118,  // gone
                let line = try? Files.text("/proc/\(pid)/cmdline")  // likewise
            else { return false }
            return !line.contains("spool-worker")
        }
        for pid in left { try Processes.awaitEnd(of: pid) }
        try gate.release()
        #expect(try spool.end(of: "other").outcome == "failed exit 4")
        #expect(try spool.runsOn())
    }

    @Test("Attack 53: with the controller of version 2, a fork bomb is held by limits.tasks and killed with its group",
        .enabled(if: ConfinementTests.controllers.contains("pids") && isRoot, "the pids controller of cgroup v2 is not delegated here"))
    func forkBombInGroup() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run(
            "command = '\(Self.bomb(try spool.gate("never")))'\nlimits = {tasks = 30}\ntimeout = \"1s\"\nkill_after = \"100ms\"")
        #expect(job.outcome == "failed timeout", "\(job.outcome) \(job.error)")
        #expect(Processes.jobs(ofSpool: spool.path).isEmpty)
        #expect(try spool.runsOn())
    }

    @Test("Attack 53: without that controller, a job with limits.tasks does not run",
        .enabled(if: !ConfinementTests.controllers.contains("pids"), "the pids controller of cgroup v2 is here"))
    func withoutTasks() throws {
        let spool = try SpoolUnderTest()
        let job = try spool.run("command = 'touch \(spool.out)/ran'\nlimits = {tasks = 30}")
        #expect(job.outcome == "failed spawn" && job.error.hasPrefix("limits") && job.error.contains("required = false"), "\(job.error)")
        #expect(!Files.exists("\(spool.out)/ran"))
    }
}

/// A control group (version 1) with little memory.
final class MemoryGroup {
    private static let groups = "/sys/fs/cgroup/memory"

    static let isThere = isRoot && Files.exists("\(groups)/memory.limit_in_bytes") && Files.exists("\(groups)/cgroup.procs")
    static let reason: Comment = "needs root and the memory control group, version 1"

    let path: String

    init(bytes: Int) throws {
        path = "\(Self.groups)/spool-test-\(getpid())-\(UInt32.random(in: 0...(.max)))"
        try Files.makeDirectory(path)
        try Files.append("\(path)/memory.limit_in_bytes", "\(bytes)")
    }

    deinit {
        // Moves the remaining processes back to the root group. A process that has ended meanwhile cannot be moved.
        for pid in (try? Files.text("\(path)/cgroup.procs").split(separator: "\n")) ?? [] {
            try? Files.append("\(Self.groups)/cgroup.procs", "\(pid)")
        }
        rmdir(path)
    }
}
