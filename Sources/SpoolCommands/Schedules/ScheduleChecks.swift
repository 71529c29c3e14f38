import Store

extension Session {

    /// Warns of surprising schedules, as `check` does. The schedules are accepted all the same.
    func warn(about schedules: [ScheduleDefinition]) {
        for schedule in schedules where schedule.enabled {
            for warning in schedule.explanation(at: now).warnings { complain("warning: \(schedule.expression): \(warning)") }
        }
    }

    /// Checks a schedule that options give.
    func check(_ given: ScheduleOptions.Given, task: String, _ context: ReadingContext) throws(Failure) -> ScheduleDefinition {
        var table = given.table
        table.remove("id")
        table.set("task", Value(.string(task)))
        let id = given.id ?? "given"
        try Name.check(id, option: "--schedule-id")
        do throws(Problems) {
            let schedule = try ScheduleDefinition.file(
                id: id, source: Source(format: .json, bytes: Array(JSON.write(Value(.table(table))).utf8)), context)
                .schedule
            if let once = schedule.once, once <= now {
                let text = TimeText.spoken(once, callerZone, now: now)
                throw Problems(DocumentError(position: Position(line: 1, column: 1), message: "\(text) is in the past"))
            }
            return schedule
        } catch {
            throw Failure(
                ExitCode.invalid,
                error.all.map { "\(given.spelling): \($0.text)" })
        }
    }
}
