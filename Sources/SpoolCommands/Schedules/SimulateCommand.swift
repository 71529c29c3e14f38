import Store

extension SpoolCommand {
    static let simulate = SpoolCommand(
        "simulate", "[--from TIME] [--to TIME]", "simulate the coming runs of all tasks",
        details: [
            """
            Simulates all tasks from --from to --to with their schedules and the configured slots and queues. Shows how often each task \
            runs, how long its runs wait, which due times are skipped, and when all slots are taken, of this machine, of a queue or of an \
            executor. The spool is not changed.
            """,
            """
            A run takes as long as the median of the task's latest recorded runs; without a record 0 s, marked in TAKES. The simulation \
            begins with an empty spool without pauses, and every run succeeds. Columns: task, runs, time of a run, longest and mean wait \
            for a slot or an earlier run, latest start after the due time, due times without a run.
            """,
        ],
        options: [
            Option("from", value: "TIME", "the beginning (now)"),
            Option("to", value: "TIME", "the end (a week after the beginning)"),
            Option(
                "run-time", value: "[NAME=]TIME",
                "the time of a run of task NAME, or of all tasks without a recorded run; can be repeated"
            ),
        ],
        examples: [
            Example("spoolctl simulate", "the coming week"),
            Example("spoolctl simulate --to tomorrow --run-time backup=3h", "assumes that the backup takes three hours"),
        ]
    ) { session throws(Failure) in try Simulate(session).run() }
}

private struct Simulate {
    private let session: Session
    private let from: Instant
    private let to: Instant
    private let configuration: Configuration
    private let catalog: TaskCatalog
    private let entries: [TaskCatalog.Entry]
    private var takes: [String: RunTime] = [:]

    /// The time of a task's run.
    private struct RunTime {
        var milliseconds: Int64
        /// The number of recorded runs behind the time; 0 when the time is assumed.
        var runs = 0
    }

    init(_ session: Session) throws(Failure) {
        self.session = session
        try session.noOperands()
        from = try session.instant(option: "from", as: .boundary) ?? session.now
        to = try session.instant(option: "to", as: .boundary) ?? from.advanced(byMilliseconds: 7 * 86_400_000)
        guard from < to else { throw .usage("--from \(from.rfc3339) is not before --to \(to.rfc3339)") }
        configuration = try session.configuration()
        catalog = try TaskCatalog(session)
        entries = try catalog.entries()
        session.complain(of: entries, catalog)
        takes = try runTimes()
    }

    func run() throws(Failure) -> Int32 {
        var simulation = Simulation(
            limits: SchedulerLimits(configuration), zones: session.zones, zone: configuration.zone, calendars: configuration.calendars,
            from: from)
        let due = try DueTimes(session, catalog.fs, for: entries)
        for entry in entries {
            guard let task = entry.task else { continue }
            var known: [String: Simulation.KnownSchedule] = [:]
            for definition in entry.schedules.map(\.definition) {
                let counting = due.counting(definition, of: entry.name)
                known[definition.id] = Simulation.KnownSchedule(
                    origin: counting?.origin, lastEnd: counting?.lastEnd, settled: due.settled(definition, of: entry.name))
            }
            do throws(Problems) {
                try simulation.add(task, duration: takes[entry.name]?.milliseconds ?? 0, known: known)
            } catch {
                throw Failure(file: entry.file, error)
            }
            for schedule in entry.schedules where schedule.file != nil {
                simulation.add(schedule.definition, to: entry.name, known: known[schedule.definition.id])
            }
        }
        for entry in entries {
            for schedule in entry.schedules where schedule.definition.enabled {
                guard let onPath = schedule.definition.onPath else { continue }
                session.complain("task \(entry.name) is also due \(onPath.spoken), which is not simulated")
            }
        }
        simulation.play(until: to)
        if simulation.reached < to {
            session.complain("stopped at \(simulation.reached.rfc3339), after \(Simulation.startsMax) runs; choose an earlier --to")
        }
        session.isJSON ? writeJSON(simulation) : writeText(simulation)
        return ExitCode.done
    }

    // MARK: How long runs take

    private func runTimes() throws(Failure) -> [String: RunTime] {
        var given: [String: Int64] = [:]
        var assumed: Int64 = 0
        for text in session.arguments.values("run-time") {
            if let equals = text.firstIndex(of: "=") {
                let name = String(text[..<equals])
                guard entries.contains(where: { $0.name == name }) else { throw TaskCatalog.unknown(name, among: entries.map(\.name)) }
                given[name] = try session.milliseconds(String(text[text.index(after: equals)...]), option: "run-time")
            } else {
                assumed = try session.milliseconds(text, option: "run-time")
            }
        }
        let usual = try UsualRuns(session, of: Set(entries.map(\.name)))
        var takes: [String: RunTime] = [:]
        for name in entries.map(\.name) {
            let known = usual.length(of: name).map { RunTime(milliseconds: $0.milliseconds, runs: $0.runs) }
            takes[name] = given[name].map { RunTime(milliseconds: $0) } ?? known ?? RunTime(milliseconds: assumed)
        }
        return takes
    }

    // MARK: Writing

    private func writeText(_ simulation: Simulation) {
        let output = session.output
        let reports = simulation.tasks.sorted { $0.key < $1.key }
        if session.isQuiet {
            for (name, report) in reports where report.runs > 0 { output.line(name) }
            return
        }
        var table = TextTable(["TASK", "RUNS", "TAKES", "LONGEST WAIT", "MEAN WAIT", "LATEST", "NOT RUN"])
        for (name, report) in reports {
            let time = takes[name] ?? RunTime(milliseconds: 0)
            table.add([
                .init(name), .init(String(report.runs)),
                .init(TimeText.length(time.milliseconds) + (time.runs == 0 ? " (assumed)" : "")),
                .init(TimeText.length(report.longestWaitMilliseconds) + (report.longestWaitDue.map { " at \(session.time($0))" } ?? "")),
                .init(TimeText.length(report.meanWaitMilliseconds)), .init(TimeText.length(report.latestMilliseconds)),
                .init(notRun(report), .yellow),
            ])
        }
        table.write(to: output)
        let isLong = { (a: Simulation.FullTime, b: Simulation.FullTime) in a.length > b.length }
        var rows = [(Simulation.Slots.here, "all \(configuration.slots) slots")]
        rows += configuration.queueSlots.sorted { $0.key < $1.key }.map { (.queue($0.key), "queue \($0.key), \($0.value) slots") }
        for (name, settings) in configuration.executors.sorted(by: { $0.key < $1.key }) {
            rows.append((.executor(name), "executor \(name), \(settings.slots) slots"))
        }
        for (slots, what) in rows {
            let times = simulation.full.filter { $0.slots == slots }
            guard !times.isEmpty else {
                output.line("\(what): never full" + (slots == .here ? ", \(simulation.mostRunning) at most run at once" : ""))
                continue
            }
            output.line("\(what): full for \(TimeText.length(times.reduce(0) { $0 + $1.length })) in \(times.count) times, the longest:")
            for time in times.sorted(by: isLong).prefix(5) {
                let (from, to) = (session.time(time.from), session.time(time.to))
                output.line("\(from)\t\(to)\t\(TimeText.length(time.length))\t\(time.waiting) waiting")
            }
        }
    }

    private func notRun(_ report: Simulation.TaskReport) -> String {
        var parts = SkippedDue.Reason.allCases.compactMap { reason in report.skipped[reason].map { "\($0) \(reason.rawValue)" } }
        if report.missedDeadlines > 0 { parts.append("\(report.missedDeadlines) deadline") }
        if report.replaced > 0 { parts.append("\(report.replaced) replaced") }
        if report.waiting > 0 { parts.append("\(report.waiting) waiting at the end") }
        return parts.joined(separator: ", ")
    }

    private func writeJSON(_ simulation: Simulation) {
        session.output.jsonObject { writer in
            writer.member("from", from)
            writer.member("to", simulation.reached)
            writer.member("slots", configuration.slots)
            writer.member("most_running", simulation.mostRunning)
            writer.member("tasks", objects: simulation.tasks.sorted { $0.key < $1.key }) { writer, task in
                let (name, report) = task
                writer.member("name", name)
                writer.member("runs", report.runs)
                writer.member("run_time_ms", Int(takes[name]?.milliseconds ?? 0))
                writer.member("run_time_of", takes[name]?.runs ?? 0)
                writer.member("longest_wait_ms", Int(report.longestWaitMilliseconds))
                writer.member("longest_wait_due", report.longestWaitDue)
                writer.member("mean_wait_ms", Int(report.meanWaitMilliseconds))
                writer.member("latest_ms", Int(report.latestMilliseconds))
                writer.member("skipped", object: { writer in
                    for reason in SkippedDue.Reason.allCases {
                        if let count = report.skipped[reason] { writer.member(reason.rawValue, count) }
                    }
                })
                writer.member("missed_deadlines", report.missedDeadlines)
                writer.member("replaced", report.replaced)
                writer.member("waiting", report.waiting)
            }
            writer.member("full", objects: simulation.full) { writer, time in
                switch time.slots {
                case .here: break
                case .queue(let name): writer.member("queue", name)
                case .executor(let name): writer.member("executor", name)
                }
                writer.member("from", time.from)
                writer.member("to", time.to)
                writer.member("waiting", time.waiting)
            }
        }
    }
}

extension Simulation.FullTime {
    fileprivate var length: Int64 { to.milliseconds - from.milliseconds }
}

extension Simulation.TaskReport {
    fileprivate var meanWaitMilliseconds: Int64 { runs == 0 ? 0 : totalWaitMilliseconds / Int64(runs) }
}
