import LiveView
import Store
import TestSupport
import Testing

@Suite("A spool for everybody, as root sees it")
struct SnapshotPartsTests {
    /// root's own jobs, and the same jobs of user alice.
    static func both() -> Snapshot {
        var part = example()
        part.surroundings.pauses.append((.all, ""))
        var snapshot = example()
        snapshot.add(part, of: "alice")
        return snapshot
    }

    @Test("A user's jobs are in the lists under names that root's commands accept, and are counted")
    func lists() {
        let snapshot = Self.both()
        #expect(
            snapshot.running.map(\.status.id) == [id("backup", 0), id("report", 1), "alice/\(id("backup", 0))", "alice/\(id("report", 1))"])
        #expect(snapshot.waiting.count == 6 && snapshot.ended.count == 4 && snapshot.due.map(\.task) == ["nightly", "alice/nightly"])
        #expect(snapshot.runningCount == 4 && snapshot.waitingCount == 6)
        #expect(snapshot.rates.count(seconds: EndRates.hourSeconds, now: now) == .init(ended: 4, failed: 2))
        #expect(
            snapshot.slots.map { "\($0.queue ?? "-") \($0.used)/\($0.slots)" } == ["- 4/4", "disk 1/1"],
            "a user's queues are that user's own")
        let text = FrameTests.lines(160, 40, ViewState(), snapshot).joined(separator: "\n")
        for shown in [
            "alice/backup-1000", "alice/nightly", "paused: task nightly", "paused: everything of alice", "paused: task alice/nightly",
        ]
        {
            #expect(text.contains(shown), "\(shown) in:\n\(text)")
        }
    }

    @Test("A job is held by the pauses, locks and slots of its own part")
    func holds() throws {
        var snapshot = Self.both()
        snapshot.now = after(10)
        let first = try #require(snapshot.waiting.first { $0.status.id == "alice/\(id("first", 4))" })
        #expect(snapshot.holds(on: first).map(\.kind) == [.pause, .lock])
        let own = try #require(snapshot.waiting.first { $0.status.id == id("first", 4) })
        #expect(snapshot.holds(on: own).map(\.kind) == [.lock])
        let later = try #require(snapshot.waiting.first { $0.status.id == "alice/\(id("later", 3))" })
        #expect(snapshot.holds(on: later).first { $0.kind == .start }?.brief(later.status, now: snapshot.now) == "starts in 20s")
    }

    @Test("Keys act on the job as its owner", arguments: [
        ("jcy", [.cancel("alice/\(id("backup", 0))")]), ("jl", [.follow("alice/\(id("backup", 0))")]),
        ("4jr", [.retry("alice/\(id("good", 5))")]),
        ("jpu", [.pause(.queue("disk"), of: "alice")]), ("3pt", [.resume(.task("nightly"), of: "alice")]),
        ("3jpt", [.resume(.task("nightly"), of: nil)]), ("jpa", [.pause(.all, of: nil)]),
    ] as [(String, [ViewAction])])
    func keys(_ keys: String, _ actions: [ViewAction]) {
        var state = ViewState()
        #expect(keys.compactMap { state.take(.character($0), Self.both()) } == actions)
    }
}
