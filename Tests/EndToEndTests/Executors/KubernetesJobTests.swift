// Jobs of a spool in Kubernetes, through spoold, the real kubectl and a stand-in for the API server.

import Glibc
import Linux
import Testing

@Suite("Jobs in Kubernetes", .ownThreads, .enabled(if: KubernetesCluster.areHere, KubernetesCluster.reason))
struct KubernetesJobTests {
    private static func spool(_ cluster: KubernetesCluster) throws -> SpoolUnderTest {
        let configuration = """
            slots = 2
            [executors.kubernetes]
            kubeconfig = "\(cluster.base)/kubeconfig"
            image = "busybox"
            poll = "300ms"
            lag = "3s"
            find_grace = "3s"

            """
        let spool = try SpoolUnderTest(configuration: configuration, starting: false)
        try spool.install(executor: "kubernetes")
        try spool.start()
        return spool
    }

    @Test("X4: A job's variables, output and exit code pass through Kubernetes, and its record says where it ran")
    func whole() throws {
        let cluster = try KubernetesCluster()
        let spool = try Self.spool(cluster)
        let command = "echo \"$COLOUR $SPOOL_TRY\"; echo oh >&2; exit 7"
        let run = try spool.ctl("submit", "-w", "--executor", "kubernetes", "-E", "COLOUR=red", "--", command)
        #expect(run.code == 7, "\(run)")
        let job = try spool.end(ofID: run.id)
        // The log of a container has both streams.
        #expect(try job.outcome == "failed exit 7" && job.stdout.split(separator: "\n").sorted() == ["oh", "red 1"], "\(job.outcome)")
        #expect(job.string("executor") == "kubernetes" && job.remote("handle")?.hasPrefix("team/s-") == true)
        let refused = try spool.ctl(list: ["submit", "-w", "--executor", "kubernetes", "--", "cat"], input: "one\n")
        #expect(refused.code != 0 && refused.errors.contains("input"), "\(refused)")
    }

    @Test("X4: A pod that waits says why, can be followed when it runs, and is ended by a cancel")
    func waitingAndCanceled() throws {
        let cluster = try KubernetesCluster()
        let spool = try Self.spool(cluster)
        try cluster.tell("hold")
        let id = try spool.submit(to: "kubernetes", "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done")
        try spool.watchRun(id)
        try spool.wait(for: "why to say it") { try spool.ctl("why", id).output.contains("Unschedulable") }
        let follower = try spool.startCtl(["logs", "-f", id])
        try cluster.tell("place")
        try follower.awaitOutput("up\n")
        #expect(try spool.ctl("cancel", id).code == 0)
        #expect(try spool.end(ofID: id).reason == "canceled")
        _ = try follower.end()
        try cluster.tell("hold")
        let never = try spool.submit(to: "kubernetes", "echo begun > \(spool.out)/begun")
        try spool.watchRun(never)
        try spool.wait(for: "why to say it") { try spool.ctl("why", never).output.contains("Unschedulable") }
        #expect(try spool.ctl("cancel", never).code == 0)
        #expect(try spool.end(ofID: never).reason == "canceled")
        #expect(!Files.exists("\(spool.out)/begun"))
    }

    @Test("X4: A job in Kubernetes outlives spoold, and the next one has its exit code", arguments: ["crash", "upgrade", "standby"])
    func outlives(how: String) throws {
        let cluster = try KubernetesCluster()
        let spool = try Self.spool(cluster)
        let gate = try spool.gate()
        let id = try spool.submit(to: "kubernetes", "echo begun >> \(spool.out)/starts; read x < \(gate.path); echo over; exit 6")
        try spool.lines("starts", count: 1)
        try spool.replaceDaemon(how)
        try gate.release()
        let job = try spool.end(ofID: id)
        #expect(try job.outcome == "failed exit 6" && job.stdout == "over\n", "\(job.outcome): \(job.error)")
        #expect(try spool.linesNow("starts") == ["begun"] && cluster.created.count == 1)
    }

    @Test("X2: A creation whose answer is lost is made once, and a lost node loses its job, which is tried again only if it says so")
    func lost() throws {
        let cluster = try KubernetesCluster()
        let spool = try Self.spool(cluster)
        try cluster.tell("lose create")
        let id = try spool.submit(to: "kubernetes", "echo begun >> \(spool.out)/starts; exit 4")
        #expect(try spool.end(ofID: id).outcome == "failed exit 4")
        #expect(try spool.linesNow("starts") == ["begun"] && cluster.created.count == 1)

        for onCrash in ["fail", "retry"] {
            let command = "echo $SPOOL_TRY >> \(spool.out)/\(onCrash); test $SPOOL_TRY = 2 || sleep 1000; true"
            let lost = try spool.submit(to: "kubernetes", command, "--on-crash", onCrash)
            try spool.lines(onCrash, count: 1)
            try cluster.tell("evict")
            let job = try spool.end(ofID: lost)
            #expect(job.outcome == (onCrash == "fail" ? "failed lost" : "done 0"), "\(job.outcome): \(job.error)")
            #expect(try spool.linesNow(onCrash) == (onCrash == "fail" ? ["1"] : ["1", "2"]))
        }
    }
}
