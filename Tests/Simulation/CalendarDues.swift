import Store

/// The due times that a task with calendars must have had, by the journal's text: what its calendars were when, and what they mean.
///
/// The simulated calendars have only windows of whole minutes, so an excluded due time of `next` moves to the first minute that is not
/// excluded, and everything that is pending when calendars change arrives at one minute.
struct CalendarDues {
    /// The windows of a calendar as minutes of the day, of UTC.
    struct Windows {
        fileprivate let contains: [Bool]

        /// Reads the calendar's text in the journal. Nil when it has anything but windows.
        init?(_ source: Source) {
            guard case .table(let table)? = (try? JSON.parse(source.bytes))?.kind,  // then it is no calendar
                case .array(let windows)? = table["windows"]?.kind
            else { return nil }
            var contains = [Bool](repeating: false, count: CalendarDues.dayMinutes)
            for window in windows {
                guard case .string(let text) = window.kind else { return nil }
                let numbers = text.split { $0 == ":" || $0 == "-" }.compactMap { Int($0) }
                guard numbers.count == 4 else { return nil }
                for minute in numbers[0] * 60 + numbers[1]..<numbers[2] * 60 + numbers[3] { contains[minute] = true }
            }
            self.contains = contains
        }
    }

    /// What a schedule's calendars do with its due times.
    struct Filter {
        private let isExcluded: [Bool]
        /// The minutes from each minute of the day to the first that is not excluded. Nil when there is none.
        private let minutesLeft: [Int?]
        fileprivate let moves: Bool
        /// Nobody knows one of the calendars, so the schedule waits.
        private let isHeld: Bool

        init(except: [Windows?], only: [Windows?], moves: Bool) {
            isHeld = (except + only).contains { $0 == nil }
            self.moves = moves && !isHeld
            // Plain loops, because each look at a journal makes many of these.
            let count = CalendarDues.dayMinutes
            var excluded = [Bool](repeating: !only.isEmpty, count: count)
            for case let windows? in only { for minute in 0..<count where windows.contains[minute] { excluded[minute] = false } }
            for case let windows? in except { for minute in 0..<count where windows.contains[minute] { excluded[minute] = true } }
            isExcluded = excluded
            var minutesLeft = [Int?](repeating: nil, count: count)
            var left: Int?
            // A day and the one after it, backwards.
            for minute in stride(from: 2 * count - 1, through: 0, by: -1) {
                left = excluded[minute % count] ? left.map { $0 + 1 } : 0
                minutesLeft[minute % count] = left
            }
            self.minutesLeft = minutesLeft
        }

        /// Where a due time goes. Nil when it does not exist.
        func arrival(_ due: Instant) -> Instant? {
            let minute = Int(due.milliseconds / CalendarDues.minute) % CalendarDues.dayMinutes
            if isHeld || isExcluded[minute] && !moves { return nil }
            return minutesLeft[minute].map { due.advanced(byMilliseconds: Int64($0) * CalendarDues.minute) }
        }
    }

    /// Due times of the rule after one instant and up to another, with the calendars of that time.
    private struct Period {
        var after: Instant
        var through: Instant?
        var filter: Filter
        /// The minutes at which due times of earlier periods were pending when it began.
        var pending: [Instant]
    }

    private static let minute: Int64 = 60_000
    private static let dayMinutes = 1440

    private var periods: [Period] = []
    /// Runs and due times up to this instant are not looked at.
    private var since: Instant
    let step: Int64

    init(step: Int64, _ filter: Filter, since: Instant) {
        self.step = step
        self.since = since
        periods = [Period(after: since, filter: filter, pending: [])]
    }

    /// The same due times after a clock that was wrong by years was set back to an instant: those of earlier times that move past the
    /// instant are still due. Nil when the calendars have changed by the wrong clock, so that no earlier due time counts.
    func restarted(at instant: Instant) -> CalendarDues? {
        guard let last = periods.last, last.after <= instant else { return nil }
        var dues = self
        (dues.periods, dues.since) = ([last], instant)
        return dues
    }

    /// Other calendars count from an instant.
    mutating func change(_ filter: Filter, at instant: Instant) {
        let last = periods[periods.count - 1]
        periods[periods.count - 1].through = instant
        let dayBefore = instant.advanced(byMilliseconds: -86_400_000)
        // Calendars that move nothing decide on a pending due time only at its time.
        let all = last.filter.moves ? arrivals(of: last, dueAfter: dayBefore, dueThrough: instant) : last.pending
        let pending = all.filter { $0 > instant }
        periods.append(Period(after: instant, filter: filter, pending: Set(pending).sorted()))
    }

    /// The times of a period's due times in a range, and of all that was pending when it began.
    private func arrivals(of period: Period, dueAfter: Instant, dueThrough: Instant) -> [Instant] {
        var all = period.pending.compactMap { period.filter.arrival($0) }
        var due = Instant(milliseconds: (max(period.after, dueAfter).milliseconds / step + 1) * step)
        while due <= min(period.through ?? dueThrough, dueThrough) {
            if let arrival = period.filter.arrival(due) { all.append(arrival) }
            due = due.advanced(byMilliseconds: step)
        }
        return all
    }

    /// The first due time up to `now` that is neither in `ran` nor in `skipped`, and one in `ran` that never was.
    func faults(
        ran: Set<Instant>, skipped: [SkippedDue], now: Instant
    ) -> (lost: Instant?, invented: Instant?) {
        var expected: Set<Instant> = []
        var lost: Instant?
        for period in periods {
            let end = min(period.through ?? now, now)
            // What a long skip covers need not be looked at, but for what moved past its end.
            var from = period.after
            while from < end {
                if let skip = skipped.first(where: { $0.from <= from && from < $0.through }),
                    skip.through.milliseconds - from.milliseconds > 3 * 86_400_000
                {
                    from = skip.through.advanced(byMilliseconds: -86_400_000)
                }
                let to = min(end, from.advanced(byMilliseconds: 86_400_000))
                for arrival in arrivals(of: period, dueAfter: from, dueThrough: to) where since < arrival && arrival <= end {
                    expected.insert(arrival)
                    if !ran.contains(arrival), !skipped.contains(where: { $0.from <= arrival && arrival <= $0.through }) {
                        lost = min(lost ?? arrival, arrival)
                    }
                }
                from = to
            }
        }
        // Runs for times ahead of the clock were made before it was set back. They are checked when it shows those times again.
        return (lost, ran.filter { $0 > since && $0 <= now && !expected.contains($0) }.min())
    }
}
