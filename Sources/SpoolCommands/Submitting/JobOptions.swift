import Glibc
import Linux
import Store
import TextSearch

/// The options for the keys of a job, and the table that they make.
///
/// Every value carries the number of its option as its line number, so that an error about a value can name the option.
struct JobOptions {
    private(set) var table = Table()
    /// The instant of `--start`, `--at` or `--in`.
    private(set) var start: Instant?
    private var spellings: [String] = []

    static let options: [Option] =
        Option.group(.what, [
            Option("title", value: "TEXT", "what people call it, such as \"Nightly dump\""),
            Option("description", value: "TEXT", "what the job is for"),
            Option("payload", value: "JSON", "data for the job, on standard input and in the file $SPOOL_PAYLOAD"),
            Option("stdin", value: "FILE", "a file for standard input, instead of the payload"),
            Option("directory", "C", value: "DIR", "the directory in which the job runs"),
            Option("set-env", "E", value: "NAME=VALUE", "set a variable; can be repeated"),
            Option("env-file", value: "FILE", "a file of KEY=value lines, read when the job starts"),
            Option("shell", value: "PATH", "the shell for a command line (/bin/sh)"),
            Option("umask", value: "OCTAL", "the mask for the modes of new files"),
            Option("user", value: "USER", "for root's jobs: the user that runs the job; the directory is then their home"),
            Option("group", value: "GROUP", "for root's jobs: the group that runs the job (the user's own)"),
            Option("nice", value: "N", "the niceness, -20 to 19"),
            Option("ionice", value: "CLASS", "the I/O class: idle, best-effort:0 to 7, or realtime:0 to 7"),
            Option("executor", value: "NAME", "what runs the job: local for this machine, or an executor such as slurm or ssh"),
            Option("resource", value: "NAME=VALUE", "cpus, memory, gpus or nodes that the executor gives; can be repeated"),
            Option("executor-arg", value: "ARG", "an argument for the executor's engine, such as --partition=long; can be repeated"),
            Option("host", value: "HOST", "a host that may run the job, for executors that know hosts; can be repeated"),
        ])
        + Option.group(.when, [
            Option("start", value: "TIME", "do not start before this instant"),
        ])
        + Option.group(.order, [
            Option("queue", "Q", value: "NAME", "the queue of the job"),
            Option("priority", "p", value: "N", "-1000 to 1000; higher priorities start first"),
            Option("tag", value: "NAME", "a tag; can be repeated"),
            Option("lock", value: "NAME", "never run at the same time as another job with this lock; can be repeated"),
            Option("after", value: "JOB", "start after this job, or after a task's latest run; can be repeated").ofUsers,
            Option("after-when", value: "END", "how the jobs of --after must end: success, failure or end (success)"),
            Option("deadline", value: "WHEN", "fail if not started by then: a duration from the due time, or an instant"),
        ])
        + Option.group(.ending, [
            Option("timeout", value: "TIME", "how long a try may run"),
            Option("kill-after", value: "TIME", "the time between the stop signal and SIGKILL (10s)"),
            Option("stop-signal", value: "SIGNAL", "the first signal of a timeout or a cancel (TERM)"),
            Option("limit", value: "NAME=VALUE", "nofile, nproc, core, fsize, cpu, as, memory, cpu_percent or tasks; can be repeated"),
            Option("output-limit", value: "SIZE", "how much of each output stream is kept (64M)"),
            Option("combine-output", "write standard error into the file of standard output, in true order"),
            Option("output", value: "WHERE", "where the output goes: files, or journal for the system's journal too"),
            Option("min-run", value: "TIME", "a try that succeeds sooner has failed"),
            Option("success", value: "CODES", "exit codes that count as success, such as 0,2"),
            Option("tries", value: "N", "how often the job is tried at most (1)"),
            Option("backoff", value: "TIME", "the delay between tries, or {initial = \"10s\", factor = 2, max = \"1h\", jitter = 0.2}"),
            Option("retry-on", value: "LIST", "what is tried again: exit codes, timeout, signal, spawn, short, lost (any failure)"),
            Option("on-crash", value: "RULE", "what follows when the machine crashed during the run: fail or retry"),
            Option("leftovers", value: "RULE", "what to do with processes that the command left running: leave or kill"),
        ])
        + Option.group(.notices, [
            Option("keep", value: "TIME", "how long the job's record is kept (14 days)"),
            Option("on-success", value: "WHAT", "a task or a command line to run when the job has succeeded"),
            Option("on-failure", value: "WHAT", "a task or a command line to run when the job has failed"),
            Option("on-end", value: "WHAT", "a task or a command line to run when the job has ended"),
            Option("on-start", value: "WHAT", "a task or a command line to run when the first try starts"),
            Option("slow", value: "TIME", "how long a try may run before the job is slow; it runs on"),
            Option("on-slow", value: "WHAT", "a task or a command line to run once when the job is slow"),
            Option("on-recovery", value: "WHAT", "a task or a command line to run at the first success after failures"),
            Option("mail", value: "ADDRESS", "the address that gets the output by mail when the job has failed"),
            Option("mail-when", value: "WHEN", "when to mail: failure, output or always"),
            Option("pause-on-failure", "pause the job's task when the job has failed"),
        ])

    /// The options of a single run, for which `--at` is another name of `--start`. For a task, `--at` is a schedule.
    static let optionsOfRun =
        options.map { option in
            guard option.name == "start" else { return option }
            var option = option
            option.alias = "at"
            return option
        } + Option.group(.when, [
            Option("timezone", value: "ZONE", "the zone of --at and --deadline (default: your own): an IANA name, or local"),
        ]) + Option.group(.order, [
            Option("unique", value: "KEY", "where a job with this key is there, print its id instead"),
            Option("unique-while", value: "RULE", "held while the job is active, or as long as it is recorded (recorded)"),
        ])

    /// A task's runs start when they are due; what it does when a run is due before the last has ended is its own key.
    static let optionsOfTask =
        options.filter { $0.name != "start" }
        + Option.group(.order, [Option("overlap", value: "RULE", "due while it runs: wait, queue, skip, allow or replace")])
        + Option.group(.notices, [
            Option("notify-after", value: "N", "run --on-failure and --mail only from the Nth failure in a row on (1)"),
            Option("notify-every", value: "TIME", "the least time between notices of failures in a row"),
            Option("expect", value: "TIME", "how long it may be without a success"),
            Option("on-overdue", value: "WHAT", "a task or a command line to run when --expect is over"),
        ])

    /// The options whose value has another form than text. `init` reads each by itself.
    private static let ofOtherForms: Set = [
        "after", "after-when", "backoff", "deadline", "directory", "executor-arg", "host", "keep", "limit", "lock", "mail",
        "mail-when", "nice", "notify-after", "payload", "priority", "resource", "retry-on", "set-env", "start", "success", "tag",
        "timezone", "tries", "unique", "unique-while",
    ]

    /// All other options with a value: `--kill-after 5s` is `kill_after = "5s"`.
    private static let texts = Set((optionsOfTask + optionsOfRun).filter { $0.value != nil }.map(\.name)).subtracting(ofOtherForms).sorted()

    /// The key that an option of this name gives.
    private static func key(of option: String) -> String { option.replacing("-", with: "_") }

    /// Reads the keys from the options of a call.
    init(_ session: Session) throws(Failure) {
        let arguments = session.arguments
        for option in Self.texts {
            if let text = arguments.value(option) { set(Self.key(of: option), .string(text), "--\(option)") }
        }
        if let path = arguments.value("directory") {
            let isInHome = path == "~" || path.hasPrefix("~/")
            set("directory", .string(isInHome ? path : try absolute(path, "--directory (-C)")), "--directory")
        }
        if let path = arguments.value("stdin"), !path.hasPrefix("/"), arguments.value("directory") == nil {
            set("stdin", .string(try absolute(path, "--stdin")), "--stdin")
        }
        for option in ["priority", "tries", "nice", "notify-after"] {
            guard let text = arguments.value(option) else { continue }
            set(Self.key(of: option), Int64(text).map { .integer($0) } ?? .string(text), "--\(option)")
        }
        if arguments.flag("combine-output") { set("combine_output", .boolean(true), "--combine-output") }
        let tags = arguments.values("tag")
        if !tags.isEmpty { set("tags", .array(strings(tags)), "--tag") }
        if let codes = arguments.value("success") { set("success", .array(codesAndWords(codes)), "--success") }
        if let rules = arguments.value("retry-on") { set("retry_on", .array(codesAndWords(rules)), "--retry-on") }
        for option in ["backoff", "keep"] {
            if let text = arguments.value(option) { set(option, try inlineValue(text, option), "--\(option)") }
        }
        // In a table; a number alone has been refused before.
        if let bare = table.bareNumbers.first { throw .invalid("--keep: \(bare.text)") }
        if let text = arguments.value("payload") {
            do throws(DocumentError) { set("payload", try JSON.parse(Array(text.utf8)).kind, "--payload") } catch {
                throw .invalid("--payload:\(error)")
            }
        }
        try setStart(session)
        if let text = arguments.value("deadline") {
            // A duration counts from the due time, and stays a duration.
            let isDuration = (try? Span.parse(text)) != nil  // not a duration: an instant
            let written = isDuration ? text : try session.written(try session.instant(text, option: "deadline", as: .boundary))
            set("deadline", .string(written), "--deadline")
        }
        try setOrder(session)
        try setUnique(arguments)
        try setMail(arguments)
        var variables = Table()
        for assignment in arguments.values("set-env") {
            guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else {
                throw .usage("--set-env needs NAME=VALUE, not \"\(assignment)\"")
            }
            let value = String(assignment[assignment.index(after: equals)...])
            variables.set(String(assignment[..<equals]), Value(.string(value)))
        }
        if !variables.isEmpty { set("env", .table(variables), "--set-env") }
        var limits = Table()
        for assignment in arguments.values("limit") {
            let parts = assignment.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw .usage("--limit needs NAME=VALUE, not \"\(assignment)\"") }
            let number: Value.Kind? = Int64(parts[1]).map { .integer($0) } ?? Double(parts[1]).map { .number(Number($0)) }
            limits.set(parts[0], Value(number ?? .string(parts[1])))
        }
        if !limits.isEmpty { set("limits", .table(limits), "--limit") }
        try setExecutor(arguments)
    }

    private mutating func setExecutor(_ arguments: Arguments) throws(Failure) {
        var resources = Table()
        for assignment in arguments.values("resource") {
            let parts = assignment.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw .usage("--resource needs NAME=VALUE, not \"\(assignment)\"") }
            resources.set(parts[0], Value(Int64(parts[1]).map { .integer($0) } ?? .string(parts[1]), at: nextPosition))
        }
        if !resources.isEmpty { set("resources", .table(resources), "--resource") }
        let words = arguments.values("executor-arg")
        if !words.isEmpty { set("executor_args", .array(strings(words)), "--executor-arg") }
        let hosts = arguments.values("host")
        if !hosts.isEmpty { set("host", .array(strings(hosts)), "--host") }
    }

    private mutating func setOrder(_ session: Session) throws(Failure) {
        let locks = session.arguments.values("lock")
        if !locks.isEmpty { set("locks", .array(strings(locks)), "--lock") }
        let jobs = session.arguments.values("after")
        let when = session.arguments.value("after-when")
        guard !jobs.isEmpty else {
            if when != nil { throw .usage("--after-when needs --after") }
            return
        }
        var names: [String] = []
        for job in jobs { names.append(try session.waitable(job)) }
        let list = Value(.array(strings(names)), at: nextPosition)
        guard let when else { return set("after", list.kind, "--after") }
        let entries = [("all", list), ("when", Value(.string(when), at: nextPosition))]
        set("after", .table(Table(entries.map { Table.Entry(key: $0.0, keyPosition: nextPosition, value: $0.1) })), "--after-when")
    }

    private mutating func setUnique(_ arguments: Arguments) throws(Failure) {
        let holding = arguments.value("unique-while")
        guard let text = arguments.value("unique") else {
            if holding != nil { throw .usage("--unique-while needs --unique") }
            return
        }
        let key = Value(.string(text), at: nextPosition)
        guard let holding else { return set("unique", key.kind, "--unique") }
        let entries = [("key", key), ("while", Value(.string(holding), at: nextPosition))]
        set("unique", .table(Table(entries.map { Table.Entry(key: $0.0, keyPosition: nextPosition, value: $0.1) })), "--unique-while")
    }

    private mutating func setMail(_ arguments: Arguments) throws(Failure) {
        if arguments.flag("pause-on-failure") { set("pause_on_failure", .boolean(true), "--pause-on-failure") }
        let when = arguments.value("mail-when")
        guard let address = arguments.value("mail") else {
            if when != nil { throw .usage("--mail-when needs --mail") }
            return
        }
        let to = Value(.string(address), at: nextPosition)
        guard let when else { return set("mail", to.kind, "--mail") }
        let entries = [("to", to), ("when", Value(.string(when), at: nextPosition))]
        set("mail", .table(Table(entries.map { Table.Entry(key: $0.0, keyPosition: nextPosition, value: $0.1) })), "--mail-when")
    }

    /// `--start`, `--at` and `--in` set one key, to an instant: `--in 10m` counts from now, not from when the daemon reads the job.
    private mutating func setStart(_ session: Session) throws(Failure) {
        let arguments = session.arguments
        let given = arguments.given.filter { ["start", "in"].contains($0.name) }
        guard let last = given.last else { return }
        if given.count > 1 { throw .usage("\(given[0].spelling) and \(given[1].spelling) both say when to start") }
        let instant =
            last.name == "in"
            ? session.now.advanced(byMilliseconds: try session.milliseconds(last.value, option: "in"))
            : try session.instant(last.value, option: String(last.spelling.drop { $0 == "-" }), as: .action)
        start = instant
        set("start", .string(try session.written(instant)), last.spelling)
    }

    // MARK: Command

    /// A single word with a shell's special character is a line for the shell. Anything else is an argv, run without a shell.
    mutating func setCommand(_ words: [String]) throws(Failure) {
        if words.count == 1, words[0].utf8.contains(where: Self.isForShell) {
            set("command", .string(words[0]), "COMMAND")
        } else {
            set("command", .array(strings(words)), "COMMAND")
        }
    }

    private static func isForShell(_ byte: UInt8) -> Bool { " \t\n|&;<>()$`\\\"'*?[#~".utf8.contains(byte) }

    /// A job's name: the program's, without its directory.
    static func name(of words: [String]) -> String {
        let first = words.first?.split(whereSeparator: { " \t\n;&|<>()".contains($0) }).first ?? "job"
        return Name.sanitized(first.split(separator: "/").last ?? "job")
    }

    // MARK: The caller's surroundings

    /// Adds the caller's directory (not for a job of another user), umask and PATH, or with `everything` the whole environment. Options
    /// take precedence.
    mutating func recordSurroundings(everything: Bool) throws(Failure) {
        // Another user may not be allowed to enter root's directory.
        if table["directory"] == nil, table["user"] == nil {
            let here = try currentDirectory("--directory (-C) says where the job is to run")
            set("directory", .string(here), "the directory")
        }
        if table["umask"] == nil {
            let mask = Glibc.umask(0)
            _ = Glibc.umask(mask)
            let digits = String(mask, radix: 8)
            set("umask", .string(String(repeating: "0", count: max(0, 3 - digits.count)) + digits), "the umask")
        }
        var variables = Table()
        if everything {
            for assignment in environmentAssignments() {
                // An assignment without a name cannot be a variable of the job.
                guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else { continue }
                variables.set(String(assignment[..<equals]), Value(.string(String(assignment[assignment.index(after: equals)...]))))
            }
        } else if let path = getenv("PATH") {
            variables.set("PATH", Value(.string(FileName.string(from: path))))
        }
        if case .table(let given)? = table["env"]?.kind {
            for one in given.entries { variables.set(one.key, one.value) }
        }
        if !variables.isEmpty { set("env", .table(variables), "the environment") }
    }

    // MARK: Values and their places

    mutating func set(_ key: String, _ kind: Value.Kind, _ spelling: String) {
        let position = Position(line: Self.firstLine + spellings.count, column: 1)
        spellings.append(spelling)
        table.set(key, Value(kind, at: position))
        table.entries[table.entries.firstIndex { $0.key == key }!].keyPosition = position
    }

    private static let firstLine = 1_000_000

    /// The problems of a table, each with the option that gave the value.
    func failure(_ problems: Problems) -> Failure {
        Failure(
            ExitCode.invalid,
            problems.all.map { problem in
                let place = problem.position.line - Self.firstLine
                guard spellings.indices.contains(place) else { return problem.text }
                // The option names the key already.
                let key = table.entries.first { $0.value.position == problem.position }?.key ?? ""
                let text = problem.text
                return "\(spellings[place]): \(text.hasPrefix("\(key): ") ? text.dropFirst(key.count + 2) : text[...])"
            })
    }

    private func strings(_ words: [String]) -> [Value] { words.map { Value(.string($0), at: nextPosition) } }

    private func codesAndWords(_ text: String) -> [Value] {
        text.split(whereSeparator: { $0 == "," || $0 == " " }).map { word in
            Value(Int64(word).map { .integer($0) } ?? .string(String(word)), at: nextPosition)
        }
    }

    private var nextPosition: Position { Position(line: Self.firstLine + spellings.count, column: 1) }

    /// A duration, or an inline table in TOML.
    private func inlineValue(_ text: String, _ option: String) throws(Failure) -> Value.Kind {
        guard text.hasPrefix("{") else { return .string(text) }
        do throws(DocumentError) {
            guard case .table(let table) = try TOML.parse(Array("v = \(text)".utf8)).kind, let value = table["v"] else {
                return .string(text)
            }
            return relocated(value).kind
        } catch {
            throw .invalid("--\(option): \(error.message)")
        }
    }

    /// The value, with the position of the present option in all its parts.
    private func relocated(_ value: Value) -> Value {
        switch value.kind {
        case .array(let values): return Value(.array(values.map(relocated)), at: nextPosition)
        case .table(let table):
            let entries = table.entries.map { Table.Entry(key: $0.key, keyPosition: nextPosition, value: relocated($0.value)) }
            return Value(.table(Table(entries)), at: nextPosition)
        default: return Value(value.kind, at: nextPosition)
        }
    }
}
