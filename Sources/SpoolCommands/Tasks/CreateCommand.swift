import Glibc
import Linux
import Store

extension SpoolCommand {
    static let create = SpoolCommand(
        "create", "NAME [options] [--] COMMAND…", "create a task",
        details: [
            """
            Writes tasks/NAME.toml, after checking it as the daemon would. COMMAND is read as in spoolctl submit. The task runs in a \
            clean environment, not in the caller's.
            """,
            """
            A schedule is by the clock of --timezone, else of the configured zone. An instant without a zone, as of --at, is in the zone \
            of --timezone, else in your own.
            """,
        ],
        options: ScheduleOptions.options + JobOptions.optionsOfTask + [
            Option("file", "f", value: "FILE", "copy this task file, with its comments; - is standard input")
        ],
        mostUsed: ["cron", "calendar", "every", "at", "timezone", "directory", "timeout", "tries", "mail", "on-failure"],
        examples: [
            Example("spoolctl create backup --cron '30 2 * * *' --timezone local -- backup --all", "runs every night"),
            Example("spoolctl create poll --every 5m --timeout 1m -- ./poll", "runs five minutes after the previous run has ended"),
            Example("spoolctl create report --file report.toml", "copies a file"),
        ],
        ownOperands: 1
    ) { session throws(Failure) in
        guard let name = session.arguments.operands.first else {
            throw .usage("create needs a task's NAME; see spoolctl create --help")
        }
        try Name.check(name, hint: name.contains(" ") ? "a title may have blanks: --title \"\(name)\"" : nil)
        let (source, schedules) = try Create(session).source(name, Array(session.arguments.operands.dropFirst()))
        let fs = try session.openSpoolForWriting()
        if let other = try attempt({ () throws(SystemError) in try Spool(fs, host: "").crontabTask(name) }) { throw other.refusal }
        let tasks = DefinitionWriting(fs: fs, directory: Layout.tasks)
        guard try tasks.add(source, stem: name) else {
            throw Failure(ExitCode.failed, "task \"\(name)\" exists; spoolctl update changes it")
        }
        session.printTask(name, change: "created task \(name)")
        session.remarkNextDue(schedules)
        return ExitCode.done
    }
}

private struct Create {
    let session: Session

    init(_ session: Session) { self.session = session }

    func source(_ name: String, _ words: [String]) throws(Failure) -> (Source, [ScheduleDefinition]) {
        if let path = session.arguments.value("file") {
            guard words.isEmpty else { throw .usage("--file and COMMAND both say what to run") }
            return try file(path, name)
        }
        guard !words.isEmpty else { throw .usage("create needs a COMMAND or --file; see spoolctl create --help") }
        var job = try JobOptions(session)
        try job.setCommand(words)
        let context = try session.context()
        // Each part is first checked by itself, so that an error names the option.
        var run = job.table
        run.removeTaskKeys()
        do throws(Problems) { _ = try JobDefinition.accept(run, context) } catch { throw job.failure(error) }
        let schedules = try ScheduleOptions(session)
        var checked: [ScheduleDefinition] = []
        for given in schedules.all { checked.append(try session.check(given, task: name, context)) }
        session.warn(about: checked)
        var table = job.table
        if !schedules.all.isEmpty {
            table.set("schedule", Value(.array(schedules.all.map { Value(.table($0.table)) })))
        }
        let source = Source(writing: table)
        do throws(Problems) { try TaskDefinition(name: name, source: source, context).checkRun(context) } catch {
            throw Failure(ExitCode.invalid, error.all.map(\.text))
        }
        return (source, checked)
    }

    private func file(_ path: String, _ name: String) throws(Failure) -> (Source, [ScheduleDefinition]) {
        try session.arguments.refuse((ScheduleOptions.options + JobOptions.optionsOfTask).map(\.name), with: "--file")
        let bytes = path == "-" ? try StandardInput.readAll(limit: Source.bytesMax) : try readFile(path).bytes
        let format: Source.Format = path.hasSuffix(".json") ? .json : path.hasSuffix(".toml") ? .toml : Source.format(ofText: bytes)
        let source = Source(format: format, bytes: bytes)
        let shown = path == "-" ? "stdin" : path
        let context = try session.context()
        let task: TaskDefinition
        do throws(Problems) {
            task = try TaskDefinition(name: name, source: source, context)
            try task.checkRun(context)
        } catch {
            throw Failure(file: shown, error)
        }
        try ScheduleOptions.refusePast(task.schedules, now: session.now, said: shown)
        session.warn(about: task.schedules)
        return (source, task.schedules)
    }
}
