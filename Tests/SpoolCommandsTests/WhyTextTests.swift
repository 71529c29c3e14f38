import Store
import TestSupport
import Testing

@testable import SpoolCommands

@Suite("Why, in sentences") struct WhyTextTests {
    static let wording = Wording(now: now, zone: .utc, isForTerminal: false)

    @Test("Instants and spans are in UTC in a pipe")
    func instants() {
        #expect(Self.wording.instant(now) == "2026-11-21T02:00:00Z")
        #expect(Self.wording.span(now, nil) == "since \(Self.wording.instant(now))")
        #expect(Self.wording.span(now, after(60)) == "from \(Self.wording.instant(now)) to \(Self.wording.instant(after(60)))")
    }

    static let downtimes: [(down: Downtime, text: String)] = [
        (Downtime(from: Instant(milliseconds: 0), wasStopped: false), "spoold has never run on this spool"),
        (Downtime(from: now, wasStopped: true), "spoold has not been running since NOW"),
        (Downtime(from: now, wasStopped: false), "spoold has not been running since NOW (its last sign of life)"),
        (Downtime(from: now, wasStopped: true, to: now), "spoold was not running from NOW to NOW"),
    ]

    @Test("A time without a daemon is a sentence", arguments: downtimes)
    func downtime(_ row: (down: Downtime, text: String)) {
        #expect(Self.wording.downtime(row.down) == row.text.replacing("NOW", with: Self.wording.instant(now)))
    }

    static let lists = [(["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d", "e"], "a, b, c and 2 more")]

    @Test("Of many ids only three are named", arguments: lists)
    func list(_ row: (ids: [String], text: String)) { #expect(Wording.list(row.ids) == row.text) }

    // MARK: Due times

    private static func ended(
        _ state: JobState, _ reason: FailureReason?, exit: Int? = nil, signal: Int32? = nil, error: String? = nil
    ) -> Ending {
        var ending = Ending(attempt: 1, state: state, reason: reason)
        (ending.exitCode, ending.signal, ending.error) = (exit, signal, error)
        return ending
    }

    static let outcomes: [(ending: Ending, text: String)] = [
        (ended(.done, nil, exit: 0), "succeeded"),
        (ended(.failed, .exit, exit: 3), "failed: exit 3"),
        (ended(.failed, .signal, signal: 9), "failed: ended by \(Signal.name(9))"),
        (ended(.new, .exit, exit: 1, error: "exit 1"), "failed (exit 1) and is to be tried again"),
        (ended(.failed, .canceled, error: "canceled while it ran"), "was canceled while it ran"),
        (ended(.failed, .lost), "failed: lost"),
        (ended(.failed, .spawn, error: "/x: no such file"), "failed: /x: no such file"),
    ]

    @Test("The end of a run is the predicate of a sentence", arguments: outcomes)
    func outcome(_ row: (ending: Ending, text: String)) { #expect(VerdictText.outcome(row.ending) == row.text) }

    static let verdicts: [(outcome: DueVerdict.Outcome, why: DueVerdict.Why?, isOf: String)] = [
        (.skipped, .overlap, "was skipped: an earlier run had not ended"),
        (.skipped, .paused, "was skipped: the task was paused"),
        (.skipped, .disabled, "was skipped: its schedule is disabled"),
        (.skipped, .missed, "was missed, and its schedule does not catch it up"),
        (.none, .removed, "the schedule was removed at ?"),
        (.unknown, .forgotten, "is before the oldest record of the journal"),
        (.unknown, nil, "is not accounted for in the journal"),
    ]

    @Test("The result of a due time is the predicate of a sentence", arguments: verdicts)
    func verdict(_ row: (outcome: DueVerdict.Outcome, why: DueVerdict.Why?, isOf: String)) {
        var verdict = DueVerdict(due: now, schedule: "s", outcome: row.outcome)
        verdict.why = row.why
        #expect(VerdictText(wording: Self.wording).predicate(verdict) == row.isOf)
    }

    // MARK: Rings

    static let rings: [(ring: [WaitRing.Step], text: String, isOfCommands: Bool)] = [
        ([.init(job: "a", cause: .command)], "a waits for itself", true),
        (
            [.init(job: "a", cause: .command), .init(job: "b", cause: .command)],
            "a runs, and a command in it waits for b; b runs, and a command in it waits for a", true
        ),
        (
            [.init(job: "a", cause: .after), .init(job: "b", cause: .lock("db"))],
            "a is to start after b; b needs lock db, which a holds", false
        ),
        (
            [.init(job: "a", cause: .command), .init(job: "b", cause: .slots(1))],
            "a runs, and a command in it waits for b; b needs a slot, and the only one is taken by a job that waits, such as a", false
        ),
        (
            [.init(job: "a", cause: .command), .init(job: "b", cause: .queue("q", 2))],
            "a runs, and a command in it waits for b; b needs a slot of queue q, and all 2 are taken by jobs that wait, such as a", false
        ),
    ]

    @Test("Jobs that wait for one another are named in a ring", arguments: rings)
    func ring(_ row: (ring: [WaitRing.Step], text: String, isOfCommands: Bool)) {
        #expect(WaitRing.text(row.ring) == row.text)
        #expect(WaitRing.isOfCommandsAlone(row.ring) == row.isOfCommands)
    }
}
