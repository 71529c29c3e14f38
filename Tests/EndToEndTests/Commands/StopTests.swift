// When a job ends, for whatever reason, its child processes are ended as well. No other job takes its slot, lock or turn before.

import Glibc
import Linux
import Testing

@Suite("Stopping", .ownThreads)
struct StopTests {
    /// The order that ends the first run, and the condition that keeps the second run waiting.
    enum Order: String, CaseIterable {
        case cancelForSlot, cancelForLock, cancelForTask, replace, timeout, leftovers

        var configuration: String { self == .cancelForSlot ? "slots = 1" : "" }

        var keys: String {
            switch self {
            case .cancelForSlot: "overlap = 'allow'"
            case .cancelForLock: "overlap = 'allow'\nlocks = ['l']"
            case .cancelForTask: "overlap = 'queue'"
            case .replace: "overlap = 'replace'"
            // Made shorter when the run has begun and another waits.
            case .timeout: "overlap = 'queue'\ntimeout = '1h'"
            case .leftovers: "overlap = 'queue'\nleftovers = 'kill'"
            }
        }
    }

    enum Hiding: String, CaseIterable {
        case inGroup, inOwnSession, orphaned

        /// A shell command that starts the script file in this way.
        func line(_ script: String) -> String {
            switch self {
            case .inGroup: "sh \(script) &"
            case .inOwnSession: "setsid sh \(script) &"
            case .orphaned: "(setsid sh \(script) &);"
            }
        }
    }

    /// A spool with the task `t`. Its first run starts `child` and then runs `rest`. Its second run writes `begin` to the file
    /// `order`, and before that `alive` if the process in the file `pid` still exists. Returns when the first run has begun and
    /// the second run waits.
    private func spool(_ order: Order, _ hiding: Hiding, child: String, killAfter: String) throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(configuration: order.configuration)
        try Files.write("\(spool.out)/child", child)
        let rest = order == .leftovers ? "until [ -e \(spool.out)/go ]; do sleep 0.01; done" : "exec sleep 1000"
        let script = """
            cd \(spool.out)
            if mkdir first 2> /dev/null; then \(hiding.line("child")) \(rest); exit
            fi
            if kill -0 $(cat pid); then echo alive >> order; fi
            echo begin >> order
            """
        try Files.write("\(spool.out)/script", script)
        try spool.acceptedTask("t", "command = ['sh', '\(spool.out)/script']\nkill_after = '\(killAfter)'\n\(order.keys)")
        try spool.ctl("run", "t").succeeded()
        try spool.output("began")
        try spool.ctl("run", "t").succeeded()
        return spool
    }

    /// Ends the first run.
    private func end(_ order: Order, _ spool: SpoolUnderTest) throws {
        switch order {
        case .cancelForSlot, .cancelForLock, .cancelForTask: try spool.ctl("cancel", try spool.running("t").id).succeeded()
        case .timeout: _ = try spool.shortenTimeout(of: spool.running("t").id)
        // The second run has ended it already.
        case .replace: break
        case .leftovers: try Files.write("\(spool.out)/go", "")
        }
    }

    @Test(
        "The next run begins when all processes of the stopped run have ended", arguments: Order.allCases, Hiding.allCases
    )
    func nextWaits(_ order: Order, _ hiding: Hiding) throws {
        // The test ends before this time, so nothing is killed.
        let spool = try spool(
            order, hiding,
            child: "trap 'sleep 0.2; echo end >> order; exit' TERM; echo $$ > pid; echo > began; while :; do sleep 0.01; done",
            killAfter: "10m")
        try end(order, spool)
        #expect(try spool.lines("order", count: 2) == ["end", "begin"])
    }

    @Test(
        "Processes that ignore the request are killed after kill_after, and then the next run begins",
        arguments: Order.allCases, Hiding.allCases)
    func killed(_ order: Order, _ hiding: Hiding) throws {
        let spool = try spool(
            order, hiding, child: "trap '' TERM; echo $$ > pid; echo > began; exec sleep 1000", killAfter: "100ms")
        try end(order, spool)
        #expect(try spool.lines("order", count: 1) == ["begin"])
    }

    @Test("A daemon that is restarted between the request and the end waits for the same end, and sends no second request")
    func restarted() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let child = """
            trap 'echo asked >> order; read x < \(gate.path); echo end >> order; exit' TERM; echo > began; while :; do sleep 0.01; done
            """
        try Files.write("\(spool.out)/child", child)
        let id = try spool.ctl(
            "submit", "--lock", "l", "--kill-after", "10m", "-C", spool.out, "--", "sh", "-c", "setsid sh child & exec sleep 1000").id
        try spool.output("began")
        _ = try spool.ctl("submit", "--lock", "l", "-C", spool.out, "--", "sh", "-c", "echo begin >> order").id
        try spool.ctl("cancel", id).succeeded()
        try spool.lines("order", count: 1)
        try spool.crash()
        try spool.start()
        try spool.ctl("cancel", id).succeeded()
        #expect(try spool.linesNow("order") == ["asked"])
        try gate.release()
        #expect(try spool.lines("order", count: 3) == ["asked", "end", "begin"])
        #expect(try spool.ctl("status", "--json", id).output.contains("\"reason\":\"canceled\""))
    }

    @Test(
        "When a worker is killed, the processes of its run are killed too, also between the request and the end",
        arguments: Hiding.allCases,
        [true, false]
    )
    func workerKilled(_ hiding: Hiding, isCanceled: Bool) throws {
        let spool = try SpoolUnderTest()
        try Files.write("\(spool.out)/child", "trap 'echo asked > asked' TERM; echo $$ > pid; echo > began; while :; do sleep 0.01; done")
        let id = try spool.ctl(
            "submit", "--lock", "l", "--kill-after", "10m", "-C", spool.out, "--", "sh", "-c", "\(hiding.line("child")) exec sleep 1000").id
        try spool.output("began")
        if isCanceled {
            try spool.ctl("cancel", id).succeeded()
            try spool.output("asked")
        }
        let child = try #require(pid_t(try spool.output("pid").filter(\.isNumber)))
        for worker in Processes.workers(ofSpool: spool.path) { Glibc.kill(worker, SIGKILL) }
        #expect(try spool.ended(count: 1)[0].reason == (isCanceled ? "canceled" : "lost"))
        try spool.logLine("event=killed-orphans", id)
        try Processes.awaitEnd(of: child)
    }
}

extension CtlResult {
    fileprivate func succeeded() throws {
        guard code == 0 else { throw WaitFailed(description: "\(self)") }
    }
}
