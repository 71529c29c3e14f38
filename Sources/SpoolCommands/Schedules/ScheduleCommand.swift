import Store

extension SpoolCommand {
    static let schedule = SpoolCommand(
        "schedule", "NAME --cron|--every|… [options]", "add a schedule to a task and print its id",
        details: [
            """
            Writes schedules/ID.toml and does not change the task's file. Each option that says when adds a schedule with an id of its \
            own.
            """,
            """
            A schedule is by the clock of --timezone, else of the configured zone. An instant without a zone, as of --at, is in the zone \
            of --timezone, else in your own.
            """,
        ],
        options: ScheduleOptions.options + [Option("payload", value: "JSON", "data for these runs, instead of the task's")],
        examples: [
            Example("spoolctl schedule backup --at '2026-12-24 18:00' --timezone Europe/Berlin", "adds a single run"),
            Example("spoolctl schedule report --calendar 'Mon *-*~07/1 07:00'", "on the last Monday of each month"),
            Example(
                "spoolctl schedule report --rrule 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO' \\\n    --dtstart 2026-11-23T09:00",
                "every other Monday at nine"
            ),
            Example("spoolctl schedule report --cron '0 7 * * mon' --payload '{\"week\": true}'", "adds runs with data of their own"),
        ]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME")
        let given = try ScheduleOptions(session, idIsFile: true).all
        guard !given.isEmpty else { throw .usage("schedule needs one of \(ScheduleOptions.whenSpellings); see spoolctl schedule --help") }
        _ = try TaskCatalog(session, withSchedules: false).entry(name)
        let context = try session.context()
        var checked: [ScheduleDefinition] = []
        for one in given { checked.append(try session.check(one, task: name, context)) }
        session.warn(about: checked)
        let schedules = DefinitionWriting(fs: try session.openSpoolForWriting(), directory: Layout.schedules)
        for one in given {
            let id = one.id ?? Base32.encode(.random(in: 0...(.max)), characters: 8)
            var table = Table()
            table.set("task", Value(.string(name)))
            for entry in one.table.entries { table.set(entry.key, entry.value) }
            guard try schedules.add(Source(writing: table), stem: id) else {
                throw Failure(ExitCode.failed, "schedule \"\(id)\" exists; choose another --schedule-id")
            }
            session.output.noteChange("schedule \(id) was added")
            session.printID(id)
        }
        session.remarkNextDue(checked)
        return ExitCode.done
    }
}
