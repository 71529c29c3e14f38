// Facts that only the tree shows, not the journal: after damage, or in a copy whose journal is older than its directories.
//
// Invariants:
// - If the tree shows that a job has progressed further than the journal says, the tree is right: an ended job has ended, and a
//   started job has started.
// - An end that is only discovered now does not owe follow-ups that exist already.

/// Reads from the tree what a replayed journal lacks.
public struct SpoolTruth<FS: FileSystem> {
    /// The jobs to take up although the journal does not know them.
    public enum Scope: Sendable {
        /// Only jobs in `running/` that the journal does not know. The journal decides about all others.
        case unknown
        /// Only jobs in `running/`: the journal is complete.
        case running
        /// Jobs in `running/`, jobs that wait as directories, and all ended jobs that were accepted since the instant from which
        /// the journal has gaps.
        case all(since: Instant)
    }

    public typealias Entry = (at: Instant, record: Record)

    private let fs: FS
    private let scheduler: Scheduler
    private let context: ReadingContext
    private var entries: [Entry] = []
    /// The jobs that these records take up, by id, each with the path that shows it.
    public private(set) var found: [(path: String, what: String)] = []
    /// Directories in `running/` that cannot become a job.
    public private(set) var unusable: [String] = []
    private var isEnded: Set<String> = []

    /// - Parameter scheduler: the state of the replayed journal, before its restoration is finished.
    public init(_ fs: FS, _ scheduler: Scheduler, _ context: ReadingContext) {
        self.fs = fs
        self.scheduler = scheduler
        self.context = context
    }

    /// The records that the journal needs to agree with the tree.
    public mutating func records(_ scope: Scope) throws(SystemError) -> [Entry] {
        var unknown: [(status: JobStatus, directory: String)] = []
        let states: [JobState] = if case .unknown = scope { [.running] } else { [.done, .failed, .running, .new] }
        for state in states {
            for entry in try fs.list(state.rawValue).sorted(by: { $0.name < $1.name }) where entry.kind == .directory {
                let directory = "\(state.rawValue)/\(entry.name)"
                guard let id = JobID(entry.name) else { continue }
                let job = scheduler.jobs[id]
                if case .unknown = scope {
                    if job != nil { continue }
                    if try hasRecord(id) { continue }
                }
                // Most ended jobs need no record.
                if state.isTerminal, case .running = scope, job?.state.isTerminal ?? true { continue }
                guard let status = try fs.jobStatus(in: directory), status.id == id.text, status.state == state else {
                    if state == .running, job == nil { unusable.append(directory) }
                    continue
                }
                if let job {
                    compare(job, status, directory)
                } else {
                    switch (scope, state) {
                    case (_, .running): unknown.append((status, directory))
                    case (.all, .new): unknown.append((status, directory))
                    case (.all(let since), .done), (.all(let since), .failed):
                        if status.createdAt >= since || status.parent.map(isEnded.contains) ?? false { unknown.append((status, directory)) }
                    case (.running, _), (.unknown, _): break
                    }
                }
            }
        }
        let ended = scheduler.jobs.values.filter { $0.state.isTerminal && $0.parent != nil }.map { ($0.createdAt, Late.known($0)) }
        let late = ended + unknown.map { ($0.status.createdAt, Late.unknown($0.status, $0.directory)) }
        // A follow-up of an end was accepted after that end.
        for (_, job) in late.sorted(by: { $0.0 < $1.0 }) {
            switch job {
            case .known(let job): repeatFollowUp(job)
            case .unknown(let status, let directory): try takeUp(status, directory)
            }
        }
        return entries
    }

    private func hasRecord(_ id: JobID) throws(SystemError) -> Bool {
        for state in [JobState.done, .failed] where try fs.hasJobFile(Layout.directory(of: id, state)) { return true }
        return false
    }

    /// A job that the journal knows, with its place in the tree.
    private mutating func compare(_ job: Job, _ status: JobStatus, _ directory: String) {
        guard !job.state.isTerminal else { return }
        if status.state.isTerminal {
            add(directory, "has ended, and the journal says it is \(job.state.rawValue)")
            end(status)
        } else if status.state == .running, status.attempt > job.attempt {
            add(directory, "has begun its try \(status.attempt), and the journal does not know it")
            entries.append((status.startedAt ?? status.changedAt, .started(job.id, attempt: status.attempt)))
        } else if status.state == .new, job.state == .running, status.attempt >= job.attempt, status.endedAt != nil {
            add(directory, "waits for another try, and the journal says it is running")
            end(status)
        }
    }

    private mutating func end(_ status: JobStatus) {
        guard let id = JobID(status.id) else { return }
        isEnded.insert(status.id)
        entries.append((status.endedAt ?? status.changedAt, .ended(id, Ending(status))))
    }

    /// A job that has ended according to the journal, or that the journal does not know.
    private enum Late {
        case known(Job)
        case unknown(JobStatus, String)
    }

    /// A follow-up that has ended according to the journal: an end that is recorded after it must not owe it again.
    private mutating func repeatFollowUp(_ job: Job) {
        guard let parent = job.parent, isEnded.contains(parent.text) else { return }
        isEnded.insert(job.id.text)
        entries.append((job.createdAt, .accepted(job.accepted)))
        entries.append((job.endedAt ?? job.changedAt, .ended(job.id, job.ending)))
    }

    /// A job that the journal does not know.
    private mutating func takeUp(_ status: JobStatus, _ directory: String) throws(SystemError) {
        guard let job = try accepted(status, directory) else {
            if status.state == .running { unusable.append(directory) }
            return
        }
        add(directory, "is of no job that the journal knows")
        entries.append((status.createdAt, .accepted(job)))
        if status.state == .running {
            entries.append((status.startedAt ?? status.changedAt, .started(job.id, attempt: max(1, status.attempt))))
        } else if status.state.isTerminal || status.attempt > 0 {
            end(status)
        }
    }

    private mutating func add(_ directory: String, _ what: String) { found.append((directory, what)) }

    /// A job as its directory describes it. Nil when its command cannot be read.
    private func accepted(_ status: JobStatus, _ directory: String) throws(SystemError) -> AcceptedJob? {
        guard let id = JobID(status.id), let source = try fs.source(in: directory) else { return nil }
        let spool = Spool(fs, host: "")
        do throws(Problems) {
            let (stored, definition, _) = try source.job(context) { name in
                // An unreadable task counts as missing: a job that names the task cannot be read then.
                guard let files = try? spool.taskFiles(named: name), !files.isEmpty else { return nil }
                return try? spool.tasksInForce([(name, files)], context).all.first?.definition  // see above
            }
            var job = AcceptedJob(
                id: id, name: status.name, task: status.task, schedule: status.schedule, due: status.due, createdAt: status.createdAt,
                notBefore: status.scheduledAt ?? status.due, source: stored, definition: definition, retryOf: status.retryOf,
                isDirectory: status.schedule == nil)
            job.parent = status.parent.flatMap { JobID($0) }
            job.overdueTask = status.overdueTask
            job.paths = status.paths
            job.earlierTries = status.earlierTries
            job.executor = status.executor == ExecutorKeys.local ? nil : status.executor
            return job
        } catch {
            return nil
        }
    }
}

extension Ending {
    /// The end of the last try, according to the job's `status.json`.
    public init(_ status: JobStatus) {
        self.init(attempt: status.attempt, state: status.state, reason: status.reason)
        error = status.error
        startedAt = status.startedAt
        exitCode = status.exitCode
        signal = status.signal
        usage = status.usage
        pid = status.pid
        notBefore = status.notBefore
    }
}

extension FileSystem {
    /// The `status.json` in a job's directory. Nil when there is no readable one.
    func jobStatus(in directory: String) throws(SystemError) -> JobStatus? {
        guard case .file(_, let bytes) = try take("\(directory)/\(Layout.statusFile)", limit: Source.bytesMax, ignoringWriters: true),
            // Not readable as JSON, so it contains no information.
            let table = JSON.readableTable(bytes, limits: .status)
        else { return nil }
        return JobStatus(json: table)
    }

    /// The job's file in a directory. Nil when there is none.
    func source(in directory: String) throws(SystemError) -> Source? {
        for name in Source.fileNames {
            guard case .file(_, let bytes) = try take("\(directory)/\(name)", limit: Source.bytesMax, ignoringWriters: true) else {
                continue
            }
            return Source.format(ofFile: name, firstBytes: bytes, isExecutable: true).map { Source(format: $0, bytes: bytes) }
        }
        return nil
    }
}
