/// The recorded part of the scheduler's state: the result of the journal's records, in their order.
///
/// Invariants:
/// - Only ``Scheduler/apply(_:at:)`` changes it, for one record at a time. These variables cannot be set outside of this file. The
///   objects in them keep their recorded part to themselves in the same way: ``Job``, ``TaskState``, ``ScheduleState``.
/// - Replaying the records of a journal gives this state again.
/// - Two things go without a record, because nothing depends on them any more: jobs that have ended, and retries of jobs that have
///   left no record on the disk.
public final class RecordedState {
    public fileprivate(set) var jobs: [JobID: Job] = [:]
    public fileprivate(set) var tasks = TaskTable()
    public fileprivate(set) var pauses: [PauseScope: String] = [:]
    /// The definitions in force that are not those of tasks: `schedules/ID`, and the calendars that definitions name, `calendars/NAME`.
    fileprivate(set) var otherDefinitions: [String: RecordedDefinition] = [:]
    /// The boot in which the last daemon ran, according to the journal.
    public fileprivate(set) var lastBoot: String?
    /// The last readable record of a journal that was repaired since the last daemon.
    public fileprivate(set) var repairedSince: Instant?
    /// The jobs with records since the last daemon ended properly, with every effect of its decisions carried out. A later daemon
    /// was killed before it could record its start. Nil when no daemon has ended properly.
    fileprivate(set) var touchedSinceStop: Set<JobID>?
    fileprivate(set) var retries = Retries()
    /// The numbers of all that was done.
    public fileprivate(set) var tally = Tally()
    /// The number of jobs that were accepted or rejected.
    fileprivate var arrivals: UInt64 = 0
}

extension Scheduler {
    /// Applies one record, of a new decision or of a replay: changes the recorded state, and the derived state with it.
    func apply(_ record: Record, at now: Instant) {
        switch record {
        case .accepted(let accepted): applyAccepted(accepted)
        case .rejected(let file): applyRejected(file, at: now)
        case .withdrawn(let id):
            guard let job = jobs[id] else { return }
            job.withdraw(at: now)
            if job.state == .new { derived.ready.left(job.definition.queue) }
            leave(job)
            dropPlace(of: job)
            recorded.jobs.removeWithRoom(id)
            settle(id, as: .failed, nil)
        case .started(let id, let attempt): applyStarted(id, attempt: attempt, at: now)
        case .submitted(let id, let attempt, let handle):
            guard let job = jobs[id], job.state == .running, job.attempt == attempt else { return }
            job.submitted(handle: handle)
            if isRestoring { derived.remote.restored(job, at: now) }
        case .stopping(let id, let why):
            guard let job = jobs[id] else { return }
            job.stop(why)
            if isRestoring { derived.remote.stop(job, isForced: why == .killed, at: now) }
        case .requested(let id, let name): jobs[id]?.note(request: name)
        case .announced(let id, let announcement):
            guard let job = jobs[id] else { return }
            job.note(announcement)
            owe(job, announcement, at: now)
        case .ended(let id, let ending): applyEnded(id, ending, at: now)
        case .moved(let id, let moved):
            guard let job = jobs[id] else { return }
            job.moved = moved
            turn.moved.append(job)
        case .remarked(let id, let remark):
            guard let job = jobs[id] else { return }
            job.note(remark: remark)
            turn.moved.append(job)
        case .retried(let id, let original): recorded.retries.add(id, of: original)
        case .defined(let file, let definition):
            if let name = Self.taskName(ofFile: file) {
                task(named: name).define(definition)
            } else {
                recorded.otherDefinitions[file] = definition
                derived.calendars.recorded(file, definition.source)
            }
        case .stamped(let file, let stamp):
            if let name = Self.taskName(ofFile: file) {
                tasks[name]?.stamp(stamp)
            } else {
                recorded.otherDefinitions[file]?.stamp = stamp
            }
        case .undefined(let file):
            if let name = Self.taskName(ofFile: file) {
                guard let state = tasks[name] else { return }
                state.define(nil)
                forgetIfDone(state)
            } else {
                recorded.otherDefinitions[file] = nil
                derived.calendars.recorded(file, nil)
            }
        case .scheduled(let task, let id, let accounted, let origin, _):
            let schedule = self.task(named: task).schedule(id, accounted: accounted, origin: origin)
            if schedule.files != nil { derived.fileWaits.version += 1 }
            schedule.apply(record)
        case .unscheduled(let task, let id):
            guard let state = tasks[task] else { return }
            if let gone = state.remove(schedule: id) {
                gone.apply(record)
                if gone.files != nil { derived.fileWaits.version += 1 }
            }
            forgetIfDone(state)
        case .answered(let task, let id, _, _), .settled(let task, let id, _), .filesSeen(let task, let id, _, _),
        .filesGone(let task, let id, _):
            tasks[task]?.schedule(id)?.apply(record)
        case .skipped(let skipped):
            recorded.tally.count(skipped)
            tasks[skipped.task]?.schedule(skipped.schedule)?.apply(record)
        case .ran(let task, let latest, let marks): self.task(named: task).ran(latest, marks)
        case .counted(let tally): recorded.tally = tally
        case .failing(let task, let failures, let toldAt):
            self.task(named: task).failing(FailureStreak(failures: failures, toldAt: toldAt))
        case .expecting(let task, let since, let isOverdue):
            self.task(named: task).expect(since: since, isOverdue: isOverdue)
            if isOverdue { derived.overdue.insert(task) } else { derived.overdue.remove(task) }
        case .paused(let scope, let note): recorded.pauses[scope] = note
        case .resumed(let scope):
            recorded.pauses[scope] = nil
            if case .task(let name) = scope, let state = tasks[name] { releaseHeld(state) }
        case .daemonStarted(let boot, _):
            recorded.lastBoot = boot
            recorded.repairedSince = nil
            recorded.touchedSinceStop = nil
        case .daemonStopped: recorded.touchedSinceStop = []
        case .followed: agenda.owed.removeAll()
        case .repaired(let since): recorded.repairedSince = since
        case .refused, .recovered: break
        }
    }

    // MARK: Acceptance

    private func applyAccepted(_ accepted: AcceptedJob) {
        // The job's text was replaced while it waited, and it keeps its place among equal ones.
        let before = jobs[accepted.id].flatMap { $0.state == .new ? $0 : nil }
        guard makeRoom(for: accepted.id) else { return }
        if before == nil, accepted.isOfDueTime {
            let isLate = accepted.createdAt.milliseconds - accepted.due.milliseconds > Self.missedAfterMilliseconds
            recorded.tally.count(isLate ? .late : .ran)
        }
        var accepted = accepted
        // Journals of earlier programs do not contain it.
        if accepted.schedule != nil, accepted.file == nil, let task = accepted.task, tasks[task]?.crontab != nil {
            accepted.isOfCrontab = true
        }
        let job = add(Job(accepted, arrival: before?.arrival ?? recorded.arrivals))
        if job.needsNoSlot { derived.slotless.all += 1 }
        derived.ready.joined(job.definition.queue)
        for announcement in before?.recorded.announced ?? [] { job.note(announcement) }
        agenda.owed.removeAll { $0.id == job.id }
        if let key = job.definition.unique?.key, derived.uniques[key] == nil { derived.uniques[key] = job }
        if let name = job.task {
            let task = task(named: name)
            task.add(job, isReplacement: before != nil)
            // A requested run of an earlier due time does not change the schedule.
            if job.file == nil, let id = job.schedule { task.schedule(id)?.run(job, files: accepted.fingerprints) }
        }
        if job.file == nil { touch(job) } else { recorded.touchedSinceStop?.insert(job.id) }
        if let deadline = job.deadline { derived.timetable.deadlines.insert(TimedJob(deadline, job)) }
        if let obstacle = accepted.obstacle {
            agenda.broken.append((job, obstacle, nil))
        } else {
            for id in job.waitsFor { derived.waiters[id, default: []].append(job) }
        }
        if let original = job.retryOf.flatMap({ JobID($0) }) {
            recorded.retries.add(job.id, of: original)
            takePlaces(job)
        }
        wait(job)
    }

    private func applyRejected(_ file: RejectedFile, at now: Instant) {
        guard makeRoom(for: file.id) else { return }
        let format = Source.format(ofFile: file.file, firstBytes: Array("#!".utf8), isExecutable: true) ?? .script
        let accepted = AcceptedJob(
            id: file.id, name: file.name, due: file.due, createdAt: now, notBefore: file.due,
            source: Source(format: format, bytes: []), definition: .unusable,
            file: FileStamp(name: file.file, inode: file.inode, size: 0, modifiedNanoseconds: 0))
        let job = add(Job(accepted, arrival: recorded.arrivals))
        job.reject(file.error, at: now)
        recorded.tally.end(job.state, job.reason)
        finish(job)
        settle(job.id, as: job.state, job.reason)
    }

    private func add(_ job: Job) -> Job {
        recorded.arrivals += 1
        recorded.jobs[job.id] = job
        return job
    }

    /// Removes an earlier job with this id. Returns false when it is running.
    private func makeRoom(for id: JobID) -> Bool {
        guard let old = jobs[id] else { return true }
        switch old.state {
        case .new:
            derived.ready.left(old.definition.queue)
            leave(old)
        case .running: return false
        // This happens only in a replay: its record was removed, and the id was used again.
        case .done, .failed: break
        }
        // The place on the disk now belongs to the new job, even if that has ended.
        dropPlace(of: old)
        return true
    }

    // MARK: Start and end

    private func applyStarted(_ id: JobID, attempt: Int, at now: Instant) {
        guard let job = jobs[id] else { return }
        let isNew = job.state != .running
        if isNew {
            if job.state == .new { derived.ready.left(job.definition.queue) }
            recorded.tally.start(attempt: attempt, delayMilliseconds: now.milliseconds - job.scheduledAt.milliseconds)
            derived.runningCount += 1
            if job.needsNoSlot { derived.slotless.running += 1 } else { derived.ready.began(job.definition.queue) }
            derived.locks.take(job)
        }
        job.begin(attempt: attempt, boot: lastBoot, at: now)
        derived.remote.begin(job, at: now)
        if let name = job.task { tasks[name]?.began(job, isNew: isNew, at: now) }
        touch(job)
        lineUpSlow(job)
    }

    private func applyEnded(_ id: JobID, _ ending: Ending, at now: Instant) {
        guard let job = jobs[id], !job.state.isTerminal else { return }
        if job.state == .running {
            derived.runningCount -= 1
            if job.needsNoSlot { derived.slotless.running -= 1 } else { derived.ready.ended(job.definition.queue) }
            derived.locks.giveBack(job)
            derived.remote.remove(job)
            countTry(of: job, ending, at: now)
        } else {
            derived.ready.left(job.definition.queue)
        }
        job.end(ending, at: now)
        if ending.state == .new {
            derived.ready.joined(job.definition.queue)
            wait(job)
            touch(job)
            releaseLocks(after: job)
        } else {
            if ending.state == .done, let name = job.task, let state = tasks[name], state.succeeded(at: now) {
                derived.overdue.remove(name)
                lineUp(state)
            }
            recorded.tally.end(job.state, job.reason)
            let end = tell(endOf: job)
            finish(job)
            settle(id, as: job.state, job.reason)
            owe(job, end, hasOutput: ending.hasOutput)
        }
    }

    /// Counts the end of the job's running try.
    private func countTry(of job: Job, _ ending: Ending, at now: Instant) {
        let hasBegun = ending.attempt >= job.attempt
        if let name = job.task { tasks[name]?.stopped(hasBegun ? ending : nil, at: now) }
        if !hasBegun {
            recorded.tally.takeBack(attempt: job.attempt)
        } else if let usage = ending.usage {
            recorded.tally.use(usage)
        }
    }

    /// Handles the end of a job: its task continues, and only its record remains.
    private func finish(_ job: Job) {
        touch(job)
        leave(job)
        if isRestoring { return }
        recorded.jobs.removeWithRoom(job.id)
        agenda.ended[job.id] = job
    }

    /// Removes a job from its task's runs.
    private func leave(_ job: Job) {
        if job.state == .new { job.isDead = true }
        if job.needsNoSlot { derived.slotless.all -= 1 }
        if let key = job.definition.unique?.key, derived.uniques[key] === job { derived.uniques[key] = nil }
        releaseLocks(after: job)
        guard let name = job.task, let state = tasks[name] else { return }
        state.remove(job)
        if let id = job.schedule, let schedule = state.schedule(id) {
            schedule.runEnded(at: job.changedAt)
            if schedule.definition?.recurrence.isFromEnd == true { plan(schedule) }
        }
        releaseHeld(state)
        forgetIfDone(state)
    }

    // MARK: The turn

    /// The job's place on the disk changes in this turn.
    private func touch(_ job: Job) {
        recorded.touchedSinceStop?.insert(job.id)
        guard !job.isTouched else { return }
        job.isTouched = true
        turn.places.append(job)
    }

    /// Drops the pending move of a job that no longer exists.
    private func dropPlace(of job: Job) {
        if job.isTouched { turn.places.removeAll { $0 === job } }
    }

    // MARK: Tasks

    /// The task that a file defines, by its path without the ending. Nil for the file of something else.
    static func taskName(ofFile file: String) -> String? { file.hasPrefix("tasks/") ? String(file.dropFirst(6)) : nil }

    private func task(named name: String) -> TaskState {
        if let state = tasks[name] { return state }
        let state = TaskState(name: name)
        recorded.tasks.insert(state)
        return state
    }

    /// Removes a task unless it has a definition, schedules, or runs.
    private func forgetIfDone(_ state: TaskState) {
        guard !state.isDefined, state.schedules.isEmpty, state.active.isEmpty, state.recorded == nil else { return }
        recorded.tasks.remove(state.name)
        derived.overdue.remove(state.name)
    }

    // MARK: Changes without a record

    /// A replay keeps ended jobs to its end, because a later record may concern them.
    func forgetEnded() {
        for job in jobs.values where job.state.isTerminal { recorded.jobs.removeWithRoom(job.id) }
    }

    /// Forgets the retries of jobs without a record.
    ///
    /// - Parameter gone: those of `endedRetries` that have no record.
    public func forgetRetries(gone: Set<JobID>) {
        recorded.retries.forget { gone.contains($0) }
    }
}
