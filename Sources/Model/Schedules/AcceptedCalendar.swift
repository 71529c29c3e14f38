/// A calendar in the form that is kept when its definition or its file is not there any more: with the events of its file.
public struct AcceptedCalendar: Sendable, Equatable {
    private let name: String
    private let dates: [String]
    private let windows: [String]
    private let zoneName: String?
    /// The lines of the file that give its events, and the zone of times that name none.
    private let events: String?
    private let outerZoneName: String

    init(_ entry: Calendars.Entry, file: [UInt8]?, zone: Zone) {
        name = entry.name
        (dates, windows, zoneName) = (entry.dates, entry.windows, entry.zoneName)
        events = file.map(CalendarFile.essence)
        outerZoneName = zone.name
    }

    /// - Parameter file: the whole file, when it is known, for the lines in errors.
    public func times(_ zones: ZoneDatabase, file: [UInt8]? = nil) throws(RecurrenceError) -> NamedTimes {
        let own = try zoneName.map { name throws(RecurrenceError) in try zones.zone(name) }
        var read: [CalendarEvent] = []
        if let events {
            var zone = own ?? .utc
            if own == nil { zone = try zones.zone(outerZoneName) }
            read = try CalendarFile.events(file ?? Array(events.utf8), zone: zone, zones: zones)
        }
        return try NamedTimes(name: name, zone: own, dates: dates, windows: windows, events: read)
    }

    // MARK: In the journal

    public var source: Source {
        var writer = JSONWriter()
        writer.beginObject()
        for (key, texts) in [("dates", dates), ("windows", windows)] {
            writer.key(key)
            writer.beginArray()
            for text in texts { writer.string(text) }
            writer.endArray()
        }
        for (key, text) in [("timezone", zoneName), ("events", events), ("zone", outerZoneName)] {
            guard let text else { continue }
            writer.key(key)
            writer.string(text)
        }
        writer.endObject()
        return Source(format: .json, bytes: writer.bytes)
    }

    /// Nil when the source is not one of a calendar.
    public init?(name: String, _ source: Source) {
        // The calendar was accepted before and must not be refused now: this form is longer than the file, which may have the usual limit.
        let limits = Limits(bytes: .max, depth: .max, values: .max)
        guard source.format == .json, case .table(let table)? = (try? JSON.parse(source.bytes, limits: limits))?.kind  // not known then
        else { return nil }
        func text(_ value: Value?) -> String? { if case .string(let text)? = value?.kind { text } else { nil } }
        func texts(_ key: String) -> [String] {
            guard case .array(let values)? = table[key]?.kind else { return [] }
            return values.compactMap(text)
        }
        guard let outer = text(table["zone"]) else { return nil }
        self.name = name
        (dates, windows) = (texts("dates"), texts("windows"))
        (zoneName, events, outerZoneName) = (text(table["timezone"]), text(table["events"]), outer)
    }
}
