/// When things are due: instants, spans, time zones, and the rules that repeat.
///
/// What holds here:
/// - Everything is a function of its arguments. There is no clock in this module; the only file that touches the
///   system is `ZoneFiles.swift`, which reads the time-zone database when a zone is asked for.
/// - `next(after:)` is strictly later than what it was given, falls on or after 1970-01-01 and before 2200-01-01 (UTC),
///   and does a bounded amount of work without allocating, also for a rule that never comes true (`0 0 31 2 *`).
/// - No text, file or number makes this module trap. What cannot be used is refused with a `RecurrenceError` that says
///   where, what was found, and what was likely meant.
/// - Time is POSIX time: every day has 86,400 seconds, leap seconds do not exist.
///
/// A rule that is written as wall-clock fields (`WallFields`) is bit sets; read in a zone it is a `WallSchedule`.
public struct Recurrence: Sendable {
    enum Rule: Sendable {
        case cron(WallSchedule<WallFields>, CronDialect)
        /// With its normalized text.
        case calendar(WallSchedule<WallFields>, String)
        /// The wall-clock forms of a pattern, computed when the run before has ended.
        case pattern(WallSchedule<WallFields>)
        case rrule(RRuleSchedule)
        case interval(Interval)
        case at(Instant)
        case reboot
        indirect case ext(PatternExtension)
        case event
    }

    let rule: Rule

    /// The expression names its zone itself: `CRON_TZ=ZONE` of cron, the zone at the end of a calendar expression.
    public internal(set) var namesZone = false

    /// Reads a cron expression of any `CronDialect`, or a word such as `@daily`, `@every 10m`, `@reboot` (the `@` may be left
    /// out). `CRON_TZ=ZONE` before it names the zone, which `zones` then looks up.
    ///
    /// `stableSeed` decides what `H` stands for; the same seed always gives the same value. An `@every` counts on a
    /// fixed grid, as robfig/cron has it: the length of a run does not move the next one.
    public static func cron(
        _ text: String, zone: Zone, zones: ZoneDatabase, stableSeed: UInt64, daylight: DaylightRule = .standard
    ) throws(RecurrenceError) -> Recurrence {
        let parsed = try CronParser(text, stableSeed: stableSeed).parse()
        var zone = zone
        if let name = parsed.zone { zone = try zones.zone(name) }
        switch parsed.when {
        case .fields(let fields, let dialect):
            return Recurrence(
                rule: .cron(WallSchedule(fields, zone: zone, daylight: daylight), dialect), namesZone: parsed.zone != nil)
        case .every(let span):
            return .every(span, fromStart: true)
        case .reboot:
            return Recurrence(rule: .reboot)
        }
    }

    /// Reads an expression of systemd.time(7), "Calendar Events": `Mon..Fri *-*-* 09:00 Europe/Berlin`, `*-*~1`, `daily`. A
    /// zone that it names takes the place of `zone`; `zones` then looks it up.
    ///
    /// A schedule whose hour or minute is `*` is a wildcard when the clock changes. What is finer than a millisecond falls
    /// to the millisecond in which it lies.
    public static func calendar(
        _ text: String, zone: Zone, zones: ZoneDatabase, daylight: DaylightRule = .standard
    ) throws(RecurrenceError) -> Recurrence {
        let expression = try CalendarParser(text).parse()
        var zone = zone
        if let name = expression.zone {
            do {
                zone = try zones.zone(name)
            } catch {
                throw RecurrenceError(error.message, offset: expression.zoneOffset, hint: error.hint)
            }
        }
        let schedule = WallSchedule(expression.fields, zone: zone, daylight: daylight)
        return Recurrence(rule: .calendar(schedule, expression.text), namesZone: expression.zoneOffset != nil)
    }

    /// Whether a text is an expression of cron, whatever zone it names.
    public static func isCron(_ text: String) -> Bool {
        do throws(RecurrenceError) { _ = try CronParser(text, stableSeed: 0).parse() } catch { return false }
        return true
    }

    /// Whether a text is a calendar expression, whatever zone it names.
    public static func isCalendar(_ text: String) -> Bool {
        do throws(RecurrenceError) { _ = try CalendarParser(text).parse() } catch { return false }
        return true
    }

    /// Reads a pattern: an interval `50.seconds`, `MM.dd.HH.mm.ss`, `weekdays.HH.mm.ss` (`**` for any, lists with `|`), or
    /// `ext:KEY:ARGS`, which a program decides. All of them count from the end of the last run. The wall-clock forms are
    /// fixed schedules to daylight saving.
    public static func pattern(
        _ text: String, zone: Zone, daylight: DaylightRule = .standard
    ) throws(RecurrenceError) -> Recurrence {
        switch try PatternParser(text).parse() {
        case .every(let span): .every(span, fromStart: false)
        case .fields(let fields): Recurrence(rule: .pattern(WallSchedule(fields, zone: zone, daylight: daylight)))
        case .ext(let ext): Recurrence(rule: .ext(ext))
        }
    }

    /// Reads a recurrence rule of iCalendar (RFC 5545 §3.3.10), `FREQ=MONTHLY;BYDAY=2TU`; `RRULE:` may precede.
    ///
    /// It begins at `start`, from which it takes what it does not say itself: the time of day, the day, which weeks are
    /// the second ones. The start is due only if the rule names it. Without one a rule begins at 1970-01-01 00:00 wall
    /// time; one that counts from its start (COUNT, INTERVAL above 1) or takes its weekday from it is then refused.
    /// Daylight saving is met as in every other rule; it is a wildcard when it leaves the hour or the minute open:
    /// FREQ=HOURLY without BYHOUR. Costs as much as COUNT searches.
    public static func rrule(
        _ text: String, start: RRuleTime? = nil, excluding: [RRuleTime] = [], zone: Zone,
        daylight: DaylightRule = .standard
    ) throws(RecurrenceError) -> Recurrence {
        var parser = RRuleParser(text)
        let rule = try parser.parse()
        if start == nil { try parser.checkWithoutStart() }
        return Recurrence(
            rule: .rrule(
                RRuleSchedule(
                    rule, start: start?.wall ?? 0, excluding: excluding.map(\.instants), zone: zone, daylight: daylight)))
    }

    /// Every `span`: counted from the end of the last run, or (`fromStart`) on a fixed grid. A span that is not longer
    /// than zero is never due.
    public static func every(_ span: Span, fromStart: Bool) -> Recurrence {
        Recurrence(rule: .interval(Interval(span: span, fromStart: fromStart)))
    }

    /// Once.
    public static func at(_ instant: Instant) -> Recurrence {
        Recurrence(rule: .at(instant))
    }

    /// Due when something happens that no clock tells of, a file that comes; `next(after:origin:)` knows of no instant.
    public static let event = Recurrence(rule: .event)

    /// The first due instant strictly after `instant`, or nil when there is none before the year 2200.
    ///
    /// `origin` matters to `every` alone: the end of the last run, or, from the start, any point of the grid. What is
    /// due are `origin + span`, `origin + 2 span`, …
    public func next(after instant: Instant, origin: Instant) -> Instant? {
        switch rule {
        case .cron(let schedule, _), .calendar(let schedule, _), .pattern(let schedule): schedule.next(after: instant)
        case .rrule(let schedule): schedule.next(after: instant)
        case .interval(let interval): interval.next(after: instant, origin: origin)
        case .at(let due): due > instant && due.milliseconds < Civil.endSeconds * 1000 ? due : nil
        case .reboot, .ext, .event: nil
        }
    }

    /// As `next(after:origin:)`, with a note when daylight saving makes the instant an odd one.
    public func nextOccurrence(after instant: Instant, origin: Instant) -> Occurrence? {
        if let wall { return wall.nextOccurrence(after: instant) }
        if case .rrule(let schedule) = rule { return schedule.nextOccurrence(after: instant) }
        return next(after: instant, origin: origin).map { Occurrence(instant: $0, note: nil) }
    }

    /// The next run is counted from the end of the last one, and so is not known while that one runs.
    public var isFromEnd: Bool {
        switch rule {
        case .interval(let interval): !interval.fromStart
        case .pattern, .ext: true
        case .cron, .calendar, .rrule, .at, .reboot, .event: false
        }
    }

    /// Read from the wall clock, and each wall time once: see `DaylightRule`.
    public var isFixed: Bool { wall.map { !$0.rule.isWildcard } ?? false }

    /// Counts in equal steps from an origin: `every`, `@every`.
    public var isInterval: Bool {
        if case .interval = rule { return true }
        return false
    }

    /// The step of an interval whose steps are all equally long; nil for months.
    public var intervalMilliseconds: Int64? {
        if case .interval(let interval) = rule, interval.span.months == 0 { return interval.span.milliseconds }
        return nil
    }

    /// Due when the daemon starts for the first time after the machine has, and at no instant that can be computed.
    public var isReboot: Bool {
        if case .reboot = rule { return true }
        return false
    }

    /// Due when something happens, and at no instant that can be computed.
    public var isEvent: Bool {
        if case .event = rule { return true }
        return false
    }

    /// Due once.
    public var isOnce: Bool {
        if case .at = rule { return true }
        return false
    }

    /// The program that decides, when one does: then `next(after:origin:)` knows of no instant.
    public var patternExtension: PatternExtension? {
        if case .ext(let ext) = rule { return ext }
        return nil
    }

    private var wall: WallSchedule<WallFields>? {
        switch rule {
        case .cron(let schedule, _), .calendar(let schedule, _), .pattern(let schedule): schedule
        case .rrule, .interval, .at, .reboot, .ext, .event: nil
        }
    }

    /// The zone whose wall clock decides; nil for a rule that reads none.
    public var zone: Zone? {
        if case .rrule(let schedule) = rule { return schedule.zone }
        return wall?.zone
    }

    /// One text for all that mean the same: numbers for names in cron, `@daily` as `0 0 * * *`, `60.seconds` as `1.minutes`; of a
    /// calendar expression what `systemd-analyze calendar` prints. Reads back as an equal rule, that of iCalendar with the
    /// same start.
    public var normalized: String {
        switch rule {
        case .cron(let schedule, let dialect): schedule.rule.cronText(dialect)
        case .calendar(_, let text): text
        case .pattern(let schedule): schedule.rule.patternText
        case .rrule(let schedule): "\(schedule.rule)"
        case .interval(let interval): (interval.fromStart ? nil : interval.span.patternText) ?? "@every \(interval.span)"
        case .at(let due): due.rfc3339
        case .reboot: "@reboot"
        case .ext(let ext): "ext:\(ext.key):\(ext.arguments)"
        case .event: "an event"
        }
    }
}
