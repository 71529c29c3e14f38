import Glibc
import Linux
import Metrics
import Scheduler
import Store

/// Writes `state/metrics.prom`, the daemon's metrics for Prometheus. Only the spool's owner can read it: it names the owner's tasks.
///
/// Invariants:
/// - The file is replaced as a whole after a change, at most once a second. It takes a fiftieth of the daemon's time at most, however many
///   tasks it names. After the last change the daemon wakes up once for it at most, and then rests.
/// - No value changes with time alone, so that the file of an idle daemon stays true. What others change, the standbys and the free space,
///   is as of the last change; whoever reads the numbers by spoolctl gets both as they are.
/// - Only the names of tasks, queues, results and the like are labels, and of these no more than the configuration allows.
final class MetricsFile: Part {
    /// The minimum time between two writes.
    private static let milliseconds: Int64 = 1000
    /// A write is followed by a rest of this many times its own length.
    private static let restFactor: Int64 = 50
    /// The label of all queues that the configuration does not name. No queue can have this name.
    private static let otherQueues = "(other)"
    private static let defaultQueue = "default"

    private var writtenChanges: UInt64 = 0
    private var nextWrite = MonotonicInstant(nanoseconds: 0)
    private var labelled = LabelledTasks()
    /// True when the last write failed and the log has reported that.
    private var hasFailed = false
    private let startedAt: Instant
    private let options: DaemonOptions
    private let user: String?
    private let configuration: ConfigurationFile
    private let slots: SlotLimit
    private let gate: StartGate
    private let service: SpoolService
    private let log: Log

    init(
        _ options: DaemonOptions, _ configuration: ConfigurationFile, _ slots: SlotLimit, _ gate: StartGate, isForEverybody: Bool,
        _ service: SpoolService, _ log: Log
    ) {
        self.options = options
        user = options.user ?? (isForEverybody ? "root" : nil)
        self.configuration = configuration
        self.slots = slots
        self.gate = gate
        self.service = service
        self.log = log
        startedAt = service.now
    }

    // MARK: When

    private var hasChanged: Bool { writtenChanges != service.changes }

    var wakeAt: Wake { Wake(monotonic: hasChanged ? nextWrite : nil) }

    func afterTurn() {
        guard hasChanged, nextWrite <= .now() else { return }
        write(isUp: true)
    }

    // MARK: Writing

    func write(isUp: Bool) {
        let began = MonotonicInstant.now()
        writtenChanges = service.changes
        do throws(SystemError) {
            try service.spool.fs.replace(Layout.metrics, metrics(isUp: isUp).text(.prometheus))
            hasFailed = false
        } catch {
            // The next change tries again.
            if !hasFailed { log.write(.warning, "not-published", at: service.now, ["error": "\(error)"]) }
            hasFailed = true
        }
        let ended = MonotonicInstant.now()
        let took = Int64(clamping: (ended.nanoseconds - began.nanoseconds) / 1_000_000)
        nextWrite = ended.advanced(byMilliseconds: max(Self.milliseconds, Self.restFactor * took))
    }

    // MARK: Content

    private func metrics(isUp: Bool) -> Metrics {
        let scheduler = service.scheduler
        let tally = scheduler.tally
        var metrics = Metrics(user: user)
        metrics.add(.up, [], .truth(isUp))
        metrics.add(.build, [options.version], .count(1))
        metrics.add(.startTime, [], .seconds(milliseconds: startedAt.milliseconds))
        metrics.add(.slots, [], .count(slots.granted ?? configuration.inForce.slots))
        metrics.add(.held, [], .truth(gate.reason != nil))
        for kind in Trouble.Kind.allCases { metrics.add(.trouble, [kind.rawValue], .truth(service.troubles[kind] != nil)) }
        addDisk(to: &metrics)
        metrics.add(.started, [], .count(tally.started))
        for (result, count) in zip(Tally.results, tally.ended) { metrics.add(.ended, [result], .count(count)) }
        for (outcome, count) in zip(Tally.DueOutcome.allCases, tally.dues) { metrics.add(.dues, [outcome.rawValue], .count(count)) }
        metrics.add(.retries, [], .count(tally.retries))
        metrics.add(.processorTime, [], .seconds(milliseconds: tally.processorMilliseconds))
        metrics.add(.durations, counts: tally.durations.counts, sumMilliseconds: tally.durations.sum)
        metrics.add(.startDelays, counts: tally.startDelays.counts, sumMilliseconds: tally.startDelays.sum)
        metrics.add(.oldestWait, [], scheduler.oldestWait().map { .seconds(milliseconds: $0.milliseconds) })
        addQueues(to: &metrics)
        addExecutors(to: &metrics)
        metrics.add(.tasks, [], .count(scheduler.definedTaskCount))
        metrics.add(.tasksOverdue, [], .count(scheduler.overdueCount))
        metrics.add(.refused, [], .count(service.problems.count))
        addTasks(to: &metrics)
        return metrics
    }

    /// The facts of the disk. One that it does not tell is left out.
    private func addDisk(to metrics: inout Metrics) {
        let fs = service.spool.fs
        let standbys = try? Standby.all(ofSpool: options.spool).count  // left out
        metrics.add(.standbys, [], standbys.map { .count($0) })
        let segments = try? Journal<DiskFileSystem>.segments(fs)  // left out
        var bytes = segments.map { _ in Int64(0) }
        for segment in segments ?? [] {
            let status = try? fs.status("\(Layout.journal)/\(segment)")  // left out
            bytes = status.flatMap { status in bytes.map { $0 + status.size } }
        }
        metrics.add(.journalBytes, [], bytes.map { .count($0) })
        metrics.add(.freeBytes, [], DiskSpace.freeBytes(atPath: options.spool).map { .count($0) })
    }

    private func addQueues(to metrics: inout Metrics) {
        let configured = configuration.inForce
        let running = service.scheduler.runningByQueue
        let waiting = service.scheduler.waitingByQueue
        let named = Set(configured.queueSlots.keys).union([Self.defaultQueue])
        for name in named.sorted() {
            metrics.add(.queueSlots, [name], .count(configured.queueSlots[name] ?? configured.slots))
            metrics.add(.queueRunning, [name], .count(running[name] ?? 0))
            metrics.add(.queueWaiting, [name], .count(waiting[name] ?? 0))
        }
        func others(_ counts: [String: Int]) -> Int { counts.reduce(0) { named.contains($1.key) ? $0 : $0 + $1.value } }
        guard running.count + waiting.count > 0 else { return }
        let (othersRunning, othersWaiting) = (others(running), others(waiting))
        guard othersRunning + othersWaiting > 0 else { return }
        metrics.add(.queueRunning, [Self.otherQueues], .count(othersRunning))
        metrics.add(.queueWaiting, [Self.otherQueues], .count(othersWaiting))
    }

    /// The executors that the configuration names, and those that have jobs.
    private func addExecutors(to metrics: inout Metrics) {
        let configured = configuration.inForce.executors
        let executors = service.scheduler.executors
        for name in Set(configured.keys).union(executors.keys).sorted() {
            metrics.add(.executorSlots, [name], .count((configured[name] ?? ExecutorSettings()).slots))
            for phase in RemoteView.Phase.allCases {
                metrics.add(.executorRuns, [name, phase.rawValue], .count(executors[name]?.runs[phase] ?? 0))
            }
            metrics.add(.executorTrouble, [name], .truth(executors[name]?.isUnanswered ?? false))
        }
    }

    private func addTasks(to metrics: inout Metrics) {
        let scheduler = service.scheduler
        labelled.renew(scheduler, max: configuration.inForce.metricsTasks)
        metrics.add(.tasksLeftOut, [], .count(scheduler.definedTaskCount - labelled.tasks.count))
        let pauses = scheduler.pauses
        let problems = service.problems
        for task in labelled.tasks {
            let marks = task.marks
            let name = [task.name]
            func add(_ family: MetricFamily, _ instant: Instant?) {
                metrics.add(family, name, instant.map { .seconds(milliseconds: $0.milliseconds) })
            }
            add(.lastStart, marks.startedAt)
            add(.lastEnd, marks.endedAt)
            add(.lastSuccess, marks.succeededAt)
            add(.nextDue, task.nextDue)
            metrics.add(.lastDuration, name, marks.durationMilliseconds.map { .seconds(milliseconds: $0) })
            metrics.add(.lastExitCode, name, marks.exitCode.map { .count($0) })
            metrics.add(.running, name, .count(task.runningCount))
            metrics.add(.overdue, name, .truth(task.isOverdue))
            metrics.add(.paused, name, .truth(!pauses.isEmpty && pauses[.task(task.name)] != nil))
            metrics.add(.definitionRefused, name, .truth(!problems.isEmpty && problems[task.problemPath] != nil))
            metrics.add(.expect, name, task.expectMilliseconds.map { .seconds(milliseconds: $0) })
        }
    }
}

/// The tasks that have metrics of their own: the first by name, as many as the configuration allows. So they are the same after a restart.
struct LabelledTasks {
    private(set) var tasks: [TaskState] = []
    private var version: Int?
    private var max = 0

    /// Looks at all tasks, but only when one was added or removed since the last call, or the configuration has changed.
    mutating func renew(_ scheduler: Scheduler, max: Int) {
        guard version != scheduler.definedTasksVersion || self.max != max else { return }
        version = scheduler.definedTasksVersion
        self.max = max
        tasks.removeAll(keepingCapacity: true)
        guard max > 0 else { return }
        if scheduler.definedTaskCount <= max {
            for task in scheduler.tasks.values where task.isDefined { tasks.append(task) }
            return tasks.sort { $0.name < $1.name }
        }
        for task in scheduler.tasks.values where task.isDefined {
            if tasks.count == max {
                guard let last = tasks.last, task.name < last.name else { continue }
                tasks.removeLast()
            }
            tasks.insert(task, at: place(of: task.name))
        }
    }

    /// The number of tasks that come before a name.
    private func place(of name: String) -> Int {
        var (low, high) = (0, tasks.count)
        while low < high {
            let middle = (low + high) / 2
            if tasks[middle].name < name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
