// Process ids that belong to other processes by now, jobs that dump core or multiply, and processes that ended jobs leave behind.

import Glibc
import Linux
import Testing

@Suite("Processes that deceive", .ownThreads)
struct ProcessAttackTests {
    /// The path of the only worker record with a job. The job may have ended.
    static func record(_ spool: SpoolUnderTest) throws -> String {
        let names = try Files.list("\(spool.path)/state/workers").filter {
            try Files.text("\(spool.path)/state/workers/\($0)").contains(" running ")
        }
        return "\(spool.path)/state/workers/\(try #require(names.first))"
    }

    /// Replaces one word of a worker's record, and the checksum.
    static func rewrite(_ path: String, _ index: Int, _ word: String) throws {
        let line = try Files.text(path).dropLast()
        var words = line.split(separator: " ").map(String.init)
        words[index] = word
        let text = words.dropFirst().joined(separator: " ")
        let sealed = "\(FormatTests.checksum(text)) \(text)"
        try Files.write(path, sealed + String(repeating: " ", count: 1023 - sealed.utf8.count) + "\n", mode: 0o600)
    }

    enum Stranger: String, CaseIterable { case laterProcess, otherBoot }

    /// The fields of a record after its checksum: `running ID TRY WORKER WORKER-START JOB STARTED-AT JOB-START`.
    @Test("Attack 63: a process that has the number of a lost run's is not touched (CVE-2018-16888)", arguments: Stranger.allCases)
    func numberOfAnother(_ stranger: Stranger) throws {
        if stranger == .otherBoot, !ClockAttackTests.canNameBoots {
            print("skipped: needs root and mount namespaces")
            return
        }
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("job.toml", "command = 'echo $$ > \(spool.out)/pid; read x < \(gate.path)'")
        let pid = try #require(pid_t(try spool.lines("pid", count: 1)[0]))
        // The bystander leads a session and a group of its own, as the job's command did.
        var bystander = try Commands.Running("sleep", ["1000"])
        // A process that gets a used id never has the start time of the earlier process, so the bystander must start in a later
        // tick.
        while try Process.startTime(bystander.child.pid) == Process.startTime(pid) {
            bystander.child.kill(SIGKILL)
            bystander = try Commands.Running("sleep", ["1000"])
        }
        let workers = Processes.workers(ofSpool: spool.path)
        _ = try spool.wait(for: "the job's process to be on record") {
            try Files.text(Self.record(spool)).contains(" \(pid) ") ? true : nil
        }
        spool.signal(SIGSTOP)
        for worker in workers { kill(worker, SIGKILL) }
        for worker in workers { try Processes.awaitEnd(of: worker) }
        try spool.crash()
        try Self.rewrite(Self.record(spool), 6, "\(bystander.child.pid)")
        if stranger == .otherBoot {
            // All numbers match, but the machine seems to have been started again since.
            try Self.rewrite(Self.record(spool), 8, "\(Process.startTime(bystander.child.pid))")
            try Files.write("\(spool.base)/boot_id", "00000001-0000-4000-8000-000000000000\n")
            let shell = "mount --bind \(spool.base)/boot_id /proc/sys/kernel/random/boot_id && exec \"$@\""
            try spool.launch(tracer: ["/usr/bin/unshare", "-m", "/bin/sh", "-c", shell, "sh"])
            try spool.notification("READY=1")
        } else {
            try spool.start()
        }
        #expect(try spool.end(of: "job").outcome == "failed lost")
        #expect(try spool.runsOn())
        #expect(!bystander.child.hasEnded)
        // The daemon finds the job's own process by its environment, but only when the record is of the same boot.
        #expect(spool.log.contains("killed-orphans") == (stranger != .otherBoot))
        if stranger == .otherBoot { #expect(Processes.isAlive(pid)) } else { try Processes.awaitEnd(of: pid) }
        bystander.child.kill(SIGKILL)
        try gate.release()
    }

    @Test("Attack 66: a core dump is on record")
    func coreDump() throws {
        let spool = try SpoolUnderTest()
        try Files.makeDirectory("\(spool.out)/core")
        let job = try spool.run(
            """
            command = 'ulimit -c unlimited; echo $(ulimit -c) $(cat /proc/sys/kernel/core_pattern) > \(spool.out)/limit; kill -SEGV $$'\n\
            directory = \"\(spool.out)/core\"
            """)
        #expect(job.outcome == "failed signal" && job.integer("signal") == Int(SIGSEGV), "\(job.error)")
        let limit = try spool.output("limit")
        guard limit.hasPrefix("unlimited core") else {
            // A core pattern may name a program or suppress the file. Then the kernel decides by itself if the process counts as
            // dumped.
            print("skipped: cores go elsewhere here: \(limit)")
            return
        }
        #expect(job.error == "ended by SIGSEGV, core dumped")
        #expect(try Files.list("\(spool.out)/core").contains { $0.hasPrefix("core") })
    }

    @Test(
        "Attack 64: a user who stops all that his job started has it ended at its timeout all the same",
        .enabled(if: TestUser.areHere, TestUser.reason)
    )
    func stopped() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try spool.drop(
            as: .games, "job.toml",
            """
            command = 'setsid sh -c \"echo \\$\\$ > \(spool.out)/stray; kill -STOP \\$\\$\" & while [ ! -s \(spool.out)/stray ]; do :; \
            done; kill -STOP $$'\ndirectory = \"/\"\ntimeout = \"1h\"\nkill_after = \"1s\"
            """)
        try spool.lines("stray", count: 1)
        try spool.wait(for: "all to be stopped") {
            let all = Processes.jobs(ofSpool: spool.whole)
            return all.count == 2 && all.allSatisfy { (try? ProcessStatus.read($0))?.state == UInt8(ascii: "T") }  // gone
        }
        // A limit that is over already is refused.
        let id = try spool.ctl(as: .games, "jobs", "--state", "running", "-q").output.split(separator: "\n")[0]
        try withEnoughSeconds(from: 1) { seconds in
            try spool.ctl(as: .games, "extend", "--to", "\(seconds)s", String(id)).code == 0 ? () : nil
        }
        try spool.logLine("user=games", "event=ended", "reason=timeout")
        try Processes.awaitEnd(of: try #require(pid_t(try spool.lines("stray", count: 1)[0])))
    }

    @Test("The processes that jobs leave behind are reaped: no zombie remains (incron #930526)")
    func zombies() throws {
        let spool = try SpoolUnderTest()
        for index in 0..<40 { try spool.drop("job-\(index).toml", "command = '(true & true &) & (setsid true &) ; true'") }
        try spool.ended(count: 40)
        let daemon = try #require(spool.daemon?.pid)
        let own = Processes.workers(ofSpool: spool.path) + [daemon]
        // A zombie may end between these readings and its parent's wait, so the loop reads again until none is left.
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        var left: [pid_t] = []
        repeat {
            left = try Files.list("/proc").compactMap { pid_t($0) }.filter { pid in
                guard let status = try? ProcessStatus.read(pid) else { return false }  // gone
                return status.state == UInt8(ascii: "Z") && own.contains(status.parent)
            }
        } while !left.isEmpty && .now() < end
        #expect(left == [])
    }
}
