// Limits of the kernel on starting programs. They are checked when a job's file is taken up, not when the job starts.
//
// `read` does not check them: the journal may contain jobs that were accepted before a limit was known, and they must stay
// readable.

extension JobDefinition {
    /// The maximum length of one argument or variable in bytes, execve(2): MAX_ARG_STRLEN, 32 pages, without the NUL at its end.
    public static let wordBytesMax = 32 * 4096 - 1
    /// The maximum length of all arguments and variables in bytes, with a pointer to each: a quarter of the usual 8 MiB of stack,
    /// minus the part that the daemon needs.
    public static let wordsBytesMax = (2 << 20) - (64 << 10)
    /// The maximum length of a path and of a name in it, in bytes: PATH_MAX without its NUL, and NAME_MAX.
    public static let pathBytesMax = 4095
    public static let nameBytesMax = 255

    /// Reads a job's table as `read` does, and refuses a job that could not be started.
    public static func accept(_ table: Table, isScript: Bool = false, _ context: ReadingContext) throws(Problems) -> JobDefinition {
        let definition = try read(table, isScript: isScript, context)
        var check = StartCheck(table)
        check.look(at: definition, context)
        guard check.problems.isEmpty else { throw Problems(check.problems) }
        return definition
    }
}

/// Checks all keys of one job that reach the kernel when the job starts.
private struct StartCheck {
    private let table: Table
    private(set) var problems: [DocumentError] = []
    private var bytes = 0

    init(_ table: Table) { self.table = table }

    mutating func look(at definition: JobDefinition, _ context: ReadingContext) {
        switch definition.action {
        case .arguments(let words): count(words, "command", hint: "put it into a file, or on standard input")
        case .line(let line):
            count(definition.shell, "shell")
            count([line], "command", hint: "script is run from a file, and may be longer")
        case .script, .droppedScript: count(definition.shell, "shell")
        }
        for (name, value) in definition.environment { count("\(name)=\(value)", "env", "env.\(name)") }
        count("SPOOL_TAGS=" + definition.tags.joined(separator: ","), "tags")
        if bytes > JobDefinition.wordsBytesMax {
            fail(
                "command",
                "command and env are \(bytes) bytes together; the kernel starts nothing with more than \(JobDefinition.wordsBytesMax)")
        }
        path(definition.directory, "directory")
        path(definition.standardInput?.path, "stdin")
        path(definition.environmentFile, "env_file")
        if case .arguments(let words) = definition.action, let program = words.first { path(program, "command") }
        path(definition.shell.first, "shell")
        if let filesMax = context.filesMax, case .table(let limits)? = table["limits"]?.kind,
        case .integer(let files)? = limits["nofile"]?.kind,
            files > filesMax
        {
            problems.append(
                DocumentError(
                    position: limits["nofile"]!.position,
                    message: "limits.nofile is \(files); the kernel lets no process have more than \(filesMax)",
                    hint: "sysctl fs.nr_open shows the limit"))
        }
    }

    private mutating func count(_ words: [String], _ key: String, hint: String? = nil) {
        for word in words { count(word, key, key, hint: hint) }
    }

    private mutating func count(_ word: String, _ key: String, _ shown: String? = nil, hint: String? = nil) {
        // Add its NUL and the pointer to it.
        bytes += word.utf8.count + 9
        guard word.utf8.count > JobDefinition.wordBytesMax else { return }
        fail(key, "\(shown ?? key) holds \(word.utf8.count) bytes in one piece; the kernel takes \(JobDefinition.wordBytesMax)", hint: hint)
    }

    private mutating func path(_ path: String?, _ key: String) {
        guard let path else { return }
        if path.utf8.count > JobDefinition.pathBytesMax {
            fail(key, "\(key) is a path of \(path.utf8.count) bytes; at most \(JobDefinition.pathBytesMax) are allowed")
        } else if let name = path.utf8.split(separator: UInt8(ascii: "/")).first(where: { $0.count > JobDefinition.nameBytesMax }) {
            fail(key, "\(key) holds a file's name of \(name.count) bytes; at most \(JobDefinition.nameBytesMax) are allowed")
        }
    }

    /// Report each key once.
    private mutating func fail(_ key: String, _ message: String, hint: String? = nil) {
        let position = table[key]?.position ?? Position(line: 1, column: 1)
        guard !problems.contains(where: { $0.position == position }) else { return }
        problems.append(DocumentError(position: position, message: message, hint: hint))
    }
}

extension Source {
    /// Reads a job's file when it is taken up: its keys over those of the task that it names, with all checks. The job's recorded
    /// text then contains both. The daemon and the programs that submit to it call this one function, so that no accepted job is
    /// rejected later.
    ///
    /// - Parameter task: returns the definition in force of a task. Nil when there is none.
    public func job(
        _ context: ReadingContext, task: (String) -> TaskDefinition?
    ) throws(Problems) -> (source: Source, definition: JobDefinition, task: String?) {
        let (keys, task) = try keys(context, task: task)
        guard let task else { return (self, try JobDefinition.accept(keys, isScript: format == .script, context), nil) }
        let job = try JobDefinition.accept(keys, context)
        let source = Source(
            format: .json, bytes: Array(JSON.write(Value(.table(keys), at: Position(line: 1, column: 1)), pretty: true).utf8))
        guard source.bytes.count <= Source.bytesMax else {
            throw Problems(
                DocumentError(
                    position: try table()["task"]?.position ?? Position(line: 1, column: 1),
                    message: """
                        the job with the keys of task "\(task)" is \(source.bytes.count) bytes; at most \(Source.bytesMax) are allowed
                        """))
        }
        return (source, job, task)
    }

    /// A job's own keys over those of the task that it names, and that task's name.
    ///
    /// - Parameter task: returns the definition in force of a task. Nil when there is none.
    public func keys(
        _ context: ReadingContext, task: (String) throws(Problems) -> TaskDefinition?
    ) throws(Problems) -> (keys: Table, task: String?) {
        let table = try table()
        guard let value = table["task"] else { return (table, nil) }
        func refuse(_ at: Position, _ message: String, _ hint: String? = nil) -> Problems {
            Problems(DocumentError(position: at, message: message, hint: hint))
        }
        if format == .script { throw refuse(value.position, "task in a script: the script itself is what runs") }
        guard case .string(let name) = value.kind else { throw refuse(value.position, "task must be a task's name") }
        for key in ["command", "script"] {
            if let other = table[key] { throw refuse(other.position, "\(key) and task are both given", "keep one of them") }
        }
        guard let definition = try task(name) else { throw refuse(value.position, "there is no task \"\(name)\"") }
        return (try definition.jobTable(overrides: table, context.taskDefaults), name)
    }

    /// Refuses a text that could not be read back: it is longer, deeper or has more values than the limits, or is not valid in
    /// its format.
    public func checkReadable() throws(Problems) {
        if bytes.count > Self.bytesMax {
            throw Problems(
                DocumentError(
                    position: Position(line: 1, column: 1), message: "the job is \(bytes.count) bytes; at most \(Self.bytesMax) are read"))
        }
        _ = try table()
    }
}
