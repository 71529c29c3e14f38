// Jobs of a spool on a real cluster of Slurm, through spoold: as a person has them.

import Documents
import Glibc
import Linux
import Testing

@Suite("Jobs on Slurm", .ownThreads, .enabled(if: SlurmCluster.isHere, SlurmCluster.reason))
struct SlurmJobTests {
    static let allNodes = ["--executor-arg=--exclusive", "--executor-arg=--nodes=2"]

    // MARK: A run

    @Test("X1: A job's input, output and exit code pass through Slurm, and its record says where it ran")
    func whole() throws {
        let far = try ClusterSpool()
        let command = "cat; echo \"try $SPOOL_TRY on $SLURMD_NODENAME, $SLURM_CPUS_PER_TASK\"; echo oh >&2; exit 7"
        let run = try far.spool.submitOnRecord(
            "--executor", "slurm", "--resource", "cpus=2", "--executor-arg=--nodelist=n2", command: command, input: "one\ntwo\n")
        #expect(run.code == 7 && run.output == "one\ntwo\ntry 1 on n2, 2\n" && run.errors.contains("oh\n"), "\(run)")
        let job = try far.end(run.id)
        #expect(job.outcome == "failed exit 7" && job.string("executor") == "slurm", "\(job.status)")
        #expect(try job.remote("handle") == "1" && job.files.contains("slurm.1") == false)
        #expect(try job.stdout == "one\ntwo\ntry 1 on n2, 2\n" && job.stderr == "oh\n")
        #expect(try far.spool.ctl("status", run.id).output.contains("slurm"))
    }

    @Test("X1: What a run writes about its progress and its result is told")
    func progressAndResult() throws {
        let far = try ClusterSpool()
        let gate = try far.spool.gate()
        let ready = "echo '{\"fraction\":0.5,\"message\":\"half\"}' > \"$SPOOL_JOB_DIR/progress\"; echo > \(far.spool.out)/up"
        let id = try far.submit("\(ready); read x < \(gate.path); echo 42 > \"$SPOOL_RESULT\"")
        try far.spool.output("up")
        try far.spool.watchRun(id)
        try far.spool.wait(for: "the progress") { try far.spool.ctl("status", id).output.contains("50% half") }
        try gate.release()
        let job = try far.end(id)
        #expect(job.outcome == "done 0" && job.status["result"].map { JSON.write($0) } == "42", "\(job.outcome): \(job.error)")
    }

    @Test("X1: why says that Slurm has taken all nodes out of service, and the job runs when an operator has it use them again")
    func drained() throws {
        let far = try ClusterSpool()
        try far.control("update", "NodeName=n1,n2", "State=DRAIN", "Reason=test")
        let id = try far.submit("exit 3")
        try far.why(id, "DRAINED")
        try far.control("update", "NodeName=n1,n2", "State=RESUME")
        #expect(try far.end(id).outcome == "failed exit 3")
    }

    @Test("X1: With accounting, a job runs as ever, and why says that a limit of its quality of service has it wait",
        .enabled(if: SlurmCluster.hasAccounting, SlurmCluster.accountingReason))
    func accounting() throws {
        let far = try ClusterSpool(["--accounting", "--set", "AccountingStorageEnforce=limits,qos"])
        let conf = "SLURM_CONF=\(far.cluster.configuration)"
        try Commands.succeed("env", conf, "sacctmgr", "-i", "modify", "qos", "normal", "set", "MaxJobsPerUser=1")
        let gate = try far.spool.gate()
        let first = try far.submit("echo > \(far.spool.out)/up; read x < \(gate.path); exit 5")
        try far.spool.output("up")
        let second = try far.submit("exit 6; true")
        try far.spool.watchRun(second)
        try far.why(second, "QOSMaxJobsPerUserLimit")
        try gate.release()
        #expect(try far.end(first).outcome == "failed exit 5")
        #expect(try far.end(second).outcome == "failed exit 6")
    }

    @Test("X1: A task's runs go to Slurm, each try once, and a dropped script keeps its #SBATCH lines")
    func taskAndScript() throws {
        let far = try ClusterSpool()
        let spool = far.spool
        try spool.acceptedTask(
            "fit", "command = 'echo $SPOOL_TRY >> \(spool.out)/tries; exit 3'\nexecutor = 'slurm'\ntries = 2\nbackoff = 0")
        #expect(try spool.ctl("run", "-w", "fit").code == 3)
        #expect(try spool.linesNow("tries") == ["1", "2"])
        let script = """
            #!/bin/bash
            #SPOOL executor = "slurm"
            #SBATCH --nodelist=n2
            #SBATCH --cpus-per-task 3
            echo ${BASH_VERSION:+bash} $SLURMD_NODENAME $SLURM_CPUS_PER_TASK

            """
        try spool.drop("script", script, mode: 0o755)
        let job = try spool.end(of: "script")
        #expect(try job.outcome == "done 0" && job.stdout == "bash n2 3\n", "\(job.error)")
    }

    @Test("X1: Slurm's refusal ends a job, with Slurm's sentence")
    func refused() throws {
        let far = try ClusterSpool()
        let job = try far.end(far.submit("true; true", "--executor-arg=--partition=no"))
        #expect(job.outcome == "failed spawn" && job.error.contains("nvalid partition"), "\(job.error)")
    }

    @Test("X1: doctor has Slurm checked: reachable, and the spool seen from a node")
    func doctor() throws {
        let far = try ClusterSpool()
        let lines = try far.spool.ctl("doctor").lines.filter { $0.contains("executor slurm") }
        #expect(lines.contains { $0.hasPrefix("ok\texecutor slurm\treachable: slurm") }, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("ok\texecutor slurm\tshared: node ") }, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("ok\texecutor slurm\tclock: ") }, "\(lines)")
    }

    // MARK: Waiting

    @Test("X1: why says Slurm's reason and the place in its queue; a waiting job that is canceled never begins")
    func waiting() throws {
        let far = try ClusterSpool()
        let spool = far.spool
        let gate = try spool.gate()
        func submit(_ command: String) throws -> String { try far.submit(command, Self.allNodes[0], Self.allNodes[1]) }
        let running = try submit("echo up > \(spool.out)/up; read x < \(gate.path); exit 5")
        try spool.output("up")
        try far.why(running, "It runs at executor slurm as 1 on ")
        let second = try submit("echo begun >> \(spool.out)/second; true")
        try spool.watchRun(second)
        try far.why(second, "It waits at executor slurm as 2 ", ": Resources, next.")
        let third = try submit("exit 6")
        try spool.watchRun(third)
        try far.why(third, "It waits at executor slurm as 3 ", ": Priority, with 1 before it.")
        #expect(try spool.ctl("cancel", second).code == 0)
        #expect(try far.end(second).outcome == "failed canceled")
        #expect(!spool.log.contains("executor-trouble"))
        try gate.release()
        #expect(try far.end(running).outcome == "failed exit 5")
        #expect(try far.end(third).outcome == "failed exit 6")
        #expect(try spool.linesNow("second") == [])
        try far.awaitEmptyQueue()
    }

    @Test("X1: A job waits for others, here and at Slurm, before Slurm hears of it; wait and logs follow it")
    func dependencies() throws {
        let far = try ClusterSpool()
        let spool = far.spool
        let gate = try spool.gate()
        let first = try far.submit("echo one; read x < \(gate.path); echo two; true")
        let here = try spool.ctl("submit", "--after", first, "--", "echo here >> \(spool.out)/order; true").id
        let last = try far.submit("echo there >> \(spool.out)/order; exit 4", "--after", here)
        let failing = try far.submit("echo never >> \(spool.out)/order", "--after", last)
        let logs = try spool.startCtl(["logs", "-f", first])
        let waiting = try spool.startCtl(["wait", first, here, last])
        try logs.awaitOutput("one\n")
        try far.why(here, first)
        #expect(try far.queue() == ["spoold-\(first)-1 RUNNING"])
        try gate.release()
        #expect(try waiting.end().code == 4)
        #expect(try logs.end().output == "one\ntwo\n")
        #expect(try spool.linesNow("order") == ["here", "there"])
        #expect(try far.end(failing).outcome == "failed dependency")
    }

    // MARK: Ending

    @Test("X1: cancel and kill end a running job, and a signal reaches it", arguments: ["cancel", "kill"])
    func stopping(how: String) throws {
        let far = try ClusterSpool()
        let spool = far.spool
        let gate = try spool.gate()
        let ready = "trap 'echo usr >> \(spool.out)/usr' USR1; echo > \(spool.out)/up"
        let line = gate.waiting(trap: "TERM", "exit 9", ready: ready, endsAll: true)
        let id = try far.submit("trap '' USR1; \(line)")
        try spool.output("up")
        #expect(try spool.ctl("kill", "-s", "USR1", id).code == 0)
        try spool.lines("usr", count: 1)
        #expect(try spool.ctl(how, id).code == 0)
        let job = try far.end(id)
        #expect(job.reason == (how == "cancel" ? "canceled" : "signal"), "\(job.outcome)")
        #expect(try far.spool.linesNow("usr") == ["usr"])
        try far.awaitEmptyQueue()
    }

    @Test("X1: A job's timeout is kept on its node, and extend gives it one")
    func timeout() throws {
        let far = try ClusterSpool()
        let spool = far.spool
        let endless = try far.submit("echo > \(spool.out)/up; sleep 1000; true")
        try SSHJobTests.timeout(spool, executor: "slurm")
        try spool.output("up")
        // It has no timeout, and gets one.
        #expect(try spool.ctl("extend", "100ms", endless).code == 0)
        #expect(try far.end(endless).outcome == "failed timeout")
        try far.awaitEmptyQueue()
    }

    // MARK: spoold ends while a job runs

    @Test("X1: A job outlives spoold, and the next one has its exit code", arguments: ["crash", "stop", "upgrade", "standby"])
    func daemonEnds(how: String) throws {
        let far = try ClusterSpool()
        let spool = far.spool
        let gate = try spool.gate()
        let id = try far.submit("echo begun >> \(spool.out)/starts; read x < \(gate.path); echo over; exit 6")
        try spool.lines("starts", count: 1)
        let handle = try far.handle(id)
        try spool.replaceDaemon(how)
        try far.why(id, "It runs at executor slurm as \(handle) ")
        try gate.release()
        let job = try far.end(id)
        #expect(try job.outcome == "failed exit 6" && job.stdout == "over\n" && job.remote("handle") == handle)
        #expect(try spool.linesNow("starts") == ["begun"])
    }
}

extension SpoolUnderTest {
    /// Waits for the directory of a running job, whose changes then wake a wait up too.
    func watchRun(_ id: String) throws {
        let directory = "\(path)/running/\(id)"
        try wait(for: "the directory of \(id)") { Files.exists(directory) }
        _ = try inotify.add(directory, [.created, .movedTo])
    }
}

extension ClusterSpool {
    /// Waits until Slurm has no job left that has not ended. Each look takes as long as Slurm's answer, and as what is done between two.
    func awaitEmptyQueue(between: () throws -> Void = {}) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while try !queue().isEmpty {
            guard MonotonicInstant.now() < end else { throw spool.failure("Slurm still has \(try queue())") }
            try between()
        }
    }

    /// Waits until Slurm tells one of these states of a job. Each look takes as long as Slurm's answer.
    func awaitState(_ states: String..., of handle: String) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while true {
            let answer = try cluster.run("squeue", "-h", "-t", "all", "-o", "%T", "-j", handle)
            if states.contains(where: { answer.output == "\($0)\n" }) { return }
            guard MonotonicInstant.now() < end else { throw spool.failure("Slurm says of \(handle): \(answer)") }
        }
    }
}
