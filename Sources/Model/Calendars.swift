/// The calendars of the configuration: `[calendars.NAME]` with `dates`, `windows` or a `file`, which schedules leave out (`except`) or
/// keep to (`only`).
public struct Calendars: Sendable {
    /// A calendar as the configuration gives it. The file is not read.
    public struct Entry: Sendable, Equatable {
        public var name: String
        public var dates: [String]
        public var windows: [String]
        /// The path of an iCalendar file.
        public var file: String?
        /// The zone of its times. Nil when they are in the zone of the schedule.
        public var zoneName: String?

        public init(name: String, dates: [String] = [], windows: [String] = [], file: String? = nil, zoneName: String? = nil) {
            self.name = name
            self.dates = dates
            self.windows = windows
            self.file = file
            self.zoneName = zoneName
        }

        /// The entries of a table that has been read before without a problem.
        public static func all(in table: Table, _ context: ReadingContext) -> [Entry] {
            var reader = TableReader(table, context)
            return reader.calendars("calendars")
        }
    }

    /// The times of a calendar, or the reason why its file cannot be used.
    private enum State: Sendable {
        case usable(NamedTimes)
        case unusable(String)
    }

    private var states: [String: State] = [:]
    /// The texts of the files, by their paths, so that a change is noticed.
    private var texts: [String: [UInt8]] = [:]
    private var entries: [Entry] = []

    /// The maximum size of an iCalendar file.
    public static let fileBytesMax = 1 << 20

    public init() {}

    /// Reads the files of the calendars by `read`, which throws a sentence.
    ///
    /// - Parameter zone: the configured zone, for events of a file whose times name none.
    public init(_ entries: [Entry], zone: Zone, zones: ZoneDatabase, read: (String) throws(RecurrenceError) -> [UInt8]) {
        self.entries = entries
        for entry in entries {
            do throws(RecurrenceError) {
                let own = try entry.zoneName.map { name throws(RecurrenceError) in try zones.zone(name) }
                var events: [CalendarEvent] = []
                if let file = entry.file {
                    let text = try read(file)
                    texts[file] = text
                    do throws(RecurrenceError) { events = try CalendarFile.events(text, zone: own ?? zone, zones: zones) } catch {
                        throw RecurrenceError("\(file): \(error)")
                    }
                }
                states[entry.name] = .usable(
                    try NamedTimes(name: entry.name, zone: own, dates: entry.dates, windows: entry.windows, events: events))
            } catch {
                states[entry.name] = .unusable("\(error)")
            }
        }
    }

    public var isEmpty: Bool { entries.isEmpty }

    /// The calendars that cannot be used, each with the reason.
    public var problems: [(name: String, why: String)] {
        states.compactMap { name, state in if case .unusable(let why) = state { (name, why) } else { nil } }.sorted { $0.name < $1.name }
    }

    public func isSame(as other: Calendars) -> Bool { entries == other.entries && texts == other.texts }

    public var files: [String] { entries.compactMap(\.file) }

    public var names: [String] { entries.map(\.name) }

    /// Nil when there is no calendar of this name, or it cannot be used.
    public func times(_ name: String) -> NamedTimes? {
        if case .usable(let times)? = states[name] { return times }
        return nil
    }

    /// The reason why `times` gives none.
    func refusal(of name: String) -> (message: String, hint: String?) {
        if case .unusable(let why)? = states[name] { return ("calendar \"\(name)\" cannot be used: \(why)", nil) }
        let near = nearest(to: name, among: names)
        return (
            "there is no calendar \"\(name)\"",
            near.map { "did you mean \"\($0)\"?" } ?? "the configuration defines it as [calendars.\(Name.isValid(name) ? name : "NAME")]"
        )
    }
}

extension TableReader {
    /// The table `calendars` of the configuration.
    mutating func calendars(_ key: String) -> [Calendars.Entry] {
        guard let value = value(key) else { return [] }
        guard case .table(let table) = value.kind else {
            fail(value, key, expected: "a table of calendars")
            return []
        }
        var entries: [Calendars.Entry] = []
        for entry in table.entries {
            guard Name.isValid(entry.key) else {
                fail(entry.keyPosition, "calendar \"\(entry.key)\" is not a name")
                continue
            }
            guard case .table(let calendar) = entry.value.kind else {
                fail(entry.value, "\(key).\(entry.key)", expected: "a table with dates, windows or a file")
                continue
            }
            var inner = TableReader(calendar, context)
            if let read = inner.calendar(entry.key, at: entry.keyPosition) { entries.append(read) }
            inner.finish()
            absorb(inner)
        }
        return entries
    }

    private mutating func calendar(_ name: String, at position: Position) -> Calendars.Entry? {
        var entry = Calendars.Entry(name: name)
        entry.dates = texts("dates") { text throws(RecurrenceError) in
            _ = try NamedTimes(name: name, zone: nil, dates: [text], windows: [], events: [])
        }
        entry.windows = texts("windows") { text throws(RecurrenceError) in
            _ = try NamedTimes(name: name, zone: nil, dates: [], windows: [text], events: [])
        }
        entry.file = string("file")
        if let file = entry.file, !file.hasPrefix("/"), let value = table["file"] {
            fail(value.position, "file \"\(file)\" is not an absolute path")
        }
        entry.zoneName = zone("timezone")?.name
        if ["dates", "windows", "file"].allSatisfy({ table[$0] == nil }) {
            fail(position, "calendar \(name) has no times", hint: "add dates, windows or a file")
            return nil
        }
        return entry
    }

    /// A text or a list of texts. A date of TOML counts as its text.
    private mutating func texts(_ key: String, _ check: (String) throws(RecurrenceError) -> Void) -> [String] {
        guard let value = value(key) else { return [] }
        var elements = [value]
        if case .array(let list) = value.kind { elements = list }
        var texts: [String] = []
        for element in elements {
            let text: String
            switch element.kind {
            case .string(let string): text = string
            case .dateTime(let date) where date.kind == .localDate: text = "\(date)"
            default:
                fail(element.position, "\(key) must hold texts, not \(element.kind.article)")
                continue
            }
            do throws(RecurrenceError) {
                try check(text)
                texts.append(text)
            } catch {
                fail(element.position, "\(key): \(error.message)", hint: error.hint)
            }
        }
        return texts
    }

    // MARK: In a schedule

    /// `except`, `only` and `when_excluded` of a schedule. Nil when it has none of them.
    mutating func timeFilter(for recurrence: Recurrence?, zone: Zone) -> TimeFilter? {
        let except = namedTimes("except")
        let only = namedTimes("only")
        let whenExcluded = choice("when_excluded", as: TimeFilter.WhenExcluded.self)
        guard let first = table.entry("except") ?? table.entry("only") else {
            if let entry = table.entry("when_excluded") { fail(entry.keyPosition, "when_excluded needs except or only, which are missing") }
            return nil
        }
        if let recurrence, recurrence.isReboot || recurrence.isEvent || recurrence.patternExtension != nil {
            fail(first.keyPosition, "\(first.key) has no meaning for a schedule without due times that can be computed")
        }
        if except.isEmpty, only.isEmpty { return nil }
        return TimeFilter(except: except, only: only, whenExcluded: whenExcluded ?? .skip, zone: zone)
    }

    private mutating func namedTimes(_ key: String) -> [NamedTimes] {
        guard let value = value(key) else { return [] }
        var elements = [value]
        if case .array(let list) = value.kind { elements = list }
        var found: [NamedTimes] = []
        for element in elements {
            guard case .string(let name) = element.kind else {
                fail(element.position, "\(key) must hold the names of calendars, not \(element.kind.article)")
                continue
            }
            if let times = context.calendars.times(name) {
                found.append(times)
            } else if !context.isOfAccepted {
                let refusal = context.calendars.refusal(of: name)
                fail(element.position, "\(key): \(refusal.message)", hint: refusal.hint)
            }
        }
        return found
    }
}

extension ReadingContext {
    /// The definition was accepted before. A calendar that is gone since then no longer restricts it: a run too many is better than a
    /// schedule that has stopped without a word. Its file is refused meanwhile, which everything reports.
    var isOfAccepted: Bool { filesMax == nil }
}
