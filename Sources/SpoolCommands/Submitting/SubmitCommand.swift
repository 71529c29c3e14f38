import Glibc
import Linux
import Store

extension SpoolCommand {
    static let submit = SpoolCommand(
        "submit", "[options] [--] COMMAND…", "submit a job and print its id",
        details: [
            """
            COMMAND is run without a shell. A single word with a blank or another special character of the shell is run by the shell. \
            The job records the caller's directory, umask and PATH.
            """,
            "An instant without an offset is by your own clock, or in the zone of --timezone.",
            "When the id is printed, the job is on the disk. The daemon need not be running: the job waits until it starts.",
            """
            With -w, spoolctl waits until the job has ended and exits with its code. The id goes to standard error, and the job's output \
            is shown while it is written; with -q or --json only the id is printed.
            """,
            """
            With -w, the job reads spoolctl's standard input while it runs, unless that is a terminal or --payload, --stdin or \
            --no-stdin is given. A `while read` loop therefore needs --no-stdin or < /dev/null, as with ssh. A file of at most 64 MiB is \
            stored with the job for a retry; other input is stored when it has reached its end. For a job with more than one try, and \
            for another user's job, the input is stored before the job is submitted.
            """,
            """
            ctrl-C leaves the job running, prints how to cancel it, and exits with 130. A job that is still reading its input then \
            fails. The same happens when the reader of the output ends; the exit code is then 141.
            """,
        ],
        options: [
            Option("wait", "w", "wait until the job has ended, show its output, and exit with its code"),
            Option.cancelOnInterrupt,
            Option("no-stdin", "give the job no standard input, like ssh -n"),
            Option("name", "N", formerShort: "n", value: "NAME", "the name in the job's id (default: the program's name)"),
            Option("in", value: "TIME", "start after this time"),
            Option("env", "record the caller's whole environment"),
            Option("task", value: "NAME", "run this task, whose keys are the defaults; without COMMAND").ofUsers,
            Option("file", "f", value: "FILE", "submit a job's file: TOML, JSON, or a script; the operand - reads it from standard input"),
            Option("lines", "submit a job for each line of the operand's file, or of standard input"),
        ] + JobOptions.optionsOfRun,
        mostUsed: ["wait", "name", "in", "at", "queue", "directory", "timeout", "tries", "after", "mail"],
        examples: [
            Example("spoolctl submit -- rsync -a /srv/ backup:/srv/", "a command, run without a shell"),
            Example("spoolctl submit 'make test 2>&1 | tail -20'", "a command line, run by the shell"),
            Example("spoolctl submit --in 10m --timeout 1h -- ./report", "starts in ten minutes, and runs for one hour at most"),
            Example("spoolctl submit --at 'tomorrow 18:00' -- ./report", "starts tomorrow at six in the evening, by your clock"),
            Example("spoolctl submit -w -Q heavy -- make -j8", "waits, and exits with make's code"),
            Example("spoolctl submit -w -- sort -u < names > sorted", "like sort -u < names > sorted"),
            Example("seq 1 100 | sed 's/^/echo /' | spoolctl submit --lines", "a hundred jobs"),
        ],
        ownOperands: 0
    ) { session throws(Failure) in try Submit(session).run() }
}

private struct Submit {
    let session: Session

    init(_ session: Session) { self.session = session }

    private var arguments: Arguments { session.arguments }

    func run() throws(Failure) -> Int32 {
        if arguments.flag("lines") { return try lines() }
        if let file = arguments.value("file") {
            guard arguments.operands.isEmpty else { throw .usage("--file and COMMAND both say what to run") }
            return try submitFile(file)
        }
        if arguments.operands == ["-"] { return try submitStandardInput() }

        var job = try JobOptions(session)
        let name: String
        if let task = arguments.value("task") {
            guard arguments.operands.isEmpty else { throw .usage("--task and COMMAND both say what to run") }
            name = try givenName() ?? task
            let source = try TaskRun(session).source(of: task, job)
            return try finish(source, name: name, start: job.start)
        }
        guard !arguments.operands.isEmpty else { throw .usage("submit needs a COMMAND; see spoolctl submit --help") }
        name = try givenName() ?? JobOptions.name(of: arguments.operands)
        try job.setCommand(arguments.operands)
        try job.recordSurroundings(everything: arguments.flag("env"))
        let definition: JobDefinition
        do throws(Problems) { definition = try JobDefinition.accept(job.table, try context(job)) } catch { throw job.failure(error) }
        try session.refuseMissingFiles(of: definition, Self.option)
        try session.refuseUnknown(definition.after, Self.option)
        return try finish(Source(writing: job.table), name: name, start: job.start, input: try input(of: job.table))
    }

    /// The option of a key.
    private static func option(_ key: String) -> String { "--\(key.split(separator: "_").joined(separator: "-"))" }

    /// The way in which the caller's standard input becomes the job's.
    private func input(of table: Table) throws(Failure) -> JobDrop.Input {
        // With `unique`, an existing job may be waited for, which has an input of its own.
        guard arguments.flag("wait"), !arguments.flag("no-stdin"), !["payload", "stdin", "unique"].contains(where: { table[$0] != nil })
        else { return .nothing }
        switch StandardInput.kind {
        case .none: return .nothing
        case .file(let bytes) where bytes <= JobDrop.inputBytesMax: return .stored(StandardInput())
        case .file, .stream:
            // Input that was given once is consumed, and only this user's job on this machine can open the FIFO.
            var isGivenOnce = table["user"] == nil
            if try hasExecutor(table) { isGivenOnce = false }
            if let tries = table["tries"] { if case .integer(1) = tries.kind {} else { isGivenOnce = false } }
            if isGivenOnce { return .given }
            session.complain("reading all of standard input before the job is submitted; --no-stdin gives the job none")
            return .stored(StandardInput())
        }
    }

    /// True when the job names an executor, or its queue has one.
    private func hasExecutor(_ table: Table) throws(Failure) -> Bool {
        if let named = table.text("executor") { return named != ExecutorKeys.local }
        let ofQueue = try session.configuration().queueExecutors[table.text("queue") ?? JobDefinition.defaultQueue]
        return ofQueue.map { $0 != ExecutorKeys.local } ?? false
    }

    /// The configuration is read only for a job with an instant, which most jobs do not have.
    private func context(_ job: JobOptions) throws(Problems) -> ReadingContext {
        guard job.table["deadline"] != nil else {
            return ReadingContext(now: session.now, zones: session.zones, owner: .current, filesMax: DescriptorLimit.kernelMax)
        }
        do throws(Failure) { return try session.context() } catch {
            throw Problems(DocumentError(position: Position(line: 1, column: 1), message: error.lines.joined(separator: "; ")))
        }
    }

    private func givenName() throws(Failure) -> String? {
        guard let name = arguments.value("name") else { return nil }
        try Name.check(name, option: "--name")
        return name
    }

    private func finish(
        _ source: Source, name: String, start: Instant? = nil, mode: UInt32 = 0o600, input: JobDrop.Input = .nothing
    ) throws(Failure) -> Int32 {
        let job = try session.submit(source, name: name, mode: mode, input: input)
        return try session.finishSubmission(job, start: start, showing: .output)
    }

    // MARK: Files

    private func submitFile(_ path: String) throws(Failure) -> Int32 {
        try refuseJobOptions(with: "--file")
        if path == "-" { return try submitStandardInput() }
        let (bytes, status) = try readFile(path)
        let mode = status.mode
        let file = String(path.split(separator: "/").last ?? "job")
        guard let format = Source.format(ofFile: file, firstBytes: bytes, isExecutable: mode & 0o111 != 0) else {
            let (message, hint) = Source.refusal(firstBytes: bytes)
            throw .invalid("\(path): \(message)\(hint.map { "; \($0)" } ?? "")")
        }
        var stem = file
        if format != .script { stem.removeLast(5) }
        let name = try givenName() ?? JobID(stem)?.name ?? Name.sanitized(stem)
        return try submit(Source(format: format, bytes: bytes), file: path, name: name, mode: mode, mayTakeInput: true)
    }

    private func submitStandardInput() throws(Failure) -> Int32 {
        try refuseJobOptions(with: "-")
        let bytes = try StandardInput.readAll(limit: Source.bytesMax)
        let format = bytes.starts(with: Array("#!".utf8)) ? .script : Source.format(ofText: bytes)
        return try submit(Source(format: format, bytes: bytes), file: "stdin", name: try givenName() ?? "stdin", mode: 0o700)
    }

    private func submit(_ source: Source, file: String, name: String, mode: UInt32, mayTakeInput: Bool = false) throws(Failure) -> Int32 {
        let context = try session.context()
        let table: Table
        var start: Instant?
        do throws(Problems) { table = try source.table() } catch { throw Failure(file: file, error) }
        if let task = table.text("task") {
            try TaskRun(session).check(source, task: task, file: file)
        } else {
            let definition: JobDefinition
            do throws(Problems) { definition = try JobDefinition.accept(table, isScript: source.format == .script, context) } catch {
                throw Failure(file: file, error)
            }
            start = definition.start
            try session.refuseMissingFiles(of: definition) { "\(file): \($0)" }
            try session.refuseUnknown(definition.after) { "\(file): \($0)" }
        }
        // A script is executed from the dropped file, so the file must be executable, and only its owner may change it.
        // A run of a task gets no input, like the task's other runs.
        let input = mayTakeInput && table["task"] == nil ? try input(of: table) : .nothing
        return try finish(source, name: name, start: start, mode: source.format == .script ? mode & 0o755 | 0o700 : 0o600, input: input)
    }

    private func refuseJobOptions(with what: String) throws(Failure) {
        try arguments.refuse(JobOptions.optionsOfRun.map(\.name) + ["in", "env", "task"], with: what)
    }

    // MARK: Lines

    /// The number of jobs that are synced together: enough to make syncing cheap, few enough to print ids soon.
    private static let batchMax = 2000

    private func lines() throws(Failure) -> Int32 {
        guard arguments.operands.count <= 1 else { throw .usage("--lines reads one file; remove \"\(arguments.operands[1])\"") }
        if arguments.value("file") != nil || arguments.value("task") != nil { throw .usage("--lines cannot be used with --file or --task") }
        if arguments.value("unique") != nil || arguments.value("unique-while") != nil {
            throw .usage("--unique cannot be used with --lines: there would be only one job")
        }
        let path = arguments.operands.first ?? "-"
        var job = try JobOptions(session)
        try job.setCommand([": "])
        try job.recordSurroundings(everything: arguments.flag("env"))
        let definition: JobDefinition
        do throws(Problems) { definition = try JobDefinition.accept(job.table, try context(job)) } catch { throw job.failure(error) }
        try session.refuseMissingFiles(of: definition, Self.option)
        try session.refuseUnknown(definition.after, Self.option)
        var rest = job.table
        rest.remove("command")
        // The common keys are written once. They follow the command, because they may end with tables.
        let common = Source(writing: rest)
        guard common.format == .toml else { throw .invalid("--payload: with --lines the payload cannot contain null") }

        // All jobs have one name, so that ids of the same millisecond sort by line, not by name.
        let name = try givenName() ?? "line"
        let input = path == "-" ? StandardInput() : try StandardInput(path: path)
        if let start = job.start { session.remarkStart(start) }
        var drop = JobDrop(try session.openSpoolForWriting())
        var ids: [JobID] = []
        var batch: [JobDrop.Composed] = []
        var isReadable = false
        while let lines = try input.nextLines() {
            for line in lines {
                guard line.bytes.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { continue }
                guard let text = String(validating: line.bytes, as: UTF8.self), !line.bytes.contains(0) else {
                    try publish(&batch, drop, &ids)
                    let place = line.bytes.firstIndex(of: 0) ?? line.firstInvalid ?? line.bytes.startIndex
                    let byte = String(line.bytes[place], radix: 16, uppercase: true)
                    let what = line.bytes[place] == 0 ? "a zero byte" : "the byte 0x\(byte), which is not UTF-8"
                    throw .invalid(
                        "\(path == "-" ? "stdin" : path):\(line.number):\(line.column(of: place)): the line contains \(what); "
                            + "the lines before it were submitted")
                }
                guard line.bytes.count <= JobDefinition.wordBytesMax else {
                    try publish(&batch, drop, &ids)
                    throw .invalid(
                        "\(path == "-" ? "stdin" : path):\(line.number):1: the line is \(line.bytes.count) bytes; the kernel accepts "
                            + "\(JobDefinition.wordBytesMax) at most; the lines before it were submitted")
                }
                var command = Table()
                command.set("command", Value(.string(text)))
                let source = Source(format: .toml, bytes: Array(TOML.write(command).utf8) + common.bytes)
                // The jobs differ only in their lines, which were checked above, so checking the first job checks all.
                batch.append(try drop.compose(source, name: name, isReadable: isReadable))
                isReadable = true
                if batch.count == Self.batchMax { try publish(&batch, drop, &ids) }
            }
            try publish(&batch, drop, &ids)
        }
        guard arguments.flag("wait") else {
            try session.remarkOnStart(of: common)
            return ExitCode.done
        }
        return try session.wait(for: ids)
    }

    private func publish(_ batch: inout [JobDrop.Composed], _ drop: JobDrop, _ ids: inout [JobID]) throws(Failure) {
        guard !batch.isEmpty else { return }
        try drop.publish(batch)
        for job in batch {
            session.output.noteChange("queued as \(job.id)")
            session.printID(job.id.text)
        }
        session.output.flush()
        if arguments.flag("wait") { ids += batch.map(\.id) }
        batch.removeAll(keepingCapacity: true)
    }
}
