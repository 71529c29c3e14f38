import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

/// The worker processes of this daemon, and the jobs that they run. The pool starts a worker for a job when no worker is idle, gives it one
/// job after another, and ends it when it has been idle for a while.
///
/// Invariants:
/// - A worker runs the jobs of one user and no others.
/// - A new worker gets a record file that no living worker has, of this daemon or of an earlier one, and that holds no run whose end is
///   still to be recorded.
final class WorkerPool: Part {
    /// The time for which an idle worker is kept.
    private static let idleMilliseconds: Int64 = 10_000
    /// A job fails with `spawn` when this number of new workers, one after another, could not take it.
    private static let newWorkersMax = 3

    /// By number, which is the name of the worker's record.
    private var workers: [Int: WorkerProcess] = [:]
    private var idle: [WorkerProcess] = []
    /// The last time at which a worker became idle.
    private var idleSince: MonotonicInstant?
    /// The remarks that were logged. A remark about a user's home, for example, concerns every job of the user and is logged once.
    private var loggedRemarks: Set<String> = []
    private var surroundings: RunSurroundings
    private let adopted: AdoptedWorkers
    private let startLimit: StartLimit
    private let cgroups: Cgroups
    private let identities: RunIdentities
    private let cronLog: CronLog
    /// Nil when the output of jobs is in files alone.
    private let output: JobOutput?
    /// The path of the worker program.
    private let program: String
    /// The path of spoold, which opens sessions.
    private let daemonProgram: String
    /// The session in which workers begin. Nil means none.
    private var session: Session?
    /// True when workers must not write their errors to the daemon's log.
    private let isQuiet: Bool
    private let loop: EventLoop
    private let service: SpoolService
    private let log: Log
    /// The variables that jobs get unless the configuration says which.
    private let inheritedByDefault: InheritedVariables

    init(
        _ surroundings: RunSurroundings, program: String, of daemonProgram: String, isQuiet: Bool, _ loop: EventLoop, _ slots: SlotLimit,
        inheriting inheritedByDefault: InheritedVariables, _ output: JobOutput?, _ configuration: ConfigurationFile,
        _ service: SpoolService, _ log: Log
    ) {
        self.inheritedByDefault = inheritedByDefault
        self.output = output
        self.surroundings = surroundings
        self.program = program
        self.daemonProgram = daemonProgram
        self.isQuiet = isQuiet
        self.loop = loop
        self.service = service
        self.log = log
        identities = RunIdentities(own: surroundings.user)
        cgroups = Cgroups(loop, log)
        cronLog = CronLog(owner: surroundings.user.name, service, log)
        adopted = AdoptedWorkers(spool: surroundings.spool, loop, service, log)
        startLimit = StartLimit(slots, configuration, service)
        self.surroundings.inherit(inheritedByDefault)
        self.surroundings.reportsOutput = output != nil
        output?.onTaken = { [unowned self] worker, count in
            try? workers[worker]?.send(.outputTaken(count))  // a worker that is gone reports its end on its socket
        }
        for part in [self, adopted, startLimit] as [any Part] { loop.add(part) }
    }

    private var spool: Spool<DiskFileSystem> { service.spool }

    func configure(_ configuration: Configuration) {
        surroundings.defaultTimeoutMilliseconds = configuration.defaultTimeoutMilliseconds
        surroundings.outputLimitBytes = configuration.outputLimitBytes
        surroundings.inherit(configuration.inheritedVariables ?? inheritedByDefault)
        // Only root can open a session of another user. The daemon of a user is in one itself.
        let next = geteuid() == 0 ? configuration.pamService.map { Session(service: $0, program: daemonProgram) } : nil
        guard next != session else { return }
        session = next
        surroundings.hasSessions = next != nil
        endIdle(keeping: 0)
        for worker in workers.values { worker.isLast = true }
    }

    /// The owner of a job's directory. Nil means the daemon's own user.
    func owner(_ definition: JobDefinition) -> FileOwner? { identities.owner(definition, at: service.now) }

    // MARK: Starting

    /// Gives a job to a worker. The start is in the journal, and the job is in running/.
    func start(_ job: Job) {
        do {
            let identity = try identities.find(job.definition, at: service.now)
            if let remark = identity.remark { note(remark, of: job) }
            var request = try RunRequest(job, as: identity.user, isOwn: identity.credentials == nil, surroundings) { note($0, of: job) }
            let group = try cgroups.make(for: job)
            if let group { request.confinement.append(.cgroup(group)) }
            if let message = cronLog.message(of: job) { request.confinement.append(.logged(message)) }
            try give(job, request, as: identity, in: group)
        } catch let error as RunNotPrepared {
            notStarted(job, error.why)
        } catch let error as SystemError where error.isRefusedStart {
            refused(job, "\(error)")
        } catch {
            notStarted(job, "no worker could be started: \(error)")
        }
    }

    /// Gives the run to an idle worker, or to a new one. When a worker has died before it read the whole request, it has begun nothing, and
    /// another worker gets the request.
    private func give(_ job: Job, _ request: RunRequest, as identity: RunIdentity, in group: String?) throws(SystemError) {
        // Only root can open the control file of a group. A worker for another user is root for a moment at its start and opens the file
        // then, so such a job needs a new worker.
        let credentials = identity.credentials
        let groupToOpen = credentials == nil ? nil : group
        var newOnes = 0
        while true {
            let worker: WorkerProcess
            if groupToOpen == nil, let one = takeIdle(as: credentials) {
                worker = one
            } else {
                worker = try newWorker(as: credentials, of: identity.isKnown ? identity.user : nil, opening: groupToOpen)
                newOnes += 1
            }
            worker.isLast = worker.isLast || groupToOpen != nil
            worker.job = job
            do throws(SystemError) {
                try worker.send(.run(request))
                if output != nil { worker.outputs.append(OutputSource(job)) }
                return
            } catch {
                // The worker has died; its socket reports the end.
                worker.job = nil
                guard newOnes == Self.newWorkersMax else { continue }
                // The last worker may have reported why it died.
                for case .cannotServe(let errno, let message) in worker.receive() ?? [] { return cannotServe(job, errno, message) }
                throw error
            }
        }
    }

    /// Called when a job's worker has reported that it cannot run any job.
    private func cannotServe(_ job: Job, _ errno: Int32, _ message: String) {
        let error = SystemError(call: "serve", errno: errno)
        if error.isOfDisk || error.isOfBrokenDisk { return refused(job, message) }
        notStarted(job, "its worker cannot serve: \(message)")
    }

    /// Ends the try of a job that could not be started, for a reason that concerns this job.
    private func notStarted(_ job: Job, _ why: String) { endUnstarted(job, .notSpawned(why)) }

    /// Has a job wait on that could not be started, for a reason that concerns the machine, and limits further starts.
    private func refused(_ job: Job, _ error: String) {
        endUnstarted(job, .neverBegan)
        limitStarts(error)
    }

    private func endUnstarted(_ job: Job, _ outcome: RunResult.Outcome) {
        service.submit(.ended(job.id, attempt: job.attempt, RunResult(outcome: outcome, startedAt: nil, endedAt: service.now)))
    }

    private func limitStarts(_ error: String) {
        // Idle workers beyond those that jobs may use are ended, to make room for the processes of jobs.
        endIdle(keeping: startLimit.lower(error))
    }

    // MARK: Turns

    /// Called before the scheduler's turn. Lets one more job start when it is time to try that.
    func prepareTurn() {
        guard startLimit.isTrialDue() else { return }
        if idle.isEmpty {
            do throws(SystemError) { becameIdle(try newWorker(as: nil, of: surroundings.user)) } catch { return limitStarts("\(error)") }
        }
        startLimit.beginTrial()
    }

    /// Called after the scheduler's turn.
    func turnTaken(_ turn: Turn) { startLimit.turnTaken(turn) }

    /// Ends the workers that have been idle for a while. The jobs that were taken in and ended before have left free memory behind.
    func afterTurn() {
        guard let due = idleEnd, .now() >= due else { return }
        endIdle(keeping: 0)
        Memory.giveBack()
    }

    private var idleEnd: MonotonicInstant? { idle.isEmpty ? nil : idleSince?.advanced(byMilliseconds: Self.idleMilliseconds) }

    var wakeAt: Wake { Wake(monotonic: idleEnd) }
    var isIdle: Bool { workers.count == idle.count }

    // MARK: Workers

    /// - Parameter user: for whom the worker's session is. Nil means that it has none.
    private func newWorker(
        as credentials: Credentials?, of user: User?, opening group: String? = nil
    ) throws(SystemError) -> WorkerProcess {
        var number = 1
        while true {
            if workers[number] == nil, try !isTaken(record: String(number)) {
                do throws(SystemError) {
                    let worker = try WorkerProcess(
                        program: program, record: "\(surroundings.spool)/\(Layout.workers)/\(number)", number: number, as: credentials,
                        in: session.flatMap { session in user.map { (session, $0.name) } }, opening: group, isQuiet: isQuiet,
                        reportsOutput: output != nil)
                    workers[number] = worker
                    worker.token = try loop.add(worker.descriptor) { [unowned self] () throws(SystemError) in try takeReports(number) }
                    return worker
                } catch {
                    // A worker of an earlier daemon still has this record: try the next number. EWOULDBLOCK is EAGAIN, which other calls
                    // use for "no more processes", so the call is checked too.
                    guard error.call == "flock", error.errno == EWOULDBLOCK else { throw error }
                }
            }
            number += 1
        }
    }

    /// True for a record file that a new worker must not overwrite. A worker of an earlier daemon may have written the end of its run and
    /// exited a moment ago, and this daemon has not read that end yet. While this daemon searches for the runs of earlier ones, every
    /// record file may be such a one.
    private func isTaken(record: String) throws(SystemError) -> Bool {
        if adopted.has(record: record) { return true }
        if !service.unreportedRuns.isSearching { return false }
        return try spool.fs.status("\(Layout.workers)/\(record)") != nil
    }

    private func takeIdle(as credentials: Credentials?) -> WorkerProcess? {
        idle.lastIndex { $0.credentials == credentials }.map { idle.remove(at: $0) }
    }

    private func becameIdle(_ worker: WorkerProcess) {
        idle.append(worker)
        idleSince = .now()
    }

    /// Ends idle workers until `count` are left. A worker exits when its socket is closed.
    func endIdle(keeping count: Int) {
        while idle.count > count, let worker = idle.popLast() {
            // The rest of its output comes first.
            if worker.outputs.isEmpty { forget(worker) } else { worker.isLast = true }
        }
        if idle.isEmpty { idleSince = nil }
    }

    /// Called when the record files of all workers are gone. The next daemon could not find a worker without a record, so no present worker
    /// gets another run.
    func forgetRecords() {
        endIdle(keeping: 0)
        for worker in workers.values { worker.isLast = true }
    }

    private func forget(_ worker: WorkerProcess) {
        workers[worker.number] = nil
        output?.forget(worker: worker.number)
        if let token = worker.token { loop.remove(worker.descriptor, token) }
    }

    /// Called when a child has been reaped.
    func childEnded(_ pid: pid_t) { workers.values.first { $0.pid == pid }?.isReaped = true }

    // MARK: Reports

    private func takeReports(_ number: Int) throws(SystemError) {
        guard let worker = workers[number] else { return }
        guard let reports = worker.receive() else { return try died(worker) }
        for report in reports {
            switch report {
            case .running(let id, let attempt, let pid):
                guard let job = worker.job, job.id.text == id, job.attempt == attempt else { continue }
                job.pid = pid
                startLimit.succeeded(job)
                refreshStatus(of: job)
            case .remark(let id, let attempt, let text):
                guard let job = worker.job, job.id.text == id, job.attempt == attempt else { continue }
                note(text, of: job)
                if text.hasSuffix(Confinement.unlogged) {
                    log.write(.warning, "not-in-syslog", at: service.now, ["id": job.id.text, "what": "the start of the command"])
                }
            case .ended(let end):
                guard let job = worker.job, job.id.text == end.jobID, job.attempt == end.attempt else { continue }
                worker.job = nil
                if case .spawnFailed = end.kind { worker.outputs.removeAll { $0.isOf(end.jobID, end.attempt) } }
                if !worker.isLast { becameIdle(worker) } else if worker.outputs.isEmpty { forget(worker) }
                if case .spawnFailed(let errno, let message) = end.kind, SystemError(call: "spawn", errno: errno).isRefusedStart {
                    refused(job, message)
                    continue
                }
                startLimit.succeeded(job)
                cronLog.ended(job, end)
                service.submit(.ended(job.id, attempt: end.attempt, RunResult(end)))
            case .output(let output):
                // A worker speaks for its own runs alone.
                guard let index = worker.outputs.firstIndex(where: { $0.isOf(output.jobID, output.attempt) }) else {
                    try? worker.send(.outputTaken(output.bytes.count))  // a worker that is gone reports its end on its socket
                    continue
                }
                guard worker.outputs[index].reported(output) else {
                    try? worker.send(.outputTaken(output.bytes.count))  // as above
                    continue
                }
                if self.output?.take(output, of: worker.outputs[index], from: number) == false { worker.outputs[index].wasLeftOut(output) }
            case .outputEnded(let id, let attempt, let leftOutBytes):
                guard let index = worker.outputs.firstIndex(where: { $0.isOf(id, attempt) }) else { continue }
                var source = worker.outputs.remove(at: index)
                output?.leaveOut(source.leftOutBytes(unreportedBytes: leftOutBytes), besides: source.takeSaidLater(), of: source)
                if worker.isLast, worker.job == nil, worker.outputs.isEmpty { forget(worker) }
            case .cannotServe(let errno, let message):
                guard let job = worker.job else { continue }
                // The worker ends now. It has no job any more, so its end concerns none.
                worker.job = nil
                cannotServe(job, errno, message)
            }
        }
    }

    /// Records that a try differs from what its job's definition says, and logs that.
    private func note(_ remark: String, of job: Job) {
        service.submit(.remarked(job.id, remark))
        guard loggedRemarks.insert(remark).inserted || job.definition.fallsBack else { return }
        log.write(.warning, "substituted", at: service.now, ["id": job.id.text, "what": remark])
    }

    /// Writes the `status.json` of a running job again, now with the number of its process.
    private func refreshStatus(of job: Job) {
        guard spool.places[job] == .directory(.running) else { return }
        let directory = Layout.directory(of: job.id, .running)
        do throws(SystemError) {
            try spool.fs.replace("\(directory)/\(Layout.statusFile)", try spool.status(of: job, in: directory))
        } catch {
            // The number is only a convenience, and the next change writes the whole status again.
            guard service.troubles[.disk] == nil, !error.isOfDisk else { return }
            log.write(.warning, "status-not-written", at: service.now, ["id": job.id.text, "error": "\(error)"])
        }
    }

    private func died(_ worker: WorkerProcess) throws(SystemError) {
        idle.removeAll { $0 === worker }
        forget(worker)
        leaveOutput(of: worker)
        guard let job = worker.job else { return }
        log.write(.error, "worker-died", at: service.now, ["worker": "\(worker.pid)", "id": job.id.text])
        let record = String(worker.number)
        guard try isAlive(record: record) else { return service.workerIsGone(job, record: record) }
        // The lock is held: the worker is just exiting, or has closed its socket and runs on.
        try adopted.watch(job, record: record)
    }

    // MARK: Output

    /// Called again and again before this daemon ends or becomes a new program. True when the reader has the output of the runs that have
    /// ended, or had time enough for it. What it does not get is counted then, and so is what running jobs have written but was not
    /// reported.
    func isOutputWritten() -> Bool {
        guard let output, !output.isOver else { return true }
        if output.waitsToEnd(isMoreComing: workers.values.contains { $0.outputs.count > ($0.job == nil ? 0 : 1) }) { return false }
        for worker in workers.values { leaveOutput(of: worker) }
        output.end()
        return true
    }

    /// Called when this daemon continues after all. Output that was counted is not written; what jobs write from now on is.
    func takeOutputAgain() { output?.takeAgain() }

    /// Counts the output that a worker has not reported. It is not written any more.
    private func leaveOutput(of worker: WorkerProcess) {
        guard let output else { return }
        for index in worker.outputs.indices {
            let bytes = worker.outputs[index].leaveOut { [spool] id, name in
                let places: [JobState] = [.running, .done, .failed, .new]
                return places.lazy.compactMap { place in
                    (try? spool.fs.status("\(Layout.directory(of: id, place))/\(name)"))??.size  // nothing can be counted
                }.first
            }
            output.leaveOut(bytes, besides: worker.outputs[index].takeSaidLater(), of: worker.outputs[index])
        }
    }

    // MARK: Stopping

    func hasWorker(of job: Job) -> Bool { workers.values.contains { $0.job === job } }

    /// Asks the worker of a running job to end it.
    func stop(_ job: Job, _ how: Turn.Stop) {
        guard let worker = workers.values.first(where: { $0.job === job }) else { return adopted.stop(job, how) }
        do throws(SystemError) {
            switch how {
            case .politely: try worker.send(.stop(killAfterMilliseconds: nil))
            case .kill: try worker.send(.stop(killAfterMilliseconds: 0))
            case .signal(let number): try worker.send(.signal(number))
            }
        } catch {
            // The worker has died; its socket reports the end.
            log.write(.warning, "stop-not-sent", at: service.now, ["id": job.id.text, "error": "\(error)"])
        }
    }

    // MARK: Earlier runs

    /// True for the record of a worker that this daemon started or adopted.
    func isOwn(record: String) -> Bool { workers.values.contains { String($0.number) == record } || adopted.has(record: record) }

    func isAlive(record: String) throws(SystemError) -> Bool { try adopted.isAlive(record: record) }

    /// Watches the worker of an earlier daemon. False when it has ended.
    func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) throws(SystemError) -> Bool {
        guard try adopted.adopt(job, run, record: record) else { return false }
        cgroups.restore(job, at: service.now)
        // A stop that was requested before the restart may not have reached the worker.
        if let why = job.stopping { stop(job, why == .killed ? .kill : .politely) }
        return true
    }

    /// Kills the processes of a lost run that are still running since this boot.
    func endOrphans(of run: WorkerRecord.Running) {
        guard let id = JobID(run.jobID) else { return }
        let orphans = Orphans(
            run: run, directory: "\(surroundings.spool)/\(Layout.directory(of: id, .running))",
            owner: service.scheduler.jobs[id].flatMap { owner($0.definition) }?.user)
        let killed = orphans.kill()
        guard !killed.isEmpty else { return }
        let processes = killed.sorted().map(String.init).joined(separator: ",")
        log.write(.warning, "killed-orphans", at: service.now, ["id": run.jobID, "processes": processes])
    }

    // MARK: Groups

    /// Removes the cgroup of a try that has ended or never began. Returns a sentence when the kernel killed processes for the memory limit.
    func leaveGroup(of job: Job) -> String? { cgroups.leave(job) }

    /// Removes the groups of jobs that ended while no daemon served. Only jobs whose record is in `done/` or `failed/` of this spool count,
    /// because the groups of another spool's jobs may be in the same directory.
    func removeEndedGroups() {
        cgroups.removeEnded { [spool, scheduler = service.scheduler] name in
            guard let id = JobID(name), scheduler.jobs[id]?.state != .running else { return false }
            return [Layout.done, Layout.failed].contains { directory in
                (try? spool.fs.status("\(directory)/\(name)")) ?? nil != nil  // unreadable: left alone
            }
        }
    }
}
