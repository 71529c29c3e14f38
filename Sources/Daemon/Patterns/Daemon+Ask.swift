import CLinux
import Glibc
import Linux
import Scheduler
import Store

// Programs of patterns: a few run at a time, beside the jobs. The loop never waits for one: it looks at what they print when they
// do, at their ends when they come, and ends those that take too long.

extension Daemon {
    /// How many are asked at a time.
    private static let programsMax = 8
    /// How many are looked at in a turn.
    private static let asksPerTurn = 64

    package func ask(_ question: Question) {
        // What was asked of the schedule before does not matter any more.
        for run in programs.values where run.question.task == question.task && run.question.schedule == question.schedule {
            end(run)
        }
        questions.append(question)
    }

    /// Starts programs while there is room.
    func askWaiting() {
        var count = 0
        while programs.count < Self.programsMax, count < Self.asksPerTurn, let question = questions.popFirst() {
            count += 1
            guard scheduler.awaits(question) else { continue }
            do {
                let run = try ProgramRun(question, surroundings)
                programs[question.number] = run
                for descriptor in run.descriptors { try poll.add(descriptor, token: Token.programs + question.number) }
            } catch {
                if let run = programs[question.number] { end(run) }
                take(.failed(ProgramRun.describe(error)), to: question)
            }
        }
        // The others have their turn when there is room, which may be now.
        if programs.count < Self.programsMax, !questions.isEmpty { service.arrivals.nudge() }
    }

    func takeOutput(_ number: UInt64) {
        guard let run = programs[number], let answer = run.read() else { return }
        end(run)
        take(answer, to: run.question)
    }

    func endOverduePrograms() {
        guard !programs.isEmpty else { return }
        let time = Clock.monotonicNanoseconds()
        for run in programs.values where run.deadline <= time {
            end(run)
            take(.failed("has not answered within \(ProgramRun.limitSeconds) s"), to: run.question)
        }
    }

    /// How long until the first of them is overdue; nil when there is none.
    var millisecondsUntilOverdue: Int64? {
        let time = Clock.monotonicNanoseconds()
        // Rounded up, so that it is overdue when the time is over.
        return programs.values.map { max(0, ($0.deadline - time + 999_999) / 1_000_000) }.min()
    }

    /// A program that has to answer no more. It is reaped as any other child.
    private func end(_ run: ProgramRun) {
        run.kill()
        programs[run.question.number] = nil
    }

    func endAllPrograms() { for run in programs.values { end(run) } }

    /// Reaps all children that have ended: workers, what they left behind, programs.
    func reapChildren() {
        while case let pid = linux_ended_child(), pid > 0 {
            let run = programs.values.first { $0.pid == pid }
            // What it left running goes too.
            if let run { end(run) }
            if pid == check?.pid { check?.kill() }
            var status: Int32 = 0
            waitpid(pid, &status, WNOHANG)
            workers.values.first { $0.pid == pid }?.isReaped = true
            if userDaemonEnded(pid, status) { continue }
            if let run { take(run.answer(status), to: run.question) }
            if pid == check?.pid { checkEnded(status) }
        }
    }

    private func take(_ answer: Answer, to question: Question) {
        guard scheduler.awaits(question) else { return }
        scheduler.handle(.answered(question, answer), at: now)
        let program = "\(Layout.patterns)/\(question.program.key)"
        var due: String?
        var error: String?
        switch answer {
        case .due(let instant): due = instant.rfc3339
        case .never: due = "never"
        case .failed(let why): error = why
        }
        log.write(
            error == nil ? .info : .warning, error == nil ? "answered" : "unanswered", at: now,
            ["program": program, "task": question.task, "schedule": question.schedule, "due": due, "error": error])
        service.isPublishDue = true
        // The turn that follows must not wait for another event.
        service.arrivals.nudge()
    }
}
