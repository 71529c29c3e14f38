// Jobs of a spool on other hosts, through spoold and real sshd's: as a person has them, and while spoold and connections are killed.

import Glibc
import Linux
import TestSupport
import Testing

@Suite("Jobs through ssh", .ownThreads, .enabled(if: FarHost.areHere, FarHost.reason))
struct SSHJobTests {
    @Test("X3: A job's input, output and exit code pass through ssh; it can be signaled, canceled and has its timeout")
    func whole() throws {
        let host = try FarHost("build1")
        let spool = try FarHost.spool([host])
        let run = try spool.submitOnRecord("--executor", "ssh", command: "cat; echo $HOME; echo oh >&2; exit 7", input: "one\ntwo\n")
        #expect(run.code == 7 && run.output == "one\ntwo\n\(host.home)\n" && run.errors.contains("oh\n"), "\(run)")
        let job = try spool.end(ofID: run.id)
        #expect(job.outcome == "failed exit 7" && job.string("executor") == "ssh", "\(job.outcome)")
        #expect(job.remote("handle")?.hasPrefix("build1:") == true)

        let gate = try spool.gate()
        let ready = "trap 'echo usr >> \(spool.out)/usr' USR1; echo > \(spool.out)/up"
        let line = gate.waiting(trap: "TERM", "exit 9", ready: ready, endsAll: true)
        let id = try spool.ctl("submit", "--executor", "ssh", "--host", "build1", "--", "trap '' USR1; \(line)").id
        try spool.output("up")
        #expect(try spool.ctl("kill", "-s", "USR1", id).code == 0)
        try spool.lines("usr", count: 1)
        #expect(try spool.ctl("cancel", id).code == 0)
        #expect(try spool.end(ofID: id).reason == "canceled")

        try Self.timeout(spool, executor: "ssh")
        let lines = try spool.ctl("doctor").lines.filter { $0.contains("executor ssh") }
        #expect(!lines.isEmpty && lines.allSatisfy { $0.hasPrefix("ok\t") }, "\(lines)")
    }

    /// A job's timeout ends it. One that is over before the job has written anything is tried again, longer: there the machine was slow.
    static func timeout(_ spool: SpoolUnderTest, executor: String) throws {
        try withEnoughSeconds(from: 1) { seconds in
            let slow = try spool.submit(to: executor, "echo begun; sleep 1000; true", "--timeout", "\(seconds)s")
            let ended = try spool.end(ofID: slow)
            let output = try ended.stdout
            #expect(ended.outcome == "failed timeout" && ["begun\n", ""].contains(output), "\(ended.outcome): \(output)")
            return output.isEmpty ? nil : ()
        }
    }

    @Test("X3: A job on another host outlives spoold, and the next one has its exit code", arguments: ["crash", "upgrade", "standby"])
    func daemonEnds(how: String) throws {
        let host = try FarHost("build1")
        let spool = try FarHost.spool([host])
        let gate = try spool.gate()
        let command = "echo begun >> \(spool.out)/starts; read x < \(gate.path); echo over; exit 6"
        let id = try spool.ctl("submit", "--executor", "ssh", "--", command).id
        try spool.lines("starts", count: 1)
        try spool.replaceDaemon(how)
        try gate.release()
        let job = try spool.end(ofID: id)
        #expect(try job.outcome == "failed exit 6" && job.stdout == "over\n", "\(job.outcome)")
        #expect(try spool.linesNow("starts") == ["begun"])
    }

    @Test("X3: Whatever of spoold, connections and sshd's is killed when, a try begins once, and its exit code and its output are told")
    func killed() throws {
        let count = JobsUnderKills.number("SPOOLD_SSH_JOBS", 40)
        let kills = JobsUnderKills.number("SPOOLD_SSH_KILLS", 12)
        let hosts = [try FarHost("build1"), try FarHost("build2")]
        let spool = try FarHost.spool(hosts)
        let jobs = JobsUnderKills(spool, executor: "ssh", count: count)
        var done = [0, 0, 0, 0]
        for _ in 0..<kills {
            try jobs.drop(max(1, count / max(1, kills)))
            try jobs.awaitChanges(jobs.random(1...40))
            if jobs.random(0...3) == 0 { try jobs.cancelOne() }
            let host = hosts[jobs.random(0...1)]
            let kind = jobs.random(0...3)
            done[kind] += 1
            switch kind {
            case 0:
                try spool.crash()
                try spool.start()
            case 1:
                try spool.crash()
                try spool.launch()
                try jobs.awaitChanges(jobs.random(1...10))
                try spool.crash()
                try spool.start()
            case 2: host.cutConnections()
            default:
                host.stop()
                if jobs.random(0...1) == 0 {
                    try spool.crash()
                    try spool.start()
                }
                try host.start()
            }
        }
        try jobs.finish()
        // Nothing here has any reason to be lost.
        let result = try jobs.result { _ in false }
        print("ssh: \(kills) kills (\(done[0]) spoold, \(done[1]) spoold while it starts, \(done[2]) connections, \(done[3]) sshd), "
            + result.summary)
        #expect(result.faults.isEmpty, "seed \(jobs.seed)\n\(result.faults.joined(separator: "\n"))")
        try spool.stop()
        #expect(try spool.faultsOfAnotherStart() == [])
    }
}
