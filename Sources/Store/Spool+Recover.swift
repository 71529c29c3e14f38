// After a start: bringing the tree to what the journal says, and noticing what people did with files meanwhile.

import Glibc

extension Spool {
    /// What recovery found besides what it mended.
    public struct Recovery {
        /// Waiting jobs whose file or directory somebody took away while nobody watched.
        public var withdrawn: [Job] = []
        /// What was mended, each in a sentence.
        public var mended: [String] = []
    }

    /// Brings every job of a replayed journal to its place. May itself be cut and done again.
    ///
    /// - Parameter isSameBoot: the machine has not been down since the journal was last written. Then a waiting job's
    ///   missing file was taken away by a person; after a power cut it may be a name that never reached the disk, and
    ///   the journal puts it back.
    /// - Parameter wasStopped: the last daemon ended in order. Then whatever differs is a person's doing.
    public func recover(_ jobs: [Job], isSameBoot: Bool, wasStopped: Bool = false) throws(SystemError) -> Recovery {
        var recovery = Recovery()
        var places: [JobState: Set<String>] = [:]
        for state in [JobState.new, .running] {
            places[state] = Set(try fs.list(Layout.directory(state)).map(\.name))
        }
        func stands(_ job: Job, _ state: JobState) throws(SystemError) -> Bool {
            if let names = places[state], !names.contains(job.id.text) { return false }
            guard try fs.status(Layout.directory(of: job.id, state))?.kind == .directory else { return false }
            // A directory without the job's file is what a crash before the rename leaves: not yet the job's place.
            return try hasJobFile(Layout.directory(of: job.id, state))
        }
        for job in jobs {
            do throws(SystemError) { try recover(job, isSameBoot: isSameBoot, wasStopped: wasStopped, stands: stands, &recovery) } catch {
                // One job whose place is taken by something else must not keep all others from running.
                guard [EEXIST, ENOTEMPTY, ENOTDIR, EISDIR, ENAMETOOLONG, EPERM, EACCES].contains(error.errno) else { throw error }
                recovery.mended.append("could not place \(job.id): \(error)")
            }
        }
        return recovery
    }

    private func recover(
        _ job: Job, isSameBoot: Bool, wasStopped: Bool, stands: (Job, JobState) throws(SystemError) -> Bool, _ recovery: inout Recovery
    ) throws(SystemError) {
        var found: [JobState] = []
        for state in JobState.allCases where try stands(job, state) { found.append(state) }
        // A record that somebody copied or moved back into new/ while nobody watched: it stays there, and is an arrival.
        if isSameBoot, job.state.isTerminal, found.contains(.new), wasStopped || found.count > 1 {
            found.removeAll { $0 == .new }
            if found.isEmpty { return }
        }
        if found.contains(job.state) {
            job.place = .directory(job.state)
            // One directory in two places is how some file systems come back from a power cut. The journal decides.
            for other in found where other != job.state {
                try fs.removeTree(Layout.directory(of: job.id, other))
                recovery.mended.append("removed \(other.rawValue)/\(job.id), a second copy of \(job.state.rawValue)/\(job.id)")
            }
            try mendStatus(of: job, &recovery)
            return
        }
        if let state = found.first {
            job.place = .directory(state)
            try place(job)
            recovery.mended.append("moved \(state.rawValue)/\(job.id) to \(job.state.rawValue)/")
            return
        }
        if let stamp = job.file, job.state == .new, job.attempt == 0 {
            if try fs.status("\(Layout.new)/\(stamp.name)") != nil {
                job.place = .file(stamp.name)
                return
            }
        } else if let stamp = job.file, try fs.status("\(Layout.new)/\(stamp.name)")?.inode == stamp.inode {
            job.place = .file(stamp.name)
            try place(job)
            recovery.mended.append("moved new/\(stamp.name) to \(job.state.rawValue)/\(job.id)")
            return
        }
        if job.state == .new, isSameBoot, job.file != nil || job.isDirectory || job.attempt > 0 {
            recovery.withdrawn.append(job)
            return
        }
        // A finished job whose record is gone: somebody removed it, or it was pruned. One that was never anywhere is put there.
        if job.state.isTerminal, isSameBoot, job.attempt > 0 || job.file != nil { return }
        job.place = .nowhere
        try place(job)
        recovery.mended.append("put back \(job.state.rawValue)/\(job.id) from the journal")
    }

    private func hasJobFile(_ directory: String) throws(SystemError) -> Bool {
        for name in Source.fileNames {
            if try fs.status("\(directory)/\(name)") != nil { return true }
        }
        return false
    }

    /// A status that came back empty or old from a power cut is written anew.
    private func mendStatus(of job: Job, _ recovery: inout Recovery) throws(SystemError) {
        let path = "\(Layout.directory(of: job.id, job.state))/\(Layout.statusFile)"
        if case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax) {
            // Not readable as JSON: it is written anew, below.
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
