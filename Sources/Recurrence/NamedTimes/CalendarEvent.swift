/// An event of an iCalendar file with all its occurrences: DTSTART, those of RRULE and those of RDATE, without those of EXDATE and
/// those that another event replaces (RECURRENCE-ID).
///
/// Of an all-day event all times are wall times, as if they were UTC: days of the wall clock of whoever reads them.
public struct CalendarEvent: Sendable {
    let isAllDay: Bool
    private let lengthMilliseconds: Int64
    /// The beginnings that no rule gives, ascending.
    private let starts: [Instant]
    private let rule: Recurrence?

    init(starts: [Instant], rule: Recurrence?, lengthMilliseconds: Int64, isAllDay: Bool) {
        self.starts = starts.sorted()
        self.rule = rule
        self.lengthMilliseconds = lengthMilliseconds
        self.isAllDay = isAllDay
    }

    /// The occurrences that have a part in `range`.
    func each(in range: Range<Instant>, _ visit: (Range<Instant>) -> Void) {
        let before = range.lowerBound.advanced(byMilliseconds: -lengthMilliseconds)
        func take(at start: Instant) { visit(start..<start.advanced(byMilliseconds: lengthMilliseconds)) }
        for start in starts[starts.partitioningIndex { $0 > before }...].prefix(while: { $0 < range.upperBound }) { take(at: start) }
        guard let rule else { return }
        var after = before
        while let start = rule.next(after: after, origin: after), start < range.upperBound {
            take(at: start)
            after = start
        }
    }

    /// The first occurrence that begins at or after an instant. Nil when there is none before 2200.
    func first(from instant: Instant) -> Range<Instant>? {
        let after = instant.advanced(byMilliseconds: -1)
        let place = starts.partitioningIndex { $0 > after }
        let start = [place < starts.count ? starts[place] : nil, rule?.next(after: after, origin: after)].compactMap(\.self).min()
        return start.map { $0..<$0.advanced(byMilliseconds: lengthMilliseconds) }
    }
}
