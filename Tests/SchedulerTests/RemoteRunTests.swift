import ExecutorProtocol
import TestSupport
import Testing

@testable import Scheduler

/// A job that an executor runs, told by what comes back: each line is an answer, a mark, or something that people do. An answer waits until
/// the scheduler makes that call. The trace has each call with the time since the start, and each record.
private struct RemoteStory: CustomTestStringConvertible, Sendable {
    let what: String
    let keys: String
    let lines: [String]
    let trace: [String]

    init(_ what: String, keys: String = "", _ lines: [String], gives trace: [String]) {
        (self.what, self.keys, self.lines, self.trace) = (what, keys, lines, trace)
    }

    var testDescription: String { what }
}

/// Plays the executor `far` for one job.
private final class RemotePlayer {
    private(set) var world = World()
    private let id: JobID
    private var waiting: [ExecutorCall] = []
    private(set) var trace: [String] = []
    private let start: Instant
    private var limits = SchedulerLimits()

    init(_ keys: String, _ settings: ExecutorSettings = ExecutorSettings()) {
        limits.executors = ["far": settings]
        world.handle(.limits(limits))
        start = world.now
        id = world.drop("job", "executor = \"far\"\n\(keys)")
        turn()
        world.handle(.placed(id, attempt: 1))
        turn()
    }

    /// The end of its last run.
    private(set) var result: RunResult?

    var job: Job? { world.scheduler.jobs[id] }

    /// Takes turns until nothing follows at once.
    func turn() {
        repeat {
            trace += world.lines().filter { !$0.hasPrefix("accepted") && !$0.hasPrefix("daemon") }
            for start in world.turn.starts where start.attempt > 1 { world.handle(.placed(start.id, attempt: start.attempt)) }
            for call in world.turn.calls {
                let seconds = (world.now.milliseconds - start.milliseconds) / 1000
                let item = call.items[0]
                let signal = call.verb == .signal ? " \(item.signal ?? 0)" : ""
                trace.append("\(seconds) s: \(call.verb)\(item.force ? " by force" : "")\(signal)")
                waiting.append(call)
            }
            for end in world.turn.remoteEnds {
                result = end.result
                world.handle(.ended(end.id, attempt: end.attempt, end.result))
            }
        } while !world.turn.isEmpty
    }

    /// The next call of this verb, for which time passes.
    private func call(_ verb: ExecutorCall.Verb) -> ExecutorCall? {
        for _ in 0..<1000 {
            if let index = waiting.firstIndex(where: { $0.verb == verb }) { return waiting.remove(at: index) }
            // Others are not answered meanwhile.
            guard let wake = world.scheduler.nextWake() else { return nil }
            world.now = max(world.now, wake)
            turn()
        }
        return nil
    }

    private func reply(_ verb: ExecutorCall.Verb, _ words: [Substring]) {
        guard let call = call(verb) else { return trace.append("no call of \(verb)") }
        var answers: [ExecutorAnswer] = []
        var failure: String?
        let kind: ExecutorAnswer.Kind? =
            switch words.first {
            case "later": .later
            case "refused": .refused
            case "unknown": .unknown
            case "asked": .asked
            case "nothing": nil
            case let word?: verb == .submit ? .submitted : EngineState(rawValue: String(word)).map { .state($0) }
            case nil: nil
            }
        if let kind {
            var answer = ExecutorAnswer(id, attempt: call.items[0].job.runNumber, kind)
            if kind == .unknown { answer.message = "it was cut off" }
            if kind == .submitted { answer.handle = String(words[0]) }
            if words.count > 1 { answer.report.reason = EndReason(rawValue: String(words[1])) }
            if words.count > 2 { answer.report.exitCode = Int(words[2]) }
            answers = [answer]
        } else {
            failure = "it hung"
        }
        var reply = ExecutorReply(number: call.number, answers: answers, failure: failure)
        for job in world.scheduler.runsToLookAt(for: reply) { reply.marks[job.id] = marks }
        world.handle(.replied(reply))
    }

    private var marks = RemoteMarks()

    /// The executor does not know whether it has submitted the job, and the engine never knows it, so many times.
    private func lose(_ count: Int) {
        for _ in 0..<count {
            perform("submit unknown")
            while job?.state == .running, !waiting.contains(where: { $0.verb == .submit }) { perform("find gone") }
        }
    }

    func perform(_ line: String) {
        let words = line.split(separator: " ")
        let rest = Array(words.dropFirst())
        switch words[0] {
        case "submit", "poll", "find", "cancel", "signal", "extend": reply(ExecutorCall.Verb(rawValue: String(words[0]))!, rest)
        case "began": marks.hasStarted = true
        case "beats": marks.beat = (marks.beat ?? 0) + 1
        case "exits": marks.end = RemoteEnd(.exited(Int(rest[0])!))
        case "dies": marks.end = RemoteEnd(.signaled(Int32(rest[0])!))
        case "loses": lose(Int(rest[0])!)
        case "vanishes": marks = RemoteMarks()
        case "prevented": marks = RemoteMarks(hasStarted: true, end: RemoteEnd(.neverBegan))
        case "sees": world.handle(.marked(id, attempt: job?.attempt ?? 0, marks))
        case "wait": world.now = world.now.advanced(byMilliseconds: Int64(rest[0])! * 1000)
        case "clock":
            world.now = world.now.advanced(byMilliseconds: Int64(rest[0])! * 1000)
            world.handle(.clockSet(movedByMilliseconds: Int64(rest[0])! * 1000))
        case "people" where rest[0] == "extend": world.handle(.extended(id, byMilliseconds: Int64(rest[1])! * 1000))
        case "people" where rest[0] == "cancel": world.handle(.cancel(id))
        case "people": world.handle(.kill(id, signal: Int32(rest[1])!))
        case "restart":
            waiting = []
            world = world.restarted(at: clock(world.now), limits: limits)
            trace.append("restarted")
        case "rotate": world.rotate()
        default: Issue.record("\(line)?")
        }
        turn()
    }
}

@Suite struct RemoteRunTests {
    /// A run that has not begun when its engine says that it has ended in this way, again and again.
    private static func endsInVain(_ title: String, _ end: String) -> RemoteStory {
        RemoteStory(
            title, (7...10).flatMap { ["submit \($0)", "poll ended \(end) x16"] },
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times", "submitting job 1",
                "32 s: submit", "submitted job 1 8", "34 to 64 s: poll 16 times", "submitting job 1", "64 s: submit",
                "submitted job 1 9", "66 to 96 s: poll 16 times", "submitting job 1", "96 s: submit", "submitted job 1 10",
                "98 to 128 s: poll 16 times", "ended job 1 failed lost"])
    }

    fileprivate static let stories: [RemoteStory] = [
        RemoteStory(
            "It runs and exits", ["submit 7", "poll pending", "began", "sees", "poll running", "exits 3", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 4 s: poll 2 times",
                "ended job 1 failed exit"]),
        RemoteStory(
            "The executor takes no job at first", ["submit later", "submit later", "submit 7"],
            gives: ["started job 1", "submitting job 1", "0 to 6 s: submit 3 times", "submitted job 1 7", "running"]),
        RemoteStory(
            "The engine refuses it", ["submit refused"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "ended job 1 failed spawn"]),
        RemoteStory(
            "The answer is lost, and it is found", ["submit nothing", "find pending", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 s: find",
                "submitted job 1 spoold-20261121T020000.000Z-job-000001-1",
                "2 s: poll", "running"]),
        RemoteStory(
            "The answer is lost, and the engine does not know it for the grace time",
            ["submit unknown", "find gone x7", "submit 8"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 to 64 s: find 7 times", "64 s: submit", "submitted job 1 8",
                "running"]),
        RemoteStory(
            "The answer is lost, and it has begun: it is not submitted again",
            ["submit unknown", "find gone", "began", "find gone x5", "exits 0", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 to 32 s: find 6 times", "ended job 1 done"]),
        RemoteStory(
            "Questions that are not answered are no absence",
            ["submit nothing", "find gone", "find nothing", "wait 3600", "find nothing", "find gone", "find pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 to 3614 s: find 5 times",
                "submitted job 1 spoold-20261121T020000.000Z-job-000001-1", "running"]),
        RemoteStory(
            "Refused the second time, after it was not known for long",
            ["submit unknown", "find gone x7", "submit refused", "find gone x6", "submit refused"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 to 64 s: find 7 times", "64 s: submit",
                "64 to 126 s: find 6 times",
                "126 s: submit", "ended job 1 failed spawn"]),
        endsInVain("It ends and has done nothing: it is submitted again, three times", "completed 0"),
        RemoteStory(
            "An end mark counts while it is looked for", ["submit nothing", "exits 0", "find gone"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 s: find", "ended job 1 done"]),
        RemoteStory(
            "The engine says that it has ended, and the end mark comes within the lag",
            ["submit 7", "began", "poll ended completed 0", "poll ended completed 0", "exits 4", "poll ended completed 0"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 6 s: poll 3 times",
                "ended job 1 failed exit"]),
        RemoteStory(
            "The engine takes back that it has ended",
            ["submit 7", "began", "poll ended completed 0", "poll running", "poll ended completed 0", "poll ended completed 0", "exits 0",
                "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 8 s: poll 4 times", "ended job 1 done"]),
        RemoteStory(
            "The engine says that it has completed, and no end mark comes",
            ["submit 7", "began", "poll ended completed 0 x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed lost"]),
        RemoteStory(
            "The engine's exit code counts when no end mark comes",
            ["submit 7", "began", "poll ended failed 9 x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed exit"]),
        RemoteStory(
            "Its node is lost", keys: "tries = 3", ["submit 7", "began", "poll ended node_fail x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed lost"]),
        RemoteStory(
            "Its node is lost, and on_crash is retry", keys: "on_crash = \"retry\"",
            ["submit 7", "began", "poll ended node_fail x16", "wait 60"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 new lost until 02:00:42", "started job 2", "submitting job 2", "92 s: submit", "running"]),
        RemoteStory(
            "It runs out of time", ["submit 7", "began", "poll ended timeout x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed timeout"]),
        RemoteStory(
            "It runs out of memory", ["submit 7", "began", "poll ended out_of_memory x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed signal"]),
        RemoteStory(
            "Its node does not boot, is lost, or is taken away before it began: it is submitted again",
            ["submit 7", "poll ended node_fail x16", "submit 8", "poll ended preempted x16", "submit 9", "poll running", "began", "sees",
                "exits 0", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times", "submitting job 1",
                "32 s: submit", "submitted job 1 8", "34 to 64 s: poll 16 times", "submitting job 1", "64 s: submit", "submitted job 1 9",
                "66 s: poll", "ended job 1 done"]),
        RemoteStory(
            "Its node is lost, and its start mark comes within the lag: it is not submitted again",
            ["submit 7", "poll ended node_fail x8", "began", "poll ended node_fail x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 48 s: poll 24 times",
                "ended job 1 failed lost"]),
        endsInVain("Its node is lost again and again before it began: it is submitted again, three times", "node_fail"),
        RemoteStory(
            "It is canceled, and its node is lost before it began: it is not submitted again",
            ["submit 7", "people cancel", "cancel asked", "poll ended node_fail x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "stopping job canceled",
                "0 to 2 s: cancel 2 times", "2 to 32 s: poll 16 times", "ended job 1 failed canceled"]),
        RemoteStory(
            "The questions are not answered, and lost_after is not set: it stays open, and its end counts",
            ["submit 7", "began", "sees", "poll nothing x20", "wait 86400", "poll nothing x3", "exits 3", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 87424 s: poll 23 times",
                "ended job 1 failed exit"]),
        RemoteStory(
            "It cannot be launched", ["submit 7", "poll ended launch x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed spawn"]),
        RemoteStory(
            "It could not be launched, and has a start mark",
            ["submit 7", "began", "poll ended launch x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed lost"]),
        RemoteStory(
            "Somebody cancels it at the engine", ["submit 7", "began", "poll ended canceled x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed lost"]),
        RemoteStory(
            "The engine forgets it before it begins", ["submit 7", "poll gone x7", "submit 8"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 66 s: poll 7 times", "submitting job 1",
                "66 s: submit", "submitted job 1 8", "running"]),
        RemoteStory(
            "The engine forgets it, and it shows that it lives",
            ["submit 7", "began", "poll gone", "wait 300", "beats", "poll gone", "wait 300", "beats", "poll gone", "wait 300", "beats",
                "poll gone", "exits 0", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 902 s: poll 4 times",
                "ended job 1 done"]),
        RemoteStory(
            "The engine forgets it, and it shows no sign of life",
            ["submit 7", "began", "beats", "poll gone x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 606 s: poll 16 times",
                "ended job 1 failed lost"]),
        RemoteStory(
            "A signal ends it, and the engine says that its time was over",
            ["submit 7", "began", "sees", "dies 15", "sees", "poll running", "poll ended timeout"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 4 s: poll 2 times",
                "ended job 1 failed timeout"]),
        RemoteStory(
            "A signal ends it, and the engine says that it needed too much memory",
            ["submit 7", "began", "sees", "dies 9", "sees", "poll ended out_of_memory"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 s: poll", "ended job 1 failed signal"]),
        RemoteStory(
            "A signal ends what its shell ran, and the engine says that it needed too much memory",
            ["submit 7", "began", "sees", "exits 137", "sees", "poll running", "poll ended out_of_memory"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 4 s: poll 2 times",
                "ended job 1 failed exit"]),
        RemoteStory(
            "A signal ends it, and the engine does not answer", ["submit 7", "began", "sees", "dies 11", "sees", "poll nothing"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 s: poll", "ended job 1 failed signal"]),
        RemoteStory(
            "An exit code that is no shell's word for a signal ends it at once", ["submit 7", "began", "sees", "exits 255", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "ended job 1 failed exit"]),
        RemoteStory(
            "The signal that people have sent it ends it at once", ["submit 7", "began", "sees", "people signal 10", "dies 10", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "0 s: signal 10",
                "ended job 1 failed signal"]),
        RemoteStory(
            "The signal that people have sent it ends what its shell ran",
            ["submit 7", "began", "sees", "people signal 15", "signal asked", "exits 143", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "0 s: signal 15", "ended job 1 failed exit"]),
        RemoteStory(
            "People have sent it a signal, and another one ends it",
            ["submit 7", "began", "sees", "people signal 10", "signal asked", "dies 9", "sees", "poll ended out_of_memory"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "0 s: signal 10", "2 s: poll",
                "ended job 1 failed signal"]),
        RemoteStory(
            "A signal ends it, and its directory is moved away before the engine answers",
            ["submit 7", "began", "sees", "dies 9", "sees", "vanishes", "poll running", "poll gone"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 4 s: poll 2 times",
                "ended job 1 failed signal"]),
        RemoteStory(
            "A signal ends it, its directory is moved away, and the engine does not answer",
            ["submit 7", "began", "sees", "dies 9", "sees", "vanishes", "poll nothing"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 s: poll", "ended job 1 failed signal"]),
        RemoteStory(
            "A signal ends it, and the engine has not noticed for long",
            ["submit 7", "began", "sees", "dies 11", "sees", "poll running x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 32 s: poll 16 times",
                "ended job 1 failed signal"]),
        RemoteStory(
            "It is canceled, and a signal ends it", ["submit 7", "began", "people cancel", "cancel asked", "dies 15", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "stopping job canceled", "0 s: cancel",
                "ended job 1 failed canceled"]),
        RemoteStory(
            "The engine has it wait again after it began, and it lives",
            ["submit 7", "began", "sees", "poll pending", "wait 300", "beats", "poll pending", "wait 300", "beats", "poll pending",
                "wait 300", "beats", "poll pending", "exits 0", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 902 s: poll 4 times",
                "ended job 1 done"]),
        RemoteStory(
            "The engine has it wait again after it began, and it shows no sign of life: the engine is asked once to end it",
            ["submit 7", "began", "sees", "poll pending x16", "poll pending", "cancel asked", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 606 s: poll 16 times", "606 s: cancel",
                "608 to 610 s: poll 2 times", "ended job 1 failed lost"]),
        RemoteStory(
            "The engine has it wait again, and does not answer when it is asked to end it",
            ["submit 7", "began", "sees", "poll pending x16", "cancel nothing", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 606 s: poll 16 times", "606 s: cancel",
                "remarked job its engine had it wait again, and may have it yet, since it was not told to end it: it hung", "608 s: poll",
                "ended job 1 failed lost"]),
        RemoteStory(
            "It shows itself alive after the engine was asked to end it: silence counts anew, and the engine is asked again",
            ["submit 7", "began", "sees", "poll pending x16", "cancel asked", "beats", "sees", "poll pending x15", "cancel asked",
                "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 606 s: poll 16 times", "606 s: cancel",
                "608 to 1210 s: poll 15 times", "1210 s: cancel", "1212 s: poll", "ended job 1 failed lost"]),
        RemoteStory(
            "It shows itself alive while the engine is asked to end it: silence counts anew, and the engine is asked again",
            ["submit 7", "began", "sees", "poll pending x16", "beats", "sees", "cancel asked", "poll pending x15", "cancel asked",
                "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 606 s: poll 16 times", "606 s: cancel",
                "608 to 1210 s: poll 15 times", "1210 s: cancel", "1212 s: poll", "ended job 1 failed lost"]),
        RemoteStory(
            "The engine has it wait again, and ends it when it is asked to",
            ["submit 7", "began", "sees", "poll pending x16", "cancel asked", "poll ended canceled x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 606 s: poll 16 times", "606 s: cancel",
                "608 to 638 s: poll 16 times", "ended job 1 failed lost"]),
        RemoteStory(
            "The engine has it wait again, and it is canceled",
            ["submit 7", "began", "sees", "poll pending x15", "people cancel", "cancel asked", "poll ended canceled x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 546 s: poll 15 times",
                "stopping job canceled", "546 to 548 s: cancel 2 times", "606 to 636 s: poll 16 times", "ended job 1 failed canceled"]),
        RemoteStory(
            "A state that nobody knows ends nothing", ["submit 7", "poll open x3"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to 6 s: poll 3 times", "running"]),
        RemoteStory(
            "It is canceled before it is submitted", ["submit later", "people cancel"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "stopping job canceled",
                "ended job 0 failed canceled until 02:00:00"]),
        RemoteStory(
            "It is canceled while it is submitted", ["people cancel", "submit 7", "cancel asked", "prevented", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "stopping job canceled", "submitted job 1 7", "0 s: cancel",
                "ended job 0 failed canceled until 02:00:00"]),
        RemoteStory(
            "It is canceled while it is submitted, and the answer is lost",
            ["people cancel", "submit nothing", "cancel asked", "prevented", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "stopping job canceled", "0 s: cancel", "0 s: find",
                "ended job 0 failed canceled until 02:00:00"]),
        RemoteStory(
            "It is canceled when it is to be submitted again and may be at the engine",
            ["submit unknown", "find gone x7", "submit later", "people cancel", "cancel asked", "find pending", "prevented", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 to 64 s: find 7 times", "64 s: submit", "stopping job canceled",
                "64 s: cancel", "64 s: find", "submitted job 1 spoold-20261121T020000.000Z-job-000001-1",
                "ended job 0 failed canceled until 02:00:00"]),
        RemoteStory(
            "Its signal does not reach it", ["submit 7", "people signal 10", "signal later"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "0 s: signal 10",
                "remarked job a signal did not reach it: the executor did not answer", "running"]),
        RemoteStory(
            "It is canceled while it runs, and ends late",
            ["submit 7", "began", "people cancel", "cancel asked", "cancel nothing", "cancel asked x3", "exits 143", "sees"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "stopping job canceled",
                "0 to 2 s: cancel 2 times",
                "2 s: poll", "6 to 30 s: cancel 3 times", "ended job 1 failed canceled"]),
        RemoteStory(
            "It is canceled, and the engine says so",
            ["submit 7", "began", "people cancel", "cancel asked", "poll ended canceled x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "stopping job canceled",
                "0 to 2 s: cancel 2 times",
                "2 to 32 s: poll 16 times", "ended job 1 failed canceled"]),
        RemoteStory(
            "It is killed", ["submit 7", "began", "people kill 9", "cancel asked", "poll ended canceled x16"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "stopping job killed",
                "0 to 2 s: cancel by force 2 times",
                "2 to 32 s: poll 16 times", "ended job 1 failed signal"]),
        RemoteStory(
            "It gets a signal", ["people kill 10", "submit 7", "signal asked", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "0 s: signal 10", "2 s: poll", "running"]),
        RemoteStory(
            "An extension that does not reach the engine is passed on again until it does",
            ["submit 7", "people extend 600", "extend later", "extend nothing", "extend asked", "poll running x8"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "0 s: extend",
                "remarked job the engine did not move its limit: the executor did not answer", "2 s: poll", "60 s: extend",
                "remarked job the engine did not move its limit: it hung", "120 s: extend", "122 to 244 s: poll 7 times", "running"]),
        RemoteStory(
            "An extension that the engine refuses is not passed on again",
            ["submit 7", "people extend 600", "extend refused", "poll running x8"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "0 s: extend",
                "remarked job the engine did not move its limit: the executor did not answer", "2 to 126 s: poll 8 times", "running"]),
        RemoteStory(
            "After a restart it is looked for", ["restart", "find pending", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "restarted", "0 s: find",
                "submitted job 1 spoold-20261121T020000.000Z-job-000001-1", "2 s: poll", "running"]),
        RemoteStory(
            "After a restart it is asked about", ["submit 7", "restart", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "restarted", "0 s: poll", "running"]),
        RemoteStory(
            "After a restart from a snapshot it is asked about", ["submit 7", "rotate", "restart", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "restarted", "0 s: poll", "running"]),
        RemoteStory(
            "After a restart its cancel goes on", ["submit 7", "people cancel", "restart", "cancel asked"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "stopping job canceled", "0 s: cancel",
                "restarted",
                "0 s: cancel", "0 s: poll", "running"]),
        RemoteStory(
            "A clock that is set forward makes nothing late", ["submit unknown", "find gone", "clock 86400", "find gone", "find gone"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "0 to 86402 s: find 3 times", "running"]),
        RemoteStory(
            "A clock that is set back delays nothing", ["submit 7", "poll pending", "clock -86400", "poll pending"],
            gives: ["started job 1", "submitting job 1", "0 s: submit", "submitted job 1 7", "2 to -86398 s: poll 2 times", "running"]),
    ]

    @Test(arguments: stories)
    private func whatFollowsFromEachAnswer(_ story: RemoteStory) {
        let player = RemotePlayer(story.keys)
        for line in story.lines {
            // `poll gone x6` is six times `poll gone`.
            let words = line.split(separator: " ")
            let count = words.last.flatMap { $0.first == "x" ? Int($0.dropFirst()) : nil }
            let one = count == nil ? line : words.dropLast().joined(separator: " ")
            for _ in 0..<(count ?? 1) { player.perform(one) }
        }
        let trace = Self.merged(player.trace) + (player.job.map { ["\($0.state)"] } ?? [])
        #expect(trace == story.trace)
    }

    @Test("The record says why the engine ended it, though the engine has no words for that", arguments: ["dies 9", "exits 137"])
    func cause(end: String) {
        let player = RemotePlayer("")
        for line in ["submit 7", "began", "sees", end, "sees", "poll ended out_of_memory"] { player.perform(line) }
        #expect(player.result?.cause == "out_of_memory")
    }

    @Test("Ten submissions in a row of which nobody knows whether they arrived, and of which the engine knows none, are enough")
    func neverArrives() {
        let player = RemotePlayer("")
        player.perform("loses 9")
        #expect(player.job?.state == .running && player.job?.remote?.phase == .submitting)
        // One that arrives is none of them.
        for line in ["submit unknown", "find gone"] { player.perform(line) }
        #expect(player.job?.remote?.phase == .looking && player.job?.remote?.why == "it was cut off")
        player.perform("find pending")
        for _ in 0..<7 { player.perform("poll gone") }
        player.perform("loses 9")
        #expect(player.job?.state == .running)
        player.perform("loses 1")
        #expect(player.trace.last == "ended job 1 failed spawn" && player.result?.outcome == .notSpawned("it was cut off"))
    }

    /// Calls of one verb in a row as one line: `2 to 32 s: poll 16 times`.
    private static func merged(_ trace: [String]) -> [String] {
        var lines: [(first: Substring, last: Substring, verb: Substring?, count: Int)] = []
        for line in trace {
            let parts = line.split(separator: " s: ", maxSplits: 1)
            if parts.count == 2, let before = lines.last, before.verb == parts[1] {
                lines[lines.count - 1] = (before.first, parts[0], parts[1], before.count + 1)
            } else {
                lines.append((parts[0], parts[0], parts.count == 2 ? parts[1] : nil, 1))
            }
        }
        return lines.map { one in
            guard let verb = one.verb else { return String(one.first) }
            return one.count == 1 ? "\(one.first) s: \(verb)" : "\(one.first) to \(one.last) s: \(verb) \(one.count) times"
        }
    }
}
