// Takes up files that were dropped into new/.

import Glibc

/// The result of reading a name in new/.
public enum Arrival {
    case job(AcceptedJob)
    case rejected(RejectedFile)
    /// It is still being written, or somebody is working on it. Wait for its next event.
    case notYet
    /// Somebody is about to set its mode. Read it again at the next event, or after this many milliseconds.
    case soon(milliseconds: Int64)
    /// The same job again: the second file was removed, and the first one stays.
    case again(JobID)
    /// The directory of a running or waiting job that somebody has moved here.
    case strayed(JobID)
    /// A directory that is not a job.
    case ignored(why: String)
    /// It belongs to this other user, who may not submit here. It is ignored.
    case foreign(UInt32)
    case missing
}

extension Spool {
    /// Reads a name in new/ once.
    ///
    /// - Parameters:
    ///   - isSettled: false when only the creation of the name is known. An empty file is then still being written.
    ///   - isMovedIn: it was renamed into new/, so it is complete, even if it is a directory.
    ///   - known: the id of the job for which a file of this name already waits.
    ///   - isTaken: returns true when the scheduler has a job of this id.
    ///   - ending: a job that has ended and has not been moved to its place yet.
    ///   - task: returns the definition in force of a task.
    ///   - schedules: returns the ids of a task's schedules. A dropped run whose id is that of one of their due times is that run.
    public func intake(
        _ name: String, known: JobID? = nil, isSettled: Bool = true, isMovedIn: Bool = false, _ context: ReadingContext,
        isTaken: (JobID) -> Job?, ending: (JobID) -> Job? = { _ in nil }, task: (String) -> TaskDefinition?,
        schedules: (String) -> [String] = { _ in [] }
    ) throws(SystemError) -> Arrival {
        guard !Name.isUnfinished(name) else { return .notYet }
        let path = "\(Layout.new)/\(name)"
        let stem = Self.stem(of: name)
        /// A waiting job whose file can no longer be used is rejected.
        func rejection(_ why: String, _ status: FileStatus?) -> RejectedFile {
            var file = self.rejection(name, stem, context, why, changed: status)
            if let known { file.id = known }
            return file
        }
        switch try fs.take(path, limit: Source.bytesMax) {
        case .missing: return .missing
        case .foreign(let status): return .foreign(status.owner)
        case .busy: return .notYet
        case .refused(let status, let why):
            if isSettling(status, context) { return .notYet }
            return .rejected(rejection(why, status))
        case .other(.directory):
            // It is still being written, or about to be moved to its place.
            if let id = try jobOfStray(path), let job = isTaken(id) ?? ending(id), try isStray(job) { return .strayed(id) }
            return try intakeDirectory(name, isMovedIn: isMovedIn, context, isTaken: isTaken, task: task)
        // It cannot be moved to failed/, and a call into it might never return.
        case .other(.mountPoint): return .ignored(why: FileKind.mountPoint.article)
        case .other(let kind):
            let status = try fs.status(path)
            return .rejected(rejection("is \(kind.article), not a regular file", status))
        case .tooLarge(let status):
            return .rejected(rejection("is \(status.size) bytes; a job's file may have \(Source.bytesMax)", status))
        case .file(let status, let bytes):
            if bytes.isEmpty, !isSettled { return .notYet }
            if !isMovedIn, status.mode & 0o777 == 0o600, isSettling(status, context, milliseconds: Self.installMilliseconds) {
                return .soon(milliseconds: Self.installMilliseconds)
            }
            if isRoots, status.owner != 0 {
                if isSettling(status, context) { return .notYet }
                return .rejected(rejection(Self.foreign(status.owner), status))
            }
            let isExecutable = status.mode & 0o111 != 0
            guard let format = Source.format(ofFile: name, firstBytes: bytes, isExecutable: isExecutable) else {
                let isScript = bytes.starts(with: Array("#!".utf8))
                if isScript, isSettling(status, context) { return .notYet }
                let why =
                    isScript
                    ? "is a script but not executable; chmod +x it"
                    : "is not a job: expected NAME.toml, NAME.json, or an executable script that begins with #!"
                return .rejected(rejection(why, status))
            }
            let source = Source(format: format, bytes: bytes)
            let identity = identify(name, stem, status, known: known, context, isTaken: isTaken)
            if identity.isNamed, let first = try duplicate(of: identity.id, known: known, source, isTaken: isTaken) {
                switch first {
                case .same:
                    try fs.removeFile(path)
                    return .again(identity.id)
                case .other:
                    var file = rejection("has the id of another job", status)
                    file.id = JobID(
                        instant: context.now, name: identity.name,
                        unique: stableHash("\(name)\u{0}\(status.inode)\u{0}\(status.changedNanoseconds)"))
                    return .rejected(file)
                }
            }
            do throws(Problems) {
                let (stored, definition, taskName) = try source.job(context, task: task)
                let due = identity.due
                return .job(
                    AcceptedJob(
                        id: identity.id, name: identity.isNamed ? identity.name : taskName ?? identity.name,
                        task: taskName, schedule: taskName.flatMap { schedule(of: identity.id, among: schedules($0), of: $0) },
                        due: due, createdAt: context.now, notBefore: definition.start ?? due, source: stored, definition: definition,
                        file: FileStamp(
                            name: name, inode: status.inode, size: status.size,
                            modifiedNanoseconds: status.modifiedNanoseconds)))
            } catch {
                var file = rejection("", status)
                file.id = identity.id
                file.error = error.all.map { "\(name):\($0)" }.joined(separator: "\n")
                return .rejected(file)
            }
        }
    }

    // MARK: Identity

    private struct Identity {
        var id: JobID
        var name: String
        var due: Instant
        /// The file's name is an id, which contains the job's name.
        var isNamed: Bool
    }

    private func identify(
        _ file: String, _ stem: String, _ status: FileStatus, known: JobID?, _ context: ReadingContext,
        isTaken: (JobID) -> Job?
    ) -> Identity {
        let dropped = Instant(milliseconds: min(status.changedNanoseconds / 1_000_000, context.now.milliseconds))
        if let id = JobID(stem) {
            return Identity(id: id, name: id.name, due: min(id.instant ?? dropped, context.now), isNamed: true)
        }
        let name = Name.sanitized(stem)
        if let known { return Identity(id: known, name: name, due: dropped, isNamed: false) }
        var unique = stableHash("\(file)\u{0}\(status.inode)\u{0}\(status.changedNanoseconds)\u{0}\(context.now.milliseconds)")
        // Two files written in place within one tick of the clock are two jobs.
        while isTaken(JobID(instant: dropped, name: name, unique: unique)) != nil { unique &+= 1 }
        return Identity(
            id: JobID(instant: dropped, name: name, unique: unique), name: name, due: dropped, isNamed: false)
    }

    private func rejection(
        _ file: String, _ stem: String, _ context: ReadingContext, _ why: String, changed: FileStatus? = nil
    ) -> RejectedFile {
        let inode = changed?.inode ?? 0
        let unique = stableHash("\(file)\u{0}\(inode)\u{0}\(context.now.milliseconds)")
        let name = JobID(stem)?.name ?? Name.sanitized(stem)
        return RejectedFile(
            id: JobID(instant: context.now, name: name, unique: unique), name: name, file: file, inode: inode, due: context.now,
            error: "\(file): \(why)")
    }

    private enum Duplicate { case same, other }

    /// The schedule to which an id's due time belongs.
    private func schedule(of id: JobID, among schedules: [String], of task: String) -> String? {
        guard let due = id.instant else { return nil }
        return schedules.first { JobID(task: task, schedule: $0, due: due) == id }
    }

    /// Tests whether a job with this id exists besides the file itself, and whether it is the same job. Two runs of one due time
    /// of a task are the same job, whatever their files contain.
    private func duplicate(
        of id: JobID, known: JobID?, _ source: Source, isTaken: (JobID) -> Job?
    ) throws(SystemError) -> Duplicate? {
        if id == known { return nil }
        if let job = isTaken(id) {
            if job.schedule != nil, let task = job.task, taskNamed(in: source) == task { return .same }
            return job.source == source ? .same : .other
        }
        for state in [JobState.done, .failed] {
            let directory = Layout.directory(of: id, state)
            guard try fs.status(directory) != nil else { continue }
            if case .file(_, let bytes) = try fs.take("\(directory)/\(Layout.statusFile)", limit: Source.bytesMax),
                // Not readable as JSON: use the job's own file.
                case .table(let status)? = (try? JSON.parse(bytes))?.kind, status.text("schedule") != nil,
                let task = status.text("task"), taskNamed(in: source) == task
            {
                return .same
            }
            for file in Source.fileNames {
                if case .file(_, let bytes) = try fs.take("\(directory)/\(file)", limit: Source.bytesMax) {
                    return bytes == source.bytes ? .same : .other
                }
            }
            return .other
        }
        return nil
    }

    /// The task of which a job's file is a run. Nil when it is not a run, or cannot be read.
    private func taskNamed(in source: Source) -> String? { (try? source.table())?.text("task") }

    public static func stem(of file: String) -> String {
        for ending in [".toml", ".json"] where file.hasSuffix(ending) { return String(file.dropLast(ending.count)) }
        return file
    }

    // MARK: Directories

    /// A job's directory that somebody moved or copied back into new/ runs again, as a new job with a link to the old one. A
    /// directory without a status of an old job is a new job with its input.
    private func intakeDirectory(
        _ name: String, isMovedIn: Bool, _ context: ReadingContext, isTaken: (JobID) -> Job?, task: (String) -> TaskDefinition?
    ) throws(SystemError) -> Arrival {
        let path = "\(Layout.new)/\(name)"
        var found: (file: String, status: FileStatus, bytes: [UInt8])?
        for file in Source.fileNames {
            if case .file(let status, let bytes) = try fs.take("\(path)/\(file)", limit: Source.bytesMax) {
                found = (file, status, bytes)
                break
            }
        }
        if try isBeingCopied(path, isMovedIn: isMovedIn, context) { return .notYet }
        guard let found else {
            if let owner = try fs.foreignOwner(path) { return .foreign(owner) }
            // Created by mkfs(8), or meant for a user who does not own it yet.
            let isUsers = isRoots ? try UserPart.owner(ofName: name) != nil : false
            if name == "lost+found" || isUsers { return .ignored(why: "a directory without a job's file") }
            guard let status = try fs.status(path) else { return .missing }
            let age = context.now.milliseconds - status.modifiedNanoseconds / 1_000_000
            if !isMovedIn, abs(age) < Self.fillingMilliseconds { return .notYet }
            return .rejected(rejection(name, name, context, Self.noJobsFile, changed: status))
        }
        let ownID = JobID(name)
        var old: String?
        var paths: [String] = []
        var oldTask: String?
        var attempt = 0
        if case .file(_, let bytes) = try fs.take("\(path)/\(Layout.statusFile)", limit: Source.bytesMax) {
            // An unreadable one belongs to the job after which the directory is named, which has run.
            let status = statusTable(bytes)
            old = status?.text("id") ?? ownID?.text
            // Left by the job that was about to repeat this one when the machine stopped.
            if let ownID, status?.text("retry_of") == ownID.text { old = ownID.text }
            paths = status?.texts("paths") ?? []
            oldTask = status?.text("task")
            attempt = Int(clamping: status?.whole("try") ?? 0)
        }
        let jobName = ownID?.name ?? Name.sanitized(name)
        let id: JobID
        var due = context.now
        if let ownID, ownID.text != old, isTaken(ownID) == nil, try end(of: ownID) == nil {
            id = ownID
            due = min(ownID.instant ?? due, due)
        } else {
            id = try newID(jobName, unique: stableHash("\(name)\u{0}\(found.status.inode)"), context, isTaken: isTaken)
        }
        let format = Source.format(ofFile: found.file, firstBytes: found.bytes, isExecutable: true) ?? .toml
        guard let directory = try fs.status(path) else { return .missing }
        let source: Source
        let definition: JobDefinition
        let taskName: String?
        do throws(Problems) {
            (source, definition, taskName) = try Source(format: format, bytes: found.bytes).job(context, task: task)
        } catch {
            return .rejected(
                RejectedFile(
                    id: id, name: jobName, file: name, inode: directory.inode, due: context.now,
                    error: error.all.map { "\(name)/\(found.file):\($0)" }.joined(separator: "\n")))
        }
        for one in [ownID?.text, old] {
            guard let writer = try writer(of: found, from: one) else { continue }
            if isSettling(found.status, context) { return .notYet }
            return .rejected(
                RejectedFile(
                    id: id, name: jobName, file: name, inode: directory.inode, due: context.now,
                    error: "\(name)/\(found.file): \(Self.foreign(writer))"))
        }
        if id.text != name { try fs.renameNoReplace(path, to: "\(Layout.new)/\(id.text)") }
        // The file of a scheduled run has its task's keys but not the task's name. A repeated run is still a run of its task.
        let knownTask = oldTask.flatMap { Name.isValid($0) && task($0) != nil ? $0 : nil }
        var job = AcceptedJob(
            id: id, name: jobName, task: taskName ?? knownTask, due: due, createdAt: context.now, notBefore: definition.start ?? due,
            source: source, definition: definition, file: nil, retryOf: old, isDirectory: true)
        job.paths = paths
        if old != nil { job.earlierTries = try lastTry(in: "\(Layout.new)/\(id.text)", attempt: attempt) }
        return .job(job)
    }

    /// An id for a record that is run again. Two copies made by a power cut are two jobs, even within one tick of the clock.
    private func newID(_ name: String, unique: UInt64, _ context: ReadingContext, isTaken: (JobID) -> Job?) throws(SystemError) -> JobID {
        var unique = unique
        while true {
            let id = JobID(instant: context.now, name: name, unique: unique)
            if isTaken(id) == nil, try !stands(id) { return id }
            unique &+= 1
        }
    }

    private static func foreign(_ owner: UInt32) -> String {
        "belongs to user \(owner), who may have written it, and would run as root has it: look at it, then chown it to root"
    }

    /// The user other than root who may have written a job's file: its owner, or the user of the record of which it may be a
    /// copy.
    private func writer(
        of found: (file: String, status: FileStatus, bytes: [UInt8]), from id: String?
    ) throws(SystemError) -> UInt32? {
        guard isRoots else { return nil }
        if found.status.owner != 0 { return found.status.owner }
        guard let id, let id = JobID(id) else { return nil }
        for state in [JobState.done, .failed] {
            let directory = Layout.directory(of: id, state)
            guard let status = try fs.status(directory), status.owner != 0 else { continue }
            guard case .file(let own, let bytes) = try fs.take("\(directory)/\(found.file)", limit: Source.bytesMax, ignoringWriters: true),
                own.owner == 0 || bytes != found.bytes
            else { return status.owner }
        }
        return nil
    }

    /// A directory counts as complete when nothing was added to it for this many milliseconds. A file is refused for its mode,
    /// owner or names only when these have not changed for this time.
    private static var settlingMilliseconds: Int64 { 1000 }

    /// True when a file that is refused for its mode, owner or names may still get others: `install -m 755`, `cp; chmod +x` and
    /// `mv; chown` change them when the file is in its place.
    private func isSettling(_ status: FileStatus, _ context: ReadingContext, milliseconds: Int64 = settlingMilliseconds) -> Bool {
        abs(context.now.milliseconds - status.changedNanoseconds / 1_000_000) < milliseconds
    }

    /// install(1) writes a file with mode 0600, closes it, and then sets its mode by its name. It fails when that name is gone,
    /// so the file waits this long.
    private static var installMilliseconds: Int64 { 20 }

    /// A directory without a job's file is ignored when nothing was added to it for this many milliseconds.
    private static var fillingMilliseconds: Int64 { 5000 }

    static var noJobsFile: String { "is a directory without a job's file: job.toml, job.json, or an executable job" }

    /// No event reports the end of `cp -r`. It is not done while it adds files or still writes one.
    private func isBeingCopied(_ path: String, isMovedIn: Bool, _ context: ReadingContext) throws(SystemError) -> Bool {
        guard let status = try fs.status(path) else { return false }
        let age = context.now.milliseconds - status.modifiedNanoseconds / 1_000_000
        // Files that are added during this check are newer than the time at its start.
        if !isMovedIn, abs(age) < Self.settlingMilliseconds { return true }
        for entry in try fs.list(path) where entry.kind == .file {
            if case .busy = try fs.take("\(path)/\(entry.name)", limit: 0) { return true }
        }
        return false
    }

    private func statusTable(_ bytes: [UInt8]) -> Table? {
        // Not readable as JSON, so it contains no information.
        guard case .table(let table)? = (try? JSON.parse(bytes, limits: .status))?.kind else { return nil }
        return table
    }
}

extension JobID {
    /// The name in the id.
    public var name: String {
        let bytes = text.utf8
        let start = bytes.index(bytes.startIndex, offsetBy: 21)
        guard let dash = bytes.lastIndex(of: UInt8(ascii: "-")), dash > start else { return text }
        return String(text[start..<dash])
    }

    /// The instant at the beginning of the id.
    public var instant: Instant? { Instant(compact: text.utf8.prefix(20)) }
}

extension FileKind {
    public var article: String {
        switch self {
        case .file: "a regular file"
        case .directory: "a directory"
        case .symbolicLink: "a symbolic link"
        case .fifo: "a FIFO"
        case .socket: "a socket"
        case .characterDevice, .blockDevice: "a device"
        case .unknown: "something unknown"
        case .mountPoint: "where another file system is mounted"
        }
    }
}
