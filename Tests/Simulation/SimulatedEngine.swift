// An engine elsewhere, and the executor through which the daemon reaches it. Both live on when the daemon's machine loses power.
//
// The executor loses answers, after it has done what was asked or before. The engine answers late, forgets runs, gives handles a second
// time, runs copies late and twice, loses nodes, and takes back that a run has ended. A copy begins only when it can make its start mark.

import Daemon
import ExecutorProtocol
import Scheduler
import Store

final class SimulatedEngine {
    /// A copy of a run, as the engine has it.
    final class Copy {
        enum State: Equatable {
            case pending
            case running(since: Instant)
            /// The command has ended, and the engine does not know it yet.
            case finished(code: Int?, signal: Int32?)
            /// The engine knows.
            case over(EndReason, code: Int?, signal: Int32?)
        }

        let job: Job
        let attempt: Int
        let number: Int
        let name: String
        var handle: String
        let directory: String
        var state = State.pending
        /// The engine knows nothing of it, but it may run.
        var isForgotten = false
        var isToEnd = false
        var mustDie = false
        var beatAt: Instant

        init(_ item: ExecutorCall.Item, handle: String, directory: String, at now: Instant) {
            job = item.job
            attempt = item.attempt
            number = item.job.runNumber
            name = ExecutorCall.name(of: item.job)
            self.handle = handle
            self.directory = directory
            beatAt = now
        }

        /// The same run once more.
        init(again other: Copy) {
            (job, attempt, number, name) = (other.job, other.attempt, other.number, other.name)
            (handle, directory, beatAt) = (other.handle, other.directory, other.beatAt)
        }

        var hasBegun: Bool {
            switch state {
            case .running, .finished: true
            case .pending, .over: false
            }
        }
    }

    private struct Waiting {
        let call: ExecutorCall
        /// The daemon that made the call.
        let life: Int
    }

    /// Who calls the engine and where its runs leave marks.
    private unowned let world: SimulatedWorld
    private var disk: SimulatedDisk { world.disk }
    private(set) var copies: [Copy] = []
    private var calls: [Waiting] = []
    private var lastHandle = 100
    /// The end marks that were written into the run's directory.
    private(set) var ends: [SimulatedWorld.Try: (code: Int?, signal: Int32?)] = [:]
    /// The tries of which nobody can know the end: their engine or their node lost them, or their marks could not be written.
    private(set) var untold: Set<SimulatedWorld.Try> = []
    /// The tries that were kept from beginning.
    private(set) var prevented: Set<SimulatedWorld.Try> = []
    private(set) var submissions = 0

    init(_ world: SimulatedWorld) { self.world = world }

    // MARK: Calls

    func take(_ call: ExecutorCall, life: Int) { calls.append(Waiting(call: call, life: life)) }

    var hasCalls: Bool { !calls.isEmpty }

    /// The commands that run.
    var running: [Job] { copies.compactMap { if case .running = $0.state { $0.job } else { nil } } }

    /// Something happens: the oldest calls are carried out, or a copy makes a step. Nothing goes wrong unless `isTroubled`.
    func step(_ pick: UInt64, isTroubled: Bool) -> Bool {
        var random = Random(pick)
        let busy = copies.filter { if case .over = $0.state { false } else { true } }
        if !calls.isEmpty, busy.isEmpty || random.below(2) == 0 {
            let index = isTroubled ? random.below(calls.count) : 0
            carryOut(calls.remove(at: index), &random, isTroubled: isTroubled)
            return true
        }
        guard !busy.isEmpty else { return false }
        let copy = busy[random.below(busy.count)]
        if isTroubled { trouble(copy, &random) } else { advance(copy) }
        return true
    }

    private func carryOut(_ waiting: Waiting, _ random: inout Random, isTroubled: Bool) {
        let call = waiting.call
        beat()
        var answers: [ExecutorAnswer] = []
        for item in call.items {
            // The program may die in the middle, after it did something or before.
            if isTroubled, random.below(12) == 0 { continue }
            guard let answer = carryOut(item, call.verb, &random, isTroubled: isTroubled) else { continue }
            if isTroubled, random.below(8) == 0 { continue }
            answers.append(answer)
        }
        var failure: String?
        if isTroubled, random.below(6) == 0 {
            answers = []
            failure = "the executor hung"
        }
        // Only the daemon that made the call gets the reply.
        guard let service = world.service, waiting.life == world.life else { return }
        service.submit(.replied(ExecutorReply(number: call.number, answers: answers, failure: failure)))
    }

    private func carryOut(
        _ item: ExecutorCall.Item, _ verb: ExecutorCall.Verb, _ random: inout Random, isTroubled: Bool
    ) -> ExecutorAnswer? {
        let id = item.job.id
        let number = item.job.runNumber
        func answer(_ kind: ExecutorAnswer.Kind, handle: String? = nil) -> ExecutorAnswer {
            var answer = ExecutorAnswer(id, attempt: number, kind)
            answer.handle = handle
            return answer
        }
        switch verb {
        case .submit:
            if isTroubled, random.below(8) == 0 { return answer(.later) }
            if isTroubled, random.below(16) == 0 { return answer(.refused) }
            if isTroubled, random.below(8) == 0 { return answer(.unknown) }
            // A controller that was killed gives the same handle again.
            if !isTroubled || random.below(4) > 0 { lastHandle += 1 }
            submissions += 1
            let copy = Copy(item, handle: "\(lastHandle)", directory: Layout.directory(of: id, .running), at: world.now)
            copies.append(copy)
            return isTroubled && random.below(8) == 0 ? answer(.unknown) : answer(.submitted, handle: copy.handle)
        case .poll, .find:
            let known = copies.last { !$0.isForgotten && $0.name == ExecutorCall.name(of: item.job) }
            guard let known else { return answer(.state(.gone)) }
            if isTroubled, random.below(10) == 0 { return answer(.state(.open), handle: known.handle) }
            switch known.state {
            case .pending: return answer(.state(.pending), handle: known.handle)
            case .running, .finished: return answer(.state(.running), handle: known.handle)
            case .over(let reason, let code, let signal):
                var told = answer(.state(.ended), handle: known.handle)
                told.report.reason = reason
                told.report.exitCode = code
                told.report.signal = signal
                return told
            }
        case .cancel:
            // First nobody can begin any more.
            if makeMark("\(Layout.directory(of: id, .running))/\(Layout.startMark).\(number)") {
                prevented.insert(.init(id: id.text, number: item.attempt))
                write(end: "{\"never_began\":true}", into: Layout.directory(of: id, .running), number)
            }
            for copy in copies where copy.name == ExecutorCall.name(of: item.job) {
                if copy.state == .pending {
                    copy.state = .over(.canceled, code: nil, signal: 15)
                } else if item.force {
                    copy.mustDie = true
                } else {
                    copy.isToEnd = true
                }
            }
            return answer(.asked)
        case .signal, .extend: return answer(.asked)
        }
    }

    // MARK: Copies

    private func tryOf(_ copy: Copy) -> SimulatedWorld.Try { .init(id: copy.job.id.text, number: copy.attempt) }

    private func advance(_ copy: Copy) {
        switch copy.state {
        case .pending:
            guard makeMark("\(copy.directory)/\(Layout.startMark).\(copy.number)") else {
                // Another copy has begun, or the run has ended: exit at once, without a trace.
                copy.state = .over(.completed, code: 0, signal: nil)
                return
            }
            world.began(copy.job, attempt: copy.attempt)
            copy.state = .running(since: world.now)
        case .running:
            var (code, signal) = world.outcome(ofTry: copy.attempt, of: copy.job)
            if copy.isToEnd { (code, signal) = (nil, 15) }
            if copy.mustDie {
                // The wrapper dies with its command.
                untold.insert(tryOf(copy))
                copy.state = .over(.canceled, code: nil, signal: 9)
                return
            }
            let text = code.map { "{\"exit\":\($0),\"started\":1000,\"ended\":2500}" } ?? "{\"signal\":\(signal ?? 0)}"
            if write(end: text, into: copy.directory, copy.number) {
                ends[tryOf(copy)] = (code, signal)
                if code == 0 { world.succeeded(copy.job, attempt: copy.attempt) }
            } else {
                untold.insert(tryOf(copy))
            }
            copy.state = .finished(code: code, signal: signal)
        case .finished(let code, let signal): copy.state = .over(code == 0 ? .completed : .failed, code: code, signal: signal)
        case .over: break
        }
    }

    private func trouble(_ copy: Copy, _ random: inout Random) {
        switch random.below(24) {
        case 0:
            // The engine's controller dies and forgets it; it goes on, or comes to nothing.
            copy.isForgotten = true
            untold.insert(tryOf(copy))
            if copy.hasBegun || random.below(2) == 0 { break }
            copy.state = .over(.failed, code: nil, signal: nil)
        case 1:
            if case .running = copy.state { untold.insert(tryOf(copy)) }
            if case .pending = copy.state { break }
            guard case .running = copy.state else { return advance(copy) }
            copy.state = .over(.nodeFail, code: nil, signal: nil)
        case 2:
            // The engine runs it a second time.
            copies.append(Copy(again: copy))
        case 3:
            // A state that was told is taken back.
            for one in copies {
                if case .over(let reason, let code, let signal) = one.state, reason != .canceled, reason != .nodeFail {
                    one.state = .finished(code: code, signal: signal)
                }
            }
        default: advance(copy)
        }
    }

    /// Each command that runs shows that it lives.
    private func beat() {
        for copy in copies {
            guard case .running = copy.state, world.now.milliseconds - copy.beatAt.milliseconds >= 20_000 else { continue }
            copy.beatAt = world.now
            try? disk.write("\(copy.directory)/\(Layout.beatMark).\(copy.number)", [])  // the directory may have been moved away
        }
    }

    /// mkdir(2) on a file system that two machines see: it is durable when it returns.
    private func makeMark(_ path: String) -> Bool {
        guard (try? disk.makeDirectoryOutside(path)) != nil else { return false }  // it exists, or its directory is gone
        noticed(path)
        return true
    }

    @discardableResult
    private func write(end text: String, into directory: String, _ number: Int) -> Bool {
        let path = "\(directory)/\(Layout.endMark).\(number)"
        do throws(SystemError) {
            try disk.write("\(path).tmp", Array(text.utf8))
            try disk.makeDurable("\(path).tmp")
            try disk.move("\(path).tmp", to: path)
            try disk.makeDurable(directory)
        } catch {
            return false
        }
        noticed(path)
        return true
    }

    private func noticed(_ path: String) {
        guard let name = path.split(separator: "/").dropFirst().first, let id = JobID(name) else { return }
        world.service?.lookAtMarks(of: id)
    }
}
