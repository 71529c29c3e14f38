// Takes up directories that were dropped into new/: new jobs with their input, and records of jobs that are run again.

extension Spool {
    /// A job's directory that somebody moved or copied back into new/ runs again, as a new job with a link to the old one. A
    /// directory without a status of an old job is a new job with its input.
    func intakeDirectory(
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
        // The marks of a run in any other directory keep their numbers too: they would keep this job from beginning.
        let place = "\(Layout.new)/\(id.text)"
        job.earlierTries = old == nil ? try lastMark(in: place) : try lastTry(in: place, attempt: attempt)
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
        guard let table = JSON.readableTable(bytes, limits: .status) else { return nil }
        return table
    }
}
