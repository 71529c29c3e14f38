// The executor kubernetes, with the real kubectl and a stand-in for the API server: Tests/kubernetes/server.py.

import Documents
import Glibc
import Linux
import TestSupport
import Testing

/// The stand-in, which runs the commands of pods as processes of this machine.
final class KubernetesCluster {
    let base: String
    private let input: FileDescriptor
    private let output: FileDescriptor
    private let server: Child

    static let areHere = Commands.has("kubectl") && Commands.has("python3")
    static let reason: Comment = "needs kubectl and python3"

    init() throws {
        base = try Files.makeTemporaryDirectory()
        let toServer = try Pipe()
        let fromServer = try Pipe()
        try toServer.reading.setBlocking()
        let log = try FileDescriptor.open("\(base)/log", O_WRONLY | O_CREAT, mode: 0o600)
        server = try Child(
            "/usr/bin/env", ["python3", "\(Package.root)/Tests/kubernetes/server.py", "\(base)/created"],
            environment: ["PATH=\(getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin")"], input: toServer.reading.raw,
            output: fromServer.writing.raw, error: log.raw)
        let (reading, writing) = toServer.release()
        close(reading)
        input = FileDescriptor(owning: writing)
        let ends = fromServer.release()
        close(ends.writing)
        output = FileDescriptor(owning: ends.reading)
        let port = try line()
        try Files.write(
            "\(base)/kubeconfig",
            """
            apiVersion: v1
            kind: Config
            clusters: [{name: c, cluster: {server: "http://127.0.0.1:\(port)"}}]
            users: [{name: u, user: {token: x}}]
            contexts: [{name: c, context: {cluster: c, user: u, namespace: team}}]
            current-context: c

            """)
    }

    deinit {
        server.kill(SIGTERM)
        try? Files.removeTree(base)  // litter at worst
    }

    private func line() throws -> String {
        var bytes: [UInt8] = []
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while bytes.last != UInt8(ascii: "\n") {
            guard awaitReadable([output.raw, server.pidfd], until: end), !server.hasEnded else {
                throw WaitFailed(description: "the server does not answer: \(try Files.text("\(base)/log"))")
            }
            var byte = UInt8(0)
            if Glibc.read(output.raw, &byte, 1) == 1 { bytes.append(byte) }
        }
        return String(decoding: bytes.dropLast(), as: UTF8.self)
    }

    /// Has the server behave in another way: see its own description.
    func tell(_ order: String) throws {
        try input.write(Array("\(order)\n".utf8))
        _ = try line()
    }

    /// The jobs that were made, each as often as it was.
    var created: [String] { get throws { try Files.text("\(base)/created").split(separator: "\n").map(String.init) } }

    var settings: String { "{\"kubeconfig\":\"\(base)/kubeconfig\",\"image\":\"busybox\"}" }
}

@Suite("The executor kubernetes", .ownThreads, .enabled(if: KubernetesCluster.areHere, KubernetesCluster.reason))
struct KubernetesTests {
    @Test("A job's arguments and variables reach its container; its output and exit code come back, and its Job goes")
    func whole() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let line = "echo \"$0 $1\"; echo \"$A\"; exit 7"
        let words = ["/bin/sh", "-c", line, "a 'b", "$(HOME) $$x"].map { JSON.write(Value(.string($0))) }.joined(separator: ",")
        var job = try calls.job(line, ["arguments": "[\(words)]", "environment": #"["A=$(PATH) $$","PATH=/bin:/usr/bin"]"#])
        job = try calls.submitted(job)
        #expect(job.handle?.hasPrefix("team/s-job1-34fg24-1-") == true)
        try calls.pollToEnd(job)
        #expect(try job.end().number("exit") == 7 && job.end().text("host") == "node-1")
        #expect(try job.text("stdout") == "a 'b $(HOME) $$x\n$(PATH) $$\n")
        #expect(job.hasStarted)
        #expect(try calls.submit(job).answer(job)?.text("handle") == job.handle)
        #expect(try cluster.created.count == 1)
        // A Job that has just been made stays, for a creation that arrives late.
        _ = try calls.poll(job)
        #expect(try calls.find(job).answer(job)?.text("state") == "ended")
        try cluster.tell("age")
        _ = try calls.poll(job)
        #expect(try calls.find(job).answer(job)?.text("state") == "gone", "it is removed")
    }

    @Test("A script goes with the job")
    func script() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        var job = try calls.job("")
        try Files.write("\(job.directory)/script", "#!/bin/sh\necho \"script $1\" '$$(A)'\n")
        job = try calls.job("", id: job.id, ["arguments": "[\"\(job.directory)/script\",\"it's\"]"])
        job = try calls.submitted(job)
        try calls.pollToEnd(job)
        #expect(try job.text("stdout") == "script it's $$(A)\n")
    }

    @Test("A creation whose answer was lost is found by its name, and made once")
    func lost() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let job = try calls.job("echo x >> \(calls.out)/starts")
        try cluster.tell("lose create")
        #expect(try calls.submit(job).answer(job)?.text("error") == "unknown")
        #expect(try calls.find(job).answer(job)?.text("state") != "gone")
        #expect(try calls.submit(job).answer(job)?.text("handle") != nil)
        try calls.pollToEnd(job)
        #expect(try cluster.created.count == 1)
        #expect(try Files.text("\(calls.out)/starts") == "x\n")
    }

    @Test(
        "Errors of the server have their classes",
        arguments: [
            ("403 exceeded quota: q", "later"), ("403 user may not", "refused"), ("422 bad", "refused"), ("429 slow", "later"),
            ("503 down", "later"),
            ("401 who", "later"), ("500 broken", "unknown"),
        ])
    func errors(_ words: String, _ expected: String) throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let job = try calls.job("true")
        try cluster.tell("refuse \(words)")
        let outcome = try calls.submit(job)
        #expect(outcome.answer(job)?.text("error") == expected, "\(outcome)")
        #expect(try calls.poll(job).answers.isEmpty, "a query that failed is no answer")
        #expect(try !Files.exists("\(cluster.base)/created") || cluster.created.isEmpty)
    }

    @Test("A cancel ends a pod, and one before the creation keeps it from being made")
    func cancel() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let early = try calls.job("true")
        #expect(try calls.order("cancel", early).answer(early)?.text("state") == "gone")
        #expect(try calls.submit(early).answer(early)?.text("error") == "refused")
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo > \(calls.out)/ready; read x < \(gate.path)"))
        try calls.awaitFile("ready")
        #expect(try calls.poll(job).answer(job)?.text("state") == "running")
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "asked")
        try calls.pollToEnd(job)
        #expect(try job.end().number("signal") == 15 || job.end().number("exit") == 143)
        #expect(try cluster.created.count == 1)
    }

    @Test("A cancel of a job that has ended meanwhile leaves it its exit code and its output", arguments: [false, true])
    func canceledAfterTheEnd(force: Bool) throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let job = try calls.submitted(calls.job("echo out; exit 5"))
        try cluster.tell("settle")
        #expect(try calls.order("cancel", job, [("force", "\(force)")]).answer(job)?["error"] == nil)
        #expect(try job.end().number("exit") == 5)
        #expect(try job.text("stdout") == "out\n")
    }

    static let notice = "\n[spoold: the rest of the output could not be read from Kubernetes]\n"

    @Test("A forced cancel records the true end of a job whose log cannot be read, and its output says what is missing")
    func killedWithoutLog() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let job = try calls.submitted(calls.job("echo out; exit 5"))
        try cluster.tell("settle")
        try cluster.tell("break logs")
        #expect(try calls.order("cancel", job).answer(job)?.text("error") == "later")
        #expect(!job.hasEnded)
        let forced = try calls.order("cancel", job, [("force", "true")])
        #expect(forced.answer(job)?.text("state") == "gone" && forced.errors.contains("without the rest of its output"), "\(forced)")
        #expect(try job.end().number("exit") == 5)
        #expect(try job.text("stdout") == Self.notice)
    }

    @Test("A log that could not be read for ten minutes keeps no end back, and one that comes in time is whole", arguments: [true, false])
    func unreadableLog(forLong: Bool) throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let job = try calls.submitted(calls.job("echo out; exit 6"))
        try cluster.tell("settle")
        try cluster.tell("break logs")
        #expect(try calls.poll(job).answer(job)?.text("state") == "running")
        let since = "\(job.directory)/place.1.unread"
        let first = try #require(Int64(Files.text(since).dropLast()))
        // As if the first vain question had been so long ago.
        try Files.write(since, "\(first - 500_000)\n")
        #expect(try calls.poll(job).answer(job)?.text("state") == "running" && !job.hasEnded)
        try Files.write(since, "\(first - 600_000)\n")
        if !forLong { try cluster.tell("accept") }
        #expect(try calls.poll(job).answer(job)?.text("state") == "ended")
        #expect(try job.end().number("exit") == 6)
        #expect(try job.text("stdout") == (forLong ? Self.notice : "out\n"))
    }

    @Test("A log of which the node has kept the end only, or nothing, is told in the output", arguments: ["cut logs", "forget logs"])
    func lostLog(order: String) throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let gate = try Gate(path: "\(calls.out)/gate")
        let line = "echo first; echo > \(calls.out)/ready; read x < \(gate.path); echo second; exit 4"
        let job = try calls.submitted(calls.job(line))
        try calls.awaitFile("ready")
        while (try? job.text("stdout")) != "first\n" { _ = try calls.poll(job) }  // not there yet
        try gate.release()
        try cluster.tell("settle")
        try cluster.tell(order)
        #expect(try calls.poll(job).answer(job)?.text("state") == "ended")
        #expect(try job.end().number("exit") == 4 && job.text("stdout") == "first\n\(Self.notice)")
        // Nothing more is added by a call that looks again.
        _ = try calls.find(job)
        #expect(try job.text("stdout") == "first\n\(Self.notice)")
    }

    @Test("A cancel of a job whose creation never arrived ends it once none can arrive any more")
    func canceledUnmade() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let job = try calls.job("true")
        try cluster.tell("drop create")
        #expect(try calls.submit(job).answer(job)?.text("error") == "unknown")
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "gone")
        #expect(try calls.find(job).answer(job)?.text("state") == "gone" && !job.hasEnded)
        // A second cancel does not begin the time anew.
        let mark = "\(job.directory)/place.1.canceled"
        let since = try #require(Int64(Files.text(mark).dropFirst("absent ".count).dropLast()))
        try Files.write(mark, "absent \(since - 119_000)\n")
        _ = try calls.order("cancel", job)
        #expect(try Files.text(mark) == "absent \(since - 119_000)\n")
        try Files.write(mark, "absent \(since - 120_000)\n")
        let answer = try #require(try calls.find(job).answer(job))
        #expect(answer.text("state") == "ended" && answer.text("reason") == "canceled", "\(answer)")
        #expect(try job.end().boolean("never_began") == true)
        #expect(try cluster.created.isEmpty)
    }

    @Test("A creation that arrives after the cancel is ended by the next one")
    func canceledEarly() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.job("echo > \(calls.out)/ready; read x < \(gate.path)")
        try cluster.tell("drop create")
        _ = try calls.submit(job)
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "gone")
        // The same request, as if it had been under way.
        _ = try calls.submit(job)
        try calls.awaitFile("ready")
        #expect(try calls.find(job).answer(job)?.text("state") == "running" && !job.hasEnded)
        #expect(try calls.order("cancel", job).answer(job)?.text("state") == "asked")
        try calls.pollToEnd(job)
        #expect(try job.end().number("signal") == 15 || job.end().number("exit") == 143)
    }

    @Test("Every state is answered before a log is read, and logs that hang keep no state back")
    func hangingLogs() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let gate = try Gate(path: "\(calls.out)/gate")
        let running = try (0..<3).map { try calls.submitted(calls.job("echo > \(calls.out)/ready-\($0); read x < \(gate.path)")) }
        for number in 0..<3 { try calls.awaitFile("ready-\(number)") }
        let ended = try calls.submitted(calls.job("echo out; exit 3"))
        try cluster.tell("await \(try #require(ended.handle?.split(separator: "/").last))")
        try cluster.tell("hang logs")
        let call = try calls.start("poll", calls.items(running + [ended]))
        try cluster.tell("await log")
        call.child.kill(SIGKILL)
        let outcome = try calls.end(call)
        for job in running { #expect(outcome.answer(job)?.text("state") == "running", "\(outcome)") }
        #expect(outcome.answer(ended) == nil && !ended.hasEnded, "an end is not told before its output is here")
        try cluster.tell("accept")
        try calls.pollToEnd(ended)
        #expect(try ended.end().number("exit") == 3 && ended.text("stdout") == "out\n")
        try gate.release(3)
    }

    @Test("A pod that waits says why, and a node that is lost is no exit code")
    func waiting() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        try cluster.tell("hold")
        let gate = try Gate(path: "\(calls.out)/gate")
        let job = try calls.submitted(calls.job("echo > \(calls.out)/ready; read x < \(gate.path)"))
        let answer = try #require(try calls.poll(job).answer(job))
        #expect(answer.text("state") == "pending" && answer.text("why") == "Unschedulable" && !job.hasStarted)
        try cluster.tell("place")
        try calls.awaitFile("ready")
        #expect(try calls.poll(job).answer(job)?.text("state") == "running")
        try cluster.tell("evict")
        let lost = try #require(try calls.poll(job).answer(job))
        #expect(lost.text("state") == "ended" && lost.text("reason") == "node_fail" && !job.hasEnded, "\(lost)")
    }

    @Test("Calls killed at any moment: no Job is made twice, no exit code is lost, every byte of output is here")
    func killed() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        var generator = SeededGenerator(seed: 4)
        var jobs = try (0..<24).map { try calls.job("echo $$ >> \(calls.out)/start-\($0); echo output \($0); exit \($0)") }
        var rounds = 0
        while jobs.contains(where: { !$0.hasEnded }) {
            rounds += 1
            guard rounds < 500 else { throw WaitFailed(description: "they do not end") }
            for verb in ["submit", "poll"] {
                let chosen = jobs.filter { !$0.hasEnded && ($0.handle == nil || verb == "poll") }
                if chosen.isEmpty { continue }
                let call = try calls.start(verb, verb == "submit" ? calls.submitItems(Array(chosen.prefix(6))) : calls.items(chosen))
                if Bool.random(using: &generator) {
                    let steps = Int.random(in: 0..<6, using: &generator)
                    var seen = 0
                    var last = (try? Files.text("\(cluster.base)/created").utf8.count) ?? 0  // none was made yet
                    while seen < steps, !call.child.hasEnded {
                        let now = (try? Files.text("\(cluster.base)/created").utf8.count) ?? 0  // likewise
                        if now != last { seen += 1 }
                        last = now
                        sched_yield()
                    }
                    call.child.kill(SIGKILL)
                }
                let outcome = try calls.end(call)
                for index in jobs.indices { jobs[index].handle = outcome.answer(jobs[index])?.text("handle") ?? jobs[index].handle }
            }
        }
        #expect(try Set(cluster.created).count == 24 && cluster.created.count == 24)
        for (index, job) in jobs.enumerated() {
            #expect(try Files.text("\(calls.out)/start-\(index)").split(separator: "\n").count == 1)
            #expect(try job.end().number("exit") == Int64(index))
            #expect(try job.text("stdout") == "output \(index)\n")
        }
    }

    @Test("check says what kubectl may do")
    func check() throws {
        let cluster = try KubernetesCluster()
        let calls = try RemoteCalls("kubernetes", settings: cluster.settings)
        let answers = try calls.check().answers
        #expect(answers.contains { $0.text("check") == "reachable" && $0.boolean("ok") == true })
        #expect(answers.filter { $0.text("check") == "permission" && $0.boolean("ok") == true }.count == 5, "\(answers)")
        #expect(answers.filter { $0.text("check") == "permission" && $0.boolean("ok") == false }.count == 2, "\(answers)")
    }
}
