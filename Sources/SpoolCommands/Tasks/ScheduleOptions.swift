import Store

/// Schedules given as options: each that says when is one, and the other options hold for all of them.
struct ScheduleOptions {
    /// Those that say when, each with its key's name.
    static let whenOptions: [Option] = [
        Option("cron", value: "EXPRESSION", "due when the clock matches, such as \"*/5 9-17 * * mon-fri\" or @daily"),
        Option("calendar", value: "EXPRESSION", "the same in the words of systemd, such as \"Mon..Fri 09:00\" or \"*-*~1\""),
        Option("rrule", value: "RULE", "due as a rule of iCalendar says, such as \"FREQ=MONTHLY;BYDAY=2TU\""),
        Option("every", value: "TIME", "run again this long after the previous run ends"),
        Option("at", value: "TIME", "due once"),
        Option("pattern", value: "PATTERN", "as 50.seconds, **.01.05.00.00, saturday|sunday.22.00.00 or ext:KEY:ARGS"),
        Option("on-path", value: "GLOB", "due when a file arrives, closed after writing or renamed in, such as \"/srv/in/*.csv\""),
    ]

    /// The key of an option that says when; nil: it does not.
    static func key(of option: String) -> String? {
        let key = option.split(separator: "-").joined(separator: "_")
        return ScheduleDefinition.whenKeys.contains(key) ? key : nil
    }

    static let whenSpellings = whenOptions.map { "--\($0.name)" }.joined(separator: ", ")

    /// Of `--rrule` alone.
    static let rruleOptions: [Option] = [
        Option("dtstart", value: "TIME", "when --rrule begins: what INTERVAL and COUNT count from, and its time of day"),
        Option("exdate", value: "TIME", "a due time of --rrule that is left out, or a whole day; may be repeated"),
    ]

    /// Of `--on-path` alone.
    private static let pathsOption = Option("paths", value: "RULE", "of --on-path: each (a job for each file) or all (one for all that came since the last)")

    static let options = whenOptions + rruleOptions + [
        pathsOption,
        Option("from", value: "WHAT", "what --every counts from: end (of the last run) or start (a fixed grid)"),
        Option("timezone", value: "ZONE", "an IANA name, or local (else the configured zone, which is UTC)"),
        Option("jitter", value: "TIME", "a delay up to so much, always the same for the same due time"),
        Option("catch-up", value: "RULE", "what was missed while the daemon was down: last, all or none"),
        Option("catch-up-limit", value: "N", "with all, at most N (1000)"),
        Option("dst-gap", value: "RULE", "a due time that the clock skips: run or skip"),
        Option("dst-repeat", value: "RULE", "one that the clock repeats: first, both or last"),
        Option("not-before", value: "TIME", "no due time before"),
        Option("not-after", value: "TIME", "no due time after"),
        Option("schedule-id", alias: "id", value: "ID", "its id (else derived from what it says)"),
    ]

    private static let strings: [(option: String, key: String)] = [
        ("timezone", "timezone"), ("jitter", "jitter"), ("catch-up", "catch_up"), ("dst-gap", "dst_gap"),
        ("dst-repeat", "dst_repeat"), ("not-before", "not_before"), ("not-after", "not_after"),
    ]

    /// A schedule's table, and the option that said when.
    struct Given {
        var table: Table
        var spelling: String
        /// As given; also in the table, unless the id is to be a file's name.
        var id: String?
    }

    let all: [Given]

    /// - Parameter idIsFile: the id names a file in schedules/ and does not stand in it.
    init(_ session: Session, idIsFile: Bool = false) throws(Failure) {
        let arguments = session.arguments
        var all: [Given] = []
        for given in arguments.given {
            guard let key = Self.key(of: given.name) else { continue }
            var table = Table()
            // An instant is written down as one: what `in 2h` counts from is now.
            let text = given.name == "at" ? try session.instant(given.value, option: "at").rfc3339 : given.value
            table.set(key, Value(.string(text)))
            if key == "on_path", let paths = arguments.value("paths") { table.set("paths", Value(.string(paths))) }
            if given.name == "every", let from = arguments.value("from") { table.set("from", Value(.string(from))) }
            if given.name == "rrule" { try session.setRRuleTimes(in: &table) }
            for (option, key) in Self.strings {
                if let value = arguments.value(option) { table.set(key, Value(.string(value))) }
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
                throw .usage("\(option.spelling) goes with one of \(Self.whenSpellings), which say when")
            }
        } else if all.count > 1, arguments.value("schedule-id") != nil {
            throw .usage("one --schedule-id cannot name \(all.count) schedules")
        }
        if arguments.value("paths") != nil, !arguments.given.contains(where: { $0.name == "on-path" }) { throw .usage("--paths goes with --on-path") }
        self.all = all
    }

    /// Refuses what could never be due: an `at` that is over.
    static func refusePast(_ schedules: [ScheduleDefinition], now: Instant, said file: String) throws(Failure) {
        for schedule in schedules {
            if let once = schedule.once, once <= now { throw .invalid("\(file): at \"\(once.rfc3339)\" is in the past") }
        }
    }
}

extension Session {
    /// Sets what `--dtstart` and `--exdate` say. What counts from now is written down as what it is now.
    func setRRuleTimes(in table: inout Table) throws(Failure) {
        func time(_ text: String, _ option: String) throws(Failure) -> Value {
            do throws(RecurrenceError) {
                let time = try RRuleTime.parse(text, zone: try zoneForArguments(), now: now)
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
