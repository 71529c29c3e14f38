// The reasons why a waiting job does not start, as far as they can be read without the daemon.

/// One reason why a job does not start.
public struct Hold: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// No daemon serves the spool.
        case daemon
        /// Its file cannot be used, or is still being written.
        case file
        /// Jobs that must end first have not ended.
        case after
        /// The time of its start has not come.
        case start
        /// It waits between two tries.
        case retry
        case pause
        /// Another run of its task has begun and not ended.
        case overlap
        /// A running job holds one of its locks.
        case lock
        /// All slots of its queue are taken.
        case queue
        /// All slots are taken.
        case slots
        /// Its executor has as many jobs as it may have.
        case executor
        /// The machine's load is too high, or its disk is full.
        case gate
    }

    public var kind: Kind
    /// The end of the hold or, when there is no daemon, its beginning.
    public var instant: Instant?
    /// The jobs that hold it back.
    public var jobs: [String] = []
    public var scope: PauseScope?
    /// A pause's note, the fault of the file, the lock, the reason why nothing starts, or the other users of the slots.
    public var note: String?
    /// The number of slots.
    public var slots: Int?

    public init(_ kind: Kind, instant: Instant? = nil) {
        self.kind = kind
        self.instant = instant
    }
}

/// The state of the spool that can hold a waiting job.
public struct WaitingSurroundings: Sendable {
    /// Nil while a daemon serves the spool. Otherwise the time when the last one was seen, or the beginning of time when there
    /// was none.
    public var daemonGoneSince: Instant?
    public var pauses: [(scope: PauseScope, note: String)] = []
    /// The jobs in running/.
    public var running: [JobStatus] = []
    /// Other runs of its task that wait between two tries.
    public var betweenTries: [String] = []
    /// The jobs that must end first and have not.
    public var waitsFor: [String] = []
    /// The job's locks that a running job holds.
    public var heldLocks: [(lock: String, job: String)] = []
    /// The reason why the daemon starts nothing, as last published.
    public var held: String?
    public var slots = Configuration().slots
    /// The number of these slots that can be used here while other users' jobs have the rest. Nil means all.
    public var granted: Int?
    /// The number of slots that one user's jobs may have, in a user's part.
    public var userSlots: Int?
    public var queueSlots: [String: Int] = [:]
    /// The executors of queues, and the slots of those that do not have the usual number.
    public var queueExecutors: [String: String] = [:]
    public var executorSlots: [String: Int] = [:]

    public init() {}

    /// The reasons that hold a job now, in the order in which the daemon checks them. Empty when the job is about to start.
    public func holds(on job: JobStatus, overlap: Overlap, now: Instant) -> [Hold] {
        var holds: [Hold] = []
        if let daemonGoneSince { holds.append(Hold(.daemon, instant: daemonGoneSince)) }
        if !waitsFor.isEmpty {
            var hold = Hold(.after)
            hold.jobs = waitsFor
            holds.append(hold)
        }
        if let start = job.notBefore, start > now { holds.append(Hold(job.attempt > 0 ? .retry : .start, instant: start)) }
        for pause in pauses {
            switch pause.scope {
            case .all: break
            case .queue(let name): if name != job.queue { continue }
            case .task(let name): if name != job.task { continue }
            }
            var hold = Hold(.pause)
            hold.scope = pause.scope
            hold.note = pause.note
            holds.append(hold)
        }
        let others = running.filter { $0.id != job.id }
        let inQueues = others.filter { !$0.needsNoSlot }
        let inSlots = inQueues.filter { !$0.isElsewhere }
        if let slots = queueSlots[job.queue], !job.needsNoSlot {
            var hold = Hold(.queue)
            hold.jobs = inQueues.filter { $0.queue == job.queue }.map(\.id)
            hold.slots = slots
            if hold.jobs.count >= slots { holds.append(hold) }
        }
        if overlap != .allow, let task = job.task {
            var hold = Hold(.overlap)
            hold.jobs = others.filter { $0.task == task }.map(\.id) + betweenTries
            if !hold.jobs.isEmpty, job.attempt == 0 { holds.append(hold) }
        }
        for (lock, holder) in heldLocks {
            var hold = Hold(.lock)
            hold.note = lock
            hold.jobs = [holder]
            holds.append(hold)
        }
        let executor = job.needsNoSlot ? nil : job.executor ?? queueExecutors[job.queue]
        if let executor, executor != ExecutorKeys.local {
            var hold = Hold(.executor)
            hold.jobs = others.filter { $0.executor == executor }.map(\.id)
            hold.slots = executorSlots[executor] ?? ExecutorSettings().slots
            hold.note = executor
            if hold.jobs.count >= hold.slots ?? 0 { holds.append(hold) }
        } else if inSlots.count >= min(slots, granted ?? slots), !job.needsNoSlot {
            var hold = Hold(.slots)
            hold.jobs = inSlots.map(\.id)
            hold.slots = slots
            if let userSlots, inSlots.count >= userSlots {
                hold.slots = userSlots
            } else if inSlots.count < slots {
                hold.note = "jobs of other users"
            }
            holds.append(hold)
        }
        // This is checked last, when nothing else prevents a start.
        if holds.isEmpty, let held {
            var hold = Hold(.gate)
            hold.note = held
            holds.append(hold)
        }
        return holds
    }
}

extension WaitingSurroundings {
    /// Uses the slots and executors of a configuration.
    public mutating func take(_ configuration: Configuration) {
        slots = configuration.slots
        queueSlots = configuration.queueSlots
        queueExecutors = configuration.queueExecutors
        executorSlots = configuration.executors.mapValues(\.slots)
    }

    /// Uses the status that the serving daemon has published.
    public mutating func take(published table: Table) {
        granted = table.whole("granted").map { Int(clamping: $0) }
        userSlots = table.whole("user_slots").map { Int(clamping: $0) }
        held = table.text("held")
        guard held == nil, case .array(let troubles)? = table["troubles"]?.kind else { return }
        // The daemon starts no job while it has one of these troubles.
        for case .table(let one) in troubles.map(\.kind) where ["disk", "descriptors", "processes", "spool"].contains(one.text("of")) {
            held = "\(one.text("error") ?? ""); \(one.text("effect") ?? "")"
        }
    }
}

extension JobRecords {
    /// The jobs that must end before a waiting one and have not, according to the journal's newest segment.
    public mutating func waitsFor(of id: String) throws(JournalError) -> [String] {
        try open(dependencies(of: [id])[id] ?? [])
    }

    /// The jobs that waiting jobs wait for, whether they have ended or not, for jobs that the journal's newest segment has
    /// accepted. `names` are their ids, or the names of their files in `new/`.
    public func dependencies(of names: Set<String>) throws(JournalError) -> [String: [String]] {
        let newest: String?
        do throws(SystemError) { newest = try Journal<FS>.segments(fs).last } catch { throw .system(error) }
        guard let newest else { return [:] }
        var all: [String: [String]] = [:]
        var retries = Retries()
        try Journal<FS>.read(fs, segment: newest) { line in
            guard line.kind == "accepted" || line.kind == "retried" else { return }
            if let retry = line["id"].flatMap({ JobID($0) }), let original = line["retry_of"].flatMap({ JobID($0) }) {
                retries.add(retry, of: original)
                let family = Set(retries.family(of: retry).map(\.text))
                all = all.mapValues { ids in ids.map { family.contains($0) ? retry.text : $0 } }
            }
            guard line.kind == "accepted" else { return }
            for name in [line["id"], line.bytes("file").map { FileName.string(from: $0) }] {
                guard let name, names.contains(name) else { continue }
                all[name] = line["waits_for"]?.split(separator: ",").map(String.init) ?? []
            }
        }
        return all
    }

    /// True when a task has had a run according to the journal's newest segment, or has one in new/ that is not taken up yet.
    public mutating func hasRun(_ task: String) throws(JournalError) -> Bool {
        let newest: String?
        do throws(SystemError) { newest = try Journal<FS>.segments(fs).last } catch { throw .system(error) }
        var isFound = false
        if let newest {
            try Journal<FS>.read(fs, segment: newest) { line in
                if ["accepted", "ran"].contains(line.kind), line["task"] == task { isFound = true }
            }
        }
        if isFound { return true }
        for place in try places(in: [.new]) where try record(at: place)?.status.task == task { return true }
        return false
    }

    /// The jobs of these that have not ended.
    public mutating func open(_ ids: [String]) throws(JournalError) -> [String] {
        var open: [String] = []
        for id in ids {
            if let place = try place(of: id), !place.state.isTerminal { open.append(id) }
        }
        return open
    }

    /// The definition of the job at a place. Nil when it cannot be read.
    public func definition(at place: JobPlace) throws(SystemError) -> JobDefinition? {
        try source(at: place).flatMap { try? read($0, context).definition }  // not readable: the job's status shows the fault
    }

    /// The file of the job at a place, as it was dropped. Nil when it cannot be read.
    public func source(at place: JobPlace) throws(SystemError) -> Source? {
        let files = place.isFile ? [place.path] : Source.fileNames.map { "\(place.path)/\($0)" }
        for path in files {
            guard case .file(let status, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { continue }
            let isExecutable = !place.isFile || status.mode & 0o111 != 0
            guard let format = Source.format(ofFile: path, firstBytes: bytes, isExecutable: isExecutable) else { continue }
            return Source(format: format, bytes: bytes)
        }
        return nil
    }
}
