// Takes up files that were dropped into new/.

import Glibc

/// The result of reading a name in new/.
public enum Arrival {
    case job(AcceptedJob)
    case rejected(RejectedFile)
    /// The file is still being written, or somebody is working on it. Wait for its next event.
    case notYet
    /// Somebody is about to set the file's mode. Read it again at the next event, or after this many milliseconds.
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
    /// True when a file in new/ may be more urgent than others: it gives a priority above 0. A file that names tasks or other jobs, or has
    /// a key, is not: what it means depends on the files that were dropped before it.
    public func mayBeUrgent(_ name: String) -> Bool {
        let path = "\(Layout.new)/\(name)"
        let taken = try? fs.take(path, limit: Source.bytesMax, ignoringWriters: true)  // taking it up reports the error
        guard case .file(_, let bytes)? = taken, bytes.givesPriority else { return false }
        return !bytes.mentions("after") && !bytes.mentions("unique") && !bytes.mentions("task")
    }

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
        let stem = Layout.stem(of: name)
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
            if let id = try jobOfStray(path), let job = isTaken(id) ?? ending(id), try isStray(job), try mayBelong(path, to: job) {
                return .strayed(id)
            }
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
            let dropped = DroppedFile(name, status, at: context.now)
            guard let format = dropped.format(of: bytes) else {
                if Source.isScript(bytes), isSettling(status, context) { return .notYet }
                return .rejected(rejection(DroppedFile.refusal(of: bytes), status))
            }
            let source = Source(format: format, bytes: bytes)
            let id = dropped.id ?? known ?? newID(dropped, status, context, isTaken: isTaken)
            if dropped.id != nil, let first = try duplicate(of: id, known: known, source, isTaken: isTaken) {
                switch first {
                case .same:
                    try fs.removeFile(path)
                    return .again(id)
                case .other:
                    var file = rejection("has the id of another job", status)
                    file.id = JobID(
                        instant: context.now, name: id.name,
                        unique: stableHash("\(name)\u{0}\(status.inode)\u{0}\(status.changedNanoseconds)"))
                    return .rejected(file)
                }
            }
            do throws(Problems) {
                let (stored, definition, taskName) = try source.job(context, task: task)
                return .job(
                    AcceptedJob(
                        id: id, name: dropped.name(task: taskName), task: taskName,
                        schedule: taskName.flatMap { schedule(of: id, among: schedules($0), of: $0) }, due: dropped.due,
                        createdAt: context.now, notBefore: definition.start ?? dropped.due, source: stored, definition: definition,
                        file: FileStamp(
                            name: name, inode: status.inode, size: status.size,
                            modifiedNanoseconds: status.modifiedNanoseconds)))
            } catch {
                var file = rejection("", status)
                file.id = id
                file.error = error.all.map { "\(name):\($0)" }.joined(separator: "\n")
                return .rejected(file)
            }
        }
    }

    // MARK: Identity

    /// An id for a file whose name is not one. Two files written in place within one tick of the clock are two jobs.
    private func newID(_ dropped: DroppedFile, _ status: FileStatus, _ context: ReadingContext, isTaken: (JobID) -> Job?) -> JobID {
        let what = "\(dropped.file)\u{0}\(status.inode)\u{0}\(status.changedNanoseconds)\u{0}\(context.now.milliseconds)"
        var unique = stableHash(what)
        while true {
            let id = JobID(instant: dropped.due, name: dropped.name(task: nil), unique: unique)
            if isTaken(id) == nil { return id }
            unique &+= 1
        }
    }

    func rejection(
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
                let status = JSON.readableTable(bytes), status.text("schedule") != nil,
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

    // MARK: Files of others and files that are still written

    static func foreign(_ owner: UInt32) -> String {
        "belongs to user \(owner), who may have written it, and would run as root has it: look at it, then chown it to root"
    }

    /// A directory counts as complete when nothing was added to it for this many milliseconds. A file is refused for its mode,
    /// owner or names only when these have not changed for this time.
    static var settlingMilliseconds: Int64 { 1000 }

    /// True when a file that is refused for its mode, owner or names may still get others: `install -m 755`, `cp; chmod +x` and
    /// `mv; chown` change them when the file is in its place.
    func isSettling(_ status: FileStatus, _ context: ReadingContext, milliseconds: Int64 = settlingMilliseconds) -> Bool {
        abs(context.now.milliseconds - status.changedNanoseconds / 1_000_000) < milliseconds
    }

    /// install(1) writes a file with mode 0600, closes it, and then sets its mode by its name. It fails when that name is gone,
    /// so the file waits this long.
    private static var installMilliseconds: Int64 { 20 }
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

extension [UInt8] {
    /// True when the text seems to set the key `priority` to a number above 0, in TOML, in JSON or among a script's keys.
    fileprivate var givesPriority: Bool {
        let word = Array("priority".utf8)
        return indices.contains { start in
            guard self[start] == word[0], self[start...].starts(with: word) else { return false }
            let value = self[(start + word.count)...].drop { " \t\"'=:+".utf8.contains($0) }.first
            return value.map { (UInt8(ascii: "1")...UInt8(ascii: "9")).contains($0) } ?? false
        }
    }
}
