// Schedules that wait for files (`on_path`): which files have come, and what becomes of each.
//
// What holds:
// - The fingerprints of all files that were dealt with are a schedule's state, and only records change them. So what stands at
//   its paths and is not among them has come, however long nobody looked.
// - A file is dealt with by the same record that says how: the job that it became, or why it became none. No crash falls
//   between the two.
// - What stood there already when a schedule, or another pattern for it, was given has not come.

/// A file that stands at a path of a schedule.
public struct ArrivedFile: Sendable, Hashable {
    /// Absolute, as `FileName` has it.
    public var path: String
    /// Follows from path, inode, size and time of last change: another one, when the file became another.
    public var fingerprint: UInt64
    /// When it came, as far as the file tells.
    public var changedAt: Instant

    public init(path: String, fingerprint: UInt64, changedAt: Instant) {
        self.path = path
        self.fingerprint = fingerprint
        self.changedAt = changedAt
    }
}

/// What was found at the paths of a schedule.
public struct FileReport: Sendable {
    public var task: String
    public var schedule: String
    public var came: [ArrivedFile]
    /// Fingerprints of files that are there no more, or are others now.
    public var gone: [UInt64]
    /// They came while no daemon looked.
    public var isMissed: Bool

    public init(task: String, schedule: String, came: [ArrivedFile] = [], gone: [UInt64] = [], isMissed: Bool = false) {
        self.task = task
        self.schedule = schedule
        self.came = came
        self.gone = gone
        self.isMissed = isMissed
    }
}

/// The schedules that wait for files.
struct FileWaits {
    /// By `TASK/ID`.
    var schedules: [String: ScheduleState] = [:]
    /// Counted up whenever one has come, changed or gone.
    var version = 0
    /// Those that have files for a run to come.
    var collecting: [ScheduleState] = []
}

/// The files of a schedule.
final class FileState {
    /// Of those that were dealt with.
    var seen: Set<UInt64> = []
    /// All that stood there at first are in `seen`.
    var isWhole = false
    /// With `paths = "all"`: those that wait for the run before to end. Not dealt with, so that a crash finds them again.
    var collected: [UInt64: ArrivedFile] = [:]
    /// When it was given: what has changed after that has come.
    var since: Instant?
    /// Its paths are to be looked at as a whole.
    var wantsListing = false
}

extension ScheduleState {
    public func hasSeen(_ fingerprint: UInt64) -> Bool { files?.seen.contains(fingerprint) ?? false }

    public var seenFiles: Set<UInt64> { files?.seen ?? [] }

    /// When it was given, of one that was never looked at.
    public var filesSince: Instant? { files?.since }

    /// What stands at its paths since before it was given has not come.
    public var wantsFirstFiles: Bool { files.map { !$0.isWhole } ?? false }
}

extension Scheduler {
    /// How many fingerprints one record holds at most.
    static let fingerprintsPerRecord = 500

    /// The schedules that wait for files now. `isNew`: its paths are to be looked at as a whole.
    public func takeFileSchedules() -> [(schedule: ScheduleState, isNew: Bool)] {
        fileWaits.schedules = fileWaits.schedules.filter { isWaitingForFiles($0.value) }
        return fileWaits.schedules.sorted { $0.key < $1.key }.map { _, schedule in
            defer { schedule.files?.wantsListing = false }
            return (schedule, schedule.files?.wantsListing ?? false)
        }
    }

    private func isWaitingForFiles(_ schedule: ScheduleState) -> Bool {
        guard let task = tasks[schedule.task], task.definition != nil, task.schedule(schedule.id) === schedule,
            let definition = schedule.definition
        else { return false }
        return definition.onPath != nil && definition.enabled
    }

    /// A schedule has been read: its paths are looked at anew.
    func waitForFiles(_ schedule: ScheduleState, since: Instant) {
        let key = "\(schedule.task)/\(schedule.id)"
        guard schedule.definition?.onPath != nil, schedule.definition?.enabled == true else {
            if fileWaits.schedules.removeValue(forKey: key) != nil { fileWaits.version += 1 }
            return
        }
        let files = schedule.files ?? FileState()
        schedule.files = files
        // Whether it is each or all may be another; what is not dealt with is found again.
        files.collected = [:]
        files.wantsListing = true
        files.since = max(files.since ?? since, since)
        fileWaits.schedules[key] = schedule
        fileWaits.version += 1
    }

    // MARK: What was found

    /// All that stands at the paths of a schedule when it is taken up.
    func takeFirstFiles(_ fingerprints: [UInt64], of schedule: String, _ task: String, at now: Instant) {
        guard let state = tasks[task]?.schedule(schedule), state.wantsFirstFiles else { return }
        for record in Self.seenRecords(fingerprints, of: state) { commit(record, at: now) }
    }

    static func seenRecords(_ fingerprints: some Collection<UInt64>, of schedule: ScheduleState) -> [Record] {
        var rest = fingerprints[...]
        var records: [Record] = []
        repeat {
            let some = Array(rest.prefix(fingerprintsPerRecord))
            rest = rest.dropFirst(some.count)
            records.append(.filesSeen(task: schedule.task, schedule: schedule.id, some, isAll: rest.isEmpty))
        } while !rest.isEmpty
        return records
    }

    func take(_ report: FileReport, at now: Instant) {
        guard let schedule = tasks[report.task]?.schedule(report.schedule), isWaitingForFiles(schedule), let files = schedule.files,
            files.isWhole
        else { return }
        for fingerprint in report.gone { files.collected[fingerprint] = nil }
        var gone = report.gone.filter { files.seen.contains($0) }[...]
        while !gone.isEmpty {
            let some = Array(gone.prefix(Self.fingerprintsPerRecord))
            gone = gone.dropFirst(some.count)
            commit(.filesGone(task: report.task, schedule: report.schedule, some), at: now)
        }
        for file in report.came.sorted(by: Self.isEarlier)
        where !files.seen.contains(file.fingerprint) && files.collected[file.fingerprint] == nil {
            take(file, of: schedule, isMissed: report.isMissed, at: now)
        }
    }

    private static func isEarlier(_ a: ArrivedFile, _ b: ArrivedFile) -> Bool {
        a.changedAt == b.changedAt ? a.path.utf8.lexicographicallyPrecedes(b.path.utf8) : a.changedAt < b.changedAt
    }

    private func take(_ file: ArrivedFile, of schedule: ScheduleState, isMissed: Bool, at now: Instant) {
        guard let definition = schedule.definition, let onPath = definition.onPath else { return }
        let due = due(of: file, schedule, at: now)
        if definition.notBefore.map({ due < $0 }) ?? false || definition.notAfter.map({ due > $0 }) ?? false {
            commit(.filesSeen(task: schedule.task, schedule: schedule.id, [file.fingerprint], isAll: true), at: now)
        } else if pauses[.task(schedule.task)] != nil {
            skip(file, of: schedule, due, .paused, at: now)
        } else if isMissed, definition.catchUp == .none {
            skip(file, of: schedule, due, .missed, at: now)
        } else if onPath.paths == .each {
            fire([file], of: schedule, due, at: now)
        } else {
            schedule.files?.collected[file.fingerprint] = file
            if !fileWaits.collecting.contains(where: { $0 === schedule }) { fileWaits.collecting.append(schedule) }
        }
    }

    /// When a file came. What comes with a time that is dealt with already (its directory was moved, the clock was set) has come
    /// now, so that each coming has an instant of its own.
    private func due(of file: ArrivedFile, _ schedule: ScheduleState, at now: Instant) -> Instant {
        file.changedAt > schedule.accounted && file.changedAt <= now ? file.changedAt : now
    }

    private func skip(_ file: ArrivedFile, of schedule: ScheduleState, _ due: Instant, _ reason: SkippedDue.Reason, at now: Instant) {
        var skipped = SkippedDue(task: schedule.task, schedule: schedule.id, from: due, through: due, count: 1, reason: reason)
        skipped.file = file
        commit(.skipped(skipped), at: now)
    }

    // MARK: Jobs

    /// With `paths = "all"`: what has been collected, once no run of the schedule waits or runs.
    func fireCollected(at now: Instant) {
        fileWaits.collecting.removeAll { !isWaitingForFiles($0) || $0.files?.collected.isEmpty ?? true }
        for schedule in fileWaits.collecting {
            while let files = schedule.files, !files.collected.isEmpty, let task = tasks[schedule.task], !task.hasRun(of: schedule) {
                var some: [ArrivedFile] = []
                var bytes = 0
                for file in files.collected.values.sorted(by: Self.isEarlier) {
                    bytes += file.path.utf8.count + 1
                    if some.count == OnPath.filesMax || bytes > OnPath.bytesMax, !some.isEmpty { break }
                    some.append(file)
                }
                for file in some { files.collected[file.fingerprint] = nil }
                fire(some, of: schedule, due(of: some[some.count - 1], schedule, at: now), at: now)
            }
        }
    }

    /// A job for these files, by the task's overlap rule. Where it says none they wait their turn.
    private func fire(_ files: [ArrivedFile], of schedule: ScheduleState, _ due: Instant, at now: Instant) {
        guard let state = tasks[schedule.task], let task = state.definition, let definition = schedule.definition,
            let onPath = definition.onPath
        else { return }
        func skipAll(_ reason: SkippedDue.Reason) { for file in files { skip(file, of: schedule, due, reason, at: now) } }
        switch task.saysOverlap ? task.overlap : .queue {
        case .skip where !state.active.isEmpty, .wait where state.active.contains(where: { $0.attempt == 0 }): return skipAll(.overlap)
        case .replace, .wait, .queue, .skip, .allow: break
        }
        let paths = files.map(\.path)
        var payload = definition.payload
        if payload == nil, onPath.paths == .all { payload = Self.json(paths) }
        let what = files.map { String($0.fingerprint, radix: 16) }.joined(separator: " ")
        let unique = stableHash("\(task.name)\u{0}\(schedule.id)\u{0}\(due.milliseconds)\u{0}\(what)")
        do throws(Problems) {
            let (source, job) = try task.job(payload: payload, context(due))
            var accepted = AcceptedJob(
                // Longer than others: many files may come in one millisecond.
                id: JobID(instant: due, name: task.name, suffix: Base32.encode(unique, characters: 12)), name: task.name, task: task.name,
                schedule: schedule.id, due: due, createdAt: now, notBefore: max(job.start ?? due, due), source: source, definition: job)
            accepted.paths = paths
            accepted.fingerprints = files.map(\.fingerprint)
            accept(accepted, OnRecord(), at: now)
        } catch {
            skipAll(.unusable)
        }
    }

    private static func json(_ paths: [String]) -> [UInt8] {
        var writer = JSONWriter(reserving: 64 * paths.count)
        writer.beginArray()
        for path in paths { writer.string(path) }
        writer.endArray()
        return writer.bytes
    }
}
