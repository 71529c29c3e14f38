import Testing

@testable import Scheduler

/// Patterns: their next due time is computed, or asked of a program, when the run before has ended.
@Suite struct AskTests {
    // MARK: Wall-clock forms

    @Test func whatPassesWhileARunIsUnderWayWasNeverDue() {
        let world = World(at: "01:00")
        world.task("t", "overlap = \"queue\"\n[[schedule]]\npattern = \"**.02.00.00\"")
        #expect(world.until("02:00").suffix(2) == ["02:00:00 accepted t due 02:00:00", "02:00:00 started t 1"])
        // The run takes two and a half days. Two due times pass, and are neither queued nor missed.
        #expect(world.until("2026-11-23T14:00:00.000Z") == [])
        #expect(world.scheduler.nextWake() == nil)
        world.end("t")
        #expect(world.lines() == ["ended t 1 done"])
        #expect(world.scheduler.nextWake() == at("2026-11-24T02:00:00.000Z"))
        #expect(
            world.until("2026-11-24T02:00:00.000Z") == [
                "2026-11-24T02:00:00 accepted t due 2026-11-24T02:00:00", "2026-11-24T02:00:00 started t 1",
            ])
    }

    @Test func betweenTwoTriesTheRunHasNotEnded() {
        let world = World(at: "01:00")
        world.task("t", "tries = 2\nbackoff = \"30h\"\n[[schedule]]\npattern = \"sat|sun.02.00.00\"")
        world.until("02:00")
        world.end("t", .exited(1))
        #expect(world.until("2026-11-22T08:00:00.000Z").last == "2026-11-22T08:00:00 started t 2")
        world.end("t")
        world.lines()
        #expect(world.scheduler.nextWake() == at("2026-11-28T02:00:00.000Z"))
    }

    /// Keys, and the records when the daemon starts on the 25th at 06:30 after it ended on the 21st at 01:00.
    static let downtimes: [(keys: String, said: [String])] = [
        ("", ["skipped t 02:00:00 to 2026-11-25T01:59:59.999 (4) merged", "accepted t due 2026-11-25T02:00:00", "started t 1"]),
        (
            "catch_up = \"all\"\ncatch_up_limit = 2",
            [
                "skipped t 02:00:00 to 2026-11-24T01:59:59.999 (3) missed", "accepted t due 2026-11-24T02:00:00",
                "accepted t due 2026-11-25T02:00:00", "started t 1",
            ]),
        ("catch_up = \"none\"", ["skipped t 02:00:00 to 2026-11-25T02:00:00 (5) missed"]),
    ]

    @Test(arguments: downtimes)
    func aDowntimeIsCaughtUpByTheRule(_ row: (keys: String, said: [String])) {
        let world = World(at: "01:00")
        world.task("t", "[[schedule]]\npattern = \"**.02.00.00\"\n\(row.keys)")
        world.lines()
        let next = world.restarted(at: "2026-11-25T06:30:00.000Z")
        #expect(next.lines() == ["daemon started"] + row.said)
        while next["t"] != nil {
            next.end("t")
            next.lines()
        }
        #expect(next.scheduler.nextWake() == at("2026-11-26T02:00:00.000Z"))
        #expect(next.restarted(at: "2026-11-25T07:00:00.000Z").lines() == ["daemon started"])
    }

    @Test func aRunThatEndedWhileTheDaemonWasDownIsWhatTheNextCountsFrom() {
        let world = World(at: "01:00")
        world.task("t", "[[schedule]]\npattern = \"**.02.00.00\"")
        world.until("02:00")
        let job = world["t"]!
        let next = World.restored(from: world.records, at: at("2026-11-24T12:00:00.000Z"))
        // The run ended on the 23rd at noon. Due times before that passed while it ran; the one of the 24th was missed.
        let end = RunResult(outcome: .exited(0), startedAt: job.startedAt, endedAt: at("2026-11-23T12:00:00.000Z"))
        next.handle(.ended(job.id, attempt: 1, end))
        next.task("t", "[[schedule]]\npattern = \"**.02.00.00\"")
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["ended t 1 done", "daemon started", "accepted t due 2026-11-24T02:00:00", "started t 1"])
    }

    @Test func aRunByHandIsNoneOfTheSchedules() {
        let world = World(at: "01:00")
        world.task("t", "[[schedule]]\npattern = \"**.02.00.00\"")
        world.drop("r", of: "t")
        world.lines()
        #expect(world.until("02:00") == ["02:00:00 accepted t due 02:00:00"])
        world.end("r")
        #expect(world.lines() == ["ended r 1 done", "started t 1"])
    }

    // MARK: Programs

    static let keys = "[[schedule]]\nid = \"s\"\npattern = \"ext:k:a b\""

    func asking(_ keys: String = Self.keys, at time: String = "02:00") -> World {
        let world = World(at: time)
        world.task("t", keys)
        world.lines()
        return world
    }

    @Test func aProgramIsAskedAndItsAnswerIsDueOnce() {
        let world = asking()
        #expect(world.turn.questions.count == 1)
        let question = world.questions[0]
        #expect(question.task == "t" && question.schedule == "s" && question.program.key == "k" && question.program.arguments == "a b")
        #expect(question.last == nil && question.after == at("02:00") && question.zone === Zone.utc)
        // The scheduler sets no timer and does not ask twice.
        #expect(world.scheduler.nextWake() == nil && world.until("02:01") == [] && world.turn.questions.isEmpty)
        world.answer("02:10")
        #expect(world.lines() == ["answered t 02:10:00"])
        #expect(world.scheduler.nextDue()?.instant == at("02:10"))
        #expect(world.until("02:20") == ["02:10:00 accepted t due 02:10:00", "02:10:00 started t 1"])
        // The program is asked again when the run has ended.
        #expect(world.questions.isEmpty)
        world.end("t")
        #expect(world.lines() == ["ended t 1 done"])
        #expect(world.questions[0].last == at("02:10") && world.questions[0].after == at("02:20"))
    }

    @Test func neverIsNeverUntilTheProgramOrTheTaskChanges() {
        let world = asking()
        world.answer(.never)
        #expect(world.lines() == [] && world.questions.isEmpty)
        #expect(world.scheduler.nextWake() == nil)
        world.handle(.programChanged("other"))
        #expect(world.lines() == [] && world.questions.isEmpty)
        world.handle(.programChanged("k"))
        world.lines()
        world.answer(.never)
        world.task("t", "timeout = 5\n\(Self.keys)")
        #expect(world.lines() == ["defined tasks/t"])
        world.answer("03:00")
        #expect(world.lines() == ["answered t 03:00:00"])
    }

    @Test func aFailureIsAskedAgainAfterAMinuteDoublingToAnHour() {
        let world = asking()
        var waits: [Int64] = []
        for _ in 0..<9 {
            let failed = world.now
            world.answer(.failed("exited with 3"))
            #expect(world.lines() == [])
            #expect(world.scheduler.unanswered.map(\.why) == ["exited with 3"])
            world.until("2026-11-30T00:00:00.000Z")
            waits.append((world.questions[0].after.milliseconds - failed.milliseconds) / 1000)
            world.now = world.questions[0].after
        }
        #expect(waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600])
        world.answer("2026-11-29T00:00:00.000Z")
        world.lines()
        #expect(world.scheduler.unanswered.isEmpty)
        // After a success the next failure counts as the first one again.
        world.handle(.programChanged(nil))
        world.lines()
        world.answer(.failed("x"))
        world.lines()
        #expect(world.scheduler.nextWake() == world.now.advanced(byMilliseconds: 60_000))
    }

    @Test func aFailureStopsNoOtherScheduleAndAChangeAsksAtOnce() {
        let world = asking("overlap = \"allow\"\n\(Self.keys)\n[[schedule]]\ncron = \"* * * * *\"")
        world.answer(.failed("x"))
        #expect(world.until("02:00:30").isEmpty)
        world.handle(.programChanged("k"))
        world.lines()
        #expect(world.questions.map(\.after) == [at("02:00:30")])
        #expect(world.until("02:03").filter { $0.contains("accepted") }.count == 3)
        // The program was asked and has not answered. The end of the old wait does not ask it again.
        #expect(world.questions.count == 1)
    }

    @Test func anAnswerThatIsNotLaterIsAFailure() {
        let world = asking()
        world.answer("02:00")
        #expect(world.lines() == [])
        #expect(world.scheduler.unanswered.map(\.why) == ["2026-11-21T02:00:00.000Z is not later than 2026-11-21T02:00:00.000Z"])
    }

    @Test func aKnownAnswerStaysUntilThereIsAnother() {
        let world = asking()
        world.answer("03:00")
        world.lines()
        world.now = at("02:30")
        world.handle(.programChanged("k"))
        world.lines()
        #expect(world.questions.count == 1 && world.scheduler.nextDue()?.instant == at("03:00"))
        world.answer(.failed("x"))
        world.lines()
        #expect(world.scheduler.nextDue()?.instant == at("03:00"))
        world.until("02:31")
        world.answer("02:45")
        #expect(world.lines() == ["answered t 02:45:00"])
        world.handle(.programChanged("k"))
        world.lines()
        world.answer(.never)
        #expect(world.lines() == ["answered t never"])
        #expect(world.scheduler.nextWake() == nil)
    }

    @Test func anAnswerToAnEarlierQuestionIsNone() {
        let world = asking()
        world.handle(.programChanged("k"))
        world.lines()
        #expect(world.questions.count == 2)
        world.answer("02:05")
        #expect(world.lines() == [])
        world.answer("02:10")
        #expect(world.lines() == ["answered t 02:10:00"])
        // The program is asked again just before the time is due. The time becomes due before the answer, which repeats it.
        world.handle(.programChanged("k"))
        world.until("02:10")
        #expect(world["t"] != nil)
        world.answer("02:10:01")
        #expect(world.until("02:11") == [])
    }

    @Test func whatChangesOftenInATurnIsAskedOnce() {
        let world = World()
        world.task("t", Self.keys)
        world.handle(.programChanged("k"))
        world.task("t", "timeout = 5\n\(Self.keys)")
        world.handle(.programChanged(nil))
        world.lines()
        #expect(world.questions.count == 1)
    }

    @Test func whileItRunsNothingIsAsked() {
        let world = asking()
        world.answer("02:01")
        world.until("02:01")
        world.handle(.programChanged(nil))
        world.task("t", "timeout = 5\n\(Self.keys)")
        world.lines()
        #expect(world.questions.isEmpty)
        world.end("t")
        world.lines()
        #expect(world.questions.count == 1)
    }

    @Test func onlyWhatIsEnabledAndInForceIsAsked() {
        let world = asking("\(Self.keys)\nenabled = false")
        #expect(world.questions.isEmpty)
        world.task("t", Self.keys)
        world.lines()
        #expect(world.questions.count == 1)
        // The answer arrives after the task's file was removed.
        world.handle(.taskRemoved("t"))
        world.answer("02:10")
        #expect(world.lines() == ["undefined tasks/t", "unscheduled t"])
        world.schedule("f", of: "u", "pattern = \"ext:k:\"")
        world.lines()
        #expect(world.questions.isEmpty)
        world.task("u", "")
        world.lines()
        world.answer(.failed("x"))
        world.handle(.taskRemoved("u"))
        world.lines()
        #expect(world.scheduler.nextWake() == nil && world.scheduler.unanswered.isEmpty)
        world.task("u", "")
        world.lines()
        world.answer("02:10")
        #expect(world.lines() == ["answered u 02:10:00"])
    }

    @Test func gatesHoldForAnswersToo() {
        let world = asking("\(Self.keys)\nnot_before = \"2026-11-21T05:00:00Z\"\nnot_after = \"2026-11-21T06:00:00Z\"")
        #expect(world.questions[0].after == at("04:59:59.999"))
        world.answer("05:00")
        world.until("05:00")
        world.end("t")
        world.lines()
        world.answer("06:00:01")
        world.lines()
        #expect(world.scheduler.nextWake() == nil)
    }

    @Test func anEditedPatternIsAskedAnewAndAnotherEditIsNot() {
        let world = asking()
        world.answer("03:00")
        world.lines()
        world.task("t", "timeout = 5\n\(Self.keys)")
        #expect(world.lines() == ["defined tasks/t"] && world.questions.isEmpty)
        world.task("t", "[[schedule]]\nid = \"s\"\npattern = \"ext:k:other\"")
        #expect(world.lines() == ["defined tasks/t", "scheduled t from 02:00:00"])
        #expect(world.questions.count == 1 && world.scheduler.nextDue() == nil)
    }

    @Test func aPausedTasksDueTimeIsSkippedAndTheNextIsAsked() {
        let world = asking()
        world.answer("02:10")
        world.handle(.paused(.task("t"), note: ""))
        #expect(world.until("02:10").last == "02:10:00 skipped t 02:10:00 to 02:10:00 (1) paused")
        #expect(world.questions.map(\.last) == [at("02:10")])
    }

    // MARK: Restarts

    /// Keys, and the records when the daemon starts at 06:30 after an answer of 03:00.
    static let restarts: [(keys: String, said: [String])] = [
        ("", ["accepted t due 03:00:00", "started t 1"]), ("catch_up = \"all\"", ["accepted t due 03:00:00", "started t 1"]),
        ("catch_up = \"none\"", ["skipped t 03:00:00 to 03:00:00 (1) missed"]),
    ]

    @Test(arguments: restarts, [false, true])
    func anAnswerThatPassedWhileTheDaemonWasDownIsCaughtUp(_ row: (keys: String, said: [String]), fromSnapshot: Bool) {
        let world = asking("\(Self.keys)\n\(row.keys)")
        world.answer("03:00")
        world.lines()
        let records = fromSnapshot ? world.scheduler.snapshot(at: world.now) : world.records
        let next = World.restored(from: records, at: at("06:30"))
        next.task("t", "\(Self.keys)\n\(row.keys)")
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["daemon started"] + row.said)
        if next["t"] != nil {
            #expect(next.questions.isEmpty)
            next.end("t")
            next.lines()
        }
        #expect(next.questions.map(\.last) == [at("03:00")] && next.questions.map(\.after) == [at("06:30")])
    }

    @Test(arguments: [false, true])
    func anAnswerThatIsYetToComeIsKept(fromSnapshot: Bool) {
        let world = asking()
        world.answer("02:10")
        world.until("02:10")
        world.end("t")
        world.lines()
        world.answer("09:00")
        world.lines()
        let records = fromSnapshot ? world.scheduler.snapshot(at: world.now) : world.records
        let next = World.restored(from: records, at: at("06:30"))
        next.task("t", Self.keys)
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["daemon started"])
        #expect(next.questions.isEmpty && next.scheduler.nextWake() == at("09:00"))
        next.handle(.programChanged("k"))
        next.lines()
        #expect(next.questions.map(\.last) == [at("02:10")])
    }

    @Test(arguments: [Answer.never, .failed("x")], [false, true])
    func whatWasNotAnsweredWithATimeIsAskedAtTheStart(answer: Answer, fromSnapshot: Bool) {
        let world = asking()
        world.answer("02:10")
        world.until("02:10")
        world.end("t")
        world.lines()
        world.answer(answer)
        world.lines()
        let records = fromSnapshot ? world.scheduler.snapshot(at: world.now) : world.records
        let next = World.restored(from: records, at: at("06:30"))
        next.task("t", Self.keys)
        next.handle(.started(boot: "b1", version: "1"))
        #expect(next.lines() == ["daemon started"])
        #expect(next.questions.map(\.last) == [at("02:10")])
    }

    @Test func aRunThatOutlivesTheDaemonIsAskedAfterItsEnd() {
        let world = asking()
        world.answer("02:10")
        world.until("02:10")
        let job = world["t"]!
        let next = world.restarted(at: "03:00")
        #expect(next.lines() == ["daemon started"] && next.questions.isEmpty)
        next.handle(.ended(job.id, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: next.now)))
        next.lines()
        #expect(next.questions.map(\.last) == [at("02:10")])
    }

    // MARK: The clock

    @Test func aClockSetBackAsksForWhatIsLaterThanWhatIsAccountedFor() {
        let world = asking()
        world.answer("02:10")
        world.until("02:10")
        world.end("t")
        world.now = at("01:00")
        world.lines()
        #expect(world.questions[0].after == at("02:10"))
        world.answer(.failed("x"))
        world.lines()
        // After the clock is set back the end of the wait would be far in the future, so the program is asked at once.
        world.now = at("2026-11-20T00:00:00.000Z")
        world.lines()
        #expect(world.questions.count == 1)
    }

    @Test func aClockSetForwardMissesAnAnswerAsAnyOther() {
        for (keys, said) in Self.restarts {
            let world = asking("\(Self.keys)\n\(keys)")
            world.answer("03:00")
            world.lines()
            world.now = at("06:30")
            #expect(world.lines() == said)
        }
    }
}
