/// One `[[schedule]]` table of a task, or a file in `schedules/`.
///
/// A class, because it never changes, and because tasks with the same schedule share one: see ``SharedSchedules``.
public final class ScheduleDefinition: Sendable {
    public enum CatchUp: String, Sendable, CaseIterable { case last, all, none }

    /// The given id, or one derived from the content of the schedule, so that it stays the same while the rest of the file is
    /// edited.
    public let id: String
    public let recurrence: Recurrence
    /// The files that the schedule waits for. Nil when it has due times.
    public let onPath: OnPath?
    /// The zone in the expression, else that of `timezone`, of the task, or of the configuration.
    public let zone: Zone
    /// True when the schedule's own `timezone` is `"local"`. Nil when it has none.
    public let saysLocal: Bool?
    /// The expression as written: `cron "*/5 * * * *"`.
    public let expression: String
    public let jitterMilliseconds: Int64
    public let catchUp: CatchUp
    public let catchUpLimit: Int
    public let notBefore: Instant?
    public let notAfter: Instant?
    public let enabled: Bool
    /// Encoded as JSON. It replaces the task's payload.
    public let payload: [UInt8]?

    /// The keys that give the times. A schedule has exactly one of them.
    public static let whenKeys = ["cron", "calendar", "rrule", "every", "at", "pattern", "on_path"]

    /// All keys of a schedule, in the order of the manual.
    public static let keys = whenKeys + [
        "dtstart", "exdate", "from", "paths", "id", "timezone", "jitter", "catch_up", "catch_up_limit", "not_before", "not_after",
        "payload", "enabled",
        "dst_gap", "dst_repeat", "except", "only", "when_excluded",
    ]

    /// Reads a file in `schedules/`: the task's name and the schedule's keys.
    public static func file(
        id: String, source: Source, _ context: ReadingContext
    ) throws(Problems) -> (task: String, schedule: ScheduleDefinition) {
        let table = try source.table()
        var reader = TableReader(table, context)
        let task = reader.name("task")
        if table["task"] == nil {
            reader.fail(Position(line: 1, column: 1), "no task is named", hint: "add task = \"NAME\"")
        }
        let schedule = ScheduleDefinition(
            &reader, at: Position(line: 1, column: 1), task: task ?? "", zone: context.zone, id: id)
        reader.finish()
        guard reader.problems.isEmpty, let task, let schedule else { throw Problems(reader.problems) }
        return (task, schedule)
    }

    /// Returns nil when the table is unusable. The reader then contains a problem.
    init?(_ reader: inout TableReader, at position: Position, task: String, zone outer: Zone, id fileID: String? = nil) {
        let outer = reader.zone("timezone") ?? outer
        let given = Self.whenKeys.filter { reader.table[$0] != nil }
        if given.count > 1 {
            reader.fail(
                reader.table[given[1]]!.position, "\(given.joined(separator: " and ")) in one schedule",
                hint: "write a [[schedule]] for each")
        } else if given.isEmpty {
            reader.fail(position, "a schedule needs one of \(Self.whenKeys.joined(separator: ", "))")
        }
        let daylight = reader.daylightRule()
        onPath = reader.onPath()
        let timed = reader.recurrence(zone: outer, daylight: daylight, seed: stableHash(task))
        let read = onPath.map { (recurrence: .event, expression: "on_path \"\($0.glob.text)\"") } ?? timed
        var zone = outer
        if let read, read.recurrence.namesZone, let named = read.recurrence.zone { zone = named }
        self.zone = zone
        saysLocal = if case .string(let name)? = reader.table["timezone"]?.kind { name == "local" } else { nil }
        jitterMilliseconds = reader.milliseconds("jitter") ?? 0
        catchUp = reader.choice("catch_up", as: CatchUp.self) ?? .last
        catchUpLimit = reader.integer("catch_up_limit", in: 1...1_000_000) ?? 1000
        notBefore = reader.instant("not_before", zone: zone)
        notAfter = reader.instant("not_after", zone: zone)
        enabled = reader.boolean("enabled") ?? true
        payload = reader.payload("payload")
        let givenID = fileID ?? reader.name("id")
        let filter = reader.timeFilter(for: read?.recurrence, zone: zone)
        guard let read else { return nil }
        recurrence = read.recurrence.filtered(by: filter)
        expression = filter.map { "\(read.expression) \($0.words)" } ?? read.expression
        // A file arrives at the same moment in all zones.
        let what = onPath == nil ? "\(read.expression)\u{0}\(zone.name)" : read.expression
        id = givenID ?? Base32.encode(stableHash(what), characters: 6)
    }

    /// The same schedule with another id.
    private init(_ other: ScheduleDefinition, id: String) {
        self.id = id
        recurrence = other.recurrence
        onPath = other.onPath
        zone = other.zone
        saysLocal = other.saysLocal
        expression = other.expression
        jitterMilliseconds = other.jitterMilliseconds
        catchUp = other.catchUp
        catchUpLimit = other.catchUpLimit
        notBefore = other.notBefore
        notAfter = other.notAfter
        enabled = other.enabled
        payload = other.payload
    }

    /// The names of the calendars in `except` and `only`.
    public var calendarNames: [String] { recurrence.filter?.names ?? [] }

    /// The names of those of its calendars that nobody knows any more. When there are any, the schedule is never due.
    public var unknownCalendars: [String] { recurrence.filter?.unknown ?? [] }

    /// The expression without the calendars.
    private var ruleExpression: String {
        recurrence.filter.map { String(expression.dropLast($0.words.count + 1)) } ?? expression
    }

    /// True when the times are given in the same words, except for the calendars.
    public func isDueAlikeWithoutCalendars(_ other: ScheduleDefinition) -> Bool {
        ruleExpression == other.ruleExpression && (onPath != nil || zone.name == other.zone.name)
    }

    /// The instant of an `at`.
    public var once: Instant? {
        let start = Instant(milliseconds: -1)
        return recurrence.isOnce ? recurrence.filtered(by: nil).next(after: start, origin: start) : nil
    }

    /// The reason why it cannot be taken up: it is an `at` that had already passed when its file was written, at `since`. Does
    /// not apply to a schedule that was handled before.
    public func lateness(since: Instant, position: Position?) -> Problems? {
        guard let once, once <= since else { return nil }
        return Problems(DocumentError(position: position ?? Position(line: 1, column: 1), message: "at \(once.rfc3339) is in the past"))
    }

    /// The same for a file in `schedules/`.
    public func lateness(since: Instant, in source: Source) -> Problems? {
        lateness(since: since, position: (try? source.table())?["at"]?.position)  // the text was read before without an error
    }

    /// True when the meaning may depend on the time at which the text was written, as with `in 2 hours`, or on the due times
    /// already handled.
    public var dependsOnWhenWritten: Bool { once != nil || notBefore != nil || notAfter != nil }

    /// True when the schedule repeats and yet has no due time after an instant. False when the machine's start, a program or a
    /// file decides, because a due time may come, and false when the schedule is disabled.
    public func isNeverDue(after instant: Instant) -> Bool {
        guard enabled, once == nil, !recurrence.isReboot, !recurrence.isEvent, recurrence.patternExtension == nil,
            unknownCalendars.isEmpty
        else { return false }
        guard let next = recurrence.next(after: max(instant, notBefore?.advanced(byMilliseconds: -1) ?? instant), origin: instant)
        else { return true }
        return notAfter.map { next > $0 } ?? false
    }

    /// True when the times are given in the same words, whatever else differs.
    public func isDueAlike(_ other: ScheduleDefinition) -> Bool {
        expression == other.expression && (onPath != nil || zone.name == other.zone.name)
    }

    /// Gives the second of two equal schedules an id that no other schedule has.
    static func numbered(_ schedules: [ScheduleDefinition]) -> [ScheduleDefinition] {
        guard schedules.count > 1 else { return schedules }
        let given = Set(schedules.map(\.id))
        var used = Set<String>()
        var last: [String: Int] = [:]
        return schedules.map { schedule in
            guard used.contains(schedule.id) else {
                used.insert(schedule.id)
                return schedule
            }
            var number = last[schedule.id, default: 1] + 1
            while given.contains("\(schedule.id)-\(number)") || used.contains("\(schedule.id)-\(number)") { number += 1 }
            last[schedule.id] = number
            let numbered = ScheduleDefinition(schedule, id: "\(schedule.id)-\(number)")
            used.insert(numbered.id)
            return numbered
        }
    }
}

extension TableReader {
    mutating func daylightRule() -> DaylightRule {
        enum Gap: String, CaseIterable { case run, skip }
        enum Repeat: String, CaseIterable { case first, both, last }
        var rule = DaylightRule()
        switch choice("dst_gap", as: Gap.self) {
        case .skip: rule.gap = .skip
        case .run, nil: break
        }
        switch choice("dst_repeat", as: Repeat.self) {
        case .both: rule.repeated = .both
        case .last: rule.repeated = .last
        case .first, nil: break
        }
        return rule
    }

    mutating func recurrence(
        zone: Zone, daylight: DaylightRule, seed: UInt64
    ) -> (recurrence: Recurrence, expression: String)? {
        expect(ScheduleDefinition.whenKeys + ["dtstart", "exdate", "from"])
        for (key, owner) in [("dtstart", "rrule"), ("exdate", "rrule"), ("from", "every")] where table[owner] == nil {
            if let entry = table.entry(key) { fail(entry.keyPosition, "\(key) needs \(owner), which is missing") }
        }
        let zones = context.zones
        if table["cron"] != nil {
            return expression("cron") { text throws(RecurrenceError) in
                try .cron(text, zone: zone, zones: zones, stableSeed: seed, daylight: daylight)
            }
        }
        if table["calendar"] != nil {
            return expression("calendar") { text throws(RecurrenceError) in
                try .calendar(text, zone: zone, zones: zones, daylight: daylight)
            }
        }
        if table["pattern"] != nil {
            return expression("pattern") { text throws(RecurrenceError) in
                try .pattern(text, zone: zone, daylight: daylight)
            }
        }
        if table["rrule"] != nil { return rrule(zone: zone, daylight: daylight) }
        if let value = table["every"] {
            enum From: String, CaseIterable { case start, end }
            let from = choice("from", as: From.self) ?? .end
            guard let span = span(value, "every") else { return nil }
            guard span.months > 0 || span.milliseconds > 0 else {
                fail(value.position, "every must be longer than zero")
                return nil
            }
            let suffix = from == .start ? " from start" : ""
            return (.every(span, fromStart: from == .start), "every \"\(span)\"\(suffix)")
        }
        if let value = table["at"], let instant = instant(value, "at", zone: zone) {
            return (.at(instant), "at \"\(instant.rfc3339)\"")
        }
        return nil
    }

    /// A recurrence rule with its start and its exclusions, which are part of its meaning.
    private mutating func rrule(zone: Zone, daylight: DaylightRule) -> (recurrence: Recurrence, expression: String)? {
        var start: RRuleTime?
        var excluded: [RRuleTime] = []
        if let value = table["dtstart"] {
            guard let time = rruleTime(value, "dtstart", zone: zone) else { return nil }
            start = time
        }
        if let value = table["exdate"] {
            var elements = [value]
            if case .array(let list) = value.kind { elements = list }
            for element in elements {
                guard let time = rruleTime(element, "exdate", zone: zone) else { return nil }
                excluded.append(time)
            }
        }
        let read = expression("rrule") { text throws(RecurrenceError) in
            try .rrule(text, start: start, excluding: excluded, zone: zone, daylight: daylight)
        }
        guard let read else { return nil }
        let beside = (start.map { [" from \($0.description)"] } ?? []) + excluded.map { " without \($0.description)" }
        return (read.recurrence, read.expression + beside.joined())
    }

    private mutating func rruleTime(_ value: Value, _ key: String, zone: Zone) -> RRuleTime? {
        guard let text = instantText(value, key) else { return nil }
        do throws(RecurrenceError) {
            let time = try RRuleTime.parse(text, zone: zone, now: context.now)
            // The schedule would change each time the file is read.
            if !time.isRelative { return time }
            fail(value.position, "\(key) \"\(text)\" counts from now", hint: "write a date and a time, such as \"2026-12-24T18:00:00\"")
        } catch {
            fail(value.position, "\(key): \(error.message)", hint: error.hint)
        }
        return nil
    }

    /// An expression for the wall clock. An error in it gets its position in the string.
    private mutating func expression(
        _ key: String, _ read: (String) throws(RecurrenceError) -> Recurrence
    ) -> (recurrence: Recurrence, expression: String)? {
        guard let value = table[key], let text = string(key) else { return nil }
        do throws(RecurrenceError) {
            let recurrence = try read(text)
            if recurrence.namesZone, let zone = recurrence.zone, let timezone = table["timezone"],
                case .string(let name) = timezone.kind
            {
                fail(
                    timezone.position, "timezone is \"\(name)\", and \(key) \"\(text)\" names the zone \(zone.name)",
                    hint: "leave one of them away")
                return nil
            }
            return (recurrence, "\(key) \"\(text)\"")
        } catch {
            var position = value.position
            // In a basic string without escapes, the position in the text gives the position in the file.
            if let offset = error.offset { position.column += offset + 1 }
            fail(position, "\(key) \"\(text)\": \(error.message)", hint: error.hint)
            return nil
        }
    }
}
