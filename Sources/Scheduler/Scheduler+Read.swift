// The state that the owner of the scheduler may read between two turns.

extension Scheduler {
    // MARK: Recorded

    public var jobs: [JobID: Job] { recorded.jobs }
    public var tasks: TaskTable { recorded.tasks }
    public var pauses: [PauseScope: String] { recorded.pauses }
    /// The definition in force of a file, by its path without the ending.
    public func definition(of file: String) -> RecordedDefinition? {
        guard let name = Self.taskName(ofFile: file) else { return recorded.otherDefinitions[file] }
        return tasks[name]?.recorded
    }

    /// Each definition in force, by its file's path without the ending. Costs a pass over the tasks.
    public var definitions: [String: RecordedDefinition] {
        var definitions = recorded.otherDefinitions
        for state in tasks.values { if let known = state.recorded { definitions["tasks/\(state.name)"] = known } }
        return definitions
    }
    /// The boot in which the last daemon ran, according to the journal.
    public var lastBoot: String? { recorded.lastBoot }
    /// The last readable record of a journal that was repaired since the last daemon.
    public var repairedSince: Instant? { recorded.repairedSince }

    /// The numbers of all that was done.
    public var tally: Tally { recorded.tally }

    /// True when the last daemon ended properly after all records of the job, so that the job was in its place.
    public func wasSettled(_ job: Job) -> Bool { recorded.touchedSinceStop.map { !$0.contains(job.id) } ?? false }

    // MARK: Derived

    /// The number of tasks with a definition in force.
    public var definedTaskCount: Int { derived.definedCount }

    /// Incremented whenever a task is added or removed.
    public var definedTasksVersion: Int { derived.definedVersion }

    /// The number of tasks that are overdue.
    public var overdueCount: Int { derived.overdue.count }

    public var runningCount: Int { derived.runningCount }

    /// The number of running jobs that have a slot.
    public var slotsUsed: Int { runningHereCount - derived.slotless.running }

    /// The number of running jobs without those that executors have.
    public var runningHereCount: Int { derived.runningCount - derived.remote.count }

    /// The number of running jobs that executors have.
    public var remoteCount: Int { derived.remote.count }

    /// The number of jobs that need no slot and have not ended.
    public var slotlessCount: Int { derived.slotless.all }

    /// The executors that have jobs.
    public var executors: [String: ExecutorLoad] { derived.remote.loads }

    /// True when jobs could start but for what they share: slots, queues that are paused, locks.
    public var hasReady: Bool { !derived.ready.isEmpty }

    /// The number of running jobs of each queue that has any.
    public var runningByQueue: [String: Int] { derived.ready.running }

    /// The number of waiting jobs of each queue that has any.
    public var waitingByQueue: [String: Int] { derived.ready.waitingCounts }

    /// The time at which the job was to start that has waited longest since then. Nil when none waits.
    public func oldestWait() -> Instant? { derived.timetable.waiting.first()?.instant }

    /// Jobs that have ended in this turn. The tree does not show it yet.
    public var endedInTurn: [JobID: Job] { agenda.ended }

    /// True when the file in `schedules/` with this id is in force.
    public func isInForce(schedule id: String) -> Bool { derived.scheduleFiles[id] != nil }

    /// Incremented whenever a schedule that waits for files is added, changed or removed.
    public var fileSchedulesVersion: Int { derived.fileWaits.version }

    // MARK: Time

    /// The time at which something happens without an event. Nil when nothing will.
    ///
    /// - Parameter mayStart: as for `takeTurn`.
    public func nextWake(mayStart: Bool = true) -> Instant? {
        var wake: Instant?
        func consider(_ instant: Instant) { wake = wake.map { min($0, instant) } ?? instant }
        if let next = derived.timetable.delayed.first() { consider(next.instant) }
        if let next = derived.timetable.deadlines.first() { consider(next.instant) }
        if let next = derived.timetable.slow.first() { consider(next.instant) }
        guard mayStart else { return wake }
        if let next = derived.timetable.dues.first() { consider(next.instant) }
        for schedule in derived.questions.failing { if let again = schedule.asking?.askedAgain { consider(again) } }
        if let next = derived.timetable.expectations.first() { consider(next.instant) }
        if let next = derived.remote.nextWake() { consider(next) }
        return wake
    }

    /// The next due time of any schedule, with its task.
    public func nextDue() -> (instant: Instant, task: String)? {
        derived.timetable.dues.first().map { ($0.instant, $0.schedule.task) }
    }
}
