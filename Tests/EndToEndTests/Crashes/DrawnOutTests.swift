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

    /// Drops a job and returns when the journal's file has the record of its start. The daemon is stopped before it syncs that
    /// record.
    private static func stopAtStart(of name: String, _ spool: SpoolUnderTest) throws {
        try spool.drop("\(name).toml", "command = [\"true\"]")
        try spool.wait(for: "\(name) to be journaled") {
            try spool.journal().contains { $0.kind == "started" && $0.fields["id"]?.contains("-\(name)-") == true }
        }
        spool.signal(SIGSTOP)
    }

    @Test("When an idle worker is killed just before it gets a job, another worker runs the job")
    func idleWorker() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Self.slowDaemon(spool)
        _ = try spool.run("command = [\"true\"]", as: "first")
        let workers = Processes.workers(ofSpool: spool.path)
        #expect(workers.count == 1)
        try Self.stopAtStart(of: "second", spool)
        for worker in workers {
            kill(worker, SIGKILL)
            try Processes.awaitEnd(of: worker)
        }
        spool.signal(SIGCONT)
        #expect(try spool.end(of: "second").outcome == "done 0")
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
