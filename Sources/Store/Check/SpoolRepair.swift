// Repairs the faults that `SpoolCheck` finds.
//
// Contract:
// - The caller holds the spool's lock.
// - Only two things are deleted: files that the programs themselves left unfinished, and keys that nobody holds. A file without a
//   place is moved to `state/lost+found/`, and a damaged journal segment is kept beside the new one.
// - An interrupted repair can be repeated, and ends in the same spool.

import Glibc

public final class SpoolRepair {
    private let fs: DiskFileSystem
    private let spool: Spool<DiskFileSystem>
    private let context: ReadingContext
    private let isHeld: (String) -> Bool
    private let spoolID: String
    private var refused: Set<String> = []

    /// A fault and its repair. A nil repair means that the fault remains.
    public typealias Mended = (finding: Finding, done: String?)

    public init(_ fs: DiskFileSystem, host: String, _ context: ReadingContext, isHeld: @escaping (String) -> Bool) throws(SystemError) {
        self.fs = fs
        spool = Spool(fs, host: host)
        self.context = context
        self.isHeld = isHeld
        spoolID = try SpoolIdentity.read(fs)?.id ?? "unknown"
    }

    /// Checks and repairs until no repairable fault is found.
    public func mend() throws(SystemError) -> [Mended] {
        var mended: [Mended] = []
        // A fault can hide faults of other kinds, so check again after each repair. A fault that returns after each repair is
        // left.
        var passes = 0
        while true {
            let found = try SpoolCheck.check(fs, isServed: false, context, isHeld: isHeld).filter { !isRefused($0) }
            guard passes < 16, let stage = found.compactMap({ $0.remedy.stage }).min() else {
                return mended + found.map { ($0, nil) }
            }
            passes += 1
            mended += try mend(found.filter { $0.remedy.stage == stage })
        }
    }

    private func isRefused(_ finding: Finding) -> Bool { refused.contains("\(finding.path)\u{0}\(finding.what)") }

    private func mend(_ findings: [Finding]) throws(SystemError) -> [Mended] {
        var mended: [Mended] = []
        // Some repairs are reported for many paths but done once.
        var doneOnce: [String: String] = [:]
        // A path that was moved away may have been reported several times, itself or paths below it.
        var gone: [(path: String, done: String)] = []
        for finding in findings {
            if let one = gone.first(where: { finding.path == $0.path || finding.path.hasPrefix("\($0.path)/") }) {
                mended.append((finding, one.done))
                continue
            }
            do throws(SystemError) {
                switch finding.remedy {
                case .rewriteSegment:
                    if doneOnce[finding.path] == nil { doneOnce[finding.path] = "kept as \(try rewrite(finding.path)), and written anew" }
                    mended.append((finding, doneOnce[finding.path]))
                case .takeUp:
                    if doneOnce[""] == nil { doneOnce[""] = try takeUp() }
                    mended.append((finding, doneOnce[""]))
                default:
                    let done = try mend(finding)
                    if finding.remedy.takesAway { gone.append((finding.path, done)) }
                    mended.append((finding, done))
                }
            } catch {
                // A fault that cannot be repaired must not prevent the other repairs.
                refused.insert("\(finding.path)\u{0}\(finding.what)")
                var finding = finding
                finding.remedy = .none("\(error)")
                mended.append((finding, nil))
            }
        }
        try fs.syncAll()
        return mended
    }

    private func mend(_ finding: Finding) throws(SystemError) -> String {
        let path = finding.path
        switch finding.remedy {
        case .makeDirectory:
            try fs.makeDirectory(path)
            return "made"
        case .writeFormat:
            let kept = try fs.status(path).map { _ throws(SystemError) in try fs.setAside(path) }
            try fs.replace(path, Array(Layout.formatText.utf8))
            return kept.map { "kept as \($0), and written anew" } ?? "written"
        case .setAside: return "moved to \(try fs.setAside(path))"
        case .remove:
            try fs.removeTree(path)
            return "removed"
        case .cutTail(let size):
            let whole: SegmentReader<DiskFileSystem>
            do throws(JournalError) {
                whole = try Journal.read(fs, segment: String(path.dropFirst(Layout.journal.utf8.count + 1)), keepsText: true) { _ in }
            } catch {
                throw error.asSystemError
            }
            _ = try fs.placeDurably(whole.text, at: path)
            return "cut off at byte \(size)"
        case .place(let id): return try place(id)
        case .rewriteStatus: return try rewriteStatus(path)
        case .setMode(let mode):
            try fs.setMode(path, mode)
            return "mode \(String(mode, radix: 8))"
        case .setOwner(let owner, let group):
            try fs.setOwner(path, FileOwner(user: owner, group: group))
            return "given to user \(owner)"
        case .rewriteSegment, .takeUp, .none: preconditionFailure("these are done elsewhere, or not at all")
        }
    }

    // MARK: The journal

    private func rewrite(_ path: String) throws(SystemError) -> String {
        let segments = try Journal.segments(fs)
        guard let index = segments.firstIndex(where: { path == "\(Layout.journal)/\($0)" }) else {
            throw SystemError(call: "read", path: path, errno: ENOENT)
        }
        return try spool.mendJournal(
            segments[index], isNewest: index == segments.count - 1, before: index > 0 ? segments[index - 1] : nil, spoolID: spoolID,
            context)
    }

    /// The present state according to the journal.
    private func replay() throws(SystemError) -> Scheduler {
        guard let newest = try Journal.segments(fs).last else { return Scheduler(zones: context.zones) }
        return Spool.replay(fs, try Journal.salvage(fs, segment: newest), before: nil, context)
    }

    private func takeUp() throws(SystemError) -> String {
        let scheduler = try replay()
        var truth = SpoolTruth(fs, scheduler, context)
        let journal = Journal(fs)
        var last = context.now
        let isThere: Bool
        do throws(JournalError) {
            isThere = try journal.open { last = $0.at } != nil
        } catch {
            throw error.asSystemError
        }
        if !isThere { try journal.rotate(snapshot: [], spool: spoolID, at: context.now) }
        for entry in try truth.records(.running) { journal.add(entry.record, at: entry.at) }
        journal.add(.repaired(since: min(last, context.now)), at: context.now)
        try journal.commit()
        return "written into the journal"
    }

    // MARK: Jobs

    private func place(_ id: JobID) throws(SystemError) -> String {
        let scheduler = try replay()
        // `jobs`, and not the places of the restored turn, which leave out jobs that wait as dropped files.
        guard let job = scheduler.jobs[id] else { throw SystemError(call: "place", path: id.text, errno: ENOENT) }
        let recovery = try spool.recover([job], isSameBoot: false)
        return recovery.mended.isEmpty ? "nothing to do any more" : recovery.mended.joined(separator: "; ")
    }

    /// A status from the journal. If the journal does not know the job, a status from its directory.
    private func rewriteStatus(_ path: String) throws(SystemError) -> String {
        let directory = String(path.dropLast(Layout.statusFile.utf8.count + 1))
        let parts = directory.split(separator: "/")
        guard parts.count == 2, let state = JobState(rawValue: String(parts[0])), let id = JobID(parts[1]) else {
            throw SystemError(call: "read", path: path, errno: EINVAL)
        }
        var bytes = try journaled(id, state).map { job throws(SystemError) in try spool.status(of: job, in: directory) }
        if bytes == nil { bytes = try guessed(id, state, directory).json() }
        let kept = try fs.status(path).map { _ throws(SystemError) in try fs.setAside(path) }
        try fs.replace(path, bytes ?? [])
        return kept.map { "kept as \($0), and written anew" } ?? "written"
    }

    private func journaled(_ id: JobID, _ state: JobState) throws(SystemError) -> Job? {
        let scheduler = try replay()
        if let job = scheduler.jobs[id], job.state == state { return job }
        var reader = RecordsOfJob(id, context)
        _ = try Journal.scan(fs, since: Instant(milliseconds: 0), into: &reader)
        return reader.scheduler.jobs[id].flatMap { $0.state == state ? $0 : nil }
    }

    private func guessed(_ id: JobID, _ state: JobState, _ directory: String) throws(SystemError) -> JobStatus {
        let changed = try fs.status(directory).map { Instant(milliseconds: $0.modifiedNanoseconds / 1_000_000) } ?? context.now
        let known = try fs.jobStatus(in: directory)
        let due = id.instant ?? changed
        var status = known ?? JobStatus(id: id.text, name: id.name, due: due, createdAt: due, host: spool.host)
        status.id = id.text
        if known == nil { status.error = "its status.json was damaged, and the journal no longer tells of it" }
        if status.state != state, state == .failed, status.reason == nil { status.reason = .lost }
        status.state = state
        if state.isTerminal, status.endedAt == nil { status.endedAt = changed }
        return status
    }
}

/// Replays the records of one job.
private struct RecordsOfJob: JournalReader {
    let scheduler: Scheduler
    private let id: [UInt8]
    private let context: ReadingContext

    init(_ id: JobID, _ context: ReadingContext) {
        self.id = Array(id.text.utf8)
        self.context = context
        scheduler = Scheduler(zones: context.zones)
    }

    func wants(_ line: JournalGlance) -> Bool { line.id?.utf8.elementsEqual(id) ?? false }

    mutating func take(_ fields: JournalFields) {
        if let record = fields.record(context) { scheduler.restore(record, at: fields.at) }
    }
}

extension Finding.Remedy {
    /// Afterwards nothing exists at the path.
    fileprivate var takesAway: Bool {
        switch self {
        case .setAside, .remove: true
        default: false
        }
    }

    /// The order of the repairs. Nil means that the fault cannot be repaired.
    fileprivate var stage: Int? {
        switch self {
        case .makeDirectory: 0
        case .writeFormat, .setMode, .setOwner: 1
        case .cutTail, .rewriteSegment: 2
        case .takeUp: 3
        case .setAside: 4
        case .place: 5
        case .rewriteStatus, .remove: 6
        case .none: nil
        }
    }
}

extension JournalError {
    fileprivate var asSystemError: SystemError {
        switch self {
        case .system(let error): error
        case .damage(let damage): SystemError(call: "\(damage)", path: nil, errno: EILSEQ)
        }
    }
}
