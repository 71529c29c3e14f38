// The executor ssh while calls, connections and links die at every step. Each job records its own start on the other side.

import Documents
import Glibc
import Linux
import TestSupport
import Testing

@Suite("The executor ssh under faults", .ownThreads, .enabled(if: FarHost.areHere, FarHost.reason))
struct SSHFaultTests {
    /// Jobs of a test, as the daemon sees them.
    private final class Jobs {
        private(set) var all: [RemoteCalls.Job] = []
        private var submitted: Set<Int> = []
        private let calls: RemoteCalls
        private var generator: SeededGenerator

        init(_ calls: RemoteCalls, count: Int, seed: UInt64) throws {
            self.calls = calls
            generator = SeededGenerator(seed: seed)
            for index in 0..<count {
                let size = Int.random(in: 0...200_000, using: &generator)
                // Its output is kept beside it, to be compared with what arrives.
                let line = """
                    echo $$ >> \(calls.out)/start-\(index)
                    { head -c \(size) /dev/urandom; echo \(index); } | tee \(calls.out)/output-\(index)
                    exit \(index % 120)
                    """
                all.append(try calls.job(line))
            }
        }

        var open: [Int] { all.indices.filter { !all[$0].hasEnded } }
        var unsubmitted: [Int] { open.filter { !submitted.contains($0) } }

        func take(_ outcome: RemoteCalls.Outcome) {
            for (index, job) in all.enumerated() {
                guard let handle = outcome.answer(job)?.text("handle") else { continue }
                all[index].handle = handle
                submitted.insert(index)
            }
        }

        func random(_ count: Int) -> Int { Int.random(in: 0..<max(1, count), using: &generator) }

        /// Each began once, ended as it did, and all its output is here.
        func check() throws {
            for (index, job) in all.enumerated() {
                #expect(try Files.text("\(calls.out)/start-\(index)").split(separator: "\n").count == 1, "job \(index) began twice")
                #expect(try job.end().number("exit") == Int64(index % 120), "job \(index)")
                #expect(try Files.bytes("\(job.directory)/stdout") == Files.bytes("\(calls.out)/output-\(index)"), "output of job \(index)")
            }
        }
    }

    @Test("Calls and connections killed at any moment: no doubled start, no lost exit code, every byte of output")
    func killed() throws {
        let count = getenv("SPOOLD_FAR_JOBS").flatMap { Int(String(cString: $0)) } ?? 200
        let hosts = [try FarHost("build1"), try FarHost("build2")]
        let calls = try RemoteCalls(hosts: hosts)
        let jobs = try Jobs(calls, count: count, seed: 18)
        var (rounds, kills) = (0, 0)
        while !jobs.open.isEmpty {
            rounds += 1
            guard rounds < 100 + 10 * count else { throw WaitFailed(description: "\(jobs.open.count) jobs do not end") }
            let batch = jobs.unsubmitted.prefix(20)
            for (verb, indices) in [("submit", Array(batch)), ("poll", jobs.open)] where !indices.isEmpty {
                let chosen = indices.map { jobs.all[$0] }
                let call = try calls.start(verb, verb == "submit" ? calls.submitItems(chosen) : calls.items(chosen))
                // The progress of the call is counted in changes of files here and there, not in time.
                let steps = jobs.random(12)
                switch jobs.random(4) {
                case 0:
                    after(steps, in: calls, call)
                    if !call.child.hasEnded { kills += 1 }
                    call.child.kill(SIGKILL)
                case 1:
                    after(steps, in: calls, call)
                    if !call.child.hasEnded { kills += 1 }
                    hosts[jobs.random(2)].cutConnections()
                default: break
                }
                jobs.take(try calls.end(call))
            }
        }
        try jobs.check()
        #expect(try hosts.flatMap { try $0.jobs }.count <= count, "\(rounds) rounds")
        // Directories that a killed call left there go with the next one.
        let last = try calls.submitted(calls.job("true", ["hosts": "[\"build1\"]"]))
        let other = try calls.submitted(calls.job("true", ["hosts": "[\"build2\"]"]))
        try calls.pollToEnd(last, other)
        for host in hosts {
            #expect(try host.jobs.filter { Files.exists("\(host.home)/.spoold/\($0)/started.1") } == [], "after \(rounds) rounds")
        }
        #expect(kills > 0, "\(rounds) rounds")
    }

    /// Waits for so many changes in the directories of running jobs, or the end of the call.
    private func after(_ changes: Int, in calls: RemoteCalls, _ call: Commands.Running) {
        var last = signature(calls)
        var seen = 0
        while seen < changes, !call.child.hasEnded {
            let now = signature(calls)
            if now != last { seen += 1 }
            last = now
            sched_yield()
        }
    }

    private func signature(_ calls: RemoteCalls) -> [String: Int64] {
        var all: [String: Int64] = [:]
        for job in (try? Files.list("\(calls.spool)/running")) ?? [] {  // removed meanwhile: the next look sees it
            for name in (try? Files.list("\(calls.spool)/running/\(job)")) ?? [] {  // likewise
                all["\(job)/\(name)"] = (try? Files.status("\(calls.spool)/running/\(job)/\(name)").size) ?? 0  // likewise
            }
        }
        return all
    }

    @Test(
        "A link that is cut ends nothing: calls give up, and everything comes when it is mended",
        .enabled(if: NetworkNamespace.areHere, NetworkNamespace.reason))
    func cutLink() throws {
        let network = try NetworkNamespace()
        let host = try FarHost("build1", in: network)
        // Shorter than ssh's default here, so that a cut link is noticed soon.
        let options = "[\"ServerAliveInterval=1\",\"ServerAliveCountMax=1\",\"ConnectTimeout=2\"]"
        let calls = try RemoteCalls(hosts: [host], more: ",\"options\":\(options)")
        let jobs = try Jobs(calls, count: 12, seed: 5)
        var rounds = 0
        while !jobs.open.isEmpty {
            rounds += 1
            guard rounds < 200 else { throw WaitFailed(description: "\(jobs.open.count) jobs do not end") }
            let isCut = rounds % 2 == 1
            for (verb, indices) in [("submit", Array(jobs.unsubmitted.prefix(4))), ("poll", jobs.open)] where !indices.isEmpty {
                let chosen = indices.map { jobs.all[$0] }
                let call = try calls.start(verb, verb == "submit" ? calls.submitItems(chosen) : calls.items(chosen))
                if isCut {
                    after(jobs.random(8), in: calls, call)
                    try network.cut()
                }
                let outcome = try calls.end(call)
                if isCut { try network.mend() }
                jobs.take(outcome)
            }
        }
        try jobs.check()
    }

    @Test(
        "Over a slow link, calls killed at any moment double no start and lose no exit code and no byte",
        .enabled(if: SlowLink.areHere, SlowLink.reason))
    func slowLink() throws {
        let host = try FarHost("build1")
        host.link = try SlowLink(to: host, milliseconds: 60)
        let calls = try RemoteCalls(hosts: [host])
        let jobs = try Jobs(calls, count: 12, seed: 6)
        var rounds = 0
        while !jobs.open.isEmpty {
            rounds += 1
            guard rounds < 200 else { throw WaitFailed(description: "\(jobs.open.count) jobs do not end") }
            for (verb, indices) in [("submit", Array(jobs.unsubmitted.prefix(4))), ("poll", jobs.open)] where !indices.isEmpty {
                let chosen = indices.map { jobs.all[$0] }
                let call = try calls.start(verb, verb == "submit" ? calls.submitItems(chosen) : calls.items(chosen))
                if rounds % 2 == 1 {
                    after(jobs.random(8), in: calls, call)
                    call.child.kill(SIGKILL)
                }
                jobs.take(try calls.end(call))
            }
        }
        try jobs.check()
    }

    @Test(
        "A host whose link is cut while a job runs is away, and its job is not ended",
        .enabled(if: NetworkNamespace.areHere, NetworkNamespace.reason))
    func cutWhileRunning() throws {
        let network = try NetworkNamespace()
        let host = try FarHost("build1", in: network)
        let calls = try RemoteCalls(hosts: [host])
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo out; read x < \(gate.path); echo more; exit 6"))
        try network.cut()
        // Shorter for the call that must fail alone: on a busy machine, a connection may take as long.
        let patient = calls.settings
        calls.settings = "\(patient.dropLast()),\"options\":[\"ConnectTimeout=1\"]}"
        let outcome = try calls.poll(job)
        calls.settings = patient
        #expect(outcome.answers.isEmpty && outcome.errors.contains("build1 does not answer"), "\(outcome)")
        try gate.release()
        try network.mend()
        try calls.pollToEnd(job)
        #expect(try job.end().number("exit") == 6)
        #expect(try job.text("stdout") == "out\nmore\n")
    }
}
