import Documents
import Glibc
import Linux
import Store

extension SpoolCommand {
    static let apply = SpoolCommand(
        "apply", "DIR [options]", "make the spool's tasks those of a directory",
        details: [
            """
            DIR has NAME.toml or NAME.json for each task, as from spoolctl export --all, and in DIR/schedules the schedules that have \
            files of their own. Prints how the spool differs from it, as a unified diff, and then each task with what was done and its \
            next due time. An unchanged file is not written again.
            """,
            """
            All files are checked first, as by spoolctl check. When one is bad, nothing is applied, and the exit code is 4. After a \
            crash the same call completes the rest.
            """,
            """
            Not read: names that begin with a dot or end in ~ .tmp .part .swp .lock, other endings, spoold.toml, other directories. A \
            file that another program is writing is refused.
            """,
            "With --dry-run the exit code is 1 when there is a difference, as for diff(1), and 0 when there is none.",
        ],
        options: [
            Option("dry-run", "print the differences, and change nothing"),
            Option("prune", "remove the tasks that DIR lacks, with their schedules; with DIR/schedules also schedules that it lacks"),
            Option("yes", "y", "remove more than ten tasks without asking"),
            .partOf,
        ],
        examples: [
            Example("spoolctl apply ./tasks --dry-run", "shows what would change"),
            Example("spoolctl apply ./tasks --prune", "makes the spool's tasks exactly those of the directory"),
        ]
    ) { session throws(Failure) in
        let path = try session.operand("a directory, DIR")
        // Read with the caller's rights, before root acts as another user.
        let directory = try TaskDirectory(path)
        return try Apply(try session.partOfNamedUser(), directory).run()
    }
}

extension Option {
    /// For root's work on another user's part of a spool for everybody.
    static let partOf = Option("of", value: "USER", "for root: the tasks of this user")
}

extension Session {
    /// For root, the part of the spool of the user that `--of` names, worked on with that user's rights.
    func partOfNamedUser() throws(Failure) -> Session {
        guard let name = arguments.value("of") else { return self }
        guard geteuid() == 0, owner == nil, UserPart.servesEverybody(spoolPath) else {
            throw .usage("--of needs root and a spool that serves everybody")
        }
        return try EverybodysSpool.part(of: name, self, arguments)
    }
}

private struct Apply {
    let session: Session
    let directory: TaskDirectory
    private let isDry: Bool
    private let prunes: Bool

    /// The number of tasks that are removed without a question.
    private static let unaskedMax = 10

    init(_ session: Session, _ directory: TaskDirectory) {
        self.session = session
        self.directory = directory
        isDry = session.arguments.flag("dry-run")
        prunes = session.arguments.flag("prune")
    }

    func run() throws(Failure) -> Int32 {
        if prunes, directory.tasks.isEmpty, directory.problems.isEmpty, !session.arguments.flag("yes") {
            throw .usage("\(directory.path) has no tasks, and --prune would remove all of the spool's; add -y if this is meant")
        }
        let fs = isDry ? try session.openSpool() : try session.openSpoolForWriting()
        let plan = try ApplyPlan(session, directory, fs, prunes: prunes)
        for line in try plan.remarks() { session.complain(line) }
        // The differences are on the screen before a question about them.
        writeDifferences(plan)
        if !isDry {
            let removed = plan.differences.count { $0.directory == Layout.tasks && $0.change == .removed }
            if removed > Self.unaskedMax, !session.arguments.flag("yes"), isatty(STDIN_FILENO) == 1, session.errors.isTerminal {
                guard session.asks("Remove \(removed) tasks that \(directory.path) lacks?") else {
                    session.complain("nothing was changed")
                    return ExitCode.failed
                }
            }
            try plan.carryOut()
            for item in plan.differences { session.output.noteChange("\(item.change.rawValue) \(item.name)") }
        }
        try writeResults(plan)
        try session.remarkIfNotServed()
        return isDry && !plan.differences.isEmpty ? ExitCode.failed : ExitCode.done
    }

    private func writeDifferences(_ plan: ApplyPlan) {
        guard !session.isJSON, !session.isQuiet else { return }
        let output = session.output
        // The colours are those of the diff: a file may contain others, which could hide a line.
        for item in plan.differences {
            for line in item.diff {
                output.line(output.isTerminal ? output.coloured(TerminalText.safe(line, but: ["\t"]), Self.colour(of: line)) : line)
            }
        }
        if output.isTerminal, !plan.differences.isEmpty { output.line("") }
    }

    private func writeResults(_ plan: ApplyPlan) throws(Failure) {
        let output = session.output
        let dues = try dues(plan)
        if session.isJSON {
            output.jsonArray(plan.items) { writer, item in
                writer.member("name", item.name)
                writer.member("change", item.change.rawValue)
                writer.member("file", item.new?.path)
                writer.member("next_due", dues[item.name])
                writer.member("diff", item.change == .unchanged ? nil : item.diff.joined(separator: "\n") + "\n")
            }
            return
        }
        if session.isQuiet {
            for item in plan.differences { output.line(item.name) }
            return
        }
        var table = TextTable(["TASK", "CHANGE", "NEXT"])
        for item in plan.items {
            let change = isDry && item.change != .unchanged ? "would be \(item.change.rawValue)" : item.change.rawValue
            table.add([.init(session.qualified(item.name)), .init(change), .init(session.time(dues[item.name]))])
        }
        table.write(to: output)
        if !directory.unread.isEmpty { session.complain("not read in \(directory.path): \(directory.unread.joined(separator: ", "))") }
        let counts = [ApplyPlan.Change.created, .updated, .unchanged, .removed].map { "\(plan.count($0)) \($0.rawValue)" }
        session.complain("\(counts.joined(separator: ", "))\(isDry ? "; this was a dry run, nothing was changed" : "")")
        if !plan.onlyInSpool.isEmpty {
            let names = plan.onlyInSpool.prefix(5).joined(separator: ", ") + (plan.onlyInSpool.count > 5 ? ", …" : "")
            session.complain("only in the spool: \(names); --prune removes \(plan.onlyInSpool.count == 1 ? "it" : "them")")
        }
    }

    /// The next due times of the tasks as they are now; none in a dry run for what would be changed.
    private func dues(_ plan: ApplyPlan) throws(Failure) -> [String: Instant] {
        let catalog = try TaskCatalog(session)
        let names = Set(try catalog.names())
        let kept = plan.items.filter { item in
            item.directory == Layout.tasks && names.contains(item.stem) && (!isDry || item.change == .unchanged)
        }
        let entries = try catalog.entries(named: kept.map(\.stem))
        let due = try DueTimes(session, catalog.fs, for: entries)
        var dues: [String: Instant] = [:]
        for entry in entries { dues[entry.name] = due.next([entry], count: 1).first?.instant }
        return dues
    }

    private static func colour(of line: String) -> Output.Colour? {
        switch line.first {
        case "+": line.hasPrefix("+++ ") ? .bold : .green
        case "-": line.hasPrefix("--- ") ? .bold : .red
        case "@": .dim
        default: nil
        }
    }
}
