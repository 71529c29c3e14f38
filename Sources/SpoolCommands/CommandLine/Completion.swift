import Linux
import Metrics
import Store

/// The words that can follow at the cursor of a command line, from the same table of commands that dispatch and help read.
struct Completion {
    enum Candidates {
        /// Words, each with its meaning.
        case words([(text: String, meaning: String)])
        /// The shell completes paths itself.
        case files, directories
    }

    private let session: Session
    /// The words before the cursor's word, without the program's name.
    private let before: [String]
    /// The typed part of the word at the cursor that is to be completed.
    private let typed: String
    /// The part before `typed` that every candidate repeats: `--task=`.
    private var standing = ""
    /// The command that is named; nil before its word, and for a word that names no command.
    private var command: SpoolCommand?
    private var hasCommandWord = false
    /// The option whose value is typed at the cursor.
    private var option: Option?
    private var operands: [String] = []

    /// - Parameter words: the words of the command line from the program's name to the cursor's word. bash splits words at `=`.
    init(_ session: Session, words: [String]) throws(Failure) {
        before = Array(words.dropFirst().dropLast())
        var typed = words.count > 1 ? words[words.count - 1] : ""
        if typed == "=" { typed = "" }
        var rest = before[...]
        var isLiteral = false
        var spool: [String] = []
        while let word = rest.popFirst() {
            if isLiteral || !word.hasPrefix("-") || word == "-" {
                if word == "=" { continue }
                if hasCommandWord { operands.append(word) } else { command = SpoolCommand.named(word) }
                hasCommandWord = true
            } else if word == "--" {
                isLiteral = true
            } else if let given = Self.option(word, of: command), given.value != nil, !word.contains("=") {
                if rest.first == "=" { rest.removeFirst() }
                guard let value = rest.popFirst() else {
                    option = given
                    continue
                }
                if given.name == "spool" { spool = ["--spool", value] }
            }
        }
        if option == nil, !isLiteral, typed.hasPrefix("--"), let equals = typed.firstIndex(of: "=") {
            option = Self.option(String(typed[..<equals]), of: command)
            standing = String(typed[...equals])
            typed = String(typed[typed.index(after: equals)...])
        }
        // In a list separated by commas the last word is completed.
        if let option, ["columns", "state", "reason"].contains(option.name), let comma = typed.lastIndex(of: ",") {
            standing += typed[...comma]
            typed = String(typed[typed.index(after: comma)...])
        }
        if option?.name == "sort", typed.hasPrefix("-") {
            standing += "-"
            typed.removeFirst()
        }
        self.typed = typed
        // Names of tasks and jobs are read from the spool that the command line names.
        let arguments = try Arguments(spool, options: Option.global, ownOperands: nil, command: nil)
        self.session = spool.isEmpty ? session : Session(session.command, arguments, output: session.output, errors: session.errors)
    }

    private static func options(of command: SpoolCommand?) -> [Option] { (command?.options ?? []) + Option.global }

    private static func option(_ word: String, of command: SpoolCommand?) -> Option? {
        let name = word.split(separator: "=", maxSplits: 1)[0]
        let options = options(of: command)
        guard name.hasPrefix("--") else { return options.first { option in option.short.map { name == "-\($0)" } ?? false } }
        let meant = Option.meant(by: String(name.dropFirst(2)), among: options)
        return meant.count == 1 ? meant[0] : nil
    }

    /// The candidates that begin with the typed text.
    func candidates() -> Candidates {
        switch all() {
        case .words(let words):
            // A task's name is also the name of its jobs.
            var known: Set<String> = []
            return .words(
                words.filter { $0.text.hasPrefix(typed) && known.insert($0.text).inserted }.map { (standing + $0.text, $0.meaning) })
        case let other: return other
        }
    }

    private func all() -> Candidates {
        if let option { return values(of: option) }
        if typed.hasPrefix("-"), !before.contains("--") {
            return .words(Self.options(of: command).flatMap { option in
                [("--\(option.name)", option.help)] + (option.short.map { [("-\($0)", option.help)] } ?? [])
            })
        }
        guard hasCommandWord else { return .words(SpoolCommand.all.map { ($0.name, $0.summary) }) }
        guard let command else { return .words([]) }
        switch command.name {
        case "help": return .words(SpoolCommand.all.map { ($0.name, $0.summary) })
        case "completion": return .words(CompletionScript.allCases.map { ($0.rawValue, "") })
        case "import": return operands.isEmpty ? .words([("crontab", ""), ("at", "")]) : operands.first == "crontab" ? .files : .words([])
        case "unschedule": return .words(schedules())
        case "cancel", "kill", "wait": return .words(names([.running, .new]) + jobs([.running, .new]))
        case "why": return .words(tasks() + names(JobState.allCases) + jobs(JobState.allCases))
        case "extend": return operands.isEmpty ? .words([]) : .words(names([.running]) + jobs([.running]))
        case "retry", "forget": return .words(names([.failed, .done]) + jobs([.failed, .done]))
        default: break
        }
        // Every other command says in its synopsis what its first operand is.
        let operand = command.arguments.split(separator: " ").first?.drop { $0 == "[" } ?? ""
        if ["pause", "resume"].contains(command.name) { return operands.isEmpty ? .words(tasks() + queues()) : .words([]) }
        if operand.hasPrefix("NAME") { return operands.isEmpty || operand.contains("…") ? .words(tasks()) : .files }
        if operand.hasPrefix("ID") { return .words(names(JobState.allCases) + jobs(JobState.allCases)) }
        if operand.hasPrefix("FILE") || command.ownOperands != nil { return .files }
        return .words([])
    }

    // MARK: Values

    private func values(of option: Option) -> Candidates {
        func all<Choice: CaseIterable & RawRepresentable<String>>(_: Choice.Type) -> Candidates {
            .words(Choice.allCases.map { ($0.rawValue, "") })
        }
        switch option.name {
        case "task", "on-start", "on-slow", "on-success", "on-failure", "on-end", "on-recovery", "on-overdue": return .words(tasks())
        case "queue": return .words(queues())
        case "after": return .words(tasks() + jobs(JobState.allCases))
        case "after-when": return all(After.When.self)
        case "mail-when": return all(MailRule.self)
        case "schedule": return .words(schedules())
        case "overlap": return all(Overlap.self)
        case "on-crash": return all(CrashRule.self)
        case "output": return all(OutputRule.self)
        case "leftovers": return all(LeftoverRule.self)
        case "executor": return .words([ExecutorKeys.local, "slurm", "ssh"].map { ($0, "") })
        case "resource": return .words(["cpus=", "memory=", "gpus=", "nodes="].map { ($0, "") })
        case "paths": return all(OnPath.Paths.self)
        case "catch-up": return all(ScheduleDefinition.CatchUp.self)
        case "state": return all(JobState.self)
        case "reason": return all(FailureReason.self)
        case "columns", "sort": return .words(JobColumn.names.map { ($0, "") })
        case "by": return all(JobTotals.Key.self)
        case "job": return .words(names([.running]) + jobs([.running]))
        case "format": return all(MetricsFormat.self)
        case "when-excluded": return all(TimeFilter.WhenExcluded.self)
        case "dst-gap": return .words([("run", ""), ("skip", "")])
        case "dst-repeat": return .words([("first", ""), ("both", ""), ("last", "")])
        default: break
        }
        switch option.value {
        case "FILE", "PATH", "GLOB": return .files
        case "DIR": return .directories
        case "USER": return .words(User.names().map { ($0, "") })
        case "GROUP": return .words(Group.names().map { ($0, "") })
        case "SIGNAL": return .words(["TERM", "INT", "HUP", "QUIT", "KILL", "USR1", "USR2", "STOP", "CONT"].map { ($0, "") })
        default: return .words([])
        }
    }

    // MARK: Names in the spool

    /// A completion reports no errors: directories that cannot be read add no names.
    private func quietly(_ body: () throws(Failure) -> [(String, String)]) -> [(text: String, meaning: String)] {
        do throws(Failure) { return try body() } catch { return [] }
    }

    private func tasks() -> [(text: String, meaning: String)] {
        quietly { () throws(Failure) in
            try TaskCatalog(session, withSchedules: false).names().map { ($0, "task") }
        }
    }

    private func queues() -> [(text: String, meaning: String)] {
        quietly { () throws(Failure) in try session.queueNames().sorted().map { ($0, "queue") } }
    }

    private func schedules() -> [(text: String, meaning: String)] {
        quietly { () throws(Failure) in
            try TaskCatalog(session).entries().flatMap { entry in
                entry.schedules.map { ($0.definition.id, "\(entry.name): \($0.definition.expression)") }
            }
        }
    }

    /// The newest hundred jobs in these states.
    private func jobs(_ states: [JobState]) -> [(text: String, meaning: String)] {
        quietly { () throws(Failure) in try newest(states).map { ($0.id, $0.state.rawValue) } }
    }

    /// The names of these jobs, each once: a name means its newest job.
    private func names(_ states: [JobState]) -> [(text: String, meaning: String)] {
        quietly { () throws(Failure) in
            var known: Set<String> = []
            return try newest(states).compactMap { place in
                guard let name = JobID(place.id)?.name, known.insert(name).inserted else { return nil }
                return (name, "its newest job: \(place.state.word)")
            }
        }
    }

    private func newest(_ states: [JobState]) throws(Failure) -> ArraySlice<JobPlace> {
        var records = try session.records()
        return try session.reading { () throws(JournalError) in try records.places(in: states) }.prefix(100)
    }
}
