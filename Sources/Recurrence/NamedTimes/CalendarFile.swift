/// Reads the events of an iCalendar file (RFC 5545): DTSTART with DTEND or DURATION, RRULE, RDATE and EXDATE of each VEVENT, and
/// RECURRENCE-ID of one that replaces an occurrence of another. Canceled and transparent events are left out, because nobody is busy
/// then. Other components and properties are ignored.
public struct CalendarFile {
    private let zones: CalendarFileZones
    private let components: [Component]

    /// The properties of a VEVENT.
    private struct Component {
        var properties: [CalendarProperty] = []

        func first(_ name: String) -> CalendarProperty? { properties.first { $0.name == name } }

        func all(_ name: String) -> [CalendarProperty] { properties.filter { $0.name == name } }

        var isAllDay: Bool { first("DTSTART")?.value.utf8.count == 8 }

        /// False when nobody is busy during the event.
        var counts: Bool {
            first("STATUS")?.value.asciiLowercased != "cancelled" && first("TRANSP")?.value.asciiLowercased != "transparent"
        }
    }

    /// More events than any calendar of holidays has. An event that repeats each hour counts as 24. An event that repeats and lasts
    /// `Covers.chunkDays` or longer counts twice. 100 dates of one count as an event, and so do 1,000 of COUNT.
    static let eventsMax = 2_000
    /// The number of dates that RDATE, EXDATE and RECURRENCE-ID of an event may give.
    private static let datesMax = 5_000
    /// Occurrences of a longer event would overlap too often.
    private static let repeatedMillisecondsMax: Int64 = 366 * Civil.millisecondsPerDay

    /// The names of the properties that this type reads. The file without all other properties means the same.
    static let propertiesRead: Set<String> = [
        "BEGIN", "END", "UID", "STATUS", "TRANSP", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "TZID",
        "X-LIC-LOCATION",
    ]

    /// Throws the first mistake, with its line. A time that names no zone is in `zone`.
    public static func events(_ bytes: [UInt8], zone: Zone, zones: ZoneDatabase) throws(RecurrenceError) -> [CalendarEvent] {
        try CalendarFile(CalendarProperty.all(in: bytes), zone, zones).events()
    }

    /// The lines of a file that `events` reads, which give the same events.
    public static func essence(of bytes: [UInt8]) -> String {
        CalendarProperty.all(in: bytes).filter { propertiesRead.contains($0.name) }.map { "\($0.text)\r\n" }.joined()
    }

    private init(_ properties: [CalendarProperty], _ zone: Zone, _ database: ZoneDatabase) throws(RecurrenceError) {
        var components: [Component] = []
        var event: Component?
        var isCalendar = false
        var isWhole = false
        // The components inside the event, such as an alarm, have times of their own.
        var depth = 0
        for property in properties {
            switch (property.name, property.value.asciiLowercased) {
            case ("BEGIN", "vcalendar"): (isCalendar, isWhole) = (true, false)
            case ("END", "vcalendar"): isWhole = true
            case ("BEGIN", "vevent"): (event, depth) = (Component(), 0)
            case ("END", "vevent"):
                if let event { components.append(event) }
                event = nil
            case ("BEGIN", _): depth += 1
            case ("END", _): depth -= 1
            default: if depth == 0 { event?.properties.append(property) }
            }
        }
        guard isCalendar else { throw RecurrenceError("it is no iCalendar file: BEGIN:VCALENDAR is missing") }
        guard isWhole, event == nil else { throw RecurrenceError("the file is cut off: END:VCALENDAR is missing") }
        self.components = components
        zones = CalendarFileZones(properties, outer: zone, database)
    }

    private func events() throws(RecurrenceError) -> [CalendarEvent] {
        // The occurrences that an event of their own replaces, by the UID of the event that repeats.
        var replaced: [String: [CalendarProperty]] = [:]
        for component in components {
            guard let id = component.first("RECURRENCE-ID"), let uid = component.first("UID") else { continue }
            if id.parameter("range") != nil {
                throw RecurrenceError("line \(id.line): RECURRENCE-ID: RANGE, a change of all later occurrences, is not supported")
            }
            replaced[uid.value, default: []].append(id)
        }
        // The same as times, each read once: events of one UID share them.
        var read: [Replaced: [RRuleTime]] = [:]
        var events: [CalendarEvent] = []
        var weight = 0
        for component in components where component.counts {
            var without: [RRuleTime] = []
            if component.first("RECURRENCE-ID") == nil, let uid = component.first("UID")?.value, let ids = replaced[uid] {
                let key = Replaced(uid: uid, isAllDay: component.isAllDay)
                if let known = read[key] { without = known } else { without = try times(ids, key.isAllDay) }
                read[key] = without
            }
            let (read, itsWeight) = try self.events(component, without: without)
            events += read
            weight += itsWeight
            guard weight <= Self.eventsMax else {
                throw RecurrenceError(
                    "line \(component.properties.first?.line ?? 1): there are more than \(Self.eventsMax) events",
                    hint: "one that repeats within a day, has many dates or lasts for months counts as several: see spoold.toml(5)")
            }
        }
        return events
    }

    // MARK: Events

    private struct Replaced: Hashable {
        var uid: String
        var isAllDay: Bool
    }

    private func events(
        _ component: Component, without replaced: [RRuleTime]
    ) throws(RecurrenceError) -> (events: [CalendarEvent], weight: Int) {
        guard let start = component.first("DTSTART") else { return ([], 0) }
        let isAllDay = component.isAllDay
        let begin = try time(start, isAllDay)
        var length = isAllDay ? Civil.millisecondsPerDay : 0
        if let end = component.first("DTEND") {
            length = try time(end, isAllDay).instants.lowerBound.milliseconds - begin.instants.lowerBound.milliseconds
        } else if let duration = component.first("DURATION") {
            length = try duration.named { () throws(RecurrenceError) in try Span.parse(duration.value).approximateMilliseconds }
        }
        let dates = ["RDATE", "EXDATE"].flatMap(component.all).reduce(replaced.count) { $0 + $1.valueCount }
        guard dates <= Self.datesMax else {
            throw RecurrenceError("line \(start.line): the event has more than \(Self.datesMax) dates")
        }
        let excluded = InstantRanges((try times(component.all("EXDATE"), isAllDay) + replaced).map(\.instants))
        var starts = [begin.instants.lowerBound]
        // A period has a length of its own.
        var periods: [CalendarEvent] = []
        for property in component.all("RDATE") {
            for value in property.values {
                guard let place = value.value.firstIndex(of: "/") else {
                    starts.append(try time(value, isAllDay).instants.lowerBound)
                    continue
                }
                let period = try self.period(value, place)
                if !excluded.contains(period.start) {
                    periods.append(
                        CalendarEvent(starts: [period.start], rule: nil, lengthMilliseconds: period.length, isAllDay: false))
                }
            }
        }
        starts.removeAll(where: excluded.contains)
        var rule: Recurrence?
        var weight = 1 + dates / 100 + periods.count
        if let property = component.first("RRULE") {
            guard length <= Self.repeatedMillisecondsMax else {
                throw RecurrenceError("line \(start.line): an event that repeats can last 366 days at most")
            }
            let (read, itsWeight) = try property.named { () throws(RecurrenceError) in
                let zone = isAllDay ? .utc : try zones.zone(of: start)
                let rule = try Recurrence.rrule(property.value, start: begin, excluding: excluded, zone: zone)
                return (rule, try Self.weight(rule, lengthMilliseconds: length))
            }
            (rule, weight) = (read, weight + itsWeight)
        }
        guard length > 0 else { return (periods, weight) }
        return ([CalendarEvent(starts: starts, rule: rule, lengthMilliseconds: length, isAllDay: isAllDay)] + periods, weight)
    }

    /// The number of occurrences in a day beyond the first, and the cost of COUNT. The occurrences of a chunk are those in it and those
    /// before it that last into it, so a long event costs more of them.
    private static func weight(_ rule: Recurrence, lengthMilliseconds: Int64) throws(RecurrenceError) -> Int {
        guard case .rrule(let schedule) = rule.rule else { return 0 }
        let rule = schedule.rule
        guard rule.frequency <= .hourly, rule.minutes.count <= 1, rule.seconds.count <= 1 else {
            throw RecurrenceError("an event of a calendar can repeat each hour at most")
        }
        let inADay = rule.frequency == .hourly ? 24 : max(1, rule.hours.count)
        let longer = Int(lengthMilliseconds / (Covers.chunkDays * Civil.millisecondsPerDay))
        return inADay * (1 + longer) - 1 + (rule.count ?? 0) / 1_000
    }

    /// `START/END` or `START/DURATION`.
    private func period(_ value: CalendarProperty, _ slash: String.Index) throws(RecurrenceError) -> (start: Instant, length: Int64) {
        var first = value
        var second = value
        first.value = String(value.value[..<slash])
        second.value = String(value.value[value.value.index(after: slash)...])
        let start = try time(first, false).instants.lowerBound
        let length = try value.named { () throws(RecurrenceError) in
            second.value.hasPrefix("P")
                ? try Span.parse(second.value).approximateMilliseconds
                : try time(second, false).instants.lowerBound.milliseconds - start.milliseconds
        }
        guard length > 0 else { throw RecurrenceError("line \(value.line): \(value.name): a period must end after its beginning") }
        return (start, length)
    }

    private func times(_ properties: [CalendarProperty], _ isAllDay: Bool) throws(RecurrenceError) -> [RRuleTime] {
        var times: [RRuleTime] = []
        for property in properties {
            for value in property.values { times.append(try time(value, isAllDay)) }
        }
        return times
    }

    private func time(_ property: CalendarProperty, _ isAllDay: Bool) throws(RecurrenceError) -> RRuleTime {
        try property.named { () throws(RecurrenceError) in
            guard try BasicTime.parse(property.value) != nil else {
                throw RecurrenceError("\(quoted(property.value)) is not a date or time such as 20261225 or 20261224T180000Z")
            }
            // All-day times are compared with the wall clock, so they are read as if they were UTC.
            let zone = isAllDay ? .utc : try zones.zone(of: property)
            return try RRuleTime.parse(property.value, zone: zone, now: Instant(milliseconds: 0))
        }
    }
}
