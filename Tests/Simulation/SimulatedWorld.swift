// The world around the service: a clock that is set by hand, workers that make one step at a time, and people with files.
//
// The effects of jobs outside the spool are counted in `begun` and `succeeded`. Nothing takes these back: neither the end of the daemon nor
// a power cut.

import Daemon
import Glibc
import Store
import WorkerProtocol

/// A violated invariant.
package struct Violation: Error, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}

package final class SimulatedWorld: World {
    /// The process of a worker.
    final class Process {
        enum Phase {
            case idle
            /// The worker has been sent a run.
            case given(Job)
            /// The worker's record names the run, and the worker is about to start the command.
            case recorded(Job)
            case running(Job, startedAt: Instant)
            /// The command has ended, and the record has its end. The daemon has no report yet.
            case ended(Job, RunEnd)
        }

        let record: String
        let pid: Int32
        /// The number of the daemon that started it.
        let life: Int
        var phase = Phase.idle
        var stop: Turn.Stop?
        var isAlive = true

        init(record: String, pid: Int32, life: Int) {
            self.record = record
            self.pid = pid
            self.life = life
        }

        var job: Job? {
            switch phase {
            case .idle: nil
            case .given(let job), .recorded(let job), .running(let job, _), .ended(let job, _): job
            }
        }
    }

    /// One try of one job.
    struct Try: Hashable {
        var id: String
        var number: Int
    }

    package let disk: SimulatedDisk
    package private(set) var now: Instant {
        didSet {
            disk.time = now.milliseconds &* 1_000_000
            (earliest, latest) = (min(earliest, now), max(latest, now))
        }
    }
    /// The clock that nobody sets. It begins anew with each start of the machine.
    package private(set) var monotonicNow = MonotonicInstant(milliseconds: 0)
    package var configuration: Configuration
    package private(set) var service: Service<SimulatedDisk, SimulatedWorld>?
    let log: Log
    private(set) var life = 0
    private(set) var boot = 1
    private(set) var processes: [Process] = []
    private var lastPid: Int32 = 100
    /// The events that inotify has for the daemon.
    private var events: [(directory: String, name: String, what: SimulatedDisk.DirectoryEvent)] = []
    private var isOverflown = false
    /// The reason with which the daemon ended by itself.
    package private(set) var gaveUp: [String] = []

    /// The number of starts of each try's command, and the tries that succeeded.
    private(set) var begun: [Try: Int] = [:]
    private(set) var succeeded: Set<Try> = []
    /// The engine of the executor `far`.
    private(set) lazy var engine = SimulatedEngine(self)
    /// The keys of `unique` of the jobs that have begun and hold their key as long as their record is kept.
    private(set) var keys: [JobID: String] = [:]
    /// Called when a command begins, before it counts as running.
    var onBegin: ((Job) -> Void)?
    /// The earliest and the latest time that the clock has shown.
    private(set) var earliest = SimulatedWorld.start
    private(set) var latest = SimulatedWorld.start

    /// The owners of the jobs that name a user.
    static let another = FileOwner(user: 5, group: 60)
    /// The jobs that were started in a directory that did not belong to their user.
    private(set) var misplaced: [String] = []

    package static let start = Instant(fixed: "2026-11-21T02:00:00.000Z".utf8)!

    package init(bug: SimulatedDisk.Bug? = nil, isTold: Bool = false) {
        log = Log(to: isTold ? 1 : nil)
        disk = SimulatedDisk(bug: bug)
        var configuration = Configuration()
        configuration.slots = 3
        var far = ExecutorSettings()
        far.slots = 3
        configuration.executors = ["far": far]
        let entries = [Calendars.Entry(name: "c", windows: ["02:10-02:25"]), Calendars.Entry(name: "d", windows: ["02:20-03:00"])]
        configuration.calendars = Calendars(entries, zone: .utc, zones: zones) { _ in [] }
        self.configuration = configuration
        now = Self.start
        disk.time = now.milliseconds &* 1_000_000
        if isTold { disk.trace = { [log] line in log.tell(line) } }
        disk.onChange = { [unowned self] directory, name, what in
            if life > 0, service != nil || isBeginning { events.append((directory, name, what)) }
        }
    }

    var isUp: Bool { service != nil }

    /// Makes the spool one of root's, from the next start of the daemon on.
    var isRoots = false

    // MARK: Time

    /// Time passes, by both clocks.
    package func pass(milliseconds: Int64) {
        now = now.advanced(byMilliseconds: milliseconds)
        monotonicNow = monotonicNow.advanced(byMilliseconds: milliseconds)
    }

    /// The time after which the daemon wants to be woken, by the clock that comes first. Nil when it only waits for events.
    package var millisecondsToWake: Int64? {
        guard let wake = service?.wakeAt else { return nil }
        let left = [wake.wall.map { max(0, $0.milliseconds - now.milliseconds) }, wake.monotonic?.millisecondsLeft(at: monotonicNow)]
        return left.lazy.compactMap { $0 }.min()
    }

    /// Somebody sets the wall clock. The daemon is told, if there is one.
    package func setClock(byMilliseconds change: Int64) {
        clockChanges += 1
        now = now.advanced(byMilliseconds: change)
        service?.clockWasSet(movedByMilliseconds: change)
    }

    /// Somebody edits the configuration: its two calendars, and the defaults for all tasks. The daemon is told, if there is one.
    func configure(_ pick: UInt64) {
        // The journal's records of two changes at one instant would look like one change.
        now = now.advanced(byMilliseconds: 1)
        var random = Random(pick)
        if random.below(3) == 0 {
            let notice = Value(.array([Value(.string(":"))]))
            configuration.taskDefaults.onFailure = configuration.taskDefaults.onFailure == nil ? notice : nil
        }
        func windows() -> [String] {
            (0...random.below(3)).map { _ in
                // Around the present time of day, so that a change concerns due times that have just passed.
                let start = min(max(0, Int(now.milliseconds / 60_000) % 1440 - 30 + random.below(60)), 1390)
                let end = start + 1 + random.below(45)
                func clock(_ minute: Int) -> String {
                    "\(minute < 600 ? "0" : "")\(minute / 60):\(minute % 60 < 10 ? "0" : "")\(minute % 60)"
                }
                return "\(clock(start))-\(clock(end))"
            }
        }
        // A calendar that is missing, one whose file is cut off, or some windows.
        let entries = ["c", "d"].compactMap { name -> Calendars.Entry? in
            switch random.below(6) {
            case 0: nil
            case 1: Calendars.Entry(name: name, file: "/\(name).ics")
            default: Calendars.Entry(name: name, windows: windows())
            }
        }
        configuration.calendars = Calendars(entries, zone: .utc, zones: zones) { _ in Array("BEGIN:VCALENDAR\nBEGIN:VEVENT\n".utf8) }
        guard let service else { return }
        service.scheduler.settings.calendars = configuration.calendars
        service.scheduler.settings.taskDefaults = configuration.taskDefaults
        service.calendarsChanged()
    }

    // MARK: The crontab

    private(set) var crontab = SimulatedCrontab()
    /// Crontabs of a test, which the daemon finds when it starts.
    var otherCrontabs: [CrontabFile] = []

    /// Somebody edits the crontab. The daemon is told, if there is one.
    func editCrontab(_ pick: UInt64) {
        crontab.edit(pick)
        service?.noticed(crontab: crontab.file)
    }

    // MARK: A wrong clock

    private var yearsWrong: Int64 = 0
    /// The latest time shown by a clock that was right within minutes.
    private var rightUntil = SimulatedWorld.start

    var isClockWrong: Bool { yearsWrong != 0 }

    /// The number of times that the clock was set.
    var clockChanges = 0

    /// Sets the clock wrong by this much. With 0 it is right again, and not before its last right time.
    func setClock(wrongByYears years: Int64) {
        guard years != yearsWrong else { return }
        clockChanges += 1
        if !isClockWrong { rightUntil = max(rightUntil, now) }
        let before = now
        now = now.advanced(byMilliseconds: (years - yearsWrong) * 365 * 86_400_000)
        yearsWrong = years
        if !isClockWrong { now = max(now, rightUntil) }
        service?.clockWasSet(movedByMilliseconds: now.milliseconds - before.milliseconds)
    }

    // MARK: The daemon's life

    private var isBeginning = false

    /// Starts the daemon if it does not run. Returns false when it ended at once.
    @discardableResult
    package func startDaemon() throws(Violation) -> Bool {
        guard service == nil else { return true }
        disk.isStopped = false
        // Starting a program takes some time.
        pass(milliseconds: 1)
        events = []
        isOverflown = false
        life += 1
        isBeginning = true
        defer { isBeginning = false }
        do {
            try Spool.prepare(disk)
            let service = makeService()
            self.service = service
            try service.begin(boot: "boot-\(boot)", version: "1")
        } catch {
            try daemonEnded(error)
            return false
        }
        if disk.isStopped { killDaemon() }
        if isUp { hasSyncFailed = false }
        return isUp
    }

    /// True when a failed sync has ended a daemon on this boot, and none has served since.
    private var hasSyncFailed = false

    private var servicesCount = 0

    /// Makes a service on the present disk. Every second one looks at the names of all records when it starts, as one with many jobs does.
    func makeService() -> Service<SimulatedDisk, SimulatedWorld> {
        let spool = Spool(disk, host: "h")
        spool.isRoots = isRoots
        servicesCount += 1
        if servicesCount % 2 == 0 { spool.listedJobsMin = 0 }
        spool.owner = { $0.isForAnother ? Self.another : nil }
        let service = Service(
            spool, zones: zones, log: log, spoolID: "x", world: self)
        var limits = SchedulerLimits(slots: configuration.slots)
        limits.executors = configuration.executors
        service.submit(.limits(limits))
        service.scheduler.settings.calendars = configuration.calendars
        service.scheduler.settings.taskDefaults = configuration.taskDefaults
        service.wasDiskBroken = hasSyncFailed
        for file in [crontab.file] + otherCrontabs { service.noticed(crontab: file) }
        return service
    }

    /// One round of the daemon's loop.
    package func turn() throws(Violation) {
        guard let service else { return }
        do throws(SystemError) {
            try takeEvents(service)
            try service.turn()
        } catch {
            return try daemonEnded(error)
        }
        // The disk has stopped the daemon, although the daemon continued after the failed call.
        if disk.isStopped { killDaemon() }
        try endIfDrained()
    }

    private func takeEvents(_ service: Service<SimulatedDisk, SimulatedWorld>) throws(SystemError) {
        let events = events
        self.events = []
        if isOverflown {
            isOverflown = false
            if disk.bug != .overflowIsNotNoticed { try service.lookAtAll() }
            return
        }
        for event in events {
            switch event.directory {
            case Layout.new:
                service.noticed(
                    event.name, isGone: event.what == .gone, isCreated: event.what == .created || event.what == .attributes,
                    isMovedIn: event.what == .movedIn)
            case Layout.tasks: if !Name.isUnfinished(event.name) { service.noticed(task: Layout.stem(of: event.name)) }
            case Layout.control: service.noticed(control: event.name)
            default: break
            }
        }
    }

    /// Has inotify lose events.
    package func overflow() {
        events = []
        isOverflown = isUp
    }

    /// Kills the daemon with SIGKILL.
    package func killDaemon() {
        service = nil
        disk.isStopped = false
        disk.fault = nil
        disk.interruption = nil
    }

    /// Ends the daemon with SIGTERM.
    package func stopDaemon() throws(Violation) {
        guard let service else { return }
        do throws(SystemError) { try service.finish() } catch { return try daemonEnded(error) }
        killDaemon()
    }

    /// Has the daemon end when no job runs here, as process 1 of a container does. With `stoppingJobs` they are asked to end.
    func drain(stoppingJobs: Bool) throws(Violation) {
        guard let service else { return }
        service.isEnding = true
        // A job whose directory could not be moved has begun, and is started when it could.
        let running = service.scheduler.jobs.values.lazy.filter { $0.state == .running }
        begunBeforeEnd = Set(running.map { Try(id: $0.id.text, number: $0.attempt) })
        if stoppingJobs { service.stopRunning("asked to end") }
        try endIfDrained()
    }

    private func endIfDrained() throws(Violation) {
        if let startedWhileEnding { throw Violation("\(startedWhileEnding) was started while the daemon waited for its end") }
        guard let service, service.isEnding, service.scheduler.runningHereCount == 0 else { return }
        try stopDaemon()
    }

    /// The tries that had begun when the daemon was told to end, and another that it has started since.
    private var begunBeforeEnd: Set<Try> = []
    private var startedWhileEnding: JobID?

    /// Has the journal begin a new segment.
    package func rotate() throws(Violation) {
        // The daemon does that only when all decisions have been carried out.
        try turn()
        guard let service else { return }
        do throws(SystemError) { try service.rotateJournal() } catch { try daemonEnded(error) }
    }

    /// The text of the segments that somebody has taken away or truncated, by name.
    private(set) var takenSegments: [String: [UInt8]] = [:]

    /// Has somebody take the journal's segment away, or truncate it, with an event for the daemon. While no daemon runs, or the disk
    /// refuses a new segment, the records are lost for good.
    func takeJournal(_ pick: UInt64) throws(Violation) {
        guard disk.fault == nil, disk.lookFault == nil else { return }
        try turn()
        guard let service else { return }
        let segment = service.spool.journal.segment
        let path = "\(Layout.journal)/\(segment)"
        guard let node = try? disk.node(path) else { throw Violation("\(path) is not there") }
        let bytes = node.bytes
        let isNoticed: Bool
        do throws(SystemError) {
            switch pick % 3 {
            case 0: try disk.unlink(path)
            case 1: try disk.move(path, to: "\(Layout.temporary)/\(segment).\(life)")
            default: try disk.write(path, Array(bytes.prefix(Int(pick >> 8 % UInt64(bytes.count)))))
            }
            isNoticed = try service.writeJournalAnew()
        } catch {
            return try daemonEnded(error)
        }
        guard isNoticed else { throw Violation("nobody noticed what became of \(path)") }
        takenSegments[segment] = bytes
        if disk.exists(path) { throw Violation("\(path) is still there") }
    }

    /// Only reads the journal and mends the tree. Returns the number of things to mend.
    func recoverOnly() throws(Violation) -> Int {
        do {
            try Spool.prepare(disk)
            return try makeService().recover(boot: "boot-\(boot)")
        } catch {
            throw Violation("recovery failed: \(error)")
        }
    }

    private func daemonEnded(_ error: any Error) throws(Violation) {
        let wasKilled = disk.isStopped
        killDaemon()
        if wasKilled { return }
        gaveUp.append("\(error)")
        var system = error as? SystemError
        if case .system(let inner)? = error as? SpoolError { system = inner }
        if system?.isFailedSync ?? false { hasSyncFailed = true }
        guard let system, [EIO, ENOSPC, EMFILE].contains(system.errno) else {
            throw Violation("the daemon ended by itself: \(error)")
        }
    }

    /// Stops the machine and starts it again.
    package func cutPower(_ random: inout Random) {
        killDaemon()
        processes = []
        disk.cutPower(&random)
        boot += 1
        hasSyncFailed = false
        // Starting the machine takes a while.
        pass(milliseconds: 5000)
        monotonicNow = MonotonicInstant(milliseconds: 0)
    }

    // MARK: World

    package func gather(isFirst: Bool) {}

    package func obstacle() -> String? { nil }

    package func decided(_ turn: Turn, obstacle: String?) {}

    /// Has some jobs fail to start: the machine starts no more processes, or their user does not exist.
    var refusesSomeStarts = false
    private var startCount = 0

    private func refusal() -> RunResult.Outcome? {
        guard refusesSomeStarts else { return nil }
        startCount += 1
        return startCount % 5 == 0 ? .neverBegan : startCount % 7 == 0 ? .notSpawned("there is no such user") : nil
    }

    package func start(_ job: Job) {
        guard !disk.isStopped else { return }
        if service?.isEnding == true, !begunBeforeEnd.contains(Try(id: job.id.text, number: job.attempt)) { startedWhileEnding = job.id }
        if let outcome = refusal() {
            service?.submit(.ended(job.id, attempt: job.attempt, RunResult(outcome: outcome, startedAt: nil, endedAt: now)))
            return
        }
        let directory = try? disk.node(Layout.directory(of: job.id, .running))  // somebody may have removed the directory
        if let directory, directory.owner != (job.definition.isForAnother ? Self.another : nil) { misplaced.append(job.id.text) }
        let own = processes.first { process in
            guard process.isAlive, process.life == life, case .idle = process.phase else { return false }
            return true
        }
        let process = own ?? newProcess()
        process.stop = nil
        process.phase = .given(job)
    }

    private func newProcess() -> Process {
        var number = 1
        while processes.contains(where: { $0.isAlive && $0.record == String(number) }) { number += 1 }
        lastPid += 1
        let process = Process(record: String(number), pid: lastPid, life: life)
        processes.removeAll { !$0.isAlive }
        processes.append(process)
        let path = "\(Layout.workers)/\(number)"
        if !disk.exists(path) { try? disk.write(path, []) }  // the directory always exists
        return process
    }

    package func stop(_ job: Job, _ how: Turn.Stop) {
        guard !disk.isStopped else { return }
        // A job of an earlier life is another object with the same id.
        processes.first { $0.isAlive && $0.job?.id == job.id }?.stop = how
    }

    package func hasWorker(of job: Job) -> Bool { processes.contains { $0.isAlive && $0.job === job } }

    package func call(_ call: ExecutorCall) {
        guard !disk.isStopped else { return }
        engine.take(call, life: life)
    }

    /// A command has begun elsewhere.
    func began(_ job: Job, attempt: Int) {
        onBegin?(job)
        begun[Try(id: job.id.text, number: attempt), default: 0] += 1
        if let unique = job.definition.unique, unique.holding == .recorded { keys[job.id] = unique.key }
    }

    func succeeded(_ job: Job, attempt: Int) { succeeded.insert(Try(id: job.id.text, number: attempt)) }

    /// The end of a command elsewhere, by the same rule as here.
    func outcome(ofTry attempt: Int, of job: Job) -> (code: Int?, signal: Int32?) {
        switch Self.outcome(ofTry: attempt, of: job) {
        case .exited(let code): (Int(code), nil)
        case .signaled(let number, _): (nil, number)
        default: (0, nil)
        }
    }

    package func ask(_ question: Question) {}

    package func isOwn(record: String) -> Bool {
        processes.contains { $0.isAlive && $0.record == record && ($0.life == life || isAdopted($0)) }
    }

    package func isAlive(record: String) -> Bool { processes.contains { $0.isAlive && $0.record == record } }

    package func adopt(_ job: Job, _ run: WorkerRecord.Running, record: String) -> Bool {
        guard let process = processes.first(where: { $0.isAlive && $0.pid == run.workerPID }) else { return false }
        adoptions[process.pid] = (life, job)
        if job.stopping != nil { process.stop = .politely }
        return true
    }

    /// The workers of earlier daemons that this one watches.
    private var adoptions: [Int32: (life: Int, job: Job)] = [:]

    package func endOrphans(of run: WorkerRecord.Running) {}

    package func leaveGroup(of job: Job) -> String? { nil }

    package func canMail() -> Bool { true }

    package func canOpenMore() -> Bool { true }

    package func waitForDisk(_ error: SystemError) -> Bool {
        pass(milliseconds: 1000)
        waits += 1
        // The disk does not recover, so somebody stops the daemon.
        return waits % 20 != 0
    }

    private var waits = 0

    // MARK: Workers

    /// The jobs whose commands are running.
    var running: [Job] { engine.running + runningHere }

    /// The jobs that run on the daemon's machine.
    var runningHere: [Job] {
        processes.compactMap { process in
            guard process.isAlive, case .running(let job, _) = process.phase else { return nil }
            return job
        }
    }

    /// Has a worker make its next step. Returns false when no worker can.
    package func work(_ pick: UInt64) -> Bool {
        let busy = processes.filter { $0.isAlive && ($0.job != nil || $0.life != life || service == nil) }
        guard !busy.isEmpty else { return false }
        step(busy[Int(pick % UInt64(busy.count))])
        return true
    }

    private func step(_ process: Process) {
        let path = "\(Layout.workers)/\(process.record)"
        switch process.phase {
        case .idle:
            // The worker's daemon has ended.
            if process.life != life || service == nil { end(process) }
        case .given(let job):
            write(path, record(process, job, started: false))
            // The outputs are opened before the command starts. Somebody may have moved the directory.
            let directory = Layout.directory(of: job.id, .running)
            if disk.exists(directory) { write("\(directory)/\(Layout.outputFile)", []) }
            process.phase = .recorded(job)
        case .recorded(let job):
            onBegin?(job)
            begun[Try(id: job.id.text, number: job.attempt), default: 0] += 1
            if let unique = job.definition.unique, unique.holding == .recorded { keys[job.id] = unique.key }
            write(path, record(process, job, started: true))
            process.phase = .running(job, startedAt: now)
            if disk.bug == .endIsToldEarly, let service, let own = service.scheduler.jobs[job.id] {
                service.submit(.ended(own.id, attempt: job.attempt, RunResult(outcome: .exited(0), startedAt: now, endedAt: now)))
            }
        case .running(let job, let startedAt):
            var kind = Self.outcome(ofTry: job.attempt, of: job)
            switch process.stop {
            case .politely?: kind = .signaled(number: 15, coreDumped: false)
            case .kill?: kind = .signaled(number: 9, coreDumped: false)
            case .signal(let number)?: kind = .signaled(number: number, coreDumped: false)
            case nil: break
            }
            if kind == .exited(code: 0) { succeeded.insert(Try(id: job.id.text, number: job.attempt)) }
            let end = RunEnd(
                jobID: job.id.text, attempt: job.attempt, kind: kind, startedAt: startedAt.milliseconds,
                endedAt: max(startedAt, now).milliseconds, wallMilliseconds: 1500, userMilliseconds: 400, systemMilliseconds: 30,
                pid: process.pid + 1000)
            write(path, WorkerRecord.ended(end).bytes())
            process.phase = .ended(job, end)
        case .ended(let job, let end):
            process.phase = .idle
            guard let service, process.life == life else { return self.end(process) }
            service.submit(.ended(job.id, attempt: end.attempt, RunResult(end)))
        }
    }

    /// Ends a worker in order: its record is on the disk.
    private func end(_ process: Process) {
        try? disk.makeDurable("\(Layout.workers)/\(process.record)")  // the file may be missing, if there was nothing to keep
        process.isAlive = false
        concluded(process)
    }

    private func concluded(_ process: Process) {
        guard let service else { return }
        if process.life == life {
            if let job = process.job { service.workerIsGone(job, record: process.record) }
        } else if let adoption = adoptions.removeValue(forKey: process.pid), adoption.life == life {
            service.workerIsGone(adoption.job, record: process.record)
        }
    }

    /// Kills a worker, and its command with it.
    package func killWorker(_ pick: UInt64) {
        let alive = processes.filter(\.isAlive)
        guard !alive.isEmpty else { return }
        let process = alive[Int(pick % UInt64(alive.count))]
        process.isAlive = false
        concluded(process)
    }

    private func write(_ path: String, _ bytes: [UInt8]) { try? disk.write(path, bytes) }  // the directory always exists

    private func record(_ process: Process, _ job: Job, started: Bool) -> [UInt8] {
        WorkerRecord.running(
            WorkerRecord.Running(
                jobID: job.id.text, attempt: job.attempt, workerPID: process.pid, workerStartTime: 1,
                jobPID: started ? process.pid + 1000 : 0, startedAt: now.milliseconds)
        ).bytes()
    }

    /// The end of a try. It depends on the try alone, so that it is the same in every run of the seed.
    private static func outcome(ofTry attempt: Int, of job: Job) -> RunEnd.Kind {
        switch stableHash("\(job.id.text)/\(attempt)") % 10 {
        case 0, 1: .exited(code: 1)
        case 2: .signaled(number: 11, coreDumped: false)
        default: .exited(code: 0)
        }
    }

    private func isAdopted(_ process: Process) -> Bool { adoptions[process.pid]?.life == life }
}

extension Log {
    /// Writes a line of the simulator between those of the daemon.
    fileprivate func tell(_ line: String) {
        flush()
        print(line)
        fflush(nil)
    }
}

/// Only UTC is used, so that nothing is read from the machine's time-zone database.
private let zones = ZoneDatabase(directories: [])
