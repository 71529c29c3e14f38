import Linux
import Store
import Web

/// One job: why it is where it is, its facts, its definition and environment, and the end of its output, which is followed.
struct JobPage {
    private let context: PageContext
    private let id: String
    private let watchOutput: (String) -> Void

    /// The end of an output that a page has.
    private static let linesMax = 400
    private static let bytesMax = 64 << 10
    private static let environmentBytesMax = 64 << 10

    /// - Parameter watchOutput: is given the directory of a running job, so that the page changes with its output.
    init(_ context: PageContext, id: String, _ watchOutput: @escaping (String) -> Void) {
        self.context = context
        self.id = id
        self.watchOutput = watchOutput
    }

    func page() throws(Failure) -> MonitorPage {
        let (owner, own) = UserPart.split(id)
        let part = try context.part(of: owner)
        return try part.asOwner { () throws(Failure) in
            var records = try part.records()
            guard let record = try part.reading({ () throws(JournalError) in try records.record(of: own) }) else {
                throw .notFound("There is no job \"\(id)\" here, or its record was removed.")
            }
            let name = part.qualified(record.status.name)
            return MonitorPage(title: "\(name) \(JobTable.shortID(own))", view: .jobs, main: try main(part, record, &records))
        }
    }

    private func main(_ part: Session, _ record: JobRecord, _ records: inout JobRecords<DiskFileSystem>) throws(Failure) -> Markup {
        let status = record.status
        if record.place.state == .running { watchOutput("\(part.spoolPath)/\(record.place.path)") }
        let why = try WhyJob(part, record, &records).text
        let title: Markup = status.title.map { "<p class=\"lead\">\($0)</p>\n" } ?? ""
        let progress: Markup =
            record.place.state == .running ? status.progress.map { "<p class=\"lead\">\(context.progress($0))</p>\n" } ?? "" : ""
        let output = try outputs(part, record)
        return """
            <div><h2 class="title">\(part.qualified(status.name)) \(context.shortID(status.id)) \(context.mark(record))</h2>
            \(title)<p class="lead">\(why)</p>
            \(progress)</div>
            <div class="stack left">
            \(output)</div>
            <div class="stack right">
            \(facts(part, record))\(definition(record, records))\(environment(record, records.fs))</div>

            """
    }

    // MARK: Facts

    private func facts(_ part: Session, _ record: JobRecord) -> Markup {
        let status = record.status
        var rows: [(name: String, value: Markup)] = [("id", "<span class=\"mono\">\(part.qualified(status.id))</span>")]
        func add(_ name: String, _ value: String?) { if let value { rows.append((name, "\(value)")) } }
        func add(_ name: String, _ instant: Instant?) { if let instant { rows.append((name, context.momentAndDistance(instant))) } }
        func add(_ name: String, job: String?) {
            guard let job else { return }
            let own = part.qualified(job)
            rows.append((name, context.link(PageContext.address(ofJob: own), "<span class=\"mono\">\(own)</span>")))
        }
        if let task = status.task { rows.append(("task", context.task(part.qualified(task)))) }
        add("schedule", status.schedule)
        add("error", status.error)
        add("exit code", status.exitCode.map(String.init))
        add("signal", status.signal.map { Signal.name($0) })
        add("try", "\(status.attempt) of \(status.tries)")
        add("queue", status.queue)
        if status.priority != 0 { add("priority", String(status.priority)) }
        if !status.tags.isEmpty { add("tags", status.tags.joined(separator: ", ")) }
        for path in status.paths { add("path", path) }
        add("due", status.due)
        add("not before", status.notBefore)
        add("deadline", status.deadline)
        add("created", status.createdAt)
        add("started", status.startedAt)
        add("ended", status.endedAt)
        if let usage = status.usage {
            add("took", TimeText.length(usage.wallMilliseconds))
            add("processor", TimeText.length(usage.processorMilliseconds))
            // An executor tells no memory.
            if !status.isElsewhere { add("memory", TimeText.bytes(usage.maxRSSBytes)) }
        } else if record.place.state == .running, let started = status.startedAt {
            add("runs for", TimeText.clock(context.now.milliseconds - started.milliseconds))
        }
        add("remark", status.remark)
        add("executor", status.elsewhere)
        add("retry of", job: status.retryOf)
        add("follows", job: status.parent)
        for other in status.waitsFor { add("waits for", job: other) }
        if let result = status.result {
            rows.append(("result", "<pre tabindex=\"0\">\(Markup.lines(String(decoding: result, as: UTF8.self)))</pre>"))
        }
        if let payload = status.payload {
            rows.append(("payload", "<pre tabindex=\"0\">\(Markup.lines(String(decoding: payload, as: UTF8.self)))</pre>"))
        }
        rows.append(("directory", "<span class=\"mono\">\(part.spoolPath)/\(record.place.path)</span>"))
        return context.section("facts", "Job", FactTable.markup("The job", rows))
    }

    private func definition(_ record: JobRecord, _ records: JobRecords<DiskFileSystem>) -> Markup {
        guard let table = try? records.source(at: record.place)?.table() else { return "" }  // the job's error says what is wrong
        return context.section("definition", "Definition", FactTable.markup("Definition", DefinitionFacts.rows(table)))
    }

    /// The environment as its file has it: values of secrets are masked there.
    private func environment(_ record: JobRecord, _ fs: DiskFileSystem) -> Markup {
        guard !record.place.isFile,
            case .file(_, let bytes)? = try? fs.take(  // a job that has not started has none
                "\(record.place.path)/environment", limit: Self.environmentBytesMax, ignoringWriters: true)
        else { return "" }
        let text = String(decoding: bytes, as: UTF8.self)
        let count = text.utf8.count { $0 == 0x0A }
        let body: Markup = """
            <div class="card"><details><summary class="empty">\(count) variables</summary>
            <pre class="tail" tabindex="0">\(Markup.lines(text))</pre></details></div>

            """
        return context.section("environment", "Environment", body)
    }

    // MARK: Output

    private func outputs(_ part: Session, _ record: JobRecord) throws(Failure) -> Markup {
        guard record.status.attempt > 0 else {
            return context.section("stdout", "Output", "<div class=\"card\"><p class=\"empty\">It has not started.</p></div>\n")
        }
        let last = record.status.attempt
        let chosen = context.address.value("try").flatMap { Int($0) } ?? last
        guard (1...last).contains(chosen) else { throw .notFound("The job has had \(last) tries.") }
        var choices: [Markup] = []
        if last > 1 {
            choices = (1...last).suffix(20).map { attempt -> Markup in
                let address = context.address.with("try", attempt == last ? nil : "\(attempt)")
                return "<a href=\"\(address.text)\"\(attempt == chosen ? " aria-current=\"true\"" as Markup : "")>try \(attempt)</a>"
            }
        }
        return try output(part, record, Layout.outputFile, chosen, "\(choices)") + output(part, record, Layout.errorFile, chosen, "")
    }

    private func output(
        _ part: Session, _ record: JobRecord, _ file: String, _ attempt: Int, _ choices: Markup
    ) throws(Failure) -> Markup {
        let reader = JobOutput(
            part, file, for: .reading(attempt: attempt), to: Output(), lastLines: Self.linesMax, lastBytes: Int64(Self.bytesMax))
        var bytes: [UInt8] = []
        do throws(Failure) {
            try reader.read(record) { piece in
                bytes += piece
                if bytes.count > 2 * Self.bytesMax { bytes.removeFirst(bytes.count - Self.bytesMax) }
            }
        } catch {
            // The rest of the page says why the job is as it is.
            bytes += "[\(error.lines.joined(separator: "; "))]".utf8
        }
        let text = Self.plain(String(decoding: bytes.suffix(Self.bytesMax), as: UTF8.self))
        let isFollowed = record.place.state == .running && attempt == record.status.attempt
        let note: Markup = isFollowed ? "the end, followed" : bytes.count >= Self.bytesMax ? "the end" : ""
        let body: Markup =
            text.isEmpty
            ? "<div class=\"card\"><p class=\"empty\">Nothing.</p></div>\n"
            : "<div class=\"card\"><pre class=\"tail\" tabindex=\"0\" aria-label=\"\(file)\">\(Markup.lines(text))</pre></div>\n"
        return file == Layout.outputFile
            ? context.section("stdout", "Standard output", more: note, choices: choices, body)
            : context.section("stderr", "Standard error", more: note, body)
    }

    /// The text without sequences that change colours, and with only the last of texts that were written over each other.
    private static func plain(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        var index = 0
        while index < scalars.count {
            if let end = PlainText.endOfColour(scalars, at: index) {
                index = end
                continue
            }
            let isEndOfLine = scalars[index] == "\r" && index + 1 < scalars.count && scalars[index + 1] == "\n"
            if !isEndOfLine { result.append(scalars[index]) }
            index += 1
        }
        return String(result)
    }
}
