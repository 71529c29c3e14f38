/// Remarks about steps in a field whose effect differs from what the text suggests.
///
/// `*/90` for a minute and `0` are the same set, and a rule keeps the set alone, as there may be a million of them. So the text is
/// read again for whoever asks.
enum StepRemarks {
    /// The remarks about a text that was read before.
    static func ofCron(_ text: String) -> [String] {
        (try? CronParser(text, stableSeed: 0).parse())?.remarks ?? []  // an unreadable text was refused when the rule was made
    }

    static func ofCalendar(_ text: String) -> [String] {
        (try? CalendarParser(text).parse())?.stepRemarks ?? []  // as above
    }

    /// The step is longer than its range, so that one value remains.
    ///
    /// - Parameters:
    ///   - written: the item: `*/90`, `9-17/12`.
    ///   - value: the remaining value. Nil means that the task's name decides it.
    ///   - repeats: an expression that does what was probably meant.
    static func longStep(_ written: String, in range: ClosedRange<Int>, of field: String, leaves value: Int?,
        instead repeats: String?) -> String {
        "\(field): the step of \(written) is longer than \(range.lowerBound) to \(range.upperBound), "
            + "which leaves \(value.map { "\($0) alone" } ?? "one value")"
            + (repeats.map { "; write \($0) for equal steps" } ?? "")
    }

    /// The step does not divide its field, and restarts at the field's beginning.
    static func unevenStep(_ step: Int, from first: Int, to last: Int, of count: Int, _ unit: String, _ whole: String) -> String {
        "the step of \(Words.count(step, unit)) begins anew each \(whole): "
            + "from \(unit) \(last) to the next \(first) it is \(Words.count(count - last + first, unit))"
    }
}

extension CronField {
    /// The unit of `@every` for this field. Nil for months, weekdays and years, which have no fixed length.
    var everyUnit: String? {
        switch kind {
        case .second: "s"
        case .minute: "m"
        case .hour: "h"
        case .dayOfMonth: "d"
        case .month, .dayOfWeek, .year: nil
        }
    }

    /// The effect at the field's end of a step through a range up to that end. Empty when the steps continue evenly there, or
    /// when the set of values shows the effect already (`WallFields.warnings`). `count` is the number of values of the field.
    func unevenStep(_ step: Int, in range: ClosedRange<Int>, of count: Int) -> [String] {
        let members = (range.count - 1) / step + 1
        let last = range.lowerBound + (members - 1) * step
        guard count - last + range.lowerBound != step else { return [] }
        func uneven(_ unit: String, _ whole: String) -> String {
            StepRemarks.unevenStep(step, from: range.lowerBound, to: last, of: count, unit, whole)
        }
        switch kind {
        case .second: return members > 2 ? [] : [uneven("second", "minute")]
        case .minute: return members > 2 ? [] : [uneven("minute", "hour")]
        case .hour: return members > 2 ? [] : [uneven("hour", "day")]
        case .dayOfMonth:
            return members > 6 ? [] : ["the step of \(Words.count(step, "day")) begins anew each month, after its 28th to 31st day"]
        case .month: return [uneven("month", "year")]
        case .dayOfWeek:
            // `1/2` is Monday, Wednesday and Friday, as intended.
            guard range.lowerBound == values.lowerBound else { return [] }
            let gap = count - last + range.lowerBound
            func name(_ day: Int) -> String { Words.weekdays[(day - base) % 7] }
            return [
                "the step of \(Words.count(step, "day")) begins anew each week: "
                    + "from \(name(last)) to the next \(name(range.lowerBound)) it is \(Words.count(gap, "day"))"
            ]
        case .year: return []
        }
    }
}

extension CalendarComponent {
    /// The effect of an open step (`0/40`) at the component's end. Empty when the steps continue evenly there, or when the set of
    /// values shows the effect already.
    func unevenStep(_ item: CalendarItem) -> [String] {
        let last = values.upperBound / unit
        let (first, step) = (item.start / unit, item.step / unit)
        guard item.stop == nil, step > 0, item.start % unit == 0, item.step % unit == 0, first - values.lowerBound < step else { return [] }
        switch kind {
        case .second: return CronField.second.unevenStep(step, in: first...last, of: 60)
        case .minute: return CronField.minute.unevenStep(step, in: first...last, of: 60)
        case .hour: return CronField.hour.unevenStep(step, in: first...last, of: 24)
        case .day: return CronField.dayOfMonth.unevenStep(step, in: first...last, of: 31)
        case .month: return CronField.month.unevenStep(step, in: first...last, of: 12)
        case .dayFromEnd, .year: return []
        }
    }
}
