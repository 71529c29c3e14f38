import Scheduler
import Store

/// The replacement of a waiting job's text, as a request asks for it: the new text is a file in tmp/, which becomes the job's file.
///
/// Invariants:
/// - The text is replaced whole, by one rename, and only if it can be used. The job is taken up again in the same turn, so it starts with
///   the old text or with the new one.
/// - The file that the author of the request has read is replaced, and no other.
struct JobTextChange<FS: FileSystem, W: World> {
    let service: Service<FS, W>
    let job: Job
    let text: JobRequest.Text

    /// The answer: an exit code and a sentence.
    func carryOut() throws(SystemError) -> (code: Int, message: String) {
        switch job.state {
        case .new: break
        case .running: return (1, "has started meanwhile, with its old text")
        case .done, .failed: return (1, "has ended meanwhile")
        }
        guard job.attempt == 0 else { return (1, "waits for its next try; only a job that has not started can be changed") }
        guard let path = try path(), try fs.status(path)?.inode == text.inode else {
            return (1, "its file was changed by another program meanwhile; try again")
        }
        let temporary = "\(Layout.temporary)/\(text.file)"
        guard case .file(let status, let bytes) = try fs.take(temporary, limit: Source.bytesMax, ignoringWriters: true),
            let format = Source.format(ofFile: path, firstBytes: bytes, isExecutable: status.mode & 0o111 != 0)
        else { return (4, "the new text cannot be read") }
        let read: (source: Source, definition: JobDefinition, task: String?)
        do throws(Problems) {
            read = try Source(format: format, bytes: bytes).job(service.context) { service.scheduler.tasks[$0]?.definition }
        } catch {
            return (4, error.all.map { "\($0)" }.joined(separator: "; "))
        }
        // The text in a job's directory has the keys of the task, and not its name.
        let isOfTask = read.task == job.task || read.task == nil && service.spool.places[job] == .directory(.new)
        guard isOfTask else { return (4, "the task of a job cannot be changed") }
        let accepted = changed(read.source, read.definition)
        guard let onRecord = try service.intake.onRecord(for: accepted) else {
            return (1, "a job that the new text names is still being written; try again")
        }
        if let obstacle = service.scheduler.obstacle(to: accepted, onRecord) { return (4, obstacle) }
        // Each is repeated by itself: a rename that has been made cannot be made again.
        try service.persistently { () throws(SystemError) in try fs.rename(temporary, to: path) }
        try service.persistently { () throws(SystemError) in
            try fs.sync(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
        }
        if case .file(let name) = service.spool.places[job] {
            try service.intake.take(name, [.settled, .movedIn])
        } else {
            service.handle(.dropped(accepted, onRecord))
        }
        // The job with the new text has a place of its own.
        if service.scheduler.jobs[job.id] !== job { service.spool.forgetPlace(of: job) }
        guard let changed = service.scheduler.jobs[job.id], changed !== job, !changed.state.isTerminal else {
            return (1, "its new text could not be taken up; spoolctl why says more")
        }
        service.log.write(.notice, "update", at: service.now, ["id": job.id.text])
        return (0, "changed")
    }

    private var fs: FS { service.spool.fs }

    /// The path of the job's file. Nil when it is not there.
    private func path() throws(SystemError) -> String? {
        switch service.spool.places[job] {
        case .file(let name): return "\(Layout.new)/\(name)"
        case .directory(.new):
            for name in Source.fileNames {
                let path = "\(Layout.directory(of: job.id, .new))/\(name)"
                if try fs.status(path) != nil { return path }
            }
            return nil
        case .directory, .nowhere: return nil
        }
    }

    /// The job with its new text.
    private func changed(_ stored: Source, _ definition: JobDefinition) -> AcceptedJob {
        var accepted = job.accepted
        accepted.source = stored
        // Without `start`, the scheduler keeps the due time of the job.
        if let start = definition.start { accepted.notBefore = start }
        accepted.definition = definition
        if service.spool.places[job] == .directory(.new) { accepted.isDirectory = true }
        return accepted
    }
}
