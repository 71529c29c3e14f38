// What Slurm does to a job by itself, as its record tells it: limits of time and memory, a requeue, a node that dies.

import Glibc
import Linux
import Testing

@Suite("What Slurm does to a job", .ownThreads, .enabled(if: SlurmCluster.isHere, SlurmCluster.reason))
struct SlurmEngineTests {
    @Test("X1: Slurm's limit of time ends a job with timeout, also one that TERM does not end", arguments: ["", "trap '' TERM; "])
    func timeout(trap: String) throws {
        let far = try ClusterSpool()
        let id = try far.submit("\(trap)echo > \(far.spool.out)/up; sleep 1000; sleep 1000")
        try far.spool.output("up")
        try far.control("update", "JobId=\(far.handle(id))", "EndTime=now+1")
        let job = try far.end(id)
        #expect(job.outcome == "failed timeout" && job.error.contains("Slurm: TIMEOUT"), "\(job.outcome): \(job.error)")
    }

    @Test("X1: A job that Slurm kills for its memory says so")
    func memory() throws {
        let far = try ClusterSpool([
            "--set", "JobAcctGatherType=jobacct_gather/linux", "--set", "JobAcctGatherFrequency=task=1", "--set",
            "JobAcctGatherParams=OverMemoryKill",
        ])
        // It keeps the memory until it is killed.
        let greedy = "head -c 400000000 /dev/zero | tail -c 390000000 | (sleep 1000; wc -c)"
        let job = try far.end(far.submit(greedy, "--resource", "memory=32M"))
        #expect(job.outcome == "failed signal" && job.error.contains("memory limit"), "\(job.outcome): \(job.error)")
    }

    @Test("X1: A job that the kernel kills for its memory says so", .enabled(if: SlurmCluster.hasMemoryGroups, SlurmCluster.memoryReason))
    func memoryGroup() throws {
        let far = try ClusterSpool(["--cgroups"])
        let fifo = "\(far.spool.out)/endless"
        guard mkfifo(fifo, 0o600) == 0 else { throw SystemError(call: "mkfifo", path: fifo, errno: errno) }
        // The command itself is killed, or a program of its shell, which tells it by an exit code.
        let commands = [
            ("cat /dev/zero > \(fifo) & exec tail -c 390000000 < \(fifo)", "failed signal"),
            ("cat /dev/zero | tail -c 390000000; exit", "failed exit 137"),
        ]
        for (command, outcome) in commands {
            let job = try far.end(far.submit(command, "--resource", "memory=32M"))
            #expect(job.outcome == outcome && job.error.contains("Slurm: OUT_OF_MEMORY"), "\(job.outcome): \(job.error)")
        }
    }

    @Test("X1: A job that somebody has requeued and held at Slurm does not begin again, is lost, and leaves Slurm's queue")
    func requeuedAndHeld() throws {
        let far = try ClusterSpool(settings: "lost_after = \"25s\"")
        // TERM does not end it, so that it leaves no end mark.
        let id = try far.submit("trap '' TERM; echo begun >> \(far.spool.out)/starts; sleep 1000; sleep 1000")
        try far.spool.lines("starts", count: 1)
        let handle = try far.handle(id)
        try far.control("update", "JobId=\(handle)", "Requeue=1")
        try far.control("requeuehold", handle)
        try far.spool.watchRun(id)
        try far.why(id, "its engine has it wait again", "held")
        let job = try far.end(id)
        #expect(job.outcome == "failed lost" && job.error.contains("its engine had it wait again"), "\(job.outcome): \(job.error)")
        // Nobody else takes it out of Slurm's queue.
        try far.awaitEmptyQueue()
        #expect(try far.spool.linesNow("starts") == ["begun"])
    }

    @Test("X1: A node that dies loses its job, which is tried again only if it says so", arguments: ["fail", "retry"])
    func nodeDies(onCrash: String) throws {
        let far = try ClusterSpool(["--set", "SlurmdTimeout=15", "--set", "MessageTimeout=5"])
        let spool = far.spool
        let text = """
            command = 'echo $SPOOL_TRY $SLURMD_NODENAME >> \(spool.out)/starts; test $SPOOL_TRY = 2 || sleep 1000'
            executor = "slurm"
            on_crash = "\(onCrash)"
            """
        try spool.drop("job.toml", text)
        let node = try #require(try spool.lines("starts", count: 1)[0].last.map(String.init))
        try far.cluster.control("kill-node", [node])
        let job = try spool.end(of: "job")
        let starts = try spool.linesNow("starts")
        if onCrash == "retry" {
            #expect(job.outcome == "done 0" && starts.map(\.first) == ["1", "2"], "\(job.outcome): \(job.error) \(starts)")
        } else {
            #expect(job.outcome == "failed lost" && job.error.contains("NODE_FAIL") && starts.count == 1, "\(job.outcome): \(job.error)")
        }
    }

    @Test("X1: A job that Slurm cannot begin before its deadline says so")
    func deadline() throws {
        let far = try ClusterSpool()
        let blocker = try far.submit("echo > \(far.spool.out)/up; sleep 1000; sleep 1000", SlurmJobTests.allNodes)
        try far.spool.output("up")
        let id = try far.submit("true; true", "--executor-arg=--deadline=now+2hours")
        try far.control("update", "JobId=\(far.handle(id))", "Deadline=now+1")
        let job = try far.end(id)
        #expect(job.outcome == "failed timeout" && job.error.contains("Slurm: DEADLINE"), "\(job.outcome): \(job.error)")
        #expect(try far.spool.ctl("kill", blocker).code == 0)
        #expect(try far.end(blocker).outcome == "failed signal")
    }

    @Test("X1: A job that Slurm ends for one of a more urgent partition says so")
    func preempted() throws {
        let far = try ClusterSpool([
            "--set", "PreemptType=preempt/partition_prio", "--set", "PreemptMode=CANCEL", "--set",
            "PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE DefaultTime=60 State=UP PriorityTier=1", "--set",
            "PartitionName=urgent Nodes=n1,n2 MaxTime=INFINITE DefaultTime=60 State=UP PriorityTier=2",
        ])
        let id = try far.submit("echo > \(far.spool.out)/up; sleep 1000; sleep 1000", SlurmJobTests.allNodes)
        try far.spool.output("up")
        let urgent = try far.submit("true; true", SlurmJobTests.allNodes + ["--executor-arg=--partition=urgent"])
        let job = try far.end(id)
        #expect(job.outcome.hasPrefix("failed ") && job.error.contains("PREEMPTED"), "\(job.outcome): \(job.error)")
        #expect(try far.end(urgent).outcome == "done 0")
    }

    @Test("X2: A job that has ended, and runs for a slurmctld that has forgotten its end, does not begin again",
        arguments: ["fail", "retry"])
    func endForgotten(onCrash: String) throws {
        let far = try ClusterSpool()
        let (spool, cluster) = (far.spool, far.cluster)
        let gate = try spool.gate()
        try spool.drop(
            "job.toml", "command = 'echo begun >> \(spool.out)/starts; read x < \(gate.path); exit 7'\n"
                + "executor = \"slurm\"\non_crash = \"\(onCrash)\"")
        try spool.lines("starts", count: 1)
        let id = try spool.jobs(in: "running", named: "job")[0].id
        let handle = try far.handle(id)
        // What slurmctld knows while the job runs is what it knows after its restart.
        try cluster.control("end-ctld")
        try Commands.succeed("cp", "-a", "\(cluster.base)/state", "\(cluster.base)/state-before")
        try cluster.control("start-ctld")
        try gate.release()
        #expect(try far.end(id).outcome == "failed exit 7")
        try far.awaitState("COMPLETED", "FAILED", of: handle)
        try cluster.control("kill-ctld")
        try Commands.succeed("rm", "-r", "\(cluster.base)/state")
        try Commands.succeed("mv", "\(cluster.base)/state-before", "\(cluster.base)/state")
        try cluster.control("start-ctld")
        try far.awaitState("RUNNING", of: handle)
        // A node that starts tells its controller what runs on it.
        try far.awaitEmptyQueue {
            for node in ["1", "2"] {
                try cluster.control("kill-node", [node, "--daemon-only"])
                try cluster.control("start-node", [node])
            }
        }
        #expect(try spool.linesNow("starts") == ["begun"])
        #expect(try far.end(id).outcome == "failed exit 7")
    }
}
