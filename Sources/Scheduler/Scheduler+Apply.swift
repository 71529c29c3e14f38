// Applies each record: the only place where recorded state changes. New decisions and replays both use it.

extension Scheduler {
    func apply(_ record: Record, at now: Instant) {
        switch record {
        case .accepted(let accepted): applyAccepted(accepted)
        case .rejected(let file): applyRejected(file, at: now)
        case .withdrawn(let id):
            guard let job = jobs[id] else { return }
            job.withdraw(at: now)
            leave(job)
            dropPlace(of: job)
            forget(id)
            settle(id, as: .failed, nil)
        case .started(let id, let attempt):
            guard let job = jobs[id] else { return }
            if job.state != .running {
                runningCount += 1
                ready.began(job.definition.queue)
                locks.take(job)
            }
            job.begin(attempt: attempt, boot: lastBoot, at: now)
            if let name = job.task, job.definition.overlap != .allow { tasks[name]?.current = job }
            touch(job)
            lineUpSlow(job)
        case .stopping(let id, let why): jobs[id]?.stop(why)
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
        case .retried(let id, let original): retries.add(id, of: original)
        case .defined(let file, let source, let writtenAt): definitions[file] = (source, writtenAt)
        case .undefined(let file):
            definitions[file] = nil
            if file.hasPrefix("tasks/"), let state = tasks[String(file.dropFirst(6))] { forgetIfDone(state) }
        case .scheduled(let task, let id, let accounted, let origin, let lastEnd):
            let state = schedule(id, of: task, accounted: accounted, origin: origin)
            state.accounted = accounted
            state.origin = origin
            state.lastEnd = lastEnd
            state.asking?.forget()
            if state.files != nil {
                state.files = nil
                fileWaits.version += 1
            }
        case .unscheduled(let task, let id):
            guard let state = tasks[task] else { return }
            if let gone = state.schedule(id) {
                gone.next = nil
                gone.asking = nil
                if gone.files != nil { fileWaits.version += 1 }
            }
            state.schedules.removeAll { $0.id == id }
            forgetIfDone(state)
        case .answered(let task, let id, let due, let last):
            guard let state = tasks[task]?.schedule(id) else { return }
            let asking = state.asking ?? Asking()
            asking.due = due
            asking.last = last
            // "Never" is asked again after a restart.
            asking.state = due == nil ? .unasked : .answered
            state.asking = asking
        case .skipped(let skipped):
            guard let state = tasks[skipped.task]?.schedule(skipped.schedule) else { return }
            state.accounted = max(state.accounted, skipped.through)
            state.asking?.account(for: skipped.through)
            // An interval from the end counts from the due time if its run never ran.
            state.lastEnd = max(state.lastEnd ?? skipped.through, skipped.through)
            if let file = skipped.file { files(of: state).seen.insert(file.fingerprint) }
        case .filesSeen(let task, let id, let fingerprints, let isAll):
            guard let state = tasks[task]?.schedule(id) else { return }
            files(of: state).seen.formUnion(fingerprints)
            if isAll { files(of: state).isWhole = true }
        case .filesGone(let task, let id, let fingerprints):
            guard let files = tasks[task]?.schedule(id)?.files else { return }
            for fingerprint in fingerprints { files.seen.remove(fingerprint) }
        case .ran(let task, let id, let end): history(of: self.task(named: task)).latest = (id, end)
        case .failing(let task, let failures, let toldAt):
            history(of: self.task(named: task)).streak = FailureStreak(failures: failures, toldAt: toldAt)
        case .expecting(let task, let since, let isOverdue):
            let history = history(of: self.task(named: task))
            history.expectedSince = since
            history.isOverdue = isOverdue
        case .paused(let scope, let note): pauses[scope] = note
        case .resumed(let scope):
            pauses[scope] = nil
            if case .task(let name) = scope, let state = tasks[name] { releaseHeld(state) }
        case .daemonStarted(let boot, _):
            lastBoot = boot
            repairedSince = nil
            touchedSinceStop = nil
        case .daemonStopped: touchedSinceStop = []
        case .followed: owed.removeAll()
        case .repaired(let since): repairedSince = since
        case .refused, .recovered: break
        }
    }

    /// Removes an earlier job with this id. Returns false when it is running.
    private func makeRoom(for id: JobID) -> Bool {
        guard let old = jobs[id] else { return true }
        switch old.state {
        case .new: leave(old)
        case .running: return false
        // This happens only in a replay: its record was removed, and the id was used again.
        case .done, .failed: break
        }
        // The place on the disk now belongs to the new job, even if that has ended.
        dropPlace(of: old)
        return true
    }

    /// Drops the pending move of a job that no longer exists.
    private func dropPlace(of job: Job) {
        if job.isTouched { turn.places.removeAll { $0 === job } }
    }

    private func applyAccepted(_ accepted: AcceptedJob) {
        guard makeRoom(for: accepted.id) else { return }
        let job = Job(accepted, arrival: arrivals)
        // The job's text was replaced while it waited.
        if let before = jobs[job.id] { for announcement in before.recorded.announced { job.note(announcement) } }
        arrivals += 1
        jobs[job.id] = job
        owed.removeAll { $0.id == job.id }
        if let key = job.definition.unique?.key, uniques[key] == nil { uniques[key] = job }
        if let name = job.task {
            let state = task(named: name)
            state.active.append(job)
            history(of: state).latest = (job.id, nil)
        }
        // A requested run of an earlier due time does not change the schedule.
        if job.file == nil, let name = job.task, let id = job.schedule, let state = tasks[name]?.schedule(id) {
            state.accounted = max(state.accounted, job.due)
            state.next = nil
            state.asking?.account(for: job.due)
            if !accepted.fingerprints.isEmpty { files(of: state).seen.formUnion(accepted.fingerprints) }
        }
        if job.file == nil { touch(job) } else { touchedSinceStop?.insert(job.id) }
        if let deadline = job.deadline { timetable.deadlines.insert(TimedJob(deadline, job)) }
        if let obstacle = accepted.obstacle {
            broken.append((job, obstacle, nil))
        } else {
            for id in job.waitsFor { waiters[id, default: []].append(job) }
        }
        if let original = job.retryOf.flatMap({ JobID($0) }) {
            retries.add(job.id, of: original)
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
        let job = Job(accepted, arrival: arrivals)
        arrivals += 1
        job.reject(file.error, at: now)
        jobs[job.id] = job
        finish(job)
        settle(job.id, as: job.state, job.reason)
    }

    private func applyEnded(_ id: JobID, _ ending: Ending, at now: Instant) {
        guard let job = jobs[id], !job.state.isTerminal else { return }
        if job.state == .running {
            runningCount -= 1
            ready.ended(job.definition.queue)
            locks.giveBack(job)
        }
        job.end(ending, at: now)
        if ending.state == .new {
            wait(job)
            touch(job)
            releaseLocks(after: job)
        } else {
            if ending.state == .done, let name = job.task, let state = tasks[name] { succeeded(state, at: now) }
            let end = tell(endOf: job)
            finish(job)
            settle(id, as: job.state, job.reason)
            owe(job, end, hasOutput: ending.hasOutput)
        }
    }

    /// Adds a waiting job to the right structure: it waits for other jobs, for its time, or for a slot.
    func wait(_ job: Job) {
        if job.waitsFor.isEmpty { timetable.delayed.insert(TimedJob(job.notBefore, job)) }
    }

    /// Handles the end of a job: its task continues, and only its record remains.
    private func finish(_ job: Job) {
        touch(job)
        leave(job)
        if isRestoring { return }
        forget(job.id)
        endedInTurn[job.id] = job
    }

    func forget(_ id: JobID) { jobs[id] = nil }

    /// Removes a job from its task's runs.
    private func leave(_ job: Job) {
        if job.state == .new { job.isDead = true }
        if let key = job.definition.unique?.key, uniques[key] === job { uniques[key] = nil }
        releaseLocks(after: job)
        guard let name = job.task, let state = tasks[name] else { return }
        state.active.removeAll { $0 === job }
        if state.current === job { state.current = nil }
        if let history = state.history, history.latest?.id == job.id {
            history.latest?.end = job.state.isTerminal ? job.state : .failed
        }
        if let id = job.schedule, let schedule = state.schedule(id) {
            schedule.lastEnd = max(schedule.lastEnd ?? job.changedAt, job.changedAt)
            if schedule.definition?.recurrence.isFromEnd == true { plan(schedule) }
        }
        releaseHeld(state)
        forgetIfDone(state)
    }

    /// Removes a task unless it has a definition, schedules, or runs.
    func forgetIfDone(_ state: TaskState) {
        guard state.definition == nil, state.schedules.isEmpty, state.active.isEmpty, definitions["tasks/\(state.name)"] == nil
        else { return }
        tasks[state.name] = nil
    }

    func history(of state: TaskState) -> TaskHistory {
        if let history = state.history { return history }
        let history = TaskHistory()
        state.history = history
        return history
    }

    private func files(of schedule: ScheduleState) -> FileState {
        if let files = schedule.files { return files }
        let files = FileState()
        schedule.files = files
        return files
    }

    func releaseLocks(after job: Job) {
        guard !job.definition.locks.isEmpty else { return }
        for other in locks.release(after: job) { ready.push(other) }
    }

    func releaseHeld(_ state: TaskState) {
        guard pauses[.task(state.name)] == nil else { return }
        for job in state.release() { ready.push(job) }
    }

    func task(named name: String) -> TaskState {
        if let state = tasks[name] { return state }
        let state = TaskState(name: name)
        tasks[name] = state
        return state
    }

    func schedule(_ id: String, of task: String, accounted: Instant, origin: Instant) -> ScheduleState {
        let owner = self.task(named: task)
        if let state = owner.schedule(id) { return state }
        let state = ScheduleState(task: task, id: id, accounted: accounted, origin: origin)
        owner.schedules.append(state)
        return state
    }
}
