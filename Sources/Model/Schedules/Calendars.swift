/// The calendars that schedules leave out (`except`) or keep to (`only`): those of the configuration, `[calendars.NAME]` with `dates`,
/// `windows` or a `file`, and those that a definition in force still needs.
///
/// A calendar whose file cannot be used, or that has gone from the configuration, is kept as it was accepted last, as long as a
/// definition in force names it. A definition that is new cannot name one that has gone.
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

    private var entries: [Entry] = []
    /// The calendars that were read, in the form that is kept, and the reasons why others cannot be used.
    private var accepted: [String: AcceptedCalendar] = [:]
    private var refusals: [String: String] = [:]
    private var times: [String: NamedTimes] = [:]

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
                let text = try entry.file.map(read)
                let calendar = AcceptedCalendar(entry, file: text, zone: zone)
                do throws(RecurrenceError) { times[entry.name] = try calendar.times(zones, file: text) } catch {
                    throw entry.file.map { RecurrenceError("\($0): \(error)") } ?? error
                }
                accepted[entry.name] = calendar
            } catch {
                refusals[entry.name] = "\(error)"
            }
        }
    }

    public var isEmpty: Bool { entries.isEmpty }

    /// The calendars that cannot be used, each with the reason.
    public var problems: [(name: String, why: String)] { refusals.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }

    public func isSame(as other: Calendars) -> Bool {
        entries == other.entries && accepted == other.accepted && refusals == other.refusals
    }

    public var files: [String] { entries.compactMap(\.file) }

    public var names: [String] { entries.map(\.name) }

    /// A calendar of the configuration as it was read. Nil when there is none of this name, or its file cannot be used.
    public func accepted(_ name: String) -> AcceptedCalendar? { accepted[name] }

    /// These calendars, where `kept` replaces those of the same names.
    public func keeping(_ kept: [String: NamedTimes]) -> Calendars {
        var all = self
        all.times.merge(kept) { _, kept in kept }
        return all
    }

    /// These calendars, where `kept` has those that cannot be used, and those that have gone.
    public func filled(from kept: [String: NamedTimes]) -> Calendars {
        var all = self
        all.times.merge(kept) { own, _ in own }
        return all
    }

    /// The times of a calendar. Nil when there is no calendar of this name, or it cannot be used.
    public func times(_ name: String) -> NamedTimes? { times[name] }

    /// The reason why a new definition cannot use a calendar. Nil when it can.
    func refusal(of name: String) -> (message: String, hint: String?)? {
        if names.contains(name) {
            guard times[name] == nil else { return nil }
            return ("calendar \"\(name)\" cannot be used: \(refusals[name] ?? "its times are not known")", nil)
        }
        if times[name] != nil {
            return (
                "the configuration has no calendar \"\(name)\" any more",
                "until it has one again, or the schedule is changed, the calendar's last form stays in force")
        }
        let near = nearest(to: name, among: names)
        return (
            "there is no calendar \"\(name)\"",
            near.map { "did you mean \"\($0)\"?" } ?? "the configuration defines it as [calendars.\(Name.isValid(name) ? name : "NAME")]"
        )
    }
}
