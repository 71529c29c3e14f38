import Glibc
import Scheduler
import Store
import WorkerProtocol

/// Determines the end of runs whose workers do not report it: runs of an earlier daemon, and runs whose worker is gone.
///
/// Invariants:
/// - A run has the end that its worker recorded. A run without a record has not begun, or it is lost if the record may be lost
///   too.
/// - While a worker of an earlier daemon lives whose record names none of the missing runs, nothing is concluded about these
///   runs.
final class UnreportedRuns<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// The time after which a worker's unreadable record counts as lost.
    private static var unreadableMilliseconds: Int64 { 60_000 }

    /// Running jobs whose workers, of this daemon or an earlier one, have not been found or have left no readable record yet.
    private var unaccounted: [Job] = []
    /// Ended workers of this daemon, or adopted ones, with a run in progress. The next turn reads their records.
    private var goneWorkers: [(job: Job, record: String)] = []
    /// Workers' records that the disk cannot read, and the time of the first failure.
    private var unreadableRecords: [String: MonotonicInstant] = [:]

    init(_ service: Service<FS, W>) { self.service = service }

    private var recovery: Recovery<FS, W> { service.recovery }

    /// True when records of ended workers must be read.
    var hasWork: Bool { !goneWorkers.isEmpty }

    /// True when some runs have not been found, so that any worker's record may belong to one of them.
    var isSearching: Bool { !unaccounted.isEmpty }

    var wakeAt: MonotonicInstant? { unaccounted.isEmpty ? nil : monotonicNow.advanced(byMilliseconds: 20) }

    func workerIsGone(_ job: Job, record: String) { goneWorkers.append((job, record)) }

    /// Finds the runs of the earlier daemon.
    func begin(_ running: [Job]) throws(SystemError) {
        unaccounted = running
        try settle()
    }

    /// Finds the worker, or the recorded end, of each running job of an earlier daemon. While a worker of that daemon lives whose
    /// record names none of them, nothing is concluded about the others: the worker may be about to begin a run, or to end.
    func settle() throws(SystemError) {
        guard !unaccounted.isEmpty else { return }
        var waiting: [JobID: Job] = [:]
        for job in unaccounted { waiting[job.id] = job }
        var undecided = false
        for entry in try spool.fs.list(Layout.workers) where !world.isOwn(record: entry.name) {
            let isAlive = try world.isAlive(record: entry.name)
            let found: WorkerRecord?
            do throws(SystemError) { found = try recorded(entry.name) } catch {
                undecided = true
                continue
            }
            switch found {
            case .ended(let end):
                if let id = JobID(end.jobID), let job = waiting[id], job.attempt == end.attempt {
                    waiting[id] = nil
                    self.end(job, attempt: end.attempt, Self.resultUnserved(end, of: job))
                    continue
                }
                if isAlive { undecided = true }
            case .running(let run):
                guard let id = JobID(run.jobID), let job = waiting[id], job.attempt == run.attempt else {
                    if isAlive { undecided = true }
                    continue
                }
                waiting[id] = nil
                // After a disk failure and a new mount in the same boot, the file system has no locks of the old mount.
                if isAlive || recovery.wasDiskBroken, try world.adopt(job, run, record: entry.name) { continue }
                // Its last record may have been written between the two checks.
                if !conclude(job, entry.name, isOfThisBoot: isOfThisBoot(job)) { waiting[id] = job }
            case nil:
                if isAlive { undecided = true }
            }
        }
        // Only when no worker is left that might still take one of these runs from its socket.
        let left = waiting.values.sorted { $0.arrival < $1.arrival }
        if !undecided {
            for job in left {
                end(job, attempt: job.attempt, RunResult(outcome: try outcome(ofUnrecorded: job), startedAt: job.startedAt, endedAt: now))
            }
        }
        unaccounted = undecided ? left : []
    }

    /// The end of a run while no daemon was running. When the machine stops, it sends signals to all processes: a run that such a
    /// signal ended, without a request to end it, is as lost as a run on a machine that lost power.
    private static func resultUnserved(_ end: RunEnd, of job: Job) -> RunResult {
        var result = RunResult(end)
        if job.stopping == nil, case .signaled(let number, _) = result.outcome, [SIGHUP, SIGINT, SIGTERM, SIGKILL].contains(number) {
            result.outcome = .lost("ended by \(Signal.name(number)) while no spoold served the spool, as when the machine stops")
        }
        return result
    }

    /// An earlier daemon of this boot may have found a run from before the start of the machine without learning its end.
    private func isOfThisBoot(_ job: Job) -> Bool { recovery.isSameBoot && job.recorded.boot == scheduler.lastBoot }

    /// A worker writes its record before it starts a command. So a run without a record never began, unless the machine stopped
    /// or the disk failed, because the record may not have reached the disk. Somebody may have removed the record, but a worker
    /// opens the output of a run after writing it: if the output exists, the run may have begun, and may still be running.
    private func outcome(ofUnrecorded job: Job) throws(SystemError) -> RunResult.Outcome {
        if scheduler.repairedSince != nil { return .lost("the journal was damaged, and nothing says how it ended") }
        if recovery.wasDiskBroken { return .lost("the disk broke while it ran") }
        guard isOfThisBoot(job) else { return .lost("the machine stopped while it ran") }
        let hasOutput = try spool.fs.status("\(Layout.directory(of: job.id, .running))/\(Layout.outputFile)") != nil
        return hasOutput ? .lost("it had begun, and no worker's record says what became of it") : .neverBegan
    }

    /// Determines the end of the runs of ended workers. A run whose worker's record cannot be read now is tried again later.
    func concludeGone() {
        let gone = goneWorkers
        goneWorkers = []
        for (job, record) in gone where !conclude(job, record, isOfThisBoot: true) { unaccounted.append(job) }
    }

    /// Returns false when the record cannot be read now. Without `isOfThisBoot`, the run's processes are gone, and their numbers
    /// may belong to others.
    private func conclude(_ job: Job, _ record: String, isOfThisBoot: Bool) -> Bool {
        var result = RunResult(
            outcome: .lost("its worker ended without recording how the run ended"), startedAt: job.startedAt, endedAt: now)
        let found: WorkerRecord?
        do throws(SystemError) { found = try recorded(record) } catch { return false }
        switch found {
        case .ended(let end) where end.jobID == job.id.text && end.attempt == job.attempt: result = RunResult(end)
        case .running(let run) where isOfThisBoot && run.jobID == job.id.text && run.attempt == job.attempt: world.endOrphans(of: run)
        default: break
        }
        end(job, attempt: job.attempt, result)
        return true
    }

    /// The content of a worker's record. Nil when there is none or it is invalid. Throws an error that may be temporary: a run
    /// with a recorded success must not become lost.
    private func recorded(_ record: String) throws(SystemError) -> WorkerRecord? {
        do throws(SystemError) {
            let taken = try spool.fs.take("\(Layout.workers)/\(record)", limit: 1 << 16, ignoringWriters: true)
            unreadableRecords[record] = nil
            guard case .file(_, let bytes) = taken else { return nil }
            return WorkerRecord.parse(bytes)
        } catch {
            let since = unreadableRecords[record] ?? monotonicNow
            let isNew = monotonicNow.milliseconds(since: since) < Self.unreadableMilliseconds
            guard error.isShortage || error.mayPass && isNew else { return nil }
            unreadableRecords[record] = since
            throw error
        }
    }

    // MARK: The end of a run

    private func end(_ job: Job, attempt: Int, _ result: RunResult) { handle(.ended(job.id, attempt: attempt, result)) }

    /// The end of a try, with the facts that its worker does not know.
    func completed(_ result: RunResult, of job: Job) -> RunResult {
        var result = result
        if job.executor == nil { result.cause = world.leaveGroup(of: job) }
        if let asking = job.definition.followUps.first(where: \.needsOutput) {
            result.hasOutput = hasOutput(job) && (!asking.isOptionalMail || world.canMail())
        }
        if job.definition.followUps.contains(where: \.isToldOfErrors), !isSuccess(result, of: job) {
            result.errorTail = spool.fs.errorTail(in: Layout.directory(of: job.id, .running))
        }
        return result
    }

    private func isSuccess(_ result: RunResult, of job: Job) -> Bool {
        guard case .exited(let code) = result.outcome else { return false }
        return job.definition.success.contains(code)
    }

    private func hasOutput(_ job: Job) -> Bool {
        [Layout.outputFile, Layout.errorFile].contains { name in
            // The output is missing or inaccessible, so there is nothing to mail.
            ((try? spool.fs.status("\(Layout.directory(of: job.id, .running))/\(name)"))?.size ?? 0) > 0
        }
    }
}
