// Moves a job to its place.

import Glibc

extension Spool {
    /// Moves the job to the directory of its state, with a matching `status.json`.
    ///
    /// The order matters: a directory gets its `status.json` before its name, and then the job's file. A `status.json` is updated
    /// before the directory moves. So whoever sees a job in a directory sees its true status there. The directory is given to the
    /// job's user when it is complete and in its place, and belongs to the spool's owner whenever it waits in `new/`.
    ///
    /// - Parameter isAgain: the disk has refused this before, and the files may have changed since.
    public func place(_ job: Job, isAgain: Bool = false) throws(SystemError) {
        let target = Layout.directory(of: job.id, job.state)
        let status = job.status(host: host).json()
        switch places[job] {
        case .file(let name):
            if job.isUnread, try isDirectory("\(Layout.new)/\(name)") {
                // A directory whose job cannot be used is moved unchanged.
                try fs.replace("\(Layout.new)/\(name)/\(Layout.statusFile)", status)
                try fs.rename("\(Layout.new)/\(name)", to: target)
                break
            }
            try makeRecord(of: job, status)
            // Its content exists nowhere else, so a power cut must not lose it during the move.
            if job.isUnread { try fs.sync(Layout.directory(job.state)) }
            try writeInputs(job, into: target)
            try moveFile(name, of: job, into: target, isAgain: isAgain)
            places[job] = .directory(job.state)
            try give(target, of: job)
        case .nowhere:
            try makeRecord(of: job, status)
            try writeInputs(job, into: target)
            try writeSource(job, into: target)
            places[job] = .directory(job.state)
            try give(target, of: job)
        case .directory(let state):
            let here = Layout.directory(of: job.id, state)
            do throws(SystemError) { try bring(job, from: here, to: target) } catch {
                // Somebody has moved or removed the directory.
                guard error.errno == ENOENT, try fs.status(here) == nil else { throw error }
                guard let stray = try stray(of: job) else {
                    try remake(job, at: target)
                    break
                }
                // Move it back unchanged first: a crash then leaves the same state as before the other move.
                try fs.renameNoReplace(stray, to: here)
                try bring(job, from: here, to: target)
            }
        }
        places[job] = .directory(job.state)
    }

    private func bring(_ job: Job, from here: String, to target: String) throws(SystemError) {
        if job.state == .running {
            // A record of another user that was moved back into new/ still belongs to that user, but the job in it may now be
            // root's.
            if job.isDirectory, job.attempt == 1, !job.definition.isForAnother { try fs.takeBack(here) }
            try setAsideReports(of: job, in: here)
            // Do this for each try: after a power cut the existing files may be damaged.
            try writeInputs(job, into: here)
        }
        try setAsideStatus(of: job, in: here)
        try fs.replace("\(here)/\(Layout.statusFile)", try self.status(of: job, in: here))
        if job.state == .new, job.definition.isForAnother { try fs.takeBack(here) }
        if here != target { try fs.rename(here, to: target) }
        places[job] = .directory(job.state)
        try give(target, of: job)
    }

    /// Has the disk keep the directory of a job that an executor is to run, with its files, whatever happens to this machine.
    public func makePlaceDurable(_ job: Job) throws(SystemError) {
        guard case .directory(let state) = places[job] else { return }
        let directory = Layout.directory(of: job.id, state)
        for entry in try fs.list(directory) where try fs.status("\(directory)/\(entry.name)")?.kind == .file {
            try fs.sync("\(directory)/\(entry.name)")
        }
        try fs.sync(directory)
        try fs.sync(Layout.directory(state))
    }

    /// Restores the known facts of a job whose directory is gone, so that the job keeps a record, which says so.
    private func remake(_ job: Job, at target: String) throws(SystemError) {
        job.moved = "its directory was removed or moved away while it was in use; what it wrote until then is not here"
        try makeRecord(of: job, job.status(host: host).json())
        try writeInputs(job, into: target)
        try writeSource(job, into: target)
        try give(target, of: job)
    }

    /// Makes the start mark of a run, which keeps a copy of the run from beginning. Anything of that name does.
    func makeStartMark(_ number: Int, in directory: String) throws(SystemError) {
        do throws(SystemError) { try fs.makeDirectory("\(directory)/\(Layout.startMark).\(number)") } catch {
            guard error.errno == EEXIST else { throw error }
        }
    }

    /// Creates the job's directory with its status by one rename, so that nobody sees one without the other.
    private func makeRecord(of job: Job, _ status: [UInt8]) throws(SystemError) {
        let aside = Layout.aside(of: job.id, job.state)
        let target = Layout.directory(of: job.id, job.state)
        try fs.makeDirectory(aside)
        try fs.create("\(aside)/\(Layout.statusFile)", status, mode: 0o600)
        try preventBeginning(of: job, in: aside)
        do throws(SystemError) { try fs.rename(aside, to: target) } catch {
            // An earlier failed placement, or the end of a daemon, has left a directory with content: with its marks, if it needs any.
            guard error.isNotEmpty else { throw error }
            try fs.replace("\(target)/\(Layout.statusFile)", status)
            try fs.removeTree(aside)
        }
    }

    /// Makes the start marks of the runs of an executor that may have begun in an earlier directory of the job, which people have taken
    /// away: no copy of them begins in the new one. The directory of a run was durable before the run was submitted, so nothing else can
    /// have removed it. The marks are durable before the directory is in its place: a power cut leaves none without.
    private func preventBeginning(of job: Job, in directory: String) throws(SystemError) {
        guard job.state == .running, job.executor != nil else { return }
        let last = job.recorded.submissions > 0 ? job.runNumber : job.runNumber - 1
        guard last > 0 else { return }
        for number in stride(from: last, to: max(0, last - Self.marksMax), by: -1) { try makeStartMark(number, in: directory) }
        try fs.sync(directory)
    }

    /// The number of marks in a new directory. Copies of older tries have ended.
    private static var marksMax: Int { 100 }

    /// Uses the directory that an earlier failed placement has left at the place of the job's former state.
    public func gather(_ job: Job, from state: JobState) throws(SystemError) {
        let directory = Layout.directory(of: job.id, state)
        guard state != job.state else { return }
        try fs.removeTreeIfThere(Layout.aside(of: job.id, state))
        guard try isDirectory(directory) else { return }
        switch places[job] {
        case .directory: return
        case .file where try fs.hasJobFile(directory):
            // The directory was moved there, or another one took its name since.
            var found = Recovery()
            try mendSource(of: job, in: state, &found)
            places[job] = .directory(state)
        case .file, .nowhere: try fs.removeRecord(of: job.id, state)
        }
    }

    /// Gives a job's directory to the user as whom it runs. The first time, all files that came with the job are given too.
    /// Later, only the files that were written for this try, because the others already belong to the user or are not the user's.
    private func give(_ directory: String, of job: Job) throws(SystemError) {
        guard job.state != .new, job.definition.isForAnother, let owner = owner(job.definition) else { return }
        let written = [Layout.statusFile, Layout.payloadFile, Layout.inputFile, Layout.scriptFile]
        try fs.give(directory, to: owner, only: job.attempt > 1 ? written : nil)
    }

    private func isDirectory(_ path: String) throws(SystemError) -> Bool { try fs.status(path)?.kind == .directory }

    /// Makes the dropped file the job's file, if it is still the one that was read.
    private func moveFile(_ name: String, of job: Job, into directory: String, isAgain: Bool) throws(SystemError) {
        let from = "\(Layout.new)/\(name)"
        let to = "\(directory)/\(Self.jobFileName(for: name, job.source))"
        if try !takeIn(from, to: to, of: job, isAgain: isAgain) {
            // The file was withdrawn after the decision, so the text that was read replaces it. Or this step was interrupted
            // before: the file was moved, and was possibly written here since, completely or partly.
            guard let there = try fs.status(to), try !isWritten(there, for: job, at: to)
            else { return try writeSource(job, into: directory) }
        }
        // Another file that took the name after the reading is a separate drop: it is moved back, and the text that was read is
        // used for this job. A script, too, must run as it was read.
        guard let stamp = job.file, let moved = try fs.status(to), try !isSame(moved, as: stamp, of: job, at: to) else { return }
        try putBack(to, as: name)
        try writeSource(job, into: directory)
    }

    /// Returns false when nothing is there any more, or when another file took the name after the disk refused the move. That
    /// file stays.
    private func takeIn(_ from: String, to: String, of job: Job, isAgain: Bool) throws(SystemError) -> Bool {
        if isAgain, let stamp = job.file, stamp.inode != 0, let status = try fs.status(from), status.inode != stamp.inode { return false }
        do throws(SystemError) { try fs.rename(from, to: to) } catch {
            guard error.errno == ENOENT else { throw error }
            return false
        }
        return true
    }

    /// True when the moved file is the one that was read. Programs that copy files may set the times last, so if only the times
    /// differ, the text decides.
    private func isSame(_ moved: FileStatus, as stamp: FileStamp, of job: Job, at path: String) throws(SystemError) -> Bool {
        if stamp.inode == 0 { return true }
        if moved.inode != stamp.inode { return false }
        // The text of a rejected file is not kept. It was not a job before, and nobody ran it.
        if job.isUnread || moved.size == stamp.size && moved.modifiedNanoseconds == stamp.modifiedNanoseconds { return true }
        if moved.size != stamp.size { return false }
        // For a job with a task, the stored text also contains the task's keys.
        if job.task != nil { return true }
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { return false }
        return bytes == job.source.bytes
    }

    /// True when a job's file is the text that `writeSource` writes, or the beginning of it.
    private func isWritten(_ status: FileStatus, for job: Job, at path: String) throws(SystemError) -> Bool {
        if job.file?.inode == status.inode { return false }
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { return false }
        return job.source.bytes.starts(with: bytes)
    }

    /// Moves a file back to `new/` under its name, or a similar one if the name is taken. The move is on the disk when this
    /// returns: the file may become another job at once, and a power cut after that must not restore it here.
    func putBack(_ path: String, as name: String) throws(SystemError) {
        try moveBack(path, as: name)
        try makeLossDurable(of: String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
    }

    /// A file that was moved from a job's directory back to `new/` must not be restored by a power cut.
    func makeLossDurable(of directory: String) throws(SystemError) {
        try fs.sync(Layout.new)
        try fs.sync(directory)
    }

    private func moveBack(_ path: String, as name: String) throws(SystemError) {
        var number = 1
        var free = name
        while true {
            do throws(SystemError) { return try fs.renameNoReplace(path, to: "\(Layout.new)/\(free)") } catch {
                guard error.errno == EEXIST else { throw error }
                // The file was moved back before, and a power cut has kept both names.
                if try isOneFile(path, "\(Layout.new)/\(free)") { return try fs.removeFile(path) }
                number += 1
                let stem = Layout.stem(of: name)
                // A name of full length is shortened to keep the number.
                free = "\(number)-\(String(decoding: FileName.bytes(of: stem).prefix(200), as: UTF8.self))\(name.dropFirst(stem.count))"
            }
        }
    }

    /// True when two names belong to the same file.
    func isOneFile(_ path: String, _ other: String) throws(SystemError) -> Bool {
        guard let one = try fs.status(path), let other = try fs.status(other) else { return false }
        return one.inode == other.inode && one.device == other.device
    }

    static func jobFileName(for dropped: String, _ source: Source) -> String {
        if dropped.hasSuffix(".toml") { return "job.toml" }
        if dropped.hasSuffix(".json") { return "job.json" }
        return "job"
    }

    func writeSource(_ job: Job, into directory: String) throws(SystemError) {
        let mode: UInt32 = job.source.format == .script ? 0o700 : 0o600
        try fs.create("\(directory)/\(job.source.fileName)", job.source.bytes, mode: mode)
    }

    /// The files that a run reads besides the job's file: its payload, the text of `stdin`, and that of `script`.
    private func writeInputs(_ job: Job, into directory: String) throws(SystemError) {
        guard job.state == .running else { return }
        if let payload = job.definition.payload {
            try fs.create("\(directory)/\(Layout.payloadFile)", payload, mode: 0o600)
        }
        if case .text(let text) = job.definition.standardInput {
            try fs.create("\(directory)/\(Layout.inputFile)", FileName.bytes(of: text), mode: 0o600)
        }
        if case .script(let text) = job.definition.action {
            try fs.create("\(directory)/\(Layout.scriptFile)", FileName.bytes(of: text), mode: 0o700)
        }
    }
}

extension Job {
    /// Its file could not be used, and its content exists nowhere else.
    var isUnread: Bool { reason == .rejected && source.bytes.isEmpty }
}
