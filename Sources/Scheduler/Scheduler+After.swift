// Jobs that wait for others: `after`, and the jobs that `unique` refuses.
//
// Invariants:
// - The acceptance of a job decides which jobs it waits for: the record contains their ids. The name of a task means its latest
//   run at that time, whatever runs it has later.
// - A job never starts before all of these have ended as required. If one ends differently, the job ends too, with `dependency`.
// - No job waits for itself, directly or through others.
// - A job's id means the newest of its retries (``Retries``), both when a job that names it is accepted and while that job waits.

extension Scheduler {
    /// Accepts a job. A job that can never run ends at once, with the reason. Its acceptance contains the reason too: if its end
    /// does not reach the journal, it still must not run.
    func accept(_ arrival: AcceptedJob, _ onRecord: OnRecord, at now: Instant) {
        var job = arrival
        job.obstacle = prepare(&job, onRecord)
        if job.obstacle == nil, job.definition.overlap == .replace, let task = job.task {
            replaceRuns(of: task, by: job.id, at: now)
            // It may have waited for one of them, which has ended now and will not end again.
            job.obstacle = prepare(&job, onRecord)
        }
        commit(.accepted(job), at: now)
        if let obstacle = job.obstacle, let accepted = jobs[job.id], accepted.state == .new {
            fail(accepted, obstacle.reason, obstacle.error, at: now)
        }
    }

    /// The job with this key that waits or runs.
    public func holder(ofUnique key: String) -> JobID? { derived.uniques[key]?.id }

    /// The reason why a job with these keys could not be taken up. Nil when it could.
    public func obstacle(to job: AcceptedJob, _ onRecord: OnRecord) -> String? {
        var job = job
        return prepare(&job, onRecord)?.error
    }

    /// Finds the jobs that the job waits for. Returns the reason if it cannot run.
    private func prepare(_ job: inout AcceptedJob, _ onRecord: OnRecord) -> Obstacle? {
        job.waitsFor = []
        if let key = job.definition.unique?.key {
            if let first = holder(ofUnique: key) ?? onRecord.holder, first != job.id {
                return job.rejection("unique", naming: key, "unique \"\(key)\" is taken by \(first)")
            }
        }
        if let obstacle = findExecutor(for: &job) { return obstacle }
        guard let after = job.definition.after else { return nil }
        for name in after.all {
            if let obstacle = wait(&job, for: name, after, onRecord) { return obstacle }
        }
        return nil
    }

    /// Makes the job wait for the one that the name means, unless that has ended. Returns the reason if the job cannot run.
    private func wait(_ job: inout AcceptedJob, for name: String, _ after: After, _ onRecord: OnRecord) -> Obstacle? {
        let text = job
        func rejected(_ why: String) -> Obstacle { text.rejection("after", naming: name, "after \"\(name)\": \(why)") }
        let meant = awaited(name)
        if meant.isEmpty {
            return rejected(tasks[name]?.isDefined != true ? "there is no job or task of that name" : "the task has not run yet")
        }
        if JobID(name) == job.id { return rejected("the job would wait for itself") }
        for id in meant where id != job.id {
            if let other = jobs[id] {
                if waits(other, for: job.id) { return rejected("the job would wait for itself") }
                if !job.waitsFor.contains(id) { job.waitsFor.append(id) }
                return nil
            }
            guard let end = agenda.ended[id]?.state ?? latestEnd(of: name, id) ?? onRecord.ends[id] else { continue }
            if after.isMet(by: end) { return nil }
            // The status contains it, so that its retry can restore this job.
            if !job.waitsFor.contains(id) { job.waitsFor.append(id) }
            return Obstacle(reason: .dependency, error: Self.broken(after, id, end))
        }
        return rejected("there is no such job")
    }

    /// The jobs that a name in `after` means, newest retry first: the first of these that waits, runs or is on record counts.
    /// Empty when there is no task of that name, or when it has not run.
    public func awaited(_ name: String) -> [JobID] {
        (JobID(name) ?? tasks[name]?.history?.latest?.id).map { recorded.retries.family(of: $0) } ?? []
    }

    private func latestEnd(of task: String, _ id: JobID) -> JobState? {
        guard let latest = tasks[task]?.history?.latest, latest.id == id else { return nil }
        return latest.end
    }

    private static func broken(_ after: After, _ id: JobID, _ end: JobState, _ reason: FailureReason? = nil) -> String {
        let became = end == .done ? "succeeded" : "failed\(reason.map { " (\($0.rawValue))" } ?? "")"
        return "it was to start after the \(after.when.rawValue) of \(id), which \(became)"
    }

    /// True when `job` waits for the job with that id, directly or through others.
    private func waits(_ job: Job, for id: JobID) -> Bool {
        guard derived.waiters[id] != nil else { return false }
        var seen = Set<JobID>()
        var next = [job]
        while let one = next.popLast() {
            if one.waitsFor.contains(id) { return true }
            for other in one.waitsFor where seen.insert(other).inserted {
                if let other = jobs[other] { next.append(other) }
            }
        }
        return false
    }

    // MARK: Ends

    /// Handles the end of a job: the jobs that wait for it may continue, or will never run.
    func settle(_ id: JobID, as end: JobState, _ reason: FailureReason?) {
        for waiter in derived.waiters.removeValue(forKey: id) ?? [] where waiter.state == .new && !waiter.isDead {
            guard let after = waiter.definition.after, waiter.waitsFor.contains(id) else { continue }
            if after.isMet(by: end) {
                waiter.endWait(for: id)
                if waiter.waitsFor.isEmpty { wait(waiter) }
            } else {
                agenda.broken.append((waiter, Obstacle(reason: .dependency, error: Self.broken(after, id, end, reason)), id))
            }
        }
    }

    /// A retry takes the place of the job that it repeats: jobs that wait for that job now wait for the retry, also those that
    /// were found in this turn to wait in vain.
    func takePlaces(_ retry: Job) {
        for id in recorded.retries.family(of: retry.id) where id != retry.id {
            let waiting = derived.waiters.removeValue(forKey: id) ?? []
            let staying = waiting.filter { !moveWait($0, from: id, to: retry) }
            if !staying.isEmpty { derived.waiters[id] = staying }
            agenda.broken.removeAll { $0.by == id && moveWait($0.job, from: id, to: retry) }
        }
    }

    private func moveWait(_ waiter: Job, from id: JobID, to retry: Job) -> Bool {
        guard waiter.state == .new, !waiter.isDead, waiter !== retry, !waits(retry, for: waiter.id), waiter.waitsFor.contains(id)
        else { return false }
        if !waiter.waitsFor.contains(retry.id) { derived.waiters[retry.id, default: []].append(waiter) }
        waiter.moveWait(from: id, to: retry.id)
        return true
    }

    /// Ends the jobs that wait in vain.
    func endBroken(at now: Instant) {
        let all = agenda.broken
        agenda.broken.removeAll()
        for (job, why, _) in all where job.state == .new && !job.isDead { fail(job, why.reason, why.error, at: now) }
    }
}
