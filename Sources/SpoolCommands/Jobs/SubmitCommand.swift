import Glibc
import Linux
import Store

extension SpoolCommand {
    static let submit = SpoolCommand(
        "submit", "[options] [--] COMMAND…", "submit a job and print its id",
        details: [
            "COMMAND and its words are run without a shell; a single word with a blank or something else for a shell in it is given to the shell. The job records the caller's directory, umask and PATH.",
            "An instant without an offset is read in the configured time zone, which is UTC unless spoold.toml says otherwise.",
            "What was printed is on the disk. The daemon need not run: the job waits for it.",
            "With -w the id goes to standard error, and the job's output comes as it is written; -q and --json print the id alone. The job is submitted at once, and standard input, when it is no terminal and neither --payload nor --stdin nor --lines says otherwise, is given to it while it runs. So a loop of `while read` needs --no-stdin, or < /dev/null, as it does with ssh. A file of at most 64 MiB is stored with the job, and other input when it has come to its end, for a retry. It is stored before the job is submitted, if the job has more than one try or is another user's.",
            "ctrl-C leaves the job to itself, says how to cancel it, and exits with 130; a job whose input is still being given ends then. When nobody reads the output any more it is the same, and the code is 141.",
        ],
        options: [
            Option("wait", "w", "wait for its end, show its output, exit with its code"),
            Option.cancelOnInterrupt,
            Option("no-stdin", "give the job no standard input, as ssh -n does"),
            Option("name", "n", value: "NAME", "the name in its id (else the program's)"),
            Option("in", value: "TIME", "start so much later"),
            Option("env", "record the whole environment"),
            Option("task", value: "NAME", "a task whose keys are the defaults; without COMMAND"),
            Option("file", "f", value: "FILE", "submit a job's file: TOML, JSON, or a script; - as the only operand reads one"),
            Option("lines", "submit a job for each line of the file that follows, or of standard input"),
        ] + JobOptions.optionsOfRun,
        examples: [
            Example("spoolctl submit -- rsync -a /srv/ backup:/srv/", "a command, run without a shell"),
            Example("spoolctl submit 'make test 2>&1 | tail -20'", "a line for the shell"),
            Example("spoolctl submit --in 10m --timeout 1h -- ./report", "later, and not for longer than an hour"),
            Example("spoolctl submit -w -Q heavy -- make -j8", "waits, and exits as make does"),
            Example("spoolctl submit -w -- sort -u < names > sorted", "as if sort ran here"),
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
            return try finish(source, name: name)
        }
        guard !arguments.operands.isEmpty else { throw .usage("submit needs a COMMAND; see spoolctl submit --help") }
        name = try givenName() ?? JobOptions.name(of: arguments.operands)
        try job.setCommand(arguments.operands)
        try job.recordSurroundings(everything: arguments.flag("env"))
        let definition: JobDefinition
        do throws(Problems) { definition = try JobDefinition.accept(job.table, try context(job)) } catch { throw job.failure(error) }
        try session.refuseMissingFiles(of: definition, Self.option)
        try session.refuseUnknown(definition.after, Self.option)
        return try finish(Source(writing: job.table), name: name, input: input(of: job.table))
    }

    /// How a key is spelled as an option.
    private static func option(_ key: String) -> String { "--\(key.split(separator: "_").joined(separator: "-"))" }

    /// What of the caller's standard input is the job's.
    private func input(of table: Table) -> JobDrop.Input {
        // With a key it may be another's job that is waited for, and that has its own.
        guard arguments.flag("wait"), !arguments.flag("no-stdin"), table["payload"] == nil, table["stdin"] == nil, table["unique"] == nil else { return .nothing }
        switch StandardInput.kind {
        case .none: return .nothing
        case .file(let bytes) where bytes <= JobDrop.inputBytesMax: return .stored(StandardInput())
        case .file, .stream:
            // What was given once is gone, and only its owner can open it.
            var isGivenOnce = table["user"] == nil
            if let tries = table["tries"] { if case .integer(1) = tries.kind {} else { isGivenOnce = false } }
            if isGivenOnce { return .given }
            session.complain("reading standard input to its end before the job is submitted; < /dev/null or --no-stdin gives it none")
            return .stored(StandardInput())
        }
    }

    /// The configuration matters to instants alone, and most jobs have none: it is read only for those.
    private func context(_ job: JobOptions) throws(Problems) -> ReadingContext {
        guard job.table["deadline"] != nil else { return ReadingContext(now: session.now, zones: session.zones, owner: .current, filesMax: DescriptorLimit.kernelMax) }
        do throws(Failure) { return try session.context() } catch {
            throw Problems(DocumentError(position: Position(line: 1, column: 1), message: error.lines.joined(separator: "; ")))
        }
    }

    private func givenName() throws(Failure) -> String? {
        guard let name = arguments.value("name") else { return nil }
        try Name.check(name, option: "--name")
        return name
    }

    private func finish(_ source: Source, name: String, mode: UInt32 = 0o600, input: JobDrop.Input = .nothing) throws(Failure) -> Int32 {
        try session.finishSubmission(try session.submit(source, name: name, mode: mode, input: input), showing: .output)
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
        do throws(Problems) { table = try source.table() } catch { throw Failure(file: file, error) }
        if let task = table.text("task") {
            try TaskRun(session).check(source, task: task, file: file)
        } else {
            let definition: JobDefinition
            do throws(Problems) { definition = try JobDefinition.accept(table, isScript: source.format == .script, context) } catch {
                throw Failure(file: file, error)
            }
            try session.refuseMissingFiles(of: definition) { "\(file): \($0)" }
            try session.refuseUnknown(definition.after) { "\(file): \($0)" }
        }
        // A script runs from the very file that was dropped, so it must be executable, and only its owner may change it.
        // A run of a task gets what its other runs get.
        let input = mayTakeInput && table["task"] == nil ? input(of: table) : .nothing
        return try finish(source, name: name, mode: source.format == .script ? mode & 0o755 | 0o700 : 0o600, input: input)
    }

    private func refuseJobOptions(with what: String) throws(Failure) {
        try arguments.refuse(JobOptions.optionsOfRun.map(\.name) + ["in", "env", "task"], with: what)
    }

    // MARK: Lines

    /// How many jobs are made durable at once: enough that syncing hardly counts, few enough that ids come soon.
    private static let batchMax = 2000

    private func lines() throws(Failure) -> Int32 {
        guard arguments.operands.count <= 1 else { throw .usage("--lines reads one file; \"\(arguments.operands[1])\" is too many") }
        if arguments.value("file") != nil || arguments.value("task") != nil { throw .usage("--lines goes with neither --file nor --task") }
        if arguments.value("unique") != nil || arguments.value("unique-while") != nil { throw .usage("--unique does not go with --lines: there would be one job") }
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
        // What is the same in all jobs is written once, and goes behind the command, for it may end in tables.
        let common = Source(writing: rest)
        guard common.format == .toml else { throw .invalid("--payload: with --lines it may not hold null") }

        // One name for all, because ids sort by name within a millisecond and here by line.
        let name = try givenName() ?? "line"
        let input = path == "-" ? StandardInput() : try StandardInput(path: path)
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
                    let what = line.bytes[place] == 0 ? "a zero byte" : "the byte 0x\(String(line.bytes[place], radix: 16, uppercase: true)), which is not UTF-8"
                    throw .invalid(
                        "\(path == "-" ? "stdin" : path):\(line.number):\(line.column(of: place)): the line holds \(what); the lines before it were submitted")
                }
                guard line.bytes.count <= JobDefinition.wordBytesMax else {
                    try publish(&batch, drop, &ids)
                    throw .invalid(
                        "\(path == "-" ? "stdin" : path):\(line.number):1: the line is \(line.bytes.count) bytes, of \(JobDefinition.wordBytesMax) that the kernel takes; the lines before it were submitted")
                }
                var command = Table()
                command.set("command", Value(.string(text)))
                let source = Source(format: .toml, bytes: Array(TOML.write(command).utf8) + common.bytes)
                // They differ in a line whose length was looked at, so that the first speaks for all.
                batch.append(try drop.compose(source, name: name, isReadable: isReadable))
                isReadable = true
                if batch.count == Self.batchMax { try publish(&batch, drop, &ids) }
            }
            try publish(&batch, drop, &ids)
        }
        guard arguments.flag("wait") else { return ExitCode.done }
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
