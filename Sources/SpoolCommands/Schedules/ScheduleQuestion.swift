import Store

/// A schedule that `next` and `explain` are asked about; it need not be in a spool.
struct ScheduleQuestion {
    let schedule: ScheduleDefinition
    /// The schedule's key: `cron`.
    let key: String
    /// The text as the user wrote it.
    let text: String

    /// The options of both `next` and `explain`, besides those that say when.
    static let options = ScheduleOptions.rruleOptions + ScheduleOptions.calendarOptions + Option.group(.when, [
        Option("timezone", value: "ZONE", "the zone of the schedule (default: the configured zone, which is UTC)"),
        Option("dst-gap", value: "RULE", "for a due time that the clock skips: run or skip"),
        Option("dst-repeat", value: "RULE", "for a due time that the clock repeats: first, both or last"),
    ])

    /// The option that says when; nil when none is given, an error when several are.
    static func given(_ arguments: Arguments) throws(Failure) -> Arguments.Given? {
        let given = arguments.given.filter { ScheduleOptions.key(of: $0.name) != nil }
        guard given.count <= 1 else { throw .usage("\(given[0].spelling) and \(given[1].spelling) both say when") }
        return given.first
    }

    init(_ session: Session, _ given: Arguments.Given) throws(Failure) {
        try self.init(session, key: ScheduleOptions.key(of: given.name) ?? given.name, text: given.value, option: given.spelling)
    }

    /// - Parameter option: the option that gave the text, for errors.
    init(_ session: Session, key: String, text: String, option: String? = nil) throws(Failure) {
        self.key = key
        self.text = text
        let context = try session.context()
        var table = Table()
        table.set("task", Value(.string("next")))
        // An instant that an option gives is in the caller's zone; a pasted one is in that of the file.
        table.set(key, Value(.string(key == "at" && option != nil ? try session.writtenAt(text) : text)))
        for (option, key) in [("timezone", "timezone"), ("dst-gap", "dst_gap"), ("dst-repeat", "dst_repeat")] {
            if let value = session.arguments.value(option) { table.set(key, Value(.string(value))) }
        }
        session.setCalendars(in: &table)
        if key == "rrule" {
            try session.setRRuleTimes(in: &table)
        } else if let given = session.arguments.given.first(where: { ["dtstart", "exdate"].contains($0.name) }) {
            throw .usage("\(given.spelling) needs --rrule")
        }
        if key == "every" { table.set("from", Value(.string("start"))) }
        let source = Source(format: .json, bytes: Array(JSON.write(Value(.table(table))).utf8))
        do throws(Problems) { schedule = try ScheduleDefinition.file(id: "next", source: source, context).schedule } catch {
            let prefix = option.map { "\($0): " } ?? ""
            throw Failure(ExitCode.invalid, error.all.map { prefix + $0.text })
        }
    }

    /// The next `count` due times after `from`. A single instant is shown also when it has passed: the user asks how it is read.
    func occurrences(after from: Instant, count: Int) -> [Occurrence] {
        var found: [Occurrence] = []
        var after = schedule.once.map { $0.advanced(byMilliseconds: -1) } ?? from
        while found.count < count, let next = schedule.recurrence.nextOccurrence(after: after, origin: from) {
            found.append(next)
            after = next.instant
        }
        return found
    }
}
