// A recurrence rule in plain English.

extension RRuleSchedule {
    /// `every 2 weeks on Monday and Friday, at 09:00, from 2026-01-01 on, 10 times`.
    var words: String {
        let rule = rule.completed(from: start)
        var parts = [rule.periodWords + rule.dayWords]
        if let time = rule.timeWords { parts.append(time) }
        if !rule.positions.isEmpty {
            parts.append("of these the \(Words.list(rule.positions.map(RRule.place))) of each \(rule.frequency.unit)")
        }
        if rule.weekStart != 1, !rule.weekNumbers.isEmpty || rule.frequency == .weekly && rule.interval > 1 {
            parts.append("weeks beginning on \(Words.weekdays[rule.weekStart])")
        }
        if start != 0 { parts.append("from \(Self.wallText(start)) on") }
        if let count = rule.count { parts.append(count == 1 ? "once" : "\(count) times") }
        if let until = rule.until { parts.append("until \(Self.wallText(until.wall))\(until.form == .utc ? " UTC" : "")") }
        return parts.joined(separator: ", ")
    }

    /// `2026-01-01`, `2026-01-01 09:00`, `2026-01-01 09:00:05`.
    private static func wallText(_ wall: Int64) -> String {
        let text = Instant(seconds: wall).rfc3339
        let time = text.dropFirst(11).prefix(8)
        return text.prefix(10) + (time == "00:00:00" ? "" : " " + (time.hasSuffix(":00") ? time.prefix(5) : time))
    }

    /// Warnings about surprising effects.
    var warnings: [String] {
        let rule = rule.completed(from: start)
        var found: [String] = []
        if !namesStart, start != 0 { found.append("its start is not one of its due times: the rule does not name it") }
        if let first = rule.monthDays.first, first > 28, !rule.monthDays.contains(where: { $0 < 0 }) {
            let named = rule.months.isEmpty ? Array(1...12) : rule.months
            let lacking = named.filter { Civil.daysInMonth(year: 2028, month: $0) < first }
            if named == [2], first == 29 {
                found.append("only leap years have a 29th of February")
            } else if !lacking.isEmpty, lacking.count < named.count {
                found.append(
                    "\(Words.list(lacking.map { Words.months[$0 - 1] })) \(lacking.count == 1 ? "has" : "have") "
                        + "no \(Words.ordinal(first)): BYMONTHDAY=-1 is the last day of any month"
                )
            }
        }
        return found
    }
}

extension RRule.Frequency {
    /// `week`.
    var unit: String { ["year", "month", "week", "day", "hour", "minute", "second"][rawValue] }
}

extension RRule {
    fileprivate var periodWords: String {
        interval == 1 ? "every \(frequency.unit)" : "every \(interval) \(frequency.unit)s"
    }

    /// ` in March on the second Tuesday`; empty for all days.
    fileprivate var dayWords: String {
        var text = ""
        if !months.isEmpty { text += " in " + Words.list(Words.members(months) { Words.months[$0 - 1] }) }
        if !weekNumbers.isEmpty {
            text += " in the " + Words.list(weekNumbers.map { $0 > 0 ? "\(Words.ordinal($0)) week" : Self.place($0) + " week" })
        }
        var conditions: [String] = []
        if !weekdays.isEmpty { conditions.append(weekdayWords) }
        if !monthDays.isEmpty { conditions.append("the " + Words.list(dayNumbers(monthDays)) + " of the month") }
        if !yearDays.isEmpty { conditions.append("the " + Words.list(dayNumbers(yearDays)) + " day of the year") }
        if !conditions.isEmpty { text += " on " + conditions.joined(separator: " when that is ") }
        return text
    }

    private func dayNumbers(_ days: [Int]) -> [String] {
        Words.members(days.filter { $0 > 0 }, Words.ordinal) + days.filter { $0 < 0 }.reversed().map(Self.place)
    }

    private var weekdayWords: String {
        let plain = weekdays.filter { $0.number == 0 }.map { $0.day == 0 ? 7 : $0.day }
        var items = Words.members(plain) { Words.weekdays[$0 % 7] }
        let whole = frequency == .yearly && months.isEmpty ? "year" : "month"
        items += weekdays.filter { $0.number != 0 }.map { "the \(Self.place($0.number)) \(Words.weekdays[$0.day]) of the \(whole)" }
        return Words.list(items)
    }

    /// `2nd`, `last`, `3rd from the end`.
    fileprivate static func place(_ number: Int) -> String {
        number > 0 ? Words.ordinal(number) : number == -1 ? "last" : "\(Words.ordinal(-number)) last"
    }

    /// The times of a completed rule. Nil when FREQ alone expresses them.
    fileprivate var timeWords: String? {
        if hours.count < 24, hours.count * minutes.count * seconds.count <= 6 {
            let times = hours.flatMap { hour in
                minutes.flatMap { minute in
                    seconds.map { Words.clock(hour, minute) + (seconds == [0] ? "" : ":\(Words.twoDigits($0))") }
                }
            }
            return "at " + Words.list(times)
        }
        func part(_ name: String, _ values: [Int]) -> String {
            "\(name)\(values.count == 1 ? "" : "s") " + Words.list(Words.members(values) { "\($0)" })
        }
        let minute =
            minutes.count == 60
            ? frequency < .minutely ? "every minute" : nil
            : frequency == .hourly && minutes == [0] ? nil : part("minute", minutes)
        let second =
            seconds.count == 60
            ? frequency < .secondly ? "every second" : nil
            : frequency < .secondly && seconds == [0] ? nil : part("second", seconds)
        let parts = [
            hours.count == 24 ? nil : "in the " + part("hour", hours), minute.map { "at \($0)" }, second.map { "at \($0)" },
        ]
        let given = parts.compactMap { $0 }
        return given.isEmpty ? nil : given.joined(separator: ", ")
    }
}
