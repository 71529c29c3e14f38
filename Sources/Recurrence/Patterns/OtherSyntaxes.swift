// Writes a rule in the syntax of other schedulers, for users who move to them.

extension Recurrence {
    /// The expressions for `OnCalendar=` of systemd.timer(5) that together are due when this rule is. Nil when there are none.
    ///
    /// - Parameter namingZone: false to use the clock of the machine that reads the expressions.
    public func calendarTexts(namingZone: Bool) -> [String]? {
        switch rule {
        case .calendar(let schedule, let text): [namesZone || !namingZone ? text : "\(text) \(schedule.zone.name)"]
        case .cron(let schedule, _), .pattern(let schedule):
            schedule.rule.calendarTexts?.map { namingZone || namesZone ? "\($0) \(schedule.zone.name)" : $0 }
        case .at(let instant): [instant.rfc3339.prefix(19).split(separator: "T").joined(separator: " ") + " UTC"]
        case .interval, .reboot, .ext, .rrule, .event: nil
        }
    }

    /// The five fields, or the word, of a crontab line that is due when this rule is, in the zone. Nil when there are none.
    public var crontabText: String? {
        switch rule {
        case .cron(let schedule, _), .calendar(let schedule, _), .pattern(let schedule):
            // Whole minutes, in every year, on days that bit sets describe.
            schedule.rule.seconds == 1 && schedule.rule.rare == nil ? schedule.rule.asUnixCron.cronText(.unix) : nil
        case .reboot: "@reboot"
        case .interval, .at, .ext, .rrule, .event: nil
        }
    }
}

extension WallFields {
    /// The same with the stars that crontab(5) needs: a day field that matches every day must not restrict the other field.
    fileprivate var asUnixCron: WallFields {
        var fields = self
        if daysOfMonthAreAll { fields.stars.insert(.dayOfMonth) }
        if daysOfWeekAreAll { fields.stars.insert(.dayOfWeek) }
        if months & 0x1FFE == 0x1FFE { fields.stars.insert(.month) }
        // Both fields are restricted and both must match. A field that begins with a star expresses this, so the day of month
        // gets a star.
        if days.combination == .both, !daysOfMonthAreAll, !daysOfWeekAreAll { fields.stars.insert(.dayOfMonth) }
        return fields
    }

    /// The expressions without a zone. Nil when systemd has no syntax for one of the days.
    fileprivate var calendarTexts: [String]? {
        guard rare?.days.nearest ?? 0 == 0, rare?.days.nearestBeforeLast ?? 0 == 0, !hasMilliseconds else { return nil }
        let time = [Self.list(UInt64(hours), 0...23), Self.list(minutes, 0...59), Self.list(seconds, 0...59)].joined(separator: ":")
        let runs = rare?.years.runs ?? []
        let years = runs.isEmpty ? "*" : runs.map { Self.run($0.lowerBound + 1970, $0.upperBound + 1970) }.joined(separator: ",")
        let date = "\(years)-\(Self.list(UInt64(months), 1...12))"
        let week = daysOfWeekAreAll || days.daysOfWeek == 0 ? "" : Self.weekdays(days.daysOfWeek) + " "
        let special = rare?.days ?? .none
        // Each kind of day is a line of its own. The schedule is due when any of the lines is.
        var lines: [String] = []
        if days.combination == .either {
            if days.daysOfMonth != 0 { lines.append("\(date)-\(Self.list(UInt64(days.daysOfMonth), 1...31))") }
            if days.daysOfWeek != 0 { lines.append("\(week)\(date)-*") }
        } else {
            let restrictsBoth = !daysOfMonthAreAll && !(daysOfWeekAreAll)
            // Special days of one field cannot be intersected with those of the other.
            if restrictsBoth, special != .none { return nil }
            if days.daysOfMonth != 0, days.daysOfWeek != 0 { lines.append("\(week)\(date)-\(Self.list(UInt64(days.daysOfMonth), 1...31))") }
        }
        for before in UInt64(special.beforeLast).members { lines.append("\(date)~\(Words.twoDigits(before + 1))") }
        for bit in special.nthWeekdays.members {
            let name = Words.weekdays[bit >> 3].prefix(3)
            let number = bit & 7
            let days = "\(Words.twoDigits(number * 7 - 6))..\(Words.twoDigits(min(number * 7, 31)))"
            lines.append(number == 0 ? "\(name) \(date)~07/1" : "\(name) \(date)-\(days)")
        }
        return lines.map { "\($0) \(time)" }
    }

    private static func list(_ set: UInt64, _ values: ClosedRange<Int>) -> String {
        let members = set.members.filter(values.contains)
        if members.count == values.count { return "*" }
        var runs = Bits256()
        for member in members { runs.insert(member) }
        return runs.runs.map { run($0.lowerBound, $0.upperBound) }.joined(separator: ",")
    }

    private static func run(_ first: Int, _ last: Int) -> String {
        first == last ? Words.twoDigits(first) : "\(Words.twoDigits(first))..\(Words.twoDigits(last))"
    }

    private static func weekdays(_ set: UInt8) -> String {
        (0...6).filter { set & 1 << UInt8($0) != 0 }.map { String(Words.weekdays[$0].prefix(3)) }.joined(separator: ",")
    }
}
