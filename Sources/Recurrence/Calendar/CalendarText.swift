extension CalendarExpression {
    /// The normalized form, as `systemd-analyze calendar` prints it. It reads back as an equal rule.
    ///
    /// One exception: for seconds such as `0/1,3.5` systemd prints `*`, which loses the fraction.
    var text: String {
        let days = weekdays == 0 || weekdays == 0x7F ? "" : weekdaysText + " "
        let date = [year.text(.year), month.text(.month)].joined(separator: "-")
        let time = [hour.text(.hour), minute.text(.minute), second.text(.second)].joined(separator: ":")
        return days + date + (daysAreFromEnd ? "~" : "-") + day.text(.day) + " " + time + (zone.map { " " + $0 } ?? "")
    }

    static let weekdayNames = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

    /// `Mon..Thu,Sat,Sun`: three or more days in sequence become a range.
    private var weekdaysText: String {
        var set = Bits256()
        for day in 0..<7 where weekdays & 1 << UInt8(day) != 0 { set.insert(day) }
        return set.runs.map { run in
            let names = run.map { Self.weekdayNames[$0].prefix(3) }
            return names.count > 2 ? "\(names[0])..\(names[names.count - 1])" : names.joined(separator: ",")
        }.joined(separator: ",")
    }
}

extension CalendarChain {
    func text(_ component: CalendarComponent) -> String {
        let isEverySecond = component.isSecond && isWhole(component) && items.contains(CalendarItem(start: 0, step: component.unit))
        if isAny || isEverySecond { return "*" }
        return items.map { $0.text(component) }.joined(separator: ",")
    }
}

extension CalendarItem {
    /// `02/3`, `09..11`; for seconds `01.125000..02.125000`. A step of 1 in a range is not written.
    fileprivate func text(_ component: CalendarComponent) -> String {
        func number(_ value: Int, width: Int) -> String {
            let whole = Self.padded(value / component.unit, to: width)
            let fraction = value % component.unit
            return fraction == 0 ? whole : whole + "." + Self.padded(fraction, to: 6)
        }
        var text = number(start, width: component.width)
        if let stop { text += ".." + number(stop, width: component.width) }
        if step > 0, stop == nil || step != component.unit { text += "/" + number(step, width: 1) }
        return text
    }

    private static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
