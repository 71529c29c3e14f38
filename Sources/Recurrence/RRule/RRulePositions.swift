/// BYSETPOS over weeks, months and years.
extension RRuleSearch {
    /// The first match that BYSETPOS selects from the days and times of a week, month or year.
    func firstChosen(atOrAfter from: Int64) -> Int64 {
        let day = Civil.floorDivide(from, Civil.secondsPerDay)
        var period: Int64
        switch frequency {
        case .yearly: period = Int64(Civil.date(days: day).year)
        case .monthly: period = RRuleDays.Month(of: day).number
        default: period = Self.week(of: day, from: weekStart)
        }
        let past = (period - origin) % step
        if past > 0 { period += step - past }
        while let (firstDay, named) = days(ofPeriod: period) {
            let chosen = Chosen(firstDay: firstDay, days: named, times: times)
            let match = min(
                chosen.first(of: positions, counting: -1, atOrAfter: from),
                chosen.first(of: positionsFromEnd, counting: chosen.count, atOrAfter: from))
            if match != noMatch { return match }
            period += step
        }
        return noMatch
    }

    /// The set of matches in one period.
    private struct Chosen {
        let firstDay: Int64
        let days: YearDays
        let times: TimesOfDay
        let timesADay: Int
        let count: Int

        init(firstDay: Int64, days: YearDays, times: TimesOfDay) {
            self.firstDay = firstDay
            self.days = days
            self.times = times
            timesADay = times.count
            count = days.count * timesADay
        }

        /// The member with this many members before it.
        private func second(_ place: Int) -> Int64 {
            (firstDay + Int64(days.member(place / timesADay))) * Civil.secondsPerDay + Int64(times[place % timesADay])
        }

        /// The first selected member at or after `from`, for ascending positions. `base` is added to each position.
        func first(of positions: [Int], counting base: Int, atOrAfter from: Int64) -> Int64 {
            var low = 0
            var high = positions.count
            while low < high {
                let middle = (low + high) / 2
                let place = positions[middle] + base
                if place < 0 || place < count && second(place) < from { low = middle + 1 } else { high = middle }
            }
            guard low < positions.count, positions[low] + base < count else { return noMatch }
            return second(positions[low] + base)
        }
    }

    /// The matching days of a period, numbered from its first day. Nil beyond the end.
    private func days(ofPeriod period: Int64) -> (firstDay: Int64, days: YearDays)? {
        var named = YearDays()
        switch frequency {
        case .yearly:
            guard period <= Int64(Civil.endYear) else { return nil }
            let firstDay = Civil.days(year: Int(period), month: 1, day: 1)
            for number in 1...12 {
                let month = RRuleDays.Month(year: Int(period), month: number)
                named.insert(days.days(of: month) >> 1, from: Int(month.firstDay - firstDay))
            }
            return (firstDay, named)
        case .monthly:
            guard period < Self.endMonth else { return nil }
            let month = RRuleDays.Month(number: period)
            named.insert(days.days(of: month) >> 1, from: 0)
            return (month.firstDay, named)
        default:
            guard period < Self.endDay else { return nil }
            let month = RRuleDays.Month(of: period)
            let place = Int(period - month.firstDay)
            var week = days.days(of: month) >> UInt32(place + 1)
            if place + 7 > month.count {
                let next = RRuleDays.Month(of: month.firstDay + Int64(month.count))
                week |= (days.days(of: next) >> 1) << UInt32(month.count - place)
            }
            named.insert(week & 0x7F, from: 0)
            return (period, named)
        }
    }
}
