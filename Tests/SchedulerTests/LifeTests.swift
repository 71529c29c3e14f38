import Testing

@testable import Scheduler

/// The life of a job, from its file to its end.
@Suite struct LifeTests {
    @Test func aJobThatSucceedsIsDone() {
        let world = World()
        let id = world.drop("a")
        #expect(world.lines() == ["accepted a", "started a 1"])
        let job = world.turn.starts[0]
        world.now = at("02:00:03")
        world.end("a")
        #expect(world.lines() == ["ended a 1 done"])
        #expect(job.state == .done && job.exitCode == 0 && job.reason == nil && job.error == nil)
        #expect(world.scheduler.jobs[id] == nil)
        #expect(job.status(host: "h").delay == 0)
    }

    static let endings: [(String, RunResult.Outcome, String)] = [
        ("", .exited(0), "done"), ("", .exited(1), "failed exit"), ("success = [0, 3]", .exited(3), "done"),
        ("success = [3]", .exited(0), "failed exit"), ("", .signaled(11, coreDumped: true), "failed signal"),
        ("", .timedOut(exitCode: 0, signal: nil), "failed timeout"), ("", .timedOut(exitCode: nil, signal: 9), "failed timeout"),
        ("", .inputBroke(exitCode: 0, signal: nil), "failed exit"), ("", .inputBroke(exitCode: nil, signal: 15), "failed signal"),
        ("", .notSpawned("no such file"), "failed spawn"), ("", .lost("gone"), "failed lost"),
        ("success = [15]", .signaled(15, coreDumped: false), "failed signal"),
    ]

    @Test(arguments: endings)
    func anEndHasItsReason(keys: String, outcome: RunResult.Outcome, ending: String) {
        let world = World()
        world.drop("a", keys)
        world.lines()
        let job = world.turn.starts[0]
        world.end("a", outcome)
        #expect(world.lines() == ["ended a 1 \(ending)"])
        #expect((job.error == nil) == (job.state == .done))
    }

    /// Keys, the outcomes of the tries, and the record that follows each.
    static let retries: [(String, [RunResult.Outcome], [String])] = [
        ("tries = 2", [.exited(1), .exited(1)], ["new exit until 02:00:10", "failed exit"]),
        (
            "tries = 3\nbackoff = {initial = \"1s\", factor = 3}", [.exited(1), .exited(1), .exited(0)],
            ["new exit until 02:00:01", "new exit until 02:00:04", "done"]),
        ("tries = 3\nretry_on = [75]", [.exited(75), .exited(1)], ["new exit until 02:00:10", "failed exit"]),
        (
            "tries = 3\nretry_on = \"timeout\"", [.timedOut(exitCode: nil, signal: 15), .signaled(9, coreDumped: false)],
            ["new timeout until 02:00:10", "failed signal"]),
        ("tries = 3\nretry_on = []", [.exited(1)], ["failed exit"]),
        ("tries = 3", [.notSpawned("x"), .exited(0)], ["new spawn until 02:00:10", "done"]),
        // A run whose end nobody knows is repeated only if the job asks for it.
        ("tries = 3", [.lost("x")], ["failed lost"]),
        ("tries = 2\nretry_on = \"lost\"", [.lost("x"), .lost("x")], ["new lost until 02:00:10", "failed lost"]),
        ("on_crash = \"retry\"", [.lost("x"), .lost("x"), .exited(0)], ["new lost until 02:00:10", "new lost until 02:00:20", "done"]),
        // With on_crash = "retry" a lost try does not count, so two tries are left.
        (
            "on_crash = \"retry\"\ntries = 2", [.lost("x"), .exited(1), .exited(1)],
            ["new lost until 02:00:10", "new exit until 02:00:20", "failed exit"]),
        ("on_crash = \"retry\"\ntries = 1", [.lost("x"), .exited(1)], ["new lost until 02:00:10", "failed exit"]),
    ]

    @Test(arguments: retries)
    func aTryThatFailsIsFollowedByAnotherWhereAskedFor(keys: String, outcomes: [RunResult.Outcome], follow: [String]) {
        let world = World()
        world.drop("a", "backoff = 10\n\(keys)".replacingDuplicateBackoff())
        var said: [String] = []
        for (number, outcome) in outcomes.enumerated() {
            world.lines()
            #expect(world.turn.starts.count == 1, "try \(number + 1)")
            world.end("a", outcome)
            said += world.lines().map { String($0.dropFirst("ended a 1 ".count)) }
            if let wake = world.scheduler.nextWake() { world.now = wake }
        }
        #expect(said == follow)
        #expect(world.lines() == [])
    }

    /// The same tests with a restart after each step: every counted try still counts.
    @Test(arguments: retries, [false, true])
    func aRestartForgetsNoTry(_ row: (String, [RunResult.Outcome], [String]), fromSnapshot: Bool) {
        let (keys, outcomes, follow) = row
        var world = World()
        let id = world.drop("a", "backoff = 10\n\(keys)".replacingDuplicateBackoff())
        world.lines(mayStart: false)
        var said: [String] = []
        func restart() {
            let records = fromSnapshot ? world.scheduler.snapshot(at: world.now) : world.allRecords
            let next = World.restored(from: records, at: world.now)
            next.remember(world)
            world = next
        }
        for outcome in outcomes {
            restart()
            world.lines()
            restart()
            guard let job = world.scheduler.jobs[id] else { break }
            world.handle(
                .ended(id, attempt: job.attempt, RunResult(outcome: outcome, startedAt: world.now, endedAt: world.now)))
            said += world.lines().map { String($0.dropFirst("ended a 1 ".count)) }
            if let wake = world.scheduler.nextWake() { world.now = wake }
        }
        #expect(said == follow)
    }

    @Test func aReportForATryThatIsRecordedChangesNothing() {
        let world = World()
        let id = world.drop("a", "tries = 3\nbackoff = 0")
        world.lines()
        let report = RunResult(outcome: .exited(1), startedAt: world.now, endedAt: world.now)
        world.handle(.ended(id, attempt: 1, report))
        world.handle(.ended(id, attempt: 1, report))
        #expect(world.lines() == ["ended a 1 new exit until 02:00:00", "started a 2"])
        world.handle(.ended(id, attempt: 1, report))
        world.handle(.ended(id, attempt: 3, report))
        world.handle(.ended(JobID(instant: world.now, name: "x", unique: 0), attempt: 1, report))
        #expect(world.lines() == [])
    }

    @Test func whileATryRunsItHasNoEndYet() {
        let world = World()
        world.drop("a", "tries = 2\nbackoff = 0")
        world.lines()
        let job = world.turn.starts[0]
        world.end("a", .exited(7))
        world.lines()
        #expect(job.state == .running && job.attempt == 2)
        #expect(job.exitCode == nil && job.reason == nil && job.error == nil && job.endedAt == nil)
    }

    @Test func aWaitingJobIsCanceledAtOnce() {
        let world = World()
        let id = world.drop("a", "start = \"in 1h\"")
        world.lines()
        world.handle(.cancel(id))
        #expect(world.lines() == ["ended a 0 failed canceled"])
        world.handle(.cancel(id))
        #expect(world.lines() == [])
    }

    @Test func aRunningJobIsStoppedAndThenCanceledWhateverItsExit() {
        let world = World()
        let id = world.drop("a", "tries = 5")
        world.lines()
        world.handle(.cancel(id))
        #expect(world.lines() == ["stopping a canceled"])
        #expect(world.turn.stops.count == 1)
        guard case .politely? = world.turn.stops.first?.how else {
            Issue.record("not politely")
            return
        }
        world.end("a", .exited(0))
        #expect(world.lines() == ["ended a 1 failed canceled"])
    }

    @Test func aJobBetweenTwoTriesIsCanceledAtOnce() {
        let world = World()
        let id = world.drop("a", "tries = 5")
        world.lines()
        world.end("a", .exited(1))
        world.lines()
        world.handle(.cancel(id))
        #expect(world.lines() == ["ended a 1 failed canceled"])
    }

    /// The end of the first try, and the parts of it that stay when the job ends before another try.
    static let lastTries: [(outcome: RunResult.Outcome, exitCode: Int?, signal: Int32?, error: String)] = [
        (.exited(3), 3, nil, "after try 1 of 5 (exited with 3)"),
        (.signaled(9, coreDumped: false), nil, 9, "after try 1 of 5 (ended by SIGKILL)"),
        (.timedOut(exitCode: nil, signal: 15), nil, 15, "after try 1 of 5 (ran longer than its timeout)"),
    ]

    enum Intervention: CaseIterable { case canceled, canceledBeforeItBegan, replaced }

    @Test(arguments: lastTries, Intervention.allCases)
    func aJobThatEndsBetweenTwoTriesKeepsItsLastTry(
        _ row: (outcome: RunResult.Outcome, exitCode: Int?, signal: Int32?, error: String), by end: Intervention
    ) {
        for isRotated in [false, true] {
            var world = World()
            world.task("t", "overlap = \"replace\"")
            let id = world.drop("a", "tries = 5\noverlap = \"replace\"\nbackoff = \"1m\"", of: "t")
            world.lines()
            let usage = Usage(wallMilliseconds: 5, userMilliseconds: 1, systemMilliseconds: 1, maxRSSBytes: 4096)
            let started = world.now
            world.now = at("02:00:05")
            world.handle(
                .ended(id, attempt: 1, RunResult(outcome: row.outcome, startedAt: started, endedAt: world.now, pid: 7, usage: usage)))
            world.lines()
            world.now = at("02:05")
            // The second try is decided, but never begins.
            if end == .canceledBeforeItBegan { #expect(world.starts() == ["a"]) }
            if isRotated { world.rotate() }
            world = World.restored(from: world.records, at: world.now)
            let job = world.scheduler.jobs[id]!
            if end == .replaced { world.drop("b", "overlap = \"replace\"", of: "t") } else { world.handle(.cancel(id)) }
            if end == .canceledBeforeItBegan {
                world.handle(.ended(id, attempt: 2, RunResult(outcome: .neverBegan, startedAt: nil, endedAt: world.now)))
            }
            world.lines()
            #expect(job.state == .failed && job.attempt == 1 && job.reason == (end == .replaced ? .replaced : .canceled))
            #expect(job.exitCode == row.exitCode && job.signal == row.signal && job.usage == usage && job.pid == 7)
            #expect(job.startedAt == started && job.endedAt == at("02:00:05") && job.changedAt == at("02:05"))
            #expect(job.error == (end == .replaced ? "replaced by a newer run " : "canceled ") + row.error)
        }
    }

    @Test func aKilledJobIsNotTriedAgain() {
        let world = World()
        let id = world.drop("a", "tries = 5")
        world.lines()
        world.handle(.kill(id, signal: 9))
        #expect(world.lines() == ["stopping a killed"])
        world.end("a", .signaled(9, coreDumped: false))
        #expect(world.lines() == ["ended a 1 failed signal"])
    }

    @Test func aCanceledJobThatHasToBeKilledIsCanceled() {
        let world = World()
        let id = world.drop("a")
        world.lines()
        world.handle(.cancel(id))
        world.handle(.kill(id, signal: 9))
        world.lines()
        #expect(world.turn.stops.count == 2)
        world.end("a", .signaled(9, coreDumped: false))
        #expect(world.lines() == ["ended a 1 failed canceled"])
    }

    @Test func aSignalIsPassedOnAndDecidesNothing() {
        let world = World()
        let id = world.drop("a", "tries = 2")
        world.handle(.kill(id, signal: 10))
        world.lines()
        world.handle(.kill(id, signal: 10))
        #expect(world.lines() == [])
        guard case .signal(10)? = world.turn.stops.first?.how else {
            Issue.record("no signal 10")
            return
        }
        world.end("a", .signaled(10, coreDumped: false))
        #expect(world.lines() == ["ended a 1 new signal until 02:00:10"])
    }

    @Test func aWaitingFileThatIsRemovedIsWithdrawn() {
        let world = World(slots: 1)
        world.drop("a")
        let id = world.drop("b")
        world.lines()
        world.handle(.withdrawn(id))
        #expect(world.lines() == ["withdrawn b"])
        world.end("a")
        #expect(world.starts() == [])
        let running = world.drop("c")
        world.lines()
        // A running job has no waiting file any more.
        world.handle(.withdrawn(running))
        #expect(world.lines() == [])
    }

    @Test func anEditedWaitingFileTakesThePlaceOfTheOld() {
        let world = World()
        let id = world.drop("a", "start = \"in 1h\"")
        world.lines()
        world.handle(.dropped(world.job("a", "start = \"in 5m\"", id: id)))
        #expect(world.until("03:30") == ["02:00:00 accepted a", "02:05:00 started a 1"])
        // A file of that id that arrives while the job runs changes nothing.
        world.handle(.dropped(world.job("a", "", id: id)))
        #expect(world.lines() == [])
    }

    @Test func anEditToWhatCannotBeUsedRejectsTheWaitingJob() {
        let world = World()
        let id = world.drop("a", "start = \"in 1h\"")
        world.lines()
        world.handle(.rejected(RejectedFile(id: id, name: "a", file: "a.toml", inode: 0, due: world.now, error: "a.toml:1:1: x")))
        #expect(world.lines() == ["rejected a"])
        let job = world.turn.places[0]
        #expect(job.state == .failed && job.reason == .rejected && job.error == "a.toml:1:1: x")
        #expect(world.until("05:00") == [])
    }
}

extension String {
    /// If a row has its own backoff, that replaces the backoff of the table.
    fileprivate func replacingDuplicateBackoff() -> String {
        let lines = split(separator: "\n")
        return lines.dropFirst().contains { $0.hasPrefix("backoff") }
            ? lines.dropFirst().joined(separator: "\n") : self
    }
}

extension JobStatus {
    fileprivate var delay: Int64? { startedAt.map { $0.milliseconds - due.milliseconds } }
}

extension World {
    fileprivate var allRecords: [(at: Instant, record: Record)] { earlier + records }
    fileprivate func remember(_ other: World) { earlier = other.allRecords }
}
