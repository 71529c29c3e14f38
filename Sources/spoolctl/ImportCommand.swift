import Glibc
import Linux
import Store

extension Command {
    static let `import` = Command(
        "import", "crontab [FILE…] | at", "turn a crontab's lines into tasks, or at's queue into jobs",
        details: [
            "crontab: writes a task for each line, with the comment above it as description and the variables that are in force where it stands. A line that cannot be carried over faithfully is refused, and it is said why; the others are written.",
            "Without FILE it reads crontab -l; - is standard input. In /etc/crontab, in a directory named cron.d and with --system each line names a user: root's tasks then run as that one, anybody else's lines of others are refused. A directory stands for the files in it that cron would read.",
            "A task is named after its file, or in a user's crontab after its program. As cron does, it runs by the machine's clock, makes up for nothing that was missed, and mails its output.",
            "at: submits a job for each that at(1) has queued, with its script, start time and queue; its id follows from at's number and time, so none comes twice. Root's jobs of other users run as these; anybody else's, what runs already or cannot be read is refused with the reason. at's own spool is left as it is: standard error has the atrm command that empties it.",
        ],
        options: [
            Option("system", "crontab: every line names a user"),
            Option("dir", value: "DIR", "at: its spool (/var/spool/cron/atjobs)"),
            Option("dry-run", "print the files instead of writing them"),
            Option("verify", "crontab: print the next 20 runs, by the crontab and by the task, side by side; writes nothing"),
        ],
        examples: [
            Example("spoolctl import crontab --dry-run", "what your own crontab would become"),
            Example("spoolctl import crontab /etc/crontab /etc/cron.d", "the system's"),
            Example("spoolctl import at && atrm $(atq | cut -f1)", "moves all that is queued"),
        ]
    ) { session throws(Failure) in
        let arguments = session.arguments
        let rest = Array(arguments.operands.dropFirst())
        switch arguments.operands.first {
        case "crontab":
            if arguments.value("dir") != nil { throw .usage("--dir goes with import at") }
            return try ImportCrontab(session).run(rest)
        case "at":
            for option in ["system", "verify"] where arguments.flag(option) { throw .usage("--\(option) goes with import crontab") }
            if let first = rest.first { throw .usage("import at takes no operands, and \"\(first)\" is one; --dir names a directory") }
            return try ImportAt(session).run()
        default:
            throw .usage("import needs crontab or at; see spoolctl import --help")
        }
    }
}

private struct ImportCrontab {
    let session: Session
    private let owner: String

    init(_ session: Session) throws(Failure) {
        self.session = session
        let user = try attempt { () throws(SystemError) in try User.find(id: geteuid()) }
        owner = user?.name ?? String(geteuid())
    }

    func run(_ files: [String]) throws(Failure) -> Int32 {
        var tasks: [CrontabTask] = []
        var names: Set<String> = []
        var refused = 0
        for (file, text, isSystem) in try crontabs(files) {
            let crontab = Crontab(text, isSystem: isSystem)
            var problems = crontab.problems.map { ($0.line, $0.message) }
            for entry in crontab.entries {
                let name = Self.name(of: entry, in: file, isSystem: isSystem, taken: &names)
                do throws(CrontabTask.Refusal) {
                    let task = try CrontabTask(entry, name: name, owner: owner, isRoot: geteuid() == 0, file: file)
                    try check(task)
                    tasks.append(task)
                } catch {
                    problems.append((entry.line, error.why))
                }
            }
            for (line, message) in problems.sorted(by: { $0.0 < $1.0 }) { session.complain("\(file):\(line): \(message)") }
            refused += problems.count
        }
        if session.isJSON, session.arguments.flag("verify") { throw .usage("--verify shows a table for people; --json does not go with it") }
        if session.arguments.flag("verify") {
            try verify(tasks)
        } else if session.arguments.flag("dry-run") {
            for task in tasks { session.show(task.source, wouldBe: "\(Layout.tasks)/\(task.name).\(task.source.format == .json ? "json" : "toml")") }
        } else {
            try write(tasks)
        }
        return refused == 0 ? ExitCode.done : ExitCode.invalid
    }

    // MARK: Reading

    private func crontabs(_ files: [String]) throws(Failure) -> [(file: String, text: String, isSystem: Bool)] {
        if files.isEmpty { return [("crontab", try ownCrontab(), session.arguments.flag("system"))] }
        var found: [(String, String, Bool)] = []
        for file in files {
            if file == "-" {
                let bytes = try StandardInput.readAll(limit: Source.bytesMax)
                found.append(("stdin", String(decoding: bytes, as: UTF8.self), session.arguments.flag("system")))
                continue
            }
            for path in try paths(file) {
                let bytes = try attempt { () throws(SystemError) in
                    do throws(SystemError) { return try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK).readAll(limit: Source.bytesMax) } catch {
                        throw SystemError(call: error.call, path: path, errno: error.errno)
                    }
                }
                let directory = path.split(separator: "/").dropLast().last ?? ""
                let isSystem = session.arguments.flag("system") || path == "/etc/crontab" || directory == "cron.d"
                found.append((path, String(decoding: bytes, as: UTF8.self), isSystem))
            }
        }
        return found
    }

    /// The file itself, or those in a directory that cron(8) would read: names of letters, digits, `_` and `-` alone.
    private func paths(_ path: String) throws(Failure) -> [String] {
        let names: [String]
        do throws(SystemError) { names = try Directory.open(path).list().filter { $0.kind == .file }.map(\.name) } catch {
            if error.errno == ENOTDIR { return [path] }
            throw Failure(error)
        }
        return names.filter { name in name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F || byte == 0x2D
        } }.sorted().map { "\(path)/\($0)" }
    }

    /// What `crontab -l` prints.
    private func ownCrontab() throws(Failure) -> String {
        try attempt { () throws(SystemError) in
            let pipe = try Pipe()
            let ends = pipe.release()
            let reading = FileDescriptor(owning: ends.reading)
            let writing = FileDescriptor(owning: ends.writing)
            var words = ["/usr/bin/crontab", "-l"]
            if Process.executability(words[0]) != .executable { words = ["/bin/crontab", "-l"] }
            let pid = try Process.spawn(
                words[0], arguments: words, environment: ["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"], descriptors: [(writing.raw, 1), (STDERR_FILENO, 2)])
            close(writing.release())
            try reading.setBlocking()
            let bytes = try reading.readAll(limit: Source.bytesMax)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    // MARK: Tasks

    /// `sysstat`, `sysstat-2`; of a user's crontab `backup`, `backup-2`.
    private static func name(of entry: Crontab.Entry, in file: String, isSystem: Bool, taken: inout Set<String>) -> String {
        let program = entry.command.split(separator: " ").first?.split(separator: "/").last ?? "cron"
        let stem = isSystem ? file.split(separator: "/").last ?? "cron" : program
        let base = Name.sanitized(stem.prefix(50))
        var name = base
        var number = 1
        while !taken.insert(name).inserted {
            number += 1
            name = "\(base)-\(number)"
        }
        return name
    }

    private func check(_ task: CrontabTask) throws(CrontabTask.Refusal) {
        let context: ReadingContext
        do throws(Failure) { context = try session.context() } catch { throw CrontabTask.Refusal(why: error.lines.joined(separator: "; ")) }
        do throws(Problems) { _ = try TaskDefinition(name: task.name, source: task.source, context) } catch {
            throw CrontabTask.Refusal(why: error.all.map { "\($0.message)\($0.hint.map { "; \($0)" } ?? "")" }.joined(separator: "; "))
        }
    }

    private func write(_ tasks: [CrontabTask]) throws(Failure) {
        let writing = DefinitionWriting(fs: try session.openSpoolForWriting(), directory: Layout.tasks)
        for task in tasks {
            guard try writing.add(task.source, stem: task.name) else {
                throw Failure(ExitCode.failed, "task \"\(task.name)\" exists; what comes after it in the crontab was not written")
            }
            if session.isJSON { session.tell(task: task.name) } else { session.output.line(task.name) }
        }
    }

    // MARK: Verifying

    private static let runsToVerify = 20

    /// The due times that the crontab's own fields give, beside those of the task as the daemon would read it.
    private func verify(_ tasks: [CrontabTask]) throws(Failure) {
        let context = try session.context()
        var table = TextTable(["TASK", "CRONTAB", "TASK'S", ""])
        for task in tasks {
            let zone: Zone
            let there: Recurrence
            do throws(RecurrenceError) {
                zone = try session.zones.zone(task.entry.settings.zone ?? "local")
                there = try Recurrence.cron(task.entry.when, zone: zone, zones: session.zones, stableSeed: 0)
            } catch { throw .invalid("\(task.name): \(error)") }
            let here: ScheduleDefinition?
            do throws(Problems) { here = try TaskDefinition(name: task.name, source: task.source, context).schedules.first } catch {
                throw .invalid("\(task.name): \(error)")
            }
            var (one, other): (Instant?, Instant?) = (session.now, session.now)
            for _ in 0..<Self.runsToVerify {
                one = one.flatMap { there.next(after: $0, origin: session.now) }
                other = other.flatMap { here?.recurrence.next(after: $0, origin: session.now) }
                if one == nil, other == nil { break }
                table.add([
                    .init(task.name), .init(one.map { TimeText.local($0, zone) } ?? "-"), .init(other.map { TimeText.local($0, here?.zone ?? zone) } ?? "-"),
                    .init(one == other ? "" : "differs", .red),
                ])
            }
        }
        table.write(to: session.output)
    }
}

extension Session {
    /// Prints a file that an import would write.
    func show(_ source: Source, wouldBe file: String) {
        let text = String(decoding: source.bytes, as: UTF8.self)
        guard isJSON else { return output.line("# \(file)\n\(text)") }
        var writer = JSONWriter(reserving: text.utf8.count + 256)
        writer.beginObject()
        writer.member("file", file)
        writer.member("text", text)
        writer.endObject()
        output.line(String(decoding: writer.bytes, as: UTF8.self))
    }
}
