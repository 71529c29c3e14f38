// The proof on a real cluster: spoold, slurmctld, slurmd and nodes are killed while jobs are submitted, run, end and are canceled.

import Glibc
import Linux
import TestSupport
import Testing

@Suite("Jobs on Slurm under kills", .ownThreads, .enabled(if: SlurmCluster.isHere, SlurmCluster.reason))
struct SlurmKillTests {
    private enum Kill: Hashable {
        case daemon, startingDaemon, controller, hangingController, daemonAndController, slurmd, node, database
        /// One call of a program of Slurm.
        case call(ClusterSpool.CallFault, String)

        static let machines: [Kill] = [.daemon, .controller, .node, .hangingController, .startingDaemon, .slurmd, .daemonAndController]

        static func calls(ofAccounting: Bool) -> [Kill] {
            (["sbatch", "squeue", "scancel"] + (ofAccounting ? ["sacct"] : [])).flatMap { program in
                ClusterSpool.CallFault.allCases.map { .call($0, program) }
            }
        }

        /// True when Slurm itself may lose a run by it.
        var losesRuns: Bool {
            switch self {
            case .controller, .hangingController, .daemonAndController, .slurmd, .node: true
            case .daemon, .startingDaemon, .database, .call: false
            }
        }
    }

    @Test("X2: Whatever of spoold, Slurm and its answers is killed when, a try begins once, and is told as it ended or lost with a reason",
        arguments: SlurmCluster.hasAccounting ? [false, true] : [false])
    func killed(hasAccounting: Bool) throws {
        let count = JobsUnderKills.number("SPOOLD_CLUSTER_JOBS", 40)
        let kills = JobsUnderKills.number("SPOOLD_CLUSTER_KILLS", 14)
        // Longer than a busy machine's pauses, shorter than the patience of this test.
        let words = ["--set", "SlurmdTimeout=20", "--set", "MessageTimeout=10", "--set", "MinJobAge=10"]
            + (hasAccounting ? ["--accounting"] : [])
        let far = try ClusterSpool(words, settings: "lost_after = \"25s\"")
        let spool = far.spool
        let jobs = JobsUnderKills(spool, executor: "slurm", count: count) { $0 % 5 == 0 ? "resources.cpus = 4" : "" }
        let machines = Kill.machines + (hasAccounting ? [.database] : [])
        let calls = Kill.calls(ofAccounting: hasAccounting)
        var done: [Kill: Int] = [:]
        do {
            for number in 0..<kills {
                try jobs.drop(max(1, count / max(1, kills)))
                try jobs.awaitChanges(jobs.random(1...40))
                if jobs.random(0...3) == 0 { try jobs.cancelOne() }
                let kind = number % 2 == 0 ? machines[number / 2 % machines.count] : calls[jobs.random(0...calls.count - 1)]
                done[kind, default: 0] += 1
                try carryOut(kind, far, jobs)
            }
            try jobs.finish { try far.resumeDoubted() }
        } catch {
            let story = try far.story.split(separator: "\n").suffix(40).joined(separator: "\n")
            throw WaitFailed(description: "seed \(jobs.seed): \(error)\n--- Slurm\n\(story)")
        }
        let mayBeLost = done.keys.contains { $0.losesRuns }
        // Slurm itself cancels a job that has the number of a forgotten one, when that ends or its node still has it.
        let reasons = ["does not know it any more", "NODE_FAIL", "it wrote no end", "had it wait again", "canceled at its engine"]
        let result = try jobs.result { reason in mayBeLost && reasons.contains { reason.contains($0) } }
        let told = done.map { "\($0.value) \($0.key)" }.sorted().joined(separator: ", ")
        print("slurm\(hasAccounting ? " with accounting" : ""): \(kills) kills (\(told)), \(result.summary)")
        let story = result.faults.isEmpty ? "" : try far.story
        #expect(result.faults.isEmpty, "seed \(jobs.seed)\n\(result.faults.joined(separator: "\n"))\n\(story)")
        // Nothing that a job started lives on. A slurmctld that was killed may have an ended job as RUNNING for minutes.
        for pid in Processes.jobs(ofSpool: spool.whole) { try Processes.awaitEnd(of: pid) }
        // The cluster of the test has no cgroups, which doctor tells.
        let troubles = try spool.ctl("doctor").lines.filter { !$0.hasPrefix("ok") && !$0.contains("\tprocesses: ") }
        #expect(troubles.filter { $0.hasPrefix("fail") || $0.contains("executor") || $0.contains("problems") } == [], "\(troubles)")
        try spool.stop()
        #expect(try spool.faultsOfAnotherStart() == [])
    }

    private func carryOut(_ kill: Kill, _ far: ClusterSpool, _ jobs: JobsUnderKills) throws {
        let spool = far.spool
        let node = "\(jobs.random(1...2))"
        switch kill {
        case .daemon:
            try spool.crash()
            try spool.start()
        case .startingDaemon:
            try spool.crash()
            let seen = spool.logLength
            try spool.launch()
            try spool.wait(for: "its first words") { spool.logLength > seen }
            try spool.crash()
            try spool.start()
        case .controller:
            try far.cluster.control("kill-ctld")
            try jobs.awaitChanges(jobs.random(0...8))
            try far.cluster.control("start-ctld")
        case .hangingController:
            try far.cluster.control("stop-ctld")
            try jobs.awaitChanges(jobs.random(0...3))
            if jobs.random(0...1) == 0 {
                try spool.crash()
                try spool.start()
            }
            try far.cluster.control("cont-ctld")
        case .daemonAndController:
            try spool.crash()
            try far.cluster.control("kill-ctld")
            if jobs.random(0...1) == 0 {
                try spool.start()
                try far.cluster.control("start-ctld")
            } else {
                try far.cluster.control("start-ctld")
                try spool.start()
            }
        case .slurmd:
            try far.cluster.control("kill-node", [node, "--daemon-only"])
            try jobs.awaitChanges(jobs.random(0...8))
            try far.cluster.control("start-node", [node])
        case .node:
            try far.cluster.control("kill-node", [node])
            try jobs.awaitChanges(jobs.random(0...8))
            try far.cluster.control("start-node", [node])
        case .database:
            try far.cluster.control("kill-dbd")
            try jobs.awaitChanges(jobs.random(0...8))
            try far.cluster.control("start-dbd")
        case .call(let fault, let program):
            try far.set(fault, program)
            if program == "scancel" { try jobs.cancelOne() }
        }
    }
}
