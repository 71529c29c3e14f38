import Glibc
import Store

extension Command {
    static let retry = Command(
        "retry", "ID… [-w]", "run ended jobs again, as new jobs, and print their ids",
        details: ["The new job has the same file and is linked to the old one by retry_of; the old record stays."],
        options: [Option("wait", "w", "wait for their end and exit with their code"), Option.cancelOnInterrupt],
        examples: [Example("spoolctl jobs -q --state failed --since 1d | xargs spoolctl retry", "everything that failed today")]
    ) { session throws(Failure) in
        let texts = try session.operands("a job's ID")
        let fs = try session.openSpoolForWriting()
        var records = try session.records()
        var drop = JobDrop(fs)
        var ids: [JobID] = []
        var code = ExitCode.done
        for text in texts {
            do throws(Failure) {
                let record = try session.job(text, &records)
                ids.append(try session.retry(record, fs, &drop))
            } catch {
                for line in error.lines { session.complain(line) }
                if code == ExitCode.done { code = error.code }
            }
        }
        let waited = try session.told(ids)
        return code == ExitCode.done ? waited : code
    }
}

extension Session {
    /// Composes the job's directory anew in tmp/ and gives it its name in new/ by one rename.
    func retry(_ record: JobRecord, _ fs: DiskFileSystem, _ drop: inout JobDrop) throws(Failure) -> JobID {
        let old = record.place
        guard old.state.isTerminal, record.status.state.isTerminal else {
            throw Failure(ExitCode.failed, "\(old.id) has not ended: it is \(old.state.rawValue)")
        }
        var found: (file: String, mode: UInt32, bytes: [UInt8])?
        for file in Source.fileNames where found == nil {
            let taken = try attempt { () throws(SystemError) in try fs.take("\(old.path)/\(file)", limit: Source.bytesMax, ignoringWriters: true) }
            if case .file(let status, let bytes) = taken {
                // Who was given the directory of a job may have put another file there.
                if geteuid() == 0, status.owner != 0 {
                    throw Failure(ExitCode.failed, "\(spoolPath)/\(old.path)/\(file) belongs to user \(status.owner), who may have written it; nothing was submitted")
                }
                found = (file, status.mode & 0o777, bytes)
            }
        }
        guard let found else { throw Failure(ExitCode.failed, "\(old.id) has no file to run again in \(spoolPath)/\(old.path)") }
        if record.status.reason == .rejected { try refuseInvalid(found.file, found.mode, found.bytes, "\(old.path)/\(found.file)") }
        let id = drop.nextID(JobID(old.id)?.name ?? Name.sanitized(old.id))
        try attempt { () throws(SystemError) in
            let directory = "\(Layout.temporary)/\(id)"
            try fs.makeDirectory(directory)
            try fs.create("\(directory)/\(found.file)", found.bytes, mode: found.mode)
            try fs.create("\(directory)/\(Layout.statusFile)", record.json, mode: 0o600)
            // Nobody writes to an input, so that both jobs can have the same.
            let input = "\(old.path)/\(Layout.inputFile)"
            if let brought = try fs.status(input), brought.kind == .file, try fs.status(old.path)?.owner == brought.owner { try fs.link(input, to: "\(directory)/\(Layout.inputFile)") }
            try fs.sync("\(directory)/\(found.file)")
            try fs.sync("\(directory)/\(Layout.statusFile)")
            try fs.sync(directory)
            try fs.renameNoReplace(directory, to: "\(Layout.new)/\(id)")
            try fs.sync(Layout.new)
        }
        return id
    }

    /// A file that was rejected is only worth another try when it has been mended.
    private func refuseInvalid(_ file: String, _ mode: UInt32, _ bytes: [UInt8], _ path: String) throws(Failure) {
        guard let format = Source.format(ofFile: file, firstBytes: bytes, isExecutable: mode & 0o111 != 0) else {
            throw .invalid("\(path): is no job; nothing was submitted")
        }
        let table: Table
        do throws(Problems) { table = try Source(format: format, bytes: bytes).table() } catch { throw Failure(file: path, error) }
        if let task = table.text("task") { return try TaskRun(self).check(table, task: task, file: path) }
        let context = try context()
        do throws(Problems) { _ = try JobDefinition.read(table, isScript: format == .script, context) } catch {
            throw Failure(file: path, error)
        }
    }
}
