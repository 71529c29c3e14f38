import CLinux
import Glibc
import Linux
import Testing

/// strace(1) delays the daemon between the journal's record of a start and the start itself.
@Suite("Starts that take long", .ownThreads, .enabled(if: Commands.has("strace"), "strace is not installed"))
struct DrawnOutTests {
    /// Launches a daemon whose syncs and waits are delayed. A fast daemon would pass too, but would not be caught in between.
    private static func slowDaemon(_ spool: SpoolUnderTest) throws {
        let calls = "fdatasync,?epoll_wait,epoll_pwait"
        let strace = ["/usr/bin/strace", "-D", "-q", "-o", "/dev/null", "-e", "trace=\(calls)", "-e", "inject=\(calls):delay_enter=200000"]
        spool.forgetNotifications()
        try spool.launch(tracer: strace)
        try spool.notification("READY=1")
    }

    /// Drops a job, and stops the daemon when the journal's file has the record of its start. Returns true if no worker has got the job
    /// yet: the daemon, which makes at most one more system call, moves a job out of new/ before it gives it to a worker.
    @discardableResult
    private static func stopAtStart(of name: String, _ spool: SpoolUnderTest) throws -> Bool {
        try spool.drop("\(name).toml", "command = [\"true\"]")
        try spool.wait(for: "\(name) to be journaled") {
            try spool.journal().contains { $0.kind == "started" && $0.fields["id"]?.contains("-\(name)-") == true }
        }
        spool.signal(SIGSTOP)
        return Files.exists("\(spool.path)/new/\(name).toml")
    }

    @Test("When an idle worker is killed just before it gets a job, another worker runs the job")
    func idleWorker() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Self.slowDaemon(spool)
        var isCaught = false
        // On a busy machine the test may come too late: the worker is kept for some seconds only, and the delay may be over.
        for round in 1...20 where !isCaught {
            _ = try spool.run("command = [\"true\"]", as: "first-\(round)")
            let workers = Processes.workers(ofSpool: spool.path)
            #expect(workers.count <= 1)
            isCaught = try Self.stopAtStart(of: "second-\(round)", spool) && !workers.isEmpty
            for worker in workers where isCaught {
                kill(worker, SIGKILL)
                try Processes.awaitEnd(of: worker)
            }
            spool.signal(SIGCONT)
            #expect(try spool.end(of: "second-\(round)").outcome == "done 0")
        }
        #expect(isCaught)
    }

    @Test("The last record of an earlier daemon's worker is not overwritten before it is read")
    func adoptedRecord() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop("held.toml", "command = 'echo $$ >> \(spool.out)/holds; read x < \(gate.path)'")
        try spool.lines("holds", count: 1)
        try spool.crash()
        try Self.slowDaemon(spool)
        let workers = Processes.workers(ofSpool: spool.path)
        #expect(workers.count == 1)
        try Self.stopAtStart(of: "second", spool)
        try gate.release()
        for worker in workers { try Processes.awaitEnd(of: worker) }
        spool.signal(SIGCONT)
        #expect(try spool.end(of: "second").outcome == "done 0")
        #expect(try spool.end(of: "held").outcome == "done 0")
        #expect(try spool.linesNow("holds").count == 1)
    }
}
