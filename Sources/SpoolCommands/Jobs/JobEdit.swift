import Linux
import Store

/// The text of a job that has not started, and its replacement.
///
/// The daemon replaces the file and takes the new text up in one turn, so no job starts with half a change. It refuses when the job has
/// started meanwhile, or when another program has changed the file since it was read. Without a daemon, spoolctl replaces the file.
struct JobEdit: DefinitionEdit {
    let session: Session
    let file: String
    let path: String
    let source: Source
    private let record: JobRecord
    private let fs: DiskFileSystem
    private let status: FileStatus

    var label: String { "job \(session.qualified(record.status.id))" }

    init(_ session: Session, _ record: JobRecord) throws(Failure) {
        self.session = session
        self.record = record
        fs = try session.openSpoolForWriting()
        let id = session.qualified(record.status.id)
        switch record.place.state {
        case .new: break
        case .running: throw Failure(ExitCode.failed, "\(id) runs already; only a job that has not started can be changed")
        case .done, .failed:
            throw Failure(ExitCode.failed, "\(id) has already ended: \(record.status.brief); spoolctl retry runs it again")
        }
        guard record.status.attempt == 0 || record.place.isFile else {
            throw Failure(ExitCode.failed, "\(id) waits for its next try; only a job that has not started can be changed")
        }
        let fs = fs
        let names = record.place.isFile ? [""] : Source.fileNames.map { "/\($0)" }
        for name in names {
            let path = record.place.path + name
            let taken = try attempt { () throws(SystemError) in try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) }
            guard case .file(let status, let bytes) = taken else { continue }
            let file = String(path.split(separator: "/").last ?? "job")
            guard let format = Source.format(ofFile: file, firstBytes: bytes, isExecutable: status.mode & 0o111 != 0) else { continue }
            (self.path, self.file, self.status) = (path, file, status)
            source = Source(format: format, bytes: bytes)
            return
        }
        throw Failure(ExitCode.failed, "\(id) has just started, or its file is being written; try again")
    }

    func report(_ changed: Source) throws(Failure) {
        session.output.noteChange("changed \(label)")
        session.printID(session.qualified(record.status.id))
        session.output.flush()
        guard !session.isTerse else { return }
        var records = try session.records()
        let id = record.status.id
        let start = try session.reading { () throws(JournalError) in try records.record(of: id) }?.status.scheduledAt
        if let start, start != record.status.scheduledAt { session.remarkStart(start) }
        try session.remarkOnStart(of: changed, task: record.status.task)
    }

    func write(_ changed: Source) throws(Failure) -> [ScheduleDefinition] {
        try check(changed)
        let (fs, file, mode) = (fs, file, UInt32(status.mode & 0o755))
        let temporary = try attempt { () throws(SystemError) in try fs.compose(changed.bytes, for: file, mode: mode) }
        do throws(Failure) {
            if try session.daemon() == nil { try replace(with: temporary) } else { try ask(temporary) }
        } catch {
            try? fs.removeFile(temporary)  // taken, or litter; the first error is reported
            throw error
        }
        return []
    }

    /// Refuses a text that the daemon would refuse.
    private func check(_ changed: Source) throws(Failure) {
        let context = try session.context()
        let table: Table
        do throws(Problems) { table = try changed.table() } catch { throw Failure(file: path, error) }
        if let task = table.text("task") { return try TaskRun(session).check(changed, task: task, file: path) }
        do throws(Problems) { _ = try JobDefinition.accept(table, isScript: changed.format == .script, context) } catch {
            throw Failure(file: path, error)
        }
    }

    private func ask(_ temporary: String) throws(Failure) {
        let id = session.qualified(record.status.id)
        let answer = try ControlRequest(session).make { writer in
            writer.member("do", "update")
            writer.member("id", record.status.id)
            writer.member("file", String(temporary.dropFirst(Layout.temporary.count + 1)))
            writer.member("inode", String(status.inode))
        }
        guard let answer else { throw Failure(ExitCode.failed, "spoold ended before it answered; see spoolctl status \(id)") }
        guard answer.code == ExitCode.done else { throw Failure(answer.code, "\(id): \(answer.message)") }
    }

    /// Replaces the file while no daemon serves the spool.
    private func replace(with temporary: String) throws(Failure) {
        guard record.place.isFile else {
            let id = session.qualified(record.status.id)
            throw Failure(ExitCode.failed, "spoold is not running; only it can change \(id), which is a directory")
        }
        let (fs, path) = (fs, path)
        let present = try attempt { () throws(SystemError) in try fs.status(path) }
        guard present?.inode == status.inode else {
            throw Failure(ExitCode.failed, "\(path) was changed or taken by another program meanwhile; try again")
        }
        try attempt { () throws(SystemError) in
            try fs.rename(temporary, to: path)
            try fs.sync(Layout.new)
        }
    }
}
