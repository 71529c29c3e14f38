/// Due times: instants, spans, time zones, and the rules that repeat.
///
/// Contract:
/// - Everything is a function of its arguments. This module has no clock. The only file that accesses the system is
///   `ZoneFiles.swift`, which reads the time-zone database when a zone is requested.
/// - `next(after:)` is strictly later than its argument, at or after 1970-01-01 and before 2200-01-01 (UTC). It does a bounded
///   amount of work without allocating, even for a rule that never matches (`0 0 31 2 *`).
/// - No text, file or number makes this module trap. Unusable input is refused with a `RecurrenceError` that gives the position,
///   what was found, and what was probably meant.
/// - Time is POSIX time: every day has 86,400 seconds, leap seconds do not exist.
///
/// A rule of wall-clock fields (`WallFields`) consists of bit sets. With a zone it is a `WallSchedule`.
public struct Recurrence: Sendable {
    enum Rule: Sendable {
        case cron(WallSchedule<WallFields>, CronDialect)
        /// The associated text is the normalized one.
        case calendar(WallSchedule<WallFields>, String)
        /// The wall-clock forms of a pattern. The next time is computed when the previous run has ended.
        case pattern(WallSchedule<WallFields>)
        case rrule(RRuleSchedule)
        case interval(Interval)
        case at(Instant)
        case reboot
        indirect case ext(PatternExtension)
        case event
    }

    /// A rule with a filter has a box of its own. Most schedules have no filter, and pay nothing for it.
    private enum Filtering: Sendable {
        case none(Rule)
        indirect case filtered(Rule, TimeFilter)
    }

    private let filtering: Filtering

    var rule: Rule {
        switch filtering {
        case .none(let rule), .filtered(let rule, _): rule
        }
    }

    /// The calendars that the schedule leaves out or keeps to.
    public var filter: TimeFilter? {
        guard case .filtered(_, let filter) = filtering else { return nil }
        return filter
    }

    /// The zone that the expression itself names: `CRON_TZ=ZONE` of cron, or the zone at the end of a calendar expression.
    public internal(set) var namesZone = false

    init(rule: Rule, filter: TimeFilter? = nil, namesZone: Bool = false) {
        filtering = filter.map { .filtered(rule, $0) } ?? .none(rule)
        self.namesZone = namesZone
    }

    /// Reads a cron expression of any `CronDialect`, or a word such as `@daily`, `@every 10m`, `@reboot` (the `@` is optional).
    /// `CRON_TZ=ZONE` before it names the zone, which is looked up in `zones`.
    ///
    /// `stableSeed` decides the value of `H`: the same seed always gives the same value. `@every` counts on a fixed grid, as in
    /// robfig/cron: the length of a run does not move the next one.
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

    /// Reads an expression of systemd.time(7), "Calendar Events": `Mon..Fri *-*-* 09:00 Europe/Berlin`, `*-*~1`, `daily`. A zone
    /// in the expression replaces `zone` and is looked up in `zones`.
    ///
    /// A schedule whose hour or minute is `*` is a wildcard when the clock changes. A fraction below a millisecond belongs to its
    /// millisecond.
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

    /// True when the text is a cron expression, whatever zone it names.
    public static func isCron(_ text: String) -> Bool {
        do throws(RecurrenceError) { _ = try CronParser(text, stableSeed: 0).parse() } catch { return false }
        return true
    }

    /// True when the text is a calendar expression, whatever zone it names.
    public static func isCalendar(_ text: String) -> Bool {
        do throws(RecurrenceError) { _ = try CalendarParser(text).parse() } catch { return false }
        return true
    }

    /// Reads a pattern: an interval `50.seconds`, `MM.dd.HH.mm.ss`, `weekdays.HH.mm.ss` (`**` for any value, lists with `|`), or
    /// `ext:KEY:ARGS`, for which a program computes the times. All of them count from the end of the last run. For daylight
    /// saving, the wall-clock forms are fixed schedules.
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
    /// The rule begins at `start`. It takes from the start what it does not give itself: the time of day, the day, and the parity
    /// of weeks. The start is due only if the rule matches it. Without a start, a rule begins at 1970-01-01 00:00 wall time, and
    /// a rule that counts from its start (COUNT, INTERVAL above 1) or takes its weekday from the start is refused. Daylight
    /// saving is handled as in all other rules. The rule is a wildcard when it leaves the hour or the minute open: FREQ=HOURLY
    /// without BYHOUR. The cost is that of COUNT searches.
    public static func rrule(
        _ text: String, start: RRuleTime? = nil, excluding: [RRuleTime] = [], zone: Zone,
        daylight: DaylightRule = .standard
    ) throws(RecurrenceError) -> Recurrence {
        try rrule(text, start: start, excluding: InstantRanges(excluding.map(\.instants)), zone: zone, daylight: daylight)
    }

    static func rrule(
        _ text: String, start: RRuleTime?, excluding: InstantRanges, zone: Zone, daylight: DaylightRule = .standard
    ) throws(RecurrenceError) -> Recurrence {
        var parser = RRuleParser(text)
        let rule = try parser.parse()
        if start == nil { try parser.checkWithoutStart() }
        return Recurrence(
            rule: .rrule(
                RRuleSchedule(rule, start: start?.wall ?? 0, excluding: excluding, zone: zone, daylight: daylight)))
    }

    /// Every `span`, counted from the end of the last run, or with `fromStart` on a fixed grid. A span that is not positive is
    /// never due.
    public static func every(_ span: Span, fromStart: Bool) -> Recurrence {
        Recurrence(rule: .interval(Interval(span: span, fromStart: fromStart)))
    }

    /// Due once.
    public static func at(_ instant: Instant) -> Recurrence {
        Recurrence(rule: .at(instant))
    }

    /// Due when an event happens that no clock gives, such as a new file. `next(after:origin:)` gives no instant.
    public static let event = Recurrence(rule: .event)

    /// The same rule with the due times that a filter leaves.
    public func filtered(by filter: TimeFilter?) -> Recurrence {
        Recurrence(rule: rule, filter: filter, namesZone: namesZone)
    }

    /// The first due instant strictly after `instant`, or nil when there is none before the year 2200.
    ///
    /// `origin` matters only to `every`: it is the end of the last run or, with `fromStart`, any point of the grid. The due
    /// instants are `origin + span`, `origin + 2 span`, …
    ///
    /// `settled` matters only to a schedule with calendars, and to one that had some.
    public func next(after instant: Instant, origin: Instant, settled: SettledDues? = nil) -> Instant? {
        guard let filter else { return unfilteredNext(after: instant, origin, settled) }
        return filter.next(after: instant, written) { unfilteredNext(after: $0, origin, settled) }
    }

    /// The number of due times after an instant and up to `end`, at most `max`.
    public func count(after instant: Instant, through end: Instant, origin: Instant, settled: SettledDues?, max: Int) -> Int {
        let rule = { (after: Instant) in unfilteredNext(after: after, origin, settled) }
        if let filter { return filter.count(after: instant, through: end, max: max, written, rule) }
        var count = 0
        var after = instant
        while count < max, let due = rule(after), due <= end { (count, after) = (count + 1, due) }
        return count
    }

    /// The instants after `instant` to which due times up to `instant` have moved, the first `SettledDues.openMax` of them, and one more
    /// when there are more.
    public func open(at instant: Instant, origin: Instant, settled: SettledDues?) -> [Instant] {
        guard let filter, filter.whenExcluded == .next, filter.unknown.isEmpty else { return settled?.open.filter { $0 > instant } ?? [] }
        let passed = { (after: Instant) in unfilteredNext(after: after, origin: origin).flatMap { $0 <= instant ? $0 : nil } }
        let moved = filter.moved(written) { after in settled.map { $0.next(after: after, passed) } ?? passed(after) }
        var open: [Instant] = []
        while open.count <= SettledDues.openMax, let next = moved.next(after: open.last ?? instant) { open.append(next) }
        return open
    }

    /// The calendars that exclude a due time of the rule without them, as part of a sentence. Nil when none does.
    public func exclusion(of due: Instant) -> String? { filter?.exclusion(of: due, written) }

    private func unfilteredNext(after instant: Instant, _ origin: Instant, _ settled: SettledDues?) -> Instant? {
        guard let settled else { return unfilteredNext(after: instant, origin: origin) }
        return settled.next(after: instant) { unfilteredNext(after: $0, origin: origin) }
    }

    private func unfilteredNext(after instant: Instant, origin: Instant) -> Instant? {
        switch rule {
        case .cron(let schedule, _), .calendar(let schedule, _), .pattern(let schedule): schedule.next(after: instant)
        case .rrule(let schedule): schedule.next(after: instant)
        case .interval(let interval): interval.next(after: instant, origin: origin)
        case .at(let due): due > instant && due.milliseconds < Civil.endSeconds * 1000 ? due : nil
        case .reboot, .ext, .event: nil
        }
    }

    /// As `next(after:origin:)`, with a note when daylight saving or a calendar has affected the instant.
    public func nextOccurrence(after instant: Instant, origin: Instant, settled: SettledDues? = nil) -> Occurrence? {
        if filter == nil, settled?.open.isEmpty ?? true { return unfilteredOccurrence(after: instant, origin: origin) }
        guard let due = next(after: instant, origin: origin, settled: settled) else { return nil }
        var occurrence = Occurrence(instant: due, note: nil)
        let own = unfilteredOccurrence(after: due.advanced(byMilliseconds: -1), origin: origin)
        if let own, own.instant == due { occurrence.note = own.note }
        if settled?.open.contains(due) ?? false { occurrence.exclusions = "moved by calendars that have changed since" }
        if let remark = filter?.remark(on: due, after: instant, written, { unfilteredNext(after: $0, origin, settled) }) {
            occurrence.exclusions = remark
        }
        return occurrence
    }

    private func unfilteredOccurrence(after instant: Instant, origin: Instant) -> Occurrence? {
        if let wall { return wall.nextOccurrence(after: instant) }
        if case .rrule(let schedule) = rule { return schedule.nextOccurrence(after: instant) }
        return next(after: instant, origin: origin).map { Occurrence(instant: $0, note: nil) }
    }

    /// True when the next run is counted from the end of the last one, so that it is unknown during a run.
    public var isFromEnd: Bool {
        switch rule {
        case .interval(let interval): !interval.fromStart
        case .pattern, .ext: true
        case .cron, .calendar, .rrule, .at, .reboot, .event: false
        }
    }

    /// True when the rule reads the wall clock and is due once for each wall time: see `DaylightRule`.
    public var isFixed: Bool { wall.map { !$0.rule.isWildcard } ?? false }

    /// True when the rule counts equal steps from an origin: `every`, `@every`.
    public var isInterval: Bool {
        if case .interval = rule { return true }
        return false
    }

    /// The step of an interval whose steps all have the same length. Nil for months.
    public var intervalMilliseconds: Int64? {
        if case .interval(let interval) = rule, interval.span.months == 0 { return interval.span.milliseconds }
        return nil
    }

    /// True when the rule is due at the first start of the daemon after each start of the machine. No instant can be computed.
    public var isReboot: Bool {
        if case .reboot = rule { return true }
        return false
    }

    /// True when the rule is due when an event happens. No instant can be computed.
    public var isEvent: Bool {
        if case .event = rule { return true }
        return false
    }

    /// True when the rule is due once.
    public var isOnce: Bool {
        if case .at = rule { return true }
        return false
    }

    /// The program that computes the due times, if there is one. `next(after:origin:)` then gives no instant.
    public var patternExtension: PatternExtension? {
        if case .ext(let ext) = rule { return ext }
        return nil
    }

    /// The wall time in milliseconds that the rule gives for a due time: earlier than that on the clock when a gap has moved it. Nil when
    /// the rule does not give the due time, or reads no wall clock.
    private func wall(of due: Instant) -> Int64? {
        if case .rrule(let schedule) = rule { return schedule.wall(of: due) }
        return wall?.wall(of: due)
    }

    private func skippedWalls(of due: Instant) -> [Int64] {
        if case .rrule(let schedule) = rule { return schedule.skippedWalls(of: due) }
        return wall?.skippedWalls(of: due) ?? []
    }

    private var written: WrittenTimes { WrittenTimes(of: wall(of:), skipped: skippedWalls(of:)) }

    private var wall: WallSchedule<WallFields>? {
        switch rule {
        case .cron(let schedule, _), .calendar(let schedule, _), .pattern(let schedule): schedule
        case .rrule, .interval, .at, .reboot, .ext, .event: nil
        }
    }

    /// The zone of the wall clock that the rule reads. Nil for a rule that reads none.
    public var zone: Zone? {
        if case .rrule(let schedule) = rule { return schedule.zone }
        return wall?.zone
    }

    /// One text for all rules with the same meaning: numbers for names in cron, `@daily` as `0 0 * * *`, `60.seconds` as
    /// `1.minutes`, and for a calendar expression the text of `systemd-analyze calendar`. It reads back as an equal rule, an
    /// iCalendar rule with the same start.
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
