import Testing

@testable import Scheduler

/// `on_success`, `on_failure`, `on_end`, `mail`, `pause_on_failure`, `expect`.
@Suite struct FollowTests {
    /// The follow-ups that each end of the job starts.
    static let ends: [(outcome: RunResult.Outcome, hasOutput: Bool, follow: [String])] = [
        (.exited(0), false, ["a.on_end", "a.on_success"]), (.exited(3), false, ["a.mail", "a.on_end", "a.on_failure"]),
        (.exited(0), true, ["a.mail", "a.on_end", "a.on_success"]), (.lost("x"), false, ["a.mail", "a.on_end", "a.on_failure"]),
        (.timedOut(exitCode: nil, signal: 15), true, ["a.mail", "a.on_end", "a.on_failure"]),
    ]

    static let keys = "on_success = [\"s\"]\non_failure = \"f $x\"\non_end = [\"e\"]\nmail = {to = \"root\", when = \"output\"}"

    @Test(arguments: ends)
    func theEndOfAJobIsFollowedByWhatItAsksFor(_ row: (outcome: RunResult.Outcome, hasOutput: Bool, follow: [String])) {
        let world = World()
        let id = world.drop("a", Self.keys)
        world.lines()
        var result = RunResult(outcome: row.outcome, startedAt: world.now, endedAt: world.now)
        result.hasOutput = row.hasOutput
        world.handle(.ended(id, attempt: 1, result))
        world.handle(.ended(id, attempt: 1, result))
        world.lines()
        #expect(world.turn.starts.map(\.name).sorted() == row.follow)
        #expect(world.turn.starts.allSatisfy { $0.parent == id })
        #expect(world.starts() == [])
    }

    @Test func whoeverCanceledAJobIsNotToldThatItFailed() {
        let world = World(slots: 1)
        let running = world.drop("a", Self.keys)
        let waiting = world.drop("b", Self.keys)
        world.lines()
        world.handle(.cancel(running))
        world.handle(.cancel(waiting))
        world.end("a", .signaled(15, coreDumped: false))
        world.lines()
        #expect(world.scheduler.jobs.values.map(\.name).sorted() == ["a.on_end", "b.on_end"])
    }

    @Test func onlyTheLastTryIsFollowed() {
        let world = World()
        world.drop("a", "on_failure = [\"f\"]\ntries = 2\nbackoff = 0")
        world.lines()
        world.end("a", .exited(1))
        #expect(world.starts() == ["a"])
        world.end("a", .exited(1))
        #expect(world.starts() == ["a.on_failure"])
    }

    @Test func aFollowUpIsToldWhatItFollows() throws {
        let world = World()
        world.scheduler.settings.spool = "/spool"
        world.scheduler.settings.host = "h"
        world.task("alert", "command = [\"alert\"]\nenv = {A = 1}\npriority = 7\n[[schedule]]\ncron = \"@daily\"")
        let id = world.drop("a", "on_failure = \"alert\"\non_end = \"notify me\"\nenv = {OWN = \"x\"}\ndirectory = \"/d\"\npayload = 5")
        world.lines()
        world.end("a", .exited(3))
        world.lines()
        let alert = try #require(world.turn.starts.first { $0.name == "alert" })
        #expect(alert.task == "alert" && alert.definition.priority == 7 && alert.definition.action == .arguments(["alert"]))
        let told = Dictionary(uniqueKeysWithValues: alert.definition.environment.map { ($0.name, $0.value) })
        #expect(told == [
            "A": "1", "SPOOL_PARENT_ID": id.text, "SPOOL_PARENT_NAME": "a", "SPOOL_PARENT_TASK": "",
            "SPOOL_PARENT_DIR": "/spool/failed/\(id)",
            "SPOOL_PARENT_STATE": "failed", "SPOOL_PARENT_REASON": "exit", "SPOOL_PARENT_EXIT_CODE": "3", "SPOOL_PARENT_SIGNAL": "",
        ])
        let payload = String(decoding: alert.definition.payload ?? [], as: UTF8.self)
        for part in ["\"id\":\"\(id)\"", "\"payload\":5", "\"host\":\"h\"", "\"exit_code\":3"] {
            #expect(payload.contains(part), "\(payload)")
        }
        let line = try #require(world.turn.starts.first { $0.name == "a.on_end" })
        #expect(line.definition.action == .line("notify me") && line.definition.directory == "/d" && line.task == nil)
        #expect(line.definition.environment.contains { $0 == ("OWN", "x") })
    }

    @Test func aFollowUpThatCannotBeIsARecordThatSaysWhy() {
        let world = World()
        let id = world.drop("a", "on_end = \"nobody\"")
        world.lines()
        world.end("a")
        #expect(world.lines() == ["ended a 1 done", "accepted nobody", "ended nobody 0 failed rejected"])
        #expect(world.turn.places.first { $0.name == "nobody" }?.error == "on_end of \(id): 1:1: there is no task \"nobody\"")
    }

    @Test func aTaskThatFollowsItselfComesToAnEnd() {
        let world = World()
        world.task("t", "on_end = \"t\"\noverlap = \"allow\"")
        world.drop("t", "on_end = \"t\"", of: "t")
        var count = 0
        while world.starts() == ["t"], count < 100 {
            count += 1
            let job = world.turn.starts[0]
            world.handle(.ended(job.id, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
            world.now = world.now.advanced(byMilliseconds: 1)
        }
        #expect(count == Scheduler.depthMax + 1)
        #expect(world.turn.records.suffix(2).map { line($0.record) } == ["accepted t", "ended t 0 failed rejected"])
        #expect(world.scheduler.jobs.isEmpty)
    }

    /// Cuts the journal after each record. Each follow-up still exists exactly once.
    @Test func aFollowUpIsTakenUpOnceWhereverTheJournalIsCut() {
        let world = World()
        world.drop("a", "on_success = [\"s\"]\non_end = [\"e\"]")
        world.lines()
        world.end("a")
        world.lines()
        for count in 0...world.records.count {
            let again = World.restored(from: Array(world.records.prefix(count)), at: world.now)
            again.lines()
            if let a = again.scheduler.jobs.values.first(where: { $0.name == "a" }) {
                again.handle(.ended(a.id, attempt: 1, RunResult(outcome: .exited(0), startedAt: nil, endedAt: world.now)))
                again.lines()
            }
            #expect(
                again.scheduler.jobs.values.map(\.name).sorted() == (count == 0 ? [] : ["a.on_end", "a.on_success"]),
                "after \(count) records")
            #expect(again.scheduler.jobs.keys.allSatisfy { world.scheduler.jobs[$0] != nil })
        }
    }

    @Test func aMailsHeaderHoldsNothingThatAJobSays() throws {
        let world = World()
        world.scheduler.settings.host = "h\nBcc: x"
        world.scheduler.settings.mailCommand = ["/bin/it's here", "-t"]
        let id = world.drop("a", "mail = \"a@b.c, d\"")
        world.lines()
        world.end("a", .notSpawned("no\nSubject: 'x' $(rm) `rm`"))
        world.lines()
        let mail = try #require(world.turn.starts.first)
        guard case .script(let text) = mail.definition.action
        else { throw Problems(DocumentError(position: Position(line: 1, column: 1), message: "no script", hint: nil)) }
        #expect(text.contains("'To: a@b.c, d' \\\n"))
        #expect(text.contains("'Subject: [localhost] a: spawn' \\\n"))
        #expect(text.contains("'a on localhost failed at 2026-11-21T02:00:00.000Z: no\nSubject: '\\''x'\\'' $(rm) `rm`'"))
        #expect(text.hasSuffix("} | '/bin/it'\\''s here' '-t'\n"))
        #expect(mail.parent == id && mail.definition.tries > 1)
    }

    @Test(arguments: [
        ("Nightly dump", "a (Nightly dump)"), ("Nächtlich", "a (=?utf-8?Q?N=C3=A4chtlich?=)"),
        (
            "Ein Titel, der für ein einziges Wort ein wenig zu lang ist",
            "a (=?utf-8?Q?Ein_Titel=2C_der_f=C3=BCr_ein_einziges_Wort_ein_wenig_zu_lan?= =?utf-8?Q?g_ist?=)"
        ),
    ])
    func aTitleIsPartOfAMailsSubject(title: String, shown: String) throws {
        let world = World()
        world.drop("a", "mail = \"a@b.c\"\ntitle = \"\(title)\"")
        world.lines()
        world.end("a", .exited(1))
        world.lines()
        guard case .script(let text)? = world.turn.starts.first?.definition.action else {
            Issue.record("no mail")
            return
        }
        #expect(text.contains("'Subject: [localhost] \(shown): exit 1'"), "\(text)")
        #expect(text.contains("'a (\(title)) on localhost failed at"))
    }

    @Test func aTaskIsPausedWhenItsLastTryHasFailed() {
        let world = World()
        world.task("t", "pause_on_failure = true\ntries = 2\nbackoff = 0\n[[schedule]]\ncron = \"1 2 * * *\"")
        let id = world.drop("t1", "pause_on_failure = true\ntries = 2\nbackoff = 0", of: "t")
        world.lines()
        world.end("t1", .exited(1))
        #expect(world.starts() == ["t1"])
        world.end("t1", .exited(1))
        #expect(world.lines() == ["ended t1 2 failed exit", "paused task(\"t\")"])
        #expect(world.turn.pauses.map(\.note) == [id.text] && world.scheduler.pauses == [.task("t"): id.text])
        #expect(world.until("02:02") == ["02:01:00 skipped t 02:01:00 to 02:01:00 (1) paused"])
        world.handle(.resumed(.task("t")))
        let canceled = world.drop("t2", "pause_on_failure = true", of: "t")
        world.lines()
        world.handle(.cancel(canceled))
        world.end("t2", .signaled(15, coreDumped: false))
        world.lines()
        #expect(world.scheduler.pauses.isEmpty)
    }
}
