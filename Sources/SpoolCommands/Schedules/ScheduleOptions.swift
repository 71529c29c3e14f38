import Store

/// Schedules that options give: each option that says when is one, and the other options apply to all of them.
struct ScheduleOptions {
    /// The options that say when, each named like its key.
    static let whenOptions: [Option] = Option.group(.when, [
        Option("cron", value: "EXPRESSION", "due when the clock matches, such as \"*/5 9-17 * * mon-fri\" or @daily"),
        Option("calendar", value: "EXPRESSION", "due when the clock matches, in systemd's syntax, such as \"Mon..Fri 09:00\" or \"*-*~1\""),
        Option("rrule", value: "RULE", "due by a rule of iCalendar, such as \"FREQ=MONTHLY;BYDAY=2TU\""),
        Option("every", value: "TIME", "run again this long after the previous run ends"),
        Option("at", value: "TIME", "due once"),
        Option("pattern", value: "PATTERN", "due by a pattern, such as 50.seconds, saturday|sunday.22.00.00 or ext:KEY:ARGS"),
        Option("on-path", value: "GLOB", "due when a file arrives (closed after writing, or renamed), such as \"/srv/in/*.csv\""),
    ])

    /// The key of an option that says when; nil for any other option.
    static func key(of option: String) -> String? {
        let key = option.split(separator: "-").joined(separator: "_")
        return ScheduleDefinition.whenKeys.contains(key) ? key : nil
    }

    static let whenSpellings = whenOptions.map { "--\($0.name)" }.joined(separator: ", ")

    /// The options of `--rrule`.
    static let rruleOptions: [Option] = Option.group(.when, [
        Option("dtstart", value: "TIME", "the begin of --rrule: INTERVAL and COUNT count from it, and it gives the time of day"),
        Option("exdate", value: "TIME", "a due time of --rrule, or a day, that is left out; can be repeated"),
    ])

    /// The options for the calendars of the configuration.
    static let calendarOptions: [Option] = Option.group(.when, [
        Option("except", value: "CALENDAR", "leave out the times of this calendar of the configuration; can be repeated"),
        Option("only", value: "CALENDAR", "keep to the times of this calendar; can be repeated"),
        Option("when-excluded", value: "RULE", "a due time that is left out: skip, or next (it moves to the next allowed time)"),
    ])

    /// The option of `--on-path`.
    private static let pathsOption = Option(
        "paths", value: "RULE", "for --on-path: each (a job for each file) or all (one job for all files since the last)")

    static let options = whenOptions + rruleOptions + calendarOptions + Option.group(.when, [
        pathsOption,
        Option("from", value: "WHAT", "the instant from which --every counts: end (of the previous run) or start (a fixed grid)"),
        Option("timezone", value: "ZONE", "an IANA name, or local (default: the configured zone, which is UTC)"),
        Option("jitter", value: "TIME", "delay each run by up to this time, always the same for the same due time"),
        Option("catch-up", value: "RULE", "which missed due times to run: last, all or none"),
        Option("catch-up-limit", value: "N", "the largest number of missed runs with --catch-up all (1000)"),
        Option("dst-gap", value: "RULE", "for a due time that the clock skips: run or skip"),
        Option("dst-repeat", value: "RULE", "for a due time that the clock repeats: first, both or last"),
        Option("not-before", value: "TIME", "no due time before this instant"),
        Option("not-after", value: "TIME", "no due time after this instant"),
        Option("schedule-id", alias: "id", value: "ID", "the schedule's id (default: derived from its content)"),
    ])

    private static let strings: [(option: String, key: String)] = [
        ("timezone", "timezone"), ("jitter", "jitter"), ("catch-up", "catch_up"), ("dst-gap", "dst_gap"),
        ("dst-repeat", "dst_repeat"), ("not-before", "not_before"), ("not-after", "not_after"),
    ]

    /// A schedule's table, and the option that said when.
    struct Given {
        var table: Table
        var spelling: String
        /// The id from the option. The table has it too, unless the id is a file's name.
        var id: String?
    }

    let all: [Given]

    /// - Parameter idIsFile: the id is the name of a file in schedules/, and is not written into the file.
    init(_ session: Session, idIsFile: Bool = false) throws(Failure) {
        let arguments = session.arguments
        var all: [Given] = []
        for given in arguments.given {
            guard let key = Self.key(of: given.name) else { continue }
            var table = Table()
            // The table gets an absolute instant: `in 2h` counts from now.
            let text = given.name == "at" ? try session.writtenAt(given.value) : given.value
            table.set(key, Value(.string(text)))
            if key == "on_path", let paths = arguments.value("paths") { table.set("paths", Value(.string(paths))) }
            if given.name == "every", let from = arguments.value("from") { table.set("from", Value(.string(from))) }
            if given.name == "rrule" { try session.setRRuleTimes(in: &table) }
            session.setCalendars(in: &table)
            for (option, key) in Self.strings {
                guard let value = arguments.value(option) else { continue }
                let isInstant = ["not_before", "not_after"].contains(key)
                let text = isInstant ? try session.written(try session.instant(value, option: option, as: .boundary)) : value
                table.set(key, Value(.string(text)))
            }
            if let limit = arguments.value("catch-up-limit") {
                table.set("catch_up_limit", Value(Int64(limit).map { .integer($0) } ?? .string(limit)))
            }
            if let payload = arguments.value("payload"), idIsFile {
                do throws(DocumentError) { table.set("payload", try JSON.parse(Array(payload.utf8))) } catch {
                    throw .invalid("--payload:\(error)")
                }
            }
            let id = arguments.value("schedule-id")
            if let id, !idIsFile { table.set("id", Value(.string(id))) }
            all.append(Given(table: table, spelling: given.spelling, id: id))
        }
        if all.isEmpty {
            let names = Self.options.map(\.name)
            if let option = arguments.given.first(where: { names.contains($0.name) }) {
                throw .usage("\(option.spelling) needs one of \(Self.whenSpellings)")
            }
        } else if all.count > 1, arguments.value("schedule-id") != nil {
            throw .usage("one --schedule-id cannot name \(all.count) schedules")
        }
        if arguments.value("paths") != nil, !arguments.given.contains(where: { $0.name == "on-path" }) {
            throw .usage("--paths needs --on-path")
        }
        self.all = all
    }

    /// Refuses an `at` in the past, which could never be due.
    static func refusePast(_ schedules: [ScheduleDefinition], now: Instant, said file: String) throws(Failure) {
        for schedule in schedules {
            if let once = schedule.once, once <= now { throw .invalid("\(file): at \"\(once.rfc3339)\" is in the past") }
        }
    }
}

extension Session {
    /// Sets the keys of `--except`, `--only` and `--when-excluded`.
    func setCalendars(in table: inout Table) {
        for key in ["except", "only"] {
            let names = arguments.values(key)
            if !names.isEmpty { table.set(key, Value(.array(names.map { Value(.string($0)) }))) }
        }
        if let rule = arguments.value("when-excluded") { table.set("when_excluded", Value(.string(rule))) }
    }

    /// The value of `--at`, as it is written into a file.
    func writtenAt(_ text: String) throws(Failure) -> String { try written(try instant(text, option: "at", as: .action)) }

    /// Sets the keys of `--dtstart` and `--exdate`. They are part of the rule, so that a time without a zone is by the schedule's clock. A
    /// time relative to now is written as an absolute one.
    func setRRuleTimes(in table: inout Table) throws(Failure) {
        func time(_ text: String, _ option: String) throws(Failure) -> Value {
            let zone = arguments.value("timezone") == nil ? try configuration().zone : try zoneForArguments()
            do throws(RecurrenceError) {
                let time = try RRuleTime.parse(text, zone: zone, now: now)
                return Value(.string(time.isRelative ? time.description : text))
            } catch {
                throw .invalid("--\(option): \(error)")
            }
        }
        if let start = arguments.value("dtstart") { table.set("dtstart", try time(start, "dtstart")) }
        var excluded: [Value] = []
        for text in arguments.values("exdate") { excluded.append(try time(text, "exdate")) }
        if !excluded.isEmpty { table.set("exdate", excluded.count == 1 ? excluded[0] : Value(.array(excluded))) }
    }
}
