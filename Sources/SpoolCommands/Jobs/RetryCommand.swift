import Glibc
import Store

extension Command {
    static let retry = Command(
        "retry", "ID… | [filters] [-w] [--with-dependents]", "run ended jobs again, as new jobs, and print their ids",
        details: [
            "The new job has the same file and is linked to the old one by retry_of; the old record stays. It takes the old one's place for all that comes after that: an id in after means the newest retry.",
            "With filters, which are those of jobs, failed jobs are chosen; --state done chooses others. What has been retried already is left out, and so is what was canceled, or replaced by a newer run, unless --reason names that.",
        ],
        options: [
            Option("failed", "all failed jobs that the other filters match, or all of them"),
            Option("with-dependents", "the jobs too that failed with dependency because of these"),
            Option("wait", "w", "wait for their end and exit with their code"), Option.cancelOnInterrupt,
        ] + JobSelection.options,
        examples: [
            Example("spoolctl retry --failed --since 1d", "everything that failed today and was not retried since"),
            Example("spoolctl retry --with-dependents \"$id\"", "a job, and the chain that it broke"),
        ]
    ) { session throws(Failure) in
        let selection = try JobSelection(session, states: [.done, .failed], usually: [.failed], flag: "failed")
        var retry = RetryRun(session, selection)
        return try retry.run()
    }
}

/// One call of `retry`.
private struct RetryRun {
    private let session: Session
    private let selection: JobSelection
    private var code = ExitCode.done
    private var retried: [(part: Session, ids: [JobID])] = []
    private var count = 0
    private var superseded = 0
    private var canceled = 0

    init(_ session: Session, _ selection: JobSelection) {
        self.session = session
        self.selection = selection
    }

    mutating func run() throws(Failure) -> Int32 {
        if let filter = selection.filter {
            let failure = try EverybodysSpool.each(session) { part throws(Failure) in
                var plan = RetryPlan(part, try selection.matches(in: part))
                try plan.leaveOut(filter)
                superseded += plan.superseded
                canceled += plan.canceled
                try retry(plan, part)
            }
            if code == ExitCode.done { code = failure }
            summarize()
        } else {
            var chosen: [JobRecord] = []
            var records = try session.records()
            for text in session.arguments.operands {
                do throws(Failure) { chosen.append(try session.job(text, &records)) } catch { complain(error) }
            }
            try retry(RetryPlan(session, chosen), session)
        }
        guard session.arguments.flag("wait"), !selection.isDry else { return code }
        for (part, ids) in retried {
            let waited = try part.asOwner { () throws(Failure) in try part.wait(for: ids) }
            if code == ExitCode.done { code = waited }
        }
        return code
    }

    /// Runs the records of a plan again, the oldest first, and prints the new ids.
    private mutating func retry(_ plan: RetryPlan, _ part: Session) throws(Failure) {
        var plan = plan
        if session.arguments.flag("with-dependents") { try plan.addDependents() }
        guard !plan.records.isEmpty else { return }
        if selection.isDry {
            for record in plan.records { print(part.qualified(record.place.id)) }
            count += plan.records.count
            return
        }
        let fs = try part.openSpoolForWriting()
        var drop = JobDrop(fs)
        var ids: [JobID] = []
        for record in plan.records {
            do throws(Failure) {
                let id = try part.retry(record, fs, &drop)
                ids.append(id)
                session.output.did("queued as \(part.qualified(id.text))")
                print(part.qualified(id.text))
            } catch { complain(error) }
        }
        session.output.flush()
        count += ids.count
        retried.append((part, ids))
    }

    private mutating func complain(_ failure: Failure) {
        for line in failure.lines { session.complain(line) }
        if code == ExitCode.done { code = failure.code }
    }

    /// What a call that chose the jobs by itself has done.
    private func summarize() {
        guard !session.isQuiet, !session.isJSON else { return }
        var left: [String] = []
        if superseded > 0 { left.append("\(superseded) that \(superseded == 1 ? "has" : "have") been retried") }
        if canceled > 0 { left.append("\(canceled) that \(canceled == 1 ? "was" : "were") canceled or replaced") }
        let rest = left.isEmpty ? "" : "; left out \(left.joined(separator: " and "))"
        if count == 0, code == ExitCode.done { return session.complain("no job to retry matches\(rest)") }
        session.complain("\(selection.isDry ? "would retry" : "retried") \(count) job\(count == 1 ? "" : "s")\(rest)")
    }

    private func print(_ id: String) {
        guard session.isJSON else { return session.output.line(id) }
        var writer = JSONWriter(reserving: 128)
        writer.beginObject()
        writer.member("id", id)
        writer.endObject()
        session.output.line(String(decoding: writer.bytes, as: UTF8.self))
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
        let input = "\(old.path)/\(Layout.inputFile)"
        if let given = try attempt({ () throws(SystemError) in try fs.status(input) }), given.kind == .fifo || given.kind == .symbolicLink {
            throw Failure(
                ExitCode.failed,
                "\(old.id): its standard input was given by spoolctl submit -w, and is not kept: it had not come to its end, "
                    + "or was more than 64 MiB or than the disk had room for; submit the job anew")
        }
        guard let found else { throw Failure(ExitCode.failed, "\(old.id) has no file to run again in \(spoolPath)/\(old.path)") }
        try refuseInvalid(found.file, found.mode, found.bytes, "\(old.path)/\(found.file)")
        if let format = Source.format(ofFile: found.file, firstBytes: found.bytes, isExecutable: true),
            let unique = Source(format: format, bytes: found.bytes).unique, let holder = try holder(of: unique, Spool(fs, host: "")), holder.text != old.id
        {
            throw Failure(ExitCode.failed, "\(old.id): unique \"\(unique.key)\" is taken by \(holder); nothing was submitted")
        }
        let id = drop.nextID(JobID(old.id)?.name ?? Name.sanitized(old.id))
        try attempt { () throws(SystemError) in
            let directory = "\(Layout.temporary)/\(id)"
            try fs.makeDirectory(directory)
            try fs.create("\(directory)/\(found.file)", found.bytes, mode: found.mode)
            try fs.create("\(directory)/\(Layout.statusFile)", record.json, mode: 0o600)
            // Nobody writes to an input, so that both jobs can have the same.
            if let brought = try fs.status(input), brought.kind == .file, try fs.status(old.path)?.owner == brought.owner { try fs.link(input, to: "\(directory)/\(Layout.inputFile)") }
            try fs.sync("\(directory)/\(found.file)")
            try fs.sync("\(directory)/\(Layout.statusFile)")
            try fs.sync(directory)
            try fs.renameNoReplace(directory, to: "\(Layout.new)/\(id)")
            try fs.sync(Layout.new)
        }
        return id
    }

    /// What the daemon would reject is not submitted: a file that was rejected and has not been mended, or whose task is gone.
    private func refuseInvalid(_ file: String, _ mode: UInt32, _ bytes: [UInt8], _ path: String) throws(Failure) {
        guard let format = Source.format(ofFile: file, firstBytes: bytes, isExecutable: mode & 0o111 != 0) else {
            throw .invalid("\(path): is no job; nothing was submitted")
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
