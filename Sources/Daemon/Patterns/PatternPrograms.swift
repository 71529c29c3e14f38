import CLinux
import Glibc
import Linux
import Scheduler
import Store

/// The programs of patterns, `patterns/KEY`: a few run at a time, beside the jobs, and answer when a schedule is due next.
///
/// Invariants:
/// - The loop never waits for a program. It reads what a program prints when there is something, and kills one that takes too long.
/// - A question that the scheduler does not ask any more is neither asked nor answered.
/// - A program is signaled only while it is not reaped: until then its number is its own.
final class PatternPrograms: Part {
    /// The number of programs that run at a time.
    private static let runningMax = 8
    /// The number of programs that are started in one turn.
    private static let startsPerTurn = 64

    private struct Running {
        let run: ProgramRun
        let tokens: [EventLoop.Token]
    }

    /// By the question's number.
    private var running: [UInt64: Running] = [:]
    /// Questions that wait for room.
    private var waiting: ArraySlice<Question> = []
    private let loop: EventLoop
    private let service: SpoolService
    private let surroundings: RunSurroundings
    private let log: Log

    init(_ loop: EventLoop, _ service: SpoolService, _ surroundings: RunSurroundings, _ log: Log) {
        self.loop = loop
        self.service = service
        self.surroundings = surroundings
        self.log = log
    }

    /// No program runs, and no question waits.
    var isIdle: Bool { running.isEmpty && waiting.isEmpty }

    // MARK: Asking

    /// Takes up a question. An earlier question of the same schedule does not matter any more.
    func ask(_ question: Question) {
        for one in running.values where one.run.question.task == question.task && one.run.question.schedule == question.schedule {
            end(one.run)
        }
        waiting.append(question)
    }

    /// There is room for a question that waits.
    var canStartMore: Bool { running.count < Self.runningMax && !waiting.isEmpty }

    func afterTurn() { startWaiting() }

    /// Starts programs while there is room, not too many in one turn.
    func startWaiting() {
        var count = 0
        while running.count < Self.runningMax, count < Self.startsPerTurn, let question = waiting.popFirst() {
            count += 1
            guard service.scheduler.awaits(question) else { continue }
            do { try start(question) } catch { take(.failed(ProgramRun.describe(error)), to: question) }
        }
    }

    private func start(_ question: Question) throws {
        let run = try ProgramRun(question, surroundings)
        let number = question.number
        var tokens: [EventLoop.Token] = []
        do {
            for descriptor in run.descriptors { tokens.append(try loop.add(descriptor) { [unowned self] in takeOutput(number) }) }
        } catch {
            run.kill()
            for token in tokens { loop.forget(token) }
            throw error
        }
        running[number] = Running(run: run, tokens: tokens)
    }

    // MARK: Ending

    private func takeOutput(_ number: UInt64) {
        guard let run = running[number]?.run, let answer = run.read() else { return }
        end(run)
        take(answer, to: run.question)
    }

    var wakeAt: Wake { Wake(monotonic: running.values.lazy.map(\.run.deadline).min()) }

    /// Kills the programs that have taken too long.
    func beforeTurn() {
        guard !running.isEmpty else { return }
        let now = MonotonicInstant.now()
        for one in running.values where one.run.deadline <= now {
            end(one.run)
            take(.failed("has not answered within \(ProgramRun.limitSeconds) s"), to: one.run.question)
        }
    }

    /// Kills all programs. Their ends count as answers.
    func killAll() { for one in running.values { one.run.kill() } }

    /// Kills all programs and forgets them: nobody waits for their answers.
    func endAll() { for one in running.values { end(one.run) } }

    /// Before a child is reaped. Returns the program's run if the child is one, and kills what the program left running.
    func childEnded(_ pid: pid_t) -> ProgramRun? {
        guard let run = running.values.first(where: { $0.run.pid == pid })?.run else { return nil }
        end(run)
        return run
    }

    /// After that: how the program ended is its answer.
    func take(_ status: Int32, of run: ProgramRun) { take(run.answer(status), to: run.question) }

    /// Kills a program that has to answer no more. It is reaped as any other child.
    private func end(_ run: ProgramRun) {
        run.kill()
        guard let one = running.removeValue(forKey: run.question.number) else { return }
        for token in one.tokens { loop.forget(token) }
    }

    private func take(_ answer: Answer, to question: Question) {
        guard service.scheduler.awaits(question) else { return }
        service.submit(.answered(question, answer))
        let program = "\(Layout.patterns)/\(question.program.key)"
        var due: String?
        var error: String?
        switch answer {
        case .due(let instant): due = instant.rfc3339
        case .never: due = "never"
        case .failed(let why): error = why
        }
        log.write(
            error == nil ? .info : .warning, error == nil ? "answered" : "unanswered", at: service.now,
            ["program": program, "task": question.task, "schedule": question.schedule, "due": due, "error": error])
        service.isPublishDue = true
    }
}
