// The part of the daemon that a simulator can drive. Observations become events, the scheduler decides, and the service carries
// out the decisions in order: journal (one sync for the whole turn), moves, starts, stops, answers.
//
// Invariants:
// - The service accesses the world only through the spool's file system and `World`. It has no thread, timer or descriptor.
// - Only the service gives events to the scheduler, in `handle`. All other parts submit events, and a turn follows at once.
// - Nothing is moved, started or answered before the journal contains it.
//
// This file contains the order of a turn. The state belongs to the parts.

import Scheduler
import Store

package final class Service<FS: FileSystem, W: World> {
    package let spool: Spool<FS>
    /// For reading only. Changes of its state are events.
    package let scheduler: Scheduler
    let zones: ZoneDatabase
    let log: Log
    let spoolID: String
    unowned let world: W
    /// Set before `begin` when the spool is not root's: all its jobs run as its owner.
    package var owner: SpoolOwner?

    /// True when the daemon waits for its jobs to end: nothing starts any more, and due times are left to the next start.
    package var isEnding = false

    /// Events that the next turn gives to the scheduler.
    private var submitted = EventQueue()

    private(set) lazy var health = Health(self)
    private(set) lazy var recovery = Recovery(self)
    private(set) lazy var unreportedRuns = UnreportedRuns(self)
    private(set) lazy var requests = Requests(self)
    private(set) lazy var definitions = Definitions(self)
    private(set) lazy var liveCrontabs = LiveCrontabs(self)
    private(set) lazy var mountedTasks = MountedTasks(self)
    private(set) lazy var intake = Intake(self)
    private(set) lazy var uniqueKeys = UniqueKeys(self)
    private(set) lazy var placement = Placement(self)
    private(set) lazy var retention = Retention(self)

    package init(_ spool: Spool<FS>, zones: ZoneDatabase, log: Log, spoolID: String, world: W) {
        self.spool = spool
        self.zones = zones
        self.log = log
        self.spoolID = spoolID
        self.world = world
        scheduler = Scheduler(zones: zones)
        scheduler.settings.host = spool.host
    }

    var now: Instant { world.now }

    var context: ReadingContext {
        var context = ReadingContext(
            now: now, zones: zones, zone: world.configuration.zone, owner: owner, filesMax: DescriptorLimit.kernelMax,
            calendars: scheduler.calendars)
        context.taskDefaults = world.configuration.taskDefaults
        context.sharedSchedules = scheduler.sharedSchedules
        return context
    }

    // MARK: Events from outside

    /// Submits an event. The next turn, which follows at once, gives it to the scheduler.
    package func submit(_ event: Event) { submitted.add(event) }

    /// The configuration has other calendars. Files that were refused because of the earlier ones are read again.
    package func calendarsChanged() {
        submit(.calendarsChanged())
        definitions.calendarsChanged()
    }

    /// A worker has ended during a run. Its record contains the run's end, or the run is lost.
    package func workerIsGone(_ job: Job, record: String) { unreportedRuns.workerIsGone(job, record: record) }

    /// A name in new/ was added, changed or removed.
    package func noticed(_ name: String, isGone: Bool, isCreated: Bool, isMovedIn: Bool) {
        intake.noticed(name, isGone: isGone, isCreated: isCreated, isMovedIn: isMovedIn)
    }

    /// A name in control/ was added, changed or removed.
    package func noticed(control name: String) { requests.noticed(name) }

    /// A file in tasks/ was added, changed or removed. `stem` is its name without the ending.
    package func noticed(task stem: String) { definitions.noticed(task: stem) }

    /// A file in schedules/ was added, changed or removed. `stem` is its name without the ending.
    package func noticed(schedule stem: String) { definitions.noticed(schedule: stem) }

    /// Any file of the spool may have been added, changed or removed.
    package func lookAtAll() throws(SystemError) {
        try intake.allNoticed()
        definitions.allNoticed()
        requests.allNoticed()
        submit(.programChanged(nil))
    }

    /// The wall clock was set. The service's own waits go by another clock, except the daily scan of records.
    package func clockWasSet(movedByMilliseconds milliseconds: Int64) {
        log.write(.notice, "clock-set", at: now)
        warnOfWrongClock()
        submit(.clockSet(movedByMilliseconds: milliseconds))
        retention.clockWasSet()
    }

    private func warnOfWrongClock() {
        let schedules = scheduler.schedulesAhead(at: now)
        guard !schedules.isEmpty else { return }
        log.write(
            .warning, "clock-was-wrong", at: now,
            ["schedules": schedules.joined(separator: ","), "effect": "what they ran for lies ahead of the clock: they count from now"])
    }

    // MARK: Pending work

    /// True when there is work that needs no further event.
    package var hasWork: Bool {
        intake.hasWork || !submitted.isEmpty || unreportedRuns.hasWork || requests.hasWork || definitions.hasNoticed
            || liveCrontabs.hasNoticed || mountedTasks.hasNoticed || retention.hasWork
            || spool.journal.hasPending
    }

    /// True when nothing is running, and nothing waits to be taken up.
    package var isAtRest: Bool {
        scheduler.runningCount == 0 && !intake.hasNames && submitted.isEmpty && !unreportedRuns.hasWork && !requests.hasNoticed
            && !definitions.hasNoticed && !liveCrontabs.hasNoticed && !mountedTasks.hasNoticed
    }

    /// The number of jobs that run on this machine, without those whose end has been submitted.
    package var runningCount: Int {
        let ending = submitted.ending.count { scheduler.jobs[$0].map { $0.state == .running && $0.executor == nil } ?? false }
        return scheduler.runningHereCount - ending
    }

    /// True when the job waits, runs, or has ended in this turn.
    func isKnown(_ id: JobID) -> Bool { scheduler.jobs[id] != nil || scheduler.endedInTurn[id] != nil }

    /// True when the disk has refused to move some job to its place.
    package var hasUnplaced: Bool { placement.hasUnplaced }

    /// True when some file was not ready or could not be read, and will be read again.
    package var hasUnready: Bool { intake.hasUnready }

    /// The time of the next turn if nothing happens before.
    package var wakeAt: Wake {
        Wake(
            wall: [scheduler.nextWake(mayStart: !isEnding), retention.wakeAt].lazy.compactMap { $0 }.min(),
            monotonic: [intake.wakeAt, placement.wakeAt, unreportedRuns.wakeAt, liveCrontabs.wakeAt].lazy.compactMap { $0 }.min())
    }

    // MARK: The order of a turn

    /// Reads the journal and the tree, and handles missed due times.
    ///
    /// - Parameter boot: the kernel's name for the time since the machine was started.
    package func begin(boot: String, version: String) throws(SystemError) {
        handleSubmitted()
        _ = try recovery.recover(boot: boot)
        definitions.loadDefinitions()
        try liveCrontabs.begin()
        try mountedTasks.begin()
        requests.begin(version: version)
        try intake.begin()
        try recovery.settleCopy()
        warnOfWrongClock()
        handle(.started(boot: boot, version: version))
        retention.begin()
        try carryOut(try decide(isFirst: true))
        liveCrontabs.publish()
        mountedTasks.publish()
        try retention.rotateIfDue()
    }

    /// Handles the events, lets the scheduler decide, and carries out the decisions.
    package func turn() throws(SystemError) {
        takeInput()
        try intake.takeArrivals()
        try unreportedRuns.settle()
        try retention.pruneSome()
        try retention.countSome()
        try retention.removeSome()
        try carryOut(try decide(isFirst: false))
        liveCrontabs.publish()
        mountedTasks.publish()
        // The journal now contains the place of each job.
        try placement.placeAgain()
        try retention.rotateIfDue()
    }

    /// Ends the service properly: the events are journaled, and nothing more is started.
    package func finish() throws(SystemError) {
        takeInput()
        try journalDecisions()
        // The next daemon must not conclude that a person moved the jobs that are not in their places.
        guard !hasUnplaced else { return }
        handle(.stopped)
        try journalDecisions()
    }

    /// The order matters: the end of a run comes before a request for it, and a task before a job that names it.
    private func takeInput() {
        intake.lookAgainAtUnready()
        handleSubmitted()
        unreportedRuns.concludeGone()
        requests.takeNoticed()
        liveCrontabs.takeNoticed()
        mountedTasks.takeNoticed()
        definitions.takeNoticed()
    }

    private func handleSubmitted() {
        for event in submitted.takeAll() { handle(event) }
    }

    /// Gives an event to the scheduler, with the facts that the disk and the world know about it. Nothing else does this.
    func handle(_ event: Event) {
        let now = now
        var event = event
        switch event {
        case .ended(let id, let attempt, let result):
            guard let job = scheduler.jobs[id], job.state == .running, job.attempt == attempt else { break }
            event = .ended(id, attempt: attempt, unreportedRuns.completed(result, of: job))
        case .replied(let reply): event = .replied(withMarks(reply))
        case .zonesChanged(let changes, _): event = .zonesChanged(changes, onRecord: recordedRuns(dueAt: now))
        case .calendarsChanged: event = .calendarsChanged(onRecord: recordedRuns(dueAt: now))
        default: break
        }
        scheduler.handle(event, at: now)
    }

    /// The reply with the marks of the runs that it does not show alive, as they are after it. An answer about a run whose marks cannot be
    /// read now counts as not given: the marks may say something else.
    private func withMarks(_ reply: ExecutorReply) -> ExecutorReply {
        var reply = reply
        for job in scheduler.runsToLookAt(for: reply) {
            do throws(SystemError) { reply.marks[job.id] = try marks(of: job) } catch { reply.answers.removeAll { $0.id == job.id } }
        }
        return reply
    }

    private func marks(of job: Job) throws(SystemError) -> RemoteMarks {
        try spool.fs.remoteMarks(in: Layout.directory(of: job.id, .running), number: job.runNumber)
    }

    /// Something has changed in the directory of a run that an executor has.
    package func lookAtMarks(of id: JobID) {
        guard let job = scheduler.jobs[id], job.state == .running, job.executor != nil,
            // Not readable now: the next answer of the executor has it read again.
            let marks = try? marks(of: job)
        else { return }
        submit(.marked(id, attempt: job.attempt, marks))
    }

    /// The due times up to now whose runs are on record.
    private func recordedRuns(dueAt now: Instant) -> Set<JobID> { Set(scheduler.runsDue(at: now).filter(spool.isOnRecord)) }

    private func decide(isFirst: Bool) throws(SystemError) -> Turn {
        try world.gather(isFirst: isFirst)
        handleSubmitted()
        let now = now
        if isEnding { return scheduler.takeTurn(at: now, mayStart: false) }
        var obstacle: String?
        let turn = scheduler.takeTurn(at: now, onRecord: recordedRuns(dueAt: now)) {
            if health.troubles[.descriptors] != nil || health.troubles[.spool] != nil { return false }
            obstacle = world.obstacle()
            return obstacle == nil
        }
        world.decided(turn, obstacle: obstacle)
        return turn
    }

    /// Carries out the decisions, and starts nothing.
    func journalDecisions() throws(SystemError) { try carryOut(scheduler.takeTurn(at: now, mayStart: false)) }

    /// Writes the records so far, which the next turn commits with its own. Many definitions that are read at the start are not in memory
    /// as records beside their states then, and leave no holes between these.
    func writeRecords() { write(scheduler.takeRecords()) }

    private func write(_ records: [(at: Instant, record: Record)], _ placed: [JobID: Job] = [:]) {
        for (at, record) in records {
            spool.journal.add(record, at: at)
            log.write(record, at: at) { placed[$0] ?? scheduler.jobs[$0] }
        }
    }

    /// Carries out a turn in order. Returns when everything is done.
    private func carryOut(_ turn: Turn) throws(SystemError) {
        for (scope, note) in turn.pauses { try requests.makePause(scope, note: note) }
        // The jobs that this turn has ended are only there.
        var placed: [JobID: Job] = [:]
        if log.takesSubjects { for job in turn.places { placed[job.id] = job } }
        write(turn.records, placed)
        for refusal in turn.refusals {
            let place = refusal.ending.map { "\(refusal.file).\($0):" } ?? ""
            health.report(problem: [place + refusal.why], of: refusal.file)
        }
        if spool.journal.hasPending {
            try health.persistently { () throws(SystemError) in try self.spool.journal.commit() }
        }
        for job in turn.places { try placement.bringToPlace(job) }
        for job in turn.moved { try placement.writeMove(job) }
        for job in turn.starts { try placement.start(job) }
        for (job, how) in turn.stops { placement.stop(job, how) }
        for call in turn.calls { world.call(call) }
        for end in turn.remoteEnds { submit(.ended(end.id, attempt: end.attempt, end.result)) }
        for question in turn.questions { world.ask(question) }
        requests.answer()
        if !turn.isEmpty { health.isPublishDue = true }
    }
}

/// For the owner of the service.
extension Service {
    package var wasDiskBroken: Bool {
        get { recovery.wasDiskBroken }
        set { recovery.wasDiskBroken = newValue }
    }

    /// Only reads the journal and changes the tree to agree with it. Returns the number of repairs.
    package func recover(boot: String) throws(SystemError) -> Int { try recovery.recover(boot: boot) }

    package func rotateJournal() throws(SystemError) { try retention.rotateJournal() }

    /// Writes the journal from memory if somebody has removed or changed its segment. Returns true if so.
    package func writeJournalAnew() throws(SystemError) -> Bool { try retention.writeJournalAnew() }

    /// Asks all jobs that run on this machine to end, if they were not asked yet. Each run is recorded as it ends, with this remark.
    package func stopRunning(_ remark: String) {
        for job in scheduler.jobs.values where job.state == .running && job.stopping == nil && job.executor == nil {
            submit(.remarked(job.id, remark))
            placement.stop(job, .politely)
        }
    }

    /// Requests to restart the program.
    package var restartRequests: [String] { requests.restarts }
}
