import Store

extension SpoolCommand {
    static let progress = SpoolCommand(
        "progress", "FRACTION [MESSAGE…] [--job ID]", "from inside a job: report its progress",
        details: [
            """
            FRACTION is 0 to 1, or a percentage such as 40%. spoolctl status, jobs and wait --progress show it, and the record keeps the \
            last report of the last try. MESSAGE is cut after 1000 bytes.
            """,
            "The report is the file progress in the job's directory; no daemon is needed.",
        ],
        options: [Option.job],
        examples: [
            Example("spoolctl progress 0.4 'copied 40 of 100 files'", "in the job's script"),
            Example("spoolctl progress 40%", "the same without a message"),
        ]
    ) { session throws(Failure) in
        guard let text = session.arguments.operands.first else { throw .usage("progress needs a FRACTION; see spoolctl progress --help") }
        guard let fraction = fraction(text) else { throw .usage("\"\(text)\" is not a fraction: expected 0 to 1, or 0% to 100%") }
        let words = session.arguments.operands.dropFirst().joined(separator: " ")
        let job = try RunningJob(session)
        var writer = JSONWriter(reserving: 256)
        Progress(fraction: fraction, message: words.isEmpty ? nil : cut(words), at: session.now).write(to: &writer)
        let bytes = writer.bytes + [UInt8(ascii: "\n")]
        try job.put(Layout.progressFile) { path throws(SystemError) in try job.fs.create(path, bytes, mode: 0o600) }
        if session.isJSON { session.printID(job.id) }
        return ExitCode.done
    }

    /// `0.4` and `40%`; nil for anything that is not from 0 to 1.
    static func fraction(_ text: String) -> Double? {
        let number = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
        guard let number, (0...1).contains(number) else { return nil }
        return number
    }

    /// The message, cut after a whole character when it is too long.
    static func cut(_ message: String) -> String {
        guard message.utf8.count > Progress.messageBytesMax else { return message }
        var kept = ""
        for character in message {
            guard kept.utf8.count + character.utf8.count <= Progress.messageBytesMax - 3 else { break }
            kept.append(character)
        }
        return kept + "…"
    }
}
