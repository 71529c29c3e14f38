// Each program is killed before its first system call that changes something, then before its second, and so on until it
// survives. The disk does not change between two such calls, so these kills cover every moment.

import CLinux
import Glibc
import Linux
import Testing

@Suite("Deaths before system calls", .ownThreads, .enabled(if: Commands.has("strace"), "strace is not installed"))
struct SystemCallTests {
    /// The step between the calls before which a program is killed. `SPOOLD_KILL_STRIDE=1` kills before each call.
    static let stride = getenv("SPOOLD_KILL_STRIDE").flatMap { Int(String(cString: $0)) } ?? 29

    /// strace(1) with arguments that kill the program before its call of this number and write a trace to a file.
    static func strace(killingAt number: Int, trace: String) -> [String] {
        // Some machines lack some of these calls, so each name is optional.
        let calls = """
            openat write writev pwrite64 rename renameat renameat2 mkdir mkdirat unlink unlinkat rmdir link linkat symlink symlinkat fsync \
            fdatasync sync syncfs ftruncate fchmod fchmodat utimensat sendto sendmsg clone clone3 fork vfork execve kill flock
            """.split(separator: " ").map { "?\($0)" }.joined(separator: ",")
        return ["/usr/bin/strace", "-D", "-q", "-o", trace, "-e", "trace=\(calls)", "-e", "inject=\(calls):signal=KILL:when=\(number)"]
    }

    @Test("Attack 69: spoold killed before each system call: its work is done once, and another start changes nothing")
    func daemon() throws {
        let work = try Work()
        let spool = work.spool
        var number = 1
        while true {
            try work.prepare()
            try spool.launch(tracer: Self.strace(killingAt: number, trace: "\(spool.base)/trace"))
            try spool.wait(for: "the work to be done, or death") { try spool.daemon?.hasEnded == true || work.isDone() }
            let hasSurvived = try spool.stop() == 0
            try work.finish("spoold, killed before call \(number)", mayBeLost: false)
            if hasSurvived { break }
            number += Self.stride
        }
        #expect(number > 60, "it was killed while it worked")
        if Self.stride == 1 { print("spoold survives with its call \(number)") }
    }

    @Test(
        "Attack 69: a worker killed before each system call: its run is lost or done, and is repeated only if it asked for that"
    )
    func worker() throws {
        let work = try Work()
        let spool = work.spool
        try Files.write(spool.configuration, "slots = 1\n")
        var number = 1
        while true {
            try work.prepare()
            let arguments = ["--worker", try work.mortalWorker(killedAt: number)]
            try spool.launch(arguments: arguments)
            try spool.wait(for: "the work to be done") { try work.isDone() }
            try spool.stop()
            let hasSurvived = try work.workerSurvived()
            try work.finish("worker, killed before call \(number)", mayBeLost: !hasSurvived)
            if hasSurvived { break }
            number += max(1, Self.stride / 3)
        }
        #expect(number > 20, "it was killed while it worked")
        if Self.stride == 1 { print("a worker survives with its call \(number)") }
    }

    @Test("Attack 69: a worker without a daemon killed before each system call: its run has ended or is lost by name")
    func orphanedWorker() throws {
        let bench = try Bench()
        let spool = bench.spool
        let gate = try spool.gate()
        try spool.stop()
        try bench.keep()
        var number = 1
        while true {
            try bench.clear()
            try spool.drop("fail-held.toml", "command = 'echo x >> \(spool.out)/holds; read x < \(gate.path); exec \(bench.job)'")
            try spool.launch(arguments: ["--worker", try bench.mortalWorker(killedAt: number)])
            // The worker may be killed before the job writes anything.
            try spool.wait(for: "the job to hold, or to be lost") {
                try Files.exists("\(spool.out)/holds") || !spool.ended("fail-held").isEmpty
            }
            try spool.crash()
            try gate.release()
            let hasSurvived = try bench.workerSurvived()
            try spool.start()
            _ = try spool.end(of: "fail-held")
            #expect(try spool.stop() == 0, "\(spool.log)")
            try bench.check("worker alone, killed before call \(number)", dropped: ["fail-held"], mayBeLost: !hasSurvived)
            if hasSurvived { break }
            number += max(1, Self.stride / 10)
        }
        #expect(number > 5, "it was killed while it worked")
        if Self.stride == 1 { print("a worker alone survives with its call \(number)") }
    }

    @Test(
        "Attack 69: spoolctl submit, run and retry killed before each system call: a job exists as a whole or not, and a printed id exists"
    )
    func submitting() throws {
        let bench = try Bench()
        let spool = bench.spool
        try spool.task("retry-task", "command = [\"\(bench.job)\"]\non_crash = \"retry\"")
        let old = try spool.ctl("submit", "-w", "--name", "retry-old", "--", bench.job)
        #expect(old.code == 0)
        let id = try #require(spool.ended("retry-old").first?.id)
        try spool.stop()
        var told: [String] = [id]
        for arguments in [
            ["submit", "--name", "retry-sent", "--on-crash", "retry", "--payload", "{\"a\": 1}", "--", bench.job], ["run", "retry-task"],
            ["retry", id],
            ["submit", "--name", "retry-unique", "--on-crash", "retry", "--unique", "key", "--", bench.job],
        ] {
            told += try Self.killedBeforeEachCall(of: arguments, in: spool) { try spool.ctl("jobs", "-q").code == 0 }
        }
        try spool.start()
        try spool.wait(for: "all to end") { try spool.isEmptied }
        try spool.stop()
        try bench.check("spoolctl", dropped: ["retry-unique"], acknowledged: told, mayBeLost: false)
    }

    @Test("Attack 69: spoolctl cancel killed before each system call: a job reported as canceled is, and a second cancel succeeds")
    func canceling() throws {
        let bench = try Bench()
        let spool = bench.spool
        var canceled: [String] = []
        var number = 1
        while true {
            let id = try spool.ctl("submit", "--name", "fail-cancel-\(number)", "--in", "1h", "--", bench.job).id
            let result = try Self.ctl(["cancel", id], in: spool, killedAt: number)
            if !result.output.isEmpty { #expect(result.output == "\(id): canceled\n") }
            if result.code == 0 { break }
            #expect(result.code == 128 + SIGKILL, "\(result.error)")
            // The request may exist already.
            #expect([0, 1, 3].contains(try spool.ctl("cancel", id).code))
            canceled.append(id)
            number += max(1, Self.stride / 5)
        }
        #expect(number > 5, "it was killed while it worked")
        try spool.wait(for: "all to end") { try spool.isEmptied }
        try spool.stop()
        try bench.check("cancel", dropped: [], canceled: canceled, mayBeLost: false)
    }

    // MARK: Interruptions

    /// strace(1) with arguments that let every `step`-th call of each kind fail with EINTR, except the calls that load the
    /// program.
    private static func interrupting(each step: Int) -> [String] {
        let calls = """
            openat read pread64 readlinkat getdents64 newfstatat statx write writev pwrite64 renameat renameat2 mkdirat unlinkat linkat \
            symlinkat fsync \
            fdatasync syncfs ftruncate fallocate flock fchmod fchmodat utimensat sendto sendmsg recvfrom recvmsg accept4 connect poll \
            epoll_wait
            """.split(separator: " ")
        let loading = ["openat": 80, "read": 40, "newfstatat": 60, "pread64": 5]
        let injections = calls.flatMap { ["-e", "inject=?\($0):error=EINTR:when=\(loading[String($0)] ?? 1)+\(step)"] }
        return ["/usr/bin/strace", "-D", "-q", "-o", "/dev/null", "-e", "trace=\(calls.map { "?\($0)" }.joined(separator: ","))"]
            + injections
    }

    @Test("Programs whose system calls are interrupted again and again do their work once, without an error", arguments: [3, 5, 7])
    func interrupted(each step: Int) throws {
        let work = try Work()
        let spool = work.spool
        try work.prepare()
        let strace = Self.interrupting(each: step)
        let worker = "\(spool.base)/spool-worker"
        try Files.write(worker, "#!/bin/sh\nexec \(strace.joined(separator: " ")) \(SpoolUnderTest.programs)/spool-worker\n", mode: 0o755)
        try spool.launch(tracer: strace, arguments: ["--worker", worker])
        try spool.wait(for: "the work to be done") { try work.isDone() }
        #expect(try spool.stop() == 0)
        #expect(spool.count("level=error") == 0, "\(spool.log)")
        try work.finish("interrupted at each call \(step)", mayBeLost: false)
        try spool.start()
        for arguments in [
            ["submit", "--wait", "--", "echo", "x"], ["jobs"], ["list"], ["run", "--wait", "retry-due"], ["journal"], ["why", "retry-due"],
            ["top"], ["status"],
        ]
        {
            let line = strace + ["\(SpoolUnderTest.programs)/spoolctl", "--spool", spool.path] + arguments
            let result = try Commands.run(line[0], Array(line.dropFirst()))
            #expect(result.code == 0 && !result.error.contains("nterrupted"), "\(arguments): \(result)")
        }
    }

    /// Runs a spoolctl that is killed before its call of this number.
    private static func ctl(_ arguments: [String], in spool: SpoolUnderTest, killedAt number: Int) throws -> Commands.Result {
        let line = strace(killingAt: number, trace: "\(spool.base)/trace") + ["\(SpoolUnderTest.programs)/spoolctl", "--spool", spool.path]
        return try Commands.run(line[0], Array(line.dropFirst()) + arguments)
    }

    /// Runs a command again and again until it survives. Returns the ids that it printed.
    private static func killedBeforeEachCall(
        of arguments: [String], in spool: SpoolUnderTest, holds: () throws -> Bool
    ) throws -> [String] {
        var told: [String] = []
        var number = 1
        while true {
            let result = try ctl(arguments, in: spool, killedAt: number)
            told += result.output.split(separator: "\n").map(String.init)
            #expect(try holds(), "\(arguments), killed before call \(number)")
            if result.code == 0 { break }
            #expect(result.code == 128 + SIGKILL, "\(result.error)")
            number += max(1, stride / 5)
        }
        #expect(number > 5, "it was killed while it worked")
        return told
    }
}

/// A spool for many kills. Before each of them it is restored to its first state.
private class Bench {
    let spool: SpoolUnderTest
    let job: String

    init(_ begun: SpoolUnderTest? = nil) throws {
        spool = try begun ?? SpoolUnderTest()
        job = try spool.makeCountingJob()
    }

    /// Saves the spool for `clear`. Called after the daemon has ended.
    func keep() throws { try Commands.succeed("cp", "-a", spool.path, "\(spool.base)/kept") }

    /// Restores the saved spool. The directories stay the same, because the spool's identity names their inodes.
    func clear() throws {
        Processes.endAll(ofSpool: spool.path)
        let script = """
            cd \"$1\" && find spool -mindepth 2 -delete && find out -type f -delete && rm -rf failed-once/* once trace && cp -a kept/. \
            spool/
            """
        try Commands.succeed("sh", "-c", script, "sh", spool.base)
    }

    func check(_ death: String, dropped: [String], acknowledged: [String] = [], canceled: [String] = [], mayBeLost: Bool) throws {
        let faults = try spool.faults(dropped: dropped, acknowledged: acknowledged, canceled: canceled, mayBeLost: mayBeLost)
        #expect(faults.isEmpty, "\(spool.failure("\(death): \(faults.joined(separator: "\n"))"))")
        let another = try spool.faultsOfAnotherStart()
        #expect(another.isEmpty, "\(spool.failure("\(death): \(another.joined(separator: "\n"))"))")
    }

    // MARK: A worker that dies

    /// A worker program whose first process dies before its call of this number. Later processes live.
    func mortalWorker(killedAt number: Int) throws -> String {
        let program = "\(spool.base)/spool-worker"
        let worker = "\(SpoolUnderTest.programs)/spool-worker"
        let strace = SystemCallTests.strace(killingAt: number, trace: "\(spool.base)/trace").joined(separator: " ")
        try Files.write(
            program, "#!/bin/sh\nmkdir \(spool.base)/once 2>/dev/null || exec \(worker)\nexec \(strace) \(worker)\n", mode: 0o755)
        return program
    }

    /// Waits for the end of the first worker. False if it was killed.
    func workerSurvived() throws -> Bool {
        try spool.wait(for: "the first worker to end") { () throws -> Bool? in
            let trace = Files.exists("\(self.spool.base)/trace") ? try Files.text("\(self.spool.base)/trace") : ""
            if trace.contains("+++ killed by SIGKILL +++") { return false }
            return trace.contains("+++ exited with") ? true : nil
        }
    }
}

/// A spool with work of every kind that a starting daemon finds: dropped files, missed due times, an edited task, a record to run
/// again, a cancel request.
private final class Work: Bench {
    /// Due times that pass after the daemon that read the task has ended.
    private let dues: ClosedRange<Int>
    private let again: String
    private static let canceled = "20260101T000000.000Z-fail-cancel-1-abcdef"
    private static let retry = "on_crash = \"retry\"\ntries = 2\nbackoff = \"1ms\""
    private static let dropped = ["fail-drop", "retry-drop", "retry-once", "retry-again", "fail-cancel-1"]

    init() throws {
        let begun = try withEnoughSeconds(from: 2) { try Self.begin(dueIn: Int($0)) }
        dues = begun.dues
        again = begun.again
        try super.init(begun.spool)
        try Files.remove("\(spool.out)/runs")
        try awaitClock(Int64(dues.upperBound) * 1000)
        try keep()
    }

    /// A spool whose daemon has read the task and has ended before its first due time. Nil when a busy machine took longer for that.
    private static func begin(dueIn seconds: Int) throws -> (spool: SpoolUnderTest, again: String, dues: ClosedRange<Int>)? {
        let spool = try SpoolUnderTest()
        let job = try spool.makeCountingJob()
        let again = try spool.run("command = [\"\(job)\"]\n\(retry)", as: "retry-again").id
        let first = Int(Clock.now() / 1000) + seconds
        try spool.acceptedTask("retry-due", task(job, first...(first + 1), "before"))
        try spool.stop()
        return Clock.now() < Int64(first) * 1000 ? (spool, again, first...(first + 1)) : nil
    }

    private static func task(_ job: String, _ dues: ClosedRange<Int>, _ description: String) -> String {
        """
        command = ["\(job)"]
        description = "\(description)"
        \(Self.retry)
        overlap = "queue"
        [[schedule]]
        id = "each"
        cron = "* * * * * *"
        catch_up = "all"
        not_before = "@\(dues.lowerBound)"
        not_after = "@\(dues.upperBound)"
        """
    }

    func prepare() throws {
        try clear()
        try spool.drop("fail-drop.toml", "command = [\"\(job)\"]")
        try spool.drop("retry-drop.toml", "command = [\"\(job)\"]\n\(Self.retry)")
        try spool.drop("retry-once.toml", "command = [\"\(job)\", \"once\"]\n\(Self.retry)")
        try Files.rename("\(spool.path)/done/\(again)", "\(spool.path)/new/\(again)")
        try spool.drop("\(Self.canceled).toml", "command = [\"\(job)\"]\nstart = 2099-01-01T00:00:00Z")
        try spool.define("control/1.request", "{\"do\": \"cancel\", \"id\": \"\(Self.canceled)\"}")
        try spool.task("retry-due", Self.task(job, dues, "after"))
    }

    func isDone() throws -> Bool {
        let ended = Set(try spool.ended().compactMap { SpoolUnderTest.name(inID: $0.id) })
        return try Self.dropped.allSatisfy { ended.contains($0) } && ended.contains("retry-due") && spool.isEmptied
            && !Files.exists("\(spool.path)/control/1.request")
    }

    /// Lets another daemon finish the work, and checks the result.
    func finish(_ death: String, mayBeLost: Bool) throws {
        try spool.start()
        try spool.wait(for: "the work to be done") { try self.isDone() }
        try spool.stop()
        try check(death, dropped: Self.dropped, canceled: [Self.canceled], mayBeLost: mayBeLost)
        #expect(try spool.dueSeconds(of: "retry-due") == Array(dues), "\(spool.failure(death))")
        #expect(try Files.text("\(spool.path)/control/1.answer").contains("\"code\":0"), "\(death)")
    }
}
