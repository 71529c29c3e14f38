import Store

/// The output of `logs` for one job.
struct JobLogs {
    private let session: Session
    private var records: JobRecords<DiskFileSystem>
    private let id: String
    /// `stdout`, `stderr`, or both.
    private let files: [String]
    /// The only try to print, or the first one.
    private let wantedTry: Int?
    private let sinceTry: Int?
    /// The number of lines at the end of each output that are printed; nil for all.
    private let lastLines: Int?

    init(_ session: Session, _ records: JobRecords<DiskFileSystem>, id: String) throws(Failure) {
        self.session = session
        self.records = records
        self.id = id
        let arguments = session.arguments
        if arguments.flag("stdout") == arguments.flag("stderr") {
            files = [Layout.outputFile, Layout.errorFile]
        } else {
            files = [arguments.flag("stdout") ? Layout.outputFile : Layout.errorFile]
        }
        let wantedTry = try session.count("try", default: 0)
        self.wantedTry = wantedTry > 0 ? wantedTry : nil
        sinceTry = arguments.value("since-try") == nil ? nil : max(1, try session.count("since-try", default: 1))
        lastLines = arguments.value("lines") == nil ? nil : try session.count("lines", default: 0)
        if self.wantedTry != nil, sinceTry != nil { throw .usage("--try and --since-try exclude each other; give one") }
        if session.isJSON, arguments.flag("follow") { throw .usage("--json prints the output so far; it cannot be used with --follow") }
    }

    mutating func run() throws(Failure) {
        guard let record = try readRecord() else { throw .notFound("the record of job \"\(id)\" was removed") }
        if session.arguments.flag("follow") { return try follow(record) }
        if record.status.attempt == 0, !record.place.state.isTerminal {
            throw Failure(
                ExitCode.failed,
                "\(shownID) has not started; spoolctl logs -f waits for its start, and spoolctl why says what it waits for")
        }
        try refuseMissingTry(record)
        let last = wantedTry ?? record.status.attempt
        let first = wantedTry ?? sinceTry ?? last
        let tries = first...last
        for attempt in tries { try print(attempt, of: record, isOneOfSeveral: tries.count > 1) }
    }

    private var shownID: String { session.qualified(id) }

    /// Refuses a try that a job has not had, or will not have because it has ended.
    private func refuseMissingTry(_ record: JobRecord) throws(Failure) {
        let count = record.status.attempt
        // A job that was canceled or refused before its start has had no try.
        guard count > 0 else { throw .notFound("\(shownID) was never started: \(record.status.brief)") }
        if let first = wantedTry ?? sinceTry, first > count {
            throw .notFound("\(shownID) has had \(count) \(count == 1 ? "try" : "tries"), not \(first)")
        }
    }

    // MARK: Existing output

    private func print(_ attempt: Int, of record: JobRecord, isOneOfSeveral: Bool) throws(Failure) {
        let lines = LogLines(session)
        let outputs = outputs(.reading(attempt: attempt), lines)
        for output in outputs { try output.begin(record, nil) }
        let full = outputs.filter { !$0.isEmpty }
        if session.isJSON {
            // A job that has written nothing has one empty text.
            for output in full.isEmpty ? Array(outputs.prefix(1)) : full { try writeJSON(output, attempt, record) }
            return
        }
        if isOneOfSeveral { session.output.line("==> try \(attempt) <==") }
        lines.marksErrors = full.count > 1
        for output in full { try output.follow(record, nil) }
        if isOneOfSeveral { lines.endLine() }
    }

    private func outputs(_ purpose: JobOutput.Purpose, _ lines: LogLines) -> [JobOutput] {
        files.map { JobOutput(session, $0, for: purpose, to: session.output, lines: lines, lastLines: lastLines) }
    }

    private func writeJSON(_ output: JobOutput, _ attempt: Int, _ record: JobRecord) throws(Failure) {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.member("id", id)
        writer.member("stream", output.file)
        writer.member("try", attempt)
        writer.key("text")
        session.output.write(bytes: writer.bytes)
        session.output.write("\"")
        // The end of a piece can divide a character.
        var rest: [UInt8] = []
        try output.read(record) { piece in
            rest += piece
            let whole = rest.count - UTF8Tail.cutOffCount(rest)
            // JSON holds only text: bytes that are not UTF-8 are replaced.
            session.output.write(bytes: JSONWriter.inQuotes(String(decoding: rest[..<whole], as: UTF8.self)))
            rest.removeFirst(whole)
        }
        session.output.write(bytes: JSONWriter.inQuotes(String(decoding: rest, as: UTF8.self)))
        session.output.line("\"}")
    }

    // MARK: Following

    private mutating func follow(_ first: JobRecord) throws(Failure) {
        if let sinceTry, sinceTry < first.status.attempt {
            for attempt in sinceTry..<first.status.attempt { try print(attempt, of: first, isOneOfSeveral: true) }
            session.output.line("==> try \(first.status.attempt) <==")
        }
        let begin = wantedTry ?? sinceTry ?? 1
        if !first.place.state.isTerminal, begin > first.status.attempt {
            let what = first.status.attempt == 0 ? "has not started" : "has not begun try \(begin)"
            session.complain("\(shownID) \(what); waiting for it")
        }
        let watch = try JobWatch(spool: session.spoolPath)
        let lines = LogLines(session)
        // Nobody knows yet what the job will write.
        lines.marksErrors = files.count > 1
        let outputs = outputs(.reading(attempt: wantedTry), lines)
        let bringer = OutputBringer(session)
        while true {
            guard let record = try readRecord() else {
                // The job was withdrawn, or its record was removed.
                for output in outputs { try output.copy() }
                return
            }
            watch.add(record.place.path)
            for output in outputs { try output.follow(record, watch) }
            // The job's end was seen before the last bytes were read, so no bytes follow.
            if record.place.state.isTerminal { return try refuseMissingTry(record) }
            bringer.bring(record)
            _ = try watch.wait(for: [id], or: [session.output.poll] + bringer.polls, milliseconds: bringer.millisecondsToNext)
            session.output.check()
        }
    }

    private mutating func readRecord() throws(Failure) -> JobRecord? {
        try session.reading { () throws(JournalError) in try records.record(of: id) }
    }
}
