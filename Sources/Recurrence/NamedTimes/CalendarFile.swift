/// Reads the events of an iCalendar file (RFC 5545): DTSTART with DTEND or DURATION, RRULE and EXDATE of each VEVENT. Canceled and
/// transparent events are left out, because nobody is busy then. Other components and properties are ignored.
public enum CalendarFile {
    /// A property with its parameters: `DTSTART;TZID=Europe/Berlin:20261224T180000`.
    private struct Property {
        var line: Int
        var name: String
        var zone: String?
        var value: String
    }

    /// More events than any calendar of holidays has.
    static let eventsMax = 2_000

    /// Throws the first mistake, with its line.
    public static func events(_ bytes: [UInt8], zone: Zone, zones: ZoneDatabase) throws(RecurrenceError) -> [CalendarEvent] {
        var events: [CalendarEvent] = []
        var event: [Property]?
        var isCalendar = false
        var isWhole = false
        // The components inside the event, such as an alarm, have times of their own.
        var depth = 0
        for property in properties(bytes) {
            switch (property.name, property.value.asciiLowercased) {
            case ("BEGIN", "vcalendar"): (isCalendar, isWhole) = (true, false)
            case ("END", "vcalendar"): isWhole = true
            case ("BEGIN", "vevent"): (event, depth) = ([], 0)
            case ("END", "vevent"):
                if let read = event { events += try self.events(read, zone, zones) }
                event = nil
                if events.count > eventsMax { throw RecurrenceError("line \(property.line): there are more than \(eventsMax) events") }
            case ("BEGIN", _): depth += 1
            case ("END", _): depth -= 1
            default: if depth == 0 { event?.append(property) }
            }
        }
        if isCalendar, !isWhole || event != nil { throw RecurrenceError("the file is cut off: END:VCALENDAR is missing") }
        guard isCalendar else { throw RecurrenceError("it is no iCalendar file: BEGIN:VCALENDAR is missing") }
        return events
    }

    // MARK: Lines

    private static func properties(_ bytes: [UInt8]) -> [Property] {
        var properties: [Property] = []
        var text: [UInt8] = []
        var (line, begun) = (0, 0)
        func finish() {
            if let property = property(String(decoding: text, as: UTF8.self), line: begun) { properties.append(property) }
            text = []
        }
        for var part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            line += 1
            if part.last == UInt8(ascii: "\r") { part.removeLast() }
            // RFC 5545, 3.1: a line that begins with a blank continues the one before.
            if let first = part.first, first == 0x20 || first == 0x09 {
                text += part.dropFirst()
            } else {
                finish()
                (text, begun) = (Array(part), line)
            }
        }
        finish()
        return properties
    }

    private static func property(_ text: String, line: Int) -> Property? {
        var isQuoted = false
        var parts = [""]
        var value: Substring?
        for index in text.indices {
            let character = text[index]
            if character == "\"" {
                isQuoted.toggle()
            } else if character == ":", !isQuoted {
                value = text[text.index(after: index)...]
                break
            } else if character == ";", !isQuoted {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        guard let value else { return nil }
        let zone = parts.dropFirst().first { $0.asciiLowercased.hasPrefix("tzid=") }.map { String($0.dropFirst(5)) }
        return Property(line: line, name: String(parts[0].map { Character($0.uppercased()) }), zone: zone, value: String(value))
    }

    // MARK: Events

    private static func events(_ properties: [Property], _ outer: Zone, _ zones: ZoneDatabase) throws(RecurrenceError) -> [CalendarEvent] {
        func first(_ name: String) -> Property? { properties.first { $0.name == name } }
        if first("STATUS")?.value.asciiLowercased == "cancelled" || first("TRANSP")?.value.asciiLowercased == "transparent" { return [] }
        guard let start = first("DTSTART") else { return [] }
        let isAllDay = start.value.utf8.count == 8
        // All-day times are compared with the wall clock, so they are read as if they were UTC.
        let zone = isAllDay ? .utc : try self.zone(start, outer, zones)
        let begin = try time(start, zone)
        let length: Int64
        if let end = first("DTEND") {
            let last = try time(end, isAllDay ? .utc : try self.zone(end, outer, zones)).instants.lowerBound
            length = last.milliseconds - begin.instants.lowerBound.milliseconds
        } else if let duration = first("DURATION") {
            length = try named(duration) { () throws(RecurrenceError) in try Span.parse(duration.value).approximateMilliseconds }
        } else {
            length = isAllDay ? Civil.millisecondsPerDay : 0
        }
        guard length > 0 else { return [] }
        var excluded: [RRuleTime] = []
        for property in properties where property.name == "EXDATE" {
            for value in property.value.split(separator: ",") {
                var one = property
                one.value = String(value)
                excluded.append(try time(one, isAllDay ? .utc : try self.zone(property, outer, zones)))
            }
        }
        let starts: Recurrence
        if let rule = first("RRULE") {
            starts = try named(rule) { () throws(RecurrenceError) in
                try .rrule(rule.value, start: begin, excluding: excluded, zone: zone)
            }
        } else {
            starts = .at(begin.instants.lowerBound)
        }
        return [CalendarEvent(starts: starts, lengthMilliseconds: length, isAllDay: isAllDay)]
    }

    private static func time(_ property: Property, _ zone: Zone) throws(RecurrenceError) -> RRuleTime {
        try named(property) { () throws(RecurrenceError) in
            guard try BasicTime.parse(property.value) != nil else {
                throw RecurrenceError("\(quoted(property.value)) is not a date or time such as 20261225 or 20261224T180000Z")
            }
            return try RRuleTime.parse(property.value, zone: zone, now: Instant(milliseconds: 0))
        }
    }

    private static func zone(_ property: Property, _ outer: Zone, _ zones: ZoneDatabase) throws(RecurrenceError) -> Zone {
        guard let name = property.zone else { return outer }
        return try named(property) { () throws(RecurrenceError) in try zones.zone(name) }
    }

    private static func named<T>(_ property: Property, _ read: () throws(RecurrenceError) -> T) throws(RecurrenceError) -> T {
        do throws(RecurrenceError) { return try read() } catch {
            throw RecurrenceError("line \(property.line): \(property.name): \(error.message)", hint: error.hint)
        }
    }
}
