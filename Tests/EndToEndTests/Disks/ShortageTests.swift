// The machine runs out of descriptors or processes. Running jobs continue, waiting jobs wait, and the daemon reports it once.

import Glibc
import Linux
import Testing

@Suite("Shortages of the machine", .ownThreads)
struct ShortageTests {
    /// The number that the next descriptor of this process would get.
    private func nextDescriptor(of pid: pid_t) throws -> Int {
        var lowest = Int.max
        // What is open for a moment only is no part of it: the process sleeps, and the lowest of many looks counts.
        for _ in 0..<100 {
            while try Files.text("/proc/\(pid)/stat").split(separator: ")").last?.hasPrefix(" S") == false { sched_yield() }
            let used = Set(try Files.list("/proc/\(pid)/fd").compactMap { Int($0) })
            lowest = min(lowest, (0...).first { !used.contains($0) } ?? 0)
        }
        return lowest
    }

    @Test("With ulimit -f the daemon reports the failed write and continues, and waiting jobs run when the limit is gone")
    func fileSize() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.launch(tracer: ["/bin/sh", "-c", "ulimit -f 2 && exec \"$@\"", "sh"])
        try spool.logLine("event=started", "spool=")
        // Their records make the journal larger than the limit.
        let ids = try (0..<8).map { _ in try spool.ctl("submit", "--env", "--", "true").id }
        try spool.logLine("File too large")
        #expect(try spool.ctl("status").code == 0 && spool.daemon?.hasEnded == false)
        try spool.crash()
        try spool.start()
        for id in ids { try spool.wait(for: id) { Files.exists("\(spool.path)/done/\(id)") || Files.exists("\(spool.path)/failed/\(id)") } }
        #expect(try Files.list("\(spool.path)/failed").count <= 1)
    }

    @Test("spoold raises its soft limit of open files to the hard one, also after a restart; jobs get the original soft limit")
    func descriptorLimits() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.launch(tracer: ["/usr/bin/prlimit", "--nofile=256:4096"])
        try spool.notification("READY=1")
        for round in 0..<2 {
            let limits = try Files.text("/proc/\(try #require(spool.daemon?.pid))/limits").split(separator: "\n").first {
                $0.hasPrefix("Max open files")
            }
            #expect(limits?.split(separator: " ").dropFirst(3).prefix(2) == ["4096", "4096"])
            #expect(try spool.run("command = 'ulimit -Sn; ulimit -Hn'", as: "job-\(round)").stdout == "256\n4096\n")
            if round == 0 { #expect(try spool.ctl("restart").code == 0) }
        }
    }

    @Test("Attack 45: out of descriptors, spoold finishes running jobs, accepts none, reports it once, and recovers by itself")
    func outOfDescriptors() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.jobAtGate()
        let pid = try #require(spool.daemon?.pid)
        let limit = try nextDescriptor(of: pid)
        try Commands.succeed("prlimit", "--pid", "\(pid)", "--nofile=\(limit):")
        for index in 0..<10 { try spool.drop("late-\(index).toml", "command = 'echo \(index) >> \(spool.out)/ran'") }
        try spool.logLine("event=degraded", "of=descriptors", "Too many open files")
        try spool.awaitTrouble("descriptors")
        #expect(try spool.ctl("status").output.contains("Too many open files"))
        try gate.release()
        #expect(try spool.end(of: "early").outcome == "failed exit 3", "its end is recorded meanwhile")
        #expect(try Files.list("\(spool.path)/new").count == 10, "nothing is taken up or started")
        try Commands.succeed("prlimit", "--pid", "\(pid)", "--nofile=1024:")
        try spool.logLine("event=recovered", "of=descriptors")
        try spool.ended(count: 11)
        #expect(try spool.linesNow("ran").sorted() == (0..<10).map(String.init), "each ran once")
        #expect(spool.count("event=degraded") == 1)
        #expect(spool.count("event=recovered") == 1)
        try spool.awaitNoTrouble()
        #expect(try spool.stop() == 0)
    }

    @Test("Started without free descriptors, spoold reports it and does not hang")
    func startWithoutDescriptors() throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try Commands.run(
            "prlimit", ["--nofile=6:6", "\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration])
        #expect(result.code == 1)
        #expect(result.error.contains("Too many open files"), "\(result)")
        try spool.start()
        #expect(try spool.runsOn())
    }

    /// `room` is the number of processes that may still be started. With 1 the worker starts, but cannot start its job.
    @Test(
        "Attack 49: when no process can be started a job stays due, no try counts, and it runs when one can",
        .enabled(if: ProcessLimit.isThere, ProcessLimit.reason), arguments: ProcessLimit.rooms
    )
    func noProcesses(room: Int) throws {
        let spool = try SpoolUnderTest()
        let limit = try ProcessLimit(try #require(spool.daemon?.pid))
        try limit.set(room: room)
        for index in 0..<5 { try spool.drop("job-\(index).toml", "command = 'echo \(index) >> \(spool.out)/ran'") }
        try spool.logLine("event=degraded", "of=processes", "temporarily unavailable")
        try spool.awaitTrouble("processes")
        #expect(try spool.ctl("status").output.contains("temporarily unavailable"))
        #expect(try spool.ended().isEmpty)
        try limit.lift()
        try spool.ended(count: 5)
        #expect(try spool.linesNow("ran").sorted() == (0..<5).map(String.init), "each ran once")
        #expect(try spool.ended().allSatisfy { $0.outcome == "done 0" && $0.attempt == 1 })
        try spool.logLine("event=recovered", "of=processes")
        try spool.awaitNoTrouble()
        #expect(spool.count("event=degraded") == 1)
    }

    @Test("As many jobs as the machine lets run do run, one after the other", .enabled(if: ProcessLimit.hasGroups, ProcessLimit.reason))
    func fewProcesses() throws {
        let spool = try SpoolUnderTest()
        let limit = try ProcessLimit(try #require(spool.daemon?.pid))
        // There is room for one worker and its job.
        try limit.set(room: 2)
        for index in 0..<6 { try spool.drop("job-\(index).toml", "command = ['true']") }
        try spool.ended(count: 6)
        #expect(try spool.ended().allSatisfy { $0.outcome == "done 0" && $0.attempt == 1 })
        try limit.lift()
        #expect(try spool.runsOn())
    }
}

/// Limits the number of processes of spoold and its children. For root, whom ulimit does not bind, a control group does that; for
/// other users, their process limit. That limit counts all processes of the user, so it can only forbid every new process.
final class ProcessLimit {
    private static let groups = "/sys/fs/cgroup/pids"

    static let hasGroups = isRoot && Files.exists("\(groups)/cgroup.procs")
    static let isThere = !isRoot || hasGroups
    static let rooms = hasGroups ? [0, 1] : [0]
    static let reason: Comment = "needs root and the pids control group, version 1"

    private let pid: pid_t
    private var group: String?
    /// The user's soft limit before the test.
    private let original: String

    init(_ pid: pid_t) throws {
        self.pid = pid
        let line = try Files.text("/proc/\(pid)/limits").split(separator: "\n").first { $0.hasPrefix("Max processes") }
        original = try #require(line?.split(separator: " ").dropFirst(2).first.map(String.init))
        guard isRoot else { return }
        let group = "\(Self.groups)/spool-test-\(pid)"
        try Files.makeDirectory(group)
        self.group = group
        try Files.append("\(group)/cgroup.procs", "\(pid)")
    }

    func set(room: Int) throws {
        guard let group else { return try Commands.succeed("prlimit", "--pid", "\(pid)", "--nproc=1:") }
        let count = try #require(Int(try Files.text("\(group)/pids.current").split(separator: "\n")[0]))
        try Files.append("\(group)/pids.max", "\(count + room)")
    }

    func lift() throws {
        guard let group else { return try Commands.succeed("prlimit", "--pid", "\(pid)", "--nproc=\(original):") }
        try Files.append("\(group)/pids.max", "max")
    }

    deinit {
        guard let group else { return }
        // Moves the remaining processes back to the root group. A process that has ended meanwhile cannot be moved.
        for pid in (try? Files.text("\(group)/cgroup.procs").split(separator: "\n")) ?? [] {
            try? Files.append("\(Self.groups)/cgroup.procs", "\(pid)")
        }
        rmdir(group)
    }
}
