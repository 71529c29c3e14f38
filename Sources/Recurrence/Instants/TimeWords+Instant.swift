extension TimeWords.Parts {
    /// The wall time, the zone in which it is read, and the instant.
    struct Result {
        var instant: Instant
        /// In milliseconds, as if the wall time were UTC. Nil when the instant does not follow from a wall time of `zone` alone.
        var wall: Int64?
    }

    /// The instant that the parts mean at `now`. `now` must be an instant that four digits of a year can write.
    func resolve(zone: Zone, now: Instant, as sense: InstantSense) -> Result {
        let clock = offsetSeconds.map { Zone(offsetSeconds: $0) } ?? zone
        let nowWall = now.milliseconds + Int64(clock.offsetSeconds(at: now)) * 1000
        let today = Civil.floorDivide(nowWall, Civil.millisecondsPerDay)
        let timeOfNow = nowWall - today * Civil.millisecondsPerDay
        if day == nil, time == nil {
            if months == 0, days == 0 { return Result(instant: now.advanced(byMilliseconds: milliseconds)) }
            return Result(instant: instant(day: today, time: timeOfNow, clock).instant)
        }
        // As with at(1), a day in words keeps the time of day of now when something is to happen then.
        let time = self.time ?? (sense == .action && !isISODate ? timeOfNow : 0)
        var number = dayNumber(today: today, isLater: time > timeOfNow, sense)
        var result = instant(day: number, time: time, clock)
        if day == nil {
            if sense == .past, result.instant > now { number -= 1 }
            if sense != .past, result.instant <= now { number += 1 }
            result = instant(day: number, time: time, clock)
        }
        return Result(instant: result.instant, wall: offsetSeconds == nil && milliseconds == 0 ? result.wall : nil)
    }

    private func instant(day: Int64, time: Int64, _ clock: Zone) -> (instant: Instant, wall: Int64) {
        // Steps of days and months move the wall time, so that 16:00 stays 16:00 when the clock changes.
        let moved = Instant(milliseconds: day * Civil.millisecondsPerDay + time)
            + Span(months: months, milliseconds: Int64(days) * Civil.millisecondsPerDay)
        return (clock.resolve(wall: moved).first.advanced(byMilliseconds: milliseconds), moved.milliseconds)
    }

    /// - Parameter isLater: the time of day is later than now's.
    private func dayNumber(today: Int64, isLater: Bool, _ sense: InstantSense) -> Int64 {
        switch day {
        case nil: return today
        case .offset(let count)?: return today + Int64(count)
        case .weekday(let weekday, let which)?:
            let isPast = which == .last || which == .nearest && sense == .past
            let ahead = (weekday - Civil.weekday(days: today) + 7) % 7
            guard isPast else { return today + Int64(ahead == 0 ? 7 : ahead) }
            if ahead == 0 { return which == .last || isLater ? today - 7 : today }
            return today - Int64(7 - ahead)
        case .date(let year?, let month, let day)?: return Civil.days(year: year, month: month, day: day)
        case .date(nil, let month, let day)?:
            // Today's date is today, also when its time has passed: at(1) refuses that, and does not wait for a year.
            var year = Civil.date(days: today).year
            while true {
                if day <= Civil.daysInMonth(year: year, month: month) {
                    let number = Civil.days(year: year, month: month, day: day)
                    if sense == .past ? number < today || number == today && !isLater : number >= today { return number }
                }
                year += sense == .past ? -1 : 1
            }
        }
    }
}
