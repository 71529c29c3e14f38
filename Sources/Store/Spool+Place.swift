// Bringing a job to its place.

import Glibc

extension Spool {
    /// Brings the job to the directory that its state names, with a `status.json` that says how it stands.
    ///
    /// The order within matters: a directory is complete before the job's file enters it, and `status.json` is new before
    /// the directory moves, so that whoever sees a job in a directory sees its truth there.
    public func place(_ job: Job) throws(SystemError) {
        let target = Layout.directory(of: job.id, job.state)
        let status = job.status(host: host).json()
        switch job.place {
        case .file(let name):
            try fs.makeDirectory(target)
            try fs.create("\(target)/\(Layout.statusFile)", status, mode: 0o600)
            try writeInputs(job, into: target)
            try moveFile(name, of: job, into: target)
        case .nowhere:
            try fs.makeDirectory(target)
            try fs.create("\(target)/\(Layout.statusFile)", status, mode: 0o600)
            try writeInputs(job, into: target)
            try writeSource(job, into: target)
        case .directory(let state):
            let here = Layout.directory(of: job.id, state)
            do throws(SystemError) {
                if job.state == .running {
                    try setAsideOutput(of: job, in: here)
                    if job.attempt == 1 || job.retryOf != nil { try writeInputs(job, into: here) }
                }
                try fs.replace("\(here)/\(Layout.statusFile)", status)
                if state != job.state { try fs.rename(here, to: target) }
            } catch {
                // Somebody removed the directory by hand: put back what is known, so that the job keeps a record.
                guard error.errno == ENOENT, try fs.status(here) == nil else { throw error }
                try fs.makeDirectory(target)
                try fs.create("\(target)/\(Layout.statusFile)", status, mode: 0o600)
                try writeInputs(job, into: target)
                try writeSource(job, into: target)
            }
        }
        job.place = .directory(job.state)
    }

    /// The dropped file becomes the job's, if it is still the one that was read.
    private func moveFile(_ name: String, of job: Job, into directory: String) throws(SystemError) {
        let from = "\(Layout.new)/\(name)"
        let to = "\(directory)/\(Self.jobFileName(for: name, job.source))"
        do throws(SystemError) { try fs.rename(from, to: to) } catch {
            guard error.errno == ENOENT else { throw error }
            // Withdrawn between the decision and here, or moved before a crash: the text that was read stands for it.
            if try fs.status(to) == nil { try writeSource(job, into: directory) }
            return
        }
        // Another that took its name meanwhile is a drop of its own, and a script would run it: it goes back.
        if let stamp = job.file, stamp.inode != 0, let now = try fs.status(to), now.inode != stamp.inode {
            try fs.renameNoReplace(to, to: from)
            try writeSource(job, into: directory)
        }
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
            try fs.create("\(directory)/\(Layout.scriptFile)", Array(text.utf8), mode: 0o700)
        }
    }

    /// Before try N the output of try N-1 becomes `stdout.N-1`.
    private func setAsideOutput(of job: Job, in directory: String) throws(SystemError) {
        guard job.attempt > 1 else { return }
        for name in [Layout.outputFile, Layout.errorFile] {
            do throws(SystemError) {
                try fs.renameNoReplace("\(directory)/\(name)", to: "\(directory)/\(name).\(job.attempt - 1)")
            } catch {
                // ENOENT: that try wrote none. EEXIST: done before a crash.
                guard error.errno == ENOENT || error.errno == EEXIST else { throw error }
            }
        }
    }
}
