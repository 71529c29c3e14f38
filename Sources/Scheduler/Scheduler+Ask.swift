// Schedules whose due times a program decides (`ext:KEY:ARGS`): when it is asked, and what becomes of its answer.
//
// What holds:
// - It is asked once the run before has ended, one question at a time for each schedule. Nothing else waits for it.
// - An answer is a record, so it outlives the daemon: a due time that passes meanwhile is caught up as any other.
// - An answer that is known stays in force until another one comes, whatever becomes of the program meanwhile.

/// A question to the program of a pattern.
public struct Question: Sendable {
    public var task: String
    public var schedule: String
    /// Tells the answers to this question from those to an earlier one.
    public var number: UInt64
    public var program: PatternExtension
    /// The zone of an answer that names none.
    public var zone: Zone
    /// The last due time, nil before the first.
    public var last: Instant?
    /// The answer must be later: now, or `not_before`; or what is accounted for, should the clock have been set back.
    public var after: Instant
}

public enum Answer: Sendable {
    case due(Instant)
    case never
    /// It did not answer, with the reason for a person.
    case failed(String)
}

/// The programs that are to be asked.
struct Questions {
    /// Schedules whose programs are asked in this turn, each with the question's number.
    var toAsk: [(schedule: ScheduleState, number: UInt64)] = []
    /// Schedules whose programs failed when they were asked last.
    var failing: [ScheduleState] = []
    /// How many questions there were.
    var count: UInt64 = 0
}

/// How far a schedule has come with its program.
final class Asking {
    enum State {
        case unasked
        case asked(UInt64)
        /// With `due`, or, where there is none, with "never": until the program or the task changes, or the daemon starts again.
        case answered
        case failed(again: Instant, why: String)
    }

    var state = State.unasked
    /// The due time that was answered and is not accounted for.
    var due: Instant?
    /// The one before it.
    var last: Instant?
    /// In a row.
    var failures = 0

    /// When it is asked again, after a failure.
    var askedAgain: Instant? {
        if case .failed(let again, _) = state { return again }
        return nil
    }

    /// A due time has become a job, or a record that says why not.
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
    /// The first wait after a failure; it doubles with each that follows.
    static let askAgainMilliseconds: Int64 = 60_000
    static let askAgainMillisecondsMax: Int64 = 3_600_000

    /// Schedules whose program failed when it was asked last, with the reason.
    public var unanswered: [(task: String, schedule: String, program: PatternExtension, why: String, again: Instant)] {
        questions.failing.compactMap { schedule in
            guard case .failed(let again, let why)? = schedule.asking?.state,
                let program = schedule.definition?.recurrence.patternExtension
            else { return nil }
            return (schedule.task, schedule.id, program, why, again)
        }
    }

    /// Asks, unless that was done. `isChanged`: the task or the program is not what it was when it was asked last, or it is time
    /// to ask again after a failure.
    func ask(_ schedule: ScheduleState, isChanged: Bool) {
        guard let definition = schedule.definition, definition.enabled, definition.recurrence.patternExtension != nil else { return }
        let asking = schedule.asking ?? Asking()
        schedule.asking = asking
        // The clock or `not_before` was set past it.
        if let due = asking.due, due <= schedule.dueAfter { asking.forget() }
        if case .unasked = asking.state {} else if !isChanged { return }
        questions.count += 1
        asking.state = .asked(questions.count)
        questions.toAsk.append((schedule, questions.count))
    }

    /// A program has come, changed or gone; nil: any of them may have.
    func programChanged(_ key: String?) {
        for state in tasks.values where state.definition != nil {
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
        for schedule in questions.failing {
            if let again = schedule.asking?.askedAgain, isTime(again, now) { ask(schedule, isChanged: true) }
        }
        questions.failing.removeAll { $0.asking?.askedAgain == nil }
        var taken: [Question] = []
        for (schedule, number) in questions.toAsk {
            guard let asking = schedule.asking, case .asked(number) = asking.state, let definition = schedule.definition,
                let program = definition.recurrence.patternExtension
            else { continue }
            taken.append(
                Question(
                    task: schedule.task, schedule: schedule.id, number: number, program: program, zone: definition.zone,
                    last: asking.last, after: max(now, schedule.dueAfter)))
        }
        questions.toAsk.removeAll()
        return taken
    }

    /// A clock that was set back must not put off the next question further than any wait is long.
    private func isTime(_ again: Instant, _ now: Instant) -> Bool {
        again <= now || again > now.advanced(byMilliseconds: Self.askAgainMillisecondsMax)
    }

    /// Whether the answer to this question is still of use.
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
        if !questions.failing.contains(where: { $0 === schedule }) { questions.failing.append(schedule) }
    }
}
