/// Describes a schedule in words, for a person who wants to know what its text means.
public struct Explanation: Sendable, Hashable {
    /// The kind of text: `cron, five fields as crontab(5)`.
    public var syntax: String
    /// One text for all expressions with the same meaning.
    public var normalized: String
    /// The description: `At 02:30 every day`, without a full stop.
    public var sentence: String
    /// Legal parts that were probably not intended, each with its real effect.
    public var warnings: [String]

    public init(syntax: String, normalized: String, sentence: String, warnings: [String] = []) {
        self.syntax = syntax
        self.normalized = normalized
        self.sentence = sentence
        self.warnings = warnings
    }
}

extension Recurrence {
    /// `now` decides whether a rule has ended. `text` is the original text, which shows steps that the rule no longer shows.
    public func explanation(at now: Instant, of text: String) -> Explanation {
        var sentence: String
        var warnings: [String] = []
        let syntax: String
        switch rule {
        case .cron(let schedule, let dialect):
            syntax = dialect.words
            sentence = schedule.rule.words
            warnings = StepRemarks.ofCron(text) + schedule.rule.warnings(lastDay: "L")
        case .calendar(let schedule, _):
            syntax = "a calendar expression as systemd.time(7)"
            sentence = schedule.rule.words
            warnings = StepRemarks.ofCalendar(text) + schedule.rule.warnings(lastDay: "~1")
        case .pattern(let schedule):
            syntax = "a pattern"
            sentence = schedule.rule.words + ", the next one computed when the run before has ended"
            warnings = schedule.rule.warnings(lastDay: nil)
        case .ext(let ext):
            syntax = "a pattern"
            sentence = "whenever the program patterns/\(ext.key) says"
        case .rrule(let schedule):
            syntax = "a recurrence rule of iCalendar (RFC 5545)"
            sentence = schedule.words
            warnings = schedule.warnings
        case .interval(let interval):
            syntax = "an interval"
            sentence =
                "every \(interval.span), counted from the \(interval.fromStart ? "last due time" : "end of the last run")"
        case .at(let instant):
            syntax = "an instant"
            sentence = "once, at \(instant.rfc3339)"
        case .reboot:
            syntax = "cron's @reboot"
            sentence = "when the daemon starts for the first time after the machine has started"
        case .event:
            syntax = "an event"
            sentence = "when something happens"
        }
        if let zone { sentence += ", in \(zone.name == "UTC" ? "UTC" : "the time of \(zone.name)")" }
        if !isReboot, !isEvent, patternExtension == nil, next(after: now, origin: now) == nil {
            let epoch = Instant(milliseconds: -1)
            let hasCome = next(after: epoch, origin: epoch) != nil
            warnings.insert(hasCome ? "it is over: it is not due again" : "it is never due: no date matches", at: 0)
        }
        return Explanation(
            syntax: syntax, normalized: normalized, sentence: sentence.prefix(1).uppercased() + sentence.dropFirst(),
            warnings: warnings)
    }
}

extension CronDialect {
    var words: String {
        switch self {
        case .unix: "cron, five fields as crontab(5)"
        case .unixWithSeconds: "cron, six fields: a second, then as crontab(5)"
        case .quartz: "cron as Quartz has it: second first, year last, Sunday is 1"
        case .aws: "cron as AWS EventBridge has it: year last, Sunday is 1"
        }
    }
}

extension WallFields {
    /// Warnings about surprising effects. `lastDay` is the syntax for the last day of a month, if there is one.
    func warnings(lastDay: String?) -> [String] {
        var found: [String] = []
        let seconds = seconds.members
        let minutes = minutes.members
        let hours = UInt64(hours).members
        if minutes.count == 60, hours.count < 24, !hasMilliseconds {
            let which = hours.count == 1 ? "hour \(hours[0])" : "those hours"
            found.append(
                "it is due every minute of \(which), \(hours.count * 60) times a day; for once an hour give a minute in place of *")
        } else if seconds.count == 60, minutes.count < 60 {
            found.append("it is due every second of those minutes; for once a minute let the second be 0")
        }
        found += Self.unevenStep(seconds, of: 60, "second", "minute")
        found += Self.unevenStep(minutes, of: 60, "minute", "hour")
        found += Self.unevenStep(hours, of: 24, "hour", "day")
        if days.combination == .either {
            found.append("both day fields are restricted: it is due when either matches, not only when both do (crontab(5))")
        } else if !daysOfMonthAreAll, !daysOfWeekAreAll, stars.contains(.dayOfMonth) || stars.contains(.dayOfWeek) {
            found.append("one day field begins with * and is restricted all the same: it is due when both match (crontab(5))")
        }
        found += dayWarnings(lastDay: lastDay)
        return found
    }

    /// A step that does not divide its field restarts before a whole step has passed. If only two members remain, only the text
    /// shows that they come from a step: see `StepRemarks`.
    private static func unevenStep(_ members: [Int], of count: Int, _ unit: String, _ whole: String) -> [String] {
        guard let stride = stride(members, of: count), let last = members.last, count % stride.step != 0 else { return [] }
        return [StepRemarks.unevenStep(stride.step, from: stride.first, to: last, of: count, unit, whole)]
    }

    private func dayWarnings(lastDay: String?) -> [String] {
        guard days.combination == .both, !daysOfMonthAreAll else { return [] }
        let special = rare?.days ?? .none
        let members = UInt64(days.daysOfMonth).members
        if !special.hasDaysOfMonth, members.count > 6, let stride = Self.stride(members.map { $0 - 1 }, of: 31) {
            return ["the step of \(Words.count(stride.step, "day")) begins anew each month, after its 28th to 31st day"]
        }
        guard let day = shortestMonthThatMatches, day > 28, day < 32 else { return [] }
        let named = UInt64(months).members
        let lacking = named.filter { Civil.daysInMonth(year: 2028, month: $0) < day }
        if named == [2], day == 29 { return ["only leap years have a 29th of February"] }
        guard !lacking.isEmpty, lacking.count < named.count else { return [] }
        // Each kind of special day has its own syntax for a last day that every month has.
        let last = special.nearest != 0 ? "LW is the last weekday of any month" : lastDay.map { "\($0) is the last day of any month" }
        return [
            "\(Words.list(Words.members(lacking) { Words.months[$0 - 1] })) \(lacking.count == 1 ? "has" : "have") "
                + "no \(Words.ordinal(day))\(last.map { ": \($0)" } ?? "")"
        ]
    }

    /// The number of days that a month must have for the day-of-month part to match one of them.
    private var shortestMonthThatMatches: Int? {
        let special = rare?.days ?? .none
        let numbered = UInt64(days.daysOfMonth).members + UInt64(special.nearest).members
        return (numbered + UInt64(special.beforeLast | special.nearestBeforeLast).members.map { $0 + 1 }).min()
    }
}
