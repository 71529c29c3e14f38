/// Times with a name, such as holidays or nights, that schedules leave out (`except`) or keep to (`only`): dates, weekly windows, and
/// the events of an iCalendar file.
///
/// Dates, windows and all-day events mean the wall clock of the calendar's own zone, or of the schedule that uses the calendar.
public struct NamedTimes: Sendable {
    public let name: String
    /// False when nobody knows the times any more. A schedule that uses them is never due.
    public let isKnown: Bool
    /// The zone of the wall times. Nil when they are in the zone of the schedule.
    let zone: Zone?
    /// The times as stretches, computed when they are first asked for. Copies of this calendar share them.
    private let covers: Covers

    public init(name: String, zone: Zone?, dates: [String], windows: [String], events: [CalendarEvent]) throws(RecurrenceError) {
        self.name = name
        self.zone = zone
        isKnown = true
        var days: [Int64] = []
        for date in dates { days.append(try Self.day(date)) }
        var read: [WeeklyWindow] = []
        for window in windows { read += try WeeklyWindow.parse(window) }
        covers = Covers(days: days, windows: read, events: events)
    }

    /// A calendar of which only the name is known.
    public init(unknown name: String) {
        self.name = name
        zone = nil
        isKnown = false
        covers = Covers(days: [], windows: [], events: [])
    }

    /// Reads `2026-12-25` or `20261225`, as days since 1970-01-01.
    static func day(_ text: String) throws(RecurrenceError) -> Int64 {
        var scanner = ByteScanner(text)
        guard let year = scanner.number(digits: 4) else { throw notADate(text) }
        let hasDashes = scanner.take("-")
        guard let month = scanner.number(digits: 2), scanner.take("-") == hasDashes, let day = scanner.number(digits: 2),
            scanner.isAtEnd, year >= Civil.firstYear, year < Civil.endYear, (1...12).contains(month),
            (1...Civil.daysInMonth(year: year, month: month)).contains(day)
        else { throw notADate(text) }
        return Civil.days(year: year, month: month, day: day)
    }

    private static func notADate(_ text: String) -> RecurrenceError {
        RecurrenceError("\(quoted(text)) is not a date between 1970 and 2199", hint: "write it as 2026-12-25")
    }

    /// The times for a schedule in the zone `outer`.
    func stretches(outer: Zone) -> Covers.InZone { covers.in(zone ?? outer) }
}
