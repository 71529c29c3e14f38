import CLinux
import Glibc
import Linux
import Scheduler
import Store

/// The programs of patterns, `patterns/KEY`. Each answers the question when a schedule is due next. A few of them run at a time, beside the
/// jobs.
///
/// Invariants:
/// - The loop never waits for a program. It reads output when there is some, and kills a program that takes too long.
/// - Neither a program nor an answer is started or used for a question that the scheduler does not await any more.
/// - A program is signaled only before it is reaped: after that its number may belong to another process.
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
    /// The questions for which no program has been started yet.
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

    /// True when no program runs and no question waits.
    var isIdle: Bool { running.isEmpty && waiting.isEmpty }

    // MARK: Asking

    /// Takes up a question, and ends the program of an earlier question of the same schedule.
    func ask(_ question: Question) {
        for one in running.values where one.run.question.task == question.task && one.run.question.schedule == question.schedule {
            end(one.run)
        }
        waiting.append(question)
    }

    /// True when a program for a waiting question may start now.
    var canStartMore: Bool { running.count < Self.runningMax && !waiting.isEmpty }

    func afterTurn() { startWaiting() }

    /// Starts programs until enough run at a time or enough were started in this turn.
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

    /// Kills all programs, but does not forget them. If this daemon continues after all, their ends count as answers.
    func killAll() { for one in running.values { one.run.kill() } }

    /// Kills all programs and forgets them.
    func endAll() { for one in running.values { end(one.run) } }

    /// Called before a child is reaped. If the child is a program, kills the processes that it left running and returns its run.
    func childEnded(_ pid: pid_t) -> ProgramRun? {
        guard let run = running.values.first(where: { $0.run.pid == pid })?.run else { return nil }
        end(run)
        return run
    }

    /// Called after the program was reaped: its exit status and output are its answer.
    func take(_ status: Int32, of run: ProgramRun) { take(run.answer(status), to: run.question) }

    /// Kills a program whose answer is not wanted any more, and forgets it. It is reaped as any other child.
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
