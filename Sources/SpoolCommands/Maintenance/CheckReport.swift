import Store

/// The problems and warnings that `spoolctl check` has found, and how they are printed.
struct CheckReport {
    private struct Problem {
        var file: String
        var position: Position?
        var message: String
        var hint: String?
        var isWarning = false
    }

    private var problems: [Problem] = []

    // MARK: Adding

    mutating func warn(_ file: String, _ message: String) {
        problems.append(Problem(file: file, position: nil, message: message, hint: nil, isWarning: true))
    }

    mutating func add(_ file: String, _ message: String, hint: String? = nil) {
        problems.append(Problem(file: file, position: nil, message: message, hint: hint))
    }

    /// Adds a problem in the form `FILE:LINE:COLUMN: MESSAGE` or `FILE: MESSAGE`.
    mutating func add(told line: String) {
        let parts = line.split(separator: ":", maxSplits: 3).map(String.init)
        guard parts.count == 4, let number = Int(parts[1]), let column = Int(parts[2]) else {
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            return add(parts[0], parts.count > 1 ? parts[1].trimmed : line)
        }
        add(parts[0], Problems(DocumentError(position: Position(line: number, column: column), message: parts[3].trimmed)))
    }

    /// Warns of missing tasks that a definition names. They may exist when they are needed.
    mutating func warn(_ file: String, _ references: [TaskReference], among tasks: Set<String>?) {
        guard let tasks else { return }
        for reference in references where !tasks.contains(reference.task) {
            let hint = suggestion(for: reference.task, among: tasks)
            problems.append(
                Problem(
                    file: file, position: reference.position, message: "\(reference.key): there is no task \"\(reference.task)\"",
                    hint: hint, isWarning: true))
        }
    }

    /// Adds warnings about valid but surprising values.
    mutating func warn(_ file: String, _ warnings: [DocumentError]) {
        for one in warnings {
            problems.append(Problem(file: file, position: one.position, message: one.message, hint: one.hint, isWarning: true))
        }
    }

    mutating func add(_ file: String, _ problems: Problems) {
        for one in problems.all {
            self.problems.append(Problem(file: file, position: one.position, message: one.message, hint: one.hint))
        }
    }

    /// Adds all warnings about a usable task. `tasks`: the names of all tasks; nil where they are unknown.
    mutating func warn(_ file: String, _ task: TaskDefinition, _ table: Table, among tasks: Set<String>?, now: Instant) {
        warn(file, task.references, among: tasks)
        warn(file, table.bareNumbers)
        guard case .array(let tables)? = table["schedule"]?.kind else { return }
        for (schedule, table) in zip(task.schedules, tables) { warn(file, schedule, table, now: now) }
    }

    /// Adds all warnings about a usable schedule with a file of its own.
    mutating func warn(_ file: String, _ schedule: ScheduleDefinition, _ table: Table, now: Instant) {
        warn(file, table.bareNumbers)
        warn(file, schedule, Value(.table(table)), now: now)
    }

    /// Adds the warnings about a schedule, at the position of the key that says when.
    private mutating func warn(_ file: String, _ schedule: ScheduleDefinition, _ value: Value, now: Instant) {
        guard schedule.enabled, case .table(let table) = value.kind else { return }
        let position = ScheduleDefinition.whenKeys.lazy.compactMap { table[$0]?.position }.first
        for warning in schedule.explanation(at: now).warnings {
            problems.append(Problem(file: file, position: position, message: "\(schedule.expression): \(warning)", isWarning: true))
        }
    }

    /// Adds an instant that has passed as a problem, and removes the warning about it.
    mutating func addLate(_ file: String, _ late: Problems) {
        problems.removeAll { one in one.isWarning && one.file == file && late.all.contains { $0.position == one.position } }
        add(file, late)
    }

    // MARK: Printing

    /// The problems and warnings as lines, each with its file and position.
    var lines: [String] {
        problems.map { problem in
            let place = problem.position.map { ":\($0)" } ?? ""
            let message = problem.hint.map { "\(problem.message); \($0)" } ?? problem.message
            return "\(problem.file)\(place): \(problem.isWarning ? "warning: " : "")\(message)"
        }
    }

    /// Prints all problems. Returns the exit code: a warning alone is not a failure.
    func print(_ session: Session, count: Int) -> Int32 {
        let output = session.output
        if session.isJSON {
            output.jsonArray(problems) { writer, problem in
                writer.member("file", problem.file)
                writer.member("line", problem.position?.line)
                writer.member("column", problem.position?.column)
                writer.member("message", problem.message)
                writer.member("hint", problem.hint)
                writer.member("severity", problem.isWarning ? "warning" : "error")
            }
        } else if session.isQuiet {
            var shown: Set<String> = []
            for problem in problems where !problem.isWarning && shown.insert(problem.file).inserted { output.line(problem.file) }
        } else {
            for line in lines { output.line(Output.oneLine(line)) }
            if problems.isEmpty, output.isTerminal { output.line("\(count) files, no problems") }
        }
        return problems.allSatisfy(\.isWarning) ? ExitCode.done : ExitCode.invalid
    }
}
