import Store

extension SpoolCommand {
    static let logs = SpoolCommand(
        "logs", "ID… [-f] [--stderr] [--try N]", "print the output of jobs",
        details: [
            """
            Prints the standard output of the last try; with --stderr its standard error, with --try N that of try N. On a terminal, \
            control characters except colours are escaped unless --raw is given.
            """,
            "With several IDs, a line ==> ID <== comes before the output of each; with -f, each is followed to its end before the next.",
            "With --json, prints an object with id, stream, try and text for each job: the output so far.",
        ],
        options: [
            Option("follow", "f", "follow the output until the job has ended"),
            Option("stderr", "e", "print standard error"),
            Option("try", value: "N", "print the output of try N"),
            Option("raw", "do not escape control characters on a terminal"),
        ],
        examples: [
            Example("spoolctl logs backup", "the output of the newest run of a task"),
            Example("spoolctl logs -f \"$id\"", "follows a job, also one that has not started"),
            Example("spoolctl logs --stderr --try 1 k3f9ab", "the errors of the first try"),
        ]
    ) { session throws(Failure) in
        var records = try session.records()
        // All words are looked up first, so that a wrong one ends the command before any output.
        var ids: [String] = []
        for word in try session.operands("a job's ID") { ids.append(try session.job(word, &records).place.id) }
        for (index, id) in ids.enumerated() {
            if ids.count > 1, !session.isJSON { session.output.line("\(index > 0 ? "\n" : "")==> \(session.qualified(id)) <==") }
            var logs = try JobLogs(session, records, id: id)
            try logs.run()
        }
        return ExitCode.done
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

    mutating func run() throws(Failure) {
        guard session.arguments.flag("follow") else { return try printOnce() }
        if session.isJSON { throw .usage("--json prints the output so far; it cannot be used with --follow") }
        let watch = try JobWatch(spool: session.spoolPath)
        while true {
            guard let record = try readRecord() else {
                // The job was withdrawn, or its record was removed.
                return try output.copy()
            }
            watch.add(record.place.path)
            try output.follow(record, watch)
            // The job's end was seen before the last bytes were read, so no bytes follow.
            if record.place.state.isTerminal { return }
            _ = try watch.wait(for: [id], or: [session.output.poll])
            session.output.check()
        }
    }

    private mutating func printOnce() throws(Failure) {
        guard let record = try readRecord() else { throw .notFound("the record of job \"\(id)\" was removed") }
        if let wantedTry, wantedTry > max(record.status.attempt, 1) {
            throw .notFound("\(id) has had \(record.status.attempt) tries, not \(wantedTry)")
        }
        if session.isJSON {
            return try writeJSON(record)
        }
        if record.place.isFile || record.status.attempt == 0, record.place.state == .new {
            return session.complain("\(id) has not begun")
        }
        try output.follow(record, nil)
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

    private mutating func readRecord() throws(Failure) -> JobRecord? {
        try session.reading { () throws(JournalError) in try records.record(of: id) }
    }
}
