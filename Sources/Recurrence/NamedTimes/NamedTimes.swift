/// Times with a name, such as holidays or nights, that schedules leave out (`except`) or keep to (`only`): dates, weekly windows, and
/// the events of an iCalendar file.
///
/// Dates, windows and all-day events mean the wall clock of the calendar's own zone, or of the schedule that uses the calendar. Each
/// question costs a search among the dates, and one step per window and event.
public struct NamedTimes: Sendable {
    public let name: String
    /// The zone of its wall times. Nil when they are in the zone of the schedule.
    let zone: Zone?
    /// Days since 1970-01-01, ascending.
    let days: [Int64]
    let windows: [WeeklyWindow]
    let events: [CalendarEvent]

    public init(name: String, zone: Zone?, dates: [String], windows: [String], events: [CalendarEvent]) throws(RecurrenceError) {
        self.name = name
        self.zone = zone
        var days: [Int64] = []
        for date in dates { days.append(try Self.day(date)) }
        self.days = days.sorted()
        var read: [WeeklyWindow] = []
        for window in windows { read += try WeeklyWindow.parse(window) }
        self.windows = read
        self.events = events
    }

    /// True when it contains no time at all.
    public var isEmpty: Bool { days.isEmpty && windows.isEmpty && events.isEmpty }

    /// Reads `2026-12-25` or `20261225`.
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

    // MARK: Questions

    /// A part of these times that contains an instant.
    struct Cover {
        /// The first instant after it.
        var end: Instant
        /// True if the part is a whole day, or several.
        var isDays: Bool
    }

    /// The part that contains an instant, or nil. `outer` is the zone of the schedule.
    func cover(of instant: Instant, outer: Zone) -> Cover? {
        let zone = zone ?? outer
        let wall = Wall(instant, zone)
        if isListed(wall.day) { return Cover(end: wall.instant((wall.day + 1) * Civil.millisecondsPerDay), isDays: true) }
        for window in windows {
            if let end = window.end(containing: wall.milliseconds) { return Cover(end: wall.instant(end), isDays: window.isWholeDay) }
        }
        for event in events {
            if let end = event.end(containing: instant, wall) { return Cover(end: end, isDays: event.isAllDay) }
        }
        return nil
    }

    /// The first instant after `instant` at which a part of these times begins, or nil.
    func nextStart(after instant: Instant, outer: Zone) -> Cover? {
        let zone = zone ?? outer
        let wall = Wall(instant, zone)
        var best: Cover?
        func consider(_ start: Instant?, isDays: Bool) {
            guard let start, start > instant, best.map({ start < $0.end }) ?? true else { return }
            best = Cover(end: start, isDays: isDays)
        }
        if let day = days.first(where: { $0 > wall.day }) { consider(wall.instant(day * Civil.millisecondsPerDay), isDays: true) }
        for window in windows { consider(wall.instant(window.nextStart(after: wall.milliseconds)), isDays: window.isWholeDay) }
        for event in events { consider(event.nextStart(after: instant, wall), isDays: event.isAllDay) }
        return best
    }

    private func isListed(_ day: Int64) -> Bool {
        var low = 0
        var high = days.count
        while low < high {
            let middle = (low + high) / 2
            if days[middle] < day { low = middle + 1 } else { high = middle }
        }
        return low < days.count && days[low] == day
    }
}

/// An instant on the wall clock of a zone.
struct Wall {
    let zone: Zone
    /// Since 1970-01-01 00:00 of the wall clock.
    let milliseconds: Int64

    init(_ instant: Instant, _ zone: Zone) {
        self.zone = zone
        milliseconds = instant.milliseconds + Int64(zone.offsetSeconds(at: instant)) * 1000
    }

    var day: Int64 { Civil.floorDivide(milliseconds, Civil.millisecondsPerDay) }

    /// The first instant at which the clock shows a wall time, or the end of the gap that skips it.
    func instant(_ wall: Int64) -> Instant { zone.resolve(wall: Instant(milliseconds: wall)).first }
}
