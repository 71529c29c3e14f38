// What keeps a waiting job from starting, from what can be read without the daemon.

/// One thing that holds a job back.
public struct Hold: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// No daemon serves the spool.
        case daemon
        /// Its file cannot be used, or is still being written.
        case file
        /// Jobs that it comes after have not ended.
        case after
        /// Its start is to come.
        case start
        /// It waits between two tries.
        case retry
        case pause
        /// Another run of its task has begun and not ended.
        case overlap
        /// A job that runs holds one of its locks.
        case lock
        /// All slots of its queue are taken.
        case queue
        /// All slots are taken.
        case slots
        /// The machine is loaded, or its disk full.
        case gate
    }

    public var kind: Kind
    /// Until when, or, of the daemon, since when.
    public var instant: Instant?
    /// The jobs in its way.
    public var jobs: [String] = []
    public var scope: PauseScope?
    /// A pause's note, what is wrong with the file, the lock, why the gate is closed, or who else has slots.
    public var note: String?
    /// How many slots there are.
    public var slots: Int?

    public init(_ kind: Kind, instant: Instant? = nil) {
        self.kind = kind
        self.instant = instant
    }
}

/// The spool around a waiting job.
public struct WaitingSurroundings: Sendable {
    /// Nil: a daemon serves the spool. Else when the last one was seen; of a spool that never had one, the beginning of time.
    public var daemonGoneSince: Instant?
    public var pauses: [(scope: PauseScope, note: String)] = []
    /// The jobs in running/.
    public var running: [JobStatus] = []
    /// Other runs of its task that wait between two tries.
    public var betweenTries: [String] = []
    /// Jobs that it comes after and that have not ended.
    public var waitsFor: [String] = []
    /// Those of its locks that a running job holds.
    public var heldLocks: [(lock: String, job: String)] = []
    /// Why the daemon starts nothing, as it last said.
    public var held: String?
    public var slots = Configuration().slots
    /// How many of these may be used here while other users' jobs have the rest; nil: all.
    public var granted: Int?
    /// How many one user's jobs may have, where this is one user's part.
    public var userSlots: Int?
    public var queueSlots: [String: Int] = [:]

    public init() {}

    /// What holds a job now; the daemon looks at these in the same order. None: it is about to start.
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
        if let slots = queueSlots[job.queue] {
            var hold = Hold(.queue)
            hold.jobs = others.filter { $0.queue == job.queue }.map(\.id)
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
        if others.count >= min(slots, granted ?? slots) {
            var hold = Hold(.slots)
            hold.jobs = others.map(\.id)
            hold.slots = slots
            if let userSlots, others.count >= userSlots {
                hold.slots = userSlots
            } else if others.count < slots {
                hold.note = "jobs of other users"
            }
            holds.append(hold)
        }
        // The last thing that is looked at, when all else allows a start.
        if holds.isEmpty, let held {
            var hold = Hold(.gate)
            hold.note = held
            holds.append(hold)
        }
        return holds
    }
}

extension WaitingSurroundings {
    /// Takes what the daemon that serves the spool has published.
    public mutating func take(published table: Table) {
        granted = table.whole("granted").map { Int(clamping: $0) }
        userSlots = table.whole("user_slots").map { Int(clamping: $0) }
        held = table.text("held")
        guard held == nil, case .array(let troubles)? = table["troubles"]?.kind else { return }
        // Of these nothing is started.
        for case .table(let one) in troubles.map(\.kind) where ["disk", "descriptors", "processes", "spool"].contains(one.text("of")) {
            held = "\(one.text("error") ?? ""); \(one.text("effect") ?? "")"
        }
    }
}

extension JobRecords {
    /// The jobs that a waiting one comes after and that have not ended; as the journal's newest segment has it.
    public mutating func waitsFor(of id: String) throws(JournalError) -> [String] {
        try open(dependencies(of: [id])[id] ?? [])
    }

    /// The jobs that waiting ones come after, whatever has become of those; of jobs that the journal's newest segment has accepted.
    /// `names`: their ids, or the names of their files in `new/`.
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

    /// Whether a task has had a run, as the journal's newest segment has it; or has one in new/ that nobody has taken up yet.
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

    /// Those of these jobs that have not ended.
    public mutating func open(_ ids: [String]) throws(JournalError) -> [String] {
        var open: [String] = []
        for id in ids {
            if let place = try place(of: id), !place.state.isTerminal { open.append(id) }
        }
        return open
    }

    /// What the job that stands at a place says it is; nil when that cannot be read.
    public func definition(at place: JobPlace) throws(SystemError) -> JobDefinition? {
        let files = place.isFile ? [place.path] : Source.fileNames.map { "\(place.path)/\($0)" }
        for path in files {
            guard case .file(let status, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { continue }
            let isExecutable = !place.isFile || status.mode & 0o111 != 0
            guard let format = Source.format(ofFile: path, firstBytes: bytes, isExecutable: isExecutable) else { continue }
            // Not readable: who asks says what is wrong from the job's status.
            return try? read(Source(format: format, bytes: bytes).table(), isScript: format == .script, context)
        }
        return nil
    }
}
