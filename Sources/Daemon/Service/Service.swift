// The part of the daemon that a simulator can drive. What has happened becomes events, the scheduler decides, and the service carries out
// the decisions in order: journal (one sync for all of a turn), places, starts, stops, answers.
//
// What must hold:
// - The service touches the world through two doors only, the spool's file system and `World`. It keeps no thread, timer or descriptor.
// - The service alone gives events to the scheduler, in `handle`. Whoever else sees something submits it, and a turn follows at once.
// - Nothing is moved, started or answered before the journal has it.
//
// Here is the order of a turn; the state belongs to the parts.

import Scheduler
import Store

package final class Service<FS: FileSystem, W: World> {
    package let spool: Spool<FS>
    /// For reading. What changes its state is an event.
    package let scheduler: Scheduler
    let zones: ZoneDatabase
    let log: Log
    let spoolID: String
    unowned let world: W
    /// Set before `begin` when the spool is not root's: its jobs run as nobody else.
    package var owner: SpoolOwner?

    /// Events that the next turn gives to the scheduler.
    private var submitted = EventQueue()

    private(set) lazy var health = Health(self)
    private(set) lazy var recovery = Recovery(self)
    private(set) lazy var requests = Requests(self)
    private(set) lazy var definitions = Definitions(self)
    private(set) lazy var intake = Intake(self)
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
        ReadingContext(now: now, zones: zones, zone: world.configuration.zone, owner: owner, filesMax: DescriptorLimit.kernelMax)
    }

    // MARK: What has happened

    /// Something has happened. The next turn gives it to the scheduler, and follows at once.
    package func submit(_ event: Event) { submitted.add(event) }

    /// A worker has ended in the middle of a run: its record says how the run ended, or the run is lost.
    package func workerIsGone(_ job: Job, record: String) { recovery.workerIsGone(job, record: record) }

    /// A name in new/ has come, changed or gone.
    package func noticed(_ name: String, isGone: Bool, isCreated: Bool, isMovedIn: Bool) {
        intake.noticed(name, isGone: isGone, isCreated: isCreated, isMovedIn: isMovedIn)
    }

    /// A name in control/ has come, changed or gone.
    package func noticed(control name: String) { requests.noticed(name) }

    /// A file in tasks/ has come, changed or gone: its name without the ending.
    package func noticed(task stem: String) { definitions.noticed(task: stem) }

    /// A file in schedules/ has come, changed or gone: its name without the ending.
    package func noticed(schedule stem: String) { definitions.noticed(schedule: stem) }

    /// Every file of the spool may have come, changed or gone.
    package func lookAtAll() throws(SystemError) {
        try intake.allNoticed()
        definitions.allNoticed()
        requests.allNoticed()
        submit(.programChanged(nil))
    }

    /// The clock was set: what was to be done a while later must not wait for a clock set back to come there again.
    package func clockWasSet() {
        log.write(.notice, "clock-set", at: now)
        warnOfWrongClock()
        submit(.clockSet)
        intake.clockWasSet()
        placement.clockWasSet()
        retention.clockWasSet()
    }

    private func warnOfWrongClock() {
        let schedules = scheduler.schedulesAhead(at: now)
        guard !schedules.isEmpty else { return }
        log.write(
            .warning, "clock-was-wrong", at: now,
            ["schedules": schedules.joined(separator: ","), "effect": "what they ran for lies ahead of the clock: they count from now"])
    }

    // MARK: What is to be done

    /// There is something to do without waiting for anything to happen.
    package var hasWork: Bool {
        intake.hasWork || !submitted.isEmpty || recovery.hasWork || requests.hasWork || definitions.hasNoticed || retention.hasWork
            || spool.journal.hasPending
    }

    /// Nothing runs, and nothing waits to be taken up.
    package var isAtRest: Bool {
        scheduler.runningCount == 0 && !intake.hasNames && submitted.isEmpty && !recovery.hasWork && !requests.hasNoticed
            && !definitions.hasNoticed
    }

    /// How many jobs run, without those whose end has been submitted.
    package var runningCount: Int { scheduler.runningCount - submitted.ending.count { scheduler.jobs[$0]?.state == .running } }

    /// The disk has refused to bring some job to its place.
    package var hasUnplaced: Bool { placement.hasUnplaced }

    /// Some file was not ready, or could not be read, and is read again.
    package var hasUnready: Bool { intake.hasUnready }

    /// When the next turn is due if nothing happens before.
    package var nextWake: Instant? {
        [scheduler.nextWake(), intake.wakeAt, placement.wakeAt, recovery.wakeAt, retention.wakeAt].lazy.compactMap { $0 }.min()
    }

    // MARK: The order of a turn

    /// Reads the journal and the tree, and catches up.
    ///
    /// - Parameter boot: the kernel's name for the time since the machine was started.
    package func begin(boot: String, version: String) throws(SystemError) {
        handleSubmitted()
        _ = try recovery.recover(boot: boot)
        definitions.loadDefinitions()
        requests.begin(version: version)
        try intake.begin()
        try recovery.settleCopy()
        warnOfWrongClock()
        handle(.started(boot: boot, version: version))
        retention.begin()
        try carryOut(try decide(isFirst: true))
        try retention.rotateIfDue()
    }

    /// Takes up what has happened, lets the scheduler decide, and carries that out.
    package func turn() throws(SystemError) {
        takeInput()
        try intake.takeArrivals()
        try recovery.settleUnaccounted()
        try retention.pruneSome()
        try retention.removeSome()
        try carryOut(try decide(isFirst: false))
        // The journal has now where each job belongs.
        try placement.placeAgain()
        try retention.rotateIfDue()
    }

    /// Ends in order: what has happened is journaled, and nothing is started any more.
    package func finish() throws(SystemError) {
        takeInput()
        try journalDecisions()
        // The next daemon must not think that a person moved the jobs that are not in their places.
        guard !hasUnplaced else { return }
        handle(.stopped)
        try journalDecisions()
    }

    /// In the order in which things must be known: that a run has ended before a request for it, a task before a job that names it.
    private func takeInput() {
        intake.lookAgainAtUnready()
        handleSubmitted()
        recovery.concludeGone()
        requests.takeNoticed()
        definitions.takeNoticed()
    }

    private func handleSubmitted() {
        for event in submitted.takeAll() { handle(event) }
    }

    /// Gives an event to the scheduler, with what the disk and the world know of it: the only place that does.
    func handle(_ event: Event) {
        let now = now
        var event = event
        switch event {
        case .ended(let id, let attempt, let result):
            guard let job = scheduler.jobs[id], job.state == .running, job.attempt == attempt else { break }
            event = .ended(id, attempt: attempt, recovery.completed(result, of: job))
        case .zonesChanged(let changes, _): event = .zonesChanged(changes, recorded: recordedRuns(dueAt: now))
        default: break
        }
        scheduler.handle(event, at: now)
    }

    /// The due times up to now whose runs are on record.
    private func recordedRuns(dueAt now: Instant) -> Set<JobID> { Set(scheduler.runsDue(at: now).filter(spool.isOnRecord)) }

    private func decide(isFirst: Bool) throws(SystemError) -> Turn {
        try world.gather(isFirst: isFirst)
        handleSubmitted()
        let now = now
        var obstacle: String?
        let turn = scheduler.takeTurn(at: now, recorded: recordedRuns(dueAt: now)) {
            if health.troubles[.descriptors] != nil || health.troubles[.spool] != nil { return false }
            obstacle = world.obstacle()
            return obstacle == nil
        }
        world.decided(turn, obstacle: obstacle)
        return turn
    }

    /// Carries out what has been decided, and starts nothing.
    func journalDecisions() throws(SystemError) { try carryOut(scheduler.takeTurn(at: now, mayStart: false)) }

    /// Carries out a turn in order. Returns only when that is done.
    private func carryOut(_ turn: Turn) throws(SystemError) {
        for (scope, note) in turn.pauses { try requests.makePause(scope, note: note) }
        for (at, record) in turn.records {
            spool.journal.add(record, at: at)
            log.write(record, at: at)
        }
        for refusal in turn.refusals {
            let place = refusal.ending.map { "\(refusal.file).\($0):" } ?? ""
            health.report(problem: [place + refusal.why], of: refusal.file)
        }
        if spool.journal.hasPending {
            try health.persistently { () throws(SystemError) in try self.spool.journal.commit() }
        }
        for job in turn.places { try placement.bringToPlace(job) }
        for job in turn.moved { try placement.writeMove(job) }
        for job in turn.starts { placement.start(job) }
        for (job, how) in turn.stops { placement.stop(job, how) }
        for question in turn.questions { world.ask(question) }
        requests.answer()
        if !turn.isEmpty { health.isPublishDue = true }
    }
}

/// For whoever owns the service.
extension Service {
    package var wasDiskBroken: Bool {
        get { recovery.wasDiskBroken }
        set { recovery.wasDiskBroken = newValue }
    }

    /// Reads the journal and brings the tree to what it says, and no more. Returns how many things there were to mend.
    package func recover(boot: String) throws(SystemError) -> Int { try recovery.recover(boot: boot) }

    package func rotateJournal() throws(SystemError) { try retention.rotateJournal() }

    /// Writes the journal from memory if somebody has taken its segment away or changed it. Returns whether that was so.
    package func writeJournalAnew() throws(SystemError) -> Bool { try retention.writeJournalAnew() }

    /// Requests to become the program anew.
    package var restartRequests: [String] { requests.restarts }
}
