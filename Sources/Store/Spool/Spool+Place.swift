// Bringing a job to its place.

import Glibc

extension Spool {
    /// Brings the job to the directory that its state names, with a `status.json` that says how it stands.
    ///
    /// The order within matters: a directory has its `status.json` before it has its name, and the job's file enters it then. A
    /// `status.json` is new before the directory moves. So whoever sees a job in a directory sees its truth there. It becomes the user's as
    /// whom the job runs when all of it stands in its place, and is the spool owner's whenever it waits in `new/`.
    ///
    /// - Parameter isAgain: the disk has refused it before, and much may have come meanwhile.
    public func place(_ job: Job, isAgain: Bool = false) throws(SystemError) {
        let target = Layout.directory(of: job.id, job.state)
        let status = job.status(host: host).json()
        switch job.place {
        case .file(let name):
            if job.isUnread, try isDirectory("\(Layout.new)/\(name)") {
                // A directory whose job cannot be used goes as it is.
                try fs.replace("\(Layout.new)/\(name)/\(Layout.statusFile)", status)
                try fs.rename("\(Layout.new)/\(name)", to: target)
                break
            }
            try makeRecord(of: job, status)
            // What it says is nowhere else: it must not be moved to where a power cut leaves nothing.
            if job.isUnread { try fs.sync(Layout.directory(job.state)) }
            try writeInputs(job, into: target)
            try moveFile(name, of: job, into: target, isAgain: isAgain)
            job.place = .directory(job.state)
            try give(target, of: job)
        case .nowhere:
            try makeRecord(of: job, status)
            try writeInputs(job, into: target)
            try writeSource(job, into: target)
            job.place = .directory(job.state)
            try give(target, of: job)
        case .directory(let state):
            let here = Layout.directory(of: job.id, state)
            do throws(SystemError) { try bring(job, from: here, to: target) } catch {
                // Somebody moved or removed the directory by hand.
                guard error.errno == ENOENT, try fs.status(here) == nil else { throw error }
                guard let stray = try stray(of: job) else {
                    try remake(job, at: target)
                    break
                }
                // Back first, as it is: a crash in between then finds what it would find without.
                try fs.renameNoReplace(stray, to: here)
                try bring(job, from: here, to: target)
            }
        }
        job.place = .directory(job.state)
    }

    private func bring(_ job: Job, from here: String, to target: String) throws(SystemError) {
        if job.state == .running {
            // Another user's record that was moved back into new/ is that user's, and the job in it may be root's now.
            if job.isDirectory, job.attempt == 1, !job.definition.isForAnother { try fs.takeBack(here) }
            try setAsideReports(of: job, in: here)
            // Again for each try: what a power cut left of them is not to be relied on.
            try writeInputs(job, into: here)
        }
        try setAsideStatus(of: job, in: here)
        try fs.replace("\(here)/\(Layout.statusFile)", try self.status(of: job, in: here))
        if job.state == .new, job.definition.isForAnother { try fs.takeBack(here) }
        if here != target { try fs.rename(here, to: target) }
        job.place = .directory(job.state)
        try give(target, of: job)
    }

    /// Puts back what is known of a job whose directory is gone, so that the job keeps a record, which says so.
    private func remake(_ job: Job, at target: String) throws(SystemError) {
        job.moved = "its directory was removed or moved away while it was in use; what it wrote until then is not here"
        try makeRecord(of: job, job.status(host: host).json())
        try writeInputs(job, into: target)
        try writeSource(job, into: target)
        try give(target, of: job)
    }

    /// Makes the job's directory, with its status in it: by one rename, so that nobody sees the one without the other.
    private func makeRecord(of job: Job, _ status: [UInt8]) throws(SystemError) {
        let aside = Layout.aside(of: job.id, job.state)
        let target = Layout.directory(of: job.id, job.state)
        try fs.makeDirectory(aside)
        try fs.create("\(aside)/\(Layout.statusFile)", status, mode: 0o600)
        do throws(SystemError) { try fs.rename(aside, to: target) } catch {
            // An earlier placement that failed, or the end of a daemon, has left the directory with something in it.
            guard error.isNotEmpty else { throw error }
            try fs.replace("\(target)/\(Layout.statusFile)", status)
            try fs.removeTree(aside)
        }
    }

    /// Takes up what a placement that failed has left in the directory of the state that the job was in then.
    public func gather(_ job: Job, from state: JobState) throws(SystemError) {
        let directory = Layout.directory(of: job.id, state)
        guard state != job.state else { return }
        try fs.removeTreeIfThere(Layout.aside(of: job.id, state))
        guard try isDirectory(directory) else { return }
        switch job.place {
        case .directory: return
        case .file where try fs.hasJobFile(directory):
            // It has been moved there, or what took its name since.
            var found = Recovery()
            try mendSource(of: job, in: state, &found)
            job.place = .directory(state)
        case .file, .nowhere: try fs.removeRecord(of: job.id, state)
        }
    }

    /// Makes a job's directory the user's as whom it runs. What it brought along goes with it, once; later the files that were written
    /// for this try, as the others are his or none of his.
    private func give(_ directory: String, of job: Job) throws(SystemError) {
        guard job.state != .new, job.definition.isForAnother, let owner = owner(job.definition) else { return }
        let written = [Layout.statusFile, Layout.payloadFile, Layout.scriptFile]
        try fs.give(directory, to: owner, only: job.attempt > 1 ? written : nil)
    }

    private func isDirectory(_ path: String) throws(SystemError) -> Bool { try fs.status(path)?.kind == .directory }

    /// The dropped file becomes the job's, if it is still the one that was read.
    private func moveFile(_ name: String, of job: Job, into directory: String, isAgain: Bool) throws(SystemError) {
        let from = "\(Layout.new)/\(name)"
        let to = "\(directory)/\(Self.jobFileName(for: name, job.source))"
        if try !takeIn(from, to: to, of: job, isAgain: isAgain) {
            // Withdrawn between the decision and here: the text that was read stands for it. Or this was cut off before: moved, and
            // perhaps written here since, or a part of it.
            guard let there = try fs.status(to), try !isWritten(there, for: job, at: to)
            else { return try writeSource(job, into: directory) }
        }
        // Another file that took its name since it was read is a drop of its own: it goes back, and the text that was read stands
        // for this job. A script, too, must run as it was read.
        guard let stamp = job.file, let moved = try fs.status(to), try !isSame(moved, as: stamp, of: job, at: to) else { return }
        try putBack(to, as: name)
        try writeSource(job, into: directory)
    }

    /// False: nothing stands there any more, or what has taken its name since the disk refused it, which stays where it is.
    private func takeIn(_ from: String, to: String, of job: Job, isAgain: Bool) throws(SystemError) -> Bool {
        if isAgain, let stamp = job.file, stamp.inode != 0, let status = try fs.status(from), status.inode != stamp.inode { return false }
        do throws(SystemError) { try fs.rename(from, to: to) } catch {
            guard error.errno == ENOENT else { throw error }
            return false
        }
        return true
    }

    /// Whether what was moved is what was read. Times alone may change afterwards, by programs that copy them last; then
    /// the text decides.
    private func isSame(_ moved: FileStatus, as stamp: FileStamp, of job: Job, at path: String) throws(SystemError) -> Bool {
        if stamp.inode == 0 { return true }
        if moved.inode != stamp.inode { return false }
        // A rejected file's text is not kept; it was no job before, and nobody ran it.
        if job.isUnread || moved.size == stamp.size && moved.modifiedNanoseconds == stamp.modifiedNanoseconds { return true }
        if moved.size != stamp.size { return false }
        // With a task, the text that is kept holds its keys too.
        if job.task != nil { return true }
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { return false }
        return bytes == job.source.bytes
    }

    /// Whether a job's file is what `writeSource` writes, or the beginning of it.
    private func isWritten(_ status: FileStatus, for job: Job, at path: String) throws(SystemError) -> Bool {
        if job.file?.inode == status.inode { return false }
        guard case .file(_, let bytes) = try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) else { return false }
        return job.source.bytes.starts(with: bytes)
    }

    /// Gives a file back to `new/` under its name, or one like it when that is taken again. On the disk when this returns: it may be
    /// taken up as another job at once, and a power cut after that must not bring it back here.
    func putBack(_ path: String, as name: String) throws(SystemError) {
        try moveBack(path, as: name)
        try makeLossDurable(of: String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
    }

    /// What has gone from a job's directory back to `new/` does not come back by a power cut.
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
                // It was given back before, and a power cut has kept both names.
                if try isOneFile(path, "\(Layout.new)/\(free)") { return try fs.removeFile(path) }
                number += 1
                let stem = Self.stem(of: name)
                // A name of full length loses its end, not the number.
                free = "\(number)-\(String(decoding: FileName.bytes(of: stem).prefix(200), as: UTF8.self))\(name.dropFirst(stem.count))"
            }
        }
    }

    /// Whether two names are of the same file.
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

    /// What a run reads besides the job's file: its payload, and the text of `script`.
    private func writeInputs(_ job: Job, into directory: String) throws(SystemError) {
        guard job.state == .running else { return }
        if let payload = job.definition.payload {
            try fs.create("\(directory)/\(Layout.payloadFile)", payload, mode: 0o600)
        }
        if case .script(let text) = job.definition.action {
            try fs.create("\(directory)/\(Layout.scriptFile)", FileName.bytes(of: text), mode: 0o700)
        }
    }
}

extension Job {
    /// Its file could not be used, and what that says is nowhere else.
    var isUnread: Bool { reason == .rejected && source.bytes.isEmpty }
}
