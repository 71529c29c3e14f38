// The files of a job that a power cut or a crash has damaged: which ones, and how they are written again.
//
// Invariants:
// - The journal has the text that was read. A file that is part of it, with zeros for missing blocks, is damaged. Everything else is an
//   edit, or another drop.
// - An edit is kept: it runs when the job is submitted again. Another drop is moved back to new/.

import Glibc

extension Spool {
    // MARK: The job's file

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

    func isEdited(in state: JobState, _ job: Job) throws(SystemError) -> Bool {
        for name in Source.fileNames {
            let path = "\(Layout.directory(of: job.id, state))/\(name)"
            if let status = try fs.status(path), try isEdited(path, status, of: job) { return true }
        }
        return false
    }

    /// Handles a job's file that was being written when the daemon was killed, or that the kernel has failed to write since: a
    /// script would run up to the point that was written.
    func completeSource(of job: Job, _ recovery: inout Recovery) throws(SystemError) {
        guard !job.isUnread else { return }
        let directory = Layout.directory(of: job.id, job.state)
        let path = "\(directory)/\(job.source.fileName)"
        guard let status = try fs.status(path), status.size < job.source.bytes.count || !job.state.isTerminal,
            try isDamaged(path, status, of: job), try isTorn(path, status, of: job)
        else { return }
        try writeSource(job, into: directory)
        recovery.mended.append("rewrote \(path) from the journal")
    }

    // MARK: The dropped file

    /// The dropped file must not become a second drop when it is still in new/ besides the job's directory, or when a power cut
    /// has restored it empty or cut off, because nobody had synced it. The journal contains its text.
    func removeDroppedFile(of job: Job, isLeft: Bool, _ recovery: inout Recovery) throws(SystemError) {
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
    func removeSwapped(in state: JobState, of job: Job, _ recovery: inout Recovery) throws(SystemError) {
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

    // MARK: The status

    /// Writes a status again that a power cut has emptied or replaced by an old one.
    func mendStatus(of job: Job, _ recovery: inout Recovery) throws(SystemError) {
        let path = "\(Layout.directory(of: job.id, job.state))/\(Layout.statusFile)"
        if case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) {
            // Not readable as JSON: it is written again below.
            if let table = JSON.readableTable(bytes, limits: .status), case .string(let state)? = table["state"]?.kind,
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
