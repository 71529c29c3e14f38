// Runs that an executor has: from their start to their end, by events. The state is in `RemoteRuns`, and the rules of one run are in
// `RemoteRun`.

extension Scheduler {
    private var executorSettings: (String) -> ExecutorSettings { { [limits] in limits.executors[$0] ?? ExecutorSettings() } }

    /// The executor that runs the job, and the reason why none can. `executor` is nil for a job of this machine.
    func findExecutor(for job: inout AcceptedJob) -> Obstacle? {
        job.executor = nil
        // A crontab's line runs where cron would run it, and what follows an end reads the files of the ended job.
        let isBound = job.isOfCrontab || job.task.flatMap { tasks[$0]?.crontab } != nil || job.definition.fallsBack
        let ofQueue = isBound ? nil : limits.queueExecutors[job.definition.queue]
        guard let executor = job.definition.executor ?? ofQueue, executor != ExecutorKeys.local else {
            guard let key = job.definition.wishForExecutor else { return nil }
            return job.rejection(key, naming: "", "\(key) is for an executor, and neither the job nor its queue names one")
        }
        if let (key, why) = job.definition.refusal(by: executor) { return job.rejection(key, naming: "", why) }
        job.executor = executor
        return nil
    }

    /// True when the executor may have one more job.
    func hasRoom(_ executor: String, _ remote: RemoteRuns) -> Bool { remote.count(of: executor) < executorSettings(executor).slots }

    // MARK: Events

    /// The directory of a job that an executor runs is in its place.
    func placed(_ id: JobID, attempt: Int, at now: Instant) {
        guard let job = jobs[id], job.state == .running, job.attempt == attempt, job.executor != nil else { return }
        if job.stopping != nil { return stopRemote(job, at: now) }
        derived.remote.placed(job, at: now)
    }

    func take(_ reply: ExecutorReply, at now: Instant) {
        for (job, steps) in derived.remote.take(reply, executorSettings, at: now) { carryOut(steps, of: job, at: now) }
    }

    /// The runs whose marks must be read before the reply is given to the scheduler.
    public func runsToLookAt(for reply: ExecutorReply) -> [Job] { derived.remote.mattersForMarks(reply) }

    /// True when the call has not been answered.
    public func awaits(call number: UInt64) -> Bool { derived.remote.awaits(number) }

    func take(_ marks: RemoteMarks, of id: JobID, attempt: Int, at now: Instant) {
        guard let job = jobs[id], job.state == .running, job.attempt == attempt else { return }
        carryOut(derived.remote.seen(job, marks, executorSettings, at: now), of: job, at: now)
    }

    func extend(_ id: JobID, byMilliseconds milliseconds: Int64) {
        guard let job = jobs[id], job.state == .running else { return }
        derived.remote.extend(job, byMilliseconds: milliseconds)
    }

    /// Has the executor end a running job. A run that nobody has is over.
    func stopRemote(_ job: Job, at now: Instant) {
        carryOut(derived.remote.stop(job, isForced: job.stopping == .killed, at: now), of: job, at: now)
    }

    private func carryOut(_ steps: [RemoteRun.Step], of job: Job, at now: Instant) {
        for step in steps {
            guard job.state == .running else { return }
            switch step {
            case .record(let handle): commit(.submitted(job.id, attempt: job.attempt, handle: handle), at: now)
            case .remark(let text): commit(.remarked(job.id, text), at: now)
            case .end(let outcome, let cause):
                let run = derived.remote.run(job.id)
                show(job, at: now)
                var result = RunResult(outcome: outcome, startedAt: nil, endedAt: now)
                if case .neverBegan = outcome {} else { result.take(run?.marks.end, startedAt: job.startedAt) }
                result.cause = cause
                turn.remoteEnds.append((job.id, job.attempt, result))
            }
        }
    }

    // MARK: Turns

    /// The calls that are due now, and news about runs for their status.
    func callExecutors(at now: Instant) {
        for (job, view) in derived.remote.takeChanged(at: now) { show(job, view, at: now) }
        let calls = derived.remote.takeCalls(at: now, executorSettings)
        for call in calls where call.verb == .submit {
            for item in call.items where item.job.recorded.submissions == 0 {
                commit(.submitted(item.job.id, attempt: item.attempt, handle: nil), at: now)
            }
        }
        turn.calls += calls
    }

    /// A position changes often and is worth a write now and then.
    private static let positionMilliseconds: Int64 = 30_000

    private func show(_ job: Job, _ view: RemoteView, at now: Instant) {
        guard job.state == .running, job.remote != view else { return }
        var known = view
        known.position = job.remote?.position
        let isDue = job.remote != known || now.milliseconds - (job.remoteShownAt ?? now).milliseconds >= Self.positionMilliseconds
        guard isDue || job.remoteShownAt == nil else { return }
        job.remote = view
        job.remoteShownAt = now
        turn.moved.append(job)
    }

    /// The last that is known of a run which ends now. Its record has it.
    private func show(_ job: Job, at now: Instant) {
        for (other, view) in derived.remote.takeChanged(at: now) { show(other, view, at: now) }
        if let handle = derived.remote.run(job.id)?.handle, job.remote == nil {
            job.remote = RemoteView(phase: .running, handle: handle, since: now)
        }
    }
}

extension RunResult {
    /// The times of a run by the clock of its host: only their difference counts.
    fileprivate mutating func take(_ end: RemoteEnd?, startedAt begun: Instant?) {
        startedAt = begun
        guard let end, let wall = end.wallMilliseconds else { return }
        let start = endedAt.advanced(byMilliseconds: -wall)
        startedAt = begun.map { max($0, start) } ?? start
        usage = Usage(
            wallMilliseconds: wall, userMilliseconds: end.userMilliseconds ?? 0, systemMilliseconds: end.systemMilliseconds ?? 0,
            maxRSSBytes: 0)
    }
}
