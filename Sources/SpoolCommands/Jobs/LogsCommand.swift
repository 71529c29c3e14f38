import Store

extension SpoolCommand {
    static let logs = SpoolCommand(
        "logs", "ID [-f] [--stderr] [--try N]", "print a job's output",
        details: [
            "Prints standard output, or with --stderr standard error; of the last try, unless --try names another. On a terminal control characters other than colours are escaped, unless --raw is given.",
            "With --json an object of id, stream, try and text: what is there by now.",
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
    private let wantedTry: Int?
    private let output: JobOutput

    init(_ session: Session, _ records: JobRecords<DiskFileSystem>, id: String) throws(Failure) {
        self.session = session
        self.records = records
        self.id = id
        let wantedTry = try session.count("try", default: 0)
        self.wantedTry = wantedTry > 0 ? wantedTry : nil
        let file = session.arguments.flag("stderr") ? Layout.errorFile : Layout.outputFile
        output = JobOutput(session, file, for: .reading(attempt: self.wantedTry), to: session.output)
    }

    mutating func run() throws(Failure) -> Int32 {
        guard session.arguments.flag("follow") else { return try printOnce() }
        if session.isJSON { throw .usage("--json tells what is there by now, and does not go with --follow") }
        let watch = try JobWatch(spool: session.spoolPath)
        while true {
            guard let record = try readRecord() else {
                // Withdrawn, or its record was removed while we followed it.
                try output.copy()
                return ExitCode.done
            }
            watch.add(record.place.path)
            try output.follow(record, watch)
            // The end was seen before the last bytes were read, so nothing comes after these.
            if record.place.state.isTerminal { return ExitCode.done }
            _ = try watch.wait(for: [id], or: [session.output.poll])
            session.output.check()
        }
    }

    private mutating func printOnce() throws(Failure) -> Int32 {
        guard let record = try readRecord() else { throw .notFound("there is no job \"\(id)\" any more") }
        if let wantedTry, wantedTry > max(record.status.attempt, 1) {
            throw .notFound("\(id) has had \(record.status.attempt) tries, not \(wantedTry)")
        }
        if session.isJSON {
            try writeJSON(record)
            return ExitCode.done
        }
        if record.place.isFile || record.status.attempt == 0, record.place.state == .new {
            session.complain("\(id) has not begun")
            return ExitCode.done
        }
        try output.follow(record, nil)
        return ExitCode.done
    }

    private func writeJSON(_ record: JobRecord) throws(Failure) {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.member("id", id)
        writer.member("stream", session.arguments.flag("stderr") ? Layout.errorFile : Layout.outputFile)
        writer.member("try", wantedTry ?? record.status.attempt)
        writer.key("text")
        session.output.write(bytes: writer.bytes)
        session.output.write("\"")
        // A character may be cut by the end of a piece.
        var rest: [UInt8] = []
        try output.read(record) { piece in
            rest += piece
            let whole = rest.count - UTF8Tail.cutOffCount(rest)
            // Bytes that are no UTF-8 are replaced: JSON has text alone.
            session.output.write(bytes: JSONWriter.inQuotes(String(decoding: rest[..<whole], as: UTF8.self)))
            rest.removeFirst(whole)
        }
        session.output.write(bytes: JSONWriter.inQuotes(String(decoding: rest, as: UTF8.self)))
        session.output.line("\"}")
    }

    private mutating func readRecord() throws(Failure) -> JobRecord? {
        try session.reading { () throws(JournalError) in try records.record(of: id) }
    }
}
