// A wall-clock rule in plain English.

import TextSearch

extension WallFields {
    /// `at 02:30 every day`, `every 5 minutes between 09:00 and 17:59, on Monday to Friday`.
    var words: String {
        let time = timeWords
        var parts = [time]
        if let days = dayWords {
            parts.append(days)
        } else if !time.contains("every"), months & 0x1FFE == 0x1FFE {
            parts[0] += " every day"
        } else if months & 0x1FFE != 0x1FFE {
            parts.append("every day")
        }
        if months & 0x1FFE != 0x1FFE {
            parts[parts.count - 1] += " in " + Words.list(Words.members(UInt64(months).members) { Words.months[$0 - 1] })
        }
        if let years = rare?.years, !years.isEmpty {
            let runs = years.runs.map { run in
                let first = run.lowerBound + Civil.firstYear
                return run.count == 1 ? "\(first)" : "\(first) to \(run.upperBound + Civil.firstYear)"
            }
            // Long lists of years come from steps.
            let list = runs.count > 6 ? runs.prefix(3).joined(separator: ", ") + " … " + runs[runs.count - 1] : Words.list(runs)
            parts.append("in \(list)")
        }
        return parts.joined(separator: ", ")
    }

    // MARK: Times

    private var timeWords: String {
        if let parts = rare?.milliseconds, !parts.isEmpty { return fractionWords(parts.map { Int($0) }) }
        let seconds = seconds.members
        let minutes = minutes.members
        let hours = UInt64(hours).members
        // A small number of times of day is listed in full.
        if hours.count < 24, seconds.count * minutes.count * hours.count <= 6 {
            let times = hours.flatMap { hour in
                minutes.flatMap { minute in
                    seconds.map { second in
                        Words.clock(hour, minute) + (seconds == [0] ? "" : ":\(Words.twoDigits(second))")
                    }
                }
            }
            return "at " + Words.list(times)
        }
        if seconds == [0] { return minuteWords }
        if seconds.count == 60, minutes.count == 60 { return "every second" + hourWords(of: hours) }
        let each: String
        if seconds.count == 60 {
            each = "every second"
        } else if let stride = Self.stride(seconds, of: 60) {
            each = "every \(stride.step) seconds" + (stride.first == 0 ? "" : " from second \(stride.first)")
        } else {
            each = "at second\(seconds.count == 1 ? "" : "s") " + Words.list(Words.members(seconds) { "\($0)" })
        }
        return minutes.count == 60 ? "\(each) of every minute\(hourWords(of: hours))" : "\(each), \(minuteWords)"
    }

    /// Times with fractions of a second, given as milliseconds of the minute.
    private func fractionWords(_ parts: [Int]) -> String {
        func second(_ part: Int) -> String {
            var text = "\(part / 1000).\(String(1000 + part % 1000).dropFirst())"
            while text.hasSuffix("0") { text.removeLast() }
            return text.hasSuffix(".") ? String(text.dropLast()) : text
        }
        let minutes = minutes.members
        let hours = UInt64(hours).members
        if hours.count < 24, parts.count * minutes.count * hours.count <= 6 {
            let times = hours.flatMap { hour in
                minutes.flatMap { minute in
                    parts.map { Words.clock(hour, minute) + ($0 < 10_000 ? ":0" : ":") + second($0) }
                }
            }
            return "at " + Words.list(times)
        }
        let each: String
        if let stride = Self.stride(parts, of: 60_000) {
            each = "every \(second(stride.step)) seconds" + (stride.first == 0 ? "" : " from second \(second(stride.first))")
        } else if parts.count <= 6 {
            each = "at second\(parts.count == 1 ? "" : "s") " + Words.list(parts.map(second))
        } else {
            each = "\(parts.count) times within the minute"
        }
        return minutes.count == 60 ? "\(each) of every minute\(hourWords(of: hours))" : "\(each), \(minuteWords)"
    }

    /// The minutes and hours.
    private var minuteWords: String {
        let minutes = minutes.members
        let hours = UInt64(hours).members
        if minutes.count == 60 { return "every minute" + hourWords(of: hours) }
        if minutes.count == 1, let minute = minutes.first {
            if hours.count == 24 { return minute == 0 ? "every hour on the hour" : "every hour at minute \(minute)" }
            if let stride = Self.stride(hours, of: 24) {
                return "every \(stride.step) hours from \(Words.clock(stride.first, minute))"
            }
            if let first = hours.first, let last = hours.last, last - first + 1 == hours.count {
                return "every hour from \(Words.clock(first, minute)) to \(Words.clock(last, minute))"
            }
            return "at " + Words.list(hours.map { Words.clock($0, minute) })
        }
        if let stride = Self.stride(minutes, of: 60) {
            return "every \(stride.step) minutes" + (stride.first == 0 ? "" : " from minute \(stride.first)") + hourWords(of: hours)
        }
        let list = "at minutes " + Words.list(Words.members(minutes) { "\($0)" })
        return hours.count == 24 ? "\(list) of every hour" : list + hourWords(of: hours)
    }

    private func hourWords(of hours: [Int]) -> String {
        if hours.count == 24 { return "" }
        if let first = hours.first, let last = hours.last, last - first + 1 == hours.count {
            return " between \(Words.clock(first, 0)) and \(Words.clock(last, 59))"
        }
        return " in the hours " + Words.list(Words.members(hours) { "\($0)" })
    }

    /// The step between the members, if there are at least three and they are equally far apart, from less than a step after the
    /// beginning to less than a step before the end.
    static func stride(_ members: [Int], of count: Int) -> (first: Int, step: Int)? {
        guard members.count >= 3 else { return nil }
        let step = members[1] - members[0]
        guard step > 1, members[0] < step, members[members.count - 1] + step >= count else { return nil }
        return zip(members, members.dropFirst()).allSatisfy { $1 - $0 == step } ? (members[0], step) : nil
    }

    // MARK: Days

    /// Nil for every day.
    private var dayWords: String? {
        let byMonth = dayOfMonthWords
        let byWeek = dayOfWeekWords
        switch (byMonth, byWeek) {
        case (nil, nil): return nil
        case (let days?, nil): return "on \(days)"
        case (nil, let weekdays?): return "on \(weekdays)"
        case (let days?, let weekdays?):
            return self.days.combination == .either ? "on \(days), and also on \(weekdays)" : "on \(days) when that is \(weekdays)"
        }
    }

    private var dayOfMonthWords: String? {
        guard !daysOfMonthAreAll else { return nil }
        let members = UInt64(days.daysOfMonth).members
        var items: [String]
        if let stride = Self.stride(members.map { $0 - 1 }, of: 31), members.count > 6 {
            items = ["every \(Words.ordinal(stride.step)) day from the \(Words.ordinal(stride.first + 1))"]
        } else {
            items = Words.members(members, Words.ordinal)
            if let first = items.first { items[0] = "the " + first }
        }
        if let special = rare?.days, special.hasDaysOfMonth {
            items += UInt64(special.nearest).members.map { "the weekday nearest the \(Words.ordinal($0))" }
            items += UInt64(special.beforeLast).members.reversed().map(Self.lastDay)
            items += UInt64(special.nearestBeforeLast).members.map {
                $0 == 0 ? "the last weekday of the month" : "the weekday nearest \(Self.lastDay($0))"
            }
        }
        return Words.list(items)
    }

    private static func lastDay(_ before: Int) -> String {
        switch before {
        case 0: "the last day of the month"
        case 1: "the last day but one"
        default: "the last day but \(before)"
        }
    }

    private var dayOfWeekWords: String? {
        guard !daysOfWeekAreAll else { return nil }
        // The week begins on Monday and ends on Sunday.
        let members = UInt64(days.daysOfWeek & 0x7E).members + (days.daysOfWeek & 1 != 0 ? [7] : [])
        var items = Words.members(members) { Words.weekdays[$0 % 7] }
        if let special = rare?.days {
            for bit in special.nthWeekdays.members {
                let weekday = Words.weekdays[bit >> 3]
                items.append(bit & 7 == 0 ? "the last \(weekday) of the month" : "the \(Words.counted(bit & 7)) \(weekday) of the month")
            }
        }
        return Words.list(items)
    }
}
