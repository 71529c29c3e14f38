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
        // The directories of ended jobs may have many names. With few jobs it is faster to look for each of them.
        for state in jobs.count < listedJobsMin ? [JobState.new, .running] : JobState.allCases {
            names[state] = Set(try fs.list(Layout.directory(state)).lazy.map(\.name))
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
        // The file of a job that has begun may still have to be moved.
        let others = Set(jobs.lazy.filter { $0.state != .new || $0.attempt > 0 }.compactMap { $0.file?.name })
        /// True when all names were listed, and the job's file is there, and no directory of the job.
        func isListed(_ job: Job) -> Bool {
            guard let name = job.file?.name, names[.new, default: []].contains(name) else { return false }
            return JobState.allCases.allSatisfy { names[$0].map { !$0.contains(job.id.text) } ?? false }
        }
        for job in jobs {
            let ownsFile = job.file.map { owners[$0.name] === job } ?? false
            do throws(SystemError) {
                if isSameBoot, ownsFile, job.state == .new, job.attempt == 0, isListed(job), let name = job.file?.name,
                    !others.contains(name)
                {
                    // It waits as the file that it was, or as an edited one, which the intake reads. It has no directory.
                    places[job] = .file(name)
                    continue
                }
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
}

extension FileStamp {
    /// True when the file is the same, and unchanged since it was read.
    package func isOf(_ status: FileStatus) -> Bool {
        status.inode == inode && status.size == size && status.modifiedNanoseconds == modifiedNanoseconds
    }
}
