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

    @Test("A queue has the jobs, slots and pauses of its own part")
    func queues() {
        var snapshot = Self.both()
        snapshot.now = after(10)
        func text(_ queue: Snapshot.Queue) -> String {
            let pause = queue.pause.map { " \($0.scope.spoken())" } ?? ""
            return "\(queue.title) \(queue.running)+\(queue.waiting) of \(queue.slots.map { "\($0)" } ?? "-")\(pause)"
        }
        #expect(
            snapshot.queues.map(text) == [
                "default 1+2 of -", "disk 1+1 of 1", "alice/default 1+2 of - everything", "alice/disk 1+1 of 1 everything",
            ])
        #expect(snapshot.queues[0].oldest == after(-3600), "a job that may not start yet has not waited")
        #expect(Snapshot.queue(of: snapshot.running[2].status) == "alice/disk" && Snapshot.queue(of: snapshot.running[0].status) == "disk")
        snapshot.surroundings.pauses = [(.queue("night"), "no power")]
        #expect(snapshot.queues.map(text).contains("night 0+0 of - queue night"))
    }

    @Test("A task is late when a run that was due over a minute ago has not begun")
    func late() {
        var snapshot = Snapshot(now: now, zone: .utc, spool: "/spool")
        func run(_ task: String, _ number: Int, due seconds: Int64, _ change: (inout JobStatus) -> Void = { _ in }) {
            snapshot.waiting.append(
                .init(
                    status: status(task, number) {
                        ($0.task, $0.schedule, $0.due) = (task, "s", after(seconds))
                        change(&$0)
                    }))
        }
        run("b", 1, due: -61)
        run("b", 2, due: -300)
        run("a", 3, due: -3600)
        run("soon", 4, due: -59)
        run("jittered", 5, due: -300) { $0.notBefore = after(5) }
        run("again", 6, due: -300) { $0.attempt = 1 }
        run("submitted", 7, due: -300) { $0.schedule = nil }
        #expect(snapshot.late.map { "\($0.task) \($0.oldest.status.id) \($0.count)" } == ["a \(id("a", 3)) 1", "b \(id("b", 2)) 2"])
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
