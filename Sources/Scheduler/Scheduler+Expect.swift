// What is expected of a task: `expect`, `on_overdue`.
//
// What holds: once for each time that a task has not succeeded for as long as it says, a record says so and `on_overdue` is
// started; the next success ends that. Both survive a restart, and so does since when the next success is expected.

/// A task and when its next success is due at the latest.
struct TimedTask: Comparable {
    let instant: Instant
    let task: TaskState

    static func < (a: Self, b: Self) -> Bool { a.instant != b.instant ? a.instant < b.instant : a.task.name < b.task.name }
    static func == (a: Self, b: Self) -> Bool { a.instant == b.instant && a.task === b.task }
}

extension TaskState {
    /// When the task is overdue, unless it is already, or nothing is expected of it.
    var expectedBy: Instant? {
        guard let history, let since = history.expectedSince, !history.isOverdue, let span = definition?.expectMilliseconds
        else { return nil }
        return since.advanced(byMilliseconds: span)
    }
}

extension Scheduler {
    /// Tasks that have not succeeded in time, and since when there was no success.
    public var overdue: [(task: String, since: Instant)] {
        tasks.values.compactMap { state in
            guard let history = state.history, history.isOverdue, let since = history.expectedSince else { return nil }
            return (state.name, since)
        }.sorted { $0.task < $1.task }
    }

    /// The task's definition has come into force.
    func expect(of state: TaskState, at now: Instant) {
        let isExpected = state.definition?.expectMilliseconds != nil
        if isExpected != (state.history?.expectedSince != nil) {
            commit(.expecting(task: state.name, since: isExpected ? now : nil, isOverdue: false), at: now)
        }
        lineUp(state)
    }

    private func lineUp(_ state: TaskState) {
        guard let instant = state.expectedBy, let history = state.history, !history.isLinedUp else { return }
        history.isLinedUp = true
        timetable.expectations.insert(TimedTask(instant: instant, task: state))
    }

    /// A run of the task has succeeded.
    func succeeded(_ state: TaskState, at now: Instant) {
        guard let history = state.history, let since = history.expectedSince else { return }
        history.expectedSince = max(since, now)
        history.isOverdue = false
        lineUp(state)
    }

    /// When the next task is overdue. Entries that tasks have gone beyond, by a success, move on to where they belong.
    func nextExpectation() -> Instant? {
        while let top = timetable.expectations.first {
            if top.task.expectedBy == top.instant, tasks[top.task.name] === top.task { return top.instant }
            timetable.expectations.removeFirst()
            top.task.history?.isLinedUp = false
            if tasks[top.task.name] === top.task { lineUp(top.task) }
        }
        return nil
    }

    func checkExpectations(at now: Instant) {
        while let instant = nextExpectation(), instant <= now, let state = timetable.expectations.removeFirst()?.task {
            state.history?.isLinedUp = false
            guard let since = state.history?.expectedSince, let definition = state.definition else { continue }
            // First, so that a journal that is cut between the two makes neither of them twice.
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
