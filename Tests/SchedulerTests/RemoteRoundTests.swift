import ExecutorProtocol
import TestSupport
import Testing

@testable import Scheduler

/// Several jobs that the executor `far` runs, and the calls for them. No answer takes time.
private final class RemoteJobs {
    let world = World()
    let ids: [JobID]
    private var waiting: [ExecutorCall] = []

    /// The number of runs in one call.
    static let itemsMax = 5

    /// The jobs have been submitted.
    init(_ count: Int) {
        world.scheduler.derived.remote.itemsMax = Self.itemsMax
        var limits = SchedulerLimits()
        var settings = ExecutorSettings()
        settings.slots = count
        limits.executors = ["far": settings]
        world.handle(.limits(limits))
        ids = (0..<count).map { [world] in world.drop("job\($0)", "executor = \"far\"") }
        turn()
        for id in ids { world.handle(.placed(id, attempt: 1)) }
        turn()
        while let call = waiting.first(where: { $0.verb == .submit }) { answer(take(call), .submitted) }
    }

    func turn() {
        repeat {
            _ = world.lines()
            waiting += world.turn.calls
        } while !world.turn.isEmpty
    }

    private func take(_ call: ExecutorCall) -> ExecutorCall {
        waiting.removeAll { $0.number == call.number }
        return call
    }

    /// The next call of this verb, for which time passes.
    func call(_ verb: ExecutorCall.Verb) throws -> ExecutorCall {
        for _ in 0..<100 {
            if let call = waiting.first(where: { $0.verb == verb }) { return take(call) }
            world.now = max(world.now, try #require(world.scheduler.nextWake()))
            turn()
        }
        throw NoCall(verb: verb)
    }

    struct NoCall: Error { let verb: ExecutorCall.Verb }

    /// Answers for all runs of a call. `marks` are what those runs have left that no answer shows alive.
    func answer(
        _ call: ExecutorCall, marks: RemoteMarks = RemoteMarks(), _ kind: (JobID) -> ExecutorAnswer.Kind
    ) {
        let answers = call.items.map { item in
            var answer = ExecutorAnswer(item.job.id, attempt: item.job.runNumber, kind(item.job.id))
            if call.verb == .submit { answer.handle = "7" }
            return answer
        }
        var reply = ExecutorReply(number: call.number, answers: answers)
        for job in world.scheduler.runsToLookAt(for: reply) { reply.marks[job.id] = marks }
        world.handle(.replied(reply))
        turn()
    }

    func answer(_ call: ExecutorCall, _ kind: ExecutorAnswer.Kind) { answer(call) { _ in kind } }
}

@Suite struct RemoteRoundTests {
    @Test("More runs than one call takes are asked about by several, one after the other, and the time passes between rounds")
    func rounds() throws {
        let jobs = RemoteJobs(RemoteJobs.itemsMax + 3)
        let first = try jobs.call(.poll)
        let then = jobs.world.now
        #expect(first.items.count == RemoteJobs.itemsMax)
        jobs.answer(first, .state(.running))
        let second = try jobs.call(.poll)
        #expect(second.items.count == 3 && jobs.world.now == then, "at once")
        #expect(Set((first.items + second.items).map(\.job.id)) == Set(jobs.ids))
        jobs.answer(second, .state(.running))
        #expect(try jobs.call(.poll).items.count == RemoteJobs.itemsMax)
        #expect(jobs.world.now.milliseconds - then.milliseconds >= 2000)
    }

    @Test("More runs than one call takes are canceled by several, one after the other")
    func cancels() throws {
        let jobs = RemoteJobs(RemoteJobs.itemsMax + 3)
        for id in jobs.ids { jobs.world.handle(.cancel(id)) }
        jobs.turn()
        let then = jobs.world.now
        let first = try jobs.call(.cancel)
        jobs.answer(first, .asked)
        let second = try jobs.call(.cancel)
        #expect(first.items.count == RemoteJobs.itemsMax && second.items.count == 3 && jobs.world.now == then)
        #expect(Set((first.items + second.items).map(\.job.id)) == Set(jobs.ids))
    }

    @Test("A run that shows itself alive while the last order to it waits for another call is not canceled")
    func livesWhileItsFarewellWaits() throws {
        let jobs = RemoteJobs(2)
        let (silent, other) = (jobs.ids[0], jobs.ids[1])
        var marks = RemoteMarks(hasStarted: true)
        jobs.world.handle(.marked(silent, attempt: 1, marks))
        jobs.world.handle(.cancel(other))
        jobs.turn()
        let order = try jobs.call(.cancel)
        #expect(order.items.map(\.job.id) == [other])
        // The cancel of the other one hangs, until this one has been silent for `lost_after`.
        let begin = jobs.world.now
        while jobs.world.now.milliseconds - begin.milliseconds < 700_000 {
            jobs.answer(try jobs.call(.poll), marks: marks) { $0 == silent ? .state(.pending) : .state(.running) }
        }
        #expect(jobs.world.scheduler.jobs[silent]?.state == .running)
        marks.beat = 1
        jobs.world.handle(.marked(silent, attempt: 1, marks))
        jobs.turn()
        jobs.answer(order, .asked)
        for _ in 0..<3 {
            let next = try jobs.call(.cancel)
            #expect(next.items.map(\.job.id) == [other])
            jobs.answer(next, .asked)
        }
        #expect(jobs.world.scheduler.jobs[silent]?.state == .running)
    }
}
