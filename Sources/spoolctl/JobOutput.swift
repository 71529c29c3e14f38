import Glibc
import Linux
import Store

/// One of a job's outputs, copied as it is written. With each try its name comes to mean another file, which the inode tells.
final class JobOutput {
    private let session: Session
    private let file: String
    private let attempt: Int?
    private let sink: Output
    /// What is being copied.
    private var open: (raw: Int32, inode: UInt64)?

    /// `file`: `stdout` or `stderr`, of the last try, or of try `attempt`.
    init(_ session: Session, _ file: String, of attempt: Int? = nil, to sink: Output) {
        self.session = session
        self.file = file
        self.attempt = attempt
        self.sink = sink
    }

    deinit {
        if let open { close(open.raw) }
    }

    /// Copies what is there by now of the job that was just seen there. With a `watch`, more of it wakes that.
    func follow(_ record: JobRecord, _ watch: JobWatch?) throws(Failure) {
        try openCurrent(record, watch)
        try copy()
    }

    /// What is there by now of the job that was just seen there.
    func read(_ record: JobRecord) throws(Failure) -> [UInt8] {
        try openCurrent(record, nil)
        guard let raw = open?.raw else { return [] }
        open = nil
        return try spoolctl.attempt { () throws(SystemError) in try FileDescriptor(owning: raw).readAll() }
    }

    /// Copies what has come since.
    func copy() throws(Failure) {
        try spoolctl.attempt { () throws(SystemError) in try copyRest() }
        sink.flush()
    }

    /// Opens the output of the try in question, when it is another file than the one that is open.
    private func openCurrent(_ record: JobRecord, _ watch: JobWatch?) throws(Failure) {
        guard !record.place.isFile else { return }
        var names = [file]
        // The last try's output has no number; that of an earlier one has its own.
        // After those of the jobs that it repeats, whose output it has brought along.
        if let attempt, attempt < record.status.attempt || record.place.state == .new {
            names = ["\(file).\(record.status.earlierTries + attempt)", file]
        }
        for name in names {
            let path = "\(record.place.path)/\(name)"
            do throws(SystemError) {
                let descriptor = try FileDescriptor.open("\(session.spoolPath)/\(path)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                let status = try descriptor.status()
                guard status.kind == .file else { return }
                if let open, open.inode == status.inode { return }
                try copyRest()
                if let open { close(open.raw) }
                open = (descriptor.release(), status.inode)
                watch?.add(path)
                return
            } catch {
                // Not begun, or moved on meanwhile: the next look finds it.
                if error.errno != SystemError.noSuchFile { throw Failure(error) }
            }
        }
    }

    private func copyRest() throws(SystemError) {
        guard let open else { return }
        while true {
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
                let result = Glibc.read(open.raw, buffer.baseAddress, buffer.count)
                count = max(result, 0)
                failure = result < 0 ? errno : 0
            }
            if failure == EINTR { continue }
            if failure != 0 { throw SystemError(call: "read", path: file, errno: failure) }
            if chunk.isEmpty { return }
            sink.writeOutput(chunk, raw: session.arguments.flag("raw"))
        }
    }
}
