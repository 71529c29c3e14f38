// Schedules whose due times a program computes (`ext:KEY:ARGS`): when it is asked, and how its answer is used.
//
// Invariants:
// - The program is asked once the previous run has ended, with one question at a time for each schedule. Nothing else waits for
//   it.
// - An answer is a record, so it survives the daemon: a due time that passes meanwhile is handled like any other missed one.
// - A known answer stays in force until the next one, whatever happens to the program.

/// A question to the program of a pattern.
public struct Question: Sendable {
    public var task: String
    public var schedule: String
    /// Distinguishes the answers to this question from those to an earlier one.
    public var number: UInt64
    public var program: PatternExtension
    /// The zone of an answer that names no zone.
    public var zone: Zone
    /// The last due time. Nil before the first.
    public var last: Instant?
    /// The answer must be later than this: now or `not_before`, or the handled time if the clock was set back.
    public var after: Instant
}

public enum Answer: Sendable {
    case due(Instant)
    case never
    /// It gave no answer, with the reason for a person.
    case failed(String)
}

/// The programs that must be asked.
struct Questions {
    /// Schedules whose programs are asked in this turn, each with the question's number.
    var toAsk: [(schedule: ScheduleState, number: UInt64)] = []
    /// Schedules whose programs failed at the last question.
    var failing: [ScheduleState] = []
    /// The number of questions so far.
    var count: UInt64 = 0
}

/// The state of a schedule with its program.
final class Asking {
    enum State {
        case unasked
        case asked(UInt64)
        /// The answer is `due` or, when that is nil, "never" until the program or the task changes, or the daemon starts again.
        case answered
        case failed(again: Instant, why: String)
    }

    var state = State.unasked
    /// The due time of the answer, which is not handled yet.
    private(set) var due: Instant?
    /// The due time before it.
    private(set) var last: Instant?
    /// The number of failures in a row.
    var failures = 0

    /// The time of the next question after a failure.
    var askedAgain: Instant? {
        if case .failed(let again, _) = state { return again }
        return nil
    }

    /// Applies the record of an answer. "Never" is asked again after a restart.
    func answer(due: Instant?, last: Instant?) {
        self.due = due
        self.last = last
        state = due == nil ? .unasked : .answered
    }

    /// A due time has become a job, or a record with the reason why not.
    func account(for instant: Instant) {
        last = instant
        if let due, due > instant { return }
        forget()
    }

    func forget() {
        due = nil
        state = .unasked
    }
}

extension Scheduler {
    /// The first wait after a failure. It doubles with each further failure.
    static let askAgainMilliseconds: Int64 = 60_000
    static let askAgainMillisecondsMax: Int64 = 3_600_000

    /// Schedules whose program failed at the last question, with the reason.
    public var unanswered: [(task: String, schedule: String, program: PatternExtension, why: String, again: Instant)] {
        derived.questions.failing.compactMap { schedule in
            guard case .failed(let again, let why)? = schedule.asking?.state,
                let program = schedule.definition?.recurrence.patternExtension
            else { return nil }
            return (schedule.task, schedule.id, program, why, again)
        }
    }

    /// Asks the program, unless it was asked already. `isChanged` means that the task or the program has changed since the last
    /// question, or that it is time to ask again after a failure.
    func ask(_ schedule: ScheduleState, isChanged: Bool) {
        guard let definition = schedule.definition, definition.enabled, definition.recurrence.patternExtension != nil else { return }
        let asking = schedule.madeAsking()
        // The clock or `not_before` was set to a later time.
        if let due = asking.due, due <= schedule.dueAfter { asking.forget() }
        if case .unasked = asking.state {} else if !isChanged { return }
        derived.questions.count += 1
        asking.state = .asked(derived.questions.count)
        derived.questions.toAsk.append((schedule, derived.questions.count))
    }

    /// Handles a program that was added, changed or removed. Nil means that any of them may have been.
    func programChanged(_ key: String?) {
        for state in tasks.values where state.isDefined {
            for schedule in state.schedules {
                guard let program = schedule.definition?.recurrence.patternExtension, key == nil || program.key == key,
                    !state.hasRun(of: schedule)
                else { continue }
                ask(schedule, isChanged: true)
            }
        }
    }

    /// The questions of this turn.
    func takeQuestions(at now: Instant) -> [Question] {
        for schedule in derived.questions.failing {
            if let again = schedule.asking?.askedAgain, isTime(again, now) { ask(schedule, isChanged: true) }
        }
        derived.questions.failing.removeAll { $0.asking?.askedAgain == nil }
        var taken: [Question] = []
        for (schedule, number) in derived.questions.toAsk {
            guard let asking = schedule.asking, case .asked(number) = asking.state, let definition = schedule.definition,
                let program = definition.recurrence.patternExtension
            else { continue }
            taken.append(
                Question(
                    task: schedule.task, schedule: schedule.id, number: number, program: program, zone: definition.zone,
                    last: asking.last, after: max(now, schedule.dueAfter)))
        }
        derived.questions.toAsk.removeAll()
        return taken
    }

    /// After a clock was set back, the next question must not wait longer than the longest wait.
    private func isTime(_ again: Instant, _ now: Instant) -> Bool {
        again <= now || again > now.advanced(byMilliseconds: Self.askAgainMillisecondsMax)
    }

    /// True when the answer to this question is still needed.
    public func awaits(_ question: Question) -> Bool {
        if case .asked(question.number)? = tasks[question.task]?.schedule(question.schedule)?.asking?.state { return true }
        return false
    }

    func take(_ answer: Answer, to question: Question, at now: Instant) {
        guard awaits(question), let schedule = tasks[question.task]?.schedule(question.schedule), let asking = schedule.asking
        else { return }
        var due: Instant?
        switch answer {
        case .failed(let why): return fail(schedule, asking, why, at: now)
        case .due(let instant) where instant <= question.after:
            return fail(schedule, asking, "\(instant.rfc3339) is not later than \(question.after.rfc3339)", at: now)
        case .due(let instant): due = instant
        case .never: break
        }
        if asking.due != due {
            commit(.answered(task: question.task, schedule: question.schedule, due: due, last: asking.last), at: now)
        }
        asking.state = .answered
        asking.failures = 0
        plan(schedule)
    }

    private func fail(_ schedule: ScheduleState, _ asking: Asking, _ why: String, at now: Instant) {
        asking.failures += 1
        let wait = min(Self.askAgainMilliseconds << min(asking.failures - 1, 10), Self.askAgainMillisecondsMax)
        asking.state = .failed(again: now.advanced(byMilliseconds: wait), why: why)
        if !derived.questions.failing.contains(where: { $0 === schedule }) { derived.questions.failing.append(schedule) }
    }
}
