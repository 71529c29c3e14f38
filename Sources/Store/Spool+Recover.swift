// After a start: bringing the tree to what the journal says, and noticing what people did with files meanwhile.

extension Spool {
    /// What recovery found besides what it mended.
    public struct Recovery {
        /// Waiting jobs whose file or directory somebody took away while nobody watched.
        public var withdrawn: [Job] = []
        /// Waiting jobs whose file is not the one that was accepted.
        public var edited: [Job] = []
        /// What was mended, each in a sentence.
        public var mended: [String] = []
    }

    /// Brings every job of a replayed journal to its place. May itself be cut and done again.
    ///
    /// - Parameter isSameBoot: the machine has not been down since the journal was last written. Then a waiting job's
    ///   missing file was taken away by a person; after a power cut it may be a name that never reached the disk, and
    ///   the journal puts it back.
    public func recover(_ jobs: [Job], isSameBoot: Bool) throws(SystemError) -> Recovery {
        var recovery = Recovery()
        var places: [JobState: Set<String>] = [:]
        for state in [JobState.new, .running] {
            places[state] = Set(try fs.list(Layout.directory(state)).map(\.name))
        }
        func stands(_ job: Job, in state: JobState) throws(SystemError) -> Bool {
            if let names = places[state], !names.contains(job.id.text) { return false }
            guard try fs.status(Layout.directory(of: job.id, state))?.kind == .directory else { return false }
            // A directory without the job's file is what a crash before the rename leaves: not yet the job's place.
            return try hasJobFile(Layout.directory(of: job.id, state))
        }
        for job in jobs {
            var found: [JobState] = []
            for state in JobState.allCases where try stands(job, in: state) { found.append(state) }
            if found.contains(job.state) {
                job.place = .directory(job.state)
                // One directory in two places is how some file systems come back from a power cut. The journal decides.
                for other in found where other != job.state {
                    try fs.removeTree(Layout.directory(of: job.id, other))
                    recovery.mended.append("removed \(other.rawValue)/\(job.id), a second copy of \(job.state.rawValue)/\(job.id)")
                }
                try mendStatus(of: job, &recovery)
                continue
            }
            if let state = found.first {
                job.place = .directory(state)
                try place(job)
                recovery.mended.append("moved \(state.rawValue)/\(job.id) to \(job.state.rawValue)/")
                continue
            }
            if let stamp = job.file, job.state == .new, job.attempt == 0 {
                if let status = try fs.status("\(Layout.new)/\(stamp.name)") {
                    job.place = .file(stamp.name)
                    if status.inode != stamp.inode || status.size != stamp.size
                        || status.modifiedNanoseconds != stamp.modifiedNanoseconds
                    {
                        recovery.edited.append(job)
                    }
                    continue
                }
            } else if let stamp = job.file, try fs.status("\(Layout.new)/\(stamp.name)")?.inode == stamp.inode || stamp.inode == 0 {
                job.place = .file(stamp.name)
                if try fs.status("\(Layout.new)/\(stamp.name)") != nil {
                    try place(job)
                    recovery.mended.append("moved new/\(stamp.name) to \(job.state.rawValue)/\(job.id)")
                    continue
                }
            }
            if job.state == .new, isSameBoot, job.file != nil || job.attempt > 0 {
                recovery.withdrawn.append(job)
                continue
            }
            // A finished job whose record is gone: somebody removed it, or it was pruned. One that was never anywhere is put there.
            if job.state.isTerminal, isSameBoot, job.attempt > 0 || job.file != nil { continue }
            job.place = .nowhere
            try place(job)
            recovery.mended.append("put back \(job.state.rawValue)/\(job.id) from the journal")
        }
        return recovery
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
            if case .table(let table)? = (try? JSON.parse(bytes))?.kind, case .string(let state)? = table["state"]?.kind,
                state == job.state.rawValue, case .integer(Int64(job.attempt))? = table["try"]?.kind
            {
                return
            }
        }
        try fs.replace(path, job.status(host: host).json())
        recovery.mended.append("rewrote \(path) from the journal")
    }
}
