import CLinux
import Glibc
import Linux
import Testing
import WorkerProtocol

/// Processes that a job leaves running, and the lives of worker, daemon and job beside one another.
@Suite struct WorkerLifeTests {
    let worker: WorkerUnderTest
    var temporary: TemporaryDirectory { worker.temporary }

    init() throws { worker = try WorkerUnderTest() }

    private func pid(in name: String) throws -> pid_t {
        try #require(pid_t(try temporary.text(name).filter(\.isNumber)))
    }

    // MARK: Leftovers

    @Test(
        "Attack 61: leftovers are counted, and left unless the job says otherwise"
    ) func leftoversAreLeftUnlessTheJobSaysOtherwise() throws {
        let end = try worker.run(worker.shell("sleep 1000 & echo $! > child"))
        #expect(end.kind == .exited(code: 0) && end.leftovers == 1)
        let left = try pid(in: "child")
        #expect(isRunning(left))

        // The next run kills its own leftovers, even in another session, and not those of the run before.
        let next = try worker.run(
            worker.shell(
                "sleep 1000 & echo $! > child; (setsid sh -c 'echo $$ > deep; exec sleep 1000' &) ; until [ -s deep ]; do :; done") {
                $0.killsLeftovers = true
                $0.killAfterMilliseconds = 50
            })
        #expect(next.kind == .exited(code: 0) && next.leftovers == 0)
        #expect(!isRunning(try pid(in: "child")))
        #expect(!isRunning(try pid(in: "deep")))
        #expect(isRunning(left))

        // An earlier leftover is not counted again, and its end disturbs no later run.
        #expect(try worker.run(worker.request(["true"])).leftovers == 0)
        kill(left, SIGKILL)
        #expect(try worker.run(worker.request(["true"]) { $0.killsLeftovers = true }).leftovers == 0)
    }

    @Test("Attack 61: at the limit all go, however they hide") func atTheLimitAllGoHoweverTheyHide() throws {
        let ready = try Pipe(temporary, "ready")
        let script = """
            (setsid sh -c 'trap "" TERM; (sleep 1000 & echo $! > deepest); echo $$ > deep; echo ready > ready; exec sleep 1000' &)
            sleep 1000
            """
        // An immediate stop by the daemon has the same effect as a limit: both kill everything when the time is over.
        try worker.send(.run(worker.shell(script)))
        #expect(try ready.line() == "ready")
        try worker.send(.stop(killAfterMilliseconds: 0))
        let end = try worker.report()
        #expect(end.kind == .signaled(number: SIGKILL, coreDumped: false) || end.kind == .signaled(number: SIGTERM, coreDumped: false))
        #expect(end.leftovers == 0)
        #expect(!isRunning(try pid(in: "deep")))
        #expect(!isRunning(try pid(in: "deepest")))
    }

    @Test func afterTheLimitTheOthersHaveUntilTheKill() throws {
        // The shell ends at the limit, by SIGTERM. Its child ignores SIGTERM, and is killed 50 ms later.
        let script = "(trap '' TERM; echo $$ > child; exec sleep 1000) & sleep 1000"
        let end = try worker.run(
            worker.shell(script) {
                $0.timeoutMilliseconds = 400
                $0.killAfterMilliseconds = 50
            })
        #expect(end.kind == .timedOut(.signaled(number: SIGTERM, coreDumped: false)) && end.leftovers == 0)
    }

    /// The ways in which a process leaves the reach of the command that started it.
    enum Hiding: String, CaseIterable {
        case notAtAll, ownSession, orphaned, orphanedInOwnSession

        /// A shell script that starts `child` in this way and waits for it if possible. `child` is a shell command without single
        /// quotes.
        func script(_ child: String) -> String {
            switch self {
            case .notAtAll: "sh -c '\(child)' & exec sleep 1000"
            // The shell continues after SIGTERM, so its child must get SIGTERM from the worker.
            case .ownSession: "trap : TERM; setsid sh -c '\(child)'; :"
            case .orphaned: "(sh -c '\(child)' &); exec sleep 1000"
            case .orphanedInOwnSession: "(setsid sh -c '\(child)' &); exec sleep 1000"
            }
        }
    }

    @Test("A stop asks all processes of the job to end, and the run ends when all of them are gone", arguments: Hiding.allCases)
    func aStopEndsEverything(_ hiding: Hiding) throws {
        let ready = try Pipe(temporary, "ready")
        let go = try Pipe(temporary, "go")
        let child = """
            trap \"echo asked > ready; read x < go; echo \\$x > last; exit\" TERM; echo ready > ready; while :; do sleep 0.01; done
            """
        // The test ends before this time, so nothing is killed.
        try worker.send(.run(worker.shell(hiding.script(child)) { $0.killAfterMilliseconds = 600_000 }))
        #expect(try ready.line() == "ready")
        try worker.send(.stop(killAfterMilliseconds: nil))
        #expect(try ready.line() == "asked")
        // A second stop asks nobody again. Otherwise `last` would contain `asked`.
        try worker.send(.stop(killAfterMilliseconds: nil))
        try go.write("went")
        let end = try worker.report()
        #expect(end.leftovers == 0)
        #expect(try temporary.text("last") == "went\n", "the end is not reported before it")
    }

    @Test("A process that ignores the request is killed after kill_after, however it hides", arguments: Hiding.allCases)
    func aStopKillsWhatIgnoresIt(_ hiding: Hiding) throws {
        let ready = try Pipe(temporary, "ready")
        let child = "trap \"\" TERM; echo $$ > child; echo ready > ready; exec sleep 1000"
        try worker.send(.run(worker.shell(hiding.script(child)) { $0.killAfterMilliseconds = 50 }))
        #expect(try ready.line() == "ready")
        try worker.send(.stop(killAfterMilliseconds: nil))
        let end = try worker.report()
        #expect(end.leftovers == 0)
        #expect(!isRunning(try pid(in: "child")))
    }

    @Test("A kill during the grace of a stop kills at once")
    func aKillEndsTheGrace() throws {
        let ready = try Pipe(temporary, "ready")
        try worker.send(
            .run(
                worker.shell("(trap '' TERM; echo $$ > child; echo ready > ready; exec sleep 1000) & exec sleep 1000") {
                    $0.killAfterMilliseconds = 600_000
                }))
        #expect(try ready.line() == "ready")
        try worker.send(.stop(killAfterMilliseconds: nil))
        try worker.send(.stop(killAfterMilliseconds: 0))
        #expect(try worker.report().leftovers == 0)
    }

    @Test(
        "leftovers = \"kill\" asks what the command left, and gives it kill_after", arguments: Hiding.allCases.filter { $0 != .ownSession }
    )
    func leftoversAreAskedFirst(_ hiding: Hiding) throws {
        let ready = try Pipe(temporary, "ready")
        let child = "trap \"echo asked > asked; exit\" TERM; echo ready > ready; while :; do sleep 0.01; done"
        let script = hiding.script(child).replacing("exec sleep 1000", with: "read x < go; exit 3")
        let go = try Pipe(temporary, "go")
        try worker.send(.run(worker.shell(script) {
            $0.killsLeftovers = true
            $0.killAfterMilliseconds = 600_000
        }))
        #expect(try ready.line() == "ready")
        try go.write("")
        let end = try worker.report()
        #expect(end.kind == .exited(code: 3) && end.leftovers == 0)
        #expect(try temporary.text("asked") == "asked\n")
    }

    // MARK: The record

    @Test func theRecordNamesTheRunningCommand() throws {
        let ready = try Pipe(temporary, "ready")
        let go = try Pipe(temporary, "go")
        try worker.send(.run(worker.shell("echo $$ > ready; read x < go") { $0.attempt = 2 }))
        let job = try #require(pid_t(try ready.line()))
        // The worker writes the record right after it has started the command, perhaps a moment after the command's first line.
        // The refusal of another run surely comes after the record.
        _ = try worker.run(worker.request(["true"]))
        guard case .running(let running) = worker.record else {
            Issue.record("no running record: \(String(describing: worker.record))")
            return
        }
        #expect(running.jobPID == job && running.jobID == "job" && running.attempt == 2)
        #expect(running.workerPID == worker.pid)
        #expect(running.workerStartTime == (try Process.startTime(worker.pid)))
        try go.write("")
        #expect(try worker.report().kind == .exited(code: 0))
    }

    @Test func theLockTellsWhetherTheWorkerLives() throws {
        _ = try worker.run(worker.request(["true"]))
        let other = try FileDescriptor.open(worker.recordPath, O_RDWR)
        #expect(try other.tryLock() == false)
        // Not even a leftover process holds the lock.
        #expect(try worker.run(worker.shell("sleep 1000 & echo $! > child")).leftovers == 1)
        worker.hangUp()
        #expect(try worker.exitCode() == 0)
        #expect(try other.tryLock())
        kill(try pid(in: "child"), SIGKILL)
    }

    // MARK: Ends

    @Test func withoutADaemonAnIdleWorkerEnds() throws {
        worker.hangUp()
        #expect(try worker.exitCode() == 0)
    }

    @Test("Attack 67: without a daemon the run is finished and recorded") func withoutADaemonTheRunIsFinishedAndRecorded() throws {
        let go = try Pipe(temporary, "go")
        let ready = try Pipe(temporary, "ready")
        try worker.send(.run(worker.shell("echo ready > ready; read x < go; echo done; exit 3") { $0.attempt = 5 }))
        #expect(try ready.line() == "ready")
        worker.hangUp()
        try go.write("")
        #expect(try worker.exitCode() == 0)
        guard case .ended(let end) = worker.record else {
            Issue.record("no end recorded: \(String(describing: worker.record))")
            return
        }
        #expect(end.kind == .exited(code: 3) && end.attempt == 5)
        #expect(try temporary.text("stdout") == "done\n")
    }

    @Test(
        "Without a daemon the recorded end is on the disk before the worker ends",
        .enabled(if: access("/usr/bin/strace", X_OK) == 0, "needs strace")
    )
    func withoutADaemonTheEndIsSynced() throws {
        let traces = try TemporaryDirectory()
        let calls = ["/usr/bin/strace", "-qq", "-e", "trace=pwrite64,fdatasync", "-o", "\(traces.path)/calls"]
        let worker = try WorkerUnderTest(by: calls)
        let go = try Pipe(worker.temporary, "go")
        let ready = try Pipe(worker.temporary, "ready")
        try worker.send(.run(worker.shell("echo ready > ready; read x < go; exit 3")))
        #expect(try ready.line() == "ready")
        worker.hangUp()
        try go.write("")
        #expect(try worker.exitCode() == 0)
        // The last write to the record, descriptor 4, was synced.
        let last = try traces.text("calls").split(separator: "\n").filter { $0.hasPrefix("pwrite64(4,") || $0.hasPrefix("fdatasync(4)") }
            .suffix(2)
        #expect(last.map { $0.prefix { $0 != "(" } } == ["pwrite64", "fdatasync"], "\(last)")
    }

    @Test func withoutADaemonTheLimitStillHolds() throws {
        try worker.send(.run(worker.request(["sleep", "1000"]) { $0.timeoutMilliseconds = 50 }))
        worker.hangUp()
        #expect(try worker.exitCode() == 0)
        guard case .ended(let end) = worker.record else {
            Issue.record("no end recorded")
            return
        }
        #expect(end.kind == .timedOut(.signaled(number: SIGTERM, coreDumped: false)))
    }

    @Test("SIGTERM and SIGUSR1 to the worker end the job, not the worker", arguments: [(SIGTERM, SIGTERM), (SIGUSR1, SIGKILL)])
    func signalsToTheWorker(sent: Int32, seen: Int32) throws {
        let ready = try Pipe(temporary, "ready")
        try worker.send(.run(worker.shell("echo ready > ready; exec sleep 1000") { $0.stopSignal = sent == SIGUSR1 ? SIGWINCH : SIGTERM }))
        #expect(try ready.line() == "ready")
        kill(worker.pid, sent)
        #expect(try worker.report().kind == .signaled(number: seen, coreDumped: false))
        #expect(try worker.run(worker.request(["true"])).kind == .exited(code: 0))
        kill(worker.pid, sent)
        #expect(try worker.exitCode() == 0)
    }

    @Test func aTerminalDoesNotReachTheWorker() throws {
        #expect(try worker.run(worker.request(["true"])).kind == .exited(code: 0))
        #expect(try ProcessStatus.read(worker.pid).session == worker.pid)
        for number in [SIGINT, SIGHUP, SIGPIPE] { kill(worker.pid, number) }
        #expect(try worker.run(worker.request(["true"])).kind == .exited(code: 0))
    }

    @Test func nonsenseEndsTheWorkerAfterItsRun() throws {
        let go = try Pipe(temporary, "go")
        try worker.send(Command.run(worker.shell("read x < go; exit 3")).frame() + [2, 0, 0, 0, 9, 9, 9, 9, 9])
        try go.write("")
        #expect(try worker.exitCode() == 1)
        guard case .ended(let end) = worker.record else {
            Issue.record("no end recorded")
            return
        }
        #expect(end.kind == .exited(code: 3))
    }

    @Test func itIsSmall() throws {
        for _ in 0..<50 { _ = try worker.run(worker.request(["true"])) }
        let process = try Directory.open("/proc/\(worker.pid)")
        let status = String(decoding: try process.readFile("status", limit: .max), as: UTF8.self)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
        let kilobytes = try #require(Int(line.filter(\.isNumber)))
        #expect(kilobytes < 4096)
    }

    // MARK: Output

    /// A number that the kernel keeps of the worker's process.
    private func number(_ name: String, in file: String) throws -> Int64 {
        let text = String(decoding: try Directory.open("/proc/\(worker.pid)").readFile(file, limit: .max), as: UTF8.self)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name):") })
        return try #require(Int64(line.filter(\.isNumber)))
    }

    @Test("W5: While a daemon takes no output, its worker wakes seldom and reads no more than it could send")
    func stuck() throws {
        let began = MonotonicInstant.now()
        // The kernel counts what the worker's children have read as read by it. These read nothing.
        let script = "seq 1 600000; seq 1 600000 >&2; exec sleep 2"
        #expect(try worker.run(worker.shell(script) { $0.reportsOutput = true }).kind == .exited(code: 0))
        let seconds = MonotonicInstant.now().milliseconds(since: began) / 1000
        let (wakes, bytes) = (try number("voluntary_ctxt_switches", in: "status"), try number("rchar", in: "io"))
        #expect((1...64).contains(worker.outputCount))
        // Every 20 ms would be 100 times.
        #expect(wakes < 40 + 5 * seconds, "\(wakes) in \(seconds) s")
        #expect(bytes < 2 << 20, "\(bytes)")
    }

    @Test("W5: A worker says where output ends in the file only to a daemon that asks for it: an earlier one could not read the report",
        arguments: [false, true])
    func ends(isAsked: Bool) throws {
        let request = worker.shell("echo one; echo two") { ($0.reportsOutput, $0.reportsOutputEnds) = (true, isAsked) }
        var body = Array(Command.run(request).frame()[4...])
        if !isAsked {
            body.removeLast()
            body[0] = 6
        }
        try worker.send(withUnsafeBytes(of: UInt32(body.count).littleEndian) { Array($0) } + body)
        #expect(try worker.report().kind == .exited(code: 0))
        #expect(worker.outputCount > 0 && worker.outputEnd == (isAsked ? 8 : nil))
    }

    @Test("W5: A daemon that reads no reports holds up no stop and no kill, however short the pieces of output are")
    func unread() throws {
        // Each block is a piece with one letter: a part of a file that reads as NUL is left out. A socket has room for some 280 of them.
        let block = String(repeating: "\0", count: (32 << 10) - 2) + "x\n"
        try temporary.write("blocks", String(repeating: block, count: 300))
        let ready = try Pipe(temporary, "ready")
        let go = try Pipe(temporary, "go")
        let script = "trap '' TERM; echo $$ > pid; cat blocks; cat blocks >&2; echo ready > ready; while :; do read x < \(go.path); done"
        try worker.send(.run(worker.shell(script) { $0.reportsOutput = true }))
        #expect(try ready.line() == "ready")
        let command = try Process.openPidfd(try pid(in: "pid"))
        // Longer than the worker waits between two looks at the output.
        try worker.send(.stop(killAfterMilliseconds: 1500))
        try awaitReadable(command.raw)
        #expect(try worker.report().kind == .signaled(number: SIGKILL, coreDumped: false))
        #expect((1...64).contains(worker.outputCount))
    }
}
