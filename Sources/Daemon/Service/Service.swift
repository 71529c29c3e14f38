// The part of the daemon that a simulator can drive: what happened in the spool becomes events, the scheduler decides, and its
// turn is carried out in order: journal (one sync for all of it), places, starts, stops, answers.
//
// It touches the world through two doors only, the spool's file system and `World`, and keeps no thread, timer or descriptor.
// Whoever owns it tells it what happened and calls `turn`.

import Glibc
import Scheduler
import Store

package final class Service<FS: FileSystem, W: World> {
    /// How many names in new/ are taken up before slots are filled again.
    static var intakePerTurn: Int { 256 }
    /// How many are taken up before anything is started, when the daemon starts.
    static var intakeAtStart: Int { 8192 }
    /// How long after a look at a file that was not ready the next one is due.
    static var unreadyMilliseconds: Int64 { 500 }
    /// How long nothing is taken up when descriptors have run out.
    static var shortageMilliseconds: Int64 { 1000 }
    /// How long the disk is given to give back a worker's record.
    static var unreadableMilliseconds: Int64 { 60_000 }
    static var placingMillisecondsMin: Int64 { 1000 }
    static var placingMillisecondsMax: Int64 { 60_000 }

    package let spool: Spool<FS>
    package let scheduler: Scheduler
    let zones: ZoneDatabase
    let log: Log
    let spoolID: String
    unowned let world: W

    /// Events that the next turn gives to the scheduler.
    private var submitted = EventQueue()
    /// Names in control/, and what the names in tasks/ and schedules/ stand for, that the next turn reads.
    var noticed = NoticedNames()
    /// Workers that have ended in the middle of a run, whose records the next turn reads.
    var goneWorkers: [(job: Job, record: String)] = []

    /// Set before `begin` when the spool is not root's: its jobs run as nobody else.
    package var owner: SpoolOwner?
    /// Set before `begin` when the spool is a copy of one that was made elsewhere.
    package var copy: SpoolCopy?
    /// Set before `begin` when the disk broke while the spool was served, or a sync failed: what was not synced may be gone, as after a
    /// power cut; or it is in memory alone, and stays there.
    package var wasDiskBroken = false
    /// The machine has not been down since the journal was last written.
    var isSameBoot = true
    /// Running jobs of an earlier daemon whose worker has not been found yet.
    package internal(set) var unaccounted: [Job] = []
    /// Records of workers that the disk does not give back, and since when.
    var unreadableRecords: [String: Instant] = [:]
    /// Names in new/ to look at, and whether all that is known is that they were created.
    var arrivals = NameQueue()
    /// Paths that were not ready or could not be looked at, and when they are again: a file that was linked in while its writer had
    /// it open is closed under another name, and no event tells; nor does one when descriptors are to be had again.
    var unready: Set<String> = []
    var unreadyLookAt = Instant(milliseconds: 0)
    /// Names in new/, and paths elsewhere, that could not be read; it is said once of each.
    var unreadable: Set<String> = []
    /// Names that are being looked at, because another one named them.
    var beingTaken: Set<String> = []
    /// The waiting jobs that stand as files, by name.
    var waitingFiles: [String: JobID] = [:]
    /// Requests that have been carried out and are answered once that is journaled.
    var answers: [RequestAnswer] = []
    /// Requests for more time, which are done and answered once that is journaled.
    var extensions: [TimeoutExtension] = []
    /// Requests to become the program anew, which whoever owns the service carries out.
    package internal(set) var restartRequests: [String] = []
    /// Set when what stood in control/ at the start has been taken up.
    var hasBegun = false
    private(set) var version = ""
    /// What is wrong with definitions, by path without ending.
    var problems: [String: [String]] = [:]
    /// Jobs that could not be brought to their place, and when that is tried again.
    var unplaced: [JobID: Unplaced] = [:]
    var placeAgainAt = Instant(milliseconds: 0)
    var placingDelayMilliseconds = placingMillisecondsMin
    var expiries = Expiries()
    var removals = Removals()
    var pruning: PruneScan?
    var nextPrune = Instant(milliseconds: 0)
    /// The configured stay of records by which all were looked at.
    var prunedKeepMilliseconds: Int64?
    var clockTrial = ClockTrial()
    var doneCount = 0
    var failedCount = 0
    /// Something changed that `state/status.json` tells.
    var isPublishDue = true
    /// What keeps the daemon from a part of its work now.
    package internal(set) var troubles: [Trouble.Kind: Trouble] = [:]
    /// When what has come is taken up again, after descriptors ran out.
    var intakeAgainAt: Instant?

    package init(_ spool: Spool<FS>, zones: ZoneDatabase, log: Log, spoolID: String, world: W) {
        self.spool = spool
        self.zones = zones
        self.log = log
        self.spoolID = spoolID
        self.world = world
        scheduler = Scheduler(zones: zones)
        scheduler.host = spool.host
    }

    var now: Instant { world.now }

    var context: ReadingContext { ReadingContext(now: now, zones: zones, zone: world.configuration.zone, owner: owner, filesMax: DescriptorLimit.kernelMax) }

    /// There is something to do without waiting for anything to happen.
    package var hasWork: Bool {
        arrivals.hasNames && intakeAgainAt == nil || hasInput || !answers.isEmpty || pruning != nil || hasExpired || !removals.isEmpty
            || spool.journal.hasPending
    }

    /// Something has happened that no turn has taken up yet, besides names in new/.
    private var hasInput: Bool { !submitted.isEmpty || !noticed.isEmpty || !goneWorkers.isEmpty }

    /// Nothing runs, and nothing waits to be taken up.
    package var isAtRest: Bool { scheduler.runningCount == 0 && !arrivals.hasNames && !hasInput }

    /// How many jobs run, without those whose end has been submitted.
    package var runningCount: Int { scheduler.runningCount - submitted.ending.count { scheduler.jobs[$0]?.state == .running } }

    /// The disk has refused to bring some job to its place.
    package var hasUnplaced: Bool { !unplaced.isEmpty }

    /// Some file was not ready, or could not be read, and is looked at again.
    package var hasUnready: Bool { !unready.isEmpty || intakeAgainAt != nil && arrivals.hasNames }

    /// Those jobs, each with its path and what is in the way.
    var unplacedProblems: [(file: String, message: String)] {
        unplaced.values.sorted { $0.job.id < $1.job.id }.map {
            (Layout.directory(of: $0.job.id, $0.job.state), "cannot be brought there: \($0.error); tried again at \(placeAgainAt.rfc3339)")
        }
    }

    // MARK: A daemon's life

    /// Reads the journal and the tree, and catches up.
    ///
    /// - Parameter boot: what the kernel calls the time since the machine was started.
    package func begin(boot: String, version: String) throws(SystemError) {
        self.version = version
        handleSubmitted()
        try recover(boot: boot)
        loadDefinitions()
        scanControl()
        hasBegun = true
        for entry in try spool.fs.list(Layout.new).sorted(by: { $0.name < $1.name }) { arrivals.add(entry.name) }
        // The most urgent of what came meanwhile goes first; past this many, the first ones do not wait for the last.
        for _ in 0..<Self.intakeAtStart / Self.intakePerTurn where !arrivals.isEmpty { try takeArrivals() }
        try settleCopy()
        tellOfWrongClock()
        handle(.started(boot: boot, version: version))
        nextPrune = now
        try carryOut(try decide(isFirst: true))
        try rotateIfDue()
    }

    /// Something has happened. The next turn gives it to the scheduler, and follows at once.
    package func submit(_ event: Event) { submitted.add(event) }

    /// A worker has ended in the middle of a run: its record says how the run ended, or the run is lost.
    package func workerIsGone(_ job: Job, record: String) { goneWorkers.append((job, record)) }

    /// Takes up what has come, lets the scheduler decide, and carries that out.
    package func turn() throws(SystemError) {
        takeInput()
        lookAgainAtUnready()
        try takeArrivals()
        try settleUnaccounted()
        try pruneSome()
        try removeSome()
        try carryOut(try decide(isFirst: false))
        // Where a job belongs is in the journal by now.
        try placeAgain()
        try rotateIfDue()
    }

    private func rotateIfDue() throws(SystemError) {
        if spool.journal.wantsRotation { try rotateJournal() }
    }

    /// In the order in which things must be known: that a run has ended before a request for it, a task before a job that names it.
    private func takeInput() {
        handleSubmitted()
        concludeGone()
        takeNoticed()
    }

    private func handleSubmitted() {
        for event in submitted.takeAll() { handle(event) }
    }

    /// Gives an event to the scheduler, with what the disk knows of it: the only place that does.
    func handle(_ event: Event) {
        let now = now
        var event = event
        switch event {
        case .ended(let id, let attempt, let result):
            guard let job = scheduler.jobs[id], job.state == .running, job.attempt == attempt else { break }
            event = .ended(id, attempt: attempt, completed(result, of: job))
        case .zonesChanged(let changes, _): event = .zonesChanged(changes, recorded: recordedRuns(dueAt: now))
        default: break
        }
        scheduler.handle(event, at: now)
    }

    /// The due times up to now whose runs are on record.
    private func recordedRuns(dueAt now: Instant) -> Set<JobID> { Set(scheduler.runsDue(at: now).filter(spool.isOnRecord)) }

    /// Has the scheduler decide what follows from all that has been taken up.
    private func decide(isFirst: Bool) throws(SystemError) -> Turn {
        try world.gather(isFirst: isFirst)
        handleSubmitted()
        let now = now
        var obstacle: String?
        let turn = scheduler.takeTurn(at: now, recorded: recordedRuns(dueAt: now)) {
            if troubles[.descriptors] != nil || troubles[.spool] != nil { return false }
            obstacle = world.obstacle()
            return obstacle == nil
        }
        world.decided(turn, obstacle: obstacle)
        return turn
    }

    /// Ends in order: what has happened is journaled, nothing is started any more.
    package func finish() throws(SystemError) {
        takeInput()
        try carryOut(scheduler.takeTurn(at: now, mayStart: false))
        // Of what stands elsewhere, the next daemon must not think that a person put it there.
        guard !hasUnplaced else { return }
        handle(.stopped)
        try carryOut(scheduler.takeTurn(at: now, mayStart: false))
    }

    /// When the next turn is due if nothing happens before; nil: never.
    package var nextWake: Instant? {
        var wake = scheduler.nextWake()
        func consider(_ instant: Instant) { wake = wake.map { min($0, instant) } ?? instant }
        // No record goes before that.
        let trialEnd = clockTrial.isUnderWay(at: now) ? clockTrial.endsAt : nil
        if let expiry = expiries.next { consider(max(expiry, trialEnd ?? expiry)) }
        if !unaccounted.isEmpty { consider(now.advanced(byMilliseconds: 20)) }
        if !unready.isEmpty { consider(unreadyLookAt) }
        if let intakeAgainAt { consider(intakeAgainAt) }
        if !unplaced.isEmpty { consider(placeAgainAt) }
        consider(max(nextPrune, trialEnd ?? nextPrune))
        return wake
    }

    /// The clock was set: what was meant to be done a while later must not wait for a clock set back to come there again.
    package func clockWasSet() {
        log.write(.notice, "clock-set", at: now)
        tellOfWrongClock()
        submit(.clockSet)
        unreadyLookAt = min(unreadyLookAt, now.advanced(byMilliseconds: Self.unreadyMilliseconds))
        intakeAgainAt = intakeAgainAt.map { min($0, now.advanced(byMilliseconds: Self.shortageMilliseconds)) }
        placeAgainAt = min(placeAgainAt, now.advanced(byMilliseconds: placingDelayMilliseconds))
        nextPrune = min(nextPrune, now.advanced(byMilliseconds: Self.pruneMilliseconds))
    }

    private func tellOfWrongClock() {
        let schedules = scheduler.schedulesAhead(at: now)
        guard !schedules.isEmpty else { return }
        log.write(
            .warning, "clock-was-wrong", at: now,
            ["schedules": schedules.joined(separator: ","), "effect": "what they ran for lies ahead of the clock: they count from now"])
    }

    // MARK: Carrying out

    /// Does what a turn asks for, in order. Comes back only when it is done.
    func carryOut(_ turn: Turn) throws(SystemError) {
        for (scope, note) in turn.pauses {
            try persistently { () throws(SystemError) in
                let path = "\(Layout.control)/\(scope.text)"
                try self.spool.fs.replace(path, Array("\(note)\n".utf8))
                try self.spool.fs.sync(path)
                try self.spool.fs.sync(Layout.control)
            }
        }
        for (at, record) in turn.records {
            spool.journal.add(record, at: at)
            log.write(record, at: at)
        }
        for refusal in turn.refusals {
            let place = refusal.ending.map { "\(refusal.file).\($0):" } ?? ""
            report(problem: [place + refusal.why], of: refusal.file)
        }
        if spool.journal.hasPending {
            try persistently { () throws(SystemError) in try self.spool.journal.commit() }
        }
        for job in turn.places { try bringToPlace(job) }
        for job in turn.moved { try writeMove(job) }
        for job in turn.starts {
            // What stands elsewhere waits until it does not.
            if unplaced[job.id] == nil { world.start(job) } else { unplaced[job.id]?.isToStart = true }
        }
        for (job, how) in turn.stops {
            if unplaced[job.id]?.isToStart == true {
                unplaced[job.id]?.isToStart = false
                submit(.ended(job.id, attempt: job.attempt, RunResult(outcome: .neverBegan, startedAt: nil, endedAt: now)))
            } else {
                world.stop(job, how)
            }
        }
        for question in turn.questions { world.ask(question) }
        carryOutExtensions()
        for answer in answers { write(answer) }
        answers.removeAll()
        if !turn.isEmpty { isPublishDue = true }
    }

    /// The disk did not take a change, and the daemon was told to stop meanwhile.
    private(set) var isStopping = false

    /// Repeats an operation while the disk cannot take it. A failed sync is not repeated: it ends the daemon.
    func persistently<Value>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value {
        while true {
            do throws(SystemError) {
                let value = try body()
                end(.disk)
                return value
            } catch {
                guard error.isOfDisk || error.isShortage, !error.isFailedSync else { throw error }
                if error.isOfDisk {
                    begin(.disk, "\(error)", effect: "nothing is started or acknowledged until this is over")
                } else {
                    pauseIntake(error)
                }
                guard try world.waitForDisk(error) else {
                    isStopping = true
                    throw error
                }
            }
        }
    }

    func ended(_ job: Job) throws(SystemError) {
        if job.state == .done { doneCount += 1 } else { failedCount += 1 }
        noteExpiry(of: job)
        if let count = job.definition.keepCount, let task = job.task {
            do throws(SystemError) { try spool.keepLatest(count, of: task, adding: (job.id, job.state)) { removals.add($0) } } catch {
                try notForgotten("\(job.id)", error)
            }
        }
    }

    /// Begins a new segment of the journal with the state as it is now, and removes those that are older than any record is kept.
    package func rotateJournal() throws(SystemError) {
        scheduler.forgetRetries(gone: Set(scheduler.endedRetries.filter { !spool.isOnRecord($0) }))
        let snapshot = scheduler.snapshot(at: now, unplaced: unplaced.values.map(\.job))
        try persistently { () throws(SystemError) in
            try self.spool.journal.rotate(snapshot: snapshot, spool: self.spoolID, at: self.now)
        }
        guard !clockTrial.isUnderWay(at: now) else { return }
        try spool.journal.prune(before: now.advanced(byMilliseconds: -world.configuration.keepMilliseconds))
    }
}
