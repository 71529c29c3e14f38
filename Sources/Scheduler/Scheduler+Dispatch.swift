// Chooses the waiting jobs that start next. Each of the others waits for one obstacle.
//
// Invariants:
// - A waiting job is in one place: it waits for other jobs, for its time, in the queue of those that may start, or for its task or a
//   lock. It returns to the queue when that obstacle may be gone.
// - `WaitingSurroundings.holds` in the store gives people the same reasons in the same order, from the tree. The simulator checks after
//   each turn that it has one for each job that waits.

extension Scheduler {
    /// Starts the best jobs until no slot is free, or nothing may start. `mayStart` is the world's answer, once it was asked.
    func dispatch(at now: Instant, _ mayStart: inout Bool?, _ isOpen: () -> Bool) {
        isShortOfSlots = false
        var isMachineFull = false
        // The queues are in use while they ask.
        let remote = derived.remote
        guard pauses[.all] == nil else { return }
        while true {
            guard let job = derived.ready.popBest(where: { queue, running, job in
                guard pauses[.queue(queue)] == nil else { return false }
                guard job.needsNoSlot || running < (limits.queueSlots[queue] ?? Int.max) else { return false }
                if let executor = job.executor { return hasRoom(executor, remote) }
                return !isMachineFull && (job.needsNoSlot || !isShortOfSlots)
            }) else { return }
            if let name = job.task, let task = tasks[name], pauses[.task(name)] != nil || task.blocks(job) {
                task.hold(job)
                releaseLocks(after: job)
                continue
            }
            if let lock = derived.locks.obstacle(to: job) {
                derived.locks.hold(job, at: lock)
                releaseLocks(after: job)
                if let name = job.task, let task = tasks[name] { releaseHeld(task) }
                continue
            }
            guard job.needsNoSlot || job.executor != nil || slotsUsed < limits.slots else {
                // Jobs that need no slot of this machine may still start.
                isShortOfSlots = true
                derived.ready.push(job)
                continue
            }
            guard job.executor != nil || runningHereCount < limits.startable else {
                isMachineFull = true
                derived.ready.push(job)
                continue
            }
            mayStart = mayStart ?? isOpen()
            if mayStart == false {
                isHeld = true
                return derived.ready.push(job)
            }
            commit(.started(job.id, attempt: job.attempt + 1), at: now)
            turn.starts.append(job)
            announceStart(of: job, at: now)
        }
    }

    // MARK: Waiting

    /// Adds a waiting job to the right structure: it waits for other jobs, or for its time.
    func wait(_ job: Job) {
        if job.waitsFor.isEmpty { derived.timetable.delayed.insert(TimedJob(job.notBefore, job)) }
    }

    /// Handles the jobs whose time has come.
    func releaseDelayed(at now: Instant) {
        while let top = derived.timetable.delayed.takeFirst(by: now) {
            derived.ready.push(top.job)
            derived.timetable.waiting.insert(top)
        }
    }

    func expireDeadlines(at now: Instant) {
        while let top = derived.timetable.deadlines.takeFirst(by: now) {
            fail(top.job, .deadline, "not started by its deadline, \(top.instant.rfc3339)", at: now)
        }
    }

    func releaseLocks(after job: Job) {
        guard !job.definition.locks.isEmpty else { return }
        for other in derived.locks.release(after: job) { derived.ready.push(other) }
    }

    func releaseHeld(_ state: TaskState) {
        guard pauses[.task(state.name)] == nil else { return }
        for job in state.release() { derived.ready.push(job) }
    }
}
