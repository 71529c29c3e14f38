// The spool's disk breaks while spoold serves it. The tests make real faults in real file systems on loop devices.

import Glibc
import Linux
import Testing

@Suite("A disk that breaks", .ownThreads)
struct BrokenDiskTests {
    /// A spool on a disk of its own, with a job that waits at each of these gates. Returns the pids of the jobs, too.
    private func busySpool(_ disk: LoopDisk, gates names: [String]) throws -> (SpoolUnderTest, [String: Gate], [pid_t]) {
        let spool = try SpoolUnderTest(disk: disk)
        var gates: [String: Gate] = [:]
        for name in names {
            let gate = try spool.gate("gate-\(name)")
            gates[name] = gate
            try spool.drop(
                "\(name).toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path); echo \(name) >> \(spool.out)/ran'")
        }
        let pids = try spool.lines("began", count: names.count).compactMap { pid_t($0) }
        return (spool, gates, pids)
    }

    /// Checks that the daemon reported one degradation and one recovery, and serves the spool again.
    private func checkRecovered(_ spool: SpoolUnderTest) throws {
        #expect(spool.count("event=degraded") == 1, "\(spool.log)")
        #expect(spool.count("event=recovered of=disk") == 1 && spool.count("event=let-go") <= 1, "\(spool.log)")
        #expect(spool.log.split(separator: "\n").count < 100)
        try spool.awaitNoTrouble()
        #expect(try spool.runsOn())
        #expect(try !spool.ctl("status").output.contains("trouble"))
        #expect(try spool.stop() == 0)
    }

    @Test(
        "spoold waits for a file system that has become read-only, lets it be unmounted, and serves it again when it is mended",
        .enabled(if: LoopDisk.Kind.ext4.isThere, LoopDisk.Kind.ext4.reason))
    func readOnly() throws {
        let disk = try LoopDisk(.ext4, options: "errors=remount-ro")
        let (spool, gates, pids) = try busySpool(disk, gates: ["first", "second"])
        // The last write before the end of a job records its process. The disk becomes read-only after it.
        try spool.wait(for: "both processes to be known") { try spool.jobs(in: "running").allSatisfy { $0.integer("pid") != nil } }
        try disk.makeReadOnly()
        let daemon = try #require(spool.daemon?.pid)
        let workers = Processes.workers(ofSpool: spool.path)
        try gates["first"]?.release()
        try spool.logLine("event=degraded", "of=disk", "Read-only file system")
        let status = try spool.ctl("status").output
        #expect(status.contains("runs, pid \(daemon)") && status.contains("Read-only file system"), "\(status)")
        #expect(try spool.lines("ran", count: 1) == ["first"])
        #expect(pids.contains { kill($0, 0) == 0 }, "the second goes on")
        disk.unmount()
        try spool.logLine("event=let-go")
        try gates["second"]?.release()
        for pid in pids + workers { try Processes.awaitEnd(of: pid) }
        #expect(try spool.lines("ran", count: 2) == ["first", "second"])
        #expect(try Files.list(spool.path).isEmpty, "nothing is written to what was under it")
        #expect(spool.daemon?.hasEnded == false)
        try disk.check()
        try disk.mount(at: spool.path)
        try spool.watchAll()
        try spool.logLine("event=recovered", "of=disk")
        // Nobody could record the ends of these runs, so they are lost.
        #expect(try Set(spool.ended(count: 2).map(\.outcome)) == ["failed lost"])
        #expect(try spool.linesNow("began").count == 2, "each began once")
        try checkRecovered(spool)
    }

    @Test(
        "spoold closes a file system that has shut itself down, and serves it again when it is mounted again",
        .enabled(if: LoopDisk.Kind.ext4.isThere && LoopDisk.Kind.xfs.isThere, LoopDisk.Kind.xfs.reason),
        arguments: [LoopDisk.Kind.ext4, .xfs])
    func inputOutputError(_ kind: LoopDisk.Kind) throws {
        let disk = try LoopDisk(kind)
        let (spool, gates, pids) = try busySpool(disk, gates: ["first", "second"])
        try spool.wait(for: "both processes to be known") { try spool.jobs(in: "running").allSatisfy { $0.integer("pid") != nil } }
        let workers = Processes.workers(ofSpool: spool.path)
        try disk.shutDown()
        try gates["first"]?.release()
        try spool.logLine("event=degraded", "of=disk", "Input/output error")
        try spool.logLine("event=let-go")
        let status = try spool.ctl("status")
        #expect(status.code == 1 && status.errors.contains("Input/output error"), "\(status)")
        #expect(pids.contains { kill($0, 0) == 0 }, "the second goes on")
        try gates["second"]?.release()
        for pid in pids + workers { try Processes.awaitEnd(of: pid) }
        #expect(try Set(spool.lines("ran", count: 2)) == ["first", "second"])
        disk.unmount()
        try disk.mount(at: spool.path)
        try spool.watchAll()
        try spool.logLine("event=recovered", "of=disk")
        #expect(
            try Set(spool.ended(count: 2).map(\.outcome)) == ["failed lost"],
            "also where their workers' records are gone with the disk's memory")
        #expect(try spool.linesNow("began").count == 2, "each began once")
        try checkRecovered(spool)
    }

    @Test(
        "A user's run that the broken disk has lost does not begin a second time",
        .enabled(if: LoopDisk.Kind.ext4.isThere && TestUser.areHere, LoopDisk.Kind.ext4.reason))
    func ofUser() throws {
        let disk = try LoopDisk(.ext4)
        let spool = try SpoolUnderTest(disk: disk, starting: false)
        try spool.letUsersIn()
        try spool.start()
        let gates = [try spool.gate("gate-user"), try spool.gate("gate-root")]
        for gate in gates { chmod(gate.path, 0o666) }
        try spool.drop(as: .games, "users.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gates[0].path)'\ndirectory = '/'")
        var pids = try spool.lines("began", count: 1)
        chmod("\(spool.out)/began", 0o666)
        try spool.drop("roots.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gates[1].path)'")
        pids = try spool.lines("began", count: 2)
        let workers = Processes.workers(ofSpool: spool.path)
        let daemons = Processes.userDaemons(ofSpool: spool.path)
        try disk.shutDown()
        for gate in gates { try gate.release() }
        try spool.logLine("event=let-go")
        for pid in pids.compactMap({ pid_t($0) }) + workers + daemons { try Processes.awaitEnd(of: pid) }
        disk.unmount()
        // Removes all traces of the job's start, as if they had not reached the disk.
        let aside = "\(spool.base)/aside"
        try Files.makeDirectory(aside)
        try disk.mount(at: aside)
        let workersOfUser = "\(aside)/users/games/state/workers"
        for name in try Files.list(workersOfUser) { try Files.remove("\(workersOfUser)/\(name)") }
        for id in try Files.list("\(aside)/running/games") {
            try? Files.remove("\(aside)/running/games/\(id)/stdout")  // may be missing already
        }
        disk.unmount()
        try disk.mount(at: spool.path)
        try spool.watchAll()
        try spool.logLine("event=recovered", "of=disk")
        try spool.logLine("user=games", "event=ended", "reason=lost")
        #expect(try spool.linesNow("began") == pids, "each began once")
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
    }

    @Test("A daemon that waits for its disk ends on SIGTERM", .enabled(if: LoopDisk.Kind.ext4.isThere, LoopDisk.Kind.ext4.reason))
    func endsWhileBroken() throws {
        let disk = try LoopDisk(.ext4)
        let (spool, gates, pids) = try busySpool(disk, gates: ["only"])
        let workers = Processes.workers(ofSpool: spool.path)
        try disk.shutDown()
        try gates["only"]?.release()
        for pid in pids + workers { try Processes.awaitEnd(of: pid) }
        try spool.logLine("event=let-go")
        #expect(try spool.stop() == 0)
        disk.unmount()
        try disk.mount(at: spool.path)
        try spool.watchAll()
        try spool.start()
        #expect(try spool.end(of: "only").outcome == "failed lost", "what the disk forgot is not taken for what never was")
        #expect(try spool.runsOn())
        #expect(try spool.linesNow("began").count == 1)
    }

    @Test(
        "When another spool is mounted in the place of a broken one, spoold ends and reports why",
        .enabled(if: LoopDisk.Kind.ext4.isThere, LoopDisk.Kind.ext4.reason)
    )
    func anotherInItsPlace() throws {
        let disk = try LoopDisk(.ext4)
        let (spool, gates, _) = try busySpool(disk, gates: ["only"])
        let words = try Files.text("\(spool.path)/state/identity").split { $0 == "=" || $0 == " " }
        // This daemon never serves its spool again, so it does not remove the note.
        defer { unlink("/run/spoold-\(geteuid())-\(words[1])") }
        try disk.shutDown()
        try gates["only"]?.release()
        try spool.logLine("event=let-go")
        disk.unmount()
        let other = try SpoolUnderTest()
        try other.stop()
        try Commands.succeed("cp", "-aT", other.path, spool.path)
        #expect(try spool.exitCode() == 1)
        #expect(spool.log.contains("another spool is at"), "\(spool.log)")
    }

    @Test("The note of a broken disk counts once, and only until the machine is started again", arguments: [true, false])
    func noted(isOfThisBoot: Bool) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("only.toml", "command = 'echo $$ >> \(spool.out)/began; read x < \(gate.path)'")
        let pid = try #require(pid_t(try spool.lines("began", count: 1)[0]))
        let running = try spool.running("only").id
        let workers = Processes.workers(ofSpool: spool.path)
        try spool.crash()
        for pid in workers + [pid] {
            kill(pid, SIGKILL)
            try Processes.awaitEnd(of: pid)
        }
        // Removes all traces of the job's start, as if they had not reached the disk.
        for name in try Files.list("\(spool.path)/state/workers") { try Files.remove("\(spool.path)/state/workers/\(name)") }
        try Files.remove("\(spool.path)/running/\(running)/stdout")
        let id = try Files.text("\(spool.path)/state/identity").split { $0 == "=" || $0 == " " }[1]
        let note = "\(isRoot ? "/run" : "/dev/shm")/spoold-\(geteuid())-\(id)"
        let boot = try Files.text("/proc/sys/kernel/random/boot_id").dropLast()
        try Files.write(note, isOfThisBoot ? String(boot) : String(boot.reversed()), mode: 0o600)
        defer { unlink(note) }
        try spool.start()
        if isOfThisBoot {
            let job = try spool.end(of: "only")
            #expect(job.outcome == "failed lost" && job.error.contains("the disk broke"), "\(job.error)")
        } else {
            _ = try spool.lines("began", count: 2)
            try gate.release()
            #expect(try spool.end(of: "only").outcome == "done 0")
        }
        try spool.wait(for: "the note to be gone") { !Files.exists(note) }
    }

    @Test(
        "A used up quota of a user counts as a full disk, until it is raised",
        .enabled(if: LoopDisk.Kind.btrfs.isThere, LoopDisk.Kind.btrfs.reason)
    )
    func quota() throws {
        let disk = try LoopDisk(.btrfs)
        let spool = try SpoolUnderTest(disk: disk, starting: false)
        try disk.limit(bytes: 16 << 20)
        for directory in ["tmp", "new"] { try Files.makeDirectory("\(spool.path)/\(directory)") }
        try spool.start()
        try spool.watchAll()
        let gate = try spool.gate()
        try spool.drop("early.toml", "command = 'echo >> \(spool.out)/began; read x < \(gate.path); exit 3'")
        try spool.output("began")
        for index in 0..<5 { try Files.write("\(spool.path)/tmp/late-\(index).toml", "command = 'echo \(index) >> \(spool.out)/ran'") }
        try disk.setLimit(bytes: 1 << 20, at: spool.path)
        try fillQuota(of: spool)
        try gate.release()
        try spool.logLine("event=degraded", "of=disk", "quota exceeded")
        #expect(try spool.ctl("status").output.contains("quota exceeded"))
        #expect(try spool.ctl("submit", "true").code != 0, "nothing is acknowledged")
        try disk.setLimit(bytes: 64 << 20, at: spool.path)
        for index in 0..<5 { try Files.rename("\(spool.path)/tmp/late-\(index).toml", "\(spool.path)/new/late-\(index).toml") }
        try spool.logLine("event=recovered", "of=disk")
        #expect(try spool.end(of: "early").outcome == "failed exit 3")
        try spool.ended(count: 6)
        #expect(try spool.linesNow("ran").sorted() == (0..<5).map(String.init))
        try checkRecovered(spool)
    }

    /// Writes until the quota is exceeded. btrfs counts data when it commits it.
    private func fillQuota(of spool: SpoolUnderTest) throws {
        let file = try FileDescriptor.open("\(spool.path)/tmp/.filler", O_WRONLY | O_CREAT, mode: 0o600)
        do throws(SystemError) {
            while true {
                try file.write([UInt8](repeating: 0x78, count: 64 << 10))
                try file.sync()
            }
        } catch {
            guard error.errno == EDQUOT else { throw error }
        }
    }
}
