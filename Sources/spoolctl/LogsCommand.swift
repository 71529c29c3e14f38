import Glibc
import Linux
import Store

extension Command {
    static let logs = Command(
        "logs", "ID [-f] [--stderr] [--try N]", "print a job's output",
        details: [
            "Prints standard output, or with --stderr standard error; of the last try, unless --try names another. On a terminal control characters other than colours are escaped, unless --raw is given."
        ],
        options: [
            Option("follow", "f", "go on until the job has ended"),
            Option("stderr", "e", "standard error"),
            Option("try", value: "N", "the output of try N"),
            Option("raw", "to a terminal too, as it came"),
        ],
        examples: [
            Example("spoolctl logs -f \"$id\"", "follows a job, also one that has not begun"),
            Example("spoolctl logs --stderr --try 1 k3f9ab", "what the first try complained of"),
        ]
    ) { session throws(Failure) in
        let text = try session.operand("a job's ID")
        var records = try session.records()
        let record = try session.job(text, &records)
        var logs = try JobLogs(session, records, id: record.place.id)
        return try logs.run()
    }
}

private struct JobLogs {
    private let session: Session
    private var records: JobRecords<DiskFileSystem>
    private let id: String
    private let file: String
    private let wantedTry: Int?
    /// What is being printed: the inode tells whether the name still means the same file.
    private var open: (raw: Int32, inode: UInt64)?

    init(_ session: Session, _ records: JobRecords<DiskFileSystem>, id: String) throws(Failure) {
        self.session = session
        self.records = records
        self.id = id
        file = session.arguments.flag("stderr") ? Layout.errorFile : Layout.outputFile
        let wantedTry = try session.count("try", default: 0)
        self.wantedTry = wantedTry > 0 ? wantedTry : nil
    }

    mutating func run() throws(Failure) -> Int32 {
        guard session.arguments.flag("follow") else { return try printOnce() }
        let watch = try JobWatch(spool: session.spoolPath)
        while true {
            guard let record = try look() else {
                // Withdrawn, or its record was removed while we followed it.
                try copy()
                return ExitCode.done
            }
            watch.add(record.place.path)
            try openCurrent(record, watch)
            try copy()
            // The end was seen before the last bytes were read, so nothing comes after these.
            if record.place.state.isTerminal { return ExitCode.done }
            _ = try watch.wait(for: [id])
        }
    }

    private mutating func printOnce() throws(Failure) -> Int32 {
        guard let record = try look() else { throw .notFound("there is no job \"\(id)\" any more") }
        if let wantedTry, wantedTry > max(record.status.attempt, 1) {
            throw .notFound("\(id) has had \(record.status.attempt) tries, not \(wantedTry)")
        }
        if record.place.isFile || record.status.attempt == 0, record.place.state == .new {
            session.complain("\(id) has not begun")
            return ExitCode.done
        }
        try openCurrent(record, nil)
        try copy()
        return ExitCode.done
    }

    private mutating func look() throws(Failure) -> JobRecord? {
        do throws(JournalError) { return try records.record(of: id) } catch { throw Failure(error) }
    }

    /// Opens the output of the try in question, when it is another file than the one that is open.
    private mutating func openCurrent(_ record: JobRecord, _ watch: JobWatch?) throws(Failure) {
        guard !record.place.isFile else { return }
        var names = [file]
        // The last try's output has no number; that of an earlier one has its own.
        if let wantedTry, wantedTry < record.status.attempt || record.place.state == .new { names = ["\(file).\(wantedTry)", file] }
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

    private func copy() throws(Failure) {
        try attempt { () throws(SystemError) in try copyRest() }
        session.output.flush()
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
            session.output.writeOutput(chunk, raw: session.arguments.flag("raw"))
        }
    }
}
