import Documents
import Glibc
import Linux
import TestSupport
import Testing

/// What is the same for jobs that an executor runs as for jobs that run here: who waits for whom, and what is told.
@Suite("Jobs elsewhere, as jobs here", .ownThreads) struct ExecutorSameTests {
    @Test("X4: A lock is held by one job, here or elsewhere", arguments: [false, true])
    func locks(isFirstHere: Bool) throws {
        let (spool, _) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let order = "echo $SPOOL_NAME >> \(spool.out)/order"
        let elsewhere = ["executor = \"fake\"", ""]
        try spool.drop("first.toml", "command = '\(order); read x < \(gate.path)'\nlocks = [\"disk\"]\n\(elsewhere[isFirstHere ? 1 : 0])")
        try spool.lines("order", count: 1)
        let words = ["submit", "--name", "second", "--lock", "disk", "--lock", "net"] + (isFirstHere ? ["--executor", "fake"] : [])
        let second = try spool.ctl(list: words + ["--", "\(order); true"]).id
        let free = try spool.run("command = '\(order); true'\nlocks = \"net\"\nexecutor = \"fake\"", as: "free")
        #expect(free.outcome == "done 0")
        let why = try spool.ctl("why", second).output
        #expect(why.contains("lock disk"), "\(why)")
        try gate.release()
        #expect(try spool.end(ofID: second).outcome == "done 0")
        #expect(try spool.linesNow("order") == ["first", "free", "second"])
    }

    @Test("X4: The more urgent job goes to the executor first, and one whose deadline has passed never does")
    func prioritiesAndDeadline() throws {
        let (spool, fake) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let held = try (0..<3).map { _ in try spool.submit(to: "fake", "read x < \(gate.path)") }
        try spool.wait(for: "three submissions") { fake.lines("submitted").count == 3 }
        let order = "echo $SPOOL_NAME >> \(spool.out)/order; true"
        let low = try spool.submit(to: "fake", order, "--name", "low", "--priority", "-5")
        let high = try spool.submit(to: "fake", order, "--name", "high", "--priority", "5")
        let late = try spool.submit(to: "fake", order, "--name", "late", "--deadline", "300ms", "--priority", "9")
        let expired = try spool.end(ofID: late)
        #expect(expired.reason == "deadline" && expired.attempt == 0, "\(expired.outcome)")
        // One slot becomes free.
        try gate.release()
        #expect(try spool.end(ofID: high).outcome == "done 0")
        #expect(try spool.end(ofID: low).outcome == "done 0")
        #expect(try spool.linesNow("order") == ["high", "low"])
        try gate.release(2)
        for id in held { #expect(try spool.end(ofID: id).outcome == "done 0") }
        #expect(fake.lines("submitted").count == 5)
    }

    @Test("X4: A second job with a text that is taken is not submitted while the first is elsewhere")
    func unique() throws {
        let (spool, fake) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let words = ["submit", "--executor", "fake", "--unique", "nightly", "--unique-while", "active"]
        let first = try spool.ctl(list: words + ["--", "read x < \(gate.path)"])
        #expect(first.code == 0, "\(first)")
        try spool.wait(for: "a submission") { fake.lines("submitted").count == 1 }
        let second = try spool.ctl(list: words + ["--", "true"])
        #expect(second.id == first.id, "\(second)")
        try gate.release()
        #expect(try spool.end(ofID: first.id).outcome == "done 0")
        let third = try spool.ctl(list: words + ["--", "true; true"])
        #expect(try third.id != first.id && spool.end(ofID: third.id).outcome == "done 0")
    }

    @Test("X4: A task that is due while its run is elsewhere does what overlap says", arguments: ["skip", "wait", "allow", "replace"])
    func overlap(rule: String) throws {
        let (spool, _) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let command = "echo begun >> \(spool.out)/starts; read x < \(gate.path) & trap \"kill $!; exit 9\" TERM; wait $!; exit 0"
        let task = """
            command = '\(command)'
            executor = "fake"
            overlap = "\(rule)"
            kill_after = "1h"
            [[schedule]]
            every = "1s"
            from = "start"

            """
        try spool.acceptedTask("often", task)
        switch rule {
        case "allow": try spool.lines("starts", count: 3)
        case "replace":
            let replaced = try spool.wait(for: "a replaced run") {
                try spool.jobs(in: "failed", named: "often").first { $0.reason == "replaced" }
            }
            #expect(replaced.string("executor") == "fake")
        case "wait":
            try spool.lines("starts", count: 1)
            try spool.wait(for: "a run that waits") { try !spool.jobs(in: "new", named: "often").isEmpty }
        default:
            try spool.lines("starts", count: 1)
            try spool.wait(for: "a skipped due time") { try spool.ctl("why", "often").output.contains("skip") }
        }
        #expect(try spool.ctl("pause", "often").code == 0)
        if rule == "skip" || rule == "wait" { #expect(try spool.linesNow("starts") == ["begun"]) }
        // Runs that wait are canceled first, so that none of them begins.
        for place in ["new", "running"] { for job in try spool.jobs(in: place, named: "often") { _ = try spool.ctl("cancel", job.id) } }
        try spool.wait(for: "the ends of all") { try spool.isEmptied }
        // A command that was ended before it had its trap has left its reader.
        try gate.release(64)
        for pid in Processes.jobs(ofSpool: spool.whole) { try Processes.awaitEnd(of: pid) }
    }

    @Test("X4: What a run writes about its progress and its result is told as that of a run here")
    func progressAndResult() throws {
        let (spool, _) = try FakeExecutor.spool()
        let gate = try spool.gate()
        let ready = "echo '{\"fraction\":0.5,\"message\":\"half\"}' > \"$SPOOL_JOB_DIR/progress\"; echo > \(spool.out)/up"
        let id = try spool.submit(to: "fake", "\(ready); read x < \(gate.path); echo 42 > \"$SPOOL_RESULT\"")
        try spool.output("up")
        try spool.watchRun(id)
        try spool.wait(for: "the progress") { try spool.ctl("status", id).output.contains("50% half") }
        try gate.release()
        let job = try spool.end(ofID: id)
        #expect(job.outcome == "done 0" && job.status["result"].map { JSON.write($0) } == "42", "\(job.outcome): \(job.error)")
    }
}
