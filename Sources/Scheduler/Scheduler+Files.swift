// Schedules that wait for files (`on_path`): which files are new, and what each becomes.
//
// Invariants:
// - The fingerprints of all handled files are the state of a schedule, and only records change them. So a file at the schedule's
//   paths without such a fingerprint is new, even if no daemon was running for a long time.
// - A file is marked as handled by the same record that contains the result: the job that it became, or the reason why it became
//   none. So no crash can separate the two.
// - Files that existed already when a schedule, or a new pattern for it, was added are not new.

/// A file at a path of a schedule.
public struct ArrivedFile: Sendable, Hashable {
    /// The absolute path, in the form of `FileName`.
    public var path: String
    /// Computed from the path, the inode, the size and the time of the last change. A changed file has another fingerprint.
    public var fingerprint: UInt64
    /// The time of the file's arrival, as far as the file shows it.
    public var changedAt: Instant

    public init(path: String, fingerprint: UInt64, changedAt: Instant) {
        self.path = path
        self.fingerprint = fingerprint
        self.changedAt = changedAt
    }
}

/// The files found at the paths of a schedule.
public struct FileReport: Sendable {
    public var task: String
    public var schedule: String
    public var came: [ArrivedFile]
    /// The fingerprints of files that are gone or have changed.
    public var gone: [UInt64]
    /// The files arrived while no daemon was running.
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
    /// Incremented whenever one is added, changed or removed.
    var version = 0
    /// The schedules with files for a future run.
    var collecting: [ScheduleState] = []
}

/// The files of a schedule.
final class FileState {
    /// The fingerprints of the handled files. Recorded.
    private(set) var seen: Set<UInt64> = []
    /// All files that existed at first are in `seen`. Recorded.
    private(set) var isWhole = false
    /// With `paths = "all"`: the files that wait for the end of the previous run. They are not handled yet, so that they are
    /// found again after a crash.
    var collected: [UInt64: ArrivedFile] = [:]
    /// The time at which the schedule was added. Files that have changed since are new.
    var since: Instant?
    /// Its paths must be searched completely.
    var wantsListing = false

    // MARK: Applying a record

    func see(_ fingerprints: [UInt64], isAll: Bool = false) {
        seen.formUnion(fingerprints)
        if isAll { isWhole = true }
    }

    func forget(_ fingerprints: [UInt64]) { for fingerprint in fingerprints { seen.remove(fingerprint) } }
}

extension ScheduleState {
    public func hasSeen(_ fingerprint: UInt64) -> Bool { files?.seen.contains(fingerprint) ?? false }

    public var seenFiles: Set<UInt64> { files?.seen ?? [] }

    /// The time at which the schedule was added, if its paths were never searched.
    public var filesSince: Instant? { files?.since }

    /// Files that have existed at its paths since before it was added are not new.
    public var wantsFirstFiles: Bool { files.map { !$0.isWhole } ?? false }
}

extension Scheduler {
    /// The maximum number of fingerprints in one record.
    static let fingerprintsPerRecord = 500

    /// The schedules that wait for files now. `isNew` means that their paths must be searched completely.
    public func takeFileSchedules() -> [(schedule: ScheduleState, isNew: Bool)] {
        derived.fileWaits.schedules = derived.fileWaits.schedules.filter { isWaitingForFiles($0.value) }
        return derived.fileWaits.schedules.sorted { $0.key < $1.key }.map { _, schedule in
            defer { schedule.files?.wantsListing = false }
            return (schedule, schedule.files?.wantsListing ?? false)
        }
    }

    private func isWaitingForFiles(_ schedule: ScheduleState) -> Bool {
        guard let task = tasks[schedule.task], task.isDefined, task.schedule(schedule.id) === schedule,
            let definition = schedule.definition
        else { return false }
        return definition.onPath != nil && definition.enabled
    }

    /// Handles a schedule that has been read: its paths are searched again.
    func waitForFiles(_ schedule: ScheduleState, since: Instant) {
        let key = "\(schedule.task)/\(schedule.id)"
        guard schedule.definition?.onPath != nil, schedule.definition?.enabled == true else {
            if derived.fileWaits.schedules.removeValue(forKey: key) != nil { derived.fileWaits.version += 1 }
            return
        }
        let files = schedule.madeFiles()
        // `paths` may have changed between each and all. Files that are not handled are found again.
        files.collected = [:]
        files.wantsListing = true
        files.since = max(files.since ?? since, since)
        derived.fileWaits.schedules[key] = schedule
        derived.fileWaits.version += 1
    }

    // MARK: Found files

    /// Handles all files at the paths of a schedule when it is taken up.
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
            if !derived.fileWaits.collecting.contains(where: { $0 === schedule }) { derived.fileWaits.collecting.append(schedule) }
        }
    }

    /// The time of a file's arrival. A file with a time that is handled already (its directory was moved, or the clock was set)
    /// has arrived now, so that each arrival has an instant of its own.
    private func due(of file: ArrivedFile, _ schedule: ScheduleState, at now: Instant) -> Instant {
        file.changedAt > schedule.accounted && file.changedAt <= now ? file.changedAt : now
    }

    private func skip(_ file: ArrivedFile, of schedule: ScheduleState, _ due: Instant, _ reason: SkippedDue.Reason, at now: Instant) {
        var skipped = SkippedDue(task: schedule.task, schedule: schedule.id, from: due, through: due, count: 1, reason: reason)
        skipped.file = file
        commit(.skipped(skipped), at: now)
    }

    // MARK: Jobs

    /// With `paths = "all"`: makes a job of the collected files, once no run of the schedule waits or runs.
    func fireCollected(at now: Instant) {
        derived.fileWaits.collecting.removeAll { !isWaitingForFiles($0) || $0.files?.collected.isEmpty ?? true }
        for schedule in derived.fileWaits.collecting {
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

    /// Makes a job for these files, by the task's overlap rule. Without such a rule, jobs wait their turn.
    private func fire(_ files: [ArrivedFile], of schedule: ScheduleState, _ due: Instant, at now: Instant) {
        guard let state = tasks[schedule.task], let task = state.definition, let definition = schedule.definition,
            let onPath = definition.onPath
        else { return }
        func skipAll(_ reason: SkippedDue.Reason) { for file in files { skip(file, of: schedule, due, reason, at: now) } }
        switch task.saysOverlap ? task.overlap : .queue {
        case .skip where !state.active.isEmpty, .wait where state.active.hasNew: return skipAll(.overlap)
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
                // The suffix is longer than others: many files may arrive in one millisecond.
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
