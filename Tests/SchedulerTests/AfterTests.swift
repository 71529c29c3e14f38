import Testing

@testable import Scheduler

/// `after` and `unique`.
@Suite struct AfterTests {
    /// The condition of `after`, the end of the first job, and the result of the second.
    static let ends: [(when: String, outcome: RunResult.Outcome, became: String)] = [
        ("success", .exited(0), "started b 1"), ("success", .exited(1), "ended b 0 failed dependency"),
        ("failure", .exited(0), "ended b 0 failed dependency"), ("failure", .exited(1), "started b 1"),
        ("end", .exited(0), "started b 1"), ("end", .lost("x"), "started b 1"),
    ]

    @Test(arguments: ends, [false, true])
    func aJobStartsWhenAnotherHasEndedAsItAsks(_ row: (when: String, outcome: RunResult.Outcome, became: String), isRestarted: Bool) {
        var world = World()
        let a = world.drop("a")
        let b = world.drop("b", "after = {all = [\"\(a)\"], when = \"\(row.when)\"}")
        #expect(world.lines() == ["accepted a", "accepted b", "started a 1"])
        #expect(world.scheduler.nextWake() == nil)
        if isRestarted { world = World.restored(from: world.scheduler.snapshot(at: world.now), at: world.now) }
        let job = world.scheduler.jobs[a]!
        let waiter = world.scheduler.jobs[b]!
        #expect(waiter.waitsFor == [a])
        world.handle(.ended(a, attempt: 1, RunResult(outcome: row.outcome, startedAt: nil, endedAt: world.now)))
        #expect(world.lines() == [job.state == .done ? "ended a 1 done" : "ended a 1 failed \(job.reason!.rawValue)", row.became])
        if waiter.reason == .dependency {
            #expect(
                waiter.error?.contains("\(row.when) of \(a), which \(job.state == .done ? "succeeded" : "failed (exit)")") == true,
                "\(waiter.error ?? "")")
        }
    }

    @Test(arguments: [("success", "ended b 0 failed dependency"), ("failure", "started b 1"), ("end", "started b 1")])
    func aJobThatReplacesTheRunForWhichItWaitsIsToldOfItsEnd(when: String, became: String) {
        let world = World(slots: 1)
        world.task("t", "overlap = \"replace\"")
        world.drop("holder")
        world.lines()
        let first = world.drop("a", of: "t")
        world.lines()
        world.drop("b", "overlap = \"replace\"\nafter = {all = [\"t\"], when = \"\(when)\"}", of: "t")
        let lines = world.lines()
        world.end("holder")
        #expect(world.scheduler.jobs[first] == nil)
        #expect((lines + world.lines()).filter { $0.contains(" b ") } == [became])
    }

    @Test("A waiting run with a new text does not become the latest of its task", arguments: [false, true])
    func changedRun(isRestarted: Bool) {
        var world = World(slots: 1)
        world.task("t", "overlap = \"queue\"")
        world.drop("holder")
        world.lines()
        let first = world.drop("a", of: "t")
        let second = world.drop("b", of: "t")
        world.lines()
        world.handle(.dropped(world.job("a", "priority = 1", of: "t", id: first)))
        world.lines()
        if isRestarted { world = World.restored(from: world.scheduler.snapshot(at: world.now), at: world.now) }
        let waiter = world.drop("c", "after = [\"t\"]")
        world.lines()
        #expect(world.scheduler.jobs[waiter]?.waitsFor == [second])
    }

    @Test func itWaitsForAllOfThemAndForItsStart() {
        let world = World()
        let a = world.drop("a")
        let b = world.drop("b")
        world.drop("c", "after = [\"\(a)\", \"\(b)\", \"\(a)\"]\nstart = \"in 10m\"")
        #expect(world.starts() == ["a", "b"])
        world.end("b")
        #expect(world.starts() == [])
        world.end("a", .exited(0))
        #expect(world.starts() == [])
        world.now = at("02:10")
        #expect(world.starts() == ["c"])
    }

    @Test func aTryThatFailsIsNoEnd() {
        let world = World()
        let a = world.drop("a", "tries = 2\nbackoff = 0")
        world.drop("b", "after = \"\(a)\"")
        world.lines()
        world.end("a", .exited(1))
        #expect(world.starts() == ["a"])
        world.end("a")
        #expect(world.starts() == ["b"])
    }

    @Test func failureGoesDownTheWholeChainAtOnce() {
        let world = World()
        let a = world.drop("a")
        let b = world.drop("b", "after = \"\(a)\"")
        let c = world.drop("c", "after = \"\(b)\"")
        world.drop("d", "after = {all = [\"\(c)\"], when = \"failure\"}")
        world.lines()
        world.end("a", .exited(1))
        #expect(world.lines() == ["ended a 1 failed exit", "ended b 0 failed dependency", "ended c 0 failed dependency", "started d 1"])
        #expect(world.turn.places.first { $0.id == c }?.error == "it was to start after the success of \(b), which failed (dependency)")
    }

    @Test func aJobThatIsTakenAwayHasFailedForThoseThatWait() {
        let world = World(slots: 1)
        world.drop("x")
        let a = world.drop("a")
        world.drop("b", "after = \"\(a)\"")
        world.lines()
        world.handle(.withdrawn(a))
        #expect(world.lines() == ["withdrawn a", "ended b 0 failed dependency"])
    }

    @Test func whatHasEndedIsFoundOnRecord() {
        let world = World()
        let old = JobID(instant: at("01:00"), name: "old", unique: 1)
        world.handle(.dropped(world.job("a", "after = \"\(old)\""), OnRecord(ends: [old: .done])))
        #expect(world.lines() == ["accepted a", "started a 1"])
        world.handle(.dropped(world.job("b", "after = \"\(old)\""), OnRecord(ends: [old: .failed])))
        #expect(world.lines() == ["accepted b", "ended b 0 failed dependency"])
        // The job has ended since the last turn, so it is not on record yet.
        let c = world.drop("c")
        world.lines()
        world.end("c")
        world.drop("d", "after = \"\(c)\"")
        #expect(world.lines() == ["ended c 1 done", "accepted d", "started d 1"])
    }

    // MARK: Retries

    /// Submits a retry of an ended job, and returns its id.
    @discardableResult
    private func retry(_ world: World, _ name: String, of old: JobID, _ keys: String = "", _ onRecord: OnRecord = OnRecord()) -> JobID {
        var job = world.job(name, keys)
        job.file = nil
        job.retryOf = old.text
        world.handle(.dropped(job, onRecord))
        return job.id
    }

    @Test(arguments: [false, true])
    func theIdOfAJobThatWasRetriedMeansItsRetry(isRotated: Bool) {
        var world = World()
        var journal: [(at: Instant, record: Record)] = []
        func goOn() {
            journal = isRotated ? world.scheduler.snapshot(at: world.now) : journal + world.records
            world = World.restored(from: journal, at: world.now)
        }
        let b = world.drop("b")
        world.drop("c", "after = \"\(b)\"")
        world.lines()
        world.end("b", .exited(1))
        #expect(world.lines() == ["ended b 1 failed exit", "ended c 0 failed dependency"])
        #expect(world.turn.places.last?.status(host: "").waitsFor == [b.text])
        // The retry fails as well and is retried. The newest retry counts.
        let b1 = retry(world, "b1", of: b)
        world.lines()
        let early = world.drop("early", "after = \"\(b)\"")
        #expect(world.scheduler.jobs[early]?.waitsFor == [b1])
        world.handle(.ended(b1, attempt: 1, RunResult(outcome: .exited(1), startedAt: nil, endedAt: world.now)))
        #expect(world.lines().contains("ended early 0 failed dependency"))
        goOn()
        let b2 = retry(world, "b2", of: b1)
        world.lines()
        goOn()
        let c1 = retry(world, "c1", of: b, "after = \"\(b)\"")
        world.drop("d", "after = {all = [\"\(c1)\"], when = \"end\"}")
        #expect(world.starts() == [])
        #expect(world.scheduler.jobs[c1]?.waitsFor == [b2])
        world.handle(.ended(b2, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
        #expect(world.starts() == ["c1"])
    }

    /// The recorded ends of a job that was retried twice, and the result of a job that comes after it.
    static let records: [(ends: [String: JobState], became: String)] = [
        (["b": .failed, "b1": .failed, "b2": .done], "started c 1"), (["b2": .done], "started c 1"),
        (["b": .done, "b2": .failed], "ended c 0 failed dependency"),
        // The newest retry was withdrawn, or its record was removed.
        (["b": .failed, "b1": .done], "started c 1"), (["b": .done], "started c 1"), ([:], "ended c 0 failed rejected"),
    ]

    @Test(arguments: records, [false, true])
    func ofRetriesThatEndedLongAgoTheNewestOnRecordCounts(_ row: (ends: [String: JobState], became: String), isRotated: Bool) {
        var world = World()
        let b = world.drop("b")
        world.lines()
        world.end("b")
        world.lines()
        var ids = ["b": b]
        for (name, old) in [("b1", "b"), ("b2", "b1")] {
            let id = retry(world, name, of: ids[old]!)
            ids[name] = id
            world.lines()
            world.handle(.ended(id, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
            world.lines()
        }
        let ends = Dictionary(uniqueKeysWithValues: row.ends.map { (ids[$0.key]!, $0.value) })
        if isRotated {
            world.scheduler.forgetRetries(gone: Set(world.scheduler.endedRetries.filter { ends[$0] == nil }))
            world.rotate()
        }
        world = World.restored(from: world.records, at: world.now)
        world.handle(.dropped(world.job("c", "after = \"\(b)\""), OnRecord(ends: ends)))
        #expect(world.lines().last == row.became)
    }

    @Test func aRetryInTheTurnOfAnEndKeepsThoseThatWait() {
        let world = World()
        let a = world.drop("a")
        let b = world.drop("b", "after = \"\(a)\"")
        world.drop("c", "after = \"\(b)\"")
        world.lines()
        world.end("a", .exited(1))
        let again = retry(world, "a1", of: a)
        #expect(world.lines() == ["ended a 1 failed exit", "accepted a1", "started a1 1"])
        for one in [
            world, World.restored(from: world.records, at: world.now),
            World.restored(from: world.scheduler.snapshot(at: world.now), at: world.now),
        ]
        {
            one.handle(.ended(again, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
            #expect(one.lines() == ["ended a1 1 done", "started b 1"])
        }
    }

    @Test func aCopyOfAJobThatHasNotEndedTakesItsPlaceTooAndWaitsForNobodyThatWaitsForIt() {
        let world = World()
        let a = world.drop("a")
        let b = world.drop("b", "after = \"\(a)\"")
        world.lines()
        let ring = retry(world, "ring", of: a, "after = \"\(b)\"")
        #expect(world.lines() == ["accepted ring"])
        #expect(world.scheduler.jobs[b]?.waitsFor == [a] && world.scheduler.jobs[ring]?.waitsFor == [b])
        let copy = retry(world, "copy", of: a)
        #expect(world.starts() == ["copy"])
        #expect(world.scheduler.jobs[b]?.waitsFor == [copy])
    }

    @Test func familiesOfWhichNothingIsLeftAreForgotten() {
        let ids = (0..<200).map { JobID(instant: at("01:00"), name: "r", unique: UInt64($0)) }
        var retries = Retries()
        for (index, id) in ids.enumerated().dropFirst() { retries.add(id, of: ids[index - 1]) }
        #expect(retries.family(of: ids[0]) == ids.reversed())
        retries.forget { $0 != ids[198] }
        #expect(retries.family(of: ids[198]).first == ids[198] && retries.family(of: ids[198]).count == Retries.goneMax)
        retries.forget { _ in true }
        #expect(retries.family(of: ids[198]) == [ids[198]])
    }

    @Test func aTasksNameMeansItsLatestRun() {
        let world = World()
        world.task("t", "overlap = \"allow\"")
        world.drop("early", "after = \"t\"")
        #expect(world.lines().suffix(2) == ["accepted early", "ended early 0 failed rejected"])
        #expect(world.turn.places.first?.error == "early.toml:2:9: after \"t\": the task has not run yet")
        world.drop("t1", "overlap = \"allow\"", of: "t")
        world.drop("t2", "overlap = \"allow\"", of: "t")
        world.drop("a", "after = \"t\"")
        world.lines()
        world.drop("t3", "overlap = \"allow\"", of: "t")
        world.end("t1", .exited(1))
        #expect(world.starts() == ["t3"])
        world.end("t2")
        #expect(world.starts() == ["a"])
        world.end("t3", .exited(1))
        world.lines()
        for again in [world, world.restarted(at: "02:01"), World.restored(from: world.scheduler.snapshot(at: world.now), at: world.now)] {
            again.drop("b", "after = \"t\"")
            #expect(again.lines().suffix(2) == ["accepted b", "ended b 0 failed dependency"])
            again.drop("c", "after = {all = [\"t\"], when = \"end\"}")
            #expect(again.starts() == ["c"])
        }
    }

    @Test func aDueRunWaitsForAnotherTask() {
        let world = World()
        world.task("backup", "")
        world.task("report", "after = \"backup\"\n[[schedule]]\ncron = \"5 2 * * *\"")
        world.drop("b", of: "backup")
        #expect(world.until("02:05").last == "02:05:00 accepted report due 02:05:00")
        world.end("b")
        #expect(world.starts() == ["report"])
    }

    @Test func whatNobodyKnowsAndWhatGoesRoundIsRefused() {
        let world = World(slots: 1)
        let gone = JobID(instant: at("01:00"), name: "gone", unique: 1)
        func error(_ name: String, _ keys: String, id: JobID? = nil) -> String {
            world.handle(.dropped(world.job(name, keys, id: id)))
            #expect(world.lines().contains("ended \(name) 0 failed rejected"))
            return world.turn.places.first { $0.name == name }?.error ?? ""
        }
        #expect(error("n", "after = \"\(gone)\"") == "n.toml:2:9: after \"\(gone)\": there is no such job")
        #expect(error("n", "after = [\"tsk\"]") == "n.toml:2:10: after \"tsk\": there is no job or task of that name")
        let own = JobID(instant: at("02:00"), name: "n", unique: 77)
        #expect(error("n", "after = \"\(own)\"", id: own) == "n.toml:2:9: after \"\(own)\": the job would wait for itself")
        world.drop("x")
        let a = world.drop("a")
        let b = world.drop("b", "after = \"\(a)\"")
        let c = world.drop("c", "after = \"\(b)\"")
        world.lines()
        // An edit would close the ring.
        #expect(error("a", "after = \"\(c)\"", id: a) == "a.toml:2:9: after \"\(c)\": the job would wait for itself")
        world.end("x")
        #expect(world.starts() == [])
        #expect(world.scheduler.jobs.isEmpty)
    }

    @Test func aKeyIsTakenWhileItsJobIsThere() {
        let world = World(slots: 1)
        let a = world.drop("a", "unique = \"k\"")
        world.drop("b", "unique = \"k\"")
        world.drop("c", "unique = \"other\"")
        #expect(world.lines() == ["accepted a", "accepted b", "ended b 0 failed rejected", "accepted c", "started a 1"])
        #expect(world.turn.places.first { $0.name == "b" }?.error == "b.toml:2:10: unique \"k\" is taken by \(a)")
        let again = World.restored(from: world.records, at: world.now)
        #expect(again.scheduler.holder(ofUnique: "k") == a)
        // A new version of the same job does not conflict with itself.
        world.handle(.dropped(world.job("c", "unique = \"other\"\npriority = 1", id: world["c"]!.id)))
        #expect(world.lines() == ["accepted c"])
        world.end("a")
        world.lines()
        #expect(world.scheduler.holder(ofUnique: "k") == nil)
        world.handle(.dropped(world.job("d", "unique = \"k\""), OnRecord(holder: a)))
        #expect(world.lines().contains("ended d 0 failed rejected"))
        world.drop("e", "unique = \"k\"")
        #expect(world.lines() == ["accepted e"])
    }
}
