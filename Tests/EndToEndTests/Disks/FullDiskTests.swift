// A small disk fills up while jobs run. No job is lost, and the daemon continues when there is room again.

import Glibc
import Linux
import Testing

@Suite("A full disk", .ownThreads)
struct FullDiskTests {
    static let canMount: Bool = {
        guard isRoot, Commands.has("mount"), let directory = try? Files.makeTemporaryDirectory() else { return false }
        defer { try? Files.removeTree(directory) }  // litter at worst
        guard let result = try? Commands.run("mount", "-t", "tmpfs", "-o", "size=65536", "tmpfs", directory), result.code == 0
        else { return false }
        _ = try? Commands.run("umount", directory)  // if this fails, the directory stays as litter
        return true
    }()

    static let reason: Comment = "needs root and the right to mount a tmpfs"

    @Test(
        "Attack 46: jobs that run while the disk is full end; files dropped meanwhile wait, and run when there is room",
        .enabled(if: canMount, reason)
    )
    func fullWhileRunning() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        let gate = try spool.gate()
        for index in 0..<3 {
            try spool.drop("early-\(index).toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path); exit \(index)'")
        }
        let pids = try spool.lines("began", count: 3).compactMap { pid_t($0) }
        try spool.dropOntoFullDisk(20) { "command = 'echo \($0) >> \(spool.out)/ran'" }
        try spool.logLine("event=degraded", "No space left")
        try gate.release(3)
        for pid in pids { try Processes.awaitEnd(of: pid) }
        try spool.freeDisk()
        try spool.logLine("event=recovered")
        try spool.ended(count: 23)
        for index in 0..<3 { #expect(try spool.end(of: "early-\(index)").outcome == (index == 0 ? "done 0" : "failed exit \(index)")) }
        #expect(try spool.linesNow("ran").sorted() == (0..<20).map(String.init).sorted(), "each ran once")
        #expect(try spool.ended().filter { $0.id.contains("late") }.allSatisfy { $0.outcome == "done 0" })
        #expect(spool.log.split(separator: "\n").filter { $0.contains("event=degraded") }.count == 1, "it is said once")
        try spool.restart()
        #expect(try spool.runsOn())
        #expect(try spool.ended().count == 24)
    }

    @Test(
        "Attack 46: killed or stopped on a full disk, spoold starts again and has lost nothing", .enabled(if: canMount, reason),
        arguments: [SIGKILL, SIGTERM]
    )
    func endedWhileFull(_ signal: Int32) throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo $$ > \(spool.out)/began; read x < \(gate.path); exit 5'")
        let pid = try #require(pid_t(try spool.lines("began", count: 1)[0]))
        try spool.dropOntoFullDisk(5) { "command = 'echo \($0) >> \(spool.out)/ran'" }
        try spool.logLine("event=degraded")
        spool.signal(signal)
        try spool.exitCode()
        try gate.release()
        try Processes.awaitEnd(of: pid)
        try spool.freeDisk()
        try spool.start()
        #expect(try spool.end(of: "early").outcome == "failed exit 5")
        try spool.ended(count: 6)
        #expect(try spool.linesNow("ran").sorted() == (0..<5).map(String.init))
    }

    @Test("A job that fills the disk fails, and the daemon and other jobs continue", .enabled(if: canMount, reason))
    func greedyJob() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        let gate = try spool.gate()
        try spool.drop("other.toml", "command = 'echo > \(spool.out)/began; read x < \(gate.path); exit 4'")
        try spool.output("began")
        try spool.drop("greedy.toml", "command = 'cat /dev/zero'")
        try spool.logLine("event=degraded")
        try gate.release()
        // Frees the disk as an operator would do: truncates the output of the greedy job.
        for place in ["running", "failed"] {
            for job in try Files.list("\(spool.path)/\(place)") where job.contains("greedy") {
                let path = "\(spool.path)/\(place)/\(job)/stdout"
                if Files.exists(path) { try Files.write(path, "") }
            }
        }
        let greedy = try spool.end(of: "greedy")
        #expect(greedy.outcome == "failed exit 1")
        #expect(try spool.end(of: "other").outcome == "failed exit 4")
        #expect(try spool.runsOn())
    }

    @Test("Attack 48: a disk without free inodes is treated as a full disk", .enabled(if: canMount, reason))
    func noInodes() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        for index in 0..<5 { try Files.write("\(spool.path)/tmp/late-\(index).toml", "command = 'echo \(index) >> \(spool.out)/ran'") }
        try Commands.succeed("mount", "-o", "remount,nr_inodes=30", spool.path)
        var made = 0
        while mkdir("\(spool.path)/tmp/.filler-\(made)", 0o700) == 0 { made += 1 }
        for index in 0..<5 { try Files.rename("\(spool.path)/tmp/late-\(index).toml", "\(spool.path)/new/late-\(index).toml") }
        try spool.logLine("event=degraded")
        try Commands.succeed("mount", "-o", "remount,nr_inodes=10000", spool.path)
        try spool.ended(count: 5)
        #expect(try spool.linesNow("ran").sorted() == (0..<5).map(String.init))
        #expect(try spool.ended().allSatisfy { $0.outcome == "done 0" })
    }

    /// fdatasync(2): after EIO the pages in memory may differ from the disk.
    @Test(
        "Attack 47: after a failed sync spoold logs it and closes the spool, and the next start serves it",
        .enabled(if: Commands.has("strace"), "strace is not installed")
    )
    func inputOutputError() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.launch(
            tracer: [
                "/usr/bin/strace", "-D", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync,syncfs", "-e",
                "inject=fsync,fdatasync,syncfs:error=EIO:when=20+",
            ])
        try spool.notification("READY=1")
        var count = 0
        while !spool.log.contains("event=let-go"), count < 100 {
            try spool.drop("job-\(count).toml", "command = 'echo \(count) >> \(spool.out)/ran'")
            try spool.wait(for: "the job's end, or the disk's") {
                try !spool.ended("job-\(count)").isEmpty || spool.log.contains("event=let-go")
            }
            count += 1
        }
        #expect(spool.log.contains("Input/output error") && count < 100)
        try spool.crash()
        try spool.start()
        try spool.ended(count: count)
        let ran = try spool.linesNow("ran")
        #expect(Set(ran).count == ran.count, "none ran twice")
    }

    @Test("Attack 47: on a disk that is read-only spoold does not start, and says why", .enabled(if: canMount, reason))
    func readOnly() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        try spool.stop()
        try Commands.succeed("mount", "-o", "remount,ro", spool.path)
        try spool.launch()
        #expect(try spool.exitCode() == 1)
        #expect(spool.log.contains("Read-only file system"))
        // spoolctl finds the fault without the daemon.
        let status = try spool.ctl("status", "--json").output
        #expect(
            status.contains("\"troubles\":[{\"of\":\"disk\"") && status.contains("Read-only file system")
                && status.contains("\"is_running\":false"),
            "\(status)")
        try Commands.succeed("mount", "-o", "remount,rw", spool.path)
        try spool.start()
        #expect(try spool.runsOn())
    }

    @Test("status.json shows that the disk is full, and later that it has room again", .enabled(if: canMount, reason))
    func statusWhileFull() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        for time in 1...2 {
            try spool.dropOntoFullDisk(5) { "command = 'echo \($0) >> \(spool.out)/ran'" }
            try spool.awaitTrouble("disk")
            #expect(try spool.ctl("status").output.contains("No space left"))
            #expect(try spool.ctl("health").code == 1)
            // The daemon may be writing the next one.
            try spool.wait(for: "what could not be written whole to be taken away") {
                !Files.exists("\(spool.path)/state/status.json.tmp")
            }
            try spool.freeDisk()
            #expect(try spool.ended(count: 5 * time).allSatisfy { $0.outcome == "done 0" })
            try spool.awaitNoTrouble()
        }
        #expect(try spool.linesNow("ran").count == 10)
    }

    @Test(
        "Attacks 46, 79: started on a full disk, spoold reports it, starts no job, and serves when there is room",
        .enabled(if: canMount, reason)
    )
    func startWhileFull() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        try spool.acceptedTask("known", "command = ['true']")
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo $$ > \(spool.out)/began; read x < \(gate.path); exit 5'")
        let job = try #require(pid_t(try spool.lines("began", count: 1)[0]))
        try spool.crash()
        try gate.release()
        try Processes.awaitEnd(of: job)
        for index in 0..<20 { try Files.write("\(spool.path)/new/late-\(index).toml", "command = 'echo \(index) >> \(spool.out)/ran'") }
        try spool.fillDisk()
        try spool.launch()
        try spool.logLine("event=degraded", "of=disk", "No space left")
        try spool.awaitTrouble("disk")
        #expect(try spool.linesNow("ran").isEmpty)
        try spool.freeDisk()
        try spool.notification("READY=1")
        try spool.ended(count: 21)
        #expect(try spool.end(of: "early").outcome == "failed exit 5")
        #expect(try spool.linesNow("ran").sorted() == (0..<20).map(String.init).sorted(), "each ran once")
        #expect(spool.count("event=degraded") == 1)
    }

    @Test("Started where a job cannot be moved because no inode is free, spoold waits for one", .enabled(if: canMount, reason))
    func startWithoutInodes() throws {
        let spool = try SpoolUnderTest(tmpfsBytes: 2 << 20)
        try Files.write("\(spool.path)/tmp/late.toml", "command = 'echo ran >> \(spool.out)/ran'")
        try Commands.succeed("mount", "-o", "remount,nr_inodes=30", spool.path)
        var made = 0
        while mkdir("\(spool.path)/tmp/.filler-\(made)", 0o700) == 0 { made += 1 }
        try Files.rename("\(spool.path)/tmp/late.toml", "\(spool.path)/new/late.toml")
        try spool.logLine("event=degraded")
        try spool.crash()
        let before = spool.logLength
        try spool.launch()
        try spool.logLine("event=degraded", "of=disk", after: before)
        try Commands.succeed("mount", "-o", "remount,nr_inodes=10000", spool.path)
        try spool.notification("READY=1")
        #expect(try spool.end(of: "late").outcome == "done 0")
        #expect(try spool.linesNow("ran").count == 1)
    }

    @Test(
        "A worker without a daemon that cannot write the end of its run tries again until it can",
        .enabled(if: Commands.has("strace"), "strace is not installed"))
    func unwritableEnd() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.jobAtGate()
        let worker = try #require(Processes.workers(ofSpool: spool.path).first)
        try spool.crash()
        let trace = "\(spool.base)/trace"
        // strace writes its message into a watched directory, which wakes the test's wait. A change in /proc would not.
        let said = "\(spool.base)/strace"
        let strace = try Commands.Running(
            "sh", ["-c", "exec strace -p \(worker) -o \(trace) -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC 2> \(said)"])
        try spool.wait(for: "strace to watch the worker") { Files.exists(said) ? try Files.text(said).contains("attached") : false }
        try gate.release()
        try spool.wait(for: "a second refusal") { try Files.text(trace).split(separator: "\n").filter { $0.contains("ENOSPC") }.count > 1 }
        strace.child.kill(SIGTERM)
        _ = try strace.end()
        try spool.start()
        #expect(try spool.end(of: "early").outcome == "failed exit 3")
    }
}
