// The executor slurm, called as the daemon calls it, and a real cluster. Each job says in a file of its own when it starts.

import Documents
import Executors
import Glibc
import Linux
import TestSupport
import Testing

@Suite("The executor slurm", .serialized, .ownThreads, .enabled(if: SlurmCluster.isHere, SlurmCluster.reason))
struct SlurmClusterTests {
    /// Asks until the answer for the job is as wanted.
    static func poll(
        _ calls: RemoteCalls, _ job: RemoteCalls.Job, _ verb: String = "poll", until isWanted: (Table?) -> Bool
    ) throws -> Table? {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while true {
            let outcome = try calls.end(calls.start(verb, calls.items([job])))
            let answer = outcome.answer(job)
            if isWanted(answer) { return answer }
            guard MonotonicInstant.now() < end else { throw WaitFailed(description: "\(verb): \(outcome)\n\(Files.tree(calls.base))") }
        }
    }

    /// The starts of jobs that have `echo ID >> OUT/starts` as their first command.
    static func starts(_ calls: RemoteCalls) throws -> [String] {
        Files.exists("\(calls.out)/starts") ? try Files.text("\(calls.out)/starts").split(separator: "\n").map(String.init) : []
    }

    static func job(_ calls: RemoteCalls, _ line: String, _ members: [String: String] = [:]) throws -> RemoteCalls.Job {
        try calls.job("echo $SPOOL_JOB_DIR >> \(calls.out)/starts; \(line)", members)
    }

    /// For what is to be told when Slurm does not answer: its programs wait so many seconds.
    static let short = ["--set", "MessageTimeout=5"]

    // MARK: A run

    @Test("Arguments, outputs and exit code come through, and the caller's variables for Slurm change nothing")
    func whole() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        calls.variables = [
            "SBATCH_PARTITION=no", "SBATCH_JOB_NAME=no", "SBATCH_WAIT=1", "SLURM_CLUSTERS=no", "SQUEUE_FORMAT=x", "SACCT_FORMAT=x",
        ]
        let job = try calls.submitted(calls.job("", [
            "arguments": #"["/bin/sh","-c","echo \"$1\" >&2; echo $SLURM_JOB_ID; exit 7","sh","a\r\n#SBATCH --array=1-3\n'b"]"#,
        ]))
        let answer = try #require(Self.poll(calls, job) { $0?.text("state") == "ended" })
        #expect(answer.number("exit") == 7 && answer.text("reason") == "failed" && answer.text("handle") == job.handle)
        #expect(try job.end().number("exit") == 7)
        #expect(try job.text("stdout") == "\(job.handle ?? "")\n" && job.text("stderr") == "a\r\n#SBATCH --array=1-3\n'b\n")
        #expect(!Files.exists("\(job.directory)/slurm.1"))
    }

    @Test("No daemon of the cluster leaves a core in the directory of the one who started it")
    func noCore() throws {
        let cluster = try SlurmCluster()
        for name in ["munged", "slurmctld", "slurmd-n1", "slurmd-n2"] {
            let pid = try #require(Files.text("\(cluster.base)/run/\(name).proc").split(separator: " ").first)
            let place = try Directory.open("/proc/\(pid)").readSymbolicLink("cwd")
            #expect(place == "/" || place.hasPrefix("\(cluster.base)/"), "\(name)")
            let limits = try Files.text("/proc/\(pid)/limits").split(separator: "\n").first { $0.hasPrefix("Max core file size") }
            #expect(limits?.split(separator: " ").suffix(3) == ["0", "0", "bytes"], "\(name): \(limits ?? "")")
        }
    }

    @Test("A thousand jobs run once each, with their own exit codes")
    func thousand() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let jobs = try (0..<1000).map { try Self.job(calls, "exit \($0 % 100)", ["resources": #"{"cpus":1}"#]) }
        for start in stride(from: 0, to: jobs.count, by: 100) {
            let outcome = try calls.end(calls.start("submit", calls.submitItems(Array(jobs[start..<start + 100]))))
            #expect(outcome.answers.count == 100 && outcome.answers.allSatisfy { $0.text("handle") != nil }, "\(outcome.errors)")
        }
        let end = MonotonicInstant.now().advanced(byMilliseconds: 10 * guardMilliseconds)
        var left = jobs
        while !left.isEmpty {
            _ = try calls.end(calls.start("poll", calls.items(left)))
            left.removeAll { $0.hasEnded }
            guard MonotonicInstant.now() < end else { throw WaitFailed(description: "\(left.count) jobs have no end") }
        }
        for (index, job) in jobs.enumerated() { #expect(try job.end().number("exit") == Int64(index % 100)) }
        #expect(try Self.starts(calls).sorted() == jobs.map(\.directory).sorted())
    }

    @Test("Slurm's reasons and places in the queue are told while a job waits")
    func waiting() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let all = ["executor_args": #"["--exclusive","--nodes=2"]"#]
        let running = try calls.submitted(Self.job(calls, "sleep 1000", all))
        _ = try Self.poll(calls, running) { $0?.text("state") == "running" }
        let first = try calls.submitted(Self.job(calls, "true", all))
        let second = try calls.submitted(Self.job(calls, "true", all))
        let answer = try #require(Self.poll(calls, second) { $0?.text("why") == "Priority" })
        #expect(answer.text("state") == "pending" && answer.number("position") == 1)
        #expect(try Self.poll(calls, first) { $0?.text("why") == "Resources" }?.number("position") == 0)
    }

    @Test("Jobs that Slurm will never take are refused with its sentence", arguments: [
        (#"{"executor_args":["--partition=no"]}"#, "Invalid partition name specified"),
        (#"{"resources":{"memory":99999999999999}}"#, "Memory specification can not be satisfied"),
        (#"{"directives":["--array=1-3"]}"#, "starts at most once"), (#"{"executor_args":["--no-such=1"]}"#, "unrecognized option"),
    ])
    func refused(members: String, sentence: String) throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let table = try #require(JSON.readableTable(Array(members.utf8)))
        let job = try Self.job(calls, "true", Dictionary(uniqueKeysWithValues: table.entries.map { ($0.key, JSON.write($0.value)) }))
        let answer = try #require(try calls.submit(job).answer(job))
        #expect(answer.text("error") == "refused" && answer.text("message")?.contains(sentence) == true, "\(answer)")
    }

    @Test("A job whose directory its node cannot write to is told as not launched")
    func notLaunched() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let job = try Self.job(calls, "true")
        try Files.removeTree(job.directory)
        let answer = try #require(Self.poll(calls, calls.submitted(job)) { $0?.text("state") == "ended" })
        #expect(answer.text("reason") == "launch" && answer["exit"] == nil && answer["signal"] == nil, "\(answer)")
        #expect(try Self.starts(calls).isEmpty)
    }

    // MARK: Ending

    @Test("A job that waits is taken out of the queue and never begins")
    func cancelWaiting() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let job = try calls.submitted(Self.job(calls, "true", ["executor_args": #"["--hold"]"#]))
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "asked")
        #expect(try job.end().boolean("never_began") == true)
        #expect(try Self.poll(calls, job) { $0?.text("state") == "ended" }?.text("reason") == "canceled")
        #expect(try calls.order("cancel", job, [("force", "true")]).answer(job)?["error"] == nil)
        #expect(try Self.starts(calls).isEmpty)
    }

    @Test("A job whose answer was lost is canceled by its name")
    func cancelUnknown() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        var job = try calls.submitted(Self.job(calls, "true", ["executor_args": #"["--hold"]"#]))
        job.handle = nil
        _ = try calls.order("cancel", job)
        #expect(try Self.poll(calls, job) { $0?.text("state") == "ended" }?.text("reason") == "canceled")
    }

    @Test("Signals reach the command, and its own end is recorded")
    func signals() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let line = "trap 'echo usr >> \(calls.out)/heard' USR1; trap 'exit 9' TERM; : > \(calls.out)/ready; while :; do sleep 0.05; done"
        let job = try calls.submitted(Self.job(calls, line))
        try calls.awaitFile("ready")
        #expect(try calls.order("signal", job, [("signal", "10")]).answer(job)?.text("state") == "asked")
        try calls.awaitFile("heard")
        #expect(try calls.order("extend", job, [("by_ms", "600000")]).answer(job)?["error"] == nil)
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "asked")
        _ = try Self.poll(calls, job) { $0?.text("state") == "ended" }
        #expect(try job.end().number("exit") == 9)
        #expect(try calls.order("signal", job, [("signal", "10")]).answer(job)?.text("state") == "gone")
    }

    @Test("Force kills a command that ignores TERM, and the kill is recorded")
    func force() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let line = "trap '' TERM; : > \(calls.out)/ready; while :; do sleep 0.05; done"
        let job = try calls.submitted(Self.job(calls, line, ["kill_after_ms": "100000"]))
        try calls.awaitFile("ready")
        #expect(try calls.order("cancel", job, [("force", "true")]).answer(job)?.text("state") == "asked")
        _ = try Self.poll(calls, job) { $0?.text("state") == "ended" }
        #expect(try job.end().number("signal") == 9)
    }

    // MARK: What breaks

    @Test("An answer that is lost after the real call is unknown, and the job is found by its name and runs once")
    func lostAnswer() throws {
        let cluster = try SlurmCluster()
        let shim = try Files.makeTemporaryDirectory()
        defer { try? Files.removeTree(shim) }  // litter in the temporary directory at worst
        let calls = try cluster.calls(first: shim)
        try Files.write("\(shim)/sbatch", "#!/bin/sh\n/usr/bin/sbatch \"$@\" >/dev/null 2>&1\nkill -9 $$\n", mode: 0o755)
        var jobs: [RemoteCalls.Job] = []
        for code in 0..<20 {
            let job = try Self.job(calls, "exit \(code)")
            #expect(try calls.submit(job).answer(job)?.text("error") == "unknown")
            let found = try #require(try calls.find(job).answer(job))
            #expect(found.text("state") != "gone" && found.text("handle") != nil, "\(found)")
            // The worst that a caller can do: it does not believe the answer.
            if code % 2 == 0 { _ = try calls.submit(job) }
            jobs.append(job)
        }
        for (code, job) in jobs.enumerated() {
            _ = try Self.poll(calls, job) { _ in job.hasEnded }
            #expect(try job.end().number("exit") == Int64(code))
        }
        let queue = try cluster.run("squeue", "--me", "-h", "-o", "%j")
        #expect(try Self.starts(calls).sorted() == jobs.map(\.directory).sorted(), "\(queue)")
    }

    @Test("While slurmctld is down, submitting is to be done later, and asking gets no answer")
    func controllerDown() throws {
        let cluster = try SlurmCluster(Self.short)
        let calls = try cluster.calls()
        let job = try calls.submitted(Self.job(calls, "sleep 1000"))
        _ = try Self.poll(calls, job) { $0?.text("state") == "running" }
        try cluster.control("kill-ctld")
        let more = try (0..<3).map { _ in try Self.job(calls, "true") }
        let outcome = try calls.end(calls.start("submit", calls.submitItems(more)))
        #expect(more.allSatisfy { outcome.answer($0)?.text("error") == "later" }, "\(outcome)")
        for verb in ["poll", "find"] {
            let asked = try calls.end(calls.start(verb, calls.items([job])))
            #expect(asked.answers.isEmpty && asked.code != 0 && asked.errors.contains("Unable to contact slurm controller"), "\(asked)")
        }
        #expect(try calls.order("cancel", job).answer(job)?.text("error") == "later")
        try cluster.control("start-ctld")
        #expect(try Self.starts(calls) == [job.directory])
    }

    @Test("A submission to a slurmctld that hangs is unknown, and is found and runs once afterwards")
    func controllerHangs() throws {
        let cluster = try SlurmCluster(Self.short)
        let calls = try cluster.calls()
        let job = try Self.job(calls, "exit 5")
        try cluster.control("stop-ctld")
        let outcome = try calls.submit(job)
        #expect(outcome.answer(job)?.text("error") == "unknown", "\(outcome)")
        try cluster.control("cont-ctld")
        _ = try Self.poll(calls, job, "find") { $0.map { $0.text("state") != "gone" } ?? false }
        _ = try Self.poll(calls, job) { _ in job.hasEnded }
        #expect(try job.end().number("exit") == 5 && Self.starts(calls) == [job.directory])
    }

    /// Polls until the job has ended. As the daemon does, submits the same try again when the engine says that it is gone. Returns whether
    /// it was.
    private func pollToEnd(_ calls: RemoteCalls, _ job: RemoteCalls.Job) throws -> Bool {
        var wasGone = false
        while true {
            let word = try Self.poll(calls, job) { $0?.text("state") == "gone" || job.hasEnded }
            if job.hasEnded { return wasGone }
            wasGone = true
            let again = try calls.submit(job)
            #expect(again.answer(job)?.text("handle") != nil, "\(word.map { "\($0)" } ?? ""): \(again)")
        }
    }

    @Test("Jobs that a killed slurmctld has forgotten are neither taken for others of their ids nor started twice")
    func controllerKilled() throws {
        var forgotten = 0
        for round in 0..<5 {
            // Slurm drains a node whose jobs it did not know, so each round has its own cluster.
            // What Slurm has ended by mistake is gone soon.
            let cluster = try SlurmCluster(["--set", "MinJobAge=10"])
            let calls = try cluster.calls()
            // slurmctld saves its state soon after its start, and then seldom.
            let first = try calls.submitted(Self.job(calls, "exit 4"))
            _ = try Self.poll(calls, first) { _ in first.hasEnded }
            let job = try calls.submitted(Self.job(calls, "sleep 2; exit 5"))
            if round % 2 == 1 { _ = try Self.poll(calls, job) { _ in job.hasStarted } }
            try cluster.control("kill-ctld")
            try cluster.control("start-ctld")
            // Another job, which gets the lost job's id, as nearly always, and ends with another code.
            let other = try calls.submitted(Self.job(calls, "exit 6"))
            _ = try pollToEnd(calls, other)
            #expect(try calls.poll(job).answer(job)?.number("exit") != 6)
            if try pollToEnd(calls, job) { forgotten += 1 }
            #expect(try job.end().number("exit") == 5 && other.end().number("exit") == 6)
            // The end of the copy that found the mark is not taken for an end of the run.
            let last = try calls.poll(job).answer(job)
            let text = last.map { JSON.write(Value(.table($0))) } ?? ""
            #expect(last?.number("exit") != 124 && last?.text("reason") != "completed", "\(text)")
            #expect(try Self.starts(calls).sorted() == [first, job, other].map(\.directory).sorted())
        }
        #expect(forgotten > 0, "slurmctld has forgotten no job, so nothing was tried")
    }

    @Test("A node that dies with its jobs is told as that, and nothing is started again")
    func nodeKilled() throws {
        let cluster = try SlurmCluster(Self.short + ["--set", "SlurmdTimeout=15"])
        let calls = try cluster.calls()
        let job = try calls.submitted(Self.job(calls, "sleep 1000", ["executor_args": #"["--nodelist=n1"]"#]))
        _ = try Self.poll(calls, job) { _ in job.hasStarted }
        try cluster.control("kill-node", ["1"])
        let answer = try Self.poll(calls, job) { $0?.text("state") == "ended" }
        #expect(answer?.text("reason") == "node_fail" && answer?.text("message")?.contains("NODE_FAIL") == true)
        #expect(!job.hasEnded)
        #expect(try Self.starts(calls) == [job.directory])
    }

    @Test("A job outlives a restart of its node's slurmd")
    func slurmdRestarted() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(Self.job(calls, "read x < \(gate.path); exit 3", ["executor_args": #"["--nodelist=n1"]"#]))
        _ = try Self.poll(calls, job) { _ in job.hasStarted }
        try cluster.control("kill-node", ["1", "--daemon-only"])
        try cluster.control("start-node", ["1"])
        try gate.release()
        _ = try Self.poll(calls, job) { _ in job.hasEnded }
        #expect(try job.end().number("exit") == 3 && Self.starts(calls) == [job.directory])
    }

    @Test("With accounting, an end is known after slurmctld has forgotten it, and while slurmdbd is down there is no answer",
        .enabled(if: SlurmCluster.hasAccounting, SlurmCluster.accountingReason))
    func accounting() throws {
        let cluster = try SlurmCluster(Self.short + ["--accounting", "--set", "MinJobAge=10"])
        let calls = try cluster.calls()
        let job = try calls.submitted(Self.job(calls, "exit 3"))
        _ = try Self.poll(calls, job) { _ in job.hasEnded }
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while try cluster.run("squeue", "--me", "-h", "-t", "all").output.isEmpty == false, MonotonicInstant.now() < end {}
        let answer = try #require(try calls.poll(job).answer(job))
        #expect(answer.text("state") == "ended" && answer.number("exit") == 3)
        #expect(try calls.find(job).answer(job)?.number("exit") == 3)
        try cluster.control("kill-dbd")
        let unanswered = try calls.poll(job)
        #expect(unanswered.answers.isEmpty && unanswered.code != 0 && unanswered.errors.contains("sacct"), "\(unanswered)")
        try cluster.control("start-dbd")
        #expect(try Self.poll(calls, job) { $0 != nil }?.number("exit") == 3)
    }

    @Test("check says what is reachable, and that the nodes see the spool")
    func checks() throws {
        let cluster = try SlurmCluster(Self.short)
        let calls = try cluster.calls()
        let findings = try calls.check().answers
        #expect(findings.first { $0.text("check") == "reachable" }?.boolean("ok") == true)
        #expect(findings.first { $0.text("check") == "shared" }?.boolean("ok") == true, "\(findings)")
        #expect(findings.first { $0.text("check") == "processes" }?.boolean("ok") == false)
        try cluster.control("kill-ctld")
        #expect(try calls.check().answers.first?.boolean("ok") == false)
    }
}
