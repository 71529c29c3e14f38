import Store

extension SpoolCommand {
    static let update = SpoolCommand(
        "update", "NAME|ID [options] [--] [COMMAND…]", "change keys of a task, or of a job that has not started",
        details: [
            "Changes only the given keys. Comments and layout stay unchanged. --set-env adds variables to the existing ones.",
            """
            A schedule option such as --cron replaces the task's schedule, if it has at most one. With several, spoolctl unschedule and \
            schedule, or edit, say which one is meant.
            """,
            """
            An ID, or the name of a job when no task has the name, changes the waiting job in one step. A job that has started meanwhile \
            is left unchanged, and the exit code is 1.
            """,
        ],
        options: ScheduleOptions.options + JobOptions.optionsOfTask + [
            Option("start", value: "TIME", "for a job: do not start before this instant"),
            Option("in", value: "TIME", "for a job: start after this time from now"),
            Option("command", value: "LINE", "a new command line for the shell, instead of COMMAND"),
            Option("unset", value: "KEY", "remove a key; can be repeated"),
        ],
        mostUsed: ["command", "unset", "description", "directory", "set-env", "queue", "timeout", "tries", "mail", "on-failure"],
        examples: [
            Example("spoolctl update backup --timeout 2h --description 'nightly, off-site'", "changes two keys"),
            Example("spoolctl update backup --cron '0 3 * * *'", "replaces the task's only schedule"),
            Example("spoolctl update k3f9ab --priority 10 --start +1h", "a job that waits"),
            Example(
                "spoolctl update backup --unset timeout -- /usr/local/bin/backup --all", "changes the command, and removes the timeout"
            ),
        ],
        ownOperands: 1
    ) { session throws(Failure) in
        guard let name = session.arguments.operands.first else {
            throw .usage("update needs a task's NAME or a job's ID; see spoolctl update --help")
        }
        return try Update(session, Array(session.arguments.operands.dropFirst())).run(name)
    }
}

private struct Update {
    let session: Session
    private let keys: Table
    private let unset: [String]

    init(_ session: Session, _ words: [String]) throws(Failure) {
        self.session = session
        var job = try JobOptions(session)
        if let line = session.arguments.value("command") {
            guard words.isEmpty else { throw .usage("--command and COMMAND both say what to run") }
            job.set("command", .string(line), "--command")
        } else if !words.isEmpty {
            try job.setCommand(words)
        }
        keys = job.table
        unset = session.arguments.values("unset")
    }

    func run(_ name: String) throws(Failure) -> Int32 {
        let tasks = try TaskCatalog(session, withSchedules: false).names()
        // A name that is a task's means the task.
        if !tasks.contains(name), let job = try waitingJob(name) {
            let schedules = ScheduleOptions.options.map(\.name)
            if let option = session.arguments.given.first(where: { schedules.contains($0.name) }) {
                throw .usage("\(option.spelling) is for tasks; \(job.status.id) is a job: --start and --in say when it starts")
            }
            try refuseNothing()
            return try change(try JobEdit(session, job))
        }
        if let option = session.arguments.given.first(where: { ["start", "in"].contains($0.name) }) {
            throw .usage("\(option.spelling) is for jobs; a task has schedules, such as --at")
        }
        let schedules = try ScheduleOptions(session)
        guard let schedule = schedules.all.first else {
            try refuseNothing()
            return try change(try TaskEdit(session, name))
        }
        guard schedules.all.count == 1 else {
            throw .usage("update replaces one schedule, and \(schedules.all.count) are given; spoolctl schedule adds more")
        }
        try replaceSchedule(of: name, by: schedule)
        return ExitCode.done
    }

    private func change(_ edit: some DefinitionEdit) throws(Failure) -> Int32 {
        let changed = try edit.changing(set: keys, remove: unset)
        _ = try edit.write(changed)
        try edit.report(changed)
        return ExitCode.done
    }

    private func refuseNothing() throws(Failure) {
        guard keys.isEmpty, unset.isEmpty else { return }
        throw .usage("update needs an option or a COMMAND; see spoolctl update --help")
    }

    /// The job that a word means; nil when it means none, and may be a mistyped task.
    private func waitingJob(_ word: String) throws(Failure) -> JobRecord? {
        var records = try session.records()
        return try session.findJob(word, &records, preferring: [.new]).map { session.say($0) }
    }

    /// Replaces the task's only schedule, or adds the first one, together with the change of the other keys.
    private func replaceSchedule(of name: String, by given: ScheduleOptions.Given) throws(Failure) {
        let entry = try TaskCatalog(session).entry(name)
        guard entry.schedules.count <= 1 else {
            throw Failure(
                ExitCode.usage,
                [
                    "task \"\(name)\" has \(entry.schedules.count) schedules; remove one by its id and add another, "
                        + "or use spoolctl edit \(name):"
                ]
                    + entry.schedules.map { "  spoolctl unschedule \($0.definition.id)    # \($0.definition.expression)" }
                    + ["  spoolctl schedule \(name) \(given.spelling) …"])
        }
        session.warn(about: [try session.check(given, task: name, try session.context())])
        let replacement = ScheduleReplacement(given)
        let edit = try TaskEdit(session, name)
        var changed = edit
        if !keys.isEmpty || !unset.isEmpty { changed.source = try changed.changing(set: keys, remove: unset) }
        guard let file = entry.schedules.first?.file else {
            var table = Table()
            if !entry.schedules.isEmpty {
                table = try changed.onlySchedule()
                changed.source = try changed.removingSchedule(at: 0).withoutBlankEnd
            }
            replacement.apply(to: &table)
            changed.source = try changed.adding(schedule: table)
            _ = try edit.write(changed.source)
            return try edit.report(changed.source)
        }
        let schedule = try ScheduleEdit(session, file)
        let scheduleText = try schedule.replaced(by: replacement)
        // Both texts are checked before the first is written.
        _ = try edit.check(changed.source)
        try schedule.check(scheduleText)
        var change = DefinitionChange(schedule.fs)
        if changed.source != edit.source { try edit.add(changed.source, to: &change) }
        try schedule.add(scheduleText, to: &change)
        try change.carryOut()
        try edit.report(changed.source)
    }
}

extension TaskEdit {
    /// The first schedule in the task's file.
    fileprivate func onlySchedule() throws(Failure) -> Table {
        guard case .array(let elements)? = try table()["schedule"]?.kind, case .table(let table)? = elements.first?.kind else {
            throw Failure(ExitCode.failed, "\(path): the schedule is no table in this file; spoolctl edit \(name) changes it")
        }
        return table
    }
}

extension Source {
    /// Without the blank lines at the end, which the block of a removed schedule leaves.
    fileprivate var withoutBlankEnd: Source {
        let newline = UInt8(ascii: "\n")
        var bytes = bytes
        while bytes.count > 1, bytes.last == newline, bytes[bytes.count - 2] == newline { bytes.removeLast() }
        return Source(format: format, bytes: bytes)
    }
}
