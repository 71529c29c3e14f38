import TestSupport
import Testing

@testable import Store

@Suite("The reasons that hold a job") struct HoldTests {
    private static func job(_ id: String, task: String? = nil, queue: String = "default") -> JobStatus {
        var status = JobStatus(id: id, name: id, due: now, createdAt: now, host: "h")
        status.task = task
        status.queue = queue
        status.notBefore = now
        return status
    }

    @Test func inTheOrderInWhichTheDaemonLooks() {
        var surroundings = WaitingSurroundings()
        var job = Self.job("j", task: "t", queue: "q")
        func kinds(_ overlap: Overlap = .wait) -> [Hold.Kind] { surroundings.holds(on: job, overlap: overlap, now: now).map(\.kind) }
        #expect(kinds() == [])
        surroundings.running = [Self.job("a", task: "t", queue: "q")]
        surroundings.slots = 1
        surroundings.queueSlots = ["q": 1]
        surroundings.pauses = [(.all, "n"), (.queue("q"), ""), (.queue("other"), ""), (.task("t"), ""), (.task("u"), "")]
        surroundings.daemonGoneSince = now
        job.notBefore = now.advanced(byMilliseconds: 1)
        #expect(kinds() == [.daemon, .start, .pause, .pause, .pause, .queue, .overlap, .slots])
        #expect(kinds(.allow) == [.daemon, .start, .pause, .pause, .pause, .queue, .slots])
        surroundings.waitsFor = ["b"]
        surroundings.heldLocks = [("disk", "a")]
        surroundings.held = "the load average is 9"
        #expect(kinds() == [.daemon, .after, .start, .pause, .pause, .pause, .queue, .overlap, .lock, .slots])
        var idle = WaitingSurroundings()
        idle.held = "the load average is 9"
        #expect(idle.holds(on: Self.job("j"), overlap: .wait, now: now).map(\.kind) == [.gate])
        surroundings.waitsFor = []
        surroundings.heldLocks = []
        job.attempt = 1
        #expect(kinds() == [.daemon, .retry, .pause, .pause, .pause, .queue, .slots])
    }

    @Test func theJobsInItsWay() {
        var surroundings = WaitingSurroundings()
        surroundings.running = [Self.job("a", task: "t"), Self.job("b", queue: "q"), Self.job("c")]
        surroundings.betweenTries = ["d"]
        surroundings.slots = 3
        surroundings.queueSlots = ["q": 2, "default": 2]
        let holds = surroundings.holds(on: Self.job("j", task: "t"), overlap: .wait, now: now)
        #expect(holds.map(\.jobs) == [["a", "c"], ["a", "d"], ["a", "b", "c"]])
        #expect(holds.map(\.slots) == [2, nil, 3])
        #expect(surroundings.holds(on: Self.job("j", queue: "q"), overlap: .wait, now: now).map(\.kind) == [.slots])
    }

    @Test("Slots that other users' jobs have are distinguished from free ones") func slotsOfOthers() {
        var surroundings = WaitingSurroundings()
        surroundings.slots = 4
        func hold() -> Hold? { surroundings.holds(on: Self.job("j"), overlap: .wait, now: now).first }
        #expect(hold() == nil)
        surroundings.granted = 2
        surroundings.running = [Self.job("a")]
        #expect(hold() == nil)
        surroundings.running.append(Self.job("b"))
        #expect(hold()?.kind == .slots && hold()?.jobs == ["a", "b"] && hold()?.slots == 4 && hold()?.note == "jobs of other users")
        surroundings.granted = 0
        surroundings.running = []
        #expect(hold()?.kind == .slots && hold()?.jobs == [])
        surroundings.granted = 4
        surroundings.running = ["a", "b", "c", "d"].map { Self.job($0) }
        #expect(hold()?.note == nil)
    }

    @Test(
        "A shortage that the daemon has published holds a job, as its closed gate does",
        arguments: ["disk", "descriptors", "processes", "spool", "watches"]
    )
    func troubles(_ kind: String) throws {
        guard case .table(let table) = try JSON.parse(
            Array("{\"granted\": 3, \"troubles\": [{\"of\": \"\(kind)\", \"error\": \"E\", \"effect\": \"F\"}]}".utf8)).kind
        else { return }
        var surroundings = WaitingSurroundings()
        surroundings.take(published: table)
        #expect(surroundings.granted == 3)
        #expect(surroundings.held == (kind == "watches" ? nil : "E; F"))
    }
}
