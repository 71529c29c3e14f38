/// An event of an iCalendar file, which may repeat by a recurrence rule.
public struct CalendarEvent: Sendable {
    /// True when its times are days of the wall clock of whoever reads them.
    let isAllDay: Bool
    let lengthMilliseconds: Int64
    /// Its beginnings. Of an all-day event, they are wall times, as if they were UTC.
    private let starts: Recurrence

    init(starts: Recurrence, lengthMilliseconds: Int64, isAllDay: Bool) {
        self.starts = starts
        self.lengthMilliseconds = lengthMilliseconds
        self.isAllDay = isAllDay
    }

    private func start(after milliseconds: Int64) -> Int64? {
        let instant = Instant(milliseconds: milliseconds)
        return starts.next(after: instant, origin: instant)?.milliseconds
    }

    /// The end of the occurrence that contains an instant, or nil.
    func end(containing instant: Instant, _ wall: Wall) -> Instant? {
        let now = isAllDay ? wall.milliseconds : instant.milliseconds
        guard let start = start(after: now - lengthMilliseconds), start <= now else { return nil }
        let end = start + lengthMilliseconds
        return isAllDay ? wall.instant(end) : Instant(milliseconds: end)
    }

    func nextStart(after instant: Instant, _ wall: Wall) -> Instant? {
        guard let start = start(after: isAllDay ? wall.milliseconds : instant.milliseconds) else { return nil }
        return isAllDay ? wall.instant(start) : Instant(milliseconds: start)
    }
}
