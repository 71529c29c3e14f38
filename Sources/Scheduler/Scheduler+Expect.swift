// The expectations of a task: `expect`, `on_overdue`.
//
// Invariant: each time that a task has not succeeded within its time, one record is written and `on_overdue` is started once. The
// next success ends this. The overdue state and the beginning of the present time both survive a restart.

/// A task, with the time by which its next success is required.
struct TimedTask: TimedEntry {
    let instant: Instant
    let task: TaskState

    var isValid: Bool { task.expectedBy == instant }

    static func < (a: Self, b: Self) -> Bool { a.instant != b.instant ? a.instant < b.instant : a.task.name < b.task.name }
    static func == (a: Self, b: Self) -> Bool { a.instant == b.instant && a.task === b.task }
}

extension TaskState {
    /// The time at which the task becomes overdue. Nil when it is overdue already, or when nothing is expected of it.
    var expectedBy: Instant? {
        guard let history, let since = history.expectedSince, !history.isOverdue, let span = expectMilliseconds
        else { return nil }
        return since.advanced(byMilliseconds: span)
    }
}

extension Scheduler {
    /// The overdue tasks, each with the beginning of the time without a success.
    public var overdue: [(task: String, since: Instant)] {
        derived.overdue.sorted().compactMap { name in
            guard let history = tasks[name]?.history, history.isOverdue, let since = history.expectedSince else { return nil }
            return (name, since)
        }
    }

    /// Handles a definition of the task that has come into force.
    func expect(of state: TaskState, at now: Instant) {
        let isExpected = state.expectMilliseconds != nil
        if isExpected != (state.history?.expectedSince != nil) {
            commit(.expecting(task: state.name, since: isExpected ? now : nil, isOverdue: false), at: now)
        }
        lineUp(state)
    }

    func lineUp(_ state: TaskState) {
        guard let instant = state.expectedBy else { return }
        derived.timetable.expectations.insert(TimedTask(instant: instant, task: state))
    }

    func checkExpectations(at now: Instant) {
        while let state = derived.timetable.expectations.takeFirst(by: now)?.task {
            guard let since = state.history?.expectedSince, let definition = state.definition else { continue }
            // The record comes first: if the journal is cut after it, neither the record nor the follow-up is made twice.
            do throws(Problems) {
                if let followUp = try definition.whenOverdue(context(now)) {
                    followOverdue(followUp, of: state.name, since: since, at: now)
                }
            } catch {
                turn.refusals.append(Turn.Refusal(file: "tasks/\(state.name)", why: "on_overdue cannot be read: \(error)"))
            }
            commit(.expecting(task: state.name, since: since, isOverdue: true), at: now)
        }
    }
}
