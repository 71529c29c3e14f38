/// The calendars by which the scheduler's definitions are read: those of the configuration, and in their place those that are recorded.
///
/// A calendar that a schedule in force names is recorded as a definition `calendars/NAME`, unless nobody knows it. So a restart finds
/// it even if its file or the configuration's table has gone since. The recorded calendar counts until another one is recorded,
/// together with what the change means for due times that have passed.
struct CalendarsInForce {
    static let directory = "calendars/"

    private var sources: [String: Source] = [:]
    /// The recorded calendars, once they were read.
    private var read: [String: NamedTimes] = [:]
    /// The calendars of the configuration with the recorded ones, once that was asked for.
    private var all: Calendars?

    var names: [String] { sources.keys.sorted() }

    func source(of name: String) -> Source? { sources[name] }

    /// A definition was recorded, or its end when there is no source.
    mutating func recorded(_ file: String, _ source: Source?) {
        guard file.hasPrefix(Self.directory) else { return }
        let name = String(file.dropFirst(Self.directory.utf8.count))
        sources[name] = source
        read[name] = nil
        all = nil
    }

    mutating func settingsChanged() { all = nil }

    /// Has the calendars read again, because time zones have changed.
    mutating func forget() { (read, all) = ([:], nil) }

    mutating func all(_ configured: Calendars, _ zones: ZoneDatabase) -> Calendars {
        if let all { return all }
        for (name, source) in sources where read[name] == nil {
            // It was readable when it was recorded. If a zone has gone since, nobody knows its times.
            read[name] = (try? AcceptedCalendar(name: name, source)?.times(zones)) ?? NamedTimes(unknown: name)
        }
        let all = sources.isEmpty ? configured : configured.keeping(read)
        self.all = all
        return all
    }
}
