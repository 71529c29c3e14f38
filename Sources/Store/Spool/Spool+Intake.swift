// Taking up what was dropped into new/.

import Glibc

/// What a name in new/ turned out to be.
public enum Arrival {
    case job(AcceptedJob)
    case rejected(RejectedFile)
    /// Still being written, or somebody's work in progress: its next event will say.
    case notYet
    /// Somebody is about to give it its mode: it is looked at when that has happened, or after so many milliseconds.
    case soon(milliseconds: Int64)
    /// The same job again: its second file was removed, the first stands.
    case again(JobID)
    /// The directory of a job that runs or waits, which somebody has moved here.
    case strayed(JobID)
    /// A directory that is no job.
    case ignored(why: String)
    /// Somebody else's, who has no say here: this user's. It is left alone.
    case foreign(UInt32)
    case missing
}

extension Spool {
    /// Reads a name in new/, once.
    ///
    /// - Parameters:
    ///   - isSettled: false when all that is known is that the name was created; an empty file is then still to be written.
    ///   - isMovedIn: it was renamed into new/, and so came whole, a directory too.
    ///   - known: the id under which a file of this name already waits.
    ///   - isTaken: whether the scheduler knows a job of this id.
    ///   - ending: a job that has come to its end and has not been brought to its place yet.
    ///   - task: finds the definition in force of a task.
    ///   - schedules: finds the ids of a task's schedules. A dropped run whose id is that of one of their due times is that run.
    public func intake(
        _ name: String, known: JobID? = nil, isSettled: Bool = true, isMovedIn: Bool = false, _ context: ReadingContext,
        isTaken: (JobID) -> Job?, ending: (JobID) -> Job? = { _ in nil }, task: (String) -> TaskDefinition?,
        schedules: (String) -> [String] = { _ in [] }
    ) throws(SystemError) -> Arrival {
        guard !Name.isUnfinished(name) else { return .notYet }
        let path = "\(Layout.new)/\(name)"
        let stem = Self.stem(of: name)
        /// A waiting job whose file cannot be used any more is what is rejected.
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
            // It is still written to, or about to be brought to its place.
            if let id = try jobOfStray(path), let job = isTaken(id) ?? ending(id), try isStray(job) { return .strayed(id) }
            return try intakeDirectory(name, isMovedIn: isMovedIn, context, isTaken: isTaken, task: task)
        // It cannot be moved to failed/, and to ask it may take for ever.
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
        /// The file's name is an id, which gives the job its name.
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
        // What was written in place twice within a tick of the clock is two jobs all the same.
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

    /// The schedule that an id's due time is of.
    private func schedule(of id: JobID, among schedules: [String], of task: String) -> String? {
        guard let due = id.instant else { return nil }
        return schedules.first { JobID(task: task, schedule: $0, due: due) == id }
    }

    /// Whether a job of this id exists besides the file itself, and whether it is the same job. Two runs of one due time of a
    /// task are, whatever their files say.
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
                // Not readable as JSON: the job's own file tells.
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

    /// The task that a job's file is a run of; nil when it is none, or cannot be read.
    private func taskNamed(in source: Source) -> String? { (try? source.table())?.text("task") }

    public static func stem(of file: String) -> String {
        for ending in [".toml", ".json"] where file.hasSuffix(ending) { return String(file.dropLast(ending.count)) }
        return file
    }

    // MARK: Directories

    /// A job's directory that somebody moved or copied back into new/ runs again, as a new job linked to the old one. One
    /// without a status of an old job is a new job that brings its input along.
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
            // Made by mkfs(8), or meant for a user, to whom it does not belong yet.
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
            // One that cannot be read is of the job that the directory is named after, which ran.
            let status = statusTable(bytes)
            old = status?.text("id") ?? ownID?.text
            // Of the job that was to repeat this one when the machine stopped.
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
        // The file of a scheduled run has its task's keys and not its name. A repeated run is a run of its task all the same.
        let knownTask = oldTask.flatMap { Name.isValid($0) && task($0) != nil ? $0 : nil }
        var job = AcceptedJob(
            id: id, name: jobName, task: taskName ?? knownTask, due: due, createdAt: context.now, notBefore: definition.start ?? due,
            source: source, definition: definition, file: nil, retryOf: old, isDirectory: true)
        job.paths = paths
        if old != nil { job.earlierTries = try lastTry(in: "\(Layout.new)/\(id.text)", attempt: attempt) }
        return .job(job)
    }

    /// An id for a record that is to run again. What a power cut has doubled is two jobs, also when both come within a tick of the clock.
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

    /// Who else than root may have written a job's file: whoever owns it, or the one of the record that it may be a copy of.
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

    /// How long nothing must have been added to a directory before it counts as whole, and a file's mode, owner and names must have been
    /// as they are before it is refused for them, in milliseconds.
    private static var settlingMilliseconds: Int64 { 1000 }

    /// Whether a file that is refused for its mode, its owner or its names may still be given others: `install -m 755`, `cp; chmod +x` and
    /// `mv; chown` do that when the file is in its place.
    private func isSettling(_ status: FileStatus, _ context: ReadingContext, milliseconds: Int64 = settlingMilliseconds) -> Bool {
        abs(context.now.milliseconds - status.changedNanoseconds / 1_000_000) < milliseconds
    }

    /// install(1) writes a file with mode 0600 and gives it another by its name when it is closed; it fails when that name is gone. So long
    /// such a file waits for it.
    private static var installMilliseconds: Int64 { 20 }

    /// How long nothing must have been added to a directory before it counts as one that has no job's file, in milliseconds.
    private static var fillingMilliseconds: Int64 { 5000 }

    static var noJobsFile: String { "is a directory without a job's file: job.toml, job.json, or an executable job" }

    /// No event tells when `cp -r` is done. It is not while it adds files, or still writes one.
    private func isBeingCopied(_ path: String, isMovedIn: Bool, _ context: ReadingContext) throws(SystemError) -> Bool {
        guard let status = try fs.status(path) else { return false }
        let age = context.now.milliseconds - status.modifiedNanoseconds / 1_000_000
        // What is added while this looks is later than the clock was when it began.
        if !isMovedIn, abs(age) < Self.settlingMilliseconds { return true }
        for entry in try fs.list(path) where entry.kind == .file {
            if case .busy = try fs.take("\(path)/\(entry.name)", limit: 0) { return true }
        }
        return false
    }

    private func statusTable(_ bytes: [UInt8]) -> Table? {
        // Not readable as JSON: it says nothing.
        guard case .table(let table)? = (try? JSON.parse(bytes, limits: .status))?.kind else { return nil }
        return table
    }
}

extension JobID {
    /// The name within the id.
    public var name: String {
        let bytes = text.utf8
        let start = bytes.index(bytes.startIndex, offsetBy: 21)
        guard let dash = bytes.lastIndex(of: UInt8(ascii: "-")), dash > start else { return text }
        return String(text[start..<dash])
    }

    /// The instant that the id begins with.
    public var instant: Instant? { Instant(compact: text.utf8.prefix(20)) }
}

extension FileKind {
    var article: String {
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
