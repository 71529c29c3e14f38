/// One kind of metric: its name, its type, its unit and its meaning. `spoold-metrics(7)` has all of them.
public struct MetricFamily: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
        /// A gauge with the constant value 1, whose labels are the information.
        case info
    }

    /// Without `_total`, `_info`, `_bucket` and the like.
    public let base: String
    public let kind: Kind
    /// The unit in the name. Empty when the metric counts things, or is a truth.
    public let unit: String
    public let help: String
    /// The labels besides `user`, in order.
    public let labels: [String]
    /// The upper bounds of a histogram, in seconds.
    public let bounds: [String]

    init(
        _ base: String, _ kind: Kind, unit: String = "", labels: [String] = [], bounds: [String] = [], _ help: String
    ) {
        self.base = base
        self.kind = kind
        self.unit = unit
        self.help = help
        self.labels = labels
        self.bounds = bounds
    }

    /// The name of its samples. Those of a histogram add `_bucket`, `_count` and `_sum`.
    public var name: String {
        switch kind {
        case .counter: "\(base)_total"
        case .info: "\(base)_info"
        case .gauge, .histogram: base
        }
    }
}

extension MetricFamily {
    // MARK: The daemon

    public static let up = MetricFamily("spoold_up", .gauge, "1 while a daemon serves the spool, otherwise 0.")
    public static let build = MetricFamily("spoold_build", .info, labels: ["version"], "The version of the daemon.")
    public static let startTime = MetricFamily(
        "spoold_start_time_seconds", .gauge, unit: "seconds", "Time at which the daemon started, since the epoch.")
    public static let slots = MetricFamily("spoold_slots", .gauge, "Number of jobs that may run at once.")
    public static let held = MetricFamily(
        "spoold_held", .gauge, "1 while jobs wait because the machine is past max_load or min_free_space, otherwise 0.")
    public static let trouble = MetricFamily(
        "spoold_trouble", .gauge, labels: ["of"], "1 while the daemon cannot do a part of its work, otherwise 0.")
    public static let standbys = MetricFamily("spoold_standbys", .gauge, "Number of daemons that wait to take over.")
    public static let journalBytes = MetricFamily(
        "spoold_journal_bytes", .gauge, unit: "bytes", "Size of all segments of the journal.")
    public static let freeBytes = MetricFamily(
        "spoold_spool_free_bytes", .gauge, unit: "bytes", "Free space of the spool's file system, for its user.")

    // MARK: Jobs

    public static let started = MetricFamily("spoold_jobs_started", .counter, "Number of jobs whose first try was started.")
    public static let ended = MetricFamily(
        "spoold_jobs_ended", .counter, labels: ["result"], "Number of jobs that ended: done, or with the reason of the failure.")
    public static let dues = MetricFamily(
        "spoold_due_times", .counter, labels: ["outcome"],
        "Number of due times that became a job in time (ran) or more than a minute later (late), or none (merged, skipped, lost).")
    public static let retries = MetricFamily("spoold_retries", .counter, "Number of tries after the first.")
    public static let processorTime = MetricFamily(
        "spoold_job_cpu_seconds", .counter, unit: "seconds", "Processor time of all ended tries.")
    public static let durations = MetricFamily(
        "spoold_job_duration_seconds", .histogram, unit: "seconds",
        bounds: ["0.1", "1.0", "10.0", "60.0", "300.0", "900.0", "3600.0", "14400.0", "86400.0"], "Length of the ended tries.")
    public static let startDelays = MetricFamily(
        "spoold_start_delay_seconds", .histogram, unit: "seconds",
        bounds: ["0.1", "0.5", "1.0", "5.0", "15.0", "60.0", "300.0", "900.0", "3600.0", "21600.0"],
        "Time from the instant at which a job was to start, to its first try.")
    public static let oldestWait = MetricFamily(
        "spoold_oldest_waiting_timestamp_seconds", .gauge, unit: "seconds",
        "Time at which the job was to start that has waited longest since then, since the epoch. Absent when none waits.")
    public static let oldestWaitLength = MetricFamily(
        "spoold_oldest_waiting_seconds", .gauge, unit: "seconds",
        "Time that the job has waited which has waited longest, when these metrics were asked for. 0 when none waits.")

    // MARK: Queues

    public static let queueSlots = MetricFamily(
        "spoold_queue_slots", .gauge, labels: ["queue"], "Number of jobs of the queue that may run at once.")
    public static let queueRunning = MetricFamily(
        "spoold_queue_running", .gauge, labels: ["queue"], "Number of jobs of the queue that have a slot.")
    public static let queueWaiting = MetricFamily(
        "spoold_queue_waiting", .gauge, labels: ["queue"], "Number of jobs of the queue that wait for anything.")

    // MARK: Executors

    public static let executorSlots = MetricFamily(
        "spoold_executor_slots", .gauge, labels: ["executor"], "Number of jobs that the executor may have at once.")
    public static let executorRuns = MetricFamily(
        "spoold_executor_runs", .gauge, labels: ["executor", "state"], "Number of jobs that the executor has, by their state there.")
    public static let executorTrouble = MetricFamily(
        "spoold_executor_trouble", .gauge, labels: ["executor"], "1 while the executor does not answer for some of its jobs, otherwise 0.")

    // MARK: Tasks

    public static let tasks = MetricFamily("spoold_tasks", .gauge, "Number of tasks.")
    public static let tasksLeftOut = MetricFamily(
        "spoold_tasks_left_out", .gauge, "Number of tasks without metrics of their own, because there are more than metrics_tasks.")
    public static let tasksOverdue = MetricFamily(
        "spoold_tasks_overdue", .gauge, "Number of tasks that have not succeeded in the time of their expect.")
    public static let refused = MetricFamily(
        "spoold_definitions_refused", .gauge, "Number of files that cannot be used as they are.")
    public static let lastStart = task(
        "last_start_timestamp_seconds", unit: "seconds", "Time at which the last try started, since the epoch.")
    public static let lastEnd = task("last_end_timestamp_seconds", unit: "seconds", "Time at which the last try ended, since the epoch.")
    public static let lastSuccess = task(
        "last_success_timestamp_seconds", unit: "seconds", "Time at which the last run succeeded, since the epoch.")
    public static let nextDue = task(
        "next_due_timestamp_seconds", unit: "seconds", "Next due time, since the epoch. Absent when none is known.")
    public static let lastDuration = task("last_duration_seconds", unit: "seconds", "Length of the last ended try.")
    public static let lastExitCode = task("last_exit_code", "Exit code of the last ended try. Absent when it has none.")
    public static let running = task("running", "Number of runs that run.")
    public static let overdue = task("overdue", "1 while the task has not succeeded in the time of its expect, otherwise 0.")
    public static let paused = task("paused", "1 while the task is paused, otherwise 0.")
    public static let definitionRefused = task(
        "definition_refused", "1 while the task's file cannot be used as it is, otherwise 0. An earlier definition stays in force.")
    public static let expect = task(
        "expect_seconds", unit: "seconds", "Time within which the task must succeed again. Absent without expect.")

    private static func task(_ name: String, unit: String = "", _ help: String) -> MetricFamily {
        MetricFamily("spoold_task_\(name)", .gauge, unit: unit, labels: ["task"], help)
    }

    /// The place of each in ``all``, by its base.
    static let places = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.base, $0) })

    /// All of them, in the order of the text.
    public static let all: [MetricFamily] = [
        up, build, startTime, slots, held, trouble, standbys, journalBytes, freeBytes,
        started, ended, dues, retries, processorTime, durations, startDelays, oldestWait, oldestWaitLength,
        queueSlots, queueRunning, queueWaiting, executorSlots, executorRuns, executorTrouble,
        tasks, tasksLeftOut, tasksOverdue, refused,
        lastStart, lastEnd, lastSuccess, nextDue, lastDuration, lastExitCode, running, overdue, paused, definitionRefused, expect,
    ]
}
