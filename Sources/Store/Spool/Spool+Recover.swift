// After a start: makes the tree agree with the journal, and detects what people did with files in the meantime.

import Glibc

extension Spool {
    /// The results of the recovery besides its repairs.
    public struct Recovery {
        /// Waiting jobs whose file or directory somebody removed while no daemon was running.
        public var withdrawn: [Job] = []
        /// Jobs whose directory somebody had moved, each with a sentence about it.
        public var putBack: [(job: Job, moved: String)] = []
        /// Jobs whose place is taken by something else.
        public var unplaced: [(job: Job, error: SystemError)] = []
        /// The repairs, each in a sentence.
        public var mended: [String] = []
    }

    /// Moves every job of a replayed journal to its place. It can be interrupted and repeated.
    ///
    /// - Parameter isSameBoot: the machine has not been down since the journal was last written. Then a person has removed a
    ///   waiting job's missing file. After a power cut, the name may never have reached the disk, and the file is restored from
    ///   the journal.
    /// - Parameter wasSettled: returns true when the last daemon ended properly while the job was in its place. Then every
    ///   difference is a person's change.
    /// - Parameter hasStayedUp: the machine has not been down, though the disk may have failed.
    /// - Parameter hasSyncFailed: files may exist only in memory, and no later sync of the same files writes them to the disk.
    public func recover(
        _ jobs: [Job], isSameBoot: Bool, hasStayedUp: Bool = false, hasSyncFailed: Bool = false, wasSettled: (Job) -> Bool = { _ in false }
    ) throws(SystemError) -> Recovery {
        var recovery = Recovery()
        var names: [JobState: Set<String>] = [:]
        for state in [JobState.new, .running] {
            names[state] = Set(try fs.list(Layout.directory(state)).map(\.name))
        }
        if !isSameBoot {
            for job in jobs where names[job.state]?.contains(".\(job.id)") ?? true {
                if try takeAside(job) { names[job.state]?.insert(job.id.text) }
            }
        }
        // Unfinished directories are created again or removed. Those that the journal does not mention are found when the records
        // are scanned.
        for name in names[.running, default: []] where Layout.isAside(name) { try fs.removeTreeIfThere("\(Layout.running)/\(name)") }
        // In new/ such a name may belong to somebody.
        for name in names[.new, default: []] where Layout.isAside(name) && jobs.contains(where: { $0.id.text == name.dropFirst() }) {
            try fs.removeTreeIfThere("\(Layout.new)/\(name)")
        }
        for job in jobs where job.state.isTerminal { try fs.removeTreeIfThere(Layout.aside(of: job.id, job.state)) }
        func look(_ job: Job, _ state: JobState) throws(SystemError) -> Finding {
            if let names = names[state], !names.contains(job.id.text) { return .nothing }
            guard try fs.status(Layout.directory(of: job.id, state))?.kind == .directory else { return .nothing }
            return try fs.hasJobFile(Layout.directory(of: job.id, state)) ? .job : .remains
        }
        // A name may have belonged to an earlier job, which is now a directory. It belongs to the last job, unless a power cut
        // has restored the earlier file.
        var owners: [String: Job] = [:]
        for job in jobs where job.state == .new && job.attempt == 0 {
            if let name = job.file?.name, owners[name].map({ $0.arrival < job.arrival }) ?? true { owners[name] = job }
        }
        for job in jobs {
            guard let stamp = job.file, let owner = owners[stamp.name], owner !== job,
                let status = try fs.status("\(Layout.new)/\(stamp.name)"),
                let owned = owner.file, !owned.isOf(status)
            else { continue }
            // If it was cut off, its inode identifies it.
            if stamp.isOf(status) || stamp.inode == status.inode && owned.inode != status.inode { owners[stamp.name] = job }
        }
        for job in jobs {
            let ownsFile = job.file.map { owners[$0.name] === job } ?? false
            do throws(SystemError) {
                try recover(
                    job, ownsFile: ownsFile, isSameBoot: isSameBoot, hasStayedUp: isSameBoot || hasStayedUp, wasSettled: wasSettled(job),
                    among: jobs, look: look, &recovery)
            } catch {
                // One job whose place is taken must not keep all others from running.
                guard error.isInTheWay else { throw error }
                recovery.unplaced.append((job, error))
            }
        }
        if hasSyncFailed {
            for job in jobs.sorted(by: { $0.id < $1.id }) { if case .directory = places[job] { try renew(job) } }
        }
        let unplaced = Set(recovery.unplaced.map { ObjectIdentifier($0.job) })
        for job in jobs where job.state.isTerminal && !unplaced.contains(ObjectIdentifier(job)) { places.forget(job) }
        for job in recovery.withdrawn { places.forget(job) }
        return recovery
    }

    private func recover(
        _ job: Job, ownsFile: Bool, isSameBoot: Bool, hasStayedUp: Bool, wasSettled: Bool, among jobs: [Job],
        look: (Job, JobState) throws(SystemError) -> Finding, _ recovery: inout Recovery
    ) throws(SystemError) {
        var found: [JobState] = []
        var remains: [JobState] = []
        for state in JobState.allCases {
            switch try look(job, state) {
            case .job: found.append(state)
            case .remains: remains.append(state)
            case .nothing: break
            }
        }
        // Its file may have belonged to another job and have been moved back to new/ just before the end.
        if !wasSettled, job.file != nil { for state in remains { try makeLossDurable(of: Layout.directory(of: job.id, state)) } }
        try clear(remains, of: job, hasPlace: !found.isEmpty, &recovery)
        for state in found where state != .new { try removeSwapped(in: state, of: job, &recovery) }
        // A record that somebody copied or moved back into new/ while no daemon was running stays there. It is a new drop.
        if isSameBoot, job.state.isTerminal, found.contains(.new), wasSettled || found.count > 1 {
            found.removeAll { $0 == .new }
            if found.isEmpty { return }
        }
        // A copy of a running job's record is a new drop too.
        if isSameBoot, job.state == .running, found.contains(.running) { found.removeAll { $0 == .new } }
        if !isSameBoot, found.contains(.new), try isEdited(in: .new, job) { found.removeAll { $0 == .new } }
        // The daemon may have ended just after it moved a file that took the name of the job's file.
        let isJustMoved = !wasSettled && job.state == .new && job.attempt == 0 && job.file != nil
        let mayBeAnothers = !isSameBoot || job.state == .running || isJustMoved
        if found.contains(job.state) {
            places[job] = .directory(job.state)
            // After a power cut, some file systems have one directory in two places. The journal decides.
            for other in found where other != job.state { try removeCopy(of: job, in: other, &recovery) }
            if !isSameBoot { try removeDroppedFile(of: job, isLeft: true, &recovery) }
            if mayBeAnothers {
                try mendSource(of: job, in: job.state, among: jobs, &recovery)
            } else {
                try completeSource(of: job, &recovery)
            }
            try mendStatus(of: job, &recovery)
            return
        }
        if hasStayedUp, job.state == .running, try putBackBegun(job, &recovery) {
            try mendSource(of: job, in: .running, among: jobs, &recovery)
            return try mendStatus(of: job, &recovery)
        }
        // Of several directories that a power cut left, use the one that has progressed furthest.
        if let state = isSameBoot ? found.first : found.last {
            places[job] = .directory(state)
            if !isSameBoot {
                for other in found where other != state { try removeCopy(of: job, in: other, &recovery) }
            }
            if mayBeAnothers { try mendSource(of: job, in: state, among: jobs, &recovery) }
            try place(job)
            if !mayBeAnothers { try completeSource(of: job, &recovery) }
            if !isSameBoot { try removeDroppedFile(of: job, isLeft: true, &recovery) }
            recovery.mended.append("moved \(state.rawValue)/\(job.id) to \(job.state.rawValue)/")
            return
        }
        if !isSameBoot { try removeDroppedFile(of: job, isLeft: false, &recovery) }
        if let stamp = job.file, job.state == .new, job.attempt == 0 {
            if let status = try fs.status("\(Layout.new)/\(stamp.name)"),
                isFile(status, stamp, ownsFile: ownsFile, trusted: isSameBoot || wasSettled)
            {
                places[job] = .file(stamp.name)
                return
            }
        } else if let stamp = job.file, let dropped = try fs.status("\(Layout.new)/\(stamp.name)"), dropped.inode == stamp.inode {
            places[job] = .file(stamp.name)
            // The directory takes the place as it is. A power cut may have left part of the record in it.
            if dropped.kind == .directory, remains.contains(job.state) { try fs.removeRecord(of: job.id, job.state) }
            try place(job)
            let directory = Layout.directory(of: job.id, job.state)
            if dropped.kind == .directory, try !fs.hasJobFile(directory) { try writeSource(job, into: directory) }
            try completeSource(of: job, &recovery)
            recovery.mended.append("moved new/\(stamp.name) to \(job.state.rawValue)/\(job.id)")
            return
        }
        if hasStayedUp, !wasSettled, job.state != .running, job.attempt > 0, try placeCarriedOff(job, &recovery) { return }
        if job.state == .new, isSameBoot, job.file != nil || job.isDirectory || job.attempt > 0 {
            recovery.withdrawn.append(job)
            return
        }
        // A finished job without a record: somebody removed it, or it was pruned. A job that was never placed is placed now.
        if job.state.isTerminal, isSameBoot, job.attempt > 0 || job.file != nil { return }
        places[job] = .nowhere
        try place(job)
        recovery.mended.append("put back \(job.state.rawValue)/\(job.id) from the journal")
    }

    /// A power cut has undone the last rename of a directory, but not the move of a dropped file into it. The directory is renamed again,
    /// because somebody may have replaced that file just before the move, and then it is a separate drop: see ``mendSource``.
    private func takeAside(_ job: Job) throws(SystemError) -> Bool {
        let (aside, place) = (Layout.aside(of: job.id, job.state), Layout.directory(of: job.id, job.state))
        guard job.file != nil, try fs.hasJobFile(aside), try fs.status(place) == nil else { return false }
        try fs.rename(aside, to: place)
        return true
    }

    /// A run had begun, and somebody moved its directory while no daemon was running. The directory is moved back unchanged,
    /// because the run may be writing to it. Returns false when there is no such directory, because the run had not begun.
    private func putBackBegun(_ job: Job, _ recovery: inout Recovery) throws(SystemError) -> Bool {
        let before = places[job]
        places[job] = .directory(.running)
        if let path = try strayRun(of: job), let moved = try putBack(job, from: path) {
            recovery.putBack.append((job, moved))
            return true
        }
        places[job] = before
        return false
    }

    /// A run has ended, for good or until its next try, and somebody had moved its directory before the job was placed. Returns false
    /// when there is no such directory.
    private func placeCarriedOff(_ job: Job, _ recovery: inout Recovery) throws(SystemError) -> Bool {
        let before = places[job]
        places[job] = .directory(.running)
        guard let path = try strayRun(of: job), try putBack(job, from: path) != nil else {
            places[job] = before
            return false
        }
        try place(job)
        recovery.mended.append("moved \(path) to \(job.state.rawValue)/\(job.id)")
        return true
    }

    /// The place of the directory of a job's run, if it is not in running/.
    private func strayRun(of job: Job) throws(SystemError) -> String? {
        guard let path = try stray(of: job), let status = try fs.jobStatus(in: path) else { return nil }
        guard status.state == .running, status.attempt == job.attempt else { return nil }
        return path
    }

    /// True when the file with the name of a waiting job's file belongs to that job.
    private func isFile(_ status: FileStatus, _ stamp: FileStamp, ownsFile: Bool, trusted: Bool) -> Bool {
        // Another file of that name is an edit. After a stop of the machine the job's own file may have been lost.
        if ownsFile { return trusted || status.inode == stamp.inode }
        return !trusted && stamp.isOf(status)
    }

    private func removeCopy(of job: Job, in other: JobState, _ recovery: inout Recovery) throws(SystemError) {
        try fs.removeRecord(of: job.id, other)
        recovery.mended.append("removed \(other.rawValue)/\(job.id), a second copy of \(job.state.rawValue)/\(job.id)")
    }

    /// The entry with a job's id in one of the directories.
    private enum Finding {
        case nothing
        /// A directory without the job's file: a crash has left it before the file was moved in, or a power cut has lost the
        /// file. It is not the job's place.
        case remains
        case job
    }

    /// Frees the place of the job's directory. The rest of an old directory, such as output, is kept when there is nothing
    /// better.
    private func clear(_ remains: [JobState], of job: Job, hasPlace: Bool, _ recovery: inout Recovery) throws(SystemError) {
        let target = Layout.directory(of: job.id, job.state)
        // A job that has not begun has no output.
        var isWanted = !hasPlace && job.attempt > 0 && !remains.contains(job.state)
        for state in remains where state != job.state || hasPlace {
            let directory = Layout.directory(of: job.id, state)
            if isWanted {
                isWanted = false
                try fs.rename(directory, to: target)
                recovery.mended.append("moved \(directory), without a job's file, to \(target)")
            } else {
                try fs.removeRecord(of: job.id, state)
                recovery.mended.append("removed \(directory), which had no job's file")
            }
        }
    }

    /// The dropped file must not become a second drop when it is still in new/ besides the job's directory, or when a power cut
    /// has restored it empty or cut off, because nobody had synced it. The journal contains its text.
    private func removeDroppedFile(of job: Job, isLeft: Bool, _ recovery: inout Recovery) throws(SystemError) {
        guard let stamp = job.file, let status = try fs.status("\(Layout.new)/\(stamp.name)"), status.inode == stamp.inode else { return }
        let path = "\(Layout.new)/\(stamp.name)"
        if status.kind == .directory {
            // The file of a job that could not be used and was moved unchanged.
            let record = Layout.directory(of: job.id, .failed)
            guard isLeft, job.isUnread else { return }
            // Somebody may have written what is to run again, which is an edit.
            for name in Source.fileNames {
                guard try fs.status("\(path)/\(name)") != nil else { continue }
                guard try isCopy("\(path)/\(name)", of: "\(record)/\(name)") else { return }
            }
            try fs.removeTree(path)
            return recovery.mended.append("removed \(path), a second copy of \(record)")
        }
        // Somebody is writing it now, which is an edit too.
        guard case .file = try fs.take(path, limit: Source.bytesMax) else { return }
        if job.isUnread {
            // Its text only exists at the place to which it was moved.
            guard isLeft, try isCopy(path, of: "\(Layout.directory(of: job.id, .failed))/\(Self.jobFileName(for: stamp.name, job.source))")
            else { return }
        } else {
            // A file written after the reading is an edit. Its time shows this or, because clocks are set back, its text.
            guard status.modifiedNanoseconds <= stamp.modifiedNanoseconds else { return }
            let isWhole = try !isDamaged(path, status, of: job)
            guard isWhole ? isLeft : try isTorn(path, status, of: job) else { return }
        }
        try fs.removeFile(path)
        recovery.mended.append("removed \(path), left over by the machine's stop from what became \(job.id)")
    }

    /// A file that took the name of a dropped one just before the move is in `new/` again. It is a separate drop and no longer
    /// belongs to this job, though a power cut has kept its name here too.
    private func removeSwapped(in state: JobState, of job: Job, _ recovery: inout Recovery) throws(SystemError) {
        guard let stamp = job.file, stamp.inode != 0 else { return }
        let directory = Layout.directory(of: job.id, state)
        for name in Source.fileNames {
            let path = "\(directory)/\(name)"
            guard let status = try fs.status(path), status.inode != stamp.inode, try isOneFile(path, "\(Layout.new)/\(stamp.name)")
            else { continue }
            try fs.removeFile(path)
            try makeLossDurable(of: directory)
            try writeSource(job, into: directory)
            recovery.mended.append("removed \(path), which is new/\(stamp.name)")
        }
    }

    /// True when a file has the same content as another, or its beginning.
    private func isCopy(_ path: String, of other: String) throws(SystemError) -> Bool {
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax),
            case .file(_, let others) = try fs.take(other, limit: Source.bytesMax)
        else { return false }
        return others.starts(with: bytes)
    }

    /// True when a file is the beginning of the text that was read, followed by nothing or zeros: the state of an unsynced file
    /// after a power cut.
    private func isTorn(_ path: String, _ status: FileStatus, of job: Job) throws(SystemError) -> Bool {
        // If somebody is writing it, that is why it is incomplete.
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax) else { return false }
        if isBeginning(bytes, of: job) { return true }
        // For a job with a task, the stored text also contains the task's keys.
        guard job.task != nil, let stamp = job.file, stamp.inode == status.inode,
            status.modifiedNanoseconds <= stamp.modifiedNanoseconds
        else {
            return false
        }
        return status.size < stamp.size || bytes.last == 0
    }

    /// True when the file is part of the stored text, with zeros for missing blocks.
    private func isBeginning(_ bytes: [UInt8], of job: Job) -> Bool {
        let whole = job.source.bytes
        if bytes == whole { return false }
        let end = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        guard end <= whole.count else { return false }
        let size = Int(JournalBatch.blockBytes)
        return stride(from: 0, to: end, by: size).allSatisfy { start in
            let block = start..<min(start + size, end)
            return bytes[block] == whole[block] || bytes[block].allSatisfy { $0 == 0 }
        }
    }

    /// True when somebody has written the job's file after the job's end, to run it again in its present form.
    private func isEdited(_ path: String, _ status: FileStatus, of job: Job) throws(SystemError) -> Bool {
        guard job.state.isTerminal, job.endedAt != nil, status.modifiedNanoseconds / 1_000_000 >= job.changedAt.milliseconds
        else { return false }
        // It is the dropped text or part of it: clocks are set back, and the job's end may be recorded too early.
        if let stamp = job.file, stamp.inode == status.inode, status.modifiedNanoseconds <= stamp.modifiedNanoseconds { return false }
        if case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax), isBeginning(bytes, of: job) { return false }
        return try isDamaged(path, status, of: job)
    }

    /// True when a job's file is not the text that was read.
    private func isDamaged(_ path: String, _ status: FileStatus, of job: Job) throws(SystemError) -> Bool {
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { return true }
        if bytes == job.source.bytes { return false }
        // For a job with a task, the stored text also contains the task's keys. The file may be part of either text.
        if job.task != nil, let stamp = job.file { return status.size != stamp.size || bytes.last == 0 || isBeginning(bytes, of: job) }
        return true
    }

    /// A job's file that a power cut has damaged is written again: a script must run as it was read. A file that somebody wrote
    /// over it just before the move is a separate drop, as in ``place(_:)``, unless it is the original file of another of `jobs`.
    func mendSource(of job: Job, in state: JobState, among jobs: [Job] = [], _ recovery: inout Recovery) throws(SystemError) {
        guard !job.isUnread else { return }
        let directory = Layout.directory(of: job.id, state)
        for name in Source.fileNames {
            let path = "\(directory)/\(name)"
            guard let status = try fs.status(path), try isDamaged(path, status, of: job) else { continue }
            if try isEdited(path, status, of: job) { continue }
            let isTorn = try isTorn(path, status, of: job)
            if let stamp = job.file, !isTorn, try !isOfAnother(path, status, than: job, among: jobs), try isOwners(directory, of: job),
                try fs.status("\(Layout.new)/\(stamp.name)")?.inode != status.inode
            {
                try putBack(path, as: stamp.name)
                recovery.mended.append("moved \(path) back to new/, for it is not what was read")
            } else {
                try fs.removeFile(path)
            }
            try writeSource(job, into: directory)
            recovery.mended.append("rewrote \(path) from the journal")
        }
    }

    /// True when a file is the text that another job has read.
    private func isOfAnother(_ path: String, _ status: FileStatus, than job: Job, among jobs: [Job]) throws(SystemError) -> Bool {
        for other in jobs where other !== job && other.file?.inode == status.inode && !other.isUnread {
            if try !isDamaged(path, status, of: other) { return true }
        }
        return false
    }

    /// True when a job's directory belongs to the spool's owner and never belonged to another user. Files that another user
    /// leaves may be anything, and are not drops.
    private func isOwners(_ directory: String, of job: Job) throws(SystemError) -> Bool {
        guard job.definition.isForAnother else { return true }
        guard job.attempt == 0 || job.attempt == 1 && job.state == .running else { return false }
        return try fs.status(directory)?.owner == 0
    }

    private func isEdited(in state: JobState, _ job: Job) throws(SystemError) -> Bool {
        for name in Source.fileNames {
            let path = "\(Layout.directory(of: job.id, state))/\(name)"
            if let status = try fs.status(path), try isEdited(path, status, of: job) { return true }
        }
        return false
    }

    /// Handles a job's file that was being written when the daemon was killed, or that the kernel has failed to write since: a
    /// script would run up to the point that was written.
    private func completeSource(of job: Job, _ recovery: inout Recovery) throws(SystemError) {
        guard !job.isUnread else { return }
        let directory = Layout.directory(of: job.id, job.state)
        let path = "\(directory)/\(job.source.fileName)"
        guard let status = try fs.status(path), status.size < job.source.bytes.count || !job.state.isTerminal,
            try isDamaged(path, status, of: job), try isTorn(path, status, of: job)
        else { return }
        try writeSource(job, into: directory)
        recovery.mended.append("rewrote \(path) from the journal")
    }

    /// Writes the files of a record again that are read as the truth.
    private func renew(_ job: Job) throws(SystemError) {
        let directory = Layout.directory(of: job.id, job.state)
        try renew("\(directory)/\(Layout.statusFile)")
        // In another user's directory, the job's file must not be given to that user.
        guard !job.definition.isForAnother else { return }
        for name in Source.fileNames {
            // If somebody has written to it since, its time shows that.
            let path = "\(directory)/\(name)"
            if case .file(_, job.source.bytes) = try fs.take(path, limit: Source.bytesMax) { try renew(path) }
        }
    }

    /// Replaces a file by a synced copy with the same content. Does nothing when there is no file.
    public func renew(_ path: String) throws(SystemError) {
        guard case .file(let status, let bytes) = try fs.take(path, limit: Source.bytesMax) else { return }
        try fs.replaceDurably(path, bytes, mode: status.mode & 0o777)
    }

    /// Writes a status again that a power cut has emptied or replaced by an old one.
    private func mendStatus(of job: Job, _ recovery: inout Recovery) throws(SystemError) {
        let path = "\(Layout.directory(of: job.id, job.state))/\(Layout.statusFile)"
        if case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) {
            // Not readable as JSON: it is written again below.
            if case .table(let table)? = (try? JSON.parse(bytes, limits: .status))?.kind, case .string(let state)? = table["state"]?.kind,
                state == job.state.rawValue, case .string(let id)? = table["id"]?.kind, id == job.id.text,
                case .integer(Int64(job.attempt))? = table["try"]?.kind
            {
                return
            }
        }
        try fs.replace(path, try status(of: job, in: Layout.directory(of: job.id, job.state)))
        recovery.mended.append("rewrote \(path) from the journal")
    }
}

extension FileStamp {
    /// True when the file is the same, and unchanged since it was read.
    package func isOf(_ status: FileStatus) -> Bool {
        status.inode == inode && status.size == size && status.modifiedNanoseconds == modifiedNanoseconds
    }
}
