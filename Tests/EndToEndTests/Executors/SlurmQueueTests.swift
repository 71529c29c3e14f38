// The executor slurm when Slurm takes no job now, and what its check says: with a real cluster, and with programs in the place of Slurm's
// where a cluster cannot be brought to say it.

import Documents
import Executors
import Glibc
import Linux
import TestSupport
import Testing

@Suite("The executor slurm at the limits of Slurm", .serialized, .ownThreads, .enabled(if: SlurmCluster.isHere, SlurmCluster.reason))
struct SlurmQueueTests {
    @Test("X2: While slurmctld's table of jobs is full, it has none of the jobs that are to be submitted later; then it takes them")
    func fullQueue() throws {
        // Of this number, slurmctld takes one less.
        let cluster = try SlurmCluster(["--set", "MaxJobCount=2", "--set", "MinJobAge=10"])
        let calls = try cluster.calls()
        let gate = try Gate(path: "\(calls.out)/gate")
        let first = try calls.submitted(SlurmClusterTests.job(calls, "read x < \(gate.path); exit 3"))
        let others = try (0..<6).map { try SlurmClusterTests.job(calls, "exit \(10 + $0)") }
        for _ in 0..<3 {
            let outcome = try calls.end(calls.start("submit", calls.submitItems(others)))
            for job in others {
                let answer = try #require(outcome.answer(job))
                #expect(answer.text("error") == "later", "\(outcome)")
                #expect(answer.text("message")?.contains("temporarily unable to accept job") == true, "\(outcome)")
            }
            for job in others { #expect(try calls.find(job).answer(job)?.text("state") == "gone") }
        }
        try gate.release()
        _ = try SlurmClusterTests.poll(calls, first) { _ in first.hasEnded }
        // slurmctld keeps an ended job for a while.
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        for (number, job) in others.enumerated() {
            while try calls.submit(job).answer(job)?["handle"] == nil {
                guard MonotonicInstant.now() < end else { throw WaitFailed(description: "slurmctld takes no job") }
            }
            _ = try SlurmClusterTests.poll(calls, job) { _ in job.hasEnded }
            #expect(try job.end().number("exit") == Int64(10 + number))
            if number == 1 { break }
        }
        #expect(try SlurmClusterTests.starts(calls) == ([first] + others.prefix(2)).map(\.directory))
    }

    /// Programs of a directory that comes first in PATH. Slurm itself is not needed.
    private static func calls(_ programs: [String: String], settings: String = "") throws -> RemoteCalls {
        let calls = try RemoteCalls("slurm")
        let path = "\(calls.base)/first:/usr/local/bin:/usr/bin:/bin"
        calls.settings = "{\"path\":\"\(path)\"\(settings)}"
        try Files.makeDirectory("\(calls.base)/first")
        for (name, text) in programs { try Files.write("\(calls.base)/first/\(name)", "#!/bin/sh\n\(text)\n", mode: 0o755) }
        return calls
    }

    @Test(
        "An sbatch that sleeps before it tries again is ended; one that may have tried again meanwhile is no certain failure",
        arguments: [
            ("echo 'sbatch: error: Slurm job queue full, sleeping and retrying' >&2; exec sleep 1000", "later"),
            ("echo 'sbatch: Job creation temporarily disabled, retrying' >&2; exec sleep 1000", "later"),
            ("echo 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying' >&2; exec sleep 1000", "later"),
            // It ends by SIGKILL, two seconds later.
            ("trap '' TERM; echo 'sbatch: error: Slurm job queue full, sleeping and retrying' >&2; exec sleep 1000", "unknown"),
        ])
    func retreats(text: String, error: String) throws {
        let calls = try Self.calls(["sbatch": text])
        let job = try calls.job("true")
        let outcome = try calls.submit(job)
        #expect(outcome.answer(job)?.text("error") == error, "\(outcome)")
        #expect(outcome.answer(job)?.text("message")?.contains("sbatch: ") == true, "\(outcome)")
    }

    @Test("An extension that is passed on twice moves Slurm's limit once")
    func extensions() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls()
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(SlurmClusterTests.job(calls, "read x < \(gate.path)", ["timeout_ms": "3600000"]))
        _ = try SlurmClusterTests.poll(calls, job) { _ in job.hasStarted }
        func limit() throws -> String {
            try cluster.run("squeue", "-h", "-j", job.handle ?? "", "-o", "%l").output.filter { $0 != "\n" }
        }
        #expect(try limit() == "1:06:00")
        for (lines, expected) in [("600\n", "1:16:00"), ("600\n", "1:16:00"), ("600\n90\n", "1:18:00"), ("600\n90\n-600\n", "1:18:00")] {
            try Files.write("\(job.directory)/extend", lines)
            #expect(try calls.order("extend", job, [("by_ms", "1")]).answer(job)?.text("state") == "asked")
            #expect(try limit() == expected, "\(lines)")
        }
        try gate.release()
        _ = try SlurmClusterTests.poll(calls, job) { _ in job.hasEnded }
    }

    // MARK: check

    @Test("check submits with the settings of jobs, and tells a partition that does not exist")
    func wrongPartition() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls(more: ",\"partition\":\"no\"")
        let shared = try #require(calls.check().answers.first { $0.text("check") == "shared" })
        #expect(shared.boolean("ok") == false && shared.text("message")?.contains("Invalid partition name") == true)
        #expect(try Files.list("\(calls.spool)/running") == [])
    }

    @Test("check has a node write into the spool, and leaves nothing there")
    func writes() throws {
        let cluster = try SlurmCluster()
        let calls = try cluster.calls(more: ",\"partition\":\"main\",\"args\":[\"--nodelist=n2\",\"--mem=1\"]")
        let answers = try calls.check().answers
        let shared = try #require(answers.first { $0.text("check") == "shared" })
        #expect(shared.boolean("ok") == true && shared.text("message")?.contains("writes there") == true)
        #expect(answers.contains { $0.text("check") == "clock" && $0.boolean("ok") == true })
        #expect(try Files.list("\(calls.spool)/running") == [])
    }

    @Test(
        "Only srun's word that no node was free leaves the spool unlooked at; every other failure of srun is one",
        arguments: [
            ("echo 'srun: error: Unable to allocate resources: Requested nodes are busy' >&2; exit 1", true, "no node was free"),
            ("echo 'srun: error: Unable to allocate resources: Invalid account' >&2; exit 1", false, "Invalid account"),
            ("echo 'srun: error: task 0 launch failed: Invalid user id' >&2; exit 1", false, "Invalid user id"),
            ("kill -9 $$", false, "no node can look"), ("echo what", false, "no node can look"),
            ("echo 1 $(date +%s) n7", false, "n7 does not see"), ("echo 2 $(date +%s) n7", false, "cannot write"),
            ("echo 0 $(date +%s) n7", true, "n7 sees"),
        ])
    func srun(text: String, isFine: Bool, words: String) throws {
        let config = "echo 'AccountingStorageType = accounting_storage/none'"
        let calls = try Self.calls(["sbatch": "echo slurm 1", "scontrol": config, "srun": text])
        let outcome = try calls.check()
        let shared = try #require(outcome.answers.first { $0.text("check") == "shared" })
        #expect(shared.boolean("ok") == isFine && shared.text("message")?.contains(words) == true, "\(outcome)")
        #expect(try Files.list("\(calls.spool)/running") == [])
    }

    @Test("What the settings say about nodes and accounts is what srun gets", arguments: [
        (#"{"partition":"p","account":"a","qos":"q"}"#, ["--partition=p", "--account=a", "--qos=q"]),
        (#"{"args":["-p","x","--gres=gpu:1","--constraint=fast","--comment=c"]}"#, ["--partition=x", "--constraint=fast"]),
        ("{}", []),
    ])
    func places(settings: String, words: [String]) throws {
        #expect(try SbatchArguments.places(#require(JSON.readableTable(Array(settings.utf8)))) == words)
    }
}
