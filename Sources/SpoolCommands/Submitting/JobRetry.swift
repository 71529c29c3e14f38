import Glibc
import Linux
import Store

extension Session {
    /// Submits an ended job again: composes a new directory in tmp/ and renames it into new/.
    func retry(_ record: JobRecord, _ fs: DiskFileSystem, _ drop: inout JobDrop) throws(Failure) -> JobID {
        let old = record.place
        guard old.state.isTerminal, record.status.state.isTerminal else {
            throw Failure(ExitCode.failed, "\(old.id) has not ended: it is \(old.state.rawValue)")
        }
        var found: (file: String, mode: UInt32, bytes: [UInt8])?
        for file in Source.fileNames where found == nil {
            let taken = try attempt { () throws(SystemError) in
                try fs.take("\(old.path)/\(file)", limit: Source.bytesMax, ignoringWriters: true)
            }
            if case .file(let status, let bytes) = taken {
                // The user who owns a job's directory may have put another file there.
                if geteuid() == 0, status.owner != 0 {
                    throw Failure(
                        ExitCode.failed,
                        "\(spoolPath)/\(old.path)/\(file) belongs to user \(status.owner), who may have changed it; nothing was submitted")
                }
                found = (file, status.mode & 0o777, bytes)
            }
        }
        let input = "\(old.path)/\(Layout.inputFile)"
        if let given = try attempt({ () throws(SystemError) in try fs.status(input) }), given.kind == .fifo || given.kind == .symbolicLink {
            throw Failure(
                ExitCode.failed,
                "\(old.id): its standard input came from spoolctl submit -w and was not stored: it had not reached its end, "
                    + "or was larger than 64 MiB or than the free space; submit the job again")
        }
        guard let found else { throw Failure(ExitCode.failed, "\(old.id) has no file to run again in \(spoolPath)/\(old.path)") }
        try refuseInvalid(found.file, found.mode, found.bytes, "\(old.path)/\(found.file)")
        if let format = Source.format(ofFile: found.file, firstBytes: found.bytes, isExecutable: true),
            let unique = Source(format: format, bytes: found.bytes).unique, let holder = try holder(of: unique, Spool(fs, host: "")),
            holder.text != old.id
        {
            throw Failure(ExitCode.failed, "\(old.id): unique \"\(unique.key)\" is taken by \(holder); nothing was submitted")
        }
        let id = drop.nextID(JobID(old.id)?.name ?? Name.sanitized(old.id))
        try attempt { () throws(SystemError) in
            let directory = "\(Layout.temporary)/\(id)"
            try fs.makeDirectory(directory)
            try fs.create("\(directory)/\(found.file)", found.bytes, mode: found.mode)
            try fs.create("\(directory)/\(Layout.statusFile)", record.json, mode: 0o600)
            // An input is never changed, so both jobs share one file.
            if let stored = try fs.status(input), stored.kind == .file, try fs.status(old.path)?.owner == stored.owner {
                try fs.link(input, to: "\(directory)/\(Layout.inputFile)")
            }
            try fs.sync("\(directory)/\(found.file)")
            try fs.sync("\(directory)/\(Layout.statusFile)")
            try fs.sync(directory)
            try fs.renameNoReplace(directory, to: "\(Layout.new)/\(id)")
            try fs.sync(Layout.new)
        }
        return id
    }

    /// Refuses a file that the daemon would reject: one that was rejected and not corrected since, or whose task was removed.
    private func refuseInvalid(_ file: String, _ mode: UInt32, _ bytes: [UInt8], _ path: String) throws(Failure) {
        guard let format = Source.format(ofFile: file, firstBytes: bytes, isExecutable: mode & 0o111 != 0) else {
            throw .invalid("\(path): is not a job; nothing was submitted")
        }
        let source = Source(format: format, bytes: bytes)
        let context = try context()
        do throws(Problems) {
            if let name = try source.table().text("task") {
                let entry: TaskDefinition
                do throws(Failure) { entry = try inForce(try TaskCatalog(self, withSchedules: false).entry(name)) } catch {
                    throw Problems(DocumentError(position: Position(line: 1, column: 1), message: error.lines.joined(separator: "; ")))
                }
                _ = try source.job(context) { _ in entry }
            } else {
                _ = try source.job(context) { _ in nil }
            }
        } catch {
            throw Failure(file: path, error)
        }
    }
}
