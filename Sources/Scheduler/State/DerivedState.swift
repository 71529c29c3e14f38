/// The part of the scheduler's state that follows from the recorded part and from the definitions in force. It changes together with
/// them, so that no turn has to search all jobs or all schedules.
struct DerivedState {
    var runningCount = 0
    /// The number of tasks with a definition in force.
    var definedCount = 0 { didSet { definedVersion &+= 1 } }
    /// Incremented whenever a task gets a definition in force, or loses it.
    var definedVersion = 0
    /// All tasks that are overdue, by name.
    var overdue: Set<String> = []
    /// The number of jobs that need no slot: those that run, and all that have not ended.
    var slotless = (running: 0, all: 0)
    /// The jobs that hold the keys of `unique`.
    var uniques: [String: Job] = [:]
    /// The jobs that wait for the end of the job with that id. Some may no longer wait.
    var waiters: [JobID: [Job]] = [:]
    /// The task of each file in `schedules/`.
    var scheduleFiles: [String: String] = [:]
    var ready = ReadyQueues()
    /// The running tries that executors have.
    let remote = RemoteRuns()
    var locks = Locks()
    var timetable = Timetable()
    var questions = Questions()
    var fileWaits = FileWaits()
    var calendars = CalendarsInForce()
}

/// Instants at which something happens without an event.
struct Timetable {
    /// Due times of schedules.
    var dues = Lineup<TimedSchedule>()
    /// Jobs that wait for their start or their next try.
    var delayed = Lineup<TimedJob>()
    /// Jobs whose time has come and that have not started, each with that time.
    var waiting = Lineup<TimedJob>()
    /// Jobs that fail unless they have started by this time.
    var deadlines = Lineup<TimedJob>()
    /// Runs that become slow at this time unless they have ended.
    var slow = Lineup<SlowRun>()
    /// Tasks that become overdue at this time unless they succeed.
    var expectations = Lineup<TimedTask>()
}

/// Work for the next turn. A turn empties it. After a replay it contains the follow-ups that are owed.
struct Agenda {
    /// Jobs that will never run, with the reason and the job whose end is the reason.
    var broken: [(job: Job, why: Obstacle, by: JobID?)] = []
    /// Follow-ups that have not been accepted yet.
    var owed: [Debt] = []
    /// Jobs that have ended since the last turn. The tree does not show it yet.
    var ended: [JobID: Job] = [:]
    /// The daemon has started, and the next turn handles missed due times.
    var start: PendingStart?
}
