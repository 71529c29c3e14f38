// Converts the state to the records that rebuild it, and ends a replay of such records.

extension Scheduler {
    /// Ends the replay. The turn contains every job of the journal, for the last time also those that have ended.
    public func finishRestoring() -> Turn {
        forgetEnded()
        defer { turn = Turn() }
        for job in turn.places { job.isTouched = false }
        return turn
    }

    /// The jobs that repeat others or were repeated, and that ended before this turn.
    public var endedRetries: [JobID] { recorded.retries.allMembers.filter { jobs[$0] == nil && agenda.ended[$0] == nil } }

    /// A lower bound of the length of a snapshot in the journal.
    public var snapshotBytesMin: Int64 {
        // A line without its text and names is longer.
        let lineBytesMin = 120
        var count = 0
        for known in recorded.otherDefinitions.values { count += known.source.bytes.count + lineBytesMin }
        for state in tasks.values {
            if let known = state.recorded { count += known.source.bytes.count + lineBytesMin }
            count += state.schedules.count * lineBytesMin
        }
        for job in jobs.values { count += job.source.bytes.count + lineBytesMin }
        return Int64(count)
    }

    /// The records that rebuild the present state, for the head of a new journal segment. `unplaced` are ended jobs that the
    /// scheduler no longer contains, and that could not be moved to their place.
    public func snapshot(at now: Instant, unplaced: [Job] = []) -> [(at: Instant, record: Record)] {
        var records: [(at: Instant, record: Record)] = []
        if let lastBoot { records.append((now, .daemonStarted(boot: lastBoot, version: "snapshot"))) }
        for (scope, note) in pauses { records.append((now, .paused(scope, note: note))) }
        let others = recorded.otherDefinitions.sorted { $0.key < $1.key }
        for (file, known) in others { records.append((now, .defined(file: file, known))) }
        for state in tasks.values { if let known = state.recorded { records.append((now, .defined(file: "tasks/\(state.name)", known))) } }
        for (id, original) in recorded.retries.all { records.append((now, .retried(id, of: original))) }
        let ended = unplaced.filter { $0.state.isTerminal && jobs[$0.id] == nil }.sorted { $0.arrival < $1.arrival }
        for job in ended { records += Self.endRecords(of: job) }
        // Their follow-ups have been accepted, and may have ended and been forgotten.
        if !ended.isEmpty { records.append((now, .followed)) }
        var hasAnnounced = false
        // These come before the schedules: a run of a later due time, from before the clock was set back, must not change the
        // schedules.
        for job in jobs.values.sorted(by: { $0.arrival < $1.arrival }) {
            var accepted = job.accepted
            accepted.forgivenTries = job.forgivenTries
            // The end below subtracts its try once more.
            if job.state == .new, job.attempt > 0, job.isLastTryForgiven { accepted.forgivenTries -= 1 }
            let before = job.state == .running ? job.tryBefore.first : nil
            if let before, before.ending.reason == .lost, job.definition.onCrash == .retry { accepted.forgivenTries -= 1 }
            records.append((job.createdAt, .accepted(accepted)))
            for announcement in Announcement.allCases where job.recorded.announced.contains(announcement) {
                records.append((now, .announced(job.id, announcement)))
                hasAnnounced = true
            }
            if let before {
                records.append((before.ending.startedAt ?? now, .started(job.id, attempt: before.ending.attempt)))
                records.append((before.endedAt ?? now, .ended(job.id, before.ending)))
            }
            if let moved = job.moved { records.append((now, .moved(job.id, moved))) }
            switch job.state {
            case .running:
                // It was begun before the machine started, and its end could not be read yet.
                let isOfEarlierBoot = job.recorded.boot != lastBoot
                if isOfEarlierBoot, let boot = job.recorded.boot { records.append((now, .daemonStarted(boot: boot, version: "snapshot"))) }
                records.append((job.startedAt ?? now, .started(job.id, attempt: job.attempt)))
                if isOfEarlierBoot, let lastBoot { records.append((now, .daemonStarted(boot: lastBoot, version: "snapshot"))) }
                if job.recorded.submissions > 0 { records.append((now, .submitted(job.id, attempt: job.attempt, handle: nil))) }
                if let handle = job.recorded.handle { records.append((now, .submitted(job.id, attempt: job.attempt, handle: handle))) }
                if let remark = job.remark { records.append((now, .remarked(job.id, remark))) }
                if let why = job.stopping { records.append((now, .stopping(job.id, why))) }
                for name in job.requests { records.append((now, .requested(job.id, name: name))) }
            case .new where job.attempt > 0:
                // It has begun and not finally ended, so it is still its task's current run.
                records.append((job.startedAt ?? now, .started(job.id, attempt: job.attempt)))
                if let remark = job.remark { records.append((now, .remarked(job.id, remark))) }
                records.append((job.endedAt ?? now, .ended(job.id, job.ending)))
            case .new, .done, .failed: break
            }
        }
        if hasAnnounced { records.append((now, .followed)) }
        for state in tasks.values {
            for schedule in state.schedules {
                for accounted in schedule.accountedMarks {
                    records.append(
                        (
                            now,
                            .scheduled(
                                task: state.name, schedule: schedule.id, accounted: accounted, origin: schedule.origin,
                                lastEnd: schedule.lastEnd)
                        ))
                }
                if let settled = schedule.settled {
                    records.append((now, .settled(task: state.name, schedule: schedule.id, settled)))
                }
                if let files = schedule.files, files.isWhole {
                    records += Self.seenRecords(Array(files.seen), of: schedule).map { (now, $0) }
                }
                if let asking = schedule.asking, asking.due != nil || asking.last != nil {
                    records.append(
                        (now, .answered(task: state.name, schedule: schedule.id, due: asking.due, last: asking.last)))
                }
            }
        }
        let endedTasks = Set(ended.compactMap(\.task))
        for state in tasks.values {
            guard let history = state.history else { continue }
            // A run that has not ended is among the jobs.
            let latest = history.latest.flatMap { latest in latest.end.map { LatestRun(latest.id, $0) } }
            if latest != nil || !history.marks.isEmpty {
                records.append((now, .ran(task: state.name, latest: latest, history.marks)))
            }
            // The ends above have counted the failures of their runs once more.
            if history.streak.failures > 0 || endedTasks.contains(state.name) {
                records.append((now, .failing(task: state.name, failures: history.streak.failures, toldAt: history.streak.toldAt)))
            }
            if let since = history.expectedSince {
                records.append((now, .expecting(task: state.name, since: since, isOverdue: history.isOverdue)))
            }
        }
        // The records above have counted once more.
        if tally != Tally() { records.append((now, .counted(tally))) }
        return records
    }

    /// The records that rebuild a job that has ended.
    private static func endRecords(of job: Job) -> [(at: Instant, record: Record)] {
        let endedAt = job.endedAt ?? job.changedAt
        if job.reason == .rejected, let file = job.file, job.accepted.source.bytes.isEmpty {
            let rejected = RejectedFile(
                id: job.id, name: job.name, file: file.name, inode: file.inode, due: job.due, error: job.error ?? "")
            return [(endedAt, .rejected(rejected))]
        }
        var records: [(at: Instant, record: Record)] = [(job.createdAt, .accepted(job.accepted))]
        if job.attempt > 0 { records.append((job.startedAt ?? endedAt, .started(job.id, attempt: job.attempt))) }
        if let remark = job.remark { records.append((endedAt, .remarked(job.id, remark))) }
        if let moved = job.moved { records.append((endedAt, .moved(job.id, moved))) }
        records.append((endedAt, .ended(job.id, job.ending)))
        return records
    }
}
