import Scheduler

/// The calendars that the journal keeps for definitions in force that name them.
public struct KeptCalendars: JournalReader {
    private var sources: [String: Source] = [:]

    public init() {}

    public func wants(_ line: JournalGlance) -> Bool {
        ["defined", "undefined"].contains(line.kind) && Self.isOfCalendar(line.firstValue(of: "file") ?? "")
    }

    public mutating func take(_ fields: JournalFields) {
        guard let file = fields["file"], Self.isOfCalendar(file) else { return }
        let name = String(file.dropFirst(Layout.calendars.utf8.count + 1))
        switch fields.record(ReadingContext(now: fields.at, zones: ZoneDatabase(directories: []))) {
        case .defined(_, let definition): sources[name] = definition.source
        case .undefined: sources[name] = nil
        default: break
        }
    }

    private static func isOfCalendar(_ file: String) -> Bool { file.hasPrefix("\(Layout.calendars)/") }

    /// The calendars that can still be read.
    public func times(_ zones: ZoneDatabase) -> [String: NamedTimes] {
        var times: [String: NamedTimes] = [:]
        for (name, source) in sources {
            // A calendar whose zone has gone is one that nobody knows.
            if let read = try? AcceptedCalendar(name: name, source)?.times(zones) { times[name] = read }
        }
        return times
    }
}

extension Spool {
    /// The calendars that the journal keeps.
    public func keptCalendars(_ zones: ZoneDatabase) throws(SystemError) -> [String: NamedTimes] {
        var kept = KeptCalendars()
        _ = try Journal<FS>.scanNewest(fs, into: &kept)
        return kept.times(zones)
    }
}
